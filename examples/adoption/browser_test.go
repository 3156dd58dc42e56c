package adoption

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func serve(t *testing.T, handler http.Handler) (address string) {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// A browser keeps cookies and follows no redirects. It sends every cookie, as if over https.
type browser struct {
	t       *testing.T
	server  string
	cookies map[string]string
}

// An answer is a response that was read.
type answer struct {
	status int
	header http.Header
	body   string
}

var client = http.Client{
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Timeout:       20 * time.Second,
	Transport:     &http.Transport{MaxIdleConnsPerHost: 20},
}

func (b *browser) get(path string) answer { return b.ask("GET", path, nil) }

func (b *browser) ask(method, path string, form url.Values) answer {
	b.t.Helper()
	r, err := http.NewRequest(method, b.server+path, strings.NewReader(form.Encode()))
	require.NoError(b.t, err)
	r.Header.Set("X-Forwarded-Proto", "https")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	res, err := client.Do(r)
	require.NoError(b.t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(b.t, err)
	for _, c := range res.Cookies() {
		if b.cookies == nil {
			b.cookies = map[string]string{}
		}
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return answer{res.StatusCode, res.Header, string(body)}
}
