// Package actions is the application: what it answers to each request.
package actions

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"

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
		Logger:         NewLogger(os.Stdout, level(), Production(env)),
		SessionStore:   store,
		SessionName:    SessionName(),
		MethodOverride: methodOverride,
		WorkerOff:      true,
	})
	app.Middleware.Remove(buffalo.RequestLogger) // it would give every visitor a session; Handler logs instead
	app.ErrorHandlers = buffalo.ErrorHandlers{0: showError}

	app.Use(speak)              // the words of every page, in the visitor's language
	app.Use(session.Middleware) // 503 while the sessions cannot be reached

	app.GET("/", HeroesNew)
	app.GET("/heroes/new", HeroesNew)
	app.POST("/heroes", HeroesCreate)
	app.GET("/success", HeroesSuccess)
	app.DELETE("/session", SessionDestroy)

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
	mux.Handle("/", store.Handler(refuse(app))) // saves the session with the first byte
	return logRequests(app.Logger, answerHead(mux))
}

// SessionName is the cookie's. In production a browser takes a cookie of this
// name only over https and from this very host (RFC 6265bis, section 4.1.3.2).
func SessionName() string {
	if Production(envy.Get("GO_ENV", "development")) {
		return "__Host-heroes_session"
	}
	return "_heroes_session"
}

// level is LOG_LEVEL's.
func level() (l slog.Level) {
	if l.UnmarshalText([]byte(envy.Get("LOG_LEVEL", "debug"))) != nil {
		return slog.LevelDebug
	}
	return l
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

// refuse answers what the application is not to see: 403 when a page of another origin
// asks for a change (OWASP ASVS 5.0, 3.5.1), which needs no token, so that a visitor needs
// no session; and 413 for a body over maxBody, before anything of it is parsed.
func refuse(app *buffalo.App) http.Handler {
	protection := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := protection.Check(r); err != nil {
			fail(app, w, r, http.StatusForbidden, err)
			return
		}
		if status, err := limitBody(w, r); err != nil {
			fail(app, w, r, status, err)
			return
		}
		app.ServeHTTP(w, r)
	})
}

// limitBody says which status a request has whose body is over maxBody or broken. A body
// that does not say its length is read for that.
func limitBody(w http.ResponseWriter, r *http.Request) (status int, err error) {
	switch {
	case r.ContentLength > maxBody:
		w.Header().Set("Connection", "close") // the rest of it is not waited for
		return http.StatusRequestEntityTooLarge, &http.MaxBytesError{Limit: maxBody}
	case r.ContentLength < 0:
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		r.Body = io.NopCloser(bytes.NewReader(body))
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return http.StatusRequestEntityTooLarge, err
		}
		return http.StatusBadRequest, err
	case r.Body == nil: // only in tests
		r.Body = http.NoBody
	}
	return 0, nil
}
