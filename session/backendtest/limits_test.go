package backendtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"heroes/session"

	"github.com/gorilla/sessions"
	"github.com/stretchr/testify/require"
)

func Test_24_a_session_whose_cookie_never_comes_back_ends_soon(t *testing.T) {
	for _, idle := range []time.Duration{24 * time.Hour, 82 * time.Minute, -1} {
		for _, limit := range []time.Duration{0, 5 * time.Minute} {
			synctest.Test(t, func(t *testing.T) {
				returns := limit
				if limit == 0 {
					returns = time.Hour
				}
				memory := &Memory{}
				options := session.Options{IdleTimeout: idle, ReturnTimeout: limit}
				gone, back, owned := open(t, memory, options), open(t, memory, options), open(t, memory, options)
				gone.set("cart", "cape")
				back.set("cart", "cape")
				owned.signIn("clark")
				time.Sleep(time.Minute)
				require.NotEmpty(t, back.values())
				time.Sleep(returns - time.Minute)
				require.Empty(t, gone.values())
				require.Equal(t, "clark", owned.owner(), "a browser may close after a sign-in")
				time.Sleep(80*time.Minute - returns)
				require.NotEmpty(t, back.values())
				require.Equal(t, 2, count(t, back.store))
			})
		}
	}
}

// Otherwise one cookie could begin any number of sessions by ending one.
func Test_24_the_cookie_of_a_session_after_another_has_to_come_back_too(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := open(t, &Memory{}, session.Options{})
		v.set("cart", "cape")
		v.ask("POST", func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.NoError(t, v.store.Destroy(r, s))
			s.Values["flash"] = "bye"
		})
		time.Sleep(time.Hour)
		require.Zero(t, count(t, v.store))
	})
}

func Test_24_new_sessions_can_be_limited(t *testing.T) {
	asked, wait, kinds := 0, time.Duration(0), map[session.EventKind]int{}
	options := session.Options{
		AllowNew: func(r *http.Request) time.Duration {
			require.NotEmpty(t, r.RemoteAddr)
			asked++
			return wait
		},
		OnEvent: func(_ context.Context, e session.Event) { kinds[e.Kind]++ },
	}
	memory := &Memory{}
	v := open(t, memory, options)
	require.Equal(t, http.StatusOK, v.visit(look).StatusCode)
	require.Zero(t, asked, "nothing is stored")
	v.ask("POST", func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
		s.Values["cart"] = "cape"
		require.NoError(t, s.Save(r, w), "which checks whether it can be saved")
	})
	require.Equal(t, 1, asked)
	wait = 90 * time.Second
	require.Equal(t, http.StatusOK, v.set("cart", "mask").StatusCode, "it has a session")
	require.Equal(t, http.StatusOK, renew(v).StatusCode)
	require.Equal(t, 1, asked)
	ending := v.at(v)
	res := ending.ask("POST", func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
		require.NoError(t, v.store.Destroy(r, s))
		s.Values["_flash_"] = []byte("bye")
		require.NoError(t, s.Save(r, w))
	})
	require.Equal(t, http.StatusOK, res.StatusCode, "it ends without its flash")
	require.Equal(t, -1, res.Cookies()[0].MaxAge)
	require.Zero(t, count(t, v.store))
	wait = 0
	v.cookie = ""
	v.set("cart", "cape")
	asked = 1
	v.ask("POST", func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
		require.NoError(t, v.store.Destroy(r, s))
		s.Values["flash"] = "bye"
	})
	require.Equal(t, session.View{"flash": "bye"}, v.values())
	require.Equal(t, 2, asked, "it is a new one")
	wait = 90 * time.Second

	for what, change := range map[string]func(v *visitor, w http.ResponseWriter, r *http.Request, s *sessions.Session) error{
		"values": func(_ *visitor, _ http.ResponseWriter, _ *http.Request, s *sessions.Session) error {
			s.Values["a"] = 1
			return nil
		},
		"sign-in": func(v *visitor, w http.ResponseWriter, r *http.Request, s *sessions.Session) error {
			err := v.store.SignIn(r, s, "clark")
			require.ErrorIs(t, err, session.ErrTooManyNew)
			w.WriteHeader(session.Status(w.Header(), err))
			return nil
		},
		"save": func(_ *visitor, w http.ResponseWriter, r *http.Request, s *sessions.Session) error {
			s.Values["a"] = 1
			require.ErrorIs(t, s.Save(r, w), session.ErrTooManyNew)
			return nil
		},
	} {
		fresh := open(t, memory, options)
		res := fresh.ask("POST", func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.NoError(t, change(fresh, w, r, s))
		})
		require.Equal(t, http.StatusTooManyRequests, res.StatusCode, what)
		require.Equal(t, "90", res.Header.Get("Retry-After"))
		require.Empty(t, res.Header["Set-Cookie"])
	}
	require.Equal(t, 1, count(t, v.store))
	require.Empty(t, v.listed("clark"))
	require.Equal(t, 3, kinds[session.Limited])
	require.Zero(t, kinds[session.Lost])

	answers := []time.Duration{time.Minute, 0} // another client's session may have made room meanwhile
	undecided := open(t, memory, session.Options{OnEvent: quiet, AllowNew: func(*http.Request) (wait time.Duration) {
		wait, answers = answers[0], answers[1:]
		return wait
	}})
	res = undecided.ask("POST", func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
		s.Values["a"] = 1
		err := s.Save(r, w)
		w.WriteHeader(session.Status(w.Header(), err))
	})
	require.Equal(t, http.StatusTooManyRequests, res.StatusCode)
	require.Empty(t, res.Header["Set-Cookie"], "what Save has said stays")

	for _, cookie := range []string{"", strings.Repeat("A", 64)} {
		gone := open(t, memory, options)
		gone.cookie = cookie
		res := gone.ask("POST", func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.NoError(t, gone.store.Destroy(r, s))
			s.Values["_flash_"] = []byte("bye")
		})
		require.Equal(t, http.StatusOK, res.StatusCode, "everybody can sign out")
		require.Equal(t, cookie != "", len(res.Cookies()) == 1 && res.Cookies()[0].MaxAge < 0)
	}

	asked = 0
	cookies := open(t, nil, options)
	require.Equal(t, http.StatusOK, cookies.set("cart", "cape").StatusCode)
	require.Zero(t, asked, "a session in a cookie takes no room on a server")
}

