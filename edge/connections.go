package edge

import (
	"container/list"
	"context"
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
		if r.ContentLength == 0 {
			arrived(r)
		}
		next.ServeHTTP(w, r)
	})
}

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

// arrived notes that the request has been read completely: from now on, its connection waits for nothing.
func arrived(r *http.Request) {
	if c, ok := r.Context().Value(connectionKey{}).(*connection); ok {
		c.owner.mu.Lock()
		defer c.owner.mu.Unlock()
		c.stopWaiting()
	}
}

func (c *connection) stopWaiting() {
	if c.waiting != nil {
		c.owner.waiting.Remove(c.waiting)
		c.waiting = nil
	}
}

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
		c.stopWaiting()
		c.waiting = cs.waiting.PushBack(c)
	case state == http.StateClosed, state == http.StateHijacked:
		c.stopWaiting()
		delete(cs.all, conn)
	}
}
