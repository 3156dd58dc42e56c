package actions

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"

	"heroes/edge"
	"heroes/locales"
	"heroes/session"

	"github.com/gobuffalo/buffalo"
)

// errorTexts are the statuses with a text of their own. Other 4xx use the text of 400, and the rest
// that of 500.
var errorTexts = map[int]bool{400: true, 403: true, 404: true, 405: true, 409: true, 413: true, 415: true, 421: true, 422: true, 429: true, 500: true, 503: true}

func notFound(c buffalo.Context) error {
	return c.Error(http.StatusNotFound, errors.New("there is no such page"))
}

// errorPages answer errors, wherever in a request they happen: in the layout and the visitor's
// language, or in JSON. They neither show nor use up the flash.
type errorPages struct {
	app  *buffalo.App
	site *site
}

// handle is Buffalo's error handler. The others below do not need a Buffalo context.
func (e errorPages) handle(status int, err error, c buffalo.Context) error {
	chosen, ok := c.Value("chosen").(string) // as the request began: it may have changed the session in vain
	if !ok {
		chosen, _ = c.Session().Get("lang").(string)
	}
	e.respond(c.Response(), c.Request(), chosen, session.ViewOf(c.Session().Session), status, err)
	return nil
}

// write answers with an error in the language of the session.
func (e errorPages) write(w http.ResponseWriter, req *http.Request, status int, cause error) {
	s, _ := e.app.SessionStore.Get(req, e.app.SessionName) // while the store cannot be reached, s is empty
	chosen, _ := s.Values["lang"].(string)
	e.respond(w, req, chosen, session.ViewOf(s), status, cause)
}

// refuse answers with an error without reading a session.
func (e errorPages) refuse(w http.ResponseWriter, req *http.Request, status int, cause error) {
	e.respond(w, req, "", session.View{}, status, cause)
}

// respond answers with an error. Its cause goes to the log and, in development, to the page.
func (e errorPages) respond(w http.ResponseWriter, req *http.Request, chosen string, s session.View, status int, cause error) {
	logger := e.app.Logger.WithField("request_id", edge.RequestID(req.Context()))
	if status >= http.StatusInternalServerError {
		logger.WithField("status", status).Error(cause)
	}
	if status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", e.allowed(req.URL.Path))
	}
	page, err := e.render(w, req, chosen, s, status, cause)
	if err != nil {
		logger.Error(err)
		text := http.StatusText(status)
		if e.app.Env == "development" {
			text = fmt.Sprintf("%v\n\n%v", err, cause)
		}
		http.Error(w, text, status)
		return
	}
	w.WriteHeader(status)
	_, _ = w.Write(page) // the visitor may have left
}

// render renders an error. It must not fail a second time, so it turns a panic into an error.
func (e errorPages) render(w http.ResponseWriter, req *http.Request, chosen string, s session.View, status int, cause error) (page []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the page of %d: %v", status, p)
		}
	}()
	if e.app.Env == "development" {
		_ = e.site.reload(e.app.Logger) // after an error, the words before it are still there
	}
	data := e.site.layoutData(w, req, chosen)
	t := data["t"].(locales.TranslateFunc)
	problem := newProblem(t, status)
	if errors.Is(cause, session.ErrUnproven) {
		problem.Title = t("errors.unproven.title")
		problem.Detail = t("errors.unproven.text")
	}
	w.Header().Add("Vary", "Accept")
	if edge.WantsJSON(req) {
		w.Header().Set("Content-Type", edge.ProblemType)
		return json.Marshal(problem)
	}
	data["problem"] = problem
	data["details"] = ""
	if e.app.Env == "development" && status >= http.StatusInternalServerError {
		data["details"] = fmt.Sprintf("%v\n\n%s", cause, debug.Stack()) // shows where a panic happened
	}
	data["env"], data["session"], data["flash"] = e.app.Env, s, map[string][]string{}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	var b bytes.Buffer
	err = r.HTML("errors/error.html").Render(&b, data)
	return b.Bytes(), err
}

// allowed lists the methods of the routes with this path or, if there are none, of all routes
// (RFC 9110, section 15.5.6).
func (e errorPages) allowed(path string) string {
	all, own := map[string]bool{"HEAD": true}, map[string]bool{}
	for _, route := range e.app.Routes() {
		all[route.Method] = true
		if strings.Trim(route.Path, "/") == strings.Trim(path, "/") {
			own[route.Method] = true
		}
	}
	if own[http.MethodGet] {
		own[http.MethodHead] = true
	}
	if len(own) == 0 {
		own = all
	}
	return strings.Join(slices.Sorted(maps.Keys(own)), ", ")
}

func newProblem(t locales.TranslateFunc, status int) edge.Problem {
	text := status
	if !errorTexts[text] {
		text = min(status/100*100, 500)
	}
	return edge.Problem{
		Status: status,
		Title:  t(fmt.Sprintf("errors.%d.title", text)),
		Detail: t(fmt.Sprintf("errors.%d.text", text)),
	}
}
