package edge

import (
	"context"
	"fmt"
	"net/http"
)

// RouteHealth adds GET /healthz, which answers while the server runs, and GET /readyz, which
// answers 503 while ping fails. Neither touches a session.
func RouteHealth(mux *http.ServeMux, ping func(context.Context) error) {
	healthy := func(w http.ResponseWriter, _ *http.Request) {
		text(w, http.StatusOK, "ok")
	}
	ready := func(w http.ResponseWriter, r *http.Request) {
		if ping(r.Context()) != nil {
			w.Header().Set("Retry-After", "5")
			text(w, http.StatusServiceUnavailable, "the sessions cannot be reached")
			return
		}
		text(w, http.StatusOK, "ready")
	}
	for path, handler := range map[string]http.HandlerFunc{"/healthz": healthy, "/readyz": ready} {
		mux.HandleFunc("GET "+path, handler)
		mux.HandleFunc("GET "+path+"/{$}", handler)
	}
}

func text(w http.ResponseWriter, status int, line string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprintln(w, line)
}
