// Package public holds the files a browser asks for by themselves.
package public

import (
	"bytes"
	"compress/gzip"
	"embed"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/benbjohnson/hashfs"
	"github.com/gobuffalo/buffalo"
)

//go:embed robots.txt assets
var files embed.FS

// Files are the public files under names that hold a hash of their content, so
// that a browser may keep them for good.
type Files struct {
	*hashfs.FS
	ready map[string]file // by address; nil: they may change
}

// A file is one that cannot change while the server runs.
type file struct {
	content, zipped []byte // zipped is nil where it saves nothing
	tag             string
	caching         string
}

// Embedded serves the files from the binary alone, compressed once.
func Embedded() Files {
	f := Files{hashfs.NewFS(files), map[string]file{}}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := files.ReadFile(name)
		_, hash := f.ParseName(f.HashName(name))
		f.ready["/"+name] = file{content, zip(content), hash, "no-cache"}
		f.ready[f.Path(name)] = file{content, zip(content), hash, "public, max-age=31536000, immutable"}
		return err
	})
	if err != nil {
		panic(err) // what is built in can be read
	}
	return f
}

// OnDisk serves the files from disk, so that a change shows on reload, and from
// the binary where there is no such folder.
func OnDisk() Files {
	return Files{FS: hashfs.NewFS(fs.FS(buffalo.NewFS(files, "public")))}
}

// Path is the address of a file, such as "/assets/application-3f2a….css".
func (f Files) Path(name string) string {
	return "/" + f.HashName(name)
}

// Route has mux serve the files.
func (f Files) Route(mux *http.ServeMux) {
	var server http.Handler = http.HandlerFunc(f.serve)
	if f.ready == nil {
		server = asNamed(hashfs.FileServer(f.FS))
	}
	for _, pattern := range []string{"GET /assets/", "GET /robots.txt"} {
		mux.Handle(pattern, server)
	}
}

// asNamed is 404 for a path such as /assets/%2e%2e/embed.go, which begins as one of the
// patterns and names a file that is under none.
func asNamed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/../") {
			http.NotFound(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (f Files) serve(w http.ResponseWriter, r *http.Request) {
	file, ok := f.ready[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	content, tag := file.content, file.tag
	w.Header().Set("Cache-Control", file.caching)
	if file.zipped != nil {
		w.Header().Set("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Get("Accept-Encoding")) {
			w.Header().Set("Content-Encoding", "gzip")
			content, tag = file.zipped, tag+"-gzip"
		}
	}
	w.Header().Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, r.URL.Path, time.Time{}, bytes.NewReader(content))
}

// acceptsGzip reads an Accept-Encoding (RFC 9110, section 12.5.3).
func acceptsGzip(header string) bool {
	for coding := range strings.SplitSeq(header, ",") {
		name, weight, _ := strings.Cut(strings.ReplaceAll(coding, " ", ""), ";")
		if strings.EqualFold(name, "gzip") {
			return strings.Trim(weight, "qQ=0.") != "" || weight == ""
		}
	}
	return false
}

// zip compresses content, or gives nil when that does not make it smaller.
func zip(content []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level exists
	_, _ = w.Write(content)                               // a buffer takes it all
	_ = w.Close()
	if b.Len() >= len(content) {
		return nil
	}
	return b.Bytes()
}
