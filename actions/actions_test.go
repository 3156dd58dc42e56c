package actions

import (
	"bytes"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"heroes/config"
	"heroes/models"
	"heroes/session"
	"heroes/session/sessiontest"

	"github.com/gobuffalo/buffalo"
	"github.com/gobuffalo/envy"
	"github.com/gobuffalo/httptest"
	"github.com/gobuffalo/pop/v6"
	"github.com/stretchr/testify/require"
	"github.com/stretchr/testify/suite"
)

// ActionSuite tests the application as a browser sees it. Each test has a new browser, which keeps
// its cookies. It has the names of Buffalo's own suite, which would replace the session store.
type ActionSuite struct {
	suite.Suite
	*require.Assertions
	App     *buffalo.App
	DB      *pop.Connection // nil if there is no test database
	Session Session

	handler http.Handler
	jar     map[string]string // the browser's cookies
	header  map[string]string // sent with each request
	log     bytes.Buffer      // what the application logs
}

func Test_ActionSuite(t *testing.T) {
	suite.Run(t, &ActionSuite{DB: models.DB})
}

func TestMain(m *testing.M) {
	envy.Set("LOG_LEVEL", "error")
	os.Exit(m.Run())
}

// SetupTest opens the application as buffalo test configures it.
func (as *ActionSuite) SetupTest() {
	as.Assertions = require.New(as.T())
	c, err := config.Get()
	as.NoError(err)
	as.use(App(), c)
}

// open opens an application of the test's own, changed as it asks, and a new browser.
func (as *ActionSuite) open(change ...func(*config.Config)) {
	as.T().Helper()
	c, err := config.Read()
	as.NoError(err)
	c.LogLevel, c.Log = -4, &as.log
	for _, f := range change {
		f(&c)
	}
	app, err := New(c)
	as.NoError(err)
	as.use(app, c)
}

func (as *ActionSuite) use(app *buffalo.App, c config.Config) {
	as.App, as.handler = app, Handler(app, c)
	as.jar, as.header, as.Session = map[string]string{}, map[string]string{}, Session{as}
	as.log.Reset()
}

// in sets the environment.
func in(env string) func(*config.Config) {
	return func(c *config.Config) {
		c.Env, c.Session.Insecure = env, !config.Production(env)
	}
}

// on keeps the sessions in a backend.
func on(backend session.Backend) func(*config.Config) {
	return func(c *config.Config) { c.Session.Backend = backend }
}

// HTML returns a request for a page.
func (as *ActionSuite) HTML(path string, args ...any) *httptest.Request {
	r := httptest.New(as).HTML("%s", sprintf(path, args))
	for name, value := range as.header {
		r.Headers[name] = value
	}
	return r
}

// JSON returns a request for JSON.
func (as *ActionSuite) JSON(path string, args ...any) *httptest.JSON {
	return httptest.New(as).JSON("%s", sprintf(path, args))
}

func sprintf(format string, args []any) string {
	if len(args) == 0 {
		return format
	}
	return fmt.Sprintf(format, args...)
}

// ServeHTTP serves a request with the browser's cookies, and keeps those of the response.
func (as *ActionSuite) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if len(as.jar) > 0 {
		req.Header.Del("Cookie")
	}
	for name, value := range as.jar {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	as.handler.ServeHTTP(w, req)
	set := w.Header()["Set-Cookie"]
	as.LessOrEqual(len(set), 1, "promise 3")
	for _, line := range set {
		c, err := http.ParseSetCookie(line)
		as.NoError(err)
		as.jar[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(as.jar, c.Name)
		}
	}
}

func (as *ActionSuite) store() *session.Store {
	return as.App.SessionStore.(*session.Store)
}

// A Session is the browser's, as the server reads it.
type Session struct{ as *ActionSuite }

// Values returns a copy of the session's values.
func (s Session) Values() session.View {
	r, err := http.NewRequest("GET", "/", nil)
	s.as.NoError(err)
	for name, value := range s.as.jar {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	stored, err := s.as.store().Get(r, s.as.App.SessionName)
	s.as.NoError(err)
	return session.ViewOf(stored)
}

// Get returns the value of a key, or nil.
func (s Session) Get(key string) any { return s.Values()[key] }

// Set stores a value in the browser's session and keeps the others.
func (s Session) Set(key string, value any) {
	values := s.Values()
	values[key] = value
	s.put(values)
}

// Clear takes the session away from the browser.
func (s Session) Clear() { clear(s.as.jar) }

func (s Session) put(values session.View) {
	r, err := http.NewRequest("GET", "/", nil)
	s.as.NoError(err)
	name := s.as.App.SessionName
	s.as.NoError(sessiontest.Put(s.as.store(), r, name, values))
	s.as.jar[name] = r.CookiesNamed(name)[0].Value
}

// Contains fails if a text is not on a page. It prints the text and the page's headings, not the
// page.
func (as *ActionSuite) Contains(page, text any, message ...any) {
	as.T().Helper()
	if p, ok := page.(string); ok && !strings.Contains(p, fmt.Sprint(text)) {
		as.FailNow(fmt.Sprintf("%q is not on the page", text), "%v\n%s", message, outline(p))
	} else if !ok {
		as.Assertions.Contains(page, text, message...)
	}
}

// NotContains fails if a text is on a page.
func (as *ActionSuite) NotContains(page, text any, message ...any) {
	as.T().Helper()
	if p, ok := page.(string); ok && strings.Contains(p, fmt.Sprint(text)) {
		_, after, _ := strings.Cut(p, fmt.Sprint(text))
		as.FailNow(fmt.Sprintf("%q is on the page, before %.60q", text, after), "%v\n%s", message, outline(p))
	} else if !ok {
		as.Assertions.NotContains(page, text, message...)
	}
}

var heading = regexp.MustCompile(`(?s)<(title|h1|h2|p)\b[^>]*>(.*?)</`)

// outline returns the headings and the first texts of a page.
func outline(page string) string {
	var lines []string
	for _, m := range heading.FindAllStringSubmatch(page, 8) {
		lines = append(lines, m[1]+": "+html.UnescapeString(m[2]))
	}
	if len(lines) == 0 {
		return fmt.Sprintf("%.300s", page)
	}
	return fmt.Sprintf("%.600s", strings.Join(lines, "\n"))
}

var famous = map[string]string{"name": "Superman", "alter_ego": "Clark Kent", "catch_phrase": "Up, up and away!"}

// hero returns a form with a value in every field. Change, if given, is a field and its value.
func hero(change ...string) url.Values {
	form := url.Values{}
	for _, field := range Fields {
		form.Set(field.Name, famous[field.Name])
		if famous[field.Name] == "" {
			form.Set(field.Name, "Hero’s "+field.Name)
		}
	}
	for i := 0; i < len(change); i += 2 {
		form.Set(change[i], change[i+1])
	}
	return form
}
