package sessiontest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"heroes/session"
	"heroes/session/sessiontest"
)

// A test puts values into a visitor's session, and reads what a response leaves in it.
func Example() {
	store, err := session.New([][]byte{[]byte(session.NewSecret())}, session.Options{})
	if err != nil {
		panic(err)
	}
	app := store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, "_app_session")
		s.Values["visits"] = 1
		fmt.Fprint(w, "hello ", s.Values["name"])
	}), nil)

	r := httptest.NewRequest("GET", "/", nil)
	if err := sessiontest.Put(store, r, "_app_session", map[string]any{"name": "Superman"}); err != nil {
		panic(err)
	}
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	fmt.Println(w.Body)
	fmt.Println(sessiontest.Read(store, w.Result(), "_app_session"))
	// Output:
	// hello Superman
	// map[name:Superman visits:1]
}
