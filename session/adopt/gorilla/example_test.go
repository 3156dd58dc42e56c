package gorilla_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"heroes/session"
	"heroes/session/adopt/gorilla"

	"github.com/gorilla/sessions"
)

// A visitor arrives who has signed in to the application before it used package session.
func Example() {
	oldSecret := []byte("the SESSION_SECRET of stock Buffalo")
	before := sessions.NewCookieStore(oldSecret)
	r, w := httptest.NewRequest("POST", "/sign-in", nil), httptest.NewRecorder()
	s, _ := before.Get(r, "_app_session")
	s.Values["current_user"] = "clark"
	_ = s.Save(r, w)
	cookie := w.Result().Cookies()[0]

	reader, err := gorilla.New([][]byte{oldSecret}, gorilla.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	store, err := session.New([][]byte{[]byte(session.NewSecret())}, session.Options{
		Adopt: []session.Source{{Session: "_app_session", Reader: reader}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	app := store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, "_app_session")
		fmt.Println(s.Values["current_user"])
	}), nil)
	r, w = httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	r.AddCookie(cookie)
	app.ServeHTTP(w, r)
	fmt.Println(len(w.Result().Cookies()))
	// Output:
	// clark
	// 1
}
