package edge

import (
	"net/http"
	"strings"
)

// headers are those of every response: pages, files, errors and redirects. A page may load only
// what this host serves, and no other page may show, open or read it (OWASP ASVS 5.0, 3.4.1 to
// 3.4.8).
var headers = map[string][]string{
	"Content-Security-Policy": {"default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; " +
		"base-uri 'none'; frame-ancestors 'none'; report-uri " + reportsPath},
	"Cross-Origin-Opener-Policy":   {"same-origin"},
	"Cross-Origin-Resource-Policy": {"same-origin"},
	"Permissions-Policy":           {"camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"},
	"Referrer-Policy":              {"same-origin"},
	"X-Content-Type-Options":       {"nosniff"},
}

// transportSecurity makes browsers use only https for two years. It is sent in production.
var transportSecurity = []string{"max-age=63072000; includeSubDomains"}

// secure sets the headers. It ignores a request for several ranges at once (RFC 9110, section 14.2), because the answer can be a
// hundred times as large as the file. It closes the connection after a body in chunks, which no browser
// sends: a proxy may have seen the body end elsewhere and taken the rest for another request
// (request smuggling).
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
		if strings.Contains(r.Header.Get("Range"), ",") {
			r.Header.Del("Range")
		}
		next.ServeHTTP(w, r)
	})
}
