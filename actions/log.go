package actions

import (
	"net/http"

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
