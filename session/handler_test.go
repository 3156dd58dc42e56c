package session

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"heroes/session/internal/values"

	"github.com/gorilla/sessions"
	"github.com/stretchr/testify/require"
)

// serve runs app on a real server, whose ResponseWriter can do all that is asked of it.
func serve(t *testing.T, store *Store, app func(http.ResponseWriter, *http.Request, *sessions.Session)) *httptest.Server {
	server := httptest.NewServer(store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := store.Get(r, name)
		require.NoError(t, err)
		app(w, r, s)
	}), nil))
	t.Cleanup(server.Close)
	return server
}

// serveUnchecked is serve for sessions that cannot be loaded.
func serveUnchecked(t *testing.T, store *Store, app func(http.ResponseWriter, *http.Request, *sessions.Session)) *httptest.Server {
	server := httptest.NewServer(store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, name)
		app(w, r, s)
	}), nil))
	t.Cleanup(server.Close)
	return server
}

func Test_16_an_early_hint_does_not_save_and_the_response_does(t *testing.T) {
	server := serve(t, newStore(t, Options{}), func(w http.ResponseWriter, _ *http.Request, s *sessions.Session) {
		w.WriteHeader(http.StatusEarlyHints)
		s.Values["name"] = "Superman"
		w.WriteHeader(http.StatusOK)
	})
	res, err := http.Get(server.URL)
	require.NoError(t, err)
	require.Len(t, res.Cookies(), 1)
}

func Test_the_response_can_be_flushed_controlled_and_read_from(t *testing.T) {
	server := serve(t, newStore(t, Options{}), func(w http.ResponseWriter, _ *http.Request, s *sessions.Session) {
		s.Values["name"] = "Superman"
		c := http.NewResponseController(w)
		require.NoError(t, c.SetWriteDeadline(time.Now().Add(time.Minute)))
		require.NoError(t, c.EnableFullDuplex())
		require.NoError(t, c.Flush())
		require.Implements(t, (*io.ReaderFrom)(nil), w)
		_, err := io.Copy(w, strings.NewReader("hello"))
		require.NoError(t, err)
	})
	res, err := http.Get(server.URL)
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, "hello", string(body))
	require.Len(t, res.Cookies(), 1)
}

func Test_a_connection_can_be_hijacked_unless_a_change_would_be_lost(t *testing.T) {
	server := serve(t, newStore(t, Options{}), func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
		if r.URL.Path == "/changed" {
			s.Values["name"] = "Superman"
			_, _, err := w.(http.Hijacker).Hijack()
			require.ErrorContains(t, err, "must be saved")
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		require.NoError(t, err)
		fmt.Fprint(conn, "hello\n")
		conn.Close()
	})
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	line, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "hello\n", line)

	res, err := http.Get(server.URL + "/changed")
	require.NoError(t, err)
	require.Len(t, res.Cookies(), 1, "not hijacked, so it was saved")
}

func Test_a_connection_can_be_hijacked_with_a_change_that_can_wait(t *testing.T) {
	server := serve(t, newStore(t, Options{}), func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
		if r.URL.Path == "/set" {
			s.Values["name"] = "Superman"
			return
		}
		s.Values[values.FlashKey] = []byte(`{"info":["hello"]}`)
		s.Values["authenticity_token"] = []byte("token")
		conn, _, err := http.NewResponseController(w).Hijack()
		require.NoError(t, err)
		fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n")
		conn.Close()
	})
	res, err := http.Get(server.URL)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode, "without a session, too")
	set, err := http.Get(server.URL + "/set")
	require.NoError(t, err)
	r, err := http.NewRequest("GET", server.URL, nil)
	require.NoError(t, err)
	r.AddCookie(set.Cookies()[0])
	res, err = http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode)
}

func Test_16_a_change_after_the_first_byte_cuts_the_connection(t *testing.T) {
	server := serve(t, newStore(t, Options{}), func(w http.ResponseWriter, _ *http.Request, s *sessions.Session) {
		fmt.Fprint(w, "hello")
		s.Values["name"] = "too late"
	})
	_, err := http.Get(server.URL)
	require.ErrorIs(t, err, io.EOF)
}

func Test_03_one_store_serves_any_number_of_goroutines(t *testing.T) {
	store := newStore(t, Options{}, newSecret, oldSecret)
	var wait sync.WaitGroup
	for g := range 64 {
		wait.Go(func() {
			v := visitor{t: t, store: store}
			for i := range 20 {
				hero := fmt.Sprintf("hero %d of %d", i, g)
				if n := len(setCookies(v.set("name", hero))); n != 1 {
					t.Errorf("%d cookies", n)
				}
				if got := v.values()["name"]; got != hero {
					t.Errorf("%v, not %s", got, hero)
				}
			}
		})
	}
	wait.Wait()
}

