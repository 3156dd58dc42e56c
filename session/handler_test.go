package session

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/sessions"
	"github.com/stretchr/testify/require"
)

// serve runs app on a real server, whose ResponseWriter can do all that is asked of it.
func serve(t *testing.T, store *Store, app func(http.ResponseWriter, *http.Request, *sessions.Session)) *httptest.Server {
	server := httptest.NewServer(store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := store.Get(r, name)
		require.NoError(t, err)
		app(w, r, s)
	})))
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
			require.ErrorContains(t, err, "changed")
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
