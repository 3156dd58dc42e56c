package backendtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
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
	Devices(t, nil)
	memory := &Memory{}
	Races(t, memory, memory)
	Races(t, Lossy(memory, 20), memory)
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

// losing carries out the n-th Swap or Put and loses its reply, or does not carry it out.
type losing struct {
	session.Backend
	n       int
	carried bool
}

func (l *losing) lose(carryOut func()) error {
	if l.n--; l.n != 0 {
		return nil
	}
	if l.carried {
		carryOut()
	}
	return errors.New("connection reset")
}

func (l *losing) Swap(ctx context.Context, key session.ID, old, next []byte, ttl time.Duration) (bool, error) {
	if err := l.lose(func() { _, _ = l.Backend.Swap(ctx, key, old, next, ttl) }); err != nil {
		return false, err
	}
	return l.Backend.Swap(ctx, key, old, next, ttl)
}

func (l *losing) Put(ctx context.Context, key session.ID, next []byte, ttl time.Duration) error {
	if err := l.lose(func() { _ = l.Backend.Put(ctx, key, next, ttl) }); err != nil {
		return err
	}
	return l.Backend.Put(ctx, key, next, ttl)
}

func Test_12_a_lost_reply_loses_no_session_and_no_change(t *testing.T) {
	for _, carried := range []bool{true, false} {
		memory := &Memory{}
		v := open(t, memory, session.Options{})
		failing := func() *visitor { return v.at(open(t, &losing{memory, 1, carried}, session.Options{})) }

		fresh := failing()
		fresh.cookie = ""
		res := fresh.set("a", 1)
		if carried {
			require.Equal(t, http.StatusOK, res.StatusCode)
			require.Equal(t, session.View{"a": 1}, fresh.at(v).values())
		} else {
			require.Equal(t, http.StatusServiceUnavailable, res.StatusCode, "a first save is never sent again")
			require.Zero(t, count(t, v.store))
		}

		v.set("a", 1)
		require.Equal(t, http.StatusOK, failing().set("b", 2).StatusCode)
		require.Equal(t, session.View{"a": 1, "b": 2}, v.values())

		renewed := failing()
		require.Equal(t, http.StatusOK, renew(renewed).StatusCode)
		require.Equal(t, session.View{"a": 1, "b": 2}, renewed.at(v).values())
		require.Empty(t, v.values())

		v.cookie = renewed.cookie
		require.Equal(t, -1, destroy(failing()).Cookies()[0].MaxAge)
		require.Empty(t, v.values())
	}
}

// Without Handler, an application can save again.
func Test_12_a_first_save_that_may_still_arrive_is_repeated_as_another_session(t *testing.T) {
	memory := &Memory{}
	v := open(t, &losing{memory, 1, false}, session.Options{OnEvent: quiet})
	r, w := httptest.NewRequest("POST", "/", nil), httptest.NewRecorder()
	s, err := v.store.Get(r, name)
	require.NoError(t, err)
	s.Values["a"] = 1
	first := v.store.Info(r, s).ID
	require.ErrorIs(t, s.Save(r, w), session.ErrUnavailable)
	require.NoError(t, s.Save(r, w))
	require.NotEqual(t, first, v.store.Info(r, s).ID)
	require.Len(t, w.Result().Cookies(), 1)
}

func Test_13_a_conflict_is_an_event_with_the_sessions_ID(t *testing.T) {
	var conflicts []session.Event
	v := open(t, &Memory{}, session.Options{OnEvent: func(_ context.Context, e session.Event) {
		if e.Kind == session.Conflict {
			conflicts = append(conflicts, e)
		}
	}})
	id := ""
	v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
		id, s.Values["a"] = v.store.Info(r, s).ID, 1
	})
	old := *v
	during(v, "POST", func(o *visitor) { renew(o) }, setting("b", 2))
	old.ask("POST", setting("b", 2))
	require.Len(t, conflicts, 2)
	for _, e := range conflicts {
		require.Equal(t, id, e.ID)
		require.ErrorIs(t, e.Err, session.ErrConflict)
	}
}