func Test_24_values_can_be_limited(t *testing.T) {
	for _, limit := range []int{0, 1000, session.MaxValues} {
		v := open(t, &Memory{}, session.Options{MaxValues: limit, OnEvent: quiet})
		most := limit
		if limit == 0 {
			most = 64 << 10
		}
		require.Equal(t, http.StatusOK, v.set("x", strings.Repeat("x", most-20)).StatusCode)
		require.Equal(t, http.StatusInternalServerError, v.set("x", strings.Repeat("x", most)).StatusCode)
		require.Len(t, v.values()["x"], most-20, "it is as it was")
	}
	_, err := session.New([][]byte{newSecret}, session.Options{MaxValues: session.MaxValues + 1})
	require.ErrorContains(t, err, "MaxValues must be between")
}

// slowFirst is a backend that is slow to load the first record.
type slowFirst struct {
	session.Backend
	loads atomic.Int64
}

func (s *slowFirst) Load(ctx context.Context, id session.ID) ([]byte, time.Time, time.Time, error) {
	if s.loads.Add(1) == 1 {
		time.Sleep(500 * time.Millisecond)
	}
	return s.Backend.Load(ctx, id)
}

// The server is slow, and the secrets are set, and used, while a request waits for its session.
func Test_06_a_request_that_waits_for_its_session_opens_what_the_new_secret_has_sealed(t *testing.T) {
	for _, last := range [][][]byte{{newSecret, oldSecret}, {newSecret}} {
		synctest.Test(t, func(t *testing.T) {
			v := open(t, &slowFirst{Backend: &Memory{}}, session.Options{}, oldSecret)
			v.set("cart", "cape")
			late := v.at(v)
			var wait sync.WaitGroup
			wait.Go(func() { require.Equal(t, http.StatusOK, late.set("language", "de").StatusCode) })
			time.Sleep(time.Millisecond)
			require.NoError(t, v.store.SetSecrets([][]byte{newSecret, oldSecret}))
			v.set("cart", "boots")
			require.NoError(t, v.store.SetSecrets(last))
			wait.Wait()
			require.Equal(t, v.cookie, late.cookie)
			require.Equal(t, session.View{"cart": "boots", "language": "de"}, v.values())
		})
	}
}

