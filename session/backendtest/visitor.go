package backendtest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"heroes/session"

	"github.com/gorilla/sessions"
	"github.com/stretchr/testify/require"
)

const name = "_heroes_session"

var (
	oldSecret = []byte("the-old-secret-is-32-bytes-long!")
	newSecret = []byte("the-new-secret-is-32-bytes-long!")
)

// A visitor is a browser at one of the processes that share a backend.
type visitor struct {
	t      *testing.T
	store  *session.Store
	cookie string
}

type app func(w http.ResponseWriter, r *http.Request, s *sessions.Session)

func open(t *testing.T, b session.Backend, options session.Options, secrets ...[]byte) *visitor {
	t.Helper()
	if secrets == nil {
		secrets = [][]byte{newSecret}
	}
	options.Backend = b
	store, err := session.New(secrets, options)
	require.NoError(t, err)
	return &visitor{t: t, store: store}
}

// visit answers one request and returns its response. A failed Get is for the handler to see.
func (v *visitor) visit(handle app) *http.Response { return v.ask("GET", handle) }

func (v *visitor) ask(method string, handle app) *http.Response {
	r, w := httptest.NewRequest(method, "/", nil), httptest.NewRecorder()
	if v.cookie != "" {
		r.Header.Set("Cookie", name+"="+v.cookie)
	}
	v.store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := v.store.Get(r, name)
		handle(w, r, s)
	}), nil).ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		v.cookie = c.Value
	}
	return w.Result()
}

func (v *visitor) set(key string, value any) *http.Response {
	return v.visit(setting(key, value))
}

func (v *visitor) values() (values session.View) {
	v.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) { values = session.ViewOf(s) })
	return values
}

// at returns the same browser at another process.
func (v *visitor) at(other *visitor) *visitor {
	return &visitor{t: v.t, store: other.store, cookie: v.cookie}
}

func renew(v *visitor) *http.Response {
	return v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) { _ = v.store.Renew(r, s) })
}

func destroy(v *visitor) *http.Response {
	return v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) { _ = v.store.Destroy(r, s) })
}

// quiet ignores events.
func quiet(context.Context, session.Event) {}

func look(http.ResponseWriter, *http.Request, *sessions.Session) {}

func setting(key string, value any) app {
	return func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) { s.Values[key] = value }
}

// during answers a request during which, once it has read the session, something else happens.
func during(v *visitor, method string, happens func(*visitor), then app) *http.Response {
	return v.ask(method, func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
		other := *v
		happens(&other)
		then(w, r, s)
	})
}

// count returns how many sessions there are.
func count(t *testing.T, store *session.Store) (n int) {
	t.Helper()
	_, err := store.Each(t.Context(), name, func(session.Entry) error { n++; return nil })
	require.NoError(t, err)
	return n
}
