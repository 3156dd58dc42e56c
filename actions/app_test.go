package actions

import (
	"errors"
	"fmt"
	"net/http"
	nethttptest "net/http/httptest"
	"net/url"
	"strings"

	"heroes/edge"
	"heroes/session"
	"heroes/session/backendtest"

	"github.com/gobuffalo/buffalo"
	"github.com/gobuffalo/httptest"
)

func (as *ActionSuite) Test_App_gives_no_cookie_to_a_visitor_who_stored_nothing() {
	as.open()
	for _, path := range []string{"/", "/heroes/new", "/nowhere", "/robots.txt", "/assets/favicon.svg", as.stylesheet()} {
		as.HTML(path).Get()
		as.Empty(as.jar, path)
	}
	as.HTML("/heroes").Post(nil)
	as.HTML("/nowhere").Post(nil)
	as.Empty(as.jar)
}

func (as *ActionSuite) Test_App_sets_no_cookie_with_a_page_that_changes_nothing() {
	as.open()
	as.HTML("/heroes").Post(hero())
	as.HTML("/success").Get() // uses up the flash
	for _, path := range []string{"/success", "/", "/nowhere"} {
		as.Empty(as.HTML(path).Get().Header()["Set-Cookie"], path)
	}
}

func (as *ActionSuite) Test_App_names_and_guards_the_cookie_as_the_environment_asks() {
	for env, want := range map[string]string{
		"development": "_heroes_session",
		"test":        "_heroes_session",
		"production":  "__Host-heroes_session",
		"staging":     "__Host-heroes_session",
	} {
		as.open(in(env))
		as.HTML("/heroes").Post(hero())
		as.Contains(as.jar, want, env)
	}
	as.open(in("production"))
	c := as.HTML("/heroes").Post(hero()).Result().Cookies()[0]
	as.Equal([]any{"/", "", true, true, http.SameSiteLaxMode}, []any{c.Path, c.Domain, c.HttpOnly, c.Secure, c.SameSite})
}

func (as *ActionSuite) Test_App_refuses_a_change_that_another_origin_asks_for() {
	for name, value := range map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"} {
		as.open()
		as.header[name] = value
		res := as.HTML("/heroes").Post(hero())
		as.Equal(http.StatusForbidden, res.Code)
		as.Contains(res.Body.String(), "came from another site")
		as.Empty(as.jar)
		as.Equal(http.StatusOK, as.HTML("/").Get().Code, "a link from there is fine")
	}
	as.open()
	as.header["Sec-Fetch-Site"] = "same-origin"
	as.Equal(http.StatusSeeOther, as.HTML("/heroes").Post(hero()).Code)
}

