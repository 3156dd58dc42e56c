// Package templates holds the plush pages.
package templates

import (
	"embed"
	"io/fs"

	"github.com/gobuffalo/buffalo"
)

//go:embed *.html */*.html
var files embed.FS

// FS serves the pages from disk, so that a change shows on reload, and from the
// binary where there is no such folder.
func FS() fs.FS {
	return buffalo.NewFS(files, "templates")
}

// Embedded serves the pages from the binary alone.
func Embedded() fs.FS {
	return files
}
