// Package buffalosession keeps the sessions of a Buffalo application in a session.Store:
//
//	app := buffalo.New(buffalo.Options{Env: ENV, SessionName: "_app_session"})
//	store, err := buffalosession.NewStore(ENV, session.Options{})
//	buffalosession.Install(app, store, nil)
//
// Nothing else changes: the application is served, and tested, as before. Sessions can store a
// uuid.UUID, as Buffalo's sign-in recipes do.
package buffalosession

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"time"

	"heroes/session"
	"heroes/session/devicebound"

	"github.com/gobuffalo/buffalo"
	"github.com/gobuffalo/buffalo/render"
	"github.com/gofrs/uuid"
)

func init() { session.Register("uuid", uuid.UUID{}) }

// Install has app keep its sessions in store. Call it once, directly after buffalo.New: before
// app.Group, app.Resource and app.VirtualHost, which copy what the application has at that moment.
//
//   - Sessions are saved as store.Handler describes, however the application is served. onError
//     answers if a session cannot be saved after the application has begun to write by itself; nil
//     answers in plain text.
//   - Pages read the session as session["name"] or session.Get("name"). A page or a redirect
//     leaves after the session is saved. If that fails, the error reaches the middleware around
//     the handler, so that a transaction rolls back, and app.ErrorHandlers answers: 503 while the
//     sessions cannot be reached, 409 if another request renewed or ended the session, if too
//     many requests change it at once, or if a bound session has no valid proof; 429 if Options.AllowNew does not let a new session begin. A flash is kept even if the response is neither rendered
//     nor redirected. A flash that is never shown keeps only its newest messages: at most ten, in about 1 KiB of JSON.
//   - From the first request on, expired records are deleted every five minutes.
//   - With Options.DeviceProof, browsers that support DBSC are answered below session.DevicePath. Middleware does
//     not see these requests. For files below /assets, browsers do not refresh the proof first.
//   - Buffalo's RequestLogger gives every visitor a session. One that stores nothing takes its
//     place: RequestLogger. A request logger of the application's own stays.
func Install(app *buffalo.App, store *session.Store, onError func(http.ResponseWriter, *http.Request, error)) {
	if strings.Contains(app.Middleware.String(), "buffalosession.middleware") {
		app.Logger.Error("buffalosession: Install was called twice for one application: call it once, directly after buffalo.New")
	}
	app.SessionStore = store
	app.Middleware.Replace(buffalo.RequestLoggerFunc, RequestLogger)
	app.Use(middleware)

	i := &installation{app: app, store: store, onError: onError}
	router := app.Muxer()
	if store.BindsDevices() {
		router.PathPrefix(session.DevicePath).Handler(devicebound.Handler(store, "/assets"))
	}
	router.Use(i.handler)
	router.NotFoundHandler = i.handler(router.NotFoundHandler)
	router.MethodNotAllowedHandler = i.handler(router.MethodNotAllowedHandler)
}

// An installation saves the sessions of an application.
type installation struct {
	app     *buffalo.App
	store   *session.Store
	onError func(http.ResponseWriter, *http.Request, error)
	apps    sync.Map // the application and its groups that were checked
}

// handler saves the sessions of what route serves. The router calls it for each request. Middleware
// such as popmw asks the context for a buffalo.Response, so the writer that saves is inside one. If
// the session cannot be saved, it has the status of the error, so that a transaction rolls back.
func (i *installation) handler(route http.Handler) http.Handler {
	return i.store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.check(route)
		response := &buffalo.Response{ResponseWriter: w}
		session.Of(r).OnRefusal(func(status int) { response.Status = status })
		route.ServeHTTP(response, r)
	}), i.onError)
}

// check reports, with the first request, what was done in the wrong order. It also starts the purge,
// which Install does not, because tasks serve no requests.
func (i *installation) check(route http.Handler) {
	app := i.app
	if info, ok := route.(*buffalo.RouteInfo); ok {
		app = info.App
	}
	if _, checked := i.apps.LoadOrStore(app, true); checked {
		return
	}
	switch {
	case app == i.app && strings.Contains(app.Middleware.String(), "buffalo.RequestLoggerFunc"):
		app.Logger.Error("buffalosession: the application uses Buffalo's RequestLogger, which gives every visitor a session: do not add it, because Install adds another one")
	case app != i.app && strings.Contains(app.Middleware.String(), "buffalo.RequestLoggerFunc"):
		i.app.Logger.Errorf("buffalosession: the group or resource %s was made before Install, so each of its visitors gets a session and its pages cannot read it: call Install directly after buffalo.New", app.Prefix)
	case app == i.app && app.SessionStore != i.store && app.Env != "test":
		i.app.Logger.Errorf("buffalosession: the sessions are in a %T, because SessionStore was set after Install: remove the line that sets it", app.SessionStore)
	}
	go i.store.PurgeEvery(i.app.Context, 5*time.Minute)
}

