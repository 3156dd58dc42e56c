// Package public serves the files that a browser loads beside the pages.
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

// Files are the public files. Their names contain a hash of their content, so that a browser may
// keep them forever.
type Files struct {
	*hashfs.FS
	ready map[string]file // by address; nil if the files may change
}

// A file cannot change while the server runs.
type file struct {
	content, zipped []byte // zipped is nil if it would not be smaller
	tag             string
	caching         string
}

// Embedded returns the files that are built into the binary, compressed once.
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
		panic(err) // embedded files can always be read
	}
	return f
}

// OnDisk returns the files on disk, so that a change shows on reload. Without the folder public, it
// returns those in the binary.
func OnDisk() Files {
	return Files{FS: hashfs.NewFS(fs.FS(buffalo.NewFS(files, "public")))}
}

// Path returns the address of a file, such as "/assets/application-3f2a….css".
func (f Files) Path(name string) string {
	return "/" + f.HashName(name)
}

// Route makes mux serve the files.
func (f Files) Route(mux *http.ServeMux) {
	var server http.Handler = http.HandlerFunc(f.serve)
	if f.ready == nil {
		server = withoutDots(hashfs.FileServer(f.FS))
	}
	for _, pattern := range []string{"GET /assets/", "GET /robots.txt"} {
		mux.Handle(pattern, server)
	}
}

// withoutDots answers 404 to a path such as /assets/%2e%2e/embed.go, which matches a pattern of
// Route but names a file outside it.
func withoutDots(next http.Handler) http.Handler {
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

// acceptsGzip reports whether an Accept-Encoding allows gzip (RFC 9110, section 12.5.3).
func acceptsGzip(header string) bool {
	for coding := range strings.SplitSeq(header, ",") {
		name, weight, _ := strings.Cut(strings.ReplaceAll(coding, " ", ""), ";")
		if strings.EqualFold(name, "gzip") {
			return strings.Trim(weight, "qQ=0.") != "" || weight == ""
		}
	}
	return false
}

// zip returns content compressed, or nil if that does not make it smaller.
func zip(content []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level exists
	_, _ = w.Write(content)                               // writing to a buffer does not fail
	_ = w.Close()
	if b.Len() >= len(content) {
		return nil
	}
	return b.Bytes()
}
