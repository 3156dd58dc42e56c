package actions

import (
	"net/http"
	"net/url"
	"time"

	"heroes/session/backendtest"

	"github.com/gobuffalo/buffalo"
)

func (as *ActionSuite) Test_Server_the_lesson_is_the_same_with_sessions_on_a_server() {
	as.open(on(&backendtest.Memory{}))
	as.HTML("/").Get()
	as.Empty(as.jar)
	as.Equal("/success", as.HTML("/heroes").Post(hero()).Location())
	token := as.jar[as.App.SessionName]
	as.Len(token, 64, "and nothing else is in the browser")
	as.Contains(as.HTML("/success").Get().Body.String(), "\u2068Superman\u2069 is registered.")
	as.NotContains(as.HTML("/success").Get().Body.String(), "\u2068Superman\u2069 is registered.")
	as.Equal(http.StatusUnprocessableEntity, as.HTML("/heroes").Post(nil).Code)
	as.Equal(token, as.jar[as.App.SessionName])

	as.HTML("/heroes").Post(hero())
	as.Equal(token, as.jar[as.App.SessionName], "a new hero keeps the session")
	copied := as.jar[as.App.SessionName]
	as.HTML("/session").Post(url.Values{"_method": {"DELETE"}})
	as.Contains(as.HTML("/").Get().Body.String(), "Your session has ended. Your browser no longer has your hero.")
	as.Empty(as.jar)
	as.jar[as.App.SessionName] = copied
	as.Equal("/heroes/new?notice=missing", as.HTML("/success").Get().Location(), "a copy of the old cookie is dead")
}

func (as *ActionSuite) Test_Server_while_the_store_is_down_visitors_get_503_and_keep_their_session() {
	memory := &backendtest.Memory{}
	as.open(on(memory), in("production"))
	as.App.GET("/outage", func(c buffalo.Context) error {
		memory.SetDown(true) // between reading and saving
		c.Session().Set("name", "Batman")
		return c.Redirect(http.StatusSeeOther, "/success")
	})
	as.HTML("/heroes").Post(hero())
	as.HTML("/success").Get()
	as.HTML("/language").Post(url.Values{"language": {"es"}})
	memory.SetDown(false)
	as.App.GET("/change", func(c buffalo.Context) error {
		memory.SetDown(true)
		c.Session().Set("lang", "fr")
		return c.Redirect(http.StatusSeeOther, "/")
	})
	as.Contains(as.HTML("/change").Get().Body.String(), `<html lang="es"`, "in the language that is stored")
	memory.SetDown(false)
	as.HTML("/language").Post(url.Values{"language": {"en"}})
	res := as.HTML("/outage").Get()
	as.Equal(http.StatusServiceUnavailable, res.Code)
	as.Equal("5", res.Header().Get("Retry-After"))
	as.Empty(res.Location())
	as.Contains(res.Body.String(), "Back in a moment")
	as.Empty(res.Header()["Set-Cookie"])
	for _, path := range []string{"/", "/success", "/heroes/new"} {
		res := as.HTML(path).Get()
		as.Equal(http.StatusServiceUnavailable, res.Code, path)
		as.Equal("5", res.Header().Get("Retry-After"), path)
		as.Contains(res.Body.String(), "Back in a moment", path)
		as.Empty(res.Header()["Set-Cookie"], path)
	}
	as.Equal(http.StatusServiceUnavailable, as.HTML("/heroes").Post(hero()).Code)
	as.Equal(http.StatusServiceUnavailable, as.HTML("/readyz").Get().Code)
	as.Equal(http.StatusOK, as.HTML("/healthz").Get().Code)
	as.NotContains(as.log.String(), "Clark Kent")

	memory.SetDown(false)
	as.Eventually(func() bool { return as.HTML("/readyz").Get().Code == http.StatusOK }, time.Second, 10*time.Millisecond)
	as.Contains(as.HTML("/success").Get().Body.String(), "Clark Kent")
}

func (as *ActionSuite) Test_Server_a_change_to_a_session_that_was_ended_says_so() {
	as.open(on(&backendtest.Memory{}))
	as.App.GET("/slow", func(c buffalo.Context) error {
		as.NoError(as.store().RevokeAll(c))
		c.Session().Set("name", "Batman")
		return c.Redirect(http.StatusSeeOther, "/success")
	})
	as.App.GET("/unsaveable", func(c buffalo.Context) error {
		c.Session().Set("name", struct{}{})
		_, err := c.Response().Write([]byte("the answer"))
		return err
	})
	as.HTML("/heroes").Post(hero())
	res := as.HTML("/slow").Get()
	as.Equal(http.StatusConflict, res.Code)
	as.Contains(res.Body.String(), "Please try again")
	res = as.HTML("/unsaveable").Get()
	as.Equal(http.StatusInternalServerError, res.Code)
	as.Contains(res.Body.String(), "This is our fault")
	as.NotContains(res.Body.String(), "the answer")
	as.Contains(as.log.String(), "struct")
}
