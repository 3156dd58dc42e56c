package gorilla_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"

	"heroes/session"
	"heroes/session/adopt/gorilla"

	"github.com/gorilla/sessions"
)

// signedIn returns the user that the application has stored.
func signedIn(values map[string]any) string {
	user, _ := values["current_user"].(string)
	return user
}

// A visitor arrives who has signed in to the application before it used package session.
func Example() {
	os.Setenv("OLD_SESSION_SECRET", "the SESSION_SECRET of stock Buffalo")
	before := sessions.NewCookieStore([]byte(os.Getenv("OLD_SESSION_SECRET")))
	r, w := httptest.NewRequest("POST", "/sign-in", nil), httptest.NewRecorder()
	s, _ := before.Get(r, "_app_session")
	s.Values["current_user"] = "clark"
	_ = s.Save(r, w)
	cookie := w.Result().Cookies()[0]

	reader, err := gorilla.New([][]byte{[]byte(os.Getenv("OLD_SESSION_SECRET"))}, gorilla.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	store, err := session.New([][]byte{[]byte(session.NewSecret())}, session.Options{
		Adopt: []session.Source{{Session: "_app_session", Reader: reader, Owner: signedIn}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	app := store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, "_app_session")
		fmt.Println(s.Values["current_user"], store.Owner(r, s))
	}), nil)
	r, w = httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	r.AddCookie(cookie)
	app.ServeHTTP(w, r)
	fmt.Println(len(w.Result().Cookies()))
	// Output:
	// clark clark
	// 1
}
