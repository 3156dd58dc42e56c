package actions

import (
	"context"
	"crypto/rand"
	"net/http"
	"regexp"
)

// The headers of every answer: a page's, a file's, an error's and a redirect's. What a page
// may load is what this host serves, and no other page may show it, open it or read it
// (OWASP ASVS 5.0, 3.4.1 to 3.4.8).
var headers = map[string][]string{
	"Content-Security-Policy": {"default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; " +
		"base-uri 'none'; frame-ancestors 'none'"},
	"Cross-Origin-Opener-Policy":   {"same-origin"},
	"Cross-Origin-Resource-Policy": {"same-origin"},
	"Permissions-Policy":           {"camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"},
	"Referrer-Policy":              {"same-origin"},
	"X-Content-Type-Options":       {"nosniff"},
}

// transportSecurity has browsers use https alone for two years, in production.
var transportSecurity = []string{"max-age=63072000; includeSubDomains"}

// secure sets the headers. After a body in chunks, which no browser sends, it has the
// connection closed: a proxy may have seen the body end elsewhere, and taken what is left
// for a request (smuggling).
func secure(next http.Handler, production bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		for name, value := range headers {
			header[name] = value
		}
		if production {
			header["Strict-Transport-Security"] = transportSecurity
		}
		if len(r.TransferEncoding) > 0 { // net/http hides a Content-Length beside it (RFC 9112, section 6.1)
			header.Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

type requestIDKey struct{}

// goodRequestID is one that a log and a header can hold.
var goodRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]{8,64}$`)

// identify gives the request an ID, by which its lines in the log are found: the proxy's,
// if there is a good one, or one that is made. It has nothing to do with the session.
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

// requestID is "" outside of a request.
func requestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}
