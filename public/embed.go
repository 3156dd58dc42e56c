// Package public holds the files a browser asks for by themselves.
package public

import (
	"embed"
	"io/fs"
	"net/http"

	"github.com/benbjohnson/hashfs"
	"github.com/gobuffalo/buffalo"
)

//go:embed robots.txt favicon.svg assets
var files embed.FS

// Files are the public files under names that hold a hash of their content, so
// that a browser may keep them for good.
type Files struct {
	*hashfs.FS
}

// Embedded serves the files from the binary alone.
func Embedded() Files {
	return Files{hashfs.NewFS(files)}
}

// OnDisk serves the files from disk, so that a change shows on reload, and from
// the binary where there is no such folder.
func OnDisk() Files {
	return Files{hashfs.NewFS(fs.FS(buffalo.NewFS(files, "public")))}
}

// Path is the address of a file, such as "/assets/application-3f2a….css".
func (f Files) Path(name string) string {
	return "/" + f.HashName(name)
}

// Route has mux serve the files.
func (f Files) Route(mux *http.ServeMux) {
	server := hashfs.FileServer(f.FS)
	for _, pattern := range []string{"GET /assets/", "GET /favicon.svg", "GET /robots.txt"} {
		mux.Handle(pattern, server)
	}
}
