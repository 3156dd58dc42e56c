package edge

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func requestFrom(peer string, header ...string) *http.Request {
	r := httptest.NewRequest("POST", "http://heroes.example/heroes?a=b", nil)
	r.RemoteAddr = peer
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func Test_Proxies_believe_only_those_that_are_listed(t *testing.T) {
	trusted, err := ParseProxies([]string{"10.0.0.0/8", "127.0.0.1", "2001:db8::1", "unix"})
	require.NoError(t, err)
	for _, row := range []struct {
		proxies Proxies
		peer    string
		header  []string
		client  string
	}{
		{trusted, "10.1.2.3:5", []string{"X-Forwarded-For: 203.0.113.7"}, "203.0.113.7"},
		{trusted, "[::ffff:10.1.2.3]:5", []string{"X-Forwarded-For: 203.0.113.7"}, "203.0.113.7"},
		{trusted, "[2001:db8::1]:5", []string{"X-Forwarded-For: 2001:db8:1::9"}, "2001:db8:1::9"},
		{trusted, "@", []string{"X-Forwarded-For: 203.0.113.7"}, "203.0.113.7"},
		{trusted, "10.1.2.3:5", []string{"X-Forwarded-For: 6.6.6.6, 203.0.113.7, 10.9.9.9"}, "203.0.113.7"},
		{trusted, "10.1.2.3:5", []string{"X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 203.0.113.7"}, "203.0.113.7"},
		{trusted, "10.1.2.3:5", []string{"X-Forwarded-For: 6.6.6.6, 203.0.113.7:4711"}, "203.0.113.7"},
		{trusted, "10.1.2.3:5", []string{"X-Forwarded-For: [2001:db8:1::9]:4711"}, "2001:db8:1::9"},
		{trusted, "10.1.2.3:5", []string{"X-Forwarded-For: [2001:db8:1::9]"}, "2001:db8:1::9"},
		{trusted, "10.1.2.3:5", []string{"X-Forwarded-For: 6.6.6.6, evil"}, ""},
		{trusted, "10.1.2.3:5", []string{"X-Forwarded-For: 10.0.0.1"}, ""},
		{trusted, "10.1.2.3:5", nil, ""},
		{trusted, "198.51.100.1:5", []string{"X-Forwarded-For: 203.0.113.7"}, "198.51.100.1"},
		{trusted, "192.168.1.1:5", []string{"X-Forwarded-For: 203.0.113.7"}, ""},
		{Proxies{}, "198.51.100.1:5", []string{"X-Forwarded-For: 203.0.113.7"}, "198.51.100.1"},
		{Proxies{}, "127.0.0.1:5", []string{"X-Forwarded-For: 203.0.113.7"}, ""},
		{Proxies{}, "[fd00::1]:5", nil, ""},
		{Proxies{}, "@", []string{"X-Forwarded-For: 203.0.113.7"}, ""},
	} {
		client := row.proxies.Client(requestFrom(row.peer, row.header...))
		got := ""
		if client.IsValid() {
			got = client.String()
		}
		require.Equal(t, row.client, got, "%s %v", row.peer, row.header)
	}
	for _, wrong := range []string{"proxy", "10.0.0.0/33", ""} {
		_, err := ParseProxies([]string{wrong})
		require.ErrorContains(t, err, "neither an address nor a network")
	}
}

func Test_Proxies_redirect_to_https(t *testing.T) {
	trusted, err := ParseProxies([]string{"10.0.0.1"})
	require.NoError(t, err)
	h := trusted.RedirectToHTTPS(http.NotFoundHandler(), NewHosts([]string{"heroes.example"}, false))
	for raw, location := range map[string]string{
		"GET /x HTTP/1.1\r\nHost: heroes.example:80\r\n":                "https://heroes.example/x",
		"GET /x%20y?a=%26 HTTP/1.1\r\nHost: HEROES.example\r\n":         "https://HEROES.example/x%20y?a=%26",
		"GET http:.evil.example/ HTTP/1.1\r\nHost: heroes.example\r\n":  "",
		"GET a:@evil.example/x HTTP/1.1\r\nHost: heroes.example\r\n":    "",
		"GET http://evil.example/ HTTP/1.1\r\nHost: heroes.example\r\n": "",
		"GET /evil.example/ HTTP/1.0\r\n":                               "",
		"OPTIONS * HTTP/1.1\r\nHost: heroes.example\r\n":                "",
		"GET / HTTP/1.1\r\nHost: evil.example\r\n":                      "",
	} {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw + "X-Forwarded-Proto: http\r\n\r\n")))
		require.NoError(t, err, raw)
		w := httptest.NewRecorder()
		r.RemoteAddr = "10.0.0.1:5"
		h.ServeHTTP(w, r)
		require.Equal(t, location, w.Header().Get("Location"), raw)
	}
	for _, row := range []struct {
		peer, proto, path string
		status            int
	}{
		{"10.0.0.1:5", "http", "/heroes?a=b", http.StatusPermanentRedirect},
		{"10.0.0.1:5", "HTTP", "//evil.example/..", http.StatusPermanentRedirect},
		{"10.0.0.1:5", "https", "/heroes", http.StatusNotFound},
		{"10.0.0.1:5", "", "/heroes", http.StatusNotFound},
		{"10.0.0.2:5", "http", "/heroes", http.StatusNotFound},
		{"10.0.0.1:5", "http", "/healthz", http.StatusNotFound},
		{"10.0.0.1:5", "http", "/readyz/", http.StatusNotFound},
	} {
		r, w := httptest.NewRequest("POST", row.path, nil), httptest.NewRecorder()
		r.RemoteAddr, r.Host = row.peer, "heroes.example"
		r.Header.Set("X-Forwarded-Proto", row.proto)
		h.ServeHTTP(w, r)
		require.Equal(t, row.status, w.Code, row)
		if w.Code == http.StatusPermanentRedirect {
			require.Equal(t, "https://heroes.example"+row.path, w.Header().Get("Location"))
		}
	}
}

