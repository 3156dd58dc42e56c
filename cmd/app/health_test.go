package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/gobuffalo/envy"
	"github.com/stretchr/testify/require"
)

func Test_Health_is_an_error_unless_the_application_answers_well(t *testing.T) {
	status := http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, "/healthz", r.URL.Path)
		w.WriteHeader(status)
	}))
	defer s.Close()
	at, err := url.Parse(s.URL)
	require.NoError(t, err)
	envy.Temp(func() {
		envy.Set("ADDR", "0.0.0.0") // every address, including the server's
		envy.Set("PORT", at.Port())
		require.NoError(t, run([]string{"health"}))
		status = http.StatusServiceUnavailable
		require.ErrorContains(t, run([]string{"health"}), "503")
		s.Close()
		require.ErrorContains(t, run([]string{"health"}), "set ADDR and PORT")
	})
}

func Test_Health_asks_at_a_socket_too(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := listen("unix:" + path)
	require.NoError(t, err)
	s := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	go func() { _ = s.Serve(l) }()
	defer s.Close()
	envy.Temp(func() {
		envy.Set("ADDR", "unix:"+path)
		require.NoError(t, run([]string{"health"}))
	})
}
