package buffalosession_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
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

// A program is a Buffalo application with its sessions in a Store, and a browser.
type program struct {
	*require.Assertions
	app    *buffalo.App
	store  *session.Store
	memory *backendtest.Memory // nil: sessions in cookies
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
	p.app = buffalo.New(buffalo.Options{Env: "test", SessionName: name})
	p.app.Logger.(interface{ SetOutput(io.Writer) }).SetOutput(&p.log)
	buffalosession.Install(p.app, p.store, nil)
	p.app.Use(func(next buffalo.Handler) buffalo.Handler {
		return func(c buffalo.Context) error {
			p.transaction = next(c)
			return p.transaction
		}
	})
	return p
}

func (p *program) ask(method, path string) *http.Response {
	r, w := httptest.NewRequest(method, path, nil), httptest.NewRecorder()
	if p.cookie != "" {
		r.Header.Set("Cookie", name+"="+p.cookie)
	}
	p.app.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		p.cookie = c.Value
	}
	return w.Result()
}

var colour = regexp.MustCompile("\x1b\\[[0-9]*m")

func (p *program) logged() string { return colour.ReplaceAllString(p.log.String(), "") }

// storedFlash returns the flash as it is in the session, or "".
func (p *program) storedFlash() string {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Cookie", name+"="+p.cookie)
	s, err := p.store.Get(r, name)
	p.NoError(err)
	flash, _ := s.Values["_flash_"].([]byte)
	return string(flash)
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

// As csrf does, which stores a token and refuses the form.
func Test_13_an_error_after_a_change_is_replaced_by_that_of_saving(t *testing.T) {
	for how, refuse := range map[string]func(buffalo.Context) error{
		"Error":      func(c buffalo.Context) error { return c.Error(http.StatusForbidden, errors.New("no token")) },
		"ErrNoRows":  func(c buffalo.Context) error { return fmt.Errorf("no hero: %w", sql.ErrNoRows) },
		"no outage":  func(c buffalo.Context) error { return c.Error(http.StatusForbidden, errors.New("no token")) },
		"500 itself": func(c buffalo.Context) error { return errors.New("a fault") },
	} {
		p := open(t, &backendtest.Memory{})
		for _, status := range []int{403, 404, 409, 500, 503} {
			p.app.ErrorHandlers[status] = func(status int, _ error, c buffalo.Context) error {
				return c.Render(status, render.String("page %d", status))
			}
		}
		p.app.POST("/", func(c buffalo.Context) error {
			c.Session().Set("token", time.Now().String())
			if c.Param("down") != "" {
				p.memory.SetDown(how != "no outage")
				return refuse(c)
			}
			return c.Render(http.StatusOK, page)
		})
		p.ask("POST", "/")
		before := p.stored()
		res := p.ask("POST", "/?down=1")
		p.memory.SetDown(false)
		body, _ := io.ReadAll(res.Body)
		want := map[string]int{"no outage": 403, "500 itself": 500}[how]
		if want == 0 {
			want = http.StatusServiceUnavailable
			p.Equal("5", res.Header.Get("Retry-After"))
		}
		p.Equal(want, res.StatusCode, how)
		p.Equal(fmt.Sprint("page ", want), string(body), how)
		p.Equal(how != "no outage", before["token"] == p.stored()["token"], "%s: whether it is saved", how)
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

func Test_24_a_flash_that_is_never_shown_stays_small(t *testing.T) {
	for _, how := range []string{"redirect", "to a route", "render nil", "a render that redirects", "write"} {
		answer, ok := answers[how]
		if !ok {
			answer = func(c buffalo.Context) error {
				_, err := c.Response().Write([]byte("hello"))
				return err
			}
		}
		p := open(t, nil)
		p.app.GET("/heroes/{id}", func(c buffalo.Context) error { return nil }).Name("hero")
		n, text := 0, ""
		p.app.POST("/", func(c buffalo.Context) error {
			n++
			c.Flash().Add("info", fmt.Sprint(n, text))
			c.Flash().Add("danger", fmt.Sprint(-n, text))
			return answer(c)
		})
		flash := func() (all map[string][]string) {
			require.NoError(t, json.Unmarshal([]byte(p.storedFlash()), &all))
			return all
		}
		p.ask("POST", "/")
		for range 20 {
			p.ask("POST", "/")
		}
		require.Equal(t, map[string][]string{"info": {"17", "18", "19", "20", "21"}, "danger": {"-17", "-18", "-19", "-20", "-21"}}, flash(), how)
		text = strings.Repeat("<", 50) // 300 bytes in JSON
		for range 20 {
			p.ask("POST", "/")
		}
		require.Equal(t, map[string][]string{"info": {"40" + text, "41" + text}, "danger": {"-41" + text}}, flash(), how)
		text = strings.Repeat("<", 300)
		p.ask("POST", "/")
		require.Equal(t, map[string][]string{"info": {"42" + text}}, flash(), "one is always left")
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

func Test_a_group_made_before_Install_is_reported_once(t *testing.T) {
	var log bytes.Buffer
	app := buffalo.New(buffalo.Options{Env: "test"})
	app.Logger.(interface{ SetOutput(io.Writer) }).SetOutput(&log)
	early := app.Group("/early")
	store, err := session.New([][]byte{[]byte(session.NewSecret())}, session.Options{})
	require.NoError(t, err)
	buffalosession.Install(app, store, nil)
	late := app.Group("/late")
	for _, group := range []*buffalo.App{early, late} {
		group.GET("/", func(c buffalo.Context) error { return c.Render(http.StatusOK, page) })
	}
	for _, path := range []string{"/late", "/early", "/early"} {
		app.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
	}
	require.Equal(t, 1, strings.Count(log.String(), "call Install directly after buffalo.New"), log.String())
	require.Contains(t, log.String(), "the group or resource /early was made before")
}

func Test_what_was_done_in_the_wrong_order_is_reported(t *testing.T) {
	var log bytes.Buffer
	app := buffalo.New(buffalo.Options{Env: "development"})
	app.Logger.(interface{ SetOutput(io.Writer) }).SetOutput(&log)
	store, err := session.New([][]byte{[]byte(session.NewSecret())}, session.Options{})
	require.NoError(t, err)
	buffalosession.Install(app, store, nil)
	require.Empty(t, log.String())
	buffalosession.Install(app, store, nil)
	require.Contains(t, log.String(), "Install was called twice")
	app.SessionStore = sessions.NewCookieStore([]byte("secret"))
	for range 2 {
		app.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	}
	require.Contains(t, log.String(), "the sessions are in a *sessions.CookieStore, because SessionStore was set after Install")
}

func Test_01_Buffalos_own_RequestLogger_is_reported(t *testing.T) {
	p := open(t, nil)
	p.app.Use(buffalo.RequestLoggerFunc)
	p.ask("GET", "/")
	p.Contains(p.logged(), "the application uses Buffalo's RequestLogger, which gives every visitor a session")
}

// A test of package suite replaces the store of the application with one that remembers one session.
func Test_in_a_test_another_store_takes_the_place(t *testing.T) {
	p := open(t, nil)
	p.app.SessionStore = sessions.NewCookieStore([]byte("secret"))
	html := render.New(render.Options{TemplatesFS: fstest.MapFS{"page.html": {Data: []byte(`<%= session["a"] %>`)}}})
	p.app.GET("/", func(c buffalo.Context) error {
		c.Session().Set("a", 1)
		p.NoError(buffalosession.Renew(c))
		p.Equal(1, c.Session().Get("a"))
		p.NoError(buffalosession.Destroy(c))
		p.Nil(c.Session().Get("a"))
		c.Session().Set("a", 2)
		return c.Render(http.StatusOK, html.HTML("page.html"))
	})
	w := httptest.NewRecorder()
	p.app.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	p.Equal("2", w.Body.String())
	p.Len(w.Result().Cookies(), 1)
}

func Test_outside_a_test_another_store_is_an_error_of_Renew_and_Destroy(t *testing.T) {
	app := buffalo.New(buffalo.Options{Env: "production", SessionStore: sessions.NewCookieStore([]byte("secret"))})
	app.GET("/", func(c buffalo.Context) error {
		require.ErrorContains(t, buffalosession.Renew(c), "call buffalosession.Install")
		c.Session().Set("a", 1)
		require.ErrorContains(t, buffalosession.Destroy(c), "call buffalosession.Install")
		require.Equal(t, 1, c.Session().Get("a"))
		return c.Render(http.StatusOK, page)
	})
	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	require.Equal(t, http.StatusOK, w.Code)
}

type heroes struct{ *buffalo.BaseResource }

func (heroes) List(c buffalo.Context) error {
	c.Session().Set("name", "Superman")
	_, err := c.Response().Write([]byte("hello"))
	return err
}

func Test_16_every_kind_of_route_is_saved(t *testing.T) {
	direct := heroes{}.List
	for kind, add := range map[string]func(*buffalo.App){
		"a group":                    func(app *buffalo.App) { app.Group("/a").GET("/", direct) },
		"a group of a group":         func(app *buffalo.App) { app.Group("/a").Group("/").GET("/", direct) },
		"a resource":                 func(app *buffalo.App) { app.Resource("/a", heroes{&buffalo.BaseResource{}}) },
		"a host":                     func(app *buffalo.App) { app.VirtualHost("example.com").GET("/a", direct) },
		"a group without middleware": func(app *buffalo.App) { g := app.Group("/a"); g.Middleware.Clear(); g.GET("/", direct) },
		"no route": func(app *buffalo.App) {
			app.ErrorHandlers[http.StatusNotFound] = func(_ int, _ error, c buffalo.Context) error { return direct(c) }
		},
		"no such method": func(app *buffalo.App) {
			app.POST("/a", direct)
			app.ErrorHandlers[http.StatusMethodNotAllowed] = func(_ int, _ error, c buffalo.Context) error { return direct(c) }
		},
	} {
		p := open(t, nil)
		add(p.app)
		p.ask("GET", "/a")
		p.Equal("Superman", p.stored()["name"], kind)
	}
}

// A purged backend reports each purge.
type purged struct {
	*backendtest.Memory
	purges chan bool
}

func (p purged) Purge(context.Context, int) (int, error) {
	p.purges <- true
	return 0, nil
}

func Test_expired_records_are_deleted_from_the_first_request_on(t *testing.T) {
	backend := purged{&backendtest.Memory{}, make(chan bool, 10)}
	store, err := session.New([][]byte{[]byte(session.NewSecret())}, session.Options{Backend: backend})
	require.NoError(t, err)
	app := buffalo.New(buffalo.Options{Env: "test"})
	buffalosession.Install(app, store, nil)
	time.Sleep(20 * time.Millisecond)
	require.Empty(t, backend.purges, "an application that runs a task deletes nothing")
	app.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	select {
	case <-backend.purges:
	case <-time.After(10 * time.Second):
		require.Fail(t, "nothing is deleted")
	}
}

func Test_03_a_Handler_around_the_application_changes_nothing(t *testing.T) {
	p := open(t, nil)
	p.app.GET("/", heroes{}.List)
	w := httptest.NewRecorder()
	p.store.Handler(p.app, nil).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	p.Equal("hello", w.Body.String())
	p.Len(w.Result().Cookies(), 1)
}

// popmw commits unless the status that the response has noted says otherwise.
func Test_13_a_transaction_rolls_back_if_a_direct_answer_cannot_be_saved(t *testing.T) {
	for how, answer := range map[string]func(buffalo.Context) error{
		"nothing":  func(buffalo.Context) error { return nil },
		"a status": func(c buffalo.Context) error { c.Response().WriteHeader(http.StatusCreated); return nil },
		"a body":   func(c buffalo.Context) error { _, err := c.Response().Write([]byte("hello")); return err },
		"http.Redirect": func(c buffalo.Context) error {
			http.Redirect(c.Response(), c.Request(), "/", http.StatusSeeOther)
			return nil
		},
		"Save, a body": func(c buffalo.Context) error {
			if err := c.Session().Save(); err != nil {
				return err
			}
			_, err := c.Response().Write([]byte("hello"))
			return err
		},
	} {
		p := open(t, &backendtest.Memory{})
		noted := 0
		p.app.Use(func(next buffalo.Handler) buffalo.Handler {
			return func(c buffalo.Context) error {
				err := next(c)
				noted = c.Response().(*buffalo.Response).Status
				return err
			}
		})
		p.app.POST("/", func(c buffalo.Context) error {
			c.Session().Set("at", time.Now().String())
			p.memory.SetDown(c.Param("down") != "")
			return answer(c)
		})
		p.Less(p.ask("POST", "/").StatusCode, 400, how)
		p.Less(noted, 400, how)
		p.Equal(http.StatusServiceUnavailable, p.ask("POST", "/?down=1").StatusCode, how)
		p.Equal(http.StatusServiceUnavailable, noted, how)
	}
}

func Test_an_event_source_ends_when_the_visitor_leaves(t *testing.T) {
	p := open(t, nil)
	ended := make(chan bool)
	p.app.GET("/events", func(c buffalo.Context) error {
		source, err := render.NewEventSource(c.Response())
		p.NoError(err)
		p.NoError(source.Write("message", 1))
		<-source.CloseNotify()
		close(ended)
		return nil
	})
	server := httptest.NewServer(p.app)
	defer server.Close()
	res, err := http.Get(server.URL + "/events")
	p.NoError(err)
	p.NoError(res.Body.Close())
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		p.Fail("the handler waits for ever")
	}
}

func Test_13_onError_answers_if_a_direct_answer_cannot_be_saved(t *testing.T) {
	for _, own := range []bool{false, true} {
		p := open(t, &backendtest.Memory{})
		if own {
			p.app = buffalo.New(buffalo.Options{Env: "test", SessionName: name})
			p.app.Logger.(interface{ SetOutput(io.Writer) }).SetOutput(&p.log)
			buffalosession.Install(p.app, p.store, func(w http.ResponseWriter, r *http.Request, err error) {
				w.WriteHeader(session.Status(w.Header(), err))
				_, _ = w.Write([]byte("our own page"))
			})
		}
		p.app.POST("/", func(c buffalo.Context) error {
			c.Session().Set("at", time.Now().String())
			if c.Param("down") != "" {
				p.memory.SetDown(true)
			}
			_, err := c.Response().Write([]byte("the change was saved"))
			return err
		})
		p.ask("POST", "/")
		res := p.ask("POST", "/?down=1")
		body, _ := io.ReadAll(res.Body)
		p.Equal(http.StatusServiceUnavailable, res.StatusCode)
		p.Equal(own, string(body) == "our own page", "%s", body)
		p.NotContains(string(body), "was saved")
		p.Contains(p.logged(), "status=503", "what the visitor got")
	}
}

func Test_01_the_log_has_each_request_and_gives_no_visitor_a_session(t *testing.T) {
	p := open(t, nil)
	p.app.GET("/hello", func(c buffalo.Context) error {
		p.NotEmpty(c.Value("request_id"))
		return c.Render(http.StatusOK, page)
	})
	p.Empty(p.ask("GET", "/hello?code=secret").Cookies())
	p.NotContains(p.logged(), "secret")
	for _, field := range []string{"method=GET", "path=/hello/ ", "status=200", "size=5", "duration=", "request_id="} {
		p.Contains(p.logged(), field)
	}
}

func Test_a_request_logger_of_the_application_stays(t *testing.T) {
	before, called := buffalo.RequestLogger, false
	defer func() { buffalo.RequestLogger = before }()
	buffalo.RequestLogger = func(next buffalo.Handler) buffalo.Handler { called = true; return next }
	p := open(t, nil)
	p.app.GET("/", func(c buffalo.Context) error { return c.Render(http.StatusOK, page) })
	p.ask("GET", "/")
	p.True(called)
	p.NotContains(p.logged(), "status=")
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

func Test_a_page_indexes_the_session(t *testing.T) {
	p := open(t, nil)
	page := render.New(render.Options{TemplatesFS: fstest.MapFS{"page.html": {Data: []byte(`<%= session["name"] %>, <%= session.Get("name") %>|<%= session["none"] %>`)}}})
	p.app.GET("/", func(c buffalo.Context) error {
		c.Session().Set("name", "<Superman>")
		return c.Render(http.StatusOK, page.HTML("page.html"))
	})
	w := httptest.NewRecorder()
	p.app.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	p.Equal("&lt;Superman&gt;, &lt;Superman&gt;|", w.Body.String())
}

func Test_24_a_flash_for_the_page_of_an_error_begins_no_session(t *testing.T) {
	p := open(t, &backendtest.Memory{})
	p.app.ErrorHandlers[http.StatusNotFound] = func(status int, err error, c buffalo.Context) error { return c.Render(status, page) }
	p.app.GET("/", func(c buffalo.Context) error {
		c.Flash().Add("info", "hello")
		return c.Error(http.StatusNotFound, errors.New("not found"))
	})
	res := p.ask("GET", "/")
	p.Equal(http.StatusNotFound, res.StatusCode)
	p.Empty(res.Cookies())
	p.NoError(p.memory.Each(t.Context(), func(session.ID, []byte) error { return errors.New("a record") }))
}

func Test_16_a_flash_is_kept_if_its_page_fails(t *testing.T) {
	p := open(t, nil)
	p.app.GET("/", func(c buffalo.Context) error {
		c.Flash().Add("info", "hello")
		p.Error(c.Render(http.StatusOK, render.Func("text/plain", func(io.Writer, render.Data) error { return errors.New("a fault") })))
		_, err := c.Response().Write([]byte("another page"))
		return err
	})
	p.ask("GET", "/")
	p.Equal(`{"info":["hello"]}`, p.storedFlash())
}

func Test_16_reading_the_flash_after_the_answer_is_no_change(t *testing.T) {
	p := open(t, nil)
	p.app.Use(func(next buffalo.Handler) buffalo.Handler {
		return func(c buffalo.Context) error {
			err := next(c)
			_ = c.Flash()
			return err
		}
	})
	p.app.POST("/", func(c buffalo.Context) error {
		c.Session().Set("v", strings.Repeat("v", 2700))
		c.Flash().Add("info", strings.Repeat("f", 900)) // is dropped
		return c.Redirect(http.StatusSeeOther, "/")
	})
	p.Equal(http.StatusSeeOther, p.ask("POST", "/").StatusCode)
	p.NotEmpty(p.stored()["v"])
	p.Empty(p.storedFlash())
}
