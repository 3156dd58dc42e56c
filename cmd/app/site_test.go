package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"heroes/actions"
	"heroes/config"
	"heroes/session"
	"heroes/session/backendtest"
	"heroes/session/boltstore"
	"heroes/session/redisstore"
	"heroes/session/sqlstore"

	"github.com/gobuffalo/buffalo"
	"github.com/gobuffalo/envy"
	"github.com/gobuffalo/pop/v6"
	"github.com/stretchr/testify/require"
)

// A site is the application in production, as main serves it, on its own port. It has a good visitor,
// whom no attack may harm.
type site struct {
	app    *buffalo.App
	store  *session.Store
	server *http.Server
	addr   string
	log    printed
	secret string
	good   string // the good visitor's cookie, name=value
	memory bool   // the sessions are on a server, not in cookies
}

const goodHero = "Good Visitor"

// serveSite serves a site until the test ends. Its sessions are in backend, or in cookies.
func serveSite(t *testing.T, backend session.Backend, change ...func(*http.Server)) *site {
	t.Helper()
	s := &site{memory: backend != nil, secret: session.NewSecret()}
	var err error
	c := config.Config{
		Env: "production", LogLevel: slog.LevelDebug, Log: &s.log, MaxHeader: 16 << 10,
		Secrets: [][]byte{[]byte(s.secret)}, Session: session.Options{Backend: backend},
	}
	s.app, err = actions.New(c)
	require.NoError(t, err)
	s.store = s.app.SessionStore.(*session.Store)
	listener, err := listen("127.0.0.1:0")
	require.NoError(t, err)
	s.addr = listener.Addr().String()
	s.server = newServer(actions.Handler(s.app, c), c)
	for _, f := range change {
		f(s.server)
	}
	go func() { _ = s.server.Serve(listener) }()
	t.Cleanup(func() { s.server.Close() })
	s.good = s.signIn(t, goodHero)
	return s
}

// eachStore runs f with sessions in cookies, and in each store on a server.
func eachStore(t *testing.T, f func(t *testing.T, s *site)) {
	t.Run("cookie", func(t *testing.T) { f(t, serveSite(t, nil)) })
	t.Run("memory", func(t *testing.T) { f(t, serveSite(t, &backendtest.Memory{})) })
	t.Run("file", func(t *testing.T) {
		backend, err := boltstore.Open(filepath.Join(t.TempDir(), "sessions.db"))
		require.NoError(t, err)
		t.Cleanup(func() { backend.Close() })
		f(t, serveSite(t, backend))
	})
	t.Run("redis", func(t *testing.T) {
		backend, err := redisstore.Open(envy.Get("TEST_REDIS_URL", "redis://127.0.0.1:6379/0"), "heroes:attack:"+rand.Text()+":")
		require.NoError(t, err)
		if err := backend.Ping(t.Context()); err != nil {
			t.Skipf("no Redis (%v): start one, or set TEST_REDIS_URL", err)
		}
		t.Cleanup(func() { require.NoError(t, backend.Clear(context.Background())) })
		f(t, serveSite(t, backend))
	})
	t.Run("database", func(t *testing.T) {
		url, _ := ownDatabase(t)
		up, _, err := sqlstore.Schema("postgres", "sessions")
		require.NoError(t, err)
		conn, err := pop.NewConnection(&pop.ConnectionDetails{URL: url})
		require.NoError(t, err)
		require.NoError(t, conn.Open())
		defer conn.Close()
		require.NoError(t, conn.RawQuery(up).Exec())
		backend, err := sqlstore.Open("postgres", url, sqlstore.Options{})
		require.NoError(t, err)
		t.Cleanup(func() { backend.Close() })
		f(t, serveSite(t, backend))
	})
}

var databases atomic.Int32

