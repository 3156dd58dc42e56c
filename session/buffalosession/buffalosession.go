// Package buffalosession connects a session.Store to a Buffalo application:
//
//	app := buffalo.New(buffalo.Options{SessionStore: store, SessionName: "_app_session"})
//	app.Middleware.Remove(buffalo.RequestLogger) // it gives every visitor a session
//	app.Use(buffalosession.Middleware)
//	…
//	http.ListenAndServe(addr, store.Handler(app, nil))
//
// Sessions can store a uuid.UUID, as Buffalo's sign-in recipes do.
package buffalosession

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync"

	"heroes/session"

	"github.com/gobuffalo/buffalo"
	"github.com/gobuffalo/buffalo/render"
	"github.com/gofrs/uuid"
)

func init() { session.Register("uuid", uuid.UUID{}) }

// Middleware lets pages read the session, as session["name"] or session.Get("name"), and saves it
// before a page or a redirect leaves. If that fails, the error
// reaches the middleware around the handler, so that a transaction rolls back. The answer is 503
// while the sessions cannot be reached. It is 409 if another request renewed or ended the
// session, or if too many requests change it at once. A flash is kept even if the response is
// neither rendered nor redirected.
//
// Middleware does nothing in an application whose sessions are in another store.
func Middleware(next buffalo.Handler) buffalo.Handler {
	return func(c buffalo.Context) error {
		store, err := storeOf(c)
		if err != nil {
			return next(c)
		}
		x := session.Of(c.Request())
		if !x.Handled() {
			if _, known := reported.LoadOrStore(store, true); !known {
				c.Logger().Error("buffalosession: changes can be lost: the application is served without its session handler; serve store.Handler(app, nil) instead of app")
			}
		}
		own := &context{Context: c, exchange: x}
		x.BeforeCommit(own.keepFlash)
		if err = x.Err(); err == nil {
			err = next(own)
		}
		return own.answer(err)
	}
}

// reported contains the stores whose missing Handler has been reported.
var reported sync.Map

// A context is a Buffalo context whose answers save the session first.
type context struct {
	buffalo.Context
	exchange *session.Exchange
	flashed  bool // the application has asked for the flash since it was stored
}

// Flash notes that the application may change the flash.
func (c *context) Flash() *buffalo.Flash {
	c.flashed = true
	return c.Context.Flash()
}

// MarshalJSON marshals the context that this one wraps.
func (c *context) MarshalJSON() ([]byte, error) { return json.Marshal(c.Context) }

// Render saves the session with the flash, which Buffalo stores there, and renders.
func (c *context) Render(status int, r render.Renderer) error {
	if r == nil { // Buffalo saves nothing then
		return c.respond(status, func() error {
			c.keepFlash()
			if err := c.Session().Save(); err != nil {
				return err
			}
			return c.Context.Render(status, nil)
		})
	}
	var to render.ErrRedirect // Buffalo would save before it resolves a route helper
	page := render.Func(r.ContentType(), func(w io.Writer, data render.Data) error {
		if s, ok := data["session"].(*buffalo.Session); ok && s != nil {
			data["session"] = session.ViewOf(s.Session) // a template cannot index Buffalo's
		}
		err := r.Render(w, data)
		if errors.As(err, &to) {
			return errors.New("buffalosession: the page redirects")
		}
		return err
	})
	err := c.respond(status, func() error { return c.Context.Render(status, page) })
	if to.URL != "" {
		return c.Redirect(to.Status, to.URL)
	}
	return err
}

// Redirect saves the session with the flash and redirects. It resolves a route helper first, so
// that a missing one saves nothing.
func (c *context) Redirect(status int, url string, args ...any) error {
	if strings.HasSuffix(url, "Path()") {
		path, err := c.path(strings.TrimSuffix(url, "()"), args)
		if err != nil {
			return err
		}
		url, args = path, nil
	}
	return c.respond(status, func() error { return c.Context.Redirect(status, url, args...) })
}

func (c *context) path(helper string, args []any) (string, error) {
	f, ok := c.Value(helper).(buffalo.RouteHelperFunc)
	if !ok {
		return "", fmt.Errorf("could not find a route helper named %s()", helper)
	}
	options := map[string]any{}
	if len(args) > 0 {
		v := reflect.Indirect(reflect.ValueOf(args[0]))
		if len(args) > 1 || !v.IsValid() || !v.CanConvert(reflect.TypeOf(options)) {
			return "", fmt.Errorf("you must pass only a map[string]interface{} to a route path: %T", args)
		}
		options = v.Convert(reflect.TypeOf(options)).Interface().(map[string]any)
	}
	path, err := f(options)
	return string(path), err
}

func (c *context) respond(status int, write func() error) error {
	err := c.exchange.Respond(c.Request(), status, write)
	c.flashed = false
	return c.answer(err)
}

// answer returns err with the status that session.Status chooses for it.
func (c *context) answer(err error) error {
	if err == nil {
		return nil
	}
	if status := session.Status(c.Response().Header(), err); status != http.StatusInternalServerError {
		return c.Error(status, err)
	}
	return err
}

// keepFlash puts the flash into the session, as Render and Redirect do. Buffalo shows the flash
// only to renderers, so keepFlash reads it with a renderer that then refuses to render.
func (c *context) keepFlash() {
	if !c.flashed {
		return
	}
	c.flashed = false
	_ = c.Context.Render(http.StatusOK, render.Func("", func(_ io.Writer, data render.Data) error {
		if flash, err := json.Marshal(data["flash"]); err == nil {
			c.Session().Set("_flash_", flash)
		}
		return errors.New("buffalosession: only the flash was asked for")
	}))
}

// Renew replaces the token of the visitor's session and keeps its values. Call it whenever the
// visitor's rights change, such as at sign-in (OWASP ASVS 5.0, 7.2.4). A token that someone
// planted in the browser is then useless.
func Renew(c buffalo.Context) error {
	store, err := storeOf(c)
	if err != nil {
		return err
	}
	return store.Renew(c.Request(), c.Session().Session)
}

// Destroy ends the visitor's session. Values set afterwards, such as a flash, belong to a new
// one.
func Destroy(c buffalo.Context) error {
	store, err := storeOf(c)
	if err != nil {
		return err
	}
	c.Flash().Clear() // Buffalo took it out of the session when the request came
	return store.Destroy(c.Request(), c.Session().Session)
}

func storeOf(c buffalo.Context) (*session.Store, error) {
	store, ok := c.Session().Session.Store().(*session.Store)
	if !ok {
		return nil, fmt.Errorf("buffalosession: the application keeps its sessions in a %T; set buffalo.Options.SessionStore to a *session.Store", c.Session().Session.Store())
	}
	return store, nil
}
