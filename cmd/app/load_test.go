package main

import (
	"bufio"
	"io"
	"maps"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobuffalo/envy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const connections = 500

// A step is a request of a visitor under load, and the status that it expects.
type step struct {
	raw    string
	status int
}

// steps returns what each visitor does again and again. A third of the requests are bad.
func (s *site) steps() (all []step) {
	good := []step{
		{request("GET /"), 200},
		{request("GET /heroes/new", "Cookie: "+s.good), 200},
		{post("/heroes", hero("Visitor")), 303},
		{request("GET /robots.txt"), 200},
		{post("/heroes", "name=x"), 422},
		{post("/language", "language=de", "Cookie: "+s.good), 303},
		{request("GET /healthz"), 200},
		{request("GET /success", "Cookie: "+s.good), 200},
		{post("/heroes", hero("Other"), "Sec-Fetch-Site: same-origin"), 303},
		{request("GET /", "Accept-Language: ar"), 200},
		{request("GET /readyz"), 200},
		{request("GET /success", "Cookie: "+s.good, "Accept-Language: fr"), 200},
		{request("HEAD /"), 200},
		{request("GET /heroes"), 405},
		{request("GET /assets/favicon.svg"), 200},
		{request("GET /success"), 303},
	}
	bad := []step{
		{request("GET /nowhere"), 404},
		{request("GET /", "Cookie: "+s.good[:len(s.good)-5]+"AAAAA"), 200},
		{post("/heroes", hero("Evil"), "Origin: "+evilOrigin), 403},
		{request("POST /heroes", formType, "Content-Length: 99999999"), 413},
		{request("GET evil"), 400},
		{post("/heroes", "name=%zz"), 400},
		{request("TRACE /"), 405},
		{chunked("zz\r\n"), 400},
	}
	for i, b := range bad {
		all = append(all, good[2*i], good[2*i+1], b)
	}
	return all
}

// A guest is a visitor under load, on one connection until the server closes it.
type guest struct {
	addr string
	conn net.Conn
	in   *bufio.Reader
}

func (g *guest) do(s step) (status int, err error) {
	if g.conn == nil {
		if g.conn, err = net.Dial("tcp", g.addr); err != nil {
			return 0, err
		}
		g.in = bufio.NewReader(g.conn)
	}
	_ = g.conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err = io.WriteString(g.conn, s.raw); err != nil {
		return 0, err
	}
	method, _, _ := strings.Cut(s.raw, " ")
	res, err := http.ReadResponse(g.in, &http.Request{Method: method})
	if err != nil {
		return 0, err
	}
	if _, err = io.Copy(io.Discard, res.Body); err == nil && res.Close {
		g.leave()
	}
	return res.StatusCode, err
}

func (g *guest) leave() {
	if g.conn != nil {
		g.conn.Close()
		g.conn = nil
	}
}

// settled returns the goroutines and the heap's bytes in use once the server is idle.
func settled() (goroutines int, heap uint64) {
	time.Sleep(2 * time.Second) // a refused connection stays open for half a second
	goroutines = runtime.NumGoroutine()
	runtime.GC()
	runtime.GC() // the second run also frees what pools held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return goroutines, m.HeapInuse
}

// Under load a server answers every request as it would without load, and keeps nothing in memory.
// To run for longer than a few seconds, set TEST_LOAD, for example to 2m.
func Test_Load_with_a_third_of_bad_requests(t *testing.T) {
	duration, err := time.ParseDuration(envy.Get("TEST_LOAD", "5s"))
	require.NoError(t, err)
	s := serveSite(t, nil) // sessions in cookies, so the server stores nothing
	s.log.stop()
	steps := s.steps()
	crowded := func(duration time.Duration) (answers map[int]int) {
		answers = map[int]int{}
		var mu sync.Mutex
		var wait sync.WaitGroup
		end := time.Now().Add(duration)
		for i := range connections {
			wait.Go(func() {
				g := &guest{addr: s.addr}
				defer g.leave()
				own := map[int]int{}
				for n := i; time.Now().Before(end) && !t.Failed(); n++ {
					step := steps[n%len(steps)]
					status, err := g.do(step)
					if !assert.NoError(t, err, step.raw) || !assert.Equal(t, step.status, status, step.raw) {
						break
					}
					own[status]++
				}
				mu.Lock()
				defer mu.Unlock()
				for status, n := range own {
					answers[status] += n
				}
			})
		}
		wait.Wait()
		return answers
	}
	crowded(time.Second) // to make everything that is made only once
	goroutines, heap := settled()
	answers := crowded(duration)
	require.Equal(t, goodHero, s.hero(t, s.good))
	goroutinesAfter, heapAfter := settled()

	total := 0
	for _, status := range slices.Sorted(maps.Keys(answers)) {
		total += answers[status]
		require.Less(t, status, 500)
	}
	t.Logf("%d answers in %v on %d connections: %v; goroutines %d, then %d; heap in use %.1f MB, then %.1f MB",
		total, duration, connections, answers, goroutines, goroutinesAfter, float64(heap)/1e6, float64(heapAfter)/1e6)
	require.Greater(t, total, connections)
	require.LessOrEqual(t, goroutinesAfter, goroutines, "goroutines are left behind")
	require.Less(t, heapAfter, heap+heap/4+2<<20, "memory is left behind")
}
