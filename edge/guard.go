package edge

import (
	"bytes"
	"cmp"
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"
)

// LimitConnections has a server keep at most max connections, together with a Guard. When one more arrives, a connection is
// closed that waits for its next request, for the rest of one, for its turn, or for its client to take the answer. It is one
// of the address with the most connections, and of these the one that has waited longest. So idle and slow clients keep
// nobody out. If every other connection is being answered, the new one is closed.
func LimitConnections(s *http.Server, max int) {
	cs := &connections{max: max, all: map[net.Conn]*connection{}, of: map[string]int{}}
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

var (
	errTooFast = errors.New("the client sends too many requests")
	errBusy    = errors.New("too many requests are waiting")
)

// maxHeaders is how many header fields a request can have. Each takes far more memory than it has bytes.
const maxHeaders = 100

var errHeaders = fmt.Errorf("the request has more than %d header fields", maxHeaders)

// Handler returns a handler that lets next answer within the limits. It first reads the request's body, up to MaxBody, and
// sends the answer only after the turn has ended, so that slow clients do not hold one. Refused requests are answered by fail.
func (g Guard) Handler(next http.Handler, fail func(http.ResponseWriter, *http.Request, int, error)) http.Handler {
	clients := newClients(g.PerClient, time.Second, g.Proxies)
	turns := &turns{free: cmp.Or(g.Turns, math.MaxInt)}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _ := r.Context().Value(connectionKey{}).(*connection)
		answer := buffers.Get().(*buffered)
		defer answer.free()
		answer.header = w.Header()
		refuse := func(status int, err error) {
			w.Header().Set("Retry-After", "5")
			w.Header().Set("Connection", "close")
			fail(answer, r, status, err)
		}
		tooMany := countHeaders(r) > maxHeaders
		switch err := admit(w, r, tooMany, clients, turns); err {
		case nil:
			conn.stopsWaiting()
			defer answer.cut(w, r)
			func() {
				defer turns.release()
				if tooMany {
					_ = http.NewResponseController(w).SetReadDeadline(time.Now()) // of the body
					refuse(http.StatusRequestHeaderFieldsTooLarge, errHeaders)
				} else {
					next.ServeHTTP(answer, r)
				}
			}()
		case errTooFast:
			refuse(http.StatusTooManyRequests, err)
		case errBusy:
			refuse(http.StatusServiceUnavailable, err)
		default: // the client has left
			panic(http.ErrAbortHandler)
		}
		answer.send(w, conn)
	})
}

// admit receives the request, unless it has too many headers, and waits until its client may be answered and there is a turn. The error is errTooFast, errBusy,
// or that of the request's context.
func admit(w http.ResponseWriter, r *http.Request, tooMany bool, clients *clients, turns *turns) error {
	began, wait := time.Now(), clients.reserve(r)
	if tooMany {
		clear(r.Header) // its memory is needed
	} else {
		receive(w, r)
	}
	if rest := min(wait, longestWait) - time.Since(began); rest > 0 {
		timer := time.NewTimer(rest)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return r.Context().Err()
		}
	}
	if wait > longestWait {
		return errTooFast
	}
	return turns.take(r.Context())
}

func countHeaders(r *http.Request) (n int) {
	for _, values := range r.Header {
		n += len(values)
	}
	return n
}

// A buffered response is sent when it is complete.
type buffered struct {
	header http.Header
	status int
	body   bytes.Buffer
}

var buffers = sync.Pool{New: func() any { return new(buffered) }}

// free lets another request use the buffer, unless it is large.
func (b *buffered) free() {
	if b.body.Cap() > 64<<10 {
		return
	}
	b.header, b.status = nil, 0
	b.body.Reset()
	buffers.Put(b)
}

func (b *buffered) Header() http.Header { return b.header }

func (b *buffered) WriteHeader(status int) {
	if b.status == 0 && status >= http.StatusOK {
		b.status = status
	}
}

func (b *buffered) Write(p []byte) (int, error) {
	b.WriteHeader(http.StatusOK)
	return b.body.Write(p)
}

// cut sends what there is of a response whose handler has panicked, without its end, so that the client neither takes it for
// complete nor sends the request again. A response without a body cannot be cut, so nothing of it is sent.
func (b *buffered) cut(w http.ResponseWriter, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if b.status != 0 && b.status != http.StatusNoContent && b.status != http.StatusNotModified && r.Method != http.MethodHead {
		b.header.Set("Content-Length", strconv.Itoa(b.body.Len()+1))
		w.WriteHeader(b.status)
		_, _ = w.Write(b.body.Bytes())
		_ = http.NewResponseController(w).Flush()
	}
	panic(p)
}

