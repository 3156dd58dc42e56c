// Package actions is the application: its routes, and what it answers.
package actions

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"sync"

	"heroes/config"
	"heroes/edge"
	"heroes/inspector"
	"heroes/models"
	"heroes/session"
	"heroes/session/buffalosession"

	"github.com/gobuffalo/buffalo"
)

var (
	app     *buffalo.App
	appOnce sync.Once
)

// App returns the application with the settings of the environment. If one of them is wrong, it
// prints how to fix it and exits.
func App() *buffalo.App {
	appOnce.Do(func() {
		c, err := config.Get()
		if err == nil {
			app, err = New(c)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		// Buffalo's generators add their routes below.
	})
	return app
}

// New builds an application: its middleware and its routes, from top to bottom.
func New(c config.Config) (*buffalo.App, error) {
	look, err := lookOf(c.Env)
	if err != nil {
		return nil, err
	}
	logger := edge.NewLogger(c.Writer(), c.LogLevel, c.Production())
	c.Session.OnEvent = func(ctx context.Context, e session.Event) {
		edge.LogSession(ctx, logger, e)
		c.Metrics.Session(e)
	}
	store, err := models.Sessions(context.Background(), c)
	if err != nil {
		return nil, err
	}

	app := buffalo.New(buffalo.Options{
		Env:            c.Env,
		Addr:           c.Addr,
		Logger:         logger,
		SessionStore:   store,
		SessionName:    c.SessionName(),
		MethodOverride: edge.MethodOverride,
		WorkerOff:      true,

		TimeoutSecondShutdown: 9, // for the requests in progress at SIGTERM
	})
	app.Middleware.Remove(buffalo.RequestLogger) // it gives every visitor a session; Handler logs instead
	app.ErrorHandlers = buffalo.ErrorHandlers{0: errorPages{app, look}.handle}

	app.Use(translations(look))        // the visitor's language
	app.Use(buffalosession.Middleware) // saves the session before a page leaves

	app.GET("/", HeroesNew)
	app.GET("/heroes/new", HeroesNew)
	app.POST("/heroes", HeroesCreate)
	app.GET("/success", HeroesSuccess)
	app.DELETE("/session", SessionDestroy)
	app.POST("/language", LanguageUpdate)

	if c.Production() {
		app.GET("/session", notFound) // without this route the answer would be 405
	} else {
		i := inspector.Inspector{Page: r.HTML("session/show.html"), Store: c.Store, Fields: fieldNames()}
		app.GET("/session", i.Show)
		app.POST("/session", i.Change)
	}
	return app, nil
}

// Handler returns what a server serves: the application and what surrounds it. Files and health
// checks never touch a session.
func Handler(app *buffalo.App) http.Handler {
	look, err := lookOf(app.Env)
	if err != nil { // New has returned it
		panic(err)
	}
	store := app.SessionStore.(*session.Store)
	pages := errorPages{app, look}
	mux := http.NewServeMux()
	look.files.Route(mux)
	edge.RouteHealth(mux, store.Ping)
	mux.Handle("/", store.Handler(edge.Limit(app, pages.serve), func(w http.ResponseWriter, req *http.Request, err error) {
		pages.serve(w, req, session.Status(w.Header(), err), err)
	}))
	return edge.Wrap(mux, app.Logger, config.Production(app.Env))
}
