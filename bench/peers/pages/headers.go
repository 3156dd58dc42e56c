package pages

import (
	"crypto/rand"
	"net/http"
)

// headers are those of each answer of Heroes in production. Whoever reads the session adds
// Cookie to Vary, as the session of Heroes does.
var headers = []struct {
	name   string
	values []string
}{
	{"Content-Security-Policy", []string{"default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; " +
		"base-uri 'none'; frame-ancestors 'none'; report-uri /csp-reports"}},
	{"Cross-Origin-Opener-Policy", []string{"same-origin"}},
	{"Cross-Origin-Resource-Policy", []string{"same-origin"}},
	{"Permissions-Policy", []string{"camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"}},
	{"Referrer-Policy", []string{"same-origin"}},
	{"Strict-Transport-Security", []string{"max-age=63072000; includeSubDomains"}},
	{"Vary", []string{"Accept-Language"}},
	{"X-Content-Type-Options", []string{"nosniff"}},
}

var noStore = []string{"no-store"}

// Headers calls set with the headers that Heroes sends, so that who shows its page sends as much.
// An answer is private that is for one visitor alone.
func Headers(private bool, set func(name string, values []string)) {
	for _, h := range headers {
		set(h.name, h.values)
	}
	set("X-Request-Id", []string{rand.Text()})
	if private {
		set("Cache-Control", noStore)
	}
}

// WithHeaders sets them with net/http, but for the plain pages. Private is what follows a cookie
// or a form.
func WithHeaders(next http.Handler) http.Handler {
	if Plain {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		Headers(r.Method == http.MethodPost || r.Header["Cookie"] != nil, func(name string, values []string) { h[name] = values })
		next.ServeHTTP(w, r)
	})
}
