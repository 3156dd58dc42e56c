//go:build unix

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"heroes/session/backendtest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// crowd is the number of visitors at once.
const crowd = 16

// A promise is a change that was acknowledged: the session of this cookie has this hero.
type promise struct {
	cookie, hero string
	german       bool // the language is German; if false, it is not known
}

// A load is a crowd of visitors who register heroes until it is over.
type load struct {
	t        *testing.T
	p        *process
	over     atomic.Bool // the visitors leave
	expected atomic.Bool // the server, or its store, may be gone
	wait     sync.WaitGroup

	mu       sync.Mutex
	promises []promise
	answers  map[int]int // by status
	cut      int         // answers that ended too early
	lost     int         // requests without an answer
}

func newLoad(t *testing.T, p *process) *load {
	l := &load{t: t, p: p, answers: map[int]int{}}
	for i := range crowd {
		l.wait.Go(func() {
			for n := 0; !l.over.Load(); n++ {
				if p, ok := l.visit(fmt.Sprintf("Hero %d of %d", n, i)); ok {
					l.keep(p)
				}
			}
		})
	}
	return l
}

func (l *load) keep(p promise) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.promises = append(l.promises, p)
}

// visit registers a hero, chooses a language and, for some visitors, registers another hero. It
// returns the last promise, and whether there is one: after a lost response to a renewal, nobody can
// tell which of the two cookies is good.
func (l *load) visit(hero string) (p promise, ok bool) {
	if p.cookie, ok = l.post("/heroes", heroForm(hero), ""); !ok {
		return p, false
	}
	p.hero = hero
	cookie, ok := l.post("/language", url.Values{"language": {"de"}}, p.cookie)
	if !ok {
		return p, true
	}
	p.cookie, p.german = cookie, true
	if strings.HasSuffix(hero, "0") {
		p.hero = "Second " + hero
		p.cookie, ok = l.post("/heroes", heroForm(p.hero), p.cookie)
		return p, ok
	}
	return p, true
}

func heroForm(name string) url.Values {
	form, _ := url.ParseQuery(hero(name))
	return form
}

// post sends a form. It returns the cookie that the visitor has afterwards, and whether the change was
// acknowledged.
func (l *load) post(path string, form url.Values, cookie string) (string, bool) {
	began := false
	trace := &httptrace.ClientTrace{GotFirstResponseByte: func() { began = true }}
	r, err := http.NewRequestWithContext(httptrace.WithClientTrace(context.Background(), trace),
		"POST", "http://"+l.p.addr+path, strings.NewReader(form.Encode()))
	if !assert.NoError(l.t, err) {
		return "", false
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	res, err := l.p.client.Do(r)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.lost++
		if !l.expected.Load() {
			assert.NoError(l.t, err, "nothing has happened yet")
		}
		if began {
			l.cut++
		}
		if errors.Is(err, syscall.ECONNREFUSED) { // the server is gone
			l.over.Store(true)
		}
		return "", false
	}
	_, err = io.Copy(io.Discard, res.Body)
	res.Body.Close()
	if err != nil {
		l.cut++
		return "", false
	}
	l.answers[res.StatusCode]++
	if res.StatusCode != http.StatusSeeOther {
		assert.True(l.t, res.StatusCode == http.StatusServiceUnavailable && (l.p.busy || l.expected.Load()), res.Status)
		return "", false
	}
	return (answer{Response: res}).cookieAfter(cookie), true
}

// cookieAfter returns the cookie that a browser has after the answer, if it had that one before.
func (a answer) cookieAfter(had string) string {
	if set := a.cookie(); set != "" {
		return set
	}
	return had
}

// end makes the visitors leave, and waits for them.
func (l *load) end() {
	l.over.Store(true)
	l.wait.Wait()
}

// areKept requires that a server keeps all promises.
func (l *load) areKept(p *process) {
	l.t.Helper()
	require.Greater(l.t, len(l.promises), crowd, "there was hardly a load: %v", l.answers)
	var wait sync.WaitGroup
	broken := make(chan string, len(l.promises))
	for i := range crowd {
		wait.Go(func() {
			for n := i; n < len(l.promises); n += crowd {
				if why := p.keeps(l.promises[n]); why != "" {
					broken <- why
				}
			}
		})
	}
	wait.Wait()
	close(broken)
	require.Empty(l.t, len(broken), "of %d promises are broken, the first: %s", len(l.promises), <-broken)
	l.t.Logf("%d acknowledged changes, none lost; answers by status: %v; %d requests without one", len(l.promises), l.answers, l.lost)
}

// keeps returns what is wrong with a promise, or "".
func (p *process) keeps(promised promise) string {
	r, err := http.NewRequest("GET", "http://"+p.addr+"/success", nil)
	if err != nil {
		return err.Error()
	}
	r.Header.Set("Cookie", promised.cookie)
	res, err := p.client.Do(r)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return err.Error()
	case !strings.Contains(string(page), "<bdi>"+promised.hero+"</bdi>"):
		return fmt.Sprintf("%s is gone (%s)", promised.hero, res.Status)
	case promised.german && !strings.Contains(string(page), `<html lang="de"`):
		return promised.hero + " has lost the language"
	}
	return ""
}

