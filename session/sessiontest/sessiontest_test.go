package sessiontest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"heroes/session"
	"heroes/session/sessiontest"

	"github.com/stretchr/testify/require"
)

func Test_values_are_put_into_a_request_and_read_from_its_response(t *testing.T) {
	store, err := session.New([][]byte{[]byte(session.NewSecret())}, session.Options{})
	require.NoError(t, err)
	app := store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, "s")
		visits, _ := s.Values["visits"].(int)
		s.Values["visits"] = visits + 1
		fmt.Fprint(w, visits)
	}), nil)

	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(&http.Cookie{Name: "other", Value: "kept"})
	require.NoError(t, sessiontest.Put(store, r, "s", map[string]any{"visits": 41, "name": "Superman"}))
	require.NoError(t, sessiontest.Put(store, r, "s", map[string]any{"name": nil}))
	require.NoError(t, sessiontest.Put(store, r, "s", nil))
	require.Len(t, r.Cookies(), 2)

	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	require.Equal(t, "41", w.Body.String())
	require.Equal(t, session.View{"visits": 42}, sessiontest.Read(store, w.Result(), "s"))
	require.Nil(t, sessiontest.Read(store, w.Result(), "none"))

	require.NoError(t, sessiontest.Put(store, r, "s", map[string]any{"visits": nil}))
	require.Len(t, r.Cookies(), 1, "an emptied session has no cookie")
	require.Error(t, sessiontest.Put(store, r, "s", map[string]any{"x": struct{}{}}))
}

func Test_an_owner_is_signed_in_to_a_request(t *testing.T) {
	store, err := session.New([][]byte{[]byte(session.NewSecret())}, session.Options{})
	require.NoError(t, err)
	r := httptest.NewRequest("GET", "/", nil)
	require.NoError(t, sessiontest.Put(store, r, "s", map[string]any{"cart": "cape"}))
	require.NoError(t, sessiontest.SignIn(store, r, "s", "clark"))
	s, err := store.Get(r, "s")
	require.NoError(t, err)
	require.Equal(t, "clark", store.Owner(r, s))
	require.Equal(t, session.View{"cart": "cape"}, session.ViewOf(s))
	require.Error(t, sessiontest.SignIn(store, r, "s", ""))
}

func Test_a_Browser_keeps_cookies_between_requests(t *testing.T) {
	browser := sessiontest.Browser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, line := range r.URL.Query()["set"] {
			w.Header().Add("Set-Cookie", line)
		}
		fmt.Fprint(w, len(r.Cookies()))
	}))
	for _, step := range []struct{ set, brought string }{
		{"set=a=1&set=b=2;Secure;Path=/x", "0"},
		{"", "2"},
		{"", "2"}, // the response before set no cookie
		{"set=a=;Max-Age%3D0", "2"},
		{"set=b=%3BExpires%3DThu, 01 Jan 1970 00:00:00 GMT", "1"},
		{"", "0"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.RawQuery = strings.ReplaceAll(strings.ReplaceAll(step.set, ";", "%3B"), " ", "+")
		w := httptest.NewRecorder()
		browser.ServeHTTP(w, r)
		require.Equal(t, step.brought, w.Body.String(), step.set)
	}
}