// send sends the response. Meanwhile, the connection waits for its client.
func (b *buffered) send(w http.ResponseWriter, conn *connection) {
	conn.waits()
	if b.status == 0 {
		b.status = http.StatusOK
	}
	if b.header.Get("Content-Length") == "" && b.body.Len() > 0 {
		b.header.Set("Content-Length", strconv.Itoa(b.body.Len()))
	}
	w.WriteHeader(b.status)
	_, _ = w.Write(b.body.Bytes()) // the client may have left
}

// receive reads the body of the request. If its announced size is too large, nothing is read, and reading r.Body returns an
// error.
func receive(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength == 0 {
		return
	}
	if r.ContentLength > MaxBody {
		r.Body = received{bytes.NewReader(nil), &http.MaxBytesError{Limit: MaxBody}}
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
	of      map[string]int // how many each address has
	waiting list.List      // of *connection, the longest first
}

type connection struct {
	net.Conn
	owner   *connections
	address string
	waiting *list.Element // nil while a request is being answered
}

type connectionKey struct{}

func (cs *connections) add(conn net.Conn) *connection {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c := &connection{Conn: conn, owner: cs, address: addressOf(conn)}
	c.waiting = cs.waiting.PushBack(c)
	cs.all[conn] = c
	cs.of[c.address]++
	if len(cs.all) > cs.max {
		victim := cs.victim()
		cs.remove(victim)
		_ = victim.Close()
	}
	return c
}

// addressOf returns the address at the other end, or the network that counts as one client.
func addressOf(conn net.Conn) string {
	address, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return "" // a Unix socket
	}
	return oneClient(address.Addr().Unmap()).String()
}

// victim returns the connection to close: among those that wait, one of the address with the most connections in all, and
// of these the one that has waited longest.
func (cs *connections) victim() (c *connection) {
	for e := cs.waiting.Front(); e != nil; e = e.Next() {
		if other := e.Value.(*connection); c == nil || cs.of[other.address] > cs.of[c.address] {
			c = other
		}
	}
	return c
}

func (cs *connections) remove(c *connection) {
	c.endWait()
	delete(cs.all, c.Conn)
	if cs.of[c.address]--; cs.of[c.address] == 0 {
		delete(cs.of, c.address)
	}
}

func (cs *connections) changed(conn net.Conn, state http.ConnState) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c := cs.all[conn]
	switch {
	case c == nil: // it was closed above
	case state == http.StateIdle:
		c.beginWait()
	case state == http.StateClosed, state == http.StateHijacked:
		cs.remove(c)
	}
}

// stopsWaiting notes that a request has been read completely and is about to be answered.
func (c *connection) stopsWaiting() {
	if c != nil {
		c.owner.mu.Lock()
		defer c.owner.mu.Unlock()
		c.endWait()
	}
}

// waits notes that the connection waits for its client from now on.
func (c *connection) waits() {
	if c != nil {
		c.owner.mu.Lock()
		defer c.owner.mu.Unlock()
		c.beginWait()
	}
}

func (c *connection) beginWait() {
	c.endWait()
	if c.owner.all[c.Conn] == c { // it was not closed
		c.waiting = c.owner.waiting.PushBack(c)
	}
}

func (c *connection) endWait() {
	if c.waiting != nil {
		c.owner.waiting.Remove(c.waiting)
		c.waiting = nil
	}
}

// turns limits how many requests are answered at a time.
type turns struct {
	mu      sync.Mutex
	free    int
	waiting []chan struct{} // the newest last
}

// take waits for a turn. The error is errBusy if there was none in time, or that of ctx.
func (t *turns) take(ctx context.Context) error {
	t.mu.Lock()
	if t.free > 0 {
		t.free--
		t.mu.Unlock()
		return nil
	}
	mine := make(chan struct{})
	t.waiting = append(t.waiting, mine)
	t.mu.Unlock()

	timer := time.NewTimer(longestWait)
	defer timer.Stop()
	err := errBusy
	select {
	case <-mine:
		return nil
	case <-timer.C:
	case <-ctx.Done():
		err = ctx.Err()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	at := slices.Index(t.waiting, mine)
	if at < 0 { // it was given the turn just now
		return nil
	}
	t.waiting = slices.Delete(t.waiting, at, at+1)
	return err
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
