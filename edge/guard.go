package edge

import (
	"bytes"
	"cmp"
	"container/list"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// LimitConnections has a server keep at most max connections. One more closes the connection that has waited
// longest for its next request, or for the rest of one, so that idle and slow clients keep nobody out. If every other
// connection is being answered, the new one is closed. It works together with a Guard.
func LimitConnections(s *http.Server, max int) {
	cs := &connections{max: max, all: map[net.Conn]*connection{}}
	s.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, connectionKey{}, cs.add(conn))
	}
	s.ConnState = cs.changed
}

// A Guard keeps a few clients from taking a server away from the others. Zero means no limit.
type Guard struct {
	// PerClient is how many requests of one client are answered in a second. More have to wait. One that would have to wait
	// longer than five seconds is refused after that time, with 429.
	PerClient int
	Proxies   Proxies // tell who the client is

	// Turns is how many requests are answered at a time. Of those that wait, the newest is next: the requests that a
	// flood keeps waiting do not delay everybody. One that has waited for five seconds is refused with 503.
	Turns int
}

// longestWait is how long a request waits before it is refused.
const longestWait = 5 * time.Second

var errBusy = errors.New("too many requests are waiting")

// Handler returns a handler that lets next answer within the limits. It first reads the request's body, up to MaxBody, so
// that slow clients take no turn. Refused requests are answered by fail.
func (g Guard) Handler(next http.Handler, fail func(http.ResponseWriter, *http.Request, int, error)) http.Handler {
	clients := newClients(g.PerClient, time.Second, g.Proxies)
	turns := turns{free: cmp.Or(g.Turns, math.MaxInt)}
	refuse := func(w http.ResponseWriter, r *http.Request, status int) {
		w.Header().Set("Retry-After", "5")
		w.Header().Set("Connection", "close")
		fail(w, r, status, errBusy)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		receive(w, r)
		wait := clients.reserve(r)
		pause(r.Context(), min(wait, longestWait))
		if wait > longestWait {
			refuse(w, r, http.StatusTooManyRequests)
			return
		}
		if conn, ok := r.Context().Value(connectionKey{}).(*connection); ok {
			conn.arrived()
		}
		if !turns.take(r.Context()) {
			refuse(w, r, http.StatusServiceUnavailable)
			return
		}
		defer turns.release()
		next.ServeHTTP(w, r)
	})
}

func pause(ctx context.Context, d time.Duration) {
	if d == 0 {
		return
	}
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// receive reads the body of the request, unless it says that it is too large.
func receive(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength == 0 || r.ContentLength > MaxBody {
		return
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	r.Body = received{bytes.NewReader(text), err}
}

// A received body returns what was read, and then the error that ended it.
type received struct {
	text *bytes.Reader
	err  error
}

func (b received) Read(p []byte) (int, error) {
	n, err := b.text.Read(p)
	if err == io.EOF && b.err != nil {
		err = b.err
	}
	return n, err
}

func (received) Close() error { return nil }

type connections struct {
	max     int
	mu      sync.Mutex
	all     map[net.Conn]*connection
	waiting list.List // of *connection, the longest first
}

type connection struct {
	net.Conn
	owner   *connections
	waiting *list.Element // nil while a request is being answered
}

type connectionKey struct{}

func (cs *connections) add(conn net.Conn) *connection {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c := &connection{Conn: conn, owner: cs}
	c.waiting = cs.waiting.PushBack(c)
	cs.all[conn] = c
	if len(cs.all) > cs.max {
		longest := cs.waiting.Front().Value.(*connection)
		longest.stopWaiting()
		delete(cs.all, longest.Conn)
		_ = longest.Close()
	}
	return c
}

func (cs *connections) changed(conn net.Conn, state http.ConnState) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c := cs.all[conn]
	switch {
	case c == nil: // it was closed above
	case state == http.StateIdle:
		c.waiting = cs.waiting.PushBack(c)
	case state == http.StateClosed, state == http.StateHijacked:
		c.stopWaiting()
		delete(cs.all, conn)
	}
}

// arrived notes that a request has been read completely, and that its connection waits for nothing until it is answered.
func (c *connection) arrived() {
	c.owner.mu.Lock()
	defer c.owner.mu.Unlock()
	c.stopWaiting()
}

func (c *connection) stopWaiting() {
	if c.waiting != nil {
		c.owner.waiting.Remove(c.waiting)
		c.waiting = nil
	}
}

// turns are those of the requests that are answered at a time.
type turns struct {
	mu      sync.Mutex
	free    int
	waiting []chan struct{} // the newest last
}

func (t *turns) take(ctx context.Context) bool {
	t.mu.Lock()
	if t.free > 0 {
		t.free--
		t.mu.Unlock()
		return true
	}
	mine := make(chan struct{})
	t.waiting = append(t.waiting, mine)
	t.mu.Unlock()

	timer := time.NewTimer(longestWait)
	defer timer.Stop()
	select {
	case <-mine:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	at := slices.Index(t.waiting, mine)
	if at < 0 { // it was given the turn just now
		return true
	}
	t.waiting = slices.Delete(t.waiting, at, at+1)
	return false
}

func (t *turns) release() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if last := len(t.waiting) - 1; last >= 0 {
		close(t.waiting[last])
		t.waiting = t.waiting[:last]
		return
	}
	t.free++
}
