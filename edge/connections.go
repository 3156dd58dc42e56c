package edge

import (
	"bytes"
	"container/list"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
)

// LimitConnections has a server keep at most max connections. One more closes the connection that has waited
// longest for its next request, or for the rest of one, so that idle and slow clients keep nobody out. If every other
// connection is being answered, the new one is closed.
func LimitConnections(s *http.Server, max int) {
	c := &connections{max: max, all: map[net.Conn]*connection{}}
	next := s.Handler
	s.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, connectionKey{}, c.add(conn))
	}
	s.ConnState = c.changed
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		receive(w, r)
		if conn, ok := r.Context().Value(connectionKey{}).(*connection); ok {
			conn.arrived()
		}
		next.ServeHTTP(w, r)
	})
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
