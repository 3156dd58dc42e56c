package backendtest

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A Move is a pair of running programs. The new one adopts the sessions of the old one.
type Move struct {
	Old, New string // where they listen, as "host:port"
	Cookie   string // the name of the new program's session cookie

	// SignIn signs the browser in under that name. Knows returns the name by which the program knows
	// the browser, or "".
	SignIn func(b *Browser, name string) error
	Knows  func(b *Browser) (name string, err error)
}

// Day simulates a day on which one program replaces the other behind one address. Each hour, more of the
// requests without the new program's cookie go to the new program. Requests with it always do. The test
// fails if anybody is signed out.
func (m Move) Day(t *testing.T, visitors int) {
	var share atomic.Int64 // percent
	var answered [2]atomic.Int64
	proxies := [2]http.Handler{
		httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: m.Old}),
		httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: m.New}),
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to := 0
		if _, err := r.Cookie(m.Cookie); err == nil || rand.Int64N(100) < share.Load() {
			to = 1
		}
		answered[to].Add(1)
		proxies[to].ServeHTTP(w, r)
	}))
	defer server.Close()

	all := make([]*Browser, visitors)
	names := make([]string, visitors)
	for i := range all {
		all[i] = &Browser{address: server.URL}
	}
	for hour := range 24 {
		share.Store(int64(hour * 100 / 22)) // all of them from hour 22 on
		var wait sync.WaitGroup
		for i, b := range all {
			if hour < i%5 { // they arrive over the first five hours
				continue
			}
			wait.Go(func() {
				if names[i] == "" || rand.IntN(20) == 0 { // somebody signs in again now and then
					names[i] = fmt.Sprintf("visitor %d of hour %d", i, hour)
					assert.NoError(t, m.SignIn(b, names[i]))
				}
				var pages sync.WaitGroup
				for range 1 + rand.IntN(3) { // some load several pages at once
					pages.Go(func() {
						name, err := m.Knows(b)
						assert.NoError(t, err)
						assert.Equal(t, names[i], name, "in hour %d, the visitor's cookies: %v", hour, b.Names())
					})
				}
				pages.Wait()
			})
		}
		wait.Wait()
		if t.Failed() {
			return
		}
	}
	for i, b := range all {
		name, err := m.Knows(b)
		require.NoError(t, err)
		require.Equal(t, names[i], name)
		require.Equal(t, []string{m.Cookie}, b.Names(), "nothing of the old program is left")
	}
	require.Positive(t, answered[0].Load())
	t.Logf("%d visitors; answers of the old program: %d, of the new one: %d", visitors, answered[0].Load(), answered[1].Load())
}

// Serve starts a program that listens at an address, and waits until it accepts connections. When the test ends, the
// program is killed.
func Serve(t *testing.T, cmd *exec.Cmd, address string) {
	t.Helper()
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, 20*time.Second, 20*time.Millisecond)
}

// Python returns the command of a Python that can import Flask, or skips the test.
func Python(t *testing.T) string {
	t.Helper()
	for _, python := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(python, "-c", "import flask").Run() == nil {
			return python
		}
	}
	t.Skip("there is no Flask: install Debian's python3-flask, for example, to run this")
	return ""
}

// A Browser keeps cookies and sends all of them, even Secure ones over http.
type Browser struct {
	address string
	mu      sync.Mutex
	cookies map[string]string
}

// NewBrowser returns a browser at an address, as "http://host:port".
func NewBrowser(address string) *Browser { return &Browser{address: address} }

// At returns a browser with the same cookies at another address.
func (b *Browser) At(address string) *Browser {
	b.mu.Lock()
	defer b.mu.Unlock()
	return &Browser{address: address, cookies: maps.Clone(b.cookies)}
}

// Names returns the names of the cookies.
func (b *Browser) Names() (names []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name := range b.cookies {
		names = append(names, name)
	}
	return names
}

// Do sends a request, with form as its body unless it is nil. It returns the status and the body, and follows no
// redirect.
func (b *Browser) Do(method, path string, form url.Values) (status int, body string, err error) {
	r, err := http.NewRequest(method, b.address+path, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, "", err
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	b.mu.Lock()
	for name, value := range b.cookies {
		r.Header.Add("Cookie", name+"="+value)
	}
	b.mu.Unlock()
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range res.Cookies() {
		if b.cookies == nil {
			b.cookies = map[string]string{}
		}
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 || !c.Expires.IsZero() && c.Expires.Year() < 2000 {
			delete(b.cookies, c.Name)
		}
	}
	return res.StatusCode, string(text), err
}
