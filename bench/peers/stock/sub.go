package main

import (
	"embed"
	"io/fs"
	"path"
)

// sub is a folder of an embed.FS.
type sub struct {
	files embed.FS
	dir   string
}

func (s sub) Open(name string) (fs.File, error) { return s.files.Open(path.Join(s.dir, name)) }

func (s sub) ReadDir(name string) ([]fs.DirEntry, error) {
	return s.files.ReadDir(path.Join(s.dir, name))
}