// full is a backend that answers, but has no room.
type full struct {
	session.Backend
	full bool
}

func (f *full) Swap(ctx context.Context, id session.ID, old, next []byte, ttl time.Duration) (bool, error) {
	if f.full {
		return false, errors.New("no room")
	}
	return f.Backend.Swap(ctx, id, old, next, ttl)
}

func Test_12_a_server_that_cannot_be_written_to_is_not_ready(t *testing.T) {
	memory := &Memory{}
	f := &full{Backend: memory}
	v := open(t, f, session.Options{})
	require.NoError(t, v.store.Ping(t.Context()))
	f.full = true
	require.ErrorIs(t, v.store.Ping(t.Context()), session.ErrUnavailable)
	f.full = false
	require.NoError(t, v.store.Ping(t.Context()))
	time.Sleep(2 * time.Millisecond)
	require.Zero(t, records(t, memory), "it leaves nothing")
}

func Test_06_secrets_are_replaced_while_requests_are_in_progress(t *testing.T) {
	for _, backend := range []session.Backend{nil, &Memory{}} {
		v := open(t, backend, session.Options{}, oldSecret)
		v.set("cart", "cape")
		require.Error(t, v.store.SetSecrets([][]byte{[]byte("short")}))
		require.NotEmpty(t, v.values())

		late := v.at(v)
		late.cookie = ""
		res := v.ask("POST", func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			res := late.ask("POST", func(_ http.ResponseWriter, lr *http.Request, ls *sessions.Session) {
				require.NoError(t, v.store.SetSecrets([][]byte{newSecret, oldSecret}))
				ls.Values["cart"] = "mask"
				if backend != nil {
					require.NoError(t, v.store.SignIn(lr, ls, "clark"))
				}
			})
			require.Equal(t, http.StatusOK, res.StatusCode)
			s.Values["cart"] = "boots"
		})
		require.Equal(t, http.StatusOK, res.StatusCode)
		for _, each := range []*visitor{v, late} {
			require.NotEmpty(t, each.values())
			each.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) { // from here on under the new secret
				again, err := v.store.Get(r, name)
				require.NoError(t, err)
				require.Same(t, s, again)
			})
		}
		require.NoError(t, v.store.SetSecrets([][]byte{newSecret}))
		require.Equal(t, "boots", v.values()["cart"])
		require.Equal(t, "mask", late.values()["cart"])
		if backend != nil {
			require.Len(t, v.listed("clark"), 1)
		}
		require.NoError(t, v.store.SetSecrets([][]byte{oldSecret}))
		require.Empty(t, v.values())
	}
}

// Another page of the visitor, which began later, has sealed the session under the new secret.
func Test_06_a_request_from_before_finds_what_the_new_secret_has_sealed(t *testing.T) {
	for _, owner := range []string{"", "clark"} {
		v := open(t, &Memory{}, session.Options{}, oldSecret)
		v.set("cart", "cape")
		second := v.at(v)
		res := v.ask("POST", func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.NoError(t, v.store.SetSecrets([][]byte{newSecret, oldSecret}))
			second.set("language", "de")
			s.Values["cart"] = "boots"
			if owner != "" {
				require.NoError(t, v.store.SignIn(r, s, owner))
			}
		})
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.Equal(t, session.View{"cart": "boots", "language": "de"}, v.values())
		require.NoError(t, v.store.SetSecrets([][]byte{newSecret}))
		require.Equal(t, owner, v.owner())
		if owner != "" {
			require.Len(t, v.listed(owner), 1)
		}
	}
}

