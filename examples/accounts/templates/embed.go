// Package templates has the pages.
package templates

import (
	"embed"
	"io/fs"

	"github.com/gobuffalo/buffalo"
)

//go:embed * */*
var files embed.FS

// FS returns the pages: those on disk in development, and those in the program elsewhere.
func FS() fs.FS { return buffalo.NewFS(files, "templates") }