// ownDatabase makes a PostgreSQL database of the test's own, which is dropped when the test ends.
func ownDatabase(t *testing.T) (url, name string) {
	t.Helper()
	name = fmt.Sprintf("heroes_app_%d_%d", os.Getpid(), databases.Add(1))
	url = fmt.Sprintf(envy.Get("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/%s?sslmode=disable"), name)
	conn, err := pop.NewConnection(&pop.ConnectionDetails{URL: url})
	require.NoError(t, err)
	if err := conn.Dialect.CreateDB(); err != nil {
		t.Skipf("no database can be made at %s (%v): start PostgreSQL, or set TEST_POSTGRES_URL to one", url, err)
	}
	t.Cleanup(func() { // a server that was killed may still be connected
		require.Eventually(t, func() bool { return conn.Dialect.DropDB() == nil }, 10*time.Second, 100*time.Millisecond)
	})
	return url, name
}

// printed keeps what any number of goroutines write to it.
type printed struct {
	mu      sync.Mutex
	text    bytes.Buffer
	stopped bool
}

// stop makes printed discard everything written from now on.
func (p *printed) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
}

func (p *printed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return len(b), nil
	}
	return p.text.Write(b)
}

func (p *printed) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// An answer is a response and its body.
type answer struct {
	*http.Response
	text string
}

const (
	host     = "heroes.test"
	formType = "Content-Type: application/x-www-form-urlencoded"
)

// request returns a request without a body, such as "GET /", as it is sent.
func request(line string, header ...string) string {
	return line + " HTTP/1.1\r\nHost: " + host + "\r\n" + strings.Join(append(header, "", ""), "\r\n")
}

// post returns a request with a form, as it is sent.
func post(path, body string, header ...string) string {
	return request("POST "+path, append(header, formType, fmt.Sprint("Content-Length: ", len(body)))...) + body
}

// hero returns a form with a value in every field.
func hero(name string) string {
	return without("name") + "&name=" + url.QueryEscape(name)
}

// without returns a form with a value in every field but these.
func without(fields ...string) string {
	form := url.Values{}
	for _, field := range actions.Fields {
		if !slices.Contains(fields, field.Name) {
			form.Set(field.Name, "Hero's "+field.Name)
		}
	}
	return form.Encode()
}

// send writes raw to a new connection and returns all answers. After n of them it tells the server
// that it will send no more. It checks each answer with isSafe.
func send(t *testing.T, addr, raw string, n int) (answers []answer) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	go func() { _, _ = io.WriteString(conn, raw) }() // the server may answer before it has read all
	in := bufio.NewReader(conn)
	for {
		if len(answers) == n {
			_ = conn.(*net.TCPConn).CloseWrite()
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			require.GreaterOrEqual(t, len(answers), n, "no answer: %v", err)
			return answers
		}
		if res.StatusCode == http.StatusContinue {
			continue
		}
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		a := answer{res, string(body)}
		a.isSafe(t)
		answers = append(answers, a)
	}
}

// ask sends one request and returns its answer. There must be no other.
func (s *site) ask(t *testing.T, raw string) answer {
	t.Helper()
	answers := send(t, s.addr, raw, 1)
	require.Len(t, answers, 1)
	return answers[0]
}

// inPlace matches a Location that does not leave the host, however a browser reads it.
var inPlace = regexp.MustCompile(`^/([!-.0-\[\]-~][!-\[\]-~]*)?$`)

// isSafe requires what must be true of every answer.
func (a answer) isSafe(t *testing.T) {
	t.Helper()
	hides(t, a.text, "<evil", "an answer never has markup that was sent")
	require.LessOrEqual(t, len(a.Header["Set-Cookie"]), 1)
	if a.Header.Get("X-Request-Id") == "" { // anything that is not a request is refused before it reaches the application
		require.Contains(t, []int{400, 417, 431, 501, 505}, a.StatusCode)
		require.True(t, a.Close, "and nothing more is read")
		require.Empty(t, a.Header["Set-Cookie"])
		require.Less(t, len(a.text), 100)
		return
	}
	require.Less(t, a.StatusCode, 500)
	require.Contains(t, a.Header.Get("Content-Security-Policy"), "default-src 'none'")
	for _, name := range []string{
		"Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy", "Permissions-Policy",
		"Referrer-Policy", "X-Content-Type-Options",
	} {
		require.Len(t, a.Header[name], 1, name)
	}
	for _, location := range a.Header["Location"] {
		require.Regexp(t, inPlace, location)
	}
	for name, values := range a.Header {
		require.NotContains(t, name, "Evil", "a header that was sent comes back")
		if name != "Location" && name != "Set-Cookie" {
			require.NotContains(t, strings.Join(values, "\n"), "evil", name)
		}
	}
}

