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

// keepFlash puts the flash into the session, as Render and Redirect do.
func keepFlash(c buffalo.Context) {
	flash := flashOf(c)
	kept, _ := c.Session().Get(flashKey).([]byte)
	if string(flash) != string(kept) && !(kept == nil && emptyFlash(flashKey, flash)) {
		c.Session().Set(flashKey, flash)
	}
}

// flashOf gives the flash as Buffalo stores it: from Buffalo's private field, as long as
// that is what it is today, and else by a detour of ten times the work.
func flashOf(c buffalo.Context) []byte {
	data := reflect.ValueOf(c.Flash()).Elem().FieldByName("data")
	if !data.IsValid() || data.Type() != reflect.TypeFor[map[string][]string]() {
		return renderedFlash(c)
	}
	if data.Len() == 0 {
		return []byte("{}")
	}
	messages := make(map[string][]string, data.Len())
	for kind, list := range data.Seq2() {
		for i := range list.Len() {
			messages[kind.String()] = append(messages[kind.String()], list.Index(i).String())
		}
	}
	flash, _ := json.Marshal(messages) // strings always are JSON
	return flash
}

// renderedFlash asks for the flash as Buffalo hands it out, to a renderer, which then
// refuses to render.
func renderedFlash(c buffalo.Context) (flash []byte) {
	_ = c.Render(http.StatusOK, render.Func("", func(_ io.Writer, data render.Data) error {
		flash, _ = json.Marshal(data["flash"])
		return errors.New("session: the flash was all that was asked for")
	}))
	return flash
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
