package actions

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// raw sends a request as it stands, without a browser's cookies.
func (b *browser) raw(method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	return w
}

func Test_Headers_are_on_every_answer(t *testing.T) {
	for _, env := range []string{"production", "test"} {
		b := open(t, env)
		for _, request := range []string{
			"GET /", "GET /heroes/new", "GET /success", "POST /heroes", "DELETE /session", "GET /nowhere", "PUT /",
			"TRACE /", "GET /robots.txt", "GET /assets/none.css", "GET " + files.Path("assets/application.css"),
			"GET /healthz", "GET /readyz", "GET //double/", "HEAD /",
		} {
			method, path, _ := strings.Cut(request, " ")
			h := b.raw(method, path, "").Header()
			b.Contains(h.Get("Content-Security-Policy"), "default-src 'none'", request)
			b.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'", request)
			b.Contains(h.Get("Content-Security-Policy"), "base-uri 'none'", request)
			b.NotContains(h, "Access-Control-Allow-Origin", request)
			b.NotContains(h.Get("Content-Security-Policy"), "unsafe", request)
			b.Equal("nosniff", h.Get("X-Content-Type-Options"), request)
			b.Equal("same-origin", h.Get("Referrer-Policy"), request)
			b.Equal("same-origin", h.Get("Cross-Origin-Opener-Policy"), request)
			b.Equal("same-origin", h.Get("Cross-Origin-Resource-Policy"), request)
			b.Contains(h.Get("Permissions-Policy"), "camera=()", request)
			b.Equal(env == "production", strings.Contains(h.Get("Strict-Transport-Security"), "max-age=63072000; includeSubDomains"), request)
			b.NotEmpty(h.Get("X-Request-Id"), request)
		}
	}
}

func Test_Headers_forgetting_clears_what_the_browser_keeps_beside_the_cookie(t *testing.T) {
	b := open(t)
	b.post("/heroes", superman())
	res := b.post("/session", url.Values{"_method": {"DELETE"}})
	b.Equal(`"cache", "storage"`, res.Header().Get("Clear-Site-Data"))
	b.Contains(b.get("/").Body.String(), "You are forgotten.", "and the flash is not cleared with it")
}

func Test_RequestID_is_the_proxys_when_it_is_good_and_stands_in_the_log(t *testing.T) {
	b := open(t)
	res := b.raw("GET", "/nowhere", "", "X-Request-Id", "proxy-4711")
	b.Equal("proxy-4711", res.Header().Get("X-Request-Id"))
	b.Contains(b.log.String(), `"request_id":"proxy-4711"`)
	for _, bad := range []string{"", "short", strings.Repeat("x", 65), "with space", "quote\"quote", "new\nline", "<script>"} {
		made := b.raw("GET", "/", "", "X-Request-Id", bad).Header().Get("X-Request-Id")
		b.Len(made, 26, bad)
		b.Contains(b.log.String(), made)
	}
}

func Test_Refuse_methods_that_no_route_has(t *testing.T) {
	b := open(t)
	for method, allow := range map[string]string{"TRACE": "GET, HEAD, POST, DELETE", "PATCH": "GET, HEAD, POST, DELETE", "BREW": "GET, HEAD, POST, DELETE"} {
		for _, path := range []string{"/", "/heroes", "/nowhere"} {
			res := b.raw(method, path, "")
			b.Equal(http.StatusMethodNotAllowed, res.Code, method)
			b.Equal(allow, res.Header().Get("Allow"), method)
			b.Contains(res.Body.String(), "Not in this way")
		}
	}
	b.Equal("POST", b.raw("GET", "/heroes/", "").Header().Get("Allow"))
	b.Equal("GET, HEAD", b.raw("DELETE", "/success", "").Header().Get("Allow"))
}

func Test_Refuse_bodies_that_are_no_form_or_broken(t *testing.T) {
	b := open(t)
	const form = "application/x-www-form-urlencoded"
	for _, c := range []struct {
		body, kind string
		status     int
	}{
		{"name=a&alter_ego=b&catch_phrase=c", form, http.StatusSeeOther},
		{"name=a&alter_ego=b&catch_phrase=c", form + "; charset=UTF-8", http.StatusSeeOther},
		{"name=a&alter_ego=b&catch_phrase=c", "", http.StatusUnsupportedMediaType},
		{"name=a&alter_ego=b&catch_phrase=c", "text/plain", http.StatusUnsupportedMediaType},
		{`{"name":"a"}`, "application/json", http.StatusUnsupportedMediaType},
		{"--x--", "multipart/form-data; boundary=x", http.StatusUnsupportedMediaType},
		{"name=%zz", form, http.StatusBadRequest},
		{"name=a;b", form, http.StatusBadRequest},
		{"", "", http.StatusUnprocessableEntity},
		{"name=a&alter_ego=b&catch_phrase=c" + strings.Repeat("&x=", maxFields-3), form, http.StatusSeeOther},
		{"name=a&alter_ego=b&catch_phrase=c" + strings.Repeat("&x=", maxFields-2), form, http.StatusBadRequest},
	} {
		res := b.raw("POST", "/heroes", c.body, "Content-Type", c.kind)
		b.Equal(c.status, res.Code, c.body+" "+c.kind)
		b.Equal(c.status == http.StatusSeeOther, len(res.Header()["Set-Cookie"]) == 1)
	}
}
