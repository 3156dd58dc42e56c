package actions

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
)

// raw sends a request as it stands, without a browser's cookies.
func (as *ActionSuite) raw(method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	as.handler.ServeHTTP(w, r)
	return w
}

// stylesheet returns the address of the stylesheet, as pages link to it.
func (as *ActionSuite) stylesheet() string {
	site, err := siteOf(as.App.Env)
	as.NoError(err)
	return site.asset("assets/application.css")
}

func (as *ActionSuite) Test_Headers_are_on_every_answer() {
	for _, env := range []string{"production", "test"} {
		as.open(in(env))
		for _, request := range []string{
			"GET /", "GET /heroes/new", "GET /success", "POST /heroes", "DELETE /session", "GET /nowhere", "PUT /",
			"TRACE /", "GET /robots.txt", "GET /assets/none.css", "GET " + as.stylesheet(),
			"GET /healthz", "GET /readyz", "GET //double/", "HEAD /",
		} {
			method, path, _ := strings.Cut(request, " ")
			h := as.raw(method, path, "").Header()
			as.Contains(h.Get("Content-Security-Policy"), "default-src 'none'", request)
			as.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'", request)
			as.Contains(h.Get("Content-Security-Policy"), "base-uri 'none'", request)
			as.NotContains(h, "Access-Control-Allow-Origin", request)
			as.NotContains(h.Get("Content-Security-Policy"), "unsafe", request)
			as.Equal("nosniff", h.Get("X-Content-Type-Options"), request)
			as.Equal("same-origin", h.Get("Referrer-Policy"), request)
			as.Equal("same-origin", h.Get("Cross-Origin-Opener-Policy"), request)
			as.Equal("same-origin", h.Get("Cross-Origin-Resource-Policy"), request)
			as.Contains(h.Get("Permissions-Policy"), "camera=()", request)
			as.Equal(env == "production", strings.Contains(h.Get("Strict-Transport-Security"), "max-age=63072000; includeSubDomains"), request)
			as.NotEmpty(h.Get("X-Request-Id"), request)
		}
	}
}

func (as *ActionSuite) Test_Headers_forgetting_clears_what_the_browser_keeps_beside_the_cookie() {
	as.open()
	as.HTML("/heroes").Post(hero())
	res := as.HTML("/session").Post(url.Values{"_method": {"DELETE"}})
	as.Equal(`"cache", "storage"`, res.Header().Get("Clear-Site-Data"))
	as.Contains(as.HTML("/").Get().Body.String(), "Your session has ended. Your browser no longer has your hero.", "and the flash is not cleared with it")
}

func (as *ActionSuite) Test_RequestID_is_the_proxys_when_it_is_good_and_stands_in_the_log() {
	as.open()
	res := as.raw("GET", "/nowhere", "", "X-Request-Id", "proxy-4711")
	as.Equal("proxy-4711", res.Header().Get("X-Request-Id"))
	as.Contains(as.log.String(), "request_id=proxy-4711")
	for _, bad := range []string{"", "short", strings.Repeat("x", 65), "with space", "quote\"quote", "new\nline", "<script>"} {
		made := as.raw("GET", "/", "", "X-Request-Id", bad).Header().Get("X-Request-Id")
		as.Len(made, 26, bad)
		as.Contains(as.log.String(), made)
	}
}

func (as *ActionSuite) Test_Refuse_methods_that_no_route_has() {
	as.open()
	for path, allow := range map[string]string{"/": "GET, HEAD", "/heroes": "POST", "/nowhere": ""} {
		for _, method := range []string{"TRACE", "PATCH", "BREW"} {
			res := as.raw(method, path, "")
			as.Equal(allow, res.Header().Get("Allow"), path)
			if allow == "" {
				as.Equal(http.StatusNotFound, res.Code, method)
				continue
			}
			as.Equal(http.StatusMethodNotAllowed, res.Code, method)
			as.Contains(res.Body.String(), "does not accept this kind of request")
		}
	}
	as.Equal("POST", as.raw("GET", "/heroes/", "").Header().Get("Allow"))
	as.Equal("GET, HEAD", as.raw("DELETE", "/success", "").Header().Get("Allow"))
}

func (as *ActionSuite) Test_Refuse_bodies_that_are_no_form_or_broken() {
	as.open()
	const form = "application/x-www-form-urlencoded"
	for _, c := range []struct {
		body, kind string
		status     int
	}{
		{hero().Encode(), form, http.StatusSeeOther},
		{hero().Encode(), form + "; charset=UTF-8", http.StatusSeeOther},
		{hero().Encode(), "", http.StatusUnsupportedMediaType},
		{hero().Encode(), "text/plain", http.StatusUnsupportedMediaType},
		{`{"name":"a"}`, "application/json", http.StatusUnsupportedMediaType},
		{"--x--", "multipart/form-data; boundary=x", http.StatusUnsupportedMediaType},
		{"name=%zz", form, http.StatusBadRequest},
		{"name=a;b", form, http.StatusBadRequest},
		{"", "", http.StatusUnprocessableEntity},
		{hero().Encode() + strings.Repeat("&x=", 100-len(Fields)), form, http.StatusSeeOther},
		{hero().Encode() + strings.Repeat("&x=", 101-len(Fields)), form, http.StatusBadRequest},
	} {
		res := as.raw("POST", "/heroes", c.body, "Content-Type", c.kind)
		as.Equal(c.status, res.Code, c.body+" "+c.kind)
		as.Equal(c.status == http.StatusSeeOther, len(res.Header()["Set-Cookie"]) == 1)
	}
}
