package actions

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"heroes/config"
	"heroes/session/backendtest"

	"github.com/gobuffalo/httptest"
)

func (as *ActionSuite) Test_Session_Destroy_forgets_the_visitor_and_says_so() {
	byForm := func(path string) *httptest.Response { return as.HTML(path).Post(url.Values{"_method": {"DELETE"}}) }
	byMethod := func(path string) *httptest.Response { return as.HTML(path).Delete() }
	for _, send := range []func(string) *httptest.Response{byForm, byMethod} {
		for _, path := range []string{"/session", "/session/"} {
			as.open()
			as.HTML("/heroes").Post(hero())
			res := send(path)
			as.Equal(http.StatusSeeOther, res.Code)
			as.Equal("/", res.Location())
			as.Empty(as.Session.Values())
			page := as.HTML("/").Get().Body.String()
			as.Contains(page, "Your session has ended. Your browser no longer has your hero.")
			as.NotContains(page, "is registered.", "the flash from before is forgotten too")
			as.Empty(as.jar, "the flash is read and the cookie is gone")
			as.Equal("/heroes/new?notice=missing", as.HTML("/success").Get().Location())
		}
	}
}

func (as *ActionSuite) Test_Session_Destroy_is_refused_to_other_origins() {
	as.open()
	as.HTML("/heroes").Post(hero())
	as.header["Origin"] = "https://evil.example"
	as.Equal(http.StatusForbidden, as.HTML("/session").Post(url.Values{"_method": {"DELETE"}}).Code)
	as.Equal("Superman", as.Session.Get("name"))
}

func (as *ActionSuite) Test_Session_every_page_of_a_visitor_with_a_session_can_forget_it() {
	as.open()
	for _, path := range []string{"/", "/heroes/new", "/nowhere"} {
		as.NotContains(as.HTML(path).Get().Body.String(), "Forget me", path)
	}
	as.HTML("/heroes").Post(hero())
	for _, path := range []string{"/", "/heroes/new", "/success", "/nowhere"} {
		as.Contains(as.HTML(path).Get().Body.String(), "Forget me", path)
	}
	as.Contains(as.HTML("/heroes").Post(nil).Body.String(), "Forget me")
}

func (as *ActionSuite) Test_Health_answers_without_a_cookie_and_without_a_session() {
	as.open(in("production"))
	as.HTML("/heroes").Post(hero())
	for path, want := range map[string]string{"/healthz": "ok\n", "/healthz/": "ok\n", "/readyz": "ready\n", "/readyz/": "ready\n"} {
		res := as.HTML(path).Get()
		as.Equal(http.StatusOK, res.Code, path)
		as.Equal(want, res.Body.String())
		as.Empty(res.Header()["Set-Cookie"])
		as.Empty(res.Header()["Vary"], "it read no session")
	}
}

func (as *ActionSuite) Test_Session_whose_cookie_does_not_come_back_is_said_to_be_over_or_not_kept() {
	as.open()
	to := func(header ...string) string {
		return as.raw("GET", "/success", "", header...).Header().Get("Location")
	}
	as.Equal("/heroes/new?notice=cookies", to("Referer", "http://example.com/heroes/new"))
	for _, elsewhere := range []string{"", "http://evil.example/", "://"} {
		as.Equal("/heroes/new?notice=missing", to("Referer", elsewhere), elsewhere)
	}
	as.HTML("/session").Post(url.Values{"_method": {"DELETE"}})
	cookie := as.App.SessionName + "=" + as.jar[as.App.SessionName]
	as.Equal("/heroes/new?notice=missing", to("Referer", "http://example.com/", "Cookie", cookie), "this browser keeps cookies")

	as.Contains(as.HTML("/heroes/new?notice=cookies").Get().Body.String(), "Your session has ended, or your browser does not keep cookies")
	as.Contains(as.HTML("/heroes/new?notice=missing").Get().Body.String(), "There is no hero yet.")
	for _, unknown := range []string{"", "created", "<b>", "missing.x"} {
		as.NotContains(as.HTML("/heroes/new?notice="+url.QueryEscape(unknown)).Get().Body.String(), `role="status"`)
	}
	as.HTML("/heroes").Post(hero())
	as.HTML("/success").Get()
	as.NotContains(as.HTML("/heroes/new?notice=missing").Get().Body.String(), "There is no hero yet.", "there is one")
}

// A session that is bound to a device is of no use elsewhere, and can be ended there.
func (as *ActionSuite) Test_Session_that_is_bound_says_so_to_a_browser_without_the_key() {
	as.open(func(c *config.Config) { c.Session.DeviceProof, c.Session.Grace = 8*time.Minute, time.Second })
	b := backendtest.NewBoundBrowser(as.T(), as.handler)
	post := func(b *backendtest.BoundBrowser, path string, form url.Values) (*http.Response, string) {
		r := b.Request(http.MethodPost, path)
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(form.Encode())), int64(len(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return b.Send(r)
	}
	res, _ := post(b, "/heroes", hero())
	as.Equal(http.StatusSeeOther, res.StatusCode)
	b.Register(res.Header.Get("Secure-Session-Registration"))
	for range 3 {
		_, page := b.Get("/success")
		as.Contains(page, hero().Get("name"))
	}
	as.Contains(as.log.String(), "session=bound")
	_, page := b.Get("/session")
	as.Contains(page, "Every few minutes the browser proves that it has the key.")
	as.Contains(page, "bound to this one: a copy of the cookies works for a few minutes at most")

	time.Sleep(1100 * time.Millisecond)
	other := b.Copy()
	delete(other.Cookies, b.Binding.Credentials[0].Name)
	_, page = other.Get("/session")
	as.Contains(page, "You have no session.")
	res, page = post(other, "/heroes", hero())
	as.Equal(http.StatusConflict, res.StatusCode)
	as.Empty(res.Header["Set-Cookie"])
	as.Contains(page, "Your browser could not be verified")
	as.Contains(page, "Forget me</button>")
	res, _ = post(other, "/session", url.Values{"_method": {"DELETE"}})
	as.Equal(http.StatusSeeOther, res.StatusCode)
	res, _ = post(other, "/heroes", hero())
	as.Equal(http.StatusSeeOther, res.StatusCode)
	_, page = b.Get("/success")
	as.Contains(page, hero().Get("name"), "in a cookie, the browser still has its own")
}