// cookie returns the cookie that the answer sets, as name=value, or "".
func (a answer) cookie() string {
	for _, c := range a.Cookies() {
		return c.Name + "=" + c.Value
	}
	return ""
}

// signIn makes a session with a hero of that name, shows its flash, and returns its cookie.
func (s *site) signIn(t *testing.T, name string, header ...string) string {
	t.Helper()
	a := s.ask(t, post("/heroes", hero(name), header...))
	require.Equal(t, http.StatusSeeOther, a.StatusCode, title(a.text))
	require.NotEmpty(t, a.cookie())
	read := s.ask(t, request("GET /success", "Cookie: "+a.cookie()))
	require.Equal(t, http.StatusOK, read.StatusCode)
	return cmp.Or(read.cookie(), a.cookie())
}

var heroShown = regexp.MustCompile(`name="name" value="([^"]*)"`)

// hero returns the hero's name in the session that the Cookie headers open, or "".
func (s *site) hero(t *testing.T, cookies ...string) string {
	t.Helper()
	var header []string
	for _, c := range cookies {
		header = append(header, "Cookie: "+c)
	}
	a := s.ask(t, request("GET /heroes/new", header...))
	require.Equal(t, http.StatusOK, a.StatusCode)
	return html.UnescapeString(heroShown.FindStringSubmatch(a.text)[1])
}

// noHarm requires what must be true after every attack.
func (s *site) noHarm(t *testing.T) {
	t.Helper()
	require.Equal(t, goodHero, s.hero(t, s.good), "the good visitor's session")
	require.NotContains(t, s.log.String(), `"level":"ERROR"`)
}

func statuses(answers []answer) (all []int) {
	for _, a := range answers {
		all = append(all, a.StatusCode)
	}
	return all
}

var titleTag = regexp.MustCompile(`<title>(.*)</title>`)

// title returns the title of a page, or the start of a text.
func title(page string) string {
	if m := titleTag.FindStringSubmatch(page); m != nil {
		return m[1]
	}
	return fmt.Sprintf("%.200s", page)
}

// shows fails if a page does not contain a text. It prints the page's title, not the page.
func shows(t *testing.T, page, text string, message ...any) {
	t.Helper()
	if !strings.Contains(page, text) {
		require.Fail(t, fmt.Sprintf("%q is not on the page %q", text, title(page)), message...)
	}
}

// hides fails if a page contains a text.
func hides(t *testing.T, page, text string, message ...any) {
	t.Helper()
	if _, after, found := strings.Cut(page, text); found {
		require.Fail(t, fmt.Sprintf("%q is on the page %q, before %.80q", text, title(page), after), message...)
	}
}

// is reports whether the status is one of those wanted.
func (a answer) is(wanted ...int) bool { return slices.Contains(wanted, a.StatusCode) }

// dial sends raw over a new connection, which stays open until the test ends.
func (s *site) dial(t *testing.T, raw string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	_, err = io.WriteString(conn, raw)
	require.NoError(t, err)
	return conn
}

// timeToEnd reads until the server closes the connection. It returns the time since start and what it
// read.
func timeToEnd(start time.Time, conn net.Conn) (time.Duration, string) {
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	text, _ := io.ReadAll(conn) // a reset is an end, too
	return time.Since(start), string(text)
}
