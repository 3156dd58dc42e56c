package actions

import (
	"net/http"

	"heroes/session"

	"github.com/felixge/httpsnoop"
	"github.com/gobuffalo/buffalo"
)

// logRequests writes a line for each answer. The path is logged and the query is
// not: neither a form's values nor a session come near the log.
func logRequests(logger buffalo.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method, path := r.Method, r.URL.Path // Buffalo changes both
		m := httpsnoop.CaptureMetrics(next, w, r)
		logger.WithFields(map[string]any{
			"method":   method,
			"path":     path,
			"status":   m.Code,
			"size":     m.Written,
			"duration": m.Duration,
		}).Info("request")
	})
}

// LogSession writes a line for what happened to a session: an error when a change
// was lost, and what a developer may want to see otherwise.
func LogSession(logger buffalo.Logger, e session.Event) {
	logger = logger.WithField("session", string(e.Kind))
	switch e.Kind {
	case session.Lost, session.Unreachable:
		logger.Error(e.Err)
	case session.Rejected:
		logger.WithField("reason", string(e.Reason)).Info("a session's cookie was not taken")
	default:
		logger.Debug("session")
	}
}