func Test_12_a_visitor_who_leaves_does_not_stop_a_change_half_way(t *testing.T) {
	v := open(t, &Memory{}, session.Options{})
	ctx, leave := context.WithCancel(t.Context())
	w := httptest.NewRecorder()
	v.store.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s, _ := v.store.Get(r, name)
		s.Values["a"] = 1
		leave()
	}), nil).ServeHTTP(w, httptest.NewRequest("GET", "/", nil).WithContext(ctx))
	v.cookie = w.Result().Cookies()[0].Value
	require.Equal(t, session.View{"a": 1}, v.values())
}

// The change is made, its reply is lost, and another request renews the session before the
// second try.
func Test_13_a_conflict_after_a_lost_reply_does_not_say_that_nothing_was_saved(t *testing.T) {
	memory := &Memory{}
	v := open(t, memory, session.Options{})
	v.set("a", 1)
	renewed := *v
	unlucky := v.at(open(t, &interrupted{Backend: memory, then: func() { renew(&renewed) }}, session.Options{OnEvent: quiet}))
	require.Equal(t, http.StatusServiceUnavailable, unlucky.ask("POST", setting("b", 2)).StatusCode)
	require.Equal(t, session.View{"a": 1, "b": 2}, renewed.values())
}

// interrupted carries out the first Swap, loses its reply, and has something else happen.
type interrupted struct {
	session.Backend
	then func()
}

func (i *interrupted) Swap(ctx context.Context, key session.ID, old, next []byte, ttl time.Duration) (bool, error) {
	ok, err := i.Backend.Swap(ctx, key, old, next, ttl)
	if i.then == nil {
		return ok, err
	}
	i.then()
	i.then = nil
	return false, errors.New("connection reset")
}

func Test_16_a_response_that_timed_out_after_it_was_rendered_saves_nothing(t *testing.T) {
	v := open(t, &Memory{}, session.Options{})
	left := make(chan bool)
	w := httptest.NewRecorder()
	v.store.Handler(http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(left)
		s, _ := v.store.Get(r, name)
		s.Values["a"] = 1
		require.NoError(t, session.Of(r).Respond(r, http.StatusOK, func() error { return s.Save(r, w) }))
		<-r.Context().Done()
	}), 50*time.Millisecond, "late"), nil).ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
	<-left
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Zero(t, count(t, v.store))
}

// Each write waits before it is carried out, and reads do not.
func Test_08_no_write_extends_the_lifetime_however_slow_it_is(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &slow{Backend: &Memory{}}
		v := open(t, b, session.Options{Lifetime: 10 * time.Second})
		v.set("n", 0)
		b.slowWrites = 900 * time.Millisecond
		start := time.Now()
		for n := 1; len(v.values()) > 0; n++ {
			v.ask("POST", func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
				s.Values["n"] = n
				require.NoError(t, v.store.Renew(r, s))
			})
			time.Sleep(time.Millisecond)
			require.Less(t, time.Since(start), time.Minute)
		}
		require.InDelta(t, 10, time.Since(start).Seconds(), 1)
	})
}

func Test_08_many_writes_do_not_shorten_the_lifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := open(t, &Memory{}, session.Options{Lifetime: 10 * time.Second})
		for n := range 1000 {
			v.set("n", n)
			time.Sleep(1100 * time.Microsecond)
		}
		time.Sleep(8800 * time.Millisecond)
		require.Equal(t, 999, v.values()["n"])
		time.Sleep(100 * time.Millisecond)
		require.Empty(t, v.values())
	})
}

