package session_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"heroes/session"
	"heroes/session/sessiontest"

	"github.com/gobuffalo/buffalo"
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
	}))

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

// With Buffalo.
func Example_buffalo() {
	store, err := session.New([][]byte{[]byte(session.NewSecret())}, session.Options{})
	if err != nil {
		panic(err)
	}
	app := buffalo.New(buffalo.Options{Env: "test", SessionStore: store, SessionName: "_app_session"})
	app.Middleware.Remove(buffalo.RequestLogger) // it gives every visitor a session
	app.Use(session.Middleware)
	app.POST("/login", func(c buffalo.Context) error {
		if err := session.Renew(c); err != nil {
			return err
		}
		c.Session().Set("user", "clark")
		return c.Redirect(http.StatusSeeOther, "/")
	})

	w := httptest.NewRecorder()
	store.Handler(app).ServeHTTP(w, httptest.NewRequest("POST", "/login", nil))
	fmt.Println(w.Code, w.Header().Get("Location"), sessiontest.Read(store, w.Result(), "_app_session"))
	// Output:
	// 303 / map[user:clark]
}