func (as *ActionSuite) Test_App_refuses_a_body_over_64_KiB() {
	as.open()
	form := hero()
	form.Set("padding", strings.Repeat("x", edge.MaxBody))
	res := as.HTML("/heroes").Post(form)
	as.Equal(http.StatusRequestEntityTooLarge, res.Code)
	as.Contains(res.Body.String(), "64 KB")
	as.Empty(as.jar)

	form.Set("padding", strings.Repeat("x", edge.MaxBody-200))
	as.Equal(http.StatusSeeOther, as.HTML("/heroes").Post(form).Code)

	for _, request := range []string{"POST /heroes", "DELETE /session", "GET /"} {
		method, path, _ := strings.Cut(request, " ")
		r, err := http.NewRequest(method, path, strings.NewReader(strings.Repeat("x", edge.MaxBody+1)))
		as.NoError(err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.ContentLength = -1 // chunked
		w := httptest.NewRecorder()
		as.handler.ServeHTTP(w, r)
		as.Equal(http.StatusRequestEntityTooLarge, w.Code, request)
	}
}

func (as *ActionSuite) Test_App_overrides_the_method_for_DELETE_in_the_body_alone() {
	as.open()
	as.App.DELETE("/hero", func(c buffalo.Context) error { return c.Redirect(http.StatusSeeOther, "/gone") })
	as.App.POST("/hero", func(c buffalo.Context) error { return c.Redirect(http.StatusSeeOther, "/posted") })
	as.Equal("/gone", as.HTML("/hero").Post(url.Values{"_method": {"DELETE"}}).Location())
	as.Equal("/posted", as.HTML("/hero").Post(url.Values{"_method": {"GET"}}).Location())
	as.Equal("/posted", as.HTML("/hero?_method=DELETE").Post(url.Values{}).Location())
}

func (as *ActionSuite) Test_App_answers_HEAD_as_GET() {
	as.open()
	for path, status := range map[string]int{"/": 200, "/robots.txt": 200, "/nowhere": 404} {
		res, err := as.HTML(path).Do("HEAD", url.Values{})
		as.NoError(err)
		as.Equal(status, res.Code, path)
	}
}

func (as *ActionSuite) Test_App_serves_assets_for_good_under_a_name_of_their_content() {
	as.open()
	path := as.stylesheet()
	as.Contains(as.HTML("/").Get().Body.String(), `href="`+path+`"`)
	res := as.HTML(path).Get()
	as.Equal(http.StatusOK, res.Code)
	as.Contains(res.Header().Get("Content-Type"), "text/css")
	as.Contains(res.Header().Get("Cache-Control"), "max-age=31536000")
	as.Less(res.Body.Len(), 8<<10)
	as.NotEqual(http.StatusOK, as.HTML("/assets/").Get().Code, "no list of files")
	as.Equal(http.StatusNotFound, as.HTML("/assets/embed.go").Get().Code)
}

func (as *ActionSuite) Test_App_a_store_that_cannot_be_reached_is_503_and_leaves_the_cookie_alone() {
	as.open()
	as.App.GET("/outage", func(c buffalo.Context) error { return fmt.Errorf("saving: %w", session.ErrUnavailable) })
	as.HTML("/heroes").Post(hero())
	before := as.jar[as.App.SessionName]
	res := as.HTML("/outage").Get()
	as.Equal(http.StatusServiceUnavailable, res.Code)
	as.Equal("5", res.Header().Get("Retry-After"))
	as.Contains(res.Body.String(), "Back in a moment")
	as.Empty(res.Header()["Set-Cookie"])
	as.Equal(before, as.jar[as.App.SessionName])
}

func (as *ActionSuite) Test_Errors_each_status_has_a_page_in_the_layout() {
	as.open()
	as.App.GET("/status/{status}", func(c buffalo.Context) error {
		var status int
		_, err := fmt.Sscan(c.Param("status"), &status)
		as.NoError(err)
		return c.Error(status, errors.New("what only the log may know"))
	})
	for status := range errorTexts {
		res := as.HTML(fmt.Sprint("/status/", status)).Get()
		page := res.Body.String()
		as.Equal(status, res.Code)
		as.Contains(page, `<html lang="en" dir="ltr">`)
		as.Contains(page, `<a class="brand" href="/">`)
		as.Contains(page, "<h1>")
		as.NotContains(page, "errors.", "a word is missing")
		as.NotContains(page, "what only the log may know")
	}
	as.Contains(as.HTML("/status/418").Get().Body.String(), "This did not work")
	as.Contains(as.HTML("/status/507").Get().Body.String(), "This is our fault")
	as.Equal(http.StatusNotFound, as.HTML("/nowhere").Get().Code)
	as.Equal(http.StatusMethodNotAllowed, as.HTML("/").Delete().Code)
}

func (as *ActionSuite) Test_Errors_are_JSON_for_a_client_that_asks_for_it() {
	memory := &backendtest.Memory{}
	as.open(on(memory))
	as.App.GET("/conflict", func(c buffalo.Context) error {
		as.NoError(as.store().RevokeAll(c))
		c.Session().Set("name", "Batman")
		return c.Render(http.StatusOK, r.JSON("saved"))
	})
	as.HTML("/heroes").Post(hero())
	is := func(res *httptest.JSONResponse, status int, detail string) {
		as.Equal(status, res.Code)
		as.Equal("application/problem+json", res.Header().Get("Content-Type"))
		as.Contains(res.Header()["Vary"], "Accept")
		var got edge.Problem
		res.Bind(&got)
		as.Equal(status, got.Status)
		as.Contains(got.Detail, detail)
	}
	is(as.JSON("/conflict").Get(), 409, "changed your session at the same moment")
	is(as.JSON("/nowhere").Get(), 404, "no such page")
	is(as.JSON("/").Post(nil), 415, "only forms")
	is(as.JSON("/heroes").Get(), 405, "kind of request")
	memory.SetDown(true)
	is(as.JSON("/").Get(), 503, "cannot reach")
	as.header = map[string]string{"Accept": "text/html,application/json"}
	as.Contains(as.HTML("/nowhere").Get().Body.String(), "<h1>")
}

func (as *ActionSuite) Test_Errors_tell_the_visitor_nothing_and_the_developer_all() {
	for _, env := range []string{"production", "development"} {
		as.open(in(env))
		as.App.GET("/panic", func(buffalo.Context) error { panic("the secret reason") })
		as.App.GET("/error", func(buffalo.Context) error { return errors.New("the secret reason") })
		for _, path := range []string{"/panic", "/error"} {
			res := as.HTML(path).Get()
			as.Equal(http.StatusInternalServerError, res.Code)
			as.Contains(res.Body.String(), "Something went wrong")
			as.Equal(env == "development", strings.Contains(res.Body.String(), "the secret reason"), env)
			as.Equal(env == "development", strings.Contains(res.Body.String(), "goroutine"), env)
			as.Contains(as.log.String(), "the secret reason")
		}
	}
}

func (as *ActionSuite) Test_Errors_a_page_that_fails_is_answered_in_plain_text() {
	as.open()
	w := nethttptest.NewRecorder()
	broken := errorPages{as.App, new(site)} // it has no words
	broken.write(w, nethttptest.NewRequest("GET", "/", nil), 500, errors.New("broken"))
	as.Equal(http.StatusInternalServerError, w.Code)
	as.Equal("Internal Server Error\n", w.Body.String())
}

func (as *ActionSuite) Test_Errors_leave_the_flash_for_the_next_page() {
	as.open()
	as.HTML("/heroes").Post(hero())
	as.NotContains(as.HTML("/nowhere").Get().Body.String(), "is registered.")
	as.Contains(as.HTML("/success").Get().Body.String(), "is registered.")
}

func (as *ActionSuite) Test_Errors_a_change_is_saved_with_400_and_dropped_with_500() {
	as.open()
	as.App.GET("/change/{status}", func(c buffalo.Context) error {
		var status int
		_, err := fmt.Sscan(c.Param("status"), &status)
		as.NoError(err)
		c.Session().Set("name", c.Param("status"))
		c.Flash().Add("info", "flash "+c.Param("status"))
		if status == 200 {
			_, err := c.Response().Write([]byte("bare"))
			return err
		}
		return c.Error(status, errors.New("no"))
	})
	for _, status := range []string{"404", "200"} {
		as.HTML("/change/" + status).Get()
		as.Equal(status, as.Session.Get("name"))
		as.Contains(as.HTML("/").Get().Body.String(), "flash "+status, "and so is the flash")
	}
	as.HTML("/change/500").Get()
	as.Equal("200", as.Session.Get("name"))
}
