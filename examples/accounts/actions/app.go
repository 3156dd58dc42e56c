// Package actions is an application in which people sign in. Read New, which has the routes, and then
// sessions.go, devices.go and passwords.go.
package actions

import (
	"errors"
	"net/http"
	"time"

	"heroes/session"
	"heroes/session/buffalosession"

	"accounts/models"
	"accounts/public"

	"github.com/gobuffalo/buffalo"
)

// remembered is how long "remember me" keeps somebody signed in.
const remembered = 30 * 24 * time.Hour

// usual is how long anybody else stays signed in.
var usual = []session.SignInOption{session.UntilBrowserCloses(), session.KeepFor(12 * time.Hour)}

// fresh is how long after a sign-in nobody is asked for the password again. It is a variable for
// the tests.
var fresh = 5 * time.Minute

// handlers has what the handlers need besides their context.
type handlers struct{ accounts *models.Accounts }

// New builds the application: its middleware and its routes, from top to bottom.
func New(env string, accounts *models.Accounts, backend session.Backend) (*buffalo.App, error) {
	store, err := buffalosession.NewStore(env, session.Options{
		Backend:     backend,
		IdleTimeout: remembered, // the longest that a visitor may choose; see usual for the others
		Lifetime:    remembered,
	})
	if err != nil {
		return nil, err
	}
	h := handlers{accounts}

	app := buffalo.New(buffalo.Options{Env: env, SessionName: cookieName(env), WorkerOff: true})
	app.ErrorHandlers = buffalo.ErrorHandlers{0: showError} // 0 is every status
	buffalosession.Install(app, store, nil)
	app.Use(h.loadAccount)

	app.GET("/", HomeIndex)
	app.POST("/theme", ThemeUpdate)

	app.GET("/sign-up", AccountsNew)
	app.POST("/sign-up", h.AccountsCreate)
	app.GET("/sign-in", SessionsNew)
	app.POST("/sign-in", h.SessionsCreate)
	app.POST("/sign-out", SessionsDestroy)

	devices := app.Group("/devices")
	devices.Use(buffalosession.RequireSignIn(0, "/sign-in")) // at any time
	devices.GET("/", DevicesIndex)

	account := app.Group("/account")
	account.Use(buffalosession.RequireSignIn(fresh, "/sign-in")) // a moment ago
	account.POST("/devices/end", DevicesEnd)
	account.POST("/devices/end-others", DevicesEndOthers)
	account.GET("/password", PasswordsEdit)
	account.POST("/password", h.PasswordsUpdate)
	account.GET("/delete", AccountsDelete)
	account.POST("/delete", h.AccountsDestroy)
	return app, nil
}

// cookieName returns the name of the session's cookie. Browsers accept "__Host-" over https only,
// and from no other host of the domain.
func cookieName(env string) string {
	if env == "development" || env == "test" {
		return "_accounts_session"
	}
	return "__Host-accounts"
}

// loadAccount sets "account" for handlers and pages: that of the visitor who is signed in.
func (h handlers) loadAccount(next buffalo.Handler) buffalo.Handler {
	return func(c buffalo.Context) error {
		owner := buffalosession.Owner(c)
		if owner == "" {
			return next(c)
		}
		account, err := h.accounts.Find(owner)
		if errors.Is(err, models.ErrUnknown) { // it was deleted, and this session has not been ended yet
			if err := buffalosession.SignOut(c); err != nil {
				return err
			}
			return c.Redirect(http.StatusSeeOther, "/sign-in")
		}
		if err != nil {
			return err
		}
		c.Set("account", account)
		return next(c)
	}
}

// Guard returns what a server serves: the application and its stylesheet, protected from forms of
// other sites and from large bodies. The check of where a form comes from needs no token.
func Guard(app http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /style.css", http.FileServerFS(public.Files))
	mux.Handle("/", http.NewCrossOriginProtection().Handler(app))
	limited := http.MaxBytesHandler(mux, 64<<10)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		header.Set("Referrer-Policy", "same-origin") // RequireSignIn leads back to the page that a form was on
		header.Set("X-Content-Type-Options", "nosniff")
		limited.ServeHTTP(w, r)
	})
}