func Test_NewSessions_are_limited_for_each_client_and_for_all(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := LimitNewSessions(3, 5, Proxies{})
		begin := func(peer string) time.Duration { return l.Wait(requestFrom(peer)) }
		for range 3 {
			require.Zero(t, begin("198.51.100.1:5"))
		}
		require.Equal(t, 20*time.Second, begin("198.51.100.1:5"))
		require.Equal(t, 20*time.Second, begin("198.51.100.1:6"), "a refusal costs nothing")
		require.Zero(t, begin("[2001:db8::1]:5"))
		require.Zero(t, begin("127.0.0.1:5"), "nobody knows who this is")
		require.Equal(t, 12*time.Second, begin("127.0.0.1:5"), "all have begun five")
		time.Sleep(time.Minute)
		for range 3 {
			require.Zero(t, begin("[2001:db8::1]:5"))
		}
		require.NotZero(t, begin("[2001:db8::ffff:2]:5"), "of the same network")
		require.NotZero(t, begin("[2001:db8:0:ff::1]:5"))
		require.Zero(t, begin("[2001:db8:0:100::1]:5"))

		few := LimitNewSessions(3, 1, Proxies{})
		require.Zero(t, few.Wait(requestFrom("198.51.100.1:5")))
		for range 10 {
			require.Equal(t, time.Minute, few.Wait(requestFrom("198.51.100.1:5")), "a refusal by one limit costs nothing in the other")
		}

		any := LimitNewSessions(0, 0, Proxies{})
		for range 1000 {
			require.Zero(t, any.Wait(requestFrom("198.51.100.1:5")))
		}
	})
}

