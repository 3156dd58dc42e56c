package session_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"heroes/session"
	"heroes/session/sessiontest"
)

// With net/http and gorilla/sessions alone.
func Example() {
	secrets, err := session.ParseSecrets("2fT7pVbyQc9Yd1sWq8ZkXr4uNhJmLg6E, an-older-secret-of-at-least-32-bytes")
	if err != nil {
		panic(err)
	}
	store, err := session.New(secrets, session.Options{})
	if err != nil {
		panic(err)
	}
	app := store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, "_app_session")
		visits, _ := s.Values["visits"].(int)
		s.Values["visits"] = visits + 1 // saved with the first byte
		fmt.Fprintf(w, "visit %d", visits+1)
	}), nil)

	r := httptest.NewRequest("GET", "/", nil)
	for range 2 {
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		fmt.Println(w.Body, sessiontest.Read(store, w.Result(), "_app_session"))
		r.Header.Set("Cookie", w.Result().Cookies()[0].String())
	}
	// Output:
	// visit 1 map[visits:1]
	// visit 2 map[visits:2]
}
