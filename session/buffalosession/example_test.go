package buffalosession_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"heroes/session"
	"heroes/session/buffalosession"
	"heroes/session/sessiontest"

	"github.com/gobuffalo/buffalo"
)

func Example() {
	store, err := session.New([][]byte{[]byte(session.NewSecret())}, session.Options{})
	if err != nil {
		panic(err)
	}
	app := buffalo.New(buffalo.Options{Env: "test", SessionStore: store, SessionName: "_app_session"})
	app.Middleware.Remove(buffalo.RequestLogger) // it gives every visitor a session
	app.Use(buffalosession.Middleware)
	app.POST("/login", func(c buffalo.Context) error {
		if err := buffalosession.Renew(c); err != nil {
			return err
		}
		c.Session().Set("user", "clark")
		return c.Redirect(http.StatusSeeOther, "/")
	})

	w := httptest.NewRecorder()
	store.Handler(app, nil).ServeHTTP(w, httptest.NewRequest("POST", "/login", nil))
	fmt.Println(w.Code, w.Header().Get("Location"), sessiontest.Read(store, w.Result(), "_app_session"))
	// Output:
	// 303 / map[user:clark]
}