func Test_03_one_cookie_at_most_whatever_the_order(t *testing.T) {
	steps := map[string]func(http.ResponseWriter, *http.Request, *sessions.Session){
		"set":      func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) { s.Values["name"] = "Superman" },
		"delete":   func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) { delete(s.Values, "name") },
		"save":     func(w http.ResponseWriter, r *http.Request, s *sessions.Session) { _ = s.Save(r, w) },
		"save all": func(w http.ResponseWriter, r *http.Request, _ *sessions.Session) { _ = sessions.Save(r, w) },
		"renew":    func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) { _ = s.Store().(*Store).Renew(r, s) },
		"destroy": func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			_ = s.Store().(*Store).Destroy(r, s)
		},
	}
	v := visitor{t: t, store: newStore(t, Options{})}
	for a := range steps {
		for b := range steps {
			for c := range steps {
				for d := range steps {
					res := v.visit(func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
						for _, step := range []string{a, b, c, d} {
							steps[step](w, r, s)
						}
					})
					require.LessOrEqual(t, len(setCookies(res)), 1, "%s %s %s %s", a, b, c, d)
				}
			}
		}
	}
}

func Test_16_Handler_inside_a_TimeoutHandler_is_no_race(t *testing.T) {
	store := newStore(t, Options{})
	release, done := make(chan bool), make(chan bool)
	app := http.TimeoutHandler(store.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		defer close(done)
		s, _ := store.Get(r, name)
		for i := range 1000 {
			s.Values["n"] = i
		}
		<-release
		s.Values["n"] = "late"
	}), nil), time.Millisecond, "late")
	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	close(release)
	<-done
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Empty(t, w.Result().Cookies())
}

func Test_16_a_session_read_outside_the_handler_is_the_one_inside(t *testing.T) {
	store := newStore(t, Options{})
	inner := func(w http.ResponseWriter, r *http.Request) {
		s, err := store.Get(r, name)
		require.NoError(t, err)
		visits, _ := s.Values["visits"].(int)
		require.NoError(t, store.Renew(r, s))
		s.Values["visits"] = visits + 1
	}
	for what, app := range map[string]http.Handler{
		"by an access log": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, err := store.Get(r, name)
			require.NoError(t, err)
			store.Handler(http.HandlerFunc(inner), nil).ServeHTTP(w, r)
		}),
		"another store's": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, err := sessions.NewCookieStore([]byte("another")).Get(r, "another")
			require.NoError(t, err)
			store.Handler(http.HandlerFunc(inner), nil).ServeHTTP(w, r)
		}),
		"by a handler around this one": store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, err := store.Get(r, name)
			require.NoError(t, err)
			store.Handler(http.HandlerFunc(inner), nil).ServeHTTP(w, r)
		}), nil),
	} {
		cookie := ""
		for visit := range 3 {
			r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
			r.Header.Set("Cookie", cookie)
			app.ServeHTTP(w, r)
			require.Len(t, w.Result().Cookies(), 1, "%s, visit %d", what, visit)
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"), what)
			cookie = name + "=" + w.Result().Cookies()[0].Value
		}
		v := visitor{t: t, store: store, cookie: cookie}
		require.Equal(t, 3, v.values()["visits"], what)
	}
}

func Test_03_what_the_application_sets_itself_is_left_alone(t *testing.T) {
	for _, handler := range []bool{true, false} {
		store := newStore(t, Options{})
		old := &http.Cookie{Name: name, Path: "/old", MaxAge: -1} // of a migration
		app := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.SetCookie(w, old)
			s, _ := store.Get(r, name)
			s.Values["name"] = "Superman"
			require.NoError(t, s.Save(r, w))
		}))
		if handler {
			app = store.Handler(app, nil)
		}
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		require.Len(t, w.Result().Cookies(), 2)
		require.Equal(t, old.String(), w.Header()["Set-Cookie"][0])
	}
}

