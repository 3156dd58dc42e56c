//go:build unix

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"heroes/session"

	"github.com/gobuffalo/envy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A flood is what a thousand connections of one client send at two megabytes a second, together. Each is opened again when
// the server closes it.
type flood struct {
	name   string
	raw    string // what each connection sends, again and again
	parts  int    // it is sent in so many parts, with a pause before each
	silent bool   // nobody waits for an answer
}

const (
	attackers    = 1000
	bytesPerTick = 2 << 20 / 100 // in ten milliseconds
)

// floods returns the floods. The hero's session is the visitor's.
func floods(cookie string) []flood {
	long := strings.Repeat("\xff", 10<<10)
	from := "X-Forwarded-For: 203.0.113.9"
	return []flood{
		{name: "idle connections", raw: "", silent: true},
		{name: "headers that do not end", raw: "GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + strings.Repeat("x", 15<<10), parts: 50, silent: true},
		{name: "forms that do not end", raw: strings.TrimSuffix(post("/heroes", hero("Flood")+strings.Repeat("x", 2000)), "xxxxx"), parts: 50, silent: true},
		{name: "new sessions", raw: post("/heroes", hero("Flood"), from)},
		{name: "long paths", raw: request("GET /"+long, from)},
		{name: "cookies that do not open", raw: request("GET /success", from, "Cookie: "+strings.Repeat(cookieName+"="+strings.Repeat("A", 3000)+"; ", 4))},
		{name: "changes of one session", raw: post("/heroes", hero("Flood"), from, "Cookie: "+cookie)},
		{name: "readyz", raw: request("GET /readyz", from)},
		{name: "reports", raw: request("POST /csp-reports", from, "Content-Length: 96") + `{"csp-report":{"effective-directive":"img-src","blocked-uri":"https://evil.example/` + strings.Repeat("x", 10) + `"}}`},
	}
}

// run floods the server until stop is closed.
func (f flood) run(addr string, stop chan bool) (wait func()) {
	var group sync.WaitGroup
	var allowed atomic.Int64
	group.Go(func() {
		for tick := time.Tick(10 * time.Millisecond); ; {
			select {
			case <-stop:
				return
			case <-tick:
				allowed.Store(bytesPerTick)
			}
		}
	})
	ended := func() bool {
		select {
		case <-stop:
			return true
		default:
			return false
		}
	}
	send := func(conn net.Conn, text string) error {
		for allowed.Add(-int64(len(text))) < -int64(len(text)) && !ended() {
			time.Sleep(10 * time.Millisecond)
		}
		_, err := io.WriteString(conn, text)
		return err
	}
	attack := func() {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			return
		}
		defer conn.Close()
		go func() { // whatever the server answers
			_, _ = io.Copy(io.Discard, conn)
			conn.Close()
		}()
		parts := max(1, f.parts)
		for !ended() {
			for n := range parts {
				if f.parts > 0 || f.raw == "" {
					time.Sleep(200 * time.Millisecond)
				}
				if err := send(conn, f.raw[len(f.raw)*n/parts:len(f.raw)*(n+1)/parts]); err != nil || ended() {
					return
				}
			}
		}
	}
	for range attackers {
		group.Go(func() {
			for !ended() {
				attack()
			}
		})
	}
	return group.Wait
}

// A normal visitor looks at the hero, and sometimes comes with a new connection or registers another hero. It
// returns how long the answers took, sorted.
func (p *process) visitNormally(t *testing.T, cookie string, duration time.Duration) (took []time.Duration) {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	for n, end := 0, time.Now().Add(duration); time.Now().Before(end); n++ {
		if n%20 == 0 {
			transport.CloseIdleConnections()
		}
		r, err := http.NewRequest("GET", "http://"+p.addr+"/success", nil)
		if n%10 == 9 {
			r, err = http.NewRequest("POST", "http://"+p.addr+"/heroes", strings.NewReader(hero(goodHero)))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		require.NoError(t, err)
		r.Header.Set("Cookie", cookie)
		r.Header.Set("X-Forwarded-For", "198.51.100.1")
		start := time.Now()
		res, err := transport.RoundTrip(r)
		if !assert.NoError(t, err) {
			continue
		}
		_, err = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		took = append(took, time.Since(start))
		assert.NoError(t, err)
		assert.Contains(t, []int{200, 303}, res.StatusCode)
		time.Sleep(15 * time.Millisecond)
	}
	slices.Sort(took)
	return took
}

func p99(took []time.Duration) time.Duration { return took[len(took)*99/100] }

// memory returns the bytes that the process has in memory.
func (p *process) memory(t *testing.T) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kilobytes := 0
	_, err = fmt.Sscan(rest, &kilobytes)
	require.NoError(t, err)
	return kilobytes << 10
}

