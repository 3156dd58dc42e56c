// Package actions is the application: what it answers to each request.
package actions

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"os"

	"heroes/session"
	"heroes/session/buffalosession"

	"github.com/gobuffalo/buffalo"
	"github.com/gobuffalo/envy"
)

// maxBody is the most bytes a request's body may have; a hero needs 3 KB at most.
const maxBody = 64 << 10

// maxFields is the most fields that a form may have, those of the query included.
const maxFields = 100

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

		TimeoutSecondShutdown: 9, // for the requests that are under way at SIGTERM
	})
	app.Middleware.Remove(buffalo.RequestLogger) // it would give every visitor a session; Handler logs instead
	app.ErrorHandlers = buffalo.ErrorHandlers{0: showError}

	app.Use(speak)                     // the words of every page, in the visitor's language
	app.Use(buffalosession.Middleware) // saves the session before a page leaves

	app.GET("/", HeroesNew)
	app.GET("/heroes/new", HeroesNew)
	app.POST("/heroes", HeroesCreate)
	app.GET("/success", HeroesSuccess)
	app.DELETE("/session", SessionDestroy)
	app.POST("/language", LanguageUpdate)
	if Production(env) {
		app.GET("/session", SessionHidden) // without it the answer would be 405
	} else {
		app.Use(offerInspector)
		app.GET("/session", SessionShow)
		app.POST("/session", SessionTamper)
	}

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
	mux.Handle("/", store.Handler(refuse(app), func(w http.ResponseWriter, r *http.Request, err error) {
		fail(app, w, r, session.Status(w.Header(), err), err)
	}))
	return identify(secure(logRequests(app.Logger, answerHead(mux)), Production(app.Env)))
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

// refuse answers what the application is not to see: 405 for a method that no route has,
// 403 when a page of another origin asks for a change (OWASP ASVS 5.0, 3.5.1), which needs no
// token, so that a visitor needs no session, and what readBody finds.
func refuse(app *buffalo.App) http.Handler {
	protection := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, err := http.StatusMethodNotAllowed, errMethod
		if r.Method == http.MethodGet || r.Method == http.MethodPost || r.Method == http.MethodDelete {
			status, err = http.StatusForbidden, protection.Check(r)
		}
		if err == nil {
			status, err = readBody(w, r)
		}
		if err != nil {
			fail(app, w, r, status, err)
			return
		}
		app.ServeHTTP(w, r)
	})
}

var (
	errMethod = errors.New("no route has this method")
	errType   = errors.New("the body is not a form")
	errFields = fmt.Errorf("the form has more than %d fields", maxFields)
)

// readBody reads a form, or says with which status it is refused: 413 over maxBody, before
// anything is read of a body that says so itself; 415 for anything but a form; 400 for one
// that is broken or has more than maxFields fields.
func readBody(w http.ResponseWriter, r *http.Request) (status int, err error) {
	switch {
	case r.ContentLength > maxBody:
		w.Header().Set("Connection", "close") // the rest of it is not waited for
		return http.StatusRequestEntityTooLarge, &http.MaxBytesError{Limit: maxBody}
	case r.ContentLength == 0 || r.Body == nil: // nil only in tests
		r.Body = http.NoBody
		return 0, nil
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return http.StatusUnsupportedMediaType, errType
	}
	err = r.ParseForm()
	if err == nil {
		_, err = io.Copy(io.Discard, r.Body) // a form is read of a POST alone
	}
	if err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return http.StatusRequestEntityTooLarge, err
		}
		return http.StatusBadRequest, err
	}
	count := 0
	for _, values := range r.Form {
		count += len(values)
	}
	if count > maxFields {
		return http.StatusBadRequest, errFields
	}
	return 0, nil
}