// middleware lets pages read the session, and makes what saves it return the errors. If a test has
// replaced the application's store, as package suite does, pages can read the session as well.
func middleware(next buffalo.Handler) buffalo.Handler {
	return func(c buffalo.Context) error {
		x := session.Of(c.Request())
		own := &context{Context: c, exchange: x}
		x.BeforeCommit(own.keepFlash)
		err := x.Err()
		if err == nil {
			err = own.commit(next(own))
		}
		return withStatus(own, err)
	}
}

// commit saves the session before Buffalo answers an error of less than 500, so that an error of
// saving can take its place. A session that cannot be saved any more is reported elsewhere.
func (c *context) commit(err error) error {
	answer := buffalo.HTTPError{Status: http.StatusInternalServerError}
	if !errors.As(err, &answer) && errors.Is(err, sql.ErrNoRows) {
		answer.Status = http.StatusNotFound // as Buffalo does
	}
	if err == nil || answer.Status >= http.StatusInternalServerError || c.exchange.Err() != nil {
		return err
	}
	flashed := c.flashed
	c.flashed = false // the page of the error may show it
	failed := c.respond(answer.Status, c.Session().Save)
	c.flashed = flashed
	if failed == nil || errors.Is(failed, session.ErrTooLate) {
		return err
	}
	return failed
}

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
	flashed := c.flashed
	c.flashed = false // Buffalo stores it
	err := c.respond(status, func() error { return c.Context.Render(status, page) })
	if err != nil || to.URL != "" {
		c.flashed = flashed // it was not shown
	}
	if to.URL != "" {
		return c.Redirect(to.Status, to.URL)
	}
	return err
}

// Redirect saves the session with the flash and redirects. It resolves a route helper first, so
// that a missing one saves nothing.
func (c *context) Redirect(status int, url string, args ...any) error {
	if strings.HasPrefix(url, "/") && strings.HasSuffix(url, "Path()") { // a path, such as "/?next=fooPath()": Buffalo would look for a route helper
		url = strings.TrimSuffix(url, ")") + "%29"
	}
	if strings.HasSuffix(url, "Path()") {
		path, err := c.path(strings.TrimSuffix(url, "()"), args)
		if err != nil {
			return err
		}
		url, args = path, nil
	}
	c.flashed = false // Buffalo stores it
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
	return withStatus(c, c.exchange.Respond(c.Request(), status, write))
}

// keepFlash puts the flash into the session, as Render and Redirect do, and keeps it small.
func (c *context) keepFlash() {
	if c.flashed {
		c.flashed = false
		text, _ := json.Marshal(c.messages())
		c.Session().Set("_flash_", text)
	}
	c.boundFlash()
}

// messages returns the flash. Buffalo shows it only to renderers, so a renderer reads it and then refuses to render.
func (c *context) messages() (all map[string][]string) {
	_ = c.Context.Render(http.StatusOK, render.Func("", func(_ io.Writer, data render.Data) error {
		all, _ = data["flash"].(map[string][]string)
		return errors.New("buffalosession: only the flash was asked for")
	}))
	return all
}

// A flash keeps at most this many messages, and this many bytes in JSON. Otherwise they pile up if a client
// keeps causing them and never shows them.
const (
	maxMessages     = 10
	maxMessageBytes = 1 << 10
)

// boundFlash drops messages from the flash in the session until it is small enough: of the kind that has most, the oldest.
func (c *context) boundFlash() {
	text, _ := c.Session().Get("_flash_").([]byte)
	if len(text) <= maxMessageBytes && bytes.Count(text, []byte(`"`)) <= 2*maxMessages { // every message has two
		return
	}
	var all map[string][]string
	if json.Unmarshal(text, &all) != nil {
		return // not Buffalo's
	}
	for {
		count, most := 0, ""
		for kind, texts := range all {
			count += len(texts)
			if n := len(texts) - len(all[most]); n > 0 || n == 0 && kind < most {
				most = kind
			}
		}
		text, _ := json.Marshal(all)
		if count <= 1 || count <= maxMessages && len(text) <= maxMessageBytes {
			c.Session().Set("_flash_", text)
			return
		}
		all[most] = all[most][1:]
		maps.DeleteFunc(all, func(_ string, texts []string) bool { return len(texts) == 0 })
	}
}
