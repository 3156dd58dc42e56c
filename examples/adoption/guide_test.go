// Package adoption tries what docs/adopt.md says. Each piece of Go in the guide is from here or
// from the application in examples/buffalo.
package adoption

import (
	"errors"
	"log"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"heroes/session"
	"heroes/session/backendtest"
	"heroes/session/boltstore"
	"heroes/session/buffalosession"
	"heroes/session/redisstore"
	"heroes/session/sessiontest"

	"github.com/gobuffalo/buffalo"
	"github.com/gobuffalo/buffalo/render"
	"github.com/gobuffalo/envy"
	"github.com/gobuffalo/httptest"
	"github.com/gofrs/uuid"
	"github.com/gorilla/websocket"
	"github.com/markbates/goth"
	"github.com/markbates/goth/gothic"
	"github.com/markbates/goth/providers/faux"
	"github.com/stretchr/testify/require"
)

const ENV = "test"

// sameOrigin refuses a change that a page of another site asks for.
func sameOrigin(next buffalo.Handler) buffalo.Handler {
	protection := http.NewCrossOriginProtection()
	return func(c buffalo.Context) error {
		if err := protection.Check(c.Request()); err != nil {
			return c.Error(http.StatusForbidden, err)
		}
		return next(c)
	}
}

func SignIn(c buffalo.Context) error {
	user, err := userOf(c)
	if err != nil {
		return c.Error(http.StatusUnauthorized, err)
	}
	if err := buffalosession.SignIn(c, user.ID.String()); err != nil {
		return err
	}
	c.Session().Set("current_user_id", user.ID)
	return c.Redirect(http.StatusSeeOther, "/")
}

func SignOut(c buffalo.Context) error {
	if err := buffalosession.SignOut(c); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/")
}

func AuthCallback(c buffalo.Context) error {
	account, err := gothic.CompleteUserAuth(c.Response(), c.Request())
	if err != nil {
		return c.Error(http.StatusUnauthorized, err)
	}
	if err := buffalosession.SignIn(c, account.UserID); err != nil {
		return err
	}
	c.Session().Set("current_user_id", account.UserID)
	return c.Redirect(http.StatusSeeOther, "/")
}

var upgrader websocket.Upgrader

func Chat(c buffalo.Context) error {
	name, _ := c.Session().Get("name").(string) // before the upgrade; afterwards it is too late
	conn, err := upgrader.Upgrade(c.Response(), c.Request(), nil)
	if err != nil {
		return nil // the upgrader has answered
	}
	defer conn.Close()
	return conn.WriteMessage(websocket.TextMessage, []byte("hello "+name))
}

// The places beside the database. An adoption test runs the application with the one in Redis.
func inRedis() (session.Backend, error) {
	backend, err := redisstore.Open(envy.Get("REDIS_URL", "redis://127.0.0.1:6379/0"), "myapp:session:")
	return backend, err
}

func inFile() (session.Backend, error) {
	backend, err := boltstore.Open("tmp/sessions.db")
	return backend, err
}

var (
	backend = &backendtest.Memory{}
	store   = newStore(session.Options{Backend: backend})
)

func newStore(options session.Options) *session.Store {
	store, err := buffalosession.NewStore(ENV, options)
	if err != nil {
		log.Fatal(err)
	}
	return store
}

// authStore is goth's. A provider that answers with a form from its own site, as Apple does, needs
// SameSite=None. The visitor's session keeps Lax.
var authStore = newStore(session.Options{
	Backend:  backend,
	SameSite: http.SameSiteNoneMode,
	Lifetime: 10 * time.Minute,
})

func sessionName() string {
	if ENV == "production" {
		return "__Host-myapp"
	}
	return "_myapp_session"
}

// errorPage renders an error. Its page has a layout of its own: csrf and translations may not have
// run, so neither authenticity_token nor t is there.
func errorPage(status int, err error, c buffalo.Context) error {
	c.Set("status", status)
	return c.Render(status, r.HTML("errors/page.plush.html", "errors/layout.plush.html"))
}

// cannotSave answers if a handler has begun to write by itself and its session cannot be saved.
func cannotSave(w http.ResponseWriter, r *http.Request, err error) {
	status := session.Status(w.Header(), err) // 409, 503 or 500; it sets Retry-After
	http.Error(w, "This could not be saved. Please try again.", status)
}

var r = render.New(render.Options{TemplatesFS: fstest.MapFS{
	"errors/page.plush.html":   {Data: []byte("Sorry: <%= status %>")},
	"errors/layout.plush.html": {Data: []byte("<main><%= yield %></main>")},
}})

type user struct{ ID uuid.UUID }

func userOf(c buffalo.Context) (user, error) { return user{idOf(c.Param("name"))}, nil }

func idOf(name string) uuid.UUID { return uuid.NewV5(uuid.NamespaceOID, name) }

func hello(c buffalo.Context) error {
	text := "hello " + buffalosession.Owner(c)
	if id, ok := c.Session().Get("current_user_id").(uuid.UUID); ok {
		text = "hello user " + id.String()
	}
	return c.Render(http.StatusOK, render.String(text))
}

