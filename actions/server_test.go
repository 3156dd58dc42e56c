package actions

import (
	"net/http"
	"net/url"
	"testing"

	"heroes/session/backendtest"

	"github.com/gobuffalo/buffalo"
)

func Test_Server_the_lesson_is_the_same_with_sessions_on_a_server(t *testing.T) {
	b := openOn(t, &backendtest.Memory{})
	b.get("/")
	b.Empty(b.jar)
	b.Equal("/success", b.post("/heroes", superman()).Location())
	token := b.jar[b.app.SessionName]
	b.Len(token, 64, "and nothing else is in the browser")
	b.Contains(b.get("/success").Body.String(), "\u2068Superman\u2069 is registered.")
	b.NotContains(b.get("/success").Body.String(), "\u2068Superman\u2069 is registered.")
	b.Equal(http.StatusUnprocessableEntity, b.post("/heroes", nil).Code)
	b.Equal(token, b.jar[b.app.SessionName])

	b.post("/heroes", superman())
	b.Equal(token, b.jar[b.app.SessionName], "a new hero keeps the session")
	copied := b.jar[b.app.SessionName]
	b.post("/session", url.Values{"_method": {"DELETE"}})
	b.Contains(b.get("/").Body.String(), "You are forgotten.")
	b.Empty(b.jar)
	b.jar[b.app.SessionName] = copied
	b.Equal("/", b.get("/success").Location(), "a copy of the old cookie is dead")
}

func Test_Server_while_the_store_is_down_visitors_get_503_and_keep_their_session(t *testing.T) {
	memory := &backendtest.Memory{}
	b := openOn(t, memory, "production")
	b.app.GET("/outage", func(c buffalo.Context) error {
		memory.SetDown(true) // between reading and saving
		c.Session().Set("name", "Batman")
		return c.Redirect(http.StatusSeeOther, "/success")
	})
	b.post("/heroes", superman())
	b.get("/success")
	res := b.get("/outage")
	b.Equal(http.StatusServiceUnavailable, res.Code)
	b.Equal("5", res.Header().Get("Retry-After"))
	b.Empty(res.Location())
	b.Contains(res.Body.String(), "Back in a moment")
	b.Empty(res.Header()["Set-Cookie"])
	for _, path := range []string{"/", "/success", "/heroes/new"} {
		res := b.get(path)
		b.Equal(http.StatusServiceUnavailable, res.Code, path)
		b.Equal("5", res.Header().Get("Retry-After"), path)
		b.Contains(res.Body.String(), "Back in a moment", path)
		b.Empty(res.Header()["Set-Cookie"], path)
	}
	b.Equal(http.StatusServiceUnavailable, b.post("/heroes", superman()).Code)
	b.Equal(http.StatusServiceUnavailable, b.get("/readyz").Code)
	b.Equal(http.StatusOK, b.get("/healthz").Code)
	b.NotContains(b.log.String(), "Clark Kent")

	memory.SetDown(false)
	b.Equal(http.StatusOK, b.get("/readyz").Code)
	b.Contains(b.get("/success").Body.String(), "Clark Kent")
}

func Test_Server_a_change_to_a_session_that_was_ended_says_so(t *testing.T) {
	b := openOn(t, &backendtest.Memory{})
	b.app.GET("/slow", func(c buffalo.Context) error {
		b.NoError(b.store.RevokeAll(c))
		c.Session().Set("name", "Batman")
		return c.Redirect(http.StatusSeeOther, "/success")
	})
	b.app.GET("/unsaveable", func(c buffalo.Context) error {
		c.Session().Set("name", struct{}{})
		_, err := c.Response().Write([]byte("the answer"))
		return err
	})
	b.post("/heroes", superman())
	res := b.get("/slow")
	b.Equal(http.StatusConflict, res.Code)
	b.Contains(res.Body.String(), "Please try again")
	res = b.get("/unsaveable")
	b.Equal(http.StatusInternalServerError, res.Code)
	b.Contains(res.Body.String(), "The fault is ours")
	b.NotContains(res.Body.String(), "the answer")
	b.Contains(b.log.String(), "struct")
}