func Test_16_a_failed_response_leaves_nothing_of_the_answer(t *testing.T) {
	var swallowed int64
	v := visitor{t: t, store: newStore(t, Options{})}
	res := v.visit(func(w http.ResponseWriter, _ *http.Request, s *sessions.Session) {
		s.Values["name"] = struct{}{}
		for _, field := range []string{"Refresh", "Location", "Content-Disposition", "ETag", "Set-Cookie"} {
			w.Header().Set(field, "x=y")
		}
		w.Header().Set("X-Frame-Options", "DENY")
		w.WriteHeader(http.StatusOK)
		fmt.Fprint(w, "the answer")
		w.(http.Flusher).Flush()
		swallowed, _ = io.Copy(w, strings.NewReader("more"))
	})
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusInternalServerError, res.StatusCode)
	require.Equal(t, "Internal Server Error\n", string(body))
	require.EqualValues(t, 4, swallowed)
	require.Equal(t, http.Header{
		"Cache-Control": {"no-store"}, "Content-Type": {"text/plain; charset=utf-8"}, "Vary": {"Cookie"},
		"X-Content-Type-Options": {"nosniff"}, "X-Frame-Options": {"DENY"},
	}, res.Header)
}

func Test_16_all_sessions_of_a_response_are_saved_or_none(t *testing.T) {
	store := newStore(t, Options{})
	visit := func(b any) *http.Response {
		w := httptest.NewRecorder()
		store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			one, _ := store.Get(r, "one")
			two, _ := store.Get(r, "two")
			one.Values["k"], two.Values["k"] = "v", b
		}), nil).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		return w.Result()
	}
	require.Len(t, visit("v").Cookies(), 2)
	require.Empty(t, visit(struct{}{}).Cookies())
}

func Test_16_a_save_after_the_first_byte_that_changes_nothing_is_none(t *testing.T) {
	v := visitor{t: t, store: newStore(t, Options{})}
	v.visit(func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
		s.Values["name"] = "Superman"
		fmt.Fprint(w, "hello")
		require.NoError(t, s.Save(r, w))
	})
	require.PanicsWithValue(t, http.ErrAbortHandler, func() {
		v.visit(func(w http.ResponseWriter, _ *http.Request, s *sessions.Session) {
			fmt.Fprint(w, "hello")
			s.Values["name"] = struct{}{}
		})
	})
}

func Test_16_a_renewal_is_not_lost_to_a_hijack(t *testing.T) {
	store := newStore(t, Options{})
	server := serve(t, store, func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
		if s.IsNew {
			s.Values["name"] = "Superman"
			return
		}
		require.NoError(t, store.Renew(r, s))
		_, _, err := http.NewResponseController(w).Hijack()
		require.Error(t, err)
	})
	res, err := http.Get(server.URL)
	require.NoError(t, err)
	r, err := http.NewRequest("GET", server.URL, nil)
	require.NoError(t, err)
	r.AddCookie(res.Cookies()[0])
	res, err = http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.Len(t, res.Cookies(), 1)
}

func Test_12_a_connection_is_not_hijacked_while_the_session_is_unreachable(t *testing.T) {
	store := newStore(t, Options{Backend: unreachable{}})
	server := serveUnchecked(t, store, func(w http.ResponseWriter, r *http.Request, _ *sessions.Session) {
		_, _, err := http.NewResponseController(w).Hijack()
		require.ErrorIs(t, err, ErrUnavailable)
	})
	r, err := http.NewRequest("GET", server.URL, nil)
	require.NoError(t, err)
	r.AddCookie(&http.Cookie{Name: name, Value: newIdentity(nil).token})
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
}

type unreachable struct{ Backend }

func (unreachable) Load(context.Context, ID) ([]byte, time.Time, time.Time, error) {
	return nil, time.Time{}, time.Time{}, io.ErrUnexpectedEOF
}

func Test_12_an_outage_is_503_whatever_the_application_makes_of_the_error(t *testing.T) {
	store := newStore(t, Options{Backend: unreachable{}})
	for _, status := range []int{200, 404, 409, 500, 502, 503} {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
		r.AddCookie(&http.Cookie{Name: name, Value: newIdentity(nil).token})
		store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, err := store.Get(r, name)
			require.ErrorIs(t, err, ErrUnavailable)
			http.Error(w, "the application's own", status)
		}), nil).ServeHTTP(w, r)
		require.Equal(t, http.StatusServiceUnavailable, w.Code, status)
		require.Equal(t, "5", w.Header().Get("Retry-After"), status)
	}
}

