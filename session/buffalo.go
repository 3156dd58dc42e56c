package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"

	"github.com/gobuffalo/buffalo"
	"github.com/gobuffalo/buffalo/render"
	"github.com/gorilla/sessions"
)

// Middleware answers 503 with Retry-After while the sessions cannot be reached,
// and keeps a flash that was added to a response which is neither rendered nor
// redirected.
func Middleware(next buffalo.Handler) buffalo.Handler {
	return func(c buffalo.Context) error {
		x := exchangeOf(c.Request())
		x.before = func() { keepFlash(c) }
		err := x.loadError()
		if err == nil {
			err = next(c)
		}
		if errors.Is(err, ErrUnavailable) {
			c.Response().Header().Set("Retry-After", RetryAfter)
			return c.Error(http.StatusServiceUnavailable, err)
		}
		return err
	}
}

// keepFlash puts the flash into the session, as Render and Redirect do. Buffalo
// shows the flash to renderers alone, so it is asked for by one that then
// refuses to render.
func keepFlash(c buffalo.Context) {
	// Nearly always there is none, and a look at Buffalo's private field says so.
	data := reflect.ValueOf(c.Flash()).Elem().FieldByName("data")
	if data.Kind() == reflect.Map && data.Len() == 0 && c.Session().Get(flashKey) == nil {
		return
	}
	_ = c.Render(http.StatusOK, render.Func("", func(_ io.Writer, data render.Data) error {
		flash, err := json.Marshal(data["flash"])
		if err == nil {
			c.Session().Set(flashKey, flash)
		}
		return errors.New("session: the flash was all that was asked for")
	}))
}

// Renew gives the visitor's session a new identity and a new lifetime and keeps
// its values. Call it whenever what a visitor may do changes, such as at sign-in
// (OWASP ASVS 5.0, 7.2.4): a session that someone planted before is not the one
// that is used after.
func Renew(c buffalo.Context) error {
	store, s, err := storeOf(c)
	if err != nil {
		return err
	}
	return store.Renew(c.Request(), s)
}

// Destroy ends the visitor's session. What is set after it, a flash for
// instance, belongs to a new one.
func Destroy(c buffalo.Context) error {
	store, s, err := storeOf(c)
	if err != nil {
		return err
	}
	c.Flash().Clear() // Buffalo took it out of the session when the request came
	return store.Destroy(c.Request(), s)
}

func storeOf(c buffalo.Context) (*Store, *sessions.Session, error) {
	s := c.Session().Session
	store, ok := s.Store().(*Store)
	if !ok {
		return nil, nil, fmt.Errorf("session: the application keeps its sessions in a %T, not in a *session.Store", s.Store())
	}
	return store, s, nil
}

// Page lets a page read the session: in place of Buffalo's *buffalo.Session,
// which a template cannot index, it hands the View over as "session".
func Page(page render.Renderer) render.Renderer {
	return render.Func(page.ContentType(), func(w io.Writer, data render.Data) error {
		if s, ok := data["session"].(*buffalo.Session); ok && s != nil {
			data["session"] = ViewOf(s.Session)
		}
		return page.Render(w, data)
	})
}