// open returns an application with the guide's handlers.
func open(t *testing.T) (*buffalo.App, *backendtest.Memory) {
	log.SetOutput(t.Output())
	app := buffalo.New(buffalo.Options{Env: ENV, SessionName: sessionName(), WorkerOff: true})
	require.NoError(t, backend.Clear(t.Context()))
	app.ErrorHandlers[http.StatusConflict] = errorPage
	app.ErrorHandlers[http.StatusServiceUnavailable] = errorPage
	buffalosession.Install(app, store, cannotSave)
	app.Use(sameOrigin)
	app.GET("/", hello)
	app.POST("/sign-in", SignIn)
	app.POST("/sign-out", SignOut)
	app.GET("/chat", Chat)
	app.POST("/name", func(c buffalo.Context) error {
		c.Session().Set("name", c.Param("name"))
		return c.Render(http.StatusOK, render.String("stored"))
	})
	app.POST("/direct", func(c buffalo.Context) error {
		c.Session().Set("name", c.Param("name"))
		_, err := c.Response().Write([]byte("stored"))
		return err
	})
	return app, backend
}

func Test_a_form_of_another_site_is_refused_without_a_token(t *testing.T) {
	app, memory := open(t)
	browser := httptest.New(sessiontest.Browser(app))
	req := browser.HTML("/sign-in")
	req.Headers["Sec-Fetch-Site"] = "cross-site"
	require.Equal(t, http.StatusForbidden, req.Post(url.Values{"name": {"eve"}}).Code)
	require.Equal(t, "hello ", browser.HTML("/").Get().Body.String())
	require.NoError(t, memory.Each(t.Context(), func(session.ID, []byte) error { return errors.New("a record") }))
}

func Test_sign_in_and_sign_out(t *testing.T) {
	app, _ := open(t)
	browser := httptest.New(sessiontest.Browser(app))
	require.Equal(t, http.StatusSeeOther, browser.HTML("/sign-in").Post(url.Values{"name": {"clark"}}).Code)
	clark := idOf("clark").String()
	require.Equal(t, "hello user "+clark, browser.HTML("/").Get().Body.String())
	require.Equal(t, "hello user "+clark, browser.HTML("/").Get().Body.String(), "a response without a cookie changes nothing")
	list, err := store.Sessions(t.Context(), sessionName(), clark)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, http.StatusSeeOther, browser.HTML("/sign-out").Post(url.Values{}).Code)
	require.Equal(t, "hello ", browser.HTML("/").Get().Body.String())
}

func Test_a_WebSocket_reads_the_session(t *testing.T) {
	app, _ := open(t)
	server := serve(t, app)
	res, err := http.PostForm(server+"/name", url.Values{"name": {"Zoë"}})
	require.NoError(t, err)
	cookie := res.Header.Get("Set-Cookie")
	header := http.Header{"Cookie": {cookie[:strings.Index(cookie, ";")]}}
	conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(server, "http")+"/chat", header)
	require.NoError(t, err)
	_, text, err := conn.ReadMessage()
	require.NoError(t, err)
	require.Equal(t, "hello Zoë", string(text))
}

// The state and the provider's session are in a session of their own, which the callback ends.
func Test_goths_callback_cannot_be_replayed(t *testing.T) {
	app, _ := open(t)
	gothic.Store = authStore
	goth.UseProviders(&faux.Provider{})
	app.GET("/auth/{provider}", buffalo.WrapHandlerFunc(gothic.BeginAuthHandler))
	app.GET("/auth/{provider}/callback", AuthCallback)

	server := serve(t, app)
	visitor := &browser{t: t, server: server}
	res := visitor.get("/auth/faux")
	require.Equal(t, http.StatusTemporaryRedirect, res.status)
	require.Contains(t, res.header.Get("Set-Cookie"), "Secure; SameSite=None")
	to, err := url.Parse(res.header.Get("Location"))
	require.NoError(t, err)
	callback := "/auth/faux/callback?state=" + url.QueryEscape(to.Query().Get("state"))

	thief := &browser{t: t, server: server, cookies: maps.Clone(visitor.cookies)}
	require.Equal(t, http.StatusSeeOther, visitor.get(callback).status)
	for range 2 {
		require.Equal(t, http.StatusUnauthorized, thief.get(callback).status)
		require.Equal(t, http.StatusUnauthorized, visitor.get(callback).status)
	}
}

func Test_while_the_sessions_cannot_be_reached_the_applications_own_pages_answer(t *testing.T) {
	app, _ := open(t)
	browser := httptest.New(sessiontest.Browser(app))
	require.Equal(t, http.StatusOK, browser.HTML("/name").Post(url.Values{"name": {"Zoë"}}).Code)
	backend.SetDown(true)
	defer backend.SetDown(false)
	res := browser.HTML("/").Get()
	require.Equal(t, http.StatusServiceUnavailable, res.Code)
	require.Equal(t, "<main>Sorry: 503</main>", res.Body.String())
	backend.SetDown(false)
	stranger := httptest.New(app)
	backend.SetDown(true)
	res = stranger.HTML("/direct").Post(url.Values{"name": {"Zoë"}})
	require.Equal(t, http.StatusServiceUnavailable, res.Code)
	require.Contains(t, res.Body.String(), "Please try again")
}

func Test_each_place_can_be_opened(t *testing.T) {
	t.Chdir(t.TempDir())
	_, err := inRedis()
	require.NoError(t, err)
	backend, err := inFile()
	require.NoError(t, err)
	require.NoError(t, backend.Ping(t.Context()))
	require.FileExists(t, "tmp/sessions.db")
}