func Test_06_others_are_revoked_under_the_secrets_that_were_set_last(t *testing.T) {
	memory := &Memory{}
	for _, options := range []session.Options{{Backend: memory}, {Revoked: memory}} {
		store, err := session.New([][]byte{oldSecret}, options)
		require.NoError(t, err)
		require.NoError(t, store.SetSecrets([][]byte{newSecret}))
		own, other := &visitor{t: t, store: store}, &visitor{t: t, store: store}
		own.signIn("clark")
		other.signIn("clark")
		res := own.ask("POST", func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			_, err := store.RevokeOthers(r, s)
			require.NoError(t, err)
		})
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.Empty(t, other.owner())
		require.Equal(t, "clark", own.owner())
	}
}

func Test_20_the_limit_holds_while_secrets_are_replaced(t *testing.T) {
	for _, keep := range []bool{false, true} {
		v := open(t, &Memory{}, session.Options{MaxPerOwner: 1, KeepOldest: keep, OnEvent: quiet}, oldSecret)
		late := v.at(v)
		status := v.signingIn("clark", func(*http.Request, *sessions.Session) {
			require.NoError(t, v.store.SetSecrets([][]byte{newSecret, oldSecret}))
			late.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
				err := v.store.SignIn(r, s, "clark")
				require.Equal(t, keep, errors.Is(err, session.ErrTooMany))
			})
		})
		require.Equal(t, keep, status == http.StatusOK)
		require.Len(t, v.listed("clark"), 1)
	}
}

func Test_10_a_flash_makes_way_for_values_however_it_came_into_the_session(t *testing.T) {
	flash := []byte(`{"info":["` + strings.Repeat("f", 500) + `"]}`)
	for _, own := range []bool{false, true} {
		v := open(t, &Memory{}, session.Options{MaxValues: 2000})
		v.set("a", "b")
		other := v.at(v)
		res := v.ask("POST", func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			other.ask("POST", setting("_flash_", flash)) // is merged
			if own {
				s.Values["_flash_"] = flash[1:]
			}
			s.Values["v"] = strings.Repeat("v", 1900)
		})
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.Len(t, v.values()["v"], 1900)
		require.Equal(t, "b", v.values()["a"])
	}
	for _, b := range []session.Backend{nil, &Memory{}} {
		v := open(t, b, session.Options{MaxValues: 4000, OnEvent: quiet})
		v.ask("POST", setting("_flash_", flash))
		v.ask("POST", func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			s.Values["v"] = strings.Repeat("v", 5000)
			require.Error(t, v.store.Save(r, w, s))
			s.Values["v"] = strings.Repeat("v", 2750)
			require.NoError(t, v.store.Save(r, w, s)) // too large with the flash in a cookie
			delete(s.Values, "v")
		})
		v.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) {
			require.Equal(t, string(flash), fmt.Sprintf("%s", s.Values["_flash_"]), "only the session that is saved counts")
		})
		require.Equal(t, http.StatusInternalServerError, v.ask("POST", setting("_flash_", strings.Repeat("f", 5000))).StatusCode, "it is not Buffalo's")
	}
}

// A sign-in that is refused must not make room for itself, and leaves nothing in the index.
func Test_24_a_sign_in_that_AllowNew_refuses_changes_nothing(t *testing.T) {
	memory, deny, limited := &Memory{}, false, 0
	v := open(t, memory, session.Options{MaxPerOwner: 1, AllowNew: func(*http.Request) time.Duration {
		if deny {
			return time.Minute
		}
		return 0
	}, OnEvent: func(_ context.Context, e session.Event) {
		if e.Kind == session.Limited {
			limited++
		}
	}})
	v.signIn("clark")
	before := records(t, memory)
	deny = true
	stranger := &visitor{t: t, store: v.store}
	res := stranger.ask("POST", func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
		err := v.store.SignIn(r, s, "clark")
		require.ErrorIs(t, err, session.ErrTooManyNew)
		w.WriteHeader(session.Status(w.Header(), err))
	})
	require.Equal(t, http.StatusTooManyRequests, res.StatusCode)
	require.Equal(t, 1, limited)
	require.Equal(t, "clark", v.owner())
	require.Equal(t, before, records(t, memory))
	require.Len(t, v.listed("clark"), 1)
	require.Equal(t, http.StatusOK, v.signIn("clark").StatusCode, "the session is there")
}