func Test_Hosts(t *testing.T) {
	for _, row := range []struct {
		names       []string
		development bool
		host        string
		ours        bool
	}{
		{nil, false, "anything.example", true},
		{[]string{"Heroes.example"}, false, "heroes.EXAMPLE:443", true},
		{[]string{"heroes.example"}, false, "heroes.example.", true},
		{[]string{"heroes.example"}, false, "evil.heroes.example", false},
		{[]string{"heroes.example"}, false, "heroes.example.evil", false},
		{[]string{".heroes.example"}, false, "a.heroes.example", true},
		{[]string{".heroes.example"}, false, "heroes.example", true},
		{[]string{".heroes.example"}, false, "evilheroes.example", false},
		{[]string{".heroes.example"}, false, "evil.example:80:x.heroes.example", false},
		{[]string{".heroes.example"}, false, "[evil.example].heroes.example", false},
		{[]string{".heroes.example"}, false, "evil.example%2f.heroes.example", false},
		{[]string{"heroes.example"}, false, "heroes.example:evil.example", false},
		{[]string{"heroes.example"}, false, "]heroes.example[", false},
		{[]string{"192.0.2.1"}, false, "192.0.2.1:3000", true},
		{[]string{"heroes.example"}, false, "localhost", false},
		{nil, true, "localhost:3000", true},
		{nil, true, "app.localhost", true},
		{nil, true, "127.0.0.1:3000", true},
		{nil, true, "127.1.2.3", true},
		{nil, true, "[::1]:3000", true},
		{nil, true, "evil.example:3000", false},
		{nil, true, "localhost.evil.example", false},
		{nil, true, "192.168.1.1", false},
		{[]string{"dev.example"}, true, "dev.example", true},
		{nil, true, "", true},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = row.host
		require.Equal(t, row.ours, NewHosts(row.names, row.development).check(r) == nil, row)
	}
}

func Test_Log_lines_are_bounded(t *testing.T) {
	var out bytes.Buffer
	l := NewLogger(&out, slog.LevelInfo, 0, true)
	logRequests(l, http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), &http.Request{Method: strings.Repeat("M", 60<<10),
		URL: requestFrom("").URL.JoinPath(strings.Repeat("\xff", 60<<10))})
	l.WithField("error", errors.New(strings.Repeat("x", 9000))).Error(strings.Repeat("é", 9000))
	for line := range strings.Lines(out.String()) {
		require.Less(t, len(line), 8<<10)
		var fields map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &fields))
	}
	require.Contains(t, out.String(), `… (61440 bytes)`)
	require.Contains(t, out.String(), `é… (18000 bytes)`)
	require.Contains(t, out.String(), `x… (9000 bytes)`)
}

// A shared buffer can be written and read by several goroutines.
type shared struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *shared) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func Test_Log_counts_a_flood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out shared
		l := NewLogger(&out, slog.LevelInfo, 10, true)
		lines := func() int {
			synctest.Wait()
			return strings.Count(out.String(), "\n")
		}
		for range 1000 {
			l.WithField("status", 200).Info("request")
			l.WithField("status", 404).Info("request")
		}
		l.Error("a fault")
		require.Equal(t, 21, lines(), "ten of each kind, and the other")
		time.Sleep(1100 * time.Millisecond)
		require.Equal(t, 23, lines())
		require.Contains(t, out.String(), `"msg":"lines like this one were left out","lines":990,"like":"request","status":404}`)
		l.WithField("status", 200).Info("request")
		require.Equal(t, 24, lines())

		for n := range 100_000 { // each of another kind
			l.Error(fmt.Sprint("fault ", n))
		}
		time.Sleep(1100 * time.Millisecond)
		require.Less(t, lines(), 24+2*maxKinds)
		require.Less(t, len(l.(logger).slog.Handler().(bounded).flood.kinds), 2)
	})
}

func Test_Health_asks_at_most_ten_times_a_second(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, mux := 0, http.NewServeMux()
		var answer error
		RouteHealth(mux, func(ctx context.Context) error {
			asked++
			return errors.Join(answer, ctx.Err())
		})
		ready := func() int {
			ctx, leave := context.WithCancel(context.Background())
			leave() // the one who asks has left
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/readyz", nil))
			return w.Code
		}
		for range 100 {
			require.Equal(t, http.StatusOK, ready())
		}
		require.Equal(t, 1, asked)
		answer = errors.New("full")
		time.Sleep(101 * time.Millisecond)
		require.Equal(t, http.StatusServiceUnavailable, ready())
	})
}