// Each of two sessions is a record of its own. If the second cannot be saved, the first is.
func Test_16_a_session_that_was_saved_before_another_failed_keeps_its_cookie(t *testing.T) {
	v := open(t, &Memory{}, session.Options{})
	visit := func(cookies []*http.Cookie, handle func(r *http.Request, auth, prefs *sessions.Session)) *http.Response {
		r, w := httptest.NewRequest("POST", "/", nil), httptest.NewRecorder()
		for _, c := range cookies {
			r.AddCookie(c)
		}
		v.store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			auth, _ := v.store.Get(r, "auth")
			prefs, _ := v.store.Get(r, "prefs")
			handle(r, auth, prefs)
		}), nil).ServeHTTP(w, r)
		return w.Result()
	}
	both := visit(nil, func(_ *http.Request, auth, prefs *sessions.Session) {
		auth.Values["user"], prefs.Values["theme"] = "clark", "dark"
	}).Cookies()
	res := visit(both, func(r *http.Request, auth, prefs *sessions.Session) {
		require.NoError(t, v.store.Renew(r, auth))
		prefs.Values["theme"] = "light"
		_, err := v.store.Revoke(t.Context(), "prefs", v.store.Info(r, prefs).ID)
		require.NoError(t, err)
	})
	require.Equal(t, http.StatusConflict, res.StatusCode)
	require.Len(t, res.Cookies(), 1)
	visit(res.Cookies(), func(_ *http.Request, auth, _ *sessions.Session) {
		require.Equal(t, "clark", auth.Values["user"])
	})
}

func Test_a_purge_is_repeated_in_each_interval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := &Memory{}
		ctx, stop := context.WithCancel(t.Context())
		store := open(t, memory, session.Options{}).store
		go store.PurgeEvery(ctx, 5*time.Minute)
		synctest.Wait()
		store.PurgeEvery(ctx, time.Minute) // once is enough: it returns at once
		for range 3 {
			for range 5 {
				_, err := memory.Swap(ctx, newKey(), nil, newRecord(10), time.Minute)
				require.NoError(t, err)
			}
			time.Sleep(11 * time.Minute)
		}
		stop()
		synctest.Wait()
		left, err := memory.Purge(t.Context(), 10)
		require.NoError(t, err)
		require.Zero(t, left)
	})
}

// slow takes its time for each round trip, and counts them.
type slow struct {
	session.Backend
	pause time.Duration
	trips atomic.Int64

	slowWrites time.Duration
}

func (s *slow) Load(ctx context.Context, key session.ID) ([]byte, time.Time, time.Time, error) {
	s.trips.Add(1)
	time.Sleep(s.pause)
	return s.Backend.Load(ctx, key)
}

func (s *slow) Swap(ctx context.Context, key session.ID, old, next []byte, ttl time.Duration) (bool, error) {
	s.trips.Add(1)
	time.Sleep(s.pause + s.slowWrites)
	return s.Backend.Swap(ctx, key, old, next, ttl)
}

func Test_13_a_contended_session_costs_a_bounded_number_of_round_trips_and_is_no_outage(t *testing.T) {
	for _, pause := range []time.Duration{time.Millisecond, 20 * time.Millisecond, 100 * time.Millisecond} {
		b := &slow{Backend: &Memory{}}
		var lost atomic.Int64
		v := open(t, b, session.Options{OnEvent: func(_ context.Context, e session.Event) {
			if e.Kind == session.Lost || e.Kind == session.Unreachable {
				lost.Add(1)
			}
		}})
		v.set("a", 1)
		b.pause = pause
		b.trips.Store(0)
		var wait sync.WaitGroup
		var mu sync.Mutex
		answers, kept := map[int]int{}, session.View{"a": 1}
		for i := range 20 {
			wait.Go(func() {
				o, key := *v, fmt.Sprint("key ", i)
				status := o.ask("POST", setting(key, i)).StatusCode
				mu.Lock()
				defer mu.Unlock()
				if answers[status]++; status == http.StatusOK {
					kept[key] = i
				}
			})
		}
		wait.Wait()
		t.Logf("%v a round trip: %d of 20 requests, answers by status %v", pause, b.trips.Load(), answers)
		require.Equal(t, 20, answers[http.StatusOK]+answers[http.StatusConflict], "no outage")
		require.NotZero(t, answers[http.StatusOK])
		require.Zero(t, lost.Load(), "no alarm")
		require.LessOrEqual(t, b.trips.Load(), int64(20*6))
		require.Equal(t, kept, v.values())
	}
}

