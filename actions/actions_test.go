package actions

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"heroes/session"

	"github.com/gobuffalo/buffalo"
	"github.com/gobuffalo/envy"
	"github.com/gobuffalo/httptest"
	"github.com/stretchr/testify/require"
)

// A browser visits the application and keeps its cookies.
type browser struct {
	*require.Assertions
	app     *buffalo.App
	store   *session.Store
	handler http.Handler
	jar     map[string]string
	header  map[string]string // sent with each request
	log     bytes.Buffer      // what the application logs, at debug
}

// open starts the application in env, "test" unless said otherwise, and a browser.
func open(t *testing.T, env ...string) *browser {
	t.Helper()
	return openOn(t, nil, env...)
}

// openOn is open with the sessions in backend.
func openOn(t *testing.T, backend session.Backend, env ...string) *browser {
	t.Helper()
	b := &browser{Assertions: require.New(t), jar: map[string]string{}, header: map[string]string{}}
	store, err := session.New([][]byte{[]byte(session.NewSecret())}, session.Options{
		Backend: backend,
		OnEvent: func(ctx context.Context, e session.Event) { LogSession(ctx, b.app.Logger, e) },
	})
	b.NoError(err)
	b.store = store
	envy.Temp(func() {
		envy.Set("GO_ENV", append(env, "test")[0])
		b.app = App(store)
	})
	b.app.Logger = NewLogger(&b.log, slog.LevelDebug, true)
	b.handler = Handler(b.app)
	return b
}

func (b *browser) get(path string) *httptest.Response {
	return b.send(func(r *httptest.Request) *httptest.Response { return r.Get() }, path)
}

func (b *browser) post(path string, form url.Values) *httptest.Response {
	return b.send(func(r *httptest.Request) *httptest.Response { return r.Post(form) }, path)
}

func (b *browser) send(by func(*httptest.Request) *httptest.Response, path string) *httptest.Response {
	w := httptest.New(b.handler)
	var cookies []string
	for name, value := range b.jar {
		cookies = append(cookies, name+"="+value)
	}
	w.Cookies = strings.Join(cookies, "; ")
	r := w.HTML("%s", path)
	for k, v := range b.header {
		r.Headers[k] = v
	}
	res := by(r)
	b.LessOrEqual(len(res.Header()["Set-Cookie"]), 1, "promise 3")
	for _, c := range res.Result().Cookies() {
		b.jar[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(b.jar, c.Name)
		}
	}
	return res
}

// session is what the browser's cookie holds, as the server reads it.
func (b *browser) session() session.View {
	r, err := http.NewRequest("GET", "/", nil)
	b.NoError(err)
	for name, value := range b.jar {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	s, err := b.store.Get(r, b.app.SessionName)
	b.NoError(err)
	return session.ViewOf(s)
}

func superman() url.Values {
	return url.Values{"name": {"Superman"}, "alter_ego": {"Clark Kent"}, "catch_phrase": {"Up, up and away!"}}
}
