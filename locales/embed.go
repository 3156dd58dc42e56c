// Package locales holds the words of every page, a file for each resource and language, and
// translates with them.
package locales

import (
	"embed"
	"io/fs"

	"github.com/gobuffalo/buffalo"
)

//go:embed *.yaml
var files embed.FS

// FS returns the files from disk, so that a change shows on reload, or from the binary if there
// is no such folder.
func FS() fs.FS {
	return buffalo.NewFS(files, "locales")
}

// Embedded returns the files from the binary.
func Embedded() fs.FS {
	return files
}