func Test_16_the_applications_own_answer_to_a_conflict_leaves_as_it_is(t *testing.T) {
	store := newStore(t, Options{Backend: unreachable{}})
	w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "/", nil)
	r.AddCookie(&http.Cookie{Name: name, Value: newIdentity(nil).token})
	store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, name)
		s.Values["a"] = 1
		w.Header().Set("Clear-Site-Data", `"storage"`)
		err := s.Save(r, w)
		require.ErrorIs(t, err, ErrUnavailable)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(Status(w.Header(), err))
		fmt.Fprint(w, "{}")
	}), nil).ServeHTTP(w, r)
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.Equal(t, "5", w.Header().Get("Retry-After"))
	require.Empty(t, w.Header().Get("Clear-Site-Data"))
	require.Equal(t, "{}", w.Body.String())
}

func Test_03_two_stores_with_one_name_in_a_request_are_an_error(t *testing.T) {
	a, b := newStore(t, Options{}), newStore(t, Options{})
	w := httptest.NewRecorder()
	a.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := a.Get(r, name)
		require.NoError(t, err)
		s.Values["a"] = 1
		_, err = b.Get(r, name)
		require.ErrorContains(t, err, name)
		_, err = b.Get(r, "another")
		require.NoError(t, err)
	}), nil).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	require.Len(t, w.Result().Cookies(), 1)
}

func Test_one_request_may_use_its_session_in_several_goroutines(t *testing.T) {
	store := newStore(t, Options{})
	store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, name)
		ids := make(chan string, 8)
		for range cap(ids) {
			go func() {
				again, _ := store.Get(r, name)
				_ = again.Save(r, w)
				ids <- store.Info(r, s).ID
			}()
		}
		first := <-ids
		for range cap(ids) - 1 {
			require.Equal(t, first, <-ids)
		}
	}), nil).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
}

func Test_12_a_stream_that_ignores_the_outage_tells_the_visitor_at_once(t *testing.T) {
	store := newStore(t, Options{Backend: unreachable{}})
	server := serveUnchecked(t, store, func(w http.ResponseWriter, r *http.Request, _ *sessions.Session) {
		for r.Context().Err() == nil {
			fmt.Fprint(w, "data: tick\n\n")
			w.(http.Flusher).Flush()
			time.Sleep(10 * time.Millisecond)
		}
	})
	r, err := http.NewRequest("GET", server.URL, nil)
	require.NoError(t, err)
	r.AddCookie(&http.Cookie{Name: name, Value: newIdentity(nil).token})
	client := http.Client{Timeout: 5 * time.Second}
	res, err := client.Do(r)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
}

func Test_12_the_applications_own_Retry_After_stays(t *testing.T) {
	store := newStore(t, Options{Backend: unreachable{}})
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
	r.AddCookie(&http.Cookie{Name: name, Value: newIdentity(nil).token})
	store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = store.Get(r, name)
		w.Header().Set("Retry-After", "120")
		w.WriteHeader(http.StatusServiceUnavailable)
	}), nil).ServeHTTP(w, r)
	require.Equal(t, "120", w.Header().Get("Retry-After"))
}

func Test_16_a_save_repeated_after_it_failed_fails_again(t *testing.T) {
	store := newStore(t, Options{})
	w := httptest.NewRecorder()
	store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, name)
		s.Values["a"] = struct{}{}
		respond := func() error {
			return Of(r).Respond(r, http.StatusOK, func() error { return s.Save(r, w) })
		}
		require.Error(t, respond())
		require.Error(t, respond())
		require.NoError(t, s.Save(r, w), "but an error page can be rendered")
	}), nil).ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
	require.Equal(t, http.StatusInternalServerError, w.Code)
}

func Test_16_two_handlers_one_after_the_other_each_save(t *testing.T) {
	store := newStore(t, Options{})
	r, w := httptest.NewRequest("POST", "/", nil), httptest.NewRecorder()
	_ = Of(r)
	store.Handler(http.NotFoundHandler(), nil).ServeHTTP(httptest.NewRecorder(), r)
	store.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s, err := store.Get(r, name)
		require.NoError(t, err)
		s.Values["a"] = 1
	}), nil).ServeHTTP(w, r)
	require.Len(t, w.Result().Cookies(), 1)
}

func Test_16_a_change_after_the_handler_has_returned_is_too_late(t *testing.T) {
	store := newStore(t, Options{})
	var late func() error
	w := httptest.NewRecorder()
	store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, name)
		late = func() error { // in a goroutine that the application has left behind
			s.Values["a"] = 1
			return s.Save(r, w)
		}
	}), nil).ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
	require.ErrorIs(t, late(), ErrTooLate)
	require.Empty(t, w.Result().Cookies())
}
