package buffalosession_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"heroes/session"
	"heroes/session/backendtest"
	"heroes/session/buffalosession"
	"heroes/session/sessiontest"

	"github.com/gobuffalo/buffalo"
	"github.com/gobuffalo/buffalo/render"
	"github.com/gofrs/uuid"
	"github.com/gorilla/sessions"
	"github.com/stretchr/testify/require"
)

const name = "_app_session"

// A program is a Buffalo application behind the session's handler, and a browser.
type program struct {
	*require.Assertions
	app    *buffalo.App
	store  *session.Store
	memory *backendtest.Memory // nil: sessions in cookies
	served http.Handler
	cookie string
	log    bytes.Buffer

	// transaction stands for popmw: what the middleware around a handler sees of its error.
	transaction error
}

func open(t *testing.T, memory *backendtest.Memory) *program {
	p := &program{Assertions: require.New(t), memory: memory}
	options := session.Options{}
	if memory != nil {
		options.Backend = memory
	}
	var err error
	p.store, err = session.New([][]byte{[]byte(session.NewSecret())}, options)
	p.NoError(err)
	p.app = buffalo.New(buffalo.Options{Env: "test", SessionStore: p.store, SessionName: name})
	p.app.Logger.(interface{ SetOutput(io.Writer) }).SetOutput(&p.log)
	p.app.Middleware.Remove(buffalo.RequestLogger)
	p.app.Use(buffalosession.Middleware)
	p.app.Use(func(next buffalo.Handler) buffalo.Handler {
		return func(c buffalo.Context) error {
			p.transaction = next(c)
			return p.transaction
		}
	})
	p.served = p.store.Handler(p.app, nil)
	return p
}

func (p *program) ask(method, path string) *http.Response {
	r, w := httptest.NewRequest(method, path, nil), httptest.NewRecorder()
	if p.cookie != "" {
		r.Header.Set("Cookie", name+"="+p.cookie)
	}
	p.served.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		p.cookie = c.Value
	}
	return w.Result()
}

// stored returns what the next request would read.
func (p *program) stored() session.View {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Cookie", name+"="+p.cookie)
	s, err := p.store.Get(r, name)
	p.NoError(err)
	return session.ViewOf(s)
}

var page = render.String("hello")

// Each way to answer, after the session was changed.
var answers = map[string]func(buffalo.Context) error{
	"render":     func(c buffalo.Context) error { return c.Render(http.StatusOK, page) },
	"render nil": func(c buffalo.Context) error { return c.Render(http.StatusNoContent, nil) },
	"redirect":   func(c buffalo.Context) error { return c.Redirect(http.StatusSeeOther, "/") },
	"to a route": func(c buffalo.Context) error {
		return c.Redirect(http.StatusSeeOther, "heroPath()", map[string]any{"id": 1})
	},
	"a render that redirects": func(c buffalo.Context) error {
		return c.Render(http.StatusOK, render.Func("text/plain", func(w io.Writer, d render.Data) error {
			return render.ErrRedirect{Status: http.StatusSeeOther, URL: "/"}
		}))
	},
}

func Test_12_and_13_an_error_of_saving_reaches_the_middleware_around_the_handler(t *testing.T) {
	for how, answer := range answers {
		for what, want := range map[string]struct {
			happens func(*program)
			status  int
			err     error
		}{
			"an outage":    {func(p *program) { p.memory.SetDown(true) }, http.StatusServiceUnavailable, session.ErrUnavailable},
			"a revocation": {func(p *program) { p.NoError(p.store.RevokeAll(t.Context())) }, http.StatusConflict, session.ErrConflict},
		} {
			p := open(t, &backendtest.Memory{})
			p.app.GET("/heroes/{id}", func(c buffalo.Context) error { return nil }).Name("hero")
			p.app.POST("/change", func(c buffalo.Context) error {
				first := c.Session().Get("n") == nil
				c.Session().Set("n", time.Now().UnixNano())
				if !first {
					want.happens(p)
					c.Response().Header().Set("Clear-Site-Data", `"storage"`)
				}
				return answer(c)
			})
			p.Less(p.ask("POST", "/change").StatusCode, 400, how)
			p.NoError(p.transaction)
			cookie := p.cookie

			res := p.ask("POST", "/change")
			p.Equal(want.status, res.StatusCode, "%s during %s", how, what)
			p.NotEmpty(res.Header.Get("Retry-After"))
			p.Empty(res.Header["Set-Cookie"])
			p.Empty(res.Header.Get("Location"))
			p.Empty(res.Header.Get("Clear-Site-Data"))
			p.Equal(cookie, p.cookie)
			p.ErrorIs(p.transaction, want.err, "%s: the transaction rolls back", how)
			httpErr := buffalo.HTTPError{}
			p.ErrorAs(p.transaction, &httpErr)
			p.Equal(want.status, httpErr.Status, "not 500")
		}
	}
}