// A half is a form of which only the first part has been sent.
type half struct {
	conn       net.Conn
	hero, rest string
}

func (p *process) halves(t *testing.T) (all []half) {
	t.Helper()
	for i := range crowd {
		name := fmt.Sprint("Half ", i)
		raw := post("/heroes", heroForm(name).Encode())
		conn, err := net.Dial("tcp", p.addr)
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		at := len(raw) - 20
		_, err = io.WriteString(conn, raw[:at])
		require.NoError(t, err)
		all = append(all, half{conn, name, raw[at:]})
	}
	return all
}

// finish sends the rest, and returns what was promised.
func (h half) finish(t *testing.T) promise {
	t.Helper()
	_, err := io.WriteString(h.conn, h.rest)
	require.NoError(t, err)
	require.NoError(t, h.conn.SetDeadline(time.Now().Add(10*time.Second)))
	res, err := http.ReadResponse(bufio.NewReader(h.conn), nil)
	require.NoError(t, err, "a request that was under way is not answered")
	require.Equal(t, http.StatusSeeOther, res.StatusCode)
	require.True(t, res.Close, "and the last of its connection")
	return promise{cookie: (answer{Response: res}).cookie(), hero: h.hero}
}

// killed ends the application under load, by SIGTERM and by SIGKILL. Every change that it acknowledged
// must be there when it is started again.
func killed(t *testing.T, s setting) {
	t.Run("SIGTERM", func(t *testing.T) {
		p := s.start(t)
		l := newLoad(t, p)
		time.Sleep(700 * time.Millisecond)
		halves := p.halves(t)
		time.Sleep(300 * time.Millisecond)
		l.expected.Store(true)
		done := make(chan error)
		go func() { done <- p.end(t, syscall.SIGTERM) }()
		require.Eventually(t, func() bool {
			conn, err := net.Dial("tcp", p.addr)
			if err == nil {
				conn.Close()
			}
			return errors.Is(err, syscall.ECONNREFUSED)
		}, 5*time.Second, 10*time.Millisecond, "a new connection is refused")
		for _, h := range halves {
			l.keep(h.finish(t))
		}
		require.NoError(t, <-done, "exit status 0; it said: %s", p.out.String())
		l.end()
		require.Zero(t, l.cut, "an answer ended too early")
		require.NotContains(t, p.out.String(), "ERROR")
		l.areKept(s.start(t))
	})
	t.Run("SIGKILL", func(t *testing.T) {
		p := s.start(t)
		l := newLoad(t, p)
		time.Sleep(time.Second)
		l.expected.Store(true)
		require.Error(t, p.end(t, syscall.SIGKILL))
		l.end()
		l.areKept(s.start(t))
	})
}

func Test_Kill_with_sessions_in_cookies(t *testing.T) {
	killed(t, newSetting(t, "GO_ENV=production"))
}

func Test_Kill_with_sessions_in_PostgreSQL(t *testing.T) {
	url, _ := ownDatabase(t)
	s := newSetting(t, "GO_ENV=production", "SESSION_STORE=database", "DATABASE_URL="+url)
	out, err := s.command(t, "migrate").CombinedOutput()
	require.NoError(t, err, string(out))
	killed(t, s)
}

func ownRedis(t *testing.T) (*backendtest.Server, setting) {
	t.Helper()
	server, addr := backendtest.Redis(t)
	return server, newSetting(t, "GO_ENV=production", "SESSION_STORE=redis", "REDIS_URL=redis://"+addr+"/0")
}

func Test_Kill_with_sessions_in_Redis(t *testing.T) {
	_, s := ownRedis(t)
	killed(t, s)
}

// inFile keeps the sessions in a file. Only one process can have it open.
func inFile(t *testing.T) setting {
	return newSetting(t, "GO_ENV=production", "SESSION_STORE=file", "SESSION_FILE="+filepath.Join(t.TempDir(), "sessions.db"))
}

func Test_Kill_with_sessions_in_a_file(t *testing.T) {
	killed(t, inFile(t))
}

func Test_Kill_of_Redis_itself_loses_nothing_that_was_acknowledged(t *testing.T) {
	server, s := ownRedis(t)
	p := s.start(t)
	l := newLoad(t, p)
	time.Sleep(time.Second)
	l.expected.Store(true)
	server.Kill()
	time.Sleep(500 * time.Millisecond)
	server.Start(t)
	time.Sleep(time.Second)
	l.end()
	require.NotZero(t, l.answers[http.StatusServiceUnavailable])
	require.Zero(t, l.lost, "each request is answered, if only with 503")
	l.areKept(p)
	l.areKept(s.start(t))
}
