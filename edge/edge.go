// Package edge is what surrounds an application: request IDs, headers, the access log, limits on
// requests, and health checks. It knows nothing of the application.
package edge

import (
	"context"
	"crypto/rand"
	"net/http"
	"regexp"

	"github.com/gobuffalo/buffalo"
)

// Wrap surrounds a handler with a request ID, the headers of every response, the access log, and
// HEAD, which it answers like GET.
func Wrap(next http.Handler, l buffalo.Logger, production bool) http.Handler {
	return identify(secure(logRequests(l, answerHead(next)), production))
}

type requestIDKey struct{}

// goodRequestID matches an ID that fits into a log and a header.
var goodRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]{8,64}$`)

// identify gives each request an ID, by which its lines in the log are found: the proxy's
// X-Request-Id if it is good, or a new one. It has nothing to do with the session.
func identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("X-Request-Id")
		if !goodRequestID.MatchString(id) {
			id = rand.Text()
		}
		w.Header()["X-Request-Id"] = []string{id}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id)))
	})
}

// RequestID returns the ID of the request whose context this is, or "".
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// answerHead passes HEAD on as GET; the server leaves out the body.
func answerHead(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			get := *r
			get.Method = http.MethodGet
			r = &get
		}
		next.ServeHTTP(w, r)
	})
}