func Test_12_a_session_that_cannot_be_loaded_is_503(t *testing.T) {
	p := open(t, &backendtest.Memory{})
	p.app.GET("/", func(c buffalo.Context) error { c.Session().Set("a", 1); return c.Render(http.StatusOK, page) })
	p.ask("GET", "/")
	p.memory.SetDown(true)
	res := p.ask("GET", "/")
	p.Equal(http.StatusServiceUnavailable, res.StatusCode)
	p.Equal("5", res.Header.Get("Retry-After"))
}

func Test_16_a_change_and_a_flash_are_saved_however_the_answer_is_written(t *testing.T) {
	for how, answer := range map[string]func(buffalo.Context) error{
		"redirect":   answers["redirect"],
		"to a route": answers["to a route"],
		"render nil": answers["render nil"],
		"write": func(c buffalo.Context) error {
			_, err := c.Response().Write([]byte("hello"))
			return err
		},
		"an error": func(c buffalo.Context) error { return c.Error(http.StatusNotFound, errors.New("no such hero")) },
	} {
		p := open(t, nil)
		p.app.GET("/heroes/{id}", func(c buffalo.Context) error { return nil }).Name("hero")
		p.app.POST("/change", func(c buffalo.Context) error {
			c.Session().Set("name", "Superman")
			c.Flash().Add("success", `<"Zoë">`)
			c.Flash().Add("success", "twice")
			return answer(c)
		})
		shown := map[string][]string{}
		p.app.GET("/flash", func(c buffalo.Context) error {
			return c.Render(http.StatusOK, render.Func("text/plain", func(_ io.Writer, d render.Data) error {
				shown = d["flash"].(map[string][]string)
				return nil
			}))
		})
		p.Len(p.ask("POST", "/change").Cookies(), 1, how)
		p.Equal("Superman", p.stored()["name"], how)
		p.ask("GET", "/flash")
		p.Equal([]string{`<"Zoë">`, "twice"}, shown["success"], how)
		p.ask("GET", "/flash")
		p.Empty(shown, "%s: once", how)
	}
}

func Test_16_an_answer_of_500_saves_nothing(t *testing.T) {
	p := open(t, nil)
	p.app.GET("/", func(c buffalo.Context) error {
		c.Session().Set("name", "Superman")
		c.Flash().Add("info", "hello")
		if c.Param("bare") != "" {
			return errors.New("a fault")
		}
		return c.Render(http.StatusInternalServerError, page)
	})
	for _, path := range []string{"/", "/?bare=1"} {
		res := p.ask("GET", path)
		p.Equal(http.StatusInternalServerError, res.StatusCode)
		p.Empty(res.Cookies())
	}
}

func Test_16_a_redirect_to_no_route_saves_nothing(t *testing.T) {
	p := open(t, nil)
	p.app.GET("/heroes/{id}", func(c buffalo.Context) error { return nil }).Name("hero")
	for path, redirect := range map[string]func(buffalo.Context) error{
		"/a": func(c buffalo.Context) error { return c.Redirect(http.StatusSeeOther, "nowherePath()") },
		"/b": func(c buffalo.Context) error { return c.Redirect(http.StatusSeeOther, "heroPath()") },
		"/c": func(c buffalo.Context) error { return c.Redirect(http.StatusSeeOther, "heroPath()", "no map") },
		"/d": func(c buffalo.Context) error { return c.Redirect(http.StatusSeeOther, "heroPath()", 1, 2) },
		"/e": func(c buffalo.Context) error {
			return c.Render(http.StatusOK, render.Func("text/plain", func(io.Writer, render.Data) error {
				return render.ErrRedirect{Status: http.StatusSeeOther, URL: "nowherePath()"}
			}))
		},
	} {
		p.app.GET(path, func(c buffalo.Context) error {
			c.Session().Set("name", "Superman")
			return redirect(c)
		})
		res := p.ask("GET", path)
		p.Equal(http.StatusInternalServerError, res.StatusCode, path)
		p.Empty(res.Cookies(), path)
	}
}

