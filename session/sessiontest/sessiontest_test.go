package sessiontest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
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
