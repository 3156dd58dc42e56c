package backendtest

import (
	"net/http"
	"testing"

	"heroes/session"

	"github.com/gorilla/sessions"
	"github.com/stretchr/testify/require"
)

func Test_Memory(t *testing.T) {
	Run(t, &Memory{})
	Sessions(t, &Memory{})
}

func Test_12_an_outage_is_503_and_empties_no_session(t *testing.T) {
	memory := &Memory{}
	v := open(t, memory, session.Options{})
	v.set("name", "Superman")
	cookie := v.cookie

	memory.SetDown(true)
	require.Error(t, v.store.Ping(t.Context()))
	for _, handle := range []app{
		func(http.ResponseWriter, *http.Request, *sessions.Session) {},
		func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			_, err := v.store.Get(r, name)
			require.ErrorIs(t, err, session.ErrUnavailable)
			s.Values["name"] = "Batman"
			require.ErrorIs(t, s.Save(r, w), session.ErrUnavailable)
			http.Redirect(w, r, "/", http.StatusSeeOther)
		},
	} {
		res := v.visit(handle)
		require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
		require.Equal(t, "5", res.Header.Get("Retry-After"))
		require.Empty(t, res.Header["Set-Cookie"])
	}

	fresh := open(t, memory, session.Options{})
	require.Equal(t, http.StatusServiceUnavailable, fresh.set("name", "Catwoman").StatusCode, "a new session that cannot be stored")

	memory.SetDown(false)
	require.NoError(t, v.store.Ping(t.Context()))
	require.Equal(t, cookie, v.cookie)
	require.Equal(t, "Superman", v.values()["name"])

	res := v.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) {
		memory.SetDown(true) // between reading and saving
		s.Values["name"] = "Batman"
	})
	memory.SetDown(false)
	require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
	require.Equal(t, "Superman", v.values()["name"])
}
