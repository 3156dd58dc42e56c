package buffalosession_test

import (
	"fmt"
	"io"
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
	app := buffalo.New(buffalo.Options{Env: "test", SessionName: "_app_session"})
	app.Logger.(interface{ SetOutput(io.Writer) }).SetOutput(io.Discard) // this example prints something else
	buffalosession.Install(app, store, nil)
	app.POST("/login", func(c buffalo.Context) error {
		if err := buffalosession.Renew(c); err != nil {
			return err
		}
		c.Session().Set("user", "clark")
		return c.Redirect(http.StatusSeeOther, "/")
	})

	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("POST", "/login", nil))
	fmt.Println(w.Code, w.Header().Get("Location"), sessiontest.Read(store, w.Result(), "_app_session"))
	// Output:
	// 303 / map[user:clark]
}