func Test_Reports_are_logged_without_queries(t *testing.T) {
	for what, row := range map[string]struct {
		body   string
		status int
		logged []string
	}{
		"a script": {`{"csp-report":{"effective-directive":"script-src-elem","blocked-uri":"https://evil.example/x.js?secret=1","document-uri":"https://heroes.example/success?secret=2#secret"}}`,
			204, []string{`"directive":"script-src-elem"`, `"blocked":"https://evil.example/x.js"`, `"page":"https://heroes.example/success"`}},
		"data":         {`{"csp-report":{"effective-directive":"img-src","blocked-uri":"data:secret","document-uri":"https://heroes.example/"}}`, 204, []string{`"blocked":"data"`}},
		"inline":       {`{"csp-report":{"effective-directive":"style-src","blocked-uri":"inline"}}`, 204, []string{`"blocked":"inline"`}},
		"not JSON":     {"secret", 400, nil},
		"too large":    {`{"csp-report":` + strings.Repeat(" ", maxReport) + `{}}`, 400, nil},
		"another JSON": {`{"secret":1}`, 400, nil},
		"an array":     {`[{"type":"secret"}]`, 400, nil},
	} {
		var out bytes.Buffer
		mux := http.NewServeMux()
		RouteReports(mux, NewLogger(&out, slog.LevelInfo, 0, true))
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest("POST", "/csp-reports", strings.NewReader(row.body)))
		require.Equal(t, row.status, w.Code, what)
		for _, text := range row.logged {
			require.Contains(t, out.String(), text, what)
		}
		require.NotContains(t, out.String(), "secret", what)
	}
}

// serve serves requests behind a Guard, with at most that many connections. The handler of /slow waits until the test lets it
// go on.
func serve(t *testing.T, g Guard, max int) (addr string, serving, goOn chan bool) {
	serving, goOn = make(chan bool), make(chan bool)
	s := &http.Server{Handler: g.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			serving <- true
			<-goOn
		}
		_, _ = io.Copy(w, r.Body)
	}), func(w http.ResponseWriter, _ *http.Request, status int, _ error) { w.WriteHeader(status) })}
	LimitConnections(s, max)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { s.Close() })
	return l.Addr().String(), serving, goOn
}

func connect(t *testing.T, addr, raw string) net.Conn {
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	_, err = io.WriteString(conn, raw)
	require.NoError(t, err)
	require.NoError(t, conn.SetDeadline(time.Now().Add(5*time.Second)))
	return conn
}

const get, slow = "GET / HTTP/1.1\r\nHost: heroes\r\n\r\n", "GET /slow HTTP/1.1\r\nHost: heroes\r\n\r\n"

func answered(conn net.Conn) bool {
	b := make([]byte, 12)
	_, err := io.ReadFull(conn, b)
	return err == nil && string(b) == "HTTP/1.1 200"
}

func Test_Connections_that_wait_make_room_for_others(t *testing.T) {
	for what, raw := range map[string]string{
		"nothing":       "",
		"half a header": "GET / HTTP/1.1\r\nHost: heroes",
		"half a body":   "POST / HTTP/1.1\r\nHost: heroes\r\nContent-Length: 100\r\n\r\na=b",
		"idle":          get,
	} {
		addr, serving, goOn := serve(t, Guard{}, 4)
		slow := connect(t, addr, slow)
		<-serving
		var waiting []net.Conn
		for range 40 {
			waiting = append(waiting, connect(t, addr, raw))
			require.True(t, answered(connect(t, addr, get)), what)
		}
		goOn <- true
		require.True(t, answered(slow), "what is being answered is not cut off")
		for _, conn := range waiting[:len(waiting)-4] {
			_, err := io.Copy(io.Discard, conn)
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded, what)
		}
	}
}

func Test_Connections_beyond_what_can_be_answered_are_closed(t *testing.T) {
	addr, serving, goOn := serve(t, Guard{}, 2)
	one := connect(t, addr, slow)
	<-serving
	two := connect(t, addr, slow)
	<-serving
	require.False(t, answered(connect(t, addr, get)))
	goOn <- true
	goOn <- true
	require.True(t, answered(one))
	require.True(t, answered(two))
	require.True(t, answered(connect(t, addr, get)))
}

// guarded calls the handler of a Guard, and returns the status and how long that took.
func guarded(h http.Handler, peer string) (status int, took time.Duration) {
	start, w := time.Now(), httptest.NewRecorder()
	h.ServeHTTP(w, requestFrom(peer))
	return w.Code, time.Since(start)
}

func failing(w http.ResponseWriter, _ *http.Request, status int, _ error) { w.WriteHeader(status) }

