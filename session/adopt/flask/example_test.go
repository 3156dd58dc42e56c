package flask_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"

	"heroes/session"
	"heroes/session/adopt/flask"
)

// flaskLogin returns the user that Flask-Login has stored.
func flaskLogin(values map[string]any) string {
	id, _ := values["_user_id"].(string)
	return id
}

// A visitor of the Flask application arrives, and has a session here.
func Example() {
	os.Setenv("FLASK_SECRET_KEY", "only for the lesson")
	reader, err := flask.New([]string{os.Getenv("FLASK_SECRET_KEY")}, flask.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	store, err := session.New([][]byte{[]byte(session.NewSecret())}, session.Options{
		Adopt: []session.Source{{Session: "_app_session", Cookie: "session", Reader: reader, Owner: flaskLogin}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	app := store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, "_app_session")
		fmt.Println(s.Values["name"], store.Owner(r, s))
	}), nil)

	r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	r.Header.Set("Cookie", "session="+flask.Cookie(`{"name":"Superman","_user_id":"7"}`))
	app.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		fmt.Println(c.Name, c.MaxAge >= 0)
	}
	// Output:
	// Superman 7
	// _app_session true
	// session false
}
