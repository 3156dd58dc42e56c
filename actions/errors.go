package actions

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"

	"heroes/session"

	"github.com/gobuffalo/buffalo"
)

// errorPages are the statuses that have words of their own; others below 500
// share those of 400, and the rest those of 500.
var errorPages = map[int]bool{400: true, 403: true, 404: true, 405: true, 409: true, 413: true, 415: true, 422: true, 500: true, 503: true}

// fail answers with the page of an error that was met outside of app's routes. It goes
// through app's own handler of unknown paths, which is how Buffalo makes a context.
func fail(app *buffalo.App, w http.ResponseWriter, r *http.Request, status int, err error) {
	r = r.Clone(context.WithValue(r.Context(), failureKey{}, failure{r.URL.Path, status, err}))
	r.Method, r.URL.Path = http.MethodGet, "/errors"
	app.ServeHTTP(w, r)
}

type failureKey struct{}

type failure struct {
	path   string // that was asked for
	status int
	cause  error
}

// showError answers with the page of status, in the layout and the language of
// every page. What went wrong goes to the log and, in development, to the page.
// The page neither shows nor uses up the flash, which waits for the next one.
func showError(status int, err error, c buffalo.Context) error {
	path := c.Request().URL.Path
	if f, ok := c.Value(failureKey{}).(failure); ok {
		path, status, err = f.path, f.status, f.cause
	}
	if status == http.StatusMethodNotAllowed {
		c.Response().Header().Set("Allow", allowed(c, path))
	}
	logger := c.Logger().WithField("request_id", requestID(c))
	if status >= http.StatusInternalServerError {
		logger.WithField("status", status).Error(err)
	}
	page, err := errorPage(status, err, c)
	if err != nil {
		logger.Error(err)
		http.Error(c.Response(), http.StatusText(status), status)
		return nil
	}
	c.Response().Header().Set("Content-Type", "text/html; charset=utf-8")
	c.Response().WriteHeader(status)
	_, _ = c.Response().Write(page) // the visitor may have gone
	return nil
}

// allowed are the methods that the path has, or those that there are (RFC 9110, section
// 15.5.6).
func allowed(c buffalo.Context, path string) string {
	methods := map[string]bool{}
	for _, route := range c.Value("app").(*buffalo.App).Routes() {
		if strings.Trim(route.Path, "/") == strings.Trim(path, "/") {
			methods[route.Method] = true
		}
	}
	if len(methods) == 0 {
		return "GET, HEAD, POST, DELETE"
	}
	if methods[http.MethodGet] {
		methods[http.MethodHead] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(methods)), ", ")
}

// errorPage renders the page of status. It must not fail a second time: a panic
// is an error too.
func errorPage(status int, cause error, c buffalo.Context) (page []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the page of %d: %v", status, p)
		}
	}()
	words := status
	if !errorPages[words] {
		words = min(status/100*100, 500)
	}
	details := ""
	if c.Value("env") == "development" && status >= http.StatusInternalServerError {
		details = fmt.Sprintf("%v\n\n%s", cause, debug.Stack())
	}
	render := func(c buffalo.Context) error {
		c.Set("title", say(c, fmt.Sprintf("errors.%d.title", words)))
		c.Set("text", say(c, fmt.Sprintf("errors.%d.text", words)))
		c.Set("details", details)
		page, err = withoutFlash(c, "errors/error.html")
		return err
	}
	err = speak(offerInspector(render))(c) // 404 and 405 have not been through them
	return page, err
}

// withoutFlash renders a page that neither shows nor uses up the flash.
func withoutFlash(c buffalo.Context, name string) ([]byte, error) {
	data := c.Data()
	data["flash"] = map[string][]string{}
	data["session"] = session.ViewOf(c.Session().Session)
	var b bytes.Buffer
	err := r.HTML(name).Render(&b, data)
	return b.Bytes(), err
}