func Test_a_missing_handler_is_reported_once_with_the_line_to_add(t *testing.T) {
	p := open(t, nil)
	p.app.GET("/", func(c buffalo.Context) error { c.Session().Set("a", 1); return c.Render(http.StatusOK, page) })
	p.served = p.app
	p.Len(p.ask("GET", "/").Cookies(), 1, "Save saves at once")
	p.ask("GET", "/")
	p.Equal(1, strings.Count(p.log.String(), "store.Handler(app, nil)"), p.log.String())
}

func Test_another_store_passes_through(t *testing.T) {
	p := open(t, nil)
	p.app.SessionStore = sessions.NewCookieStore([]byte("secret"))
	p.app.GET("/", func(c buffalo.Context) error {
		p.ErrorContains(buffalosession.Renew(c), "SessionStore")
		p.ErrorContains(buffalosession.Destroy(c), "SessionStore")
		c.Session().Set("a", 1)
		return c.Render(http.StatusOK, page)
	})
	p.Equal(http.StatusOK, p.ask("GET", "/").StatusCode)
	p.NotEmpty(p.cookie)
}

func Test_09_a_uuid_is_stored_as_sign_in_recipes_do(t *testing.T) {
	p := open(t, nil)
	id := uuid.Must(uuid.NewV4())
	p.app.POST("/sign-in", func(c buffalo.Context) error {
		c.Session().Set("current_user_id", id)
		return c.Redirect(http.StatusSeeOther, "/")
	})
	p.ask("POST", "/sign-in")
	p.Equal(id, p.stored()["current_user_id"])
}

func Test_a_context_is_marshalled_as_Buffalos(t *testing.T) {
	p := open(t, nil)
	p.app.GET("/", func(c buffalo.Context) error {
		c.Set("hero", "Superman")
		b, err := json.Marshal(c)
		p.NoError(err)
		p.Contains(string(b), `"hero":"Superman"`)
		return c.Render(http.StatusOK, page)
	})
	p.Equal(http.StatusOK, p.ask("GET", "/").StatusCode)
}

func Test_11_destroy_forgets_the_flash_and_renew_keeps_the_values(t *testing.T) {
	p := open(t, &backendtest.Memory{})
	p.app.POST("/{what}", func(c buffalo.Context) error {
		switch c.Param("what") {
		case "set":
			c.Session().Set("name", "Superman")
			c.Flash().Add("info", "before")
		case "renew":
			p.NoError(buffalosession.Renew(c))
		case "destroy":
			p.NoError(buffalosession.Destroy(c))
		}
		return c.Redirect(http.StatusSeeOther, "/")
	})
	p.ask("POST", "/set")
	first := p.cookie
	p.ask("POST", "/renew")
	p.NotEqual(first, p.cookie)
	p.Equal("Superman", p.stored()["name"])
	res := p.ask("POST", "/destroy")
	p.Equal(-1, res.Cookies()[0].MaxAge)
	p.Empty(sessiontest.Read(p.store, res, name))
}

func Test_Middleware_lets_a_page_index_the_session(t *testing.T) {
	p := open(t, nil)
	page := render.New(render.Options{TemplatesFS: fstest.MapFS{"page.html": {Data: []byte(`<%= session["name"] %>, <%= session.Get("name") %>|<%= session["none"] %>`)}}})
	p.app.GET("/", func(c buffalo.Context) error {
		c.Session().Set("name", "<Superman>")
		return c.Render(http.StatusOK, page.HTML("page.html"))
	})
	w := httptest.NewRecorder()
	p.served.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	p.Equal("&lt;Superman&gt;, &lt;Superman&gt;|", w.Body.String())
}
