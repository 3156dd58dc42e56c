package flask_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"heroes/session"
	"heroes/session/adopt/flask"
)

// A visitor of the Flask application arrives, and has a session here.
func Example() {
	reader, err := flask.New([]string{"only for the lesson"}, flask.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	store, err := session.New([][]byte{[]byte(session.NewSecret())}, session.Options{
		Adopt: []session.Source{{Session: "_app_session", Cookie: "session", Reader: reader}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	app := store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, "_app_session")
		fmt.Println(s.Values["name"])
	}), nil)

	r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	r.Header.Set("Cookie", "session="+flask.Cookie(`{"name":"Superman"}`))
	app.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		fmt.Println(c.Name, c.MaxAge >= 0)
	}
	// Output:
	// Superman
	// _app_session true
	// session false
}