func Test_02_the_server_knows_to_the_hour_when_a_session_was_last_used(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counted := &counting{Backend: &Memory{}}
		v := open(t, counted, session.Options{IdleTimeout: 300 * time.Hour})
		v.signIn("clark")
		counted.swaps.Store(0)
		for range 10 {
			time.Sleep(20 * time.Minute)
			require.Empty(t, v.visit(look).Header["Set-Cookie"])
			list, err := v.store.Sessions(t.Context(), name, "clark")
			require.NoError(t, err)
			require.LessOrEqual(t, time.Since(list[0].LastUse), time.Hour)
		}
		require.EqualValues(t, 3, counted.swaps.Load(), "in 200 minutes")
	})
}

func Test_20_a_sign_in_that_takes_minutes_does_not_exceed_the_limit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := &Memory{}
		options := session.Options{MaxPerOwner: 1, KeepOldest: true}
		slow, quick := open(t, memory, options), open(t, memory, options)
		res := slow.ask("POST", func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.NoError(t, slow.store.SignIn(r, s, "clark"))
			time.Sleep(62 * time.Second)
			require.Equal(t, http.StatusOK, quick.signIn("clark").StatusCode)
		})
		require.Equal(t, http.StatusConflict, res.StatusCode)
		require.Len(t, quick.listed("clark"), 1)
		require.Equal(t, "clark", quick.owner())
	})
}

func Test_19_a_sign_in_has_to_be_saved_within_half_a_minute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for long, want := range map[time.Duration]int{29 * time.Second: http.StatusOK, 31 * time.Second: http.StatusConflict} {
			v := open(t, &Memory{}, session.Options{})
			res := v.ask("POST", func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
				require.NoError(t, v.store.SignIn(r, s, "clark"))
				time.Sleep(long)
			})
			require.Equal(t, want, res.StatusCode)
			require.Equal(t, want == http.StatusOK, v.owner() == "clark")
		}
	})
}

func Test_19_no_write_makes_a_sign_in_fresher_however_slow_it_is(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &slow{Backend: &Memory{}}
		v := open(t, b, session.Options{})
		v.signIn("clark")
		b.slowWrites = 900 * time.Millisecond
		began := time.Now()
		for n := range 20 {
			v.set("n", n)
			v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
				require.False(t, v.store.Fresh(r, s, time.Since(began)-time.Millisecond))
				require.True(t, v.store.Fresh(r, s, time.Since(began)+time.Second))
			})
		}
	})
}

func Test_22_a_mark_lasts_as_long_as_the_other_cookie(t *testing.T) {
	for how, end := range map[string]func(*mover){
		"Destroy": func(m *mover) { m.visit(destroying) },
		"Renew":   func(m *mover) { m.visit(renewing) },
		"Revoke": func(m *mover) {
			m.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
				_, err := m.store.Revoke(t.Context(), name, m.store.Info(r, s).ID)
				require.NoError(t, err)
			})
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := move(t, nil, session.Options{Revoked: &Memory{}, Lifetime: time.Hour, Adopt: from(readable{left: 48 * time.Hour})})
			thief := m.copied()
			m.visit(look)
			end(m)
			time.Sleep(47 * time.Hour)
			require.Empty(t, thief.values(), how)
		})
	}
}

func Test_22_what_is_remembered_of_the_other_cookie_goes_an_hour_after_that_has_expired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Memory{}
		m := move(t, b, session.Options{Adopt: from(readable{left: 2 * time.Hour})})
		m.visit(look)
		for range 1000 {
			m.visit(setting("n", time.Now().UnixNano()))
			time.Sleep(1500 * time.Microsecond)
		}
		m.visit(destroying)
		time.Sleep(2 * time.Hour)
		require.Equal(t, 1, records(t, b))
		time.Sleep(time.Hour)
		require.Zero(t, records(t, b))
	})
}
