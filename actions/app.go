// Package actions is the application. Read New in app.go, which has the routes, and then heroes.go,
// which is the lesson, with fields.go for its form. The other files hold what every application
// needs: language.go, session.go, errors.go, and render.go.
package actions

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"runtime"
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

// App returns the application with the settings of the environment. If a setting is wrong, it prints
// how to fix it and exits.
func App() *buffalo.App {
	appOnce.Do(func() {
		cfg, err := config.Get()
		if err == nil {
			app, err = New(cfg)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		// "buffalo generate" adds its routes here. Write yours in New.
	})
	return app
}

// New builds an application: its middleware and its routes, from top to bottom.
func New(cfg config.Config) (*buffalo.App, error) {
	site, err := siteOf(cfg.Env)
	if err != nil {
		return nil, err
	}
	logger := edge.NewLogger(cfg.Writer(), cfg.LogLevel, cfg.LogRate, cfg.Production())
	if site.broken != nil {
		logger.Warn(site.broken)
	}
	cfg.Session.OnEvent = func(ctx context.Context, e session.Event) {
		edge.LogSession(ctx, logger, e)
		cfg.Metrics.Session(e)
	}
	cfg.Session.AllowNew = edge.LimitNewSessions(cfg.NewPerClient, cfg.NewSessions, cfg.Proxies).Wait
	store, err := models.Sessions(context.Background(), cfg)
	if err != nil {
		return nil, err
	}

	app := buffalo.New(buffalo.Options{
		Env:            cfg.Env,
		Addr:           cfg.Addr,
		Logger:         logger,
		SessionName:    cfg.SessionName(),
		SessionStore:   store, // or Buffalo would warn that there is no secret
		MethodOverride: edge.MethodOverride,
		WorkerOff:      true,

		TimeoutSecondShutdown: 9, // for the requests in progress at SIGTERM
	})
	app.Middleware.Remove(buffalo.RequestLogger)                               // edge.Wrap logs instead
	app.ErrorHandlers = buffalo.ErrorHandlers{0: errorPages{app, site}.handle} // 0 is every status

	app.Use(translations(site))             // the visitor's language
	buffalosession.Install(app, store, nil) // pages read the session, which is saved before they leave

	app.GET("/", HeroesNew)
	app.GET("/heroes/new", HeroesNew)
	app.POST("/heroes", HeroesCreate)
	app.GET("/success", HeroesSuccess)
	app.DELETE("/session", SessionDestroy)
	app.POST("/language", LanguageUpdate)

	if cfg.Production() {
		app.GET("/session", notFound) // there is a DELETE, so the answer would be 405
	} else {
		i := inspector.Inspector{Page: r.HTML("session/show.html"), Store: cfg.Store, Fields: fieldNames()}
		app.GET("/session", i.Show)
		app.POST("/session", i.Change)
	}
	return app, nil
}

// Handler returns what a server serves: the application and what surrounds it. edge.Limit refuses
// forms of other sites, so no form needs a token. Files, health checks and reports never touch a session.
func Handler(app *buffalo.App, cfg config.Config) http.Handler {
	site, err := siteOf(app.Env)
	if err != nil { // New would have returned it
		panic(err)
	}
	store := app.SessionStore.(*session.Store)
	pages := errorPages{app, site}
	mux := http.NewServeMux()
	site.files.Route(mux)
	edge.RouteHealth(mux, store.Ping)
	edge.RouteReports(mux, app.Logger)
	hosts := edge.NewHosts(cfg.Hosts, cfg.Env == "development")
	mux.Handle("/", store.Handler(edge.Limit(app, hosts, pages.write), func(w http.ResponseWriter, req *http.Request, err error) {
		pages.write(w, req, session.Status(w.Header(), err), err)
	}))
	handler := http.Handler(mux)
	if cfg.ForceHTTPS {
		handler = cfg.Proxies.RedirectToHTTPS(mux, hosts)
	}
	guard := edge.Guard{PerClient: cfg.RequestsPerClient, Proxies: cfg.Proxies, Turns: 16 * runtime.GOMAXPROCS(0)}
	return edge.Wrap(guard.Handler(handler, pages.refuse), app.Logger, cfg.Production())
}
