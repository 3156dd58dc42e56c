package public

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func get(f Files, path string, header ...string) *httptest.ResponseRecorder {
	mux := http.NewServeMux()
	f.Route(mux)
	r := httptest.NewRequest("GET", path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	return w
}

func Test_Files_may_be_kept_forever_under_a_name_with_their_hash(t *testing.T) {
	path := Embedded().Path("assets/application.css")
	for _, f := range []Files{Embedded(), OnDisk()} {
		res := get(f, path)
		require.Equal(t, http.StatusOK, res.Code)
		require.Contains(t, res.Header().Get("Content-Type"), "text/css")
		require.Contains(t, res.Header().Get("Cache-Control"), "max-age=31536000")
		require.NotContains(t, get(f, "/assets/application.css").Header().Get("Cache-Control"), "max-age")
		require.NotEqual(t, http.StatusOK, get(f, "/assets/").Code, "folders are not listed")
		for _, bad := range []string{"/assets/embed.go", "/assets/..%2fembed.go", "/assets/%2e%2e/embed.go", "/assets/..\\embed.go",
			"/assets/%00", "/assets/application-" + "0000000000000000000000000000000000000000000000000000000000000000" + ".css"} {
			require.NotEqual(t, http.StatusOK, get(f, bad).Code, bad)
		}
	}
	require.Contains(t, get(Embedded(), path).Header().Get("Cache-Control"), "immutable")
}

func Test_Files_are_compressed_if_the_browser_accepts_gzip(t *testing.T) {
	f := Embedded()
	path := f.Path("assets/application.css")
	plain, zipped := get(f, path), get(f, path, "Accept-Encoding", "br, gzip;q=0.8")
	require.Equal(t, "gzip", zipped.Header().Get("Content-Encoding"))
	require.Equal(t, "Accept-Encoding", zipped.Header().Get("Vary"))
	require.Less(t, zipped.Body.Len(), plain.Body.Len()/2)
	r, err := gzip.NewReader(zipped.Body)
	require.NoError(t, err)
	content, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, plain.Body.String(), string(content))
	require.NotEqual(t, plain.Header().Get("ETag"), zipped.Header().Get("ETag"))
	for _, header := range []string{"", "br", "gzip;q=0", "gzip; q=0.0", "gzipped"} {
		require.Empty(t, get(f, path, "Accept-Encoding", header).Header().Get("Content-Encoding"), header)
	}
	tag := plain.Header().Get("ETag")
	require.Equal(t, http.StatusNotModified, get(f, "/assets/application.css", "If-None-Match", tag).Code)
}
