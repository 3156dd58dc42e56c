//go:build unix

package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"heroes/session/backendtest"

	"github.com/gobuffalo/envy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A soak is a long run under load, with faults: of the processes of an application, and of the server of its sessions.
type soak struct {
	t         *testing.T
	setting   setting
	processes int
	faults    map[string]func() // each causes a fault, and repairs it

	mu       sync.Mutex
	running  []*process
	promises []promise // that are still to be checked
	ended    []string  // the cookies of sessions that were ended
	checked  int
	answers  map[int]int
	lost     int
	over     atomic.Bool
}

// one returns one of the processes.
func (s *soak) one() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running[rand.IntN(len(s.running))]
}

// kill ends a process without a warning and starts another.
func (s *soak) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := rand.IntN(len(s.running))
	_ = s.running[n].cmd.Process.Signal(syscall.SIGKILL)
	<-s.running[n].ended
	s.running[n].ended <- nil
	s.running[n] = s.setting.start(s.t)
}

// post sends a form and returns the cookie that the visitor has afterwards, and whether the change was acknowledged.
func (s *soak) post(path string, form url.Values, cookie string) (string, bool) {
	p := s.one()
	r, err := http.NewRequest("POST", "http://"+p.addr+path, strings.NewReader(form.Encode()))
	if !assert.NoError(s.t, err) {
		return "", false
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Cookie", cookie)
	res, err := p.client.Do(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.lost++
		return "", false
	}
	_, err = io.Copy(io.Discard, res.Body)
	res.Body.Close()
	s.answers[res.StatusCode]++
	assert.Contains(s.t, []int{http.StatusSeeOther, http.StatusServiceUnavailable, http.StatusConflict}, res.StatusCode)
	if res.StatusCode != http.StatusSeeOther {
		assert.Empty(s.t, res.Header["Set-Cookie"])
	}
	return (answer{Response: res}).cookieAfter(cookie), err == nil && res.StatusCode == http.StatusSeeOther
}

// visit is what one visitor does. Of a request without an answer nobody knows whether it was carried out.
func (s *soak) visit(hero string) {
	cookie, ok := s.post("/heroes", heroForm(hero), "")
	if !ok {
		return
	}
	p := promise{cookie: cookie, hero: hero}
	if cookie, ok = s.post("/language", url.Values{"language": {"de"}}, cookie); ok {
		p.cookie, p.german = cookie, true
	}
	if rand.IntN(3) == 0 {
		p.hero = "Second " + hero
		if p.cookie, ok = s.post("/heroes", heroForm(p.hero), p.cookie); !ok {
			return
		}
	}
	onServer := !strings.Contains(strings.Join(s.setting.env, " "), "SESSION_STORE=cookie")
	if onServer && rand.IntN(3) == 0 {
		if _, ok := s.post("/session", url.Values{"_method": {"DELETE"}}, p.cookie); ok {
			s.mu.Lock()
			s.ended = append(s.ended, p.cookie)
			s.mu.Unlock()
		}
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.promises = append(s.promises, p)
}

// check requires that the sessions are as the answers said, and no others.
func (s *soak) check() {
	s.mu.Lock()
	promises, ended := s.promises, s.ended
	s.promises = nil
	if len(ended) > 500 {
		s.ended = ended[len(ended)-500:]
	}
	s.checked += len(promises)
	s.mu.Unlock()
	for _, p := range promises {
		why := s.one().keeps(p)
		for tries := 0; strings.Contains(why, "503") && tries < 20; tries++ { // a busy server
			time.Sleep(100 * time.Millisecond)
			why = s.one().keeps(p)
		}
		require.Empty(s.t, why)
	}
	for _, cookie := range ended {
		r, err := http.NewRequest("GET", "http://"+s.one().addr+"/success", nil)
		require.NoError(s.t, err)
		r.Header.Set("Cookie", cookie)
		res, err := s.one().client.Transport.RoundTrip(r)
		require.NoError(s.t, err)
		res.Body.Close()
		require.Contains(s.t, []int{http.StatusSeeOther, http.StatusServiceUnavailable}, res.StatusCode, "a session that was ended is back")
	}
}

// run runs until the time is up. In each round there are some faults, and then everything is checked.
func (s *soak) run() {
	duration, err := time.ParseDuration(envy.Get("TEST_SOAK", "4s"))
	require.NoError(s.t, err)
	s.answers = map[int]int{}
	for range s.processes {
		s.running = append(s.running, s.setting.start(s.t))
	}
	s.faults["the application is killed"] = s.kill
	var visitors sync.WaitGroup
	for i := range 8 {
		visitors.Go(func() {
			for n := 0; !s.over.Load() && !s.t.Failed(); n++ {
				s.visit(fmt.Sprintf("Hero %d of %d", n, i))
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	defer visitors.Wait()
	defer s.over.Store(true)
	var names []string
	for name := range s.faults {
		names = append(names, name)
	}
	happened, memory := 0, 0
	for start := time.Now(); time.Since(start) < duration; {
		for range 4 {
			time.Sleep(time.Duration(rand.IntN(800)) * time.Millisecond)
			s.faults[names[happened%len(names)]]()
			happened++
		}
		require.Eventually(s.t, func() bool {
			res, err := s.one().client.Get("http://" + s.one().addr + "/readyz")
			if err != nil {
				return false
			}
			res.Body.Close()
			return res.StatusCode == http.StatusOK
		}, 10*time.Second, 50*time.Millisecond)
		time.Sleep(200 * time.Millisecond)
		s.check()
		memory = max(memory, s.one().memory(s.t))
	}
	s.over.Store(true)
	visitors.Wait()
	s.check()
	s.t.Logf("%d faults in %v: %d promises kept, %d sessions ended for good; answers %v, %d requests without one; at most %d MB, %d at the end",
		happened, duration, s.checked, len(s.ended), s.answers, s.lost, memory>>20, s.one().memory(s.t)>>20)
	require.Greater(s.t, s.checked, 20)
	require.Less(s.t, memory, 150<<20)
}

func Test_Soak_with_sessions_in_cookies(t *testing.T) {
	t.Parallel()
	(&soak{t: t, processes: 2, setting: newSetting(t, "GO_ENV=production", "SESSION_STORE=cookie"), faults: map[string]func(){}}).run()
}

func Test_Soak_with_sessions_in_a_file(t *testing.T) {
	t.Parallel()
	(&soak{t: t, processes: 1, setting: inFile(t), faults: map[string]func(){}}).run()
}

func Test_Soak_with_sessions_in_Redis(t *testing.T) {
	t.Parallel()
	server, s := ownRedis(t)
	proxy := through(t, &s, "redis://")
	redis := func(words ...string) { require.NoError(t, redisAt(t, proxy.behind)(words...)) }
	(&soak{t: t, processes: 2, setting: s, faults: map[string]func(){
		"Redis is killed": func() {
			server.Kill()
			time.Sleep(300 * time.Millisecond)
			server.Start(t)
		},
		"Redis hangs": func() {
			server.Freeze()
			time.Sleep(2 * time.Second)
			server.Thaw()
		},
		"Redis is full": func() {
			redis("CONFIG", "SET", "maxmemory", "1")
			time.Sleep(500 * time.Millisecond)
			redis("CONFIG", "SET", "maxmemory", "0")
		},
		"replies are lost": proxy.lose,
	}}).run()
}

func Test_Soak_with_sessions_in_PostgreSQL(t *testing.T) {
	t.Parallel()
	url, name := ownDatabase(t)
	s := newSetting(t, "GO_ENV=production", "SESSION_STORE=database", "DATABASE_URL="+url)
	out, err := s.command(t, "migrate").CombinedOutput()
	require.NoError(t, err, string(out))
	proxy := through(t, &s, "postgres://")
	sql := func(text string) {
		cmd := exec.Command("psql", "-X", "-q", url, "-c", text)
		cmd.Env = append(os.Environ(), "PGOPTIONS=-c default_transaction_read_only=off")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
	}
	cut := "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
	(&soak{t: t, processes: 2, setting: s, faults: map[string]func(){
		"connections are cut": func() { sql(cut) },
		"the table is locked": func() { sql("BEGIN; LOCK TABLE sessions; SELECT pg_sleep(1.5); COMMIT") },
		"it is read-only": func() {
			for _, how := range []string{"on", "off"} {
				sql("ALTER DATABASE " + name + " SET default_transaction_read_only = " + how)
				sql(cut)
				time.Sleep(500 * time.Millisecond)
			}
		},
		"replies are lost": proxy.lose,
	}}).run()
}

// A lossy proxy stands between an application and the server of its sessions.
type lossy struct {
	*backendtest.Proxy
	behind setting // as it was without the proxy
}

func (l lossy) lose() {
	l.Lose(5)
	time.Sleep(time.Second)
	l.Lose(0)
}

// through puts a proxy in front of the server that a URL in the setting's environment names.
func through(t *testing.T, s *setting, scheme string) lossy {
	l := lossy{behind: *s}
	s.env = append([]string(nil), s.env...)
	for i, line := range s.env {
		name, address, _ := strings.Cut(line, "=")
		if !strings.HasPrefix(address, scheme) {
			continue
		}
		u, err := url.Parse(address)
		require.NoError(t, err)
		host := u.Host
		l.Proxy = backendtest.NewProxy(t, func() string { return host })
		u.Host = l.Addr
		s.env[i] = name + "=" + u.String()
	}
	return l
}
