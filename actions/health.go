package actions

import (
	"fmt"
	"net/http"

	"heroes/session"
)

// HealthShow answers while the server runs.
func HealthShow(w http.ResponseWriter, _ *http.Request) {
	text(w, http.StatusOK, "ok")
}

// ReadyShow answers 503 while the sessions cannot be reached.
func ReadyShow(store *session.Store) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := store.Ping(r.Context()); err != nil {
			text(w, session.Status(w.Header(), err), "the sessions cannot be reached")
			return
		}
		text(w, http.StatusOK, "ready")
	}
}

func text(w http.ResponseWriter, status int, line string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprintln(w, line)
}
