package session_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"heroes/session"
	"heroes/session/backendtest"
	"heroes/session/sessiontest"

	"github.com/gorilla/sessions"
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

// People sign in, see where, and end their other sessions.
func ExampleStore_SignIn() {
	store, err := session.New([][]byte{[]byte(session.NewSecret())}, session.Options{Backend: &backendtest.Memory{}})
	if err != nil {
		panic(err)
	}
	app := store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := store.Get(r, "_app_session")
		if err == nil {
			err = store.SignIn(r, s, "clark", session.Note(r.UserAgent()))
		}
		if err != nil {
			return // Handler answers with 503
		}
		fmt.Fprintln(w, "hello")
	}), nil)
	browser := sessiontest.Browser(app) // keeps its cookies
	for _, device := range []struct {
		name string
		http.Handler
	}{{"a phone", app}, {"a laptop", browser}} {
		r := httptest.NewRequest("POST", "/sign-in", nil)
		r.Header.Set("User-Agent", device.name)
		device.ServeHTTP(httptest.NewRecorder(), r)
	}

	devices, _ := store.Sessions(context.Background(), "_app_session", "clark")
	fmt.Println(len(devices), "devices")
	ended, _ := store.RevokeOwner(context.Background(), "_app_session", "clark")
	fmt.Println(ended, "ended")
	// Output:
	// 2 devices
	// 2 ended
}

// A new secret takes over while the program runs. What the old one sealed still opens.
func ExampleStore_SetSecrets() {
	older, newer := []byte(session.NewSecret()), []byte(session.NewSecret())
	store, err := session.New([][]byte{older}, session.Options{})
	if err != nil {
		panic(err)
	}
	r := httptest.NewRequest("GET", "/", nil)
	_ = sessiontest.Put(store, r, "_app_session", map[string]any{"name": "Superman"})

	if err := store.SetSecrets([][]byte{newer, older}); err != nil {
		panic(err)
	}
	s, _ := store.Get(r, "_app_session")
	fmt.Println(s.Values["name"])
	// Output: Superman
}

// A client that begins too many sessions has to wait.
func ExampleOptions_allowNew() {
	begun := 0
	store, err := session.New([][]byte{[]byte(session.NewSecret())}, session.Options{
		Backend: &backendtest.Memory{},
		AllowNew: func(r *http.Request) time.Duration {
			if begun++; begun > 2 { // golang.org/x/time/rate does this for each address
				return time.Minute
			}
			return 0
		},
	})
	if err != nil {
		panic(err)
	}
	app := store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, "_app_session")
		s.Values["name"] = "Superman"
	}), nil)
	for range 3 {
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
		fmt.Println(w.Code)
	}
	// Output:
	// 200
	// 200
	// 429
}

func ExampleKey() {
	cart := session.Key[[]string]("cart")
	s := sessions.NewSession(nil, "_app_session")
	cart.Set(s, []string{"a cape"})
	items, ok := cart.Get(s)
	fmt.Println(items, ok)
	// Output: [a cape] true
}