// Under each flood, a normal visitor is answered, and the process stays small. How long the answers take, compared with
// those without a flood, is only printed: this machine does other things, too. To measure it, set TEST_LOAD to 20s.
func Test_Flood_leaves_a_normal_visitor_alone(t *testing.T) {
	duration, err := time.ParseDuration(envy.Get("TEST_LOAD", "2s"))
	require.NoError(t, err)
	_, s := ownRedis(t)
	s.env = append(s.env, "NEW_SESSIONS=3000", "LOG_LEVEL=info", "TRUSTED_PROXIES=127.0.0.1")
	p := s.start(t)
	cookie, ok := (&load{t: t, p: p, answers: map[int]int{}}).post("/heroes", heroForm(goodHero), "")
	require.True(t, ok)
	p.visitNormally(t, cookie, time.Second)
	for _, f := range floods(cookie) {
		t.Run(f.name, func(t *testing.T) {
			idle := p.visitNormally(t, cookie, duration)
			stop := make(chan bool)
			wait := f.run(p.addr, stop)
			time.Sleep(500 * time.Millisecond)
			own, ok := cookie, true
			if strings.Contains(f.name, "one session") { // of somebody else
				own, ok = (&load{t: t, p: p, answers: map[int]int{}}).post("/heroes", heroForm(goodHero), "")
			}
			require.True(t, ok)
			flooded := p.visitNormally(t, own, duration)
			memory := p.memory(t)
			close(stop)
			wait()
			t.Logf("p99 %v without and %v with the flood: %.1f times; of %d answers; %d MB", p99(idle).Round(10*time.Microsecond), p99(flooded).Round(10*time.Microsecond),
				float64(p99(flooded))/float64(p99(idle)), len(flooded), memory>>20)
			require.Less(t, memory, 300<<20)
		})
	}
	require.Equal(t, "", p.keeps(promise{cookie: cookie, hero: goodHero}))
	longest := 0
	for line := range strings.Lines(p.out.String()) {
		longest = max(longest, len(line))
	}
	require.Less(t, longest, 8<<10)
	require.Less(t, len(p.out.String()), 20<<20, "the log")
}

func Test_Limit_of_new_sessions(t *testing.T) {
	_, s := ownRedis(t)
	s.env = append(s.env, "NEW_SESSIONS=50", "NEW_SESSIONS_PER_CLIENT=20", "TRUSTED_PROXIES=127.0.0.1")
	p := s.start(t)
	begin := func(client string) answer {
		return send(t, p.addr, post("/heroes", hero("Flood"), "X-Forwarded-For: "+client, "Accept-Language: de"), 1)[0]
	}
	began := map[string]int{}
	for n := range 200 {
		for _, client := range []string{"203.0.113.1", fmt.Sprint("198.51.100.", n)} {
			a := begin(client)
			if a.StatusCode == http.StatusSeeOther {
				began[client[:3]]++
				continue
			}
			require.Equal(t, http.StatusTooManyRequests, a.StatusCode)
			require.NotEmpty(t, a.Header.Get("Retry-After"))
			require.Empty(t, a.cookie())
			shows(t, a.text, "Zu viele Anfragen")
		}
	}
	require.InDelta(t, 20, began["203"], 2)
	require.InDelta(t, 30, began["198"], 3)
	out, err := s.command(t, "task", "sessions:count").CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), fmt.Sprint(began["203"]+began["198"]))
	require.Equal(t, http.StatusOK, send(t, p.addr, request("GET /"), 1)[0].StatusCode, "reading begins no session")
}

