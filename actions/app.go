// Package actions is the application: what it answers to each request.
package actions

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"heroes/session"

	"github.com/gobuffalo/buffalo"
	"github.com/gobuffalo/envy"
)

// maxBody is the most bytes a request's body may have; a hero needs 3 KB at most.
const maxBody = 64 << 10

// App is the application: its middleware and its routes, from top to bottom. Its
// sessions are those of store.
func App(store *session.Store) *buffalo.App {
	env := envy.Get("GO_ENV", "development")
	app := buffalo.New(buffalo.Options{
		Env:            env,
		SessionStore:   store,
		SessionName:    SessionName(),
		MethodOverride: methodOverride,
		WorkerOff:      true,
	})
	app.Middleware.Remove(buffalo.RequestLogger) // it would give every visitor a session; Handler logs instead
	app.ErrorHandlers = buffalo.ErrorHandlers{0: showError}

	app.Use(speak)              // the words of every page, in the visitor's language
	app.Use(session.Middleware) // 503 while the sessions cannot be reached
	app.Use(refuseLargeBodies)  // 413
	app.Use(refuseOtherOrigins) // 403

	app.GET("/", HeroesNew)
	app.GET("/heroes/new", HeroesNew)
	app.POST("/heroes", HeroesCreate)
	app.GET("/success", HeroesSuccess)
	app.DELETE("/session", SessionDestroy)
	app.POST("/language", LanguageUpdate)

	return app
}

// Handler is what a server serves: the application, and what stands around it.
// Files and health checks never touch a session.
func Handler(app *buffalo.App) http.Handler {
	store := app.SessionStore.(*session.Store)
	mux := http.NewServeMux()
	files.Route(mux)
	mux.HandleFunc("GET /healthz", HealthShow)
	mux.HandleFunc("GET /healthz/{$}", HealthShow)
	mux.HandleFunc("GET /readyz", ReadyShow(store))
	mux.HandleFunc("GET /readyz/{$}", ReadyShow(store))
	mux.Handle("/", store.Handler(app)) // saves the session with the first byte
	return logRequests(app.Logger, limitBody(answerHead(mux)))
}

// SessionName is the cookie's. In production a browser takes a cookie of this
// name only over https and from this very host (RFC 6265bis, section 4.1.3.2).
func SessionName() string {
	if Production(envy.Get("GO_ENV", "development")) {
		return "__Host-heroes_session"
	}
	return "_heroes_session"
}

// Production is true unless env names the development or the test environment.
func Production(env string) bool {
	return env != "development" && env != "test"
}

// methodOverride lets a form, which can POST alone, ask for DELETE by its field
// _method. The query has no say.
func methodOverride(_ http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost && r.PostFormValue("_method") == http.MethodDelete {
		r.Method = http.MethodDelete
	}
}

// answerHead has HEAD answered as GET is; the server leaves out the body.
func answerHead(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			get := *r
			get.Method = http.MethodGet
			r = &get
		}
		next.ServeHTTP(w, r)
	})
}

// limitBody stops the reading of a body at maxBody bytes.
func limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil { // only in tests
			r.Body = http.NoBody
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

// refuseLargeBodies answers 413 when limitBody has stopped. Buffalo has read the
// form by then, and dropped the error.
func refuseLargeBodies(next buffalo.Handler) buffalo.Handler {
	return func(c buffalo.Context) error {
		if c.Request().ContentLength == 0 {
			return next(c)
		}
		rest, err := io.ReadAll(c.Request().Body)
		c.Request().Body = io.NopCloser(bytes.NewReader(rest))
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return c.Error(http.StatusRequestEntityTooLarge, err)
		}
		return next(c)
	}
}

// refuseOtherOrigins answers 403 when a page of another origin asks for a change
// (OWASP ASVS 5.0, 3.5.1). It needs no token, so a visitor needs no session.
func refuseOtherOrigins(next buffalo.Handler) buffalo.Handler {
	protection := http.NewCrossOriginProtection()
	return func(c buffalo.Context) error {
		if err := protection.Check(c.Request()); err != nil {
			return c.Error(http.StatusForbidden, err)
		}
		return next(c)
	}
}
