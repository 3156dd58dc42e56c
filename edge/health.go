package edge

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// RouteHealth adds GET /healthz, which answers while the server runs, and GET /readyz, which
// answers 503 while ping fails. Neither touches a session.
func RouteHealth(mux *http.ServeMux, ping func(context.Context) error) {
	healthy := func(w http.ResponseWriter, _ *http.Request) {
		text(w, http.StatusOK, "ok")
	}
	p := probe{ping: ping}
	ready := func(w http.ResponseWriter, r *http.Request) {
		if p.fails(r.Context()) {
			w.Header().Set("Retry-After", "5")
			text(w, http.StatusServiceUnavailable, "the sessions cannot be reached or written")
			return
		}
		text(w, http.StatusOK, "ready")
	}
	for path, handler := range map[string]http.HandlerFunc{"/healthz": healthy, "/readyz": ready} {
		mux.HandleFunc("GET "+path, handler)
		mux.HandleFunc("GET "+path+"/{$}", handler)
	}
}

// A probe pings at most ten times a second, because a ping writes and anyone may ask for one.
type probe struct {
	ping  func(context.Context) error
	mu    sync.Mutex
	asked time.Time
	err   error
}

func (p *probe) fails(ctx context.Context) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.asked) > 100*time.Millisecond {
		p.err = p.ping(context.WithoutCancel(ctx))
		p.asked = time.Now()
	}
	return p.err != nil
}

func text(w http.ResponseWriter, status int, line string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprintln(w, line)
}