func Test_Secrets_are_read_again_with_SIGHUP(t *testing.T) {
	one, two := session.NewSecret(), session.NewSecret()
	s := newSetting(t, "GO_ENV=production", "SESSION_SECRET_FILE=secrets", "LOG_LEVEL=info")
	write := func(text string) {
		require.NoError(t, os.WriteFile(s.dir+"/secrets", []byte(text), 0o600))
	}
	write(one + "\n")
	p := s.start(t)
	hangUp := func(says string) {
		before := strings.Count(p.out.String(), says)
		require.NoError(t, p.cmd.Process.Signal(syscall.SIGHUP))
		require.Eventually(t, func() bool { return strings.Count(p.out.String(), says) > before }, 5*time.Second, 10*time.Millisecond, says)
	}
	l := newLoad(t, p)
	for n := range 4 { // four rotations under load
		next := session.NewSecret()
		if n == 3 {
			next = two
		}
		before, _, _ := strings.Cut(readFile(t, s.dir+"/secrets"), "\n")
		write(next + "\n" + before + "\n")
		hangUp("secrets were read again: 2")
		time.Sleep(200 * time.Millisecond)
		if n < 3 {
			l.mu.Lock()
			l.promises = nil // their secret goes with the next rotation but one
			l.mu.Unlock()
		}
	}
	l.end()
	l.areKept(p)

	write("too short")
	hangUp("the secrets stay as they were")
	require.NotContains(t, p.out.String(), "too short")
	l.areKept(p)
	write(session.NewSecret())
	hangUp("secrets were read again: 1")
	require.NotEmpty(t, p.keeps(l.promises[len(l.promises)-1]))
	for _, secret := range []string{one, two} {
		require.NotContains(t, p.out.String(), secret)
	}
}

func readFile(t *testing.T, path string) string {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

func Test_Hosts_and_proxies(t *testing.T) {
	p := newSetting(t, "GO_ENV=production", "ALLOWED_HOSTS="+host, "TRUSTED_PROXIES=127.0.0.1", "FORCE_HTTPS=true").start(t)
	ask := func(raw string) answer { return send(t, p.addr, raw, 1)[0] }
	elsewhere := strings.Replace(request("GET /", "Accept-Language: fr"), host, "evil.example", 1)
	refused := ask(elsewhere)
	require.Equal(t, http.StatusMisdirectedRequest, refused.StatusCode)
	shows(t, refused.text, "Ce site n’est pas ici")
	require.Equal(t, http.StatusOK, ask(strings.Replace(request("GET /healthz"), host, "10.0.0.7:3000", 1)).StatusCode)
	require.Equal(t, http.StatusOK, ask(request("GET /")).StatusCode)
	conn, err := net.Dial("tcp", p.addr)
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, request("GET /success?a=b", "X-Forwarded-Proto: http"))
	require.NoError(t, err)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusPermanentRedirect, res.StatusCode)
	require.Equal(t, "https://"+host+"/success?a=b", res.Header.Get("Location"))
	require.Equal(t, http.StatusOK, ask(request("GET /healthz", "X-Forwarded-Proto: http")).StatusCode)
	require.Equal(t, http.StatusOK, ask(request("GET /", "X-Forwarded-Proto: https")).StatusCode)
}

func Test_Ready_only_while_the_server_of_the_sessions_has_room(t *testing.T) {
	_, s := ownRedis(t)
	p := s.start(t)
	cookie, ok := (&load{t: t, p: p, answers: map[int]int{}}).post("/heroes", heroForm(goodHero), "")
	require.True(t, ok)
	require.Equal(t, "", p.keeps(promise{cookie: cookie, hero: goodHero}), "and shows the flash")
	redis := redisAt(t, s)
	require.NoError(t, redis("CONFIG", "SET", "maxmemory", "1"))
	time.Sleep(150 * time.Millisecond)
	res, err := p.client.Get("http://" + p.addr + "/readyz")
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
	require.Equal(t, "", p.keeps(promise{cookie: cookie, hero: goodHero}), "it can still be read")
	require.NoError(t, redis("CONFIG", "SET", "maxmemory", "0"))
	time.Sleep(150 * time.Millisecond)
	res, err = p.client.Get("http://" + p.addr + "/readyz")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode)
}

// redisAt returns a function that sends commands to the Redis of a setting.
func redisAt(t *testing.T, s setting) func(words ...string) error {
	addr := ""
	for _, line := range s.env {
		if url, ok := strings.CutPrefix(line, "REDIS_URL=redis://"); ok {
			addr = strings.TrimSuffix(url, "/0")
		}
	}
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	in := bufio.NewReader(conn)
	return func(words ...string) error {
		if _, err := fmt.Fprintf(conn, "%s\r\n", strings.Join(words, " ")); err != nil {
			return err
		}
		answer, err := in.ReadString('\n')
		if err == nil && answer != "+OK\r\n" {
			err = fmt.Errorf("Redis answers %q", answer)
		}
		return err
	}
}
