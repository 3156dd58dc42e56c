package actions

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/gobuffalo/httptest"
)

func Test_Session_Destroy_forgets_the_visitor_and_says_so(t *testing.T) {
	byForm := func(r *httptest.Request) *httptest.Response { return r.Post(url.Values{"_method": {"DELETE"}}) }
	byMethod := func(r *httptest.Request) *httptest.Response { return r.Delete() }
	for _, send := range []func(*httptest.Request) *httptest.Response{byForm, byMethod} {
		for _, path := range []string{"/session", "/session/"} {
			b := open(t)
			b.post("/heroes", superman())
			res := b.send(send, path)
			b.Equal(http.StatusSeeOther, res.Code)
			b.Equal("/", res.Location())
			b.Empty(b.session())
			page := b.get("/").Body.String()
			b.Contains(page, "You are forgotten.")
			b.NotContains(page, "is registered.", "the flash from before is forgotten too")
			b.Empty(b.jar, "the flash is read and the cookie is gone")
			b.Equal("/", b.get("/success").Location())
		}
	}
}

func Test_Session_Destroy_is_refused_to_other_origins(t *testing.T) {
	b := open(t)
	b.post("/heroes", superman())
	b.header["Origin"] = "https://evil.example"
	b.Equal(http.StatusForbidden, b.post("/session", url.Values{"_method": {"DELETE"}}).Code)
	b.Equal("Superman", b.session()["name"])
}

func Test_Session_every_page_of_a_visitor_with_a_session_can_forget_it(t *testing.T) {
	b := open(t)
	for _, path := range []string{"/", "/heroes/new", "/nowhere"} {
		b.NotContains(b.get(path).Body.String(), "Forget me", path)
	}
	b.post("/heroes", superman())
	for _, path := range []string{"/", "/heroes/new", "/success", "/nowhere"} {
		b.Contains(b.get(path).Body.String(), "Forget me", path)
	}
	b.Contains(b.post("/heroes", nil).Body.String(), "Forget me")
}

func Test_Health_answers_without_a_cookie_and_without_a_session(t *testing.T) {
	b := open(t, "production")
	b.post("/heroes", superman())
	for path, want := range map[string]string{"/healthz": "ok\n", "/healthz/": "ok\n", "/readyz": "ready\n", "/readyz/": "ready\n"} {
		res := b.get(path)
		b.Equal(http.StatusOK, res.Code, path)
		b.Equal(want, res.Body.String())
		b.Empty(res.Header()["Set-Cookie"])
		b.Empty(res.Header()["Vary"], "it read no session")
	}
}

func Test_Session_whose_cookie_the_browser_does_not_keep_is_said_to_need_one(t *testing.T) {
	b := open(t)
	res := b.raw("GET", "/success", "", "Referer", "http://example.com/heroes/new")
	b.Equal(http.StatusOK, res.Code, "no redirect, which could loop")
	b.Contains(res.Body.String(), "a session needs one")
	b.Contains(res.Body.String(), `<form action="/heroes"`)

	for _, elsewhere := range []string{"", "http://evil.example/", "://"} {
		b.Equal("/", b.raw("GET", "/success", "", "Referer", elsewhere).Header().Get("Location"), elsewhere)
	}
	b.post("/session", url.Values{"_method": {"DELETE"}})
	cookie := b.app.SessionName + "=" + b.jar[b.app.SessionName]
	res = b.raw("GET", "/success", "", "Referer", "http://example.com/", "Cookie", cookie)
	b.Equal("/", res.Header().Get("Location"), "this one keeps cookies")
}
