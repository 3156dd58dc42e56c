package session

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gorilla/sessions"
	"github.com/stretchr/testify/require"
)

// What gorilla/sessions expects of a store, in its documentation and its tests.

func Test_Gorilla_Get_gives_one_session_per_request_and_name(t *testing.T) {
	for _, handler := range []bool{true, false} {
		store := newStore(t, Options{})
		app := http.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			a, err := store.Get(r, "a")
			require.NoError(t, err)
			a.Values["k"] = "v"
			r = r.WithContext(r.Context()) // a shallow copy, as routers make
			again, err := store.Get(r, "a")
			require.NoError(t, err)
			require.Same(t, a, again)
			b, err := store.Get(r, "b")
			require.NoError(t, err)
			require.NotSame(t, a, b)
			require.Equal(t, []string{"a", "b"}, []string{a.Name(), b.Name()})
			require.Same(t, store, a.Store())
		}))
		if handler {
			app = store.Handler(app, nil)
		}
		app.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	}
}

func Test_Gorilla_Save_saves_all_sessions_of_a_request(t *testing.T) {
	store := newStore(t, Options{})
	r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	for _, n := range []string{"a", "b"} {
		s, err := store.Get(r, n)
		require.NoError(t, err)
		s.Values["name"] = n
	}
	require.NoError(t, sessions.Save(r, w))
	require.Len(t, w.Result().Cookies(), 2)
	r = httptest.NewRequest("GET", "/", nil)
	for _, c := range w.Result().Cookies() {
		r.AddCookie(c)
	}
	for _, n := range []string{"a", "b"} {
		s, err := store.Get(r, n)
		require.NoError(t, err)
		require.Equal(t, n, s.Values["name"])
		require.False(t, s.IsNew)
	}
}

// The registry asks with the request that it was made with, which has no exchange of ours.
func Test_Gorilla_another_store_may_have_made_the_registry(t *testing.T) {
	store, other := newStore(t, Options{}), sessions.NewCookieStore([]byte("another"))
	r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	_, err := other.Get(r, "other")
	require.NoError(t, err)
	r = r.WithContext(r.Context()) // as routers do
	s, err := store.Get(r, name)
	require.NoError(t, err)
	s.Values["a"] = 1
	require.NoError(t, store.Renew(r, s))
	require.NoError(t, s.Save(r, w))
	require.NoError(t, sessions.Save(r, w))
	own := 0
	for _, c := range w.Result().Cookies() {
		if c.Name == name {
			own++
		}
	}
	require.Equal(t, 1, own)
}

func Test_Gorilla_a_cookie_name_that_is_none_is_an_error(t *testing.T) {
	_, err := newStore(t, Options{}).Get(httptest.NewRequest("GET", "/", nil), "session:key")
	require.Error(t, err)
}

func Test_Gorilla_the_options_of_a_session_are_its_own(t *testing.T) {
	store := newStore(t, Options{})
	a, err := store.New(httptest.NewRequest("GET", "/", nil), "a")
	require.NoError(t, err)
	a.Options.Path = "/foo"
	b, err := store.New(httptest.NewRequest("GET", "/", nil), "b")
	require.NoError(t, err)
	require.Equal(t, "/", b.Options.Path)
}

func Test_Gorilla_MaxAge_shortens_the_cookie_and_never_lengthens_it(t *testing.T) {
	v := visitor{t: t, store: newStore(t, Options{})}
	for maxAge, want := range map[int]int{60: 60, 1 << 30: 86400} {
		c := v.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) {
			s.Options.MaxAge = maxAge
			s.Values["n"] = maxAge
		}).Cookies()[0]
		require.InDelta(t, want, c.MaxAge, 1)
	}
}

func Test_Gorilla_MaxAge_below_zero_deletes_the_cookie(t *testing.T) {
	end := func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) { s.Options.MaxAge = -1 }
	v := visitor{t: t, store: newStore(t, Options{})}
	require.Empty(t, setCookies(v.visit(end)), "there is none to delete")
	v.set("name", "Superman")
	require.Equal(t, -1, v.visit(end).Cookies()[0].MaxAge)
	require.Empty(t, v.cookie)
	v.cookie = name + "=not-ours"
	require.Equal(t, -1, v.visit(end).Cookies()[0].MaxAge, "one that is refused is deleted when it is asked for")
}

func Test_Gorilla_a_session_made_by_hand_is_saved(t *testing.T) {
	store := newStore(t, Options{})
	s := sessions.NewSession(store, name)
	s.Options.Path = "/"
	s.Values["name"] = "Superman"
	saved := httptest.NewRecorder()
	require.NoError(t, s.Save(httptest.NewRequest("GET", "/", nil), saved))
	require.Len(t, saved.Result().Cookies(), 1)
	r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	r.Header.Set("Cookie", name+"=old")
	s.Options.MaxAge = -1
	require.NoError(t, s.Save(r, w))
	require.Len(t, w.Result().Cookies(), 1, "and deleted")
	require.ErrorContains(t, store.Renew(httptest.NewRequest("GET", "/", nil), s), "Get")
}

func Test_Gorilla_a_session_made_by_hand_without_options_has_the_stores(t *testing.T) {
	store := newStore(t, Options{SameSite: http.SameSiteStrictMode})
	s, w := sessions.NewSession(store, name), httptest.NewRecorder()
	s.Values["name"] = "Superman"
	require.NoError(t, s.Save(httptest.NewRequest("GET", "/account/login", nil), w))
	c := w.Result().Cookies()[0]
	require.Equal(t, []any{"/", true, true, http.SameSiteStrictMode, 86400}, []any{c.Path, c.Secure, c.HttpOnly, c.SameSite, c.MaxAge})
}

func Test_what_a_browser_would_drop_is_an_error(t *testing.T) {
	for cookie, options := range map[string]Options{
		"__Host-s":   {Insecure: true},
		"__host-s":   {Path: "/x"},
		"__Host-s2":  {Domain: "heroes.example"},
		"__Secure-s": {Insecure: true},
		"none":       {Insecure: true, SameSite: http.SameSiteNoneMode},
		"domain":     {Domain: "heroes.example:3000"},
	} {
		store := newStore(t, options)
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		r.Header.Set("Cookie", cookie+"=garbage")
		s, err := store.Get(r, cookie)
		require.NoError(t, err)
		require.NoError(t, s.Save(r, w), "nothing is to be set")
		s.Values["name"] = "Superman"
		require.ErrorContains(t, s.Save(r, w), "cookie", cookie)
		require.Empty(t, w.Header()["Set-Cookie"])
	}
}

func Test_15_a_save_without_the_handler_tells_caches_too(t *testing.T) {
	store := newStore(t, Options{})
	r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	s, err := store.Get(r, name)
	require.NoError(t, err)
	s.Values["name"] = "Superman"
	require.NoError(t, s.Save(r, w))
	require.Equal(t, "Cookie", w.Header().Get("Vary"))
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
}
