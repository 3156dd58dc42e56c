package actions

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"heroes/session"
	"heroes/session/buffalosession"

	"github.com/gobuffalo/buffalo"
	"github.com/gobuffalo/httptest"
	"github.com/gorilla/sessions"
)

func Test_App_gives_no_cookie_to_a_visitor_who_stored_nothing(t *testing.T) {
	b := open(t)
	for _, path := range []string{"/", "/heroes/new", "/nowhere", "/robots.txt", "/assets/favicon.svg", files.Path("assets/application.css")} {
		b.get(path)
		b.Empty(b.jar, path)
	}
	b.post("/heroes", nil)
	b.post("/nowhere", nil)
	b.Empty(b.jar)
}

func Test_App_sets_no_cookie_with_a_page_that_changes_nothing(t *testing.T) {
	b := open(t)
	b.post("/heroes", superman())
	b.get("/success") // uses up the flash
	for _, path := range []string{"/success", "/", "/nowhere"} {
		b.Empty(b.get(path).Header()["Set-Cookie"], path)
	}
}

func Test_App_names_and_guards_the_cookie_as_the_environment_asks(t *testing.T) {
	for env, want := range map[string]string{
		"development": "_heroes_session",
		"test":        "_heroes_session",
		"production":  "__Host-heroes_session",
		"staging":     "__Host-heroes_session",
	} {
		b := open(t, env)
		b.post("/heroes", superman())
		b.Contains(b.jar, want, env)
	}
	b := open(t)
	c := b.post("/heroes", superman()).Result().Cookies()[0]
	b.Equal([]any{"/", "", true, true, http.SameSiteLaxMode}, []any{c.Path, c.Domain, c.HttpOnly, c.Secure, c.SameSite})
}

func Test_App_refuses_a_change_that_another_origin_asks_for(t *testing.T) {
	for name, value := range map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"} {
		b := open(t)
		b.header[name] = value
		res := b.post("/heroes", superman())
		b.Equal(http.StatusForbidden, res.Code)
		b.Contains(res.Body.String(), "Not from here")
		b.Empty(b.jar)
		b.Equal(http.StatusOK, b.get("/").Code, "a link from there is fine")
	}
	b := open(t)
	b.header["Sec-Fetch-Site"] = "same-origin"
	b.Equal(http.StatusSeeOther, b.post("/heroes", superman()).Code)
}

