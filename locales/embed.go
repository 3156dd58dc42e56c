// Package locales holds the words of every page, one file per resource and language.
package locales

import (
	"embed"
	"io/fs"

	"github.com/gobuffalo/buffalo"
)

//go:embed *.yaml
var files embed.FS

// FS serves the words from disk, so that a change shows on reload, and from the
// binary where there is no such folder.
func FS() fs.FS {
	return buffalo.NewFS(files, "locales")
}

// Embedded serves the words from the binary alone.
func Embedded() fs.FS {
	return files
}
