package buffalosession_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"heroes/session"
	"heroes/session/backendtest"
	"heroes/session/buffalosession"

	"github.com/gobuffalo/buffalo"
	"github.com/gobuffalo/buffalo/render"
	"github.com/stretchr/testify/require"
)

// The option is enough: Install serves the browsers, outside middleware that asks for a token.
func Test_23_sessions_of_an_application_are_bound_with_one_option(t *testing.T) {
	for where, backend := range map[string]session.Backend{"cookies": nil, "a server": &backendtest.Memory{}} {
		t.Run(where, func(t *testing.T) {
			app := buffalo.New(buffalo.Options{Env: "test", SessionName: "_app_session", WorkerOff: true})
			store, err := session.New([][]byte{[]byte(session.NewSecret())}, session.Options{
				Backend: backend, DeviceProof: 8 * time.Minute, Grace: time.Second, OnEvent: func(context.Context, session.Event) {},
			})
			require.NoError(t, err)
			buffalosession.Install(app, store, nil)
			app.Use(func(next buffalo.Handler) buffalo.Handler {
				return func(c buffalo.Context) error {
					if c.Request().Method == http.MethodPost && c.Param("token") == "" {
						return c.Error(http.StatusForbidden, errors.New("no token"))
					}
					return next(c)
				}
			})
			app.POST("/set", func(c buffalo.Context) error {
				c.Session().Set("name", c.Param("name"))
				return c.Render(http.StatusOK, render.String("saved"))
			})
			app.GET("/", func(c buffalo.Context) error {
				return c.Render(http.StatusOK, render.String("%v %t", c.Session().Get("name"), buffalosession.Info(c).Bound))
			})

			b := backendtest.NewBoundBrowser(t, app)
			res, _ := b.Ask("POST", "/set?token=1&name=Superman")
			require.Equal(t, http.StatusOK, res.StatusCode)
			for range 2 { // it proves its key, and is bound
				b.Get("/")
			}
			_, body := b.Get("/")
			require.Equal(t, "Superman true", body)
			require.Equal(t, http.StatusOK, b.Refresh(false).StatusCode)

			time.Sleep(1100 * time.Millisecond)
			thief := b.Copy()
			delete(thief.Cookies, b.Binding.Credentials[0].Name)
			_, body = thief.Get("/")
			require.Equal(t, "<nil> false", body)
			res, _ = thief.Ask("POST", "/set?token=1&name=Thief")
			require.Equal(t, http.StatusConflict, res.StatusCode)
			require.Empty(t, res.Header["Set-Cookie"])
			_, body = b.Get("/")
			require.Equal(t, "Superman true", body)
		})
	}
}