func Test_Guard_makes_a_client_wait_and_no_other(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := Guard{PerClient: 10}.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), failing)
		var wait sync.WaitGroup
		var statuses [3]atomic.Int32 // 200, 429, and those that were answered within a second
		for range 100 {
			wait.Go(func() {
				status, took := guarded(h, "198.51.100.1:5")
				statuses[(status-200)/200].Add(1)
				if took < time.Second {
					statuses[2].Add(1)
				}
				require.LessOrEqual(t, took, longestWait)
			})
		}
		status, took := guarded(h, "198.51.100.2:5")
		require.Equal(t, http.StatusOK, status)
		require.Zero(t, took)
		wait.Wait()
		require.EqualValues(t, 60, statuses[0].Load(), "ten at once and ten in each of five seconds")
		require.EqualValues(t, 40, statuses[1].Load())
		require.InDelta(t, 20, int(statuses[2].Load()), 1)
		status, took = guarded(h, "127.0.0.1:5")
		require.Equal(t, http.StatusOK, status)
		require.Zero(t, took, "nobody knows who this is")
	})
}

func Test_Guard_answers_the_newest_first(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var order []string
		h := Guard{Turns: 1}.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			mu.Lock()
			defer mu.Unlock()
			order = append(order, r.RemoteAddr)
		}), failing)
		var wait sync.WaitGroup
		refused := 0
		for n := range 10 {
			wait.Go(func() {
				if status, took := guarded(h, fmt.Sprintf("198.51.100.1:%d", n)); status != http.StatusOK {
					require.Equal(t, http.StatusServiceUnavailable, status)
					require.Equal(t, longestWait, took)
					mu.Lock()
					defer mu.Unlock()
					refused++
				}
			})
			time.Sleep(time.Millisecond)
		}
		wait.Wait()
		require.Equal(t, []string{"198.51.100.1:0", "198.51.100.1:9", "198.51.100.1:8", "198.51.100.1:7", "198.51.100.1:6"}, order[:5])
		require.Equal(t, 10, refused+len(order))
		status, took := guarded(h, "198.51.100.1:10")
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, time.Second, took, "no turn was lost")
	})
}

// A client that does not take its answers keeps its own connections busy, and no turn.
func Test_Guard_does_not_wait_for_clients_that_read_slowly(t *testing.T) {
	page := strings.Repeat("x", 1<<20)
	s := &http.Server{Handler: Guard{Turns: 2}.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			_, _ = io.WriteString(w, page)
		}
	}), failing)}
	LimitConnections(s, 20)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { s.Close() })
	for range 40 {
		connect(t, l.Addr().String(), strings.Repeat(slow, 10))
	}
	time.Sleep(100 * time.Millisecond)
	for range 20 {
		start := time.Now()
		require.True(t, answered(connect(t, l.Addr().String(), get)))
		require.Less(t, time.Since(start), time.Second)
	}
}

func Test_Guard_refuses_what_takes_much_memory(t *testing.T) {
	addr, _, _ := serve(t, Guard{}, 10)
	for n, want := range map[int]string{99: "HTTP/1.1 200", 101: "HTTP/1.1 431"} {
		text, err := io.ReadAll(connect(t, addr, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"+strings.Repeat("a:\r\n", n-1)+"\r\n"))
		require.NoError(t, err)
		require.Contains(t, string(text), want)
	}
}

func Test_Guard_keeps_what_the_handler_answers(t *testing.T) {
	for status, body := range map[int]string{200: "hello", 204: "", 303: "", 404: "nothing"} {
		w := httptest.NewRecorder()
		Guard{}.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Own", "yes")
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}), failing).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		require.Equal(t, status, w.Code)
		require.Equal(t, body, w.Body.String())
		require.Equal(t, "yes", w.Header().Get("X-Own"))
	}
}

// Otherwise clients might send the request again.
func Test_Guard_cuts_an_answer_in_the_middle(t *testing.T) {
	s := &http.Server{Handler: Guard{Turns: 1}.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "hello")
		panic(http.ErrAbortHandler)
	}), failing)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { s.Close() })
	for range 3 { // and its turn is not lost
		res, err := http.Get("http://" + l.Addr().String())
		require.NoError(t, err)
		text, err := io.ReadAll(res.Body)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.Equal(t, "hello", string(text))
	}
}