func Test_App_refuses_a_body_over_64_KiB(t *testing.T) {
	b := open(t)
	form := superman()
	form.Set("padding", strings.Repeat("x", maxBody))
	res := b.post("/heroes", form)
	b.Equal(http.StatusRequestEntityTooLarge, res.Code)
	b.Contains(res.Body.String(), "64 KB")
	b.Empty(b.jar)

	form.Set("padding", strings.Repeat("x", maxBody-200))
	b.Equal(http.StatusSeeOther, b.post("/heroes", form).Code)

	for _, request := range []string{"POST /heroes", "DELETE /session", "GET /"} {
		method, path, _ := strings.Cut(request, " ")
		r, err := http.NewRequest(method, path, strings.NewReader(strings.Repeat("x", maxBody+1)))
		b.NoError(err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.ContentLength = -1 // chunked
		w := httptest.NewRecorder()
		b.handler.ServeHTTP(w, r)
		b.Equal(http.StatusRequestEntityTooLarge, w.Code, request)
	}
}

func Test_App_overrides_the_method_for_DELETE_in_the_body_alone(t *testing.T) {
	b := open(t)
	b.app.DELETE("/hero", func(c buffalo.Context) error { return c.Redirect(http.StatusSeeOther, "/gone") })
	b.app.POST("/hero", func(c buffalo.Context) error { return c.Redirect(http.StatusSeeOther, "/posted") })
	b.Equal("/gone", b.post("/hero", url.Values{"_method": {"DELETE"}}).Location())
	b.Equal("/posted", b.post("/hero", url.Values{"_method": {"GET"}}).Location())
	b.Equal("/posted", b.post("/hero?_method=DELETE", url.Values{}).Location())
}

func Test_App_answers_HEAD_as_GET(t *testing.T) {
	b := open(t)
	head := func(r *httptest.Request) *httptest.Response {
		res, err := r.Do("HEAD", url.Values{})
		b.NoError(err)
		return res
	}
	b.Equal(http.StatusOK, b.send(head, "/").Code)
	b.Equal(http.StatusOK, b.send(head, "/robots.txt").Code)
	b.Equal(http.StatusNotFound, b.send(head, "/nowhere").Code)
}

func Test_App_serves_assets_for_good_under_a_name_of_their_content(t *testing.T) {
	b := open(t)
	path := files.Path("assets/application.css")
	b.Contains(b.get("/").Body.String(), `href="`+path+`"`)
	res := b.get(path)
	b.Equal(http.StatusOK, res.Code)
	b.Contains(res.Header().Get("Content-Type"), "text/css")
	b.Contains(res.Header().Get("Cache-Control"), "max-age=31536000")
	b.Less(res.Body.Len(), 8<<10)
	b.NotEqual(http.StatusOK, b.get("/assets/").Code, "no list of files")
	b.Equal(http.StatusNotFound, b.get("/assets/embed.go").Code)
}

func Test_App_a_store_that_cannot_be_reached_is_503_and_leaves_the_cookie_alone(t *testing.T) {
	b := open(t)
	b.app.GET("/outage", func(c buffalo.Context) error { return fmt.Errorf("saving: %w", session.ErrUnavailable) })
	b.post("/heroes", superman())
	before := b.jar[b.app.SessionName]
	res := b.get("/outage")
	b.Equal(http.StatusServiceUnavailable, res.Code)
	b.Equal("5", res.Header().Get("Retry-After"))
	b.Contains(res.Body.String(), "Back in a moment")
	b.Empty(res.Header()["Set-Cookie"])
	b.Equal(before, b.jar[b.app.SessionName])
}

func Test_Errors_each_status_has_a_page_in_the_layout(t *testing.T) {
	b := open(t)
	b.app.GET("/status/{status}", func(c buffalo.Context) error {
		var status int
		_, err := fmt.Sscan(c.Param("status"), &status)
		b.NoError(err)
		return c.Error(status, errors.New("what only the log may know"))
	})
	for status := range errorPages {
		res := b.get(fmt.Sprint("/status/", status))
		page := res.Body.String()
		b.Equal(status, res.Code)
		b.Contains(page, `<html lang="en" dir="ltr">`)
		b.Contains(page, `<a class="brand" href="/">`)
		b.Contains(page, "<h1>")
		b.NotContains(page, "errors.", "a word is missing")
		b.NotContains(page, "what only the log may know")
	}
	b.Contains(b.get("/status/418").Body.String(), "This did not work")
	b.Contains(b.get("/status/507").Body.String(), "The fault is ours")
	b.Equal(http.StatusNotFound, b.get("/nowhere").Code)
	b.Equal(http.StatusMethodNotAllowed, b.send(func(r *httptest.Request) *httptest.Response { return r.Delete() }, "/").Code)
}

func Test_Errors_tell_the_visitor_nothing_and_the_developer_all(t *testing.T) {
	for _, env := range []string{"production", "development"} {
		b := open(t, env)
		b.app.GET("/panic", func(buffalo.Context) error { panic("the secret reason") })
		b.app.GET("/error", func(buffalo.Context) error { return errors.New("the secret reason") })
		for _, path := range []string{"/panic", "/error"} {
			res := b.get(path)
			b.Equal(http.StatusInternalServerError, res.Code)
			b.Contains(res.Body.String(), "Something went wrong")
			b.Equal(env == "development", strings.Contains(res.Body.String(), "the secret reason"), env)
			b.Equal(env == "development", strings.Contains(res.Body.String(), "goroutine"), env)
			b.Contains(b.log.String(), "the secret reason")
		}
	}
}

func Test_Errors_a_page_that_fails_is_answered_in_plain_text(t *testing.T) {
	b := open(t)
	b.app.Use(func(next buffalo.Handler) buffalo.Handler {
		return func(c buffalo.Context) error {
			c.Set("len", "what the layout does not expect")
			return next(c)
		}
	})
	b.app.GET("/broken", func(buffalo.Context) error { return errors.New("broken") })
	res := b.get("/broken")
	b.Equal(http.StatusInternalServerError, res.Code)
	b.Equal("Internal Server Error\n", res.Body.String())
}

func Test_Errors_leave_the_flash_for_the_next_page(t *testing.T) {
	b := open(t)
	b.post("/heroes", superman())
	b.NotContains(b.get("/nowhere").Body.String(), "is registered.")
	b.Contains(b.get("/success").Body.String(), "is registered.")
}

func Test_Errors_a_change_is_saved_with_400_and_dropped_with_500(t *testing.T) {
	b := open(t)
	b.app.GET("/change/{status}", func(c buffalo.Context) error {
		var status int
		_, err := fmt.Sscan(c.Param("status"), &status)
		b.NoError(err)
		c.Session().Set("name", c.Param("status"))
		c.Flash().Add("info", "flash "+c.Param("status"))
		if status == 200 {
			_, err := c.Response().Write([]byte("bare"))
			return err
		}
		return c.Error(status, errors.New("no"))
	})
	for _, status := range []string{"404", "200"} {
		b.get("/change/" + status)
		b.Equal(status, b.session()["name"])
		b.Contains(b.get("/").Body.String(), "flash "+status, "and so is the flash")
	}
	b.get("/change/500")
	b.Equal("200", b.session()["name"])
}

func Test_Buffalo_a_session_of_another_store_is_not_taken_for_ours(t *testing.T) {
	b := open(t)
	b.app.GET("/renew", func(c buffalo.Context) error {
		other, err := sessions.NewCookieStore([]byte("x")).Get(c.Request(), "other")
		b.NoError(err)
		c.Session().Session = other
		b.ErrorContains(buffalosession.Renew(c), "CookieStore")
		b.ErrorContains(buffalosession.Destroy(c), "CookieStore")
		return c.Error(http.StatusTeapot, errors.New("done"))
	})
	b.Equal(http.StatusTeapot, b.get("/renew").Code)
}
