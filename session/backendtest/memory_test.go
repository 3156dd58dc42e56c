package backendtest

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"heroes/session"

	"github.com/gorilla/sessions"
	"github.com/stretchr/testify/require"
)

func Test_Memory(t *testing.T) {
	Run(t, &Memory{})
	Sessions(t, &Memory{})
}

func Test_12_an_outage_is_503_and_empties_no_session(t *testing.T) {
	memory := &Memory{}
	v := open(t, memory, session.Options{})
	v.set("name", "Superman")
	cookie := v.cookie

	memory.SetDown(true)
	require.Error(t, v.store.Ping(t.Context()))
	for _, handle := range []app{
		func(http.ResponseWriter, *http.Request, *sessions.Session) {},
		func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			_, err := v.store.Get(r, name)
			require.ErrorIs(t, err, session.ErrUnavailable)
			s.Values["name"] = "Batman"
			require.ErrorIs(t, s.Save(r, w), session.ErrUnavailable)
			http.Redirect(w, r, "/", http.StatusSeeOther)
		},
	} {
		res := v.visit(handle)
		require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
		require.Equal(t, "5", res.Header.Get("Retry-After"))
		require.Empty(t, res.Header["Set-Cookie"])
	}

	fresh := open(t, memory, session.Options{})
	require.Equal(t, http.StatusServiceUnavailable, fresh.set("name", "Catwoman").StatusCode, "a new session that cannot be stored")

	memory.SetDown(false)
	require.NoError(t, v.store.Ping(t.Context()))
	require.Equal(t, cookie, v.cookie)
	require.Equal(t, "Superman", v.values()["name"])

	res := v.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) {
		memory.SetDown(true) // between reading and saving
		s.Values["name"] = "Batman"
	})
	memory.SetDown(false)
	require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
	require.Equal(t, "Superman", v.values()["name"])
}

// losing carries out the n-th Swap and loses its answer, or does not carry it out.
type losing struct {
	session.Backend
	n       int
	carried bool
}

func (l *losing) Swap(ctx context.Context, key session.Key, old, next []byte, expires time.Time) (bool, error) {
	if l.n--; l.n == 0 {
		if l.carried {
			_, _ = l.Backend.Swap(ctx, key, old, next, expires)
		}
		return false, errors.New("connection reset")
	}
	return l.Backend.Swap(ctx, key, old, next, expires)
}

func Test_12_an_answer_that_is_lost_loses_no_session_and_no_change(t *testing.T) {
	for _, carried := range []bool{true, false} {
		for n := 1; n <= 3; n++ {
			memory := &Memory{}
			v := open(t, memory, session.Options{})
			fresh := open(t, &losing{memory, n, carried}, session.Options{})
			require.Equal(t, http.StatusOK, fresh.set("a", 1).StatusCode)
			require.Equal(t, session.View{"a": 1}, fresh.at(v).values())

			v.set("a", 1)
			other := v.at(open(t, &losing{memory, n, carried}, session.Options{}))
			require.Equal(t, http.StatusOK, other.set("b", 2).StatusCode)
			require.Equal(t, session.View{"a": 1, "b": 2}, v.values())

			other = v.at(open(t, &losing{memory, n, carried}, session.Options{}))
			require.Equal(t, http.StatusOK, renew(other).StatusCode)
			require.Equal(t, session.View{"a": 1, "b": 2}, other.at(v).values())
			require.Empty(t, v.values())

			v.cookie = other.cookie
			other = v.at(open(t, &losing{memory, n, carried}, session.Options{}))
			require.Equal(t, -1, destroy(other).Cookies()[0].MaxAge)
			require.Empty(t, v.values())
		}
	}
}

// A session that moves here from a cookie is written, and then what leads to it: the
// first answer to that, and the second try, are lost.
func Test_12_an_outage_while_a_session_moves_here_ends_it_not(t *testing.T) {
	memory := &Memory{}
	sealed := open(t, nil, session.Options{})
	sealed.set("name", "Superman")
	failing := sealed.at(open(t, &losing{&losing{memory, 2, true}, 3, false}, session.Options{FromCookies: true}))
	require.Equal(t, http.StatusServiceUnavailable, failing.set("name", "Batman").StatusCode)
	require.Equal(t, sealed.cookie, failing.cookie)
	require.Equal(t, "Superman", sealed.at(open(t, memory, session.Options{FromCookies: true})).values()["name"])
}

func Test_12_a_visitor_who_leaves_does_not_stop_a_change_half_way(t *testing.T) {
	v := open(t, &Memory{}, session.Options{})
	ctx, leave := context.WithCancel(t.Context())
	w := httptest.NewRecorder()
	v.store.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s, _ := v.store.Get(r, name)
		s.Values["a"] = 1
		leave()
	})).ServeHTTP(w, httptest.NewRequest("GET", "/", nil).WithContext(ctx))
	v.cookie = w.Result().Cookies()[0].Value
	require.Equal(t, session.View{"a": 1}, v.values())
}

func Test_one_process_purges_in_each_interval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := &Memory{}
		purges := &purging{Backend: memory}
		ctx, stop := context.WithCancel(t.Context())
		for range 3 {
			go open(t, purges, session.Options{}).store.PurgeEvery(ctx, 5*time.Minute)
		}
		for range 5 {
			_, err := memory.Swap(ctx, newKey(), nil, newRecord(10), time.Now().Add(-time.Second))
			require.NoError(t, err)
		}
		time.Sleep(21 * time.Minute)
		stop()
		synctest.Wait()
		require.EqualValues(t, 5, purges.n.Load(), "at 0, 5, 10, 15 and 20 minutes")
		left, err := memory.Purge(t.Context(), 10)
		require.NoError(t, err)
		require.LessOrEqual(t, left, 1, "the lease")
	})
}

type purging struct {
	session.Backend
	n atomic.Int64
}

func (p *purging) Purge(ctx context.Context, limit int) (int, error) {
	p.n.Add(1)
	return p.Backend.Purge(ctx, limit)
}