// Otherwise clients that leave at once, again and again, would fill the memory with requests that wait.
func Test_Guard_forgets_a_request_that_waits_when_its_client_leaves(t *testing.T) {
	trusted, err := ParseProxies([]string{"127.0.0.1"})
	require.NoError(t, err)
	addr, _, _ := serve(t, Guard{PerClient: 1, Proxies: trusted}, 10)
	request := "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.1\r\n\r\n"
	require.True(t, answered(connect(t, addr, request)))
	start := time.Now()
	conn := connect(t, addr, request) // has to wait
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	text, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Empty(t, text, "an empty page would be a lie")
	require.Less(t, time.Since(start), 500*time.Millisecond)
}

func Test_Guard_no_turn_waits_for_a_body_that_is_announced_as_too_large(t *testing.T) {
	s := &http.Server{Handler: Guard{Turns: 1}.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		if large := new(http.MaxBytesError); errors.As(err, &large) {
			w.Header().Set("Connection", "close") // or the server would wait for the rest of the body
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	}), failing)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { s.Close() })
	start := time.Now()
	announced := connect(t, l.Addr().String(), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n{")
	status := make([]byte, len("HTTP/1.1 413"))
	_, err = io.ReadFull(announced, status)
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 413", string(status))
	require.True(t, answered(connect(t, l.Addr().String(), get)))
	require.Less(t, time.Since(start), time.Second)
}

func Test_Guard_limits_also_what_it_refuses(t *testing.T) {
	trusted, err := ParseProxies([]string{"127.0.0.1"})
	require.NoError(t, err)
	addr, _, _ := serve(t, Guard{PerClient: 10, Proxies: trusted}, 10)
	start := time.Now()
	for range 20 {
		text, err := io.ReadAll(connect(t, addr, "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.1\r\n"+strings.Repeat("a:\r\n", 101)+"\r\n"))
		require.NoError(t, err)
		require.Contains(t, string(text), "HTTP/1.1 431")
	}
	require.Greater(t, time.Since(start), 900*time.Millisecond)
}

func Test_Connections_of_the_address_that_has_most_make_room(t *testing.T) {
	cs := &connections{max: 5, all: map[net.Conn]*connection{}, of: map[string]int{}}
	add := func(address string) *pipe {
		p := &pipe{address: address}
		cs.add(p)
		return p
	}
	lonely, first := add("198.51.100.1:1"), add("203.0.113.1:1")
	second := add("203.0.113.1:2")
	add("198.51.100.2:1")
	add("203.0.113.1:3")
	add("198.51.100.3:1")
	require.True(t, first.closed)
	add("203.0.113.1:4")
	require.True(t, second.closed)
	require.False(t, lonely.closed)
	for range 3 { // without a request in between
		cs.changed(lonely, http.StateIdle)
	}
	require.Equal(t, 5, cs.waiting.Len())
	for n := range 5 { // addresses of one network
		add(fmt.Sprintf("[2001:db8::%d]:1", n))
	}
	require.False(t, lonely.closed)
	cs.changed(lonely, http.StateClosed)
	require.Len(t, cs.all, 4)
	require.NotContains(t, cs.of, "198.51.100.1")
}

// A pipe is a connection from an address.
type pipe struct {
	net.Conn
	address string
	closed  bool
}

func (p *pipe) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(p.address))
}
func (p *pipe) Close() error { p.closed = true; return nil }

func Test_Guard_reads_the_body_and_keeps_why_it_ended(t *testing.T) {
	addr, _, _ := serve(t, Guard{}, 10)
	for raw, want := range map[string]string{
		"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello":                                                            "hello",
		"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n": "hello",
	} {
		text, err := io.ReadAll(connect(t, addr, raw))
		require.NoError(t, err)
		require.Contains(t, string(text), want)
	}
	r := httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat("x", MaxBody+1)))
	r.ContentLength = -1
	receive(httptest.NewRecorder(), r)
	text, err := io.ReadAll(r.Body)
	require.Len(t, text, MaxBody)
	require.ErrorAs(t, err, new(*http.MaxBytesError))
}
