package backendtest

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"heroes/session"

	"github.com/gorilla/sessions"
	"github.com/stretchr/testify/require"
)

// owners tests what SignIn and its relatives promise.
func owners(t *testing.T, b session.Backend) {
	t.Run("19: signing in renews the session, keeps its values and restarts its lifetime", func(t *testing.T) {
		v := begin(t, b, session.Options{Lifetime: 3 * time.Second})
		v.set("cart", "cape")
		planted, id := *v, v.info().ID
		require.Empty(t, v.info().Owner)
		time.Sleep(2 * time.Second)
		res := v.signIn("clark", session.Note("Firefox on Linux"))
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.Len(t, res.Cookies(), 1)
		require.Equal(t, 3, res.Cookies()[0].MaxAge)
		require.NotEqual(t, planted.cookie, v.cookie)
		require.Empty(t, planted.values())
		require.Equal(t, session.View{"cart": "cape"}, v.values())
		info := v.info()
		require.Equal(t, []string{id, "clark", "Firefox on Linux"}, []string{info.ID, info.Owner, info.Note})
		require.WithinDuration(t, time.Now(), info.Authenticated, time.Second)
		time.Sleep(1500 * time.Millisecond)
		require.Equal(t, "clark", v.owner(), "3.5 seconds after the session began")
		renew(v)
		time.Sleep(1700 * time.Millisecond)
		require.Empty(t, v.owner(), "and renewing alone restarts nothing")
	})

	t.Run("19: the owner stays when the values go", func(t *testing.T) {
		v := begin(t, b, session.Options{})
		require.Len(t, v.signIn("clark").Cookies(), 1, "there need not be any value")
		v.set("_flash_", []byte(`{"info":["hello"]}`))
		v.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) { clear(s.Values) })
		require.Equal(t, "clark", v.owner())
		require.Equal(t, []string{v.info().ID}, v.listed("clark"))
	})

	t.Run("19: signing in as another owner starts a new session without values", func(t *testing.T) {
		v := begin(t, b, session.Options{})
		v.signIn("clark")
		v.set("alter_ego", "Superman")
		before, id := *v, v.info().ID
		v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.NoError(t, v.store.SignIn(r, s, "bruce"))
			require.Empty(t, s.Values)
			s.Values["lang"] = "de"
		})
		require.Equal(t, session.View{"lang": "de"}, v.values())
		require.Equal(t, "bruce", v.owner())
		require.NotEqual(t, id, v.info().ID)
		require.Empty(t, before.owner())
		require.Empty(t, v.listed("clark"))
		require.Equal(t, []string{v.info().ID}, v.listed("bruce"))
	})

	t.Run("19: signing out ends the session", func(t *testing.T) {
		v := begin(t, b, session.Options{})
		v.signIn("clark")
		copied := *v
		v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.NoError(t, v.store.SignOut(r, s))
		})
		require.Empty(t, copied.owner())
		require.Empty(t, v.listed("clark"))
	})

	t.Run("19: SignIn refuses an owner, a note or a time that is out of range", func(t *testing.T) {
		v := begin(t, b, session.Options{})
		v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.ErrorContains(t, v.store.SignIn(r, s, ""), "255")
			require.ErrorContains(t, v.store.SignIn(r, s, string(make([]byte, 256))), "256")
			require.ErrorContains(t, v.store.SignIn(r, s, "clark", session.Note(string(make([]byte, 256)))), "256")
			require.ErrorContains(t, v.store.SignIn(r, s, "clark", session.KeepFor(0)), "UntilBrowserCloses")
			_, err := v.store.RevokeOthers(r, s)
			require.ErrorIs(t, err, session.ErrNobody)
		})
		require.Empty(t, v.cookie)
	})

	double := func(t *testing.T, second func(first *visitor) *http.Response) {
		v := begin(t, b, session.Options{})
		v.set("cart", "cape")
		res := second(v)
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.Len(t, res.Cookies(), 1)
		v.cookie = res.Cookies()[0].Value
		require.Equal(t, "clark", v.owner())
		require.Equal(t, session.View{"cart": "cape", "second": true}, v.values())
		require.Len(t, v.listed("clark"), 1)
	}
	signingIn := func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
		require.NoError(t, s.Store().(*session.Store).SignIn(r, s, "clark"))
		s.Values["second"] = true
	}
	t.Run("19: a double-clicked sign-in ends signed in, while the first is not done", func(t *testing.T) {
		double(t, func(v *visitor) *http.Response {
			return during(v, "POST", func(o *visitor) { o.signIn("clark") }, signingIn)
		})
	})
	t.Run("19: a double-clicked sign-in ends signed in, when the first is done", func(t *testing.T) {
		double(t, func(v *visitor) *http.Response {
			first := *v
			first.signIn("clark")
			return v.ask("POST", signingIn)
		})
	})
	t.Run("19: a replaced token signs nobody else in, or out", func(t *testing.T) {
		v := begin(t, b, session.Options{})
		v.set("cart", "cape")
		planted := *v
		v.signIn("clark")
		res := planted.ask("POST", func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.NoError(t, planted.store.SignIn(r, s, "luthor"))
		})
		require.Equal(t, http.StatusConflict, res.StatusCode)
		require.Empty(t, res.Cookies())
		require.Equal(t, "clark", v.owner())
		require.Empty(t, v.listed("luthor"))
		require.Empty(t, planted.owner())
	})

	t.Run("19: Sessions lists an owner's sessions", func(t *testing.T) {
		one, two, other := begin(t, b, session.Options{}), begin(t, b, session.Options{}), open(t, b, session.Options{})
		one.signIn("clark", session.Note("Firefox"))
		time.Sleep(5 * time.Millisecond)
		two.set("cart", "cape")
		two.signIn("clark", session.Note("phone"))
		other.signIn("bruce")
		list, err := one.store.Sessions(t.Context(), name, "clark")
		require.NoError(t, err)
		require.Len(t, list, 2)
		for i, v := range []*visitor{two, one} {
			e, info := list[i], v.info()
			require.Equal(t, []string{info.ID, "clark", info.Note}, []string{e.ID, e.Owner, e.Note})
			for _, when := range []time.Time{e.Created, e.LastUse, e.Authenticated} {
				require.WithinDuration(t, time.Now(), when, 5*time.Second)
			}
			require.Positive(t, e.Size)
			require.NotContains(t, fmt.Sprintf("%+v", e), v.cookie[:22])
			require.NotContains(t, fmt.Sprintf("%+v", e), "cape")
		}
		empty, err := one.store.Sessions(t.Context(), "another", "clark")
		require.NoError(t, err)
		require.Empty(t, empty)
		_, err = one.store.Revoke(t.Context(), name, one.info().ID)
		require.NoError(t, err)
		require.Equal(t, []string{two.info().ID}, two.listed("clark"))
	})

	t.Run("19: an owner ends one of their sessions, and no other's", func(t *testing.T) {
		one, two, other := begin(t, b, session.Options{}), begin(t, b, session.Options{}), open(t, b, session.Options{})
		one.signIn("clark")
		two.signIn("clark")
		other.signIn("bruce")
		anonymous := open(t, b, session.Options{})
		anonymous.set("cart", "cape")
		revoke := func(owner, id string) bool {
			ended, err := one.store.RevokeOwned(t.Context(), name, owner, id)
			require.NoError(t, err)
			return ended
		}
		require.False(t, revoke("clark", other.info().ID))
		require.False(t, revoke("", anonymous.info().ID))
		require.False(t, revoke("clark", "nonsense"))
		require.False(t, revoke("clark", "00000000000000000000000000000000"))
		require.Equal(t, "bruce", other.owner())
		require.NotEmpty(t, anonymous.values())
		id := two.info().ID
		require.True(t, revoke("clark", id))
		require.Empty(t, two.owner())
		require.False(t, revoke("clark", id))
		require.Equal(t, []string{one.info().ID}, one.listed("clark"))
	})

	t.Run("19: RevokeOthers ends all but one, and RevokeOwner all", func(t *testing.T) {
		var all []*visitor
		require.NoError(t, b.Clear(t.Context()))
		for range 20 {
			v := open(t, b, session.Options{})
			v.signIn("clark")
			all = append(all, v)
		}
		other := open(t, b, session.Options{})
		other.signIn("bruce")
		all[3].visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			n, err := all[3].store.RevokeOthers(r, s)
			require.NoError(t, err)
			require.Equal(t, 19, n)
		})
		for i, v := range all {
			require.Equal(t, i == 3, v.owner() == "clark")
		}
		require.Equal(t, []string{all[3].info().ID}, all[0].listed("clark"))
		n, err := all[0].store.RevokeOwner(t.Context(), name, "clark")
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Empty(t, all[3].owner())
		require.Empty(t, all[0].listed("clark"))
		require.Equal(t, "bruce", other.owner())
	})

	// What is ended between SignIn and the save is ended.
	for what, wait := range map[string]time.Duration{"at once": 0, "after the grace window": 1300 * time.Millisecond} {
		for _, with := range []bool{false, true} {
			t.Run(fmt.Sprintf("19: a revocation that overtakes a sign-in ends it (%s, session before: %t)", what, with), func(t *testing.T) {
				v := begin(t, b, session.Options{Grace: time.Second})
				if with {
					v.set("cart", "cape")
				}
				res := v.ask("POST", func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
					require.NoError(t, v.store.SignIn(r, s, "clark"))
					_, err := v.store.RevokeOwner(t.Context(), name, "clark")
					require.NoError(t, err)
					time.Sleep(wait)
				})
				require.Equal(t, http.StatusConflict, res.StatusCode)
				require.Empty(t, res.Cookies())
				require.Empty(t, v.listed("clark"))
				require.Empty(t, v.owner())
				require.Zero(t, count(t, v.store), "and no record is left")
			})
		}
	}

	t.Run("19: a session that has ended ends no others", func(t *testing.T) {
		for what, end := range map[string]func(v *visitor){
			"revoked": func(v *visitor) { _, _ = v.store.RevokeOwner(t.Context(), name, "clark") },
			"renewed": func(v *visitor) { renew(v) },
		} {
			thief, victim := begin(t, b, session.Options{}), open(t, b, session.Options{})
			thief.signIn("clark")
			during(thief, "POST", func(o *visitor) {
				end(o)
				victim.signIn("clark")
			}, func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
				_, err := thief.store.RevokeOthers(r, s)
				require.ErrorIs(t, err, session.ErrConflict, what)
			})
			require.Equal(t, "clark", victim.owner(), what)
		}
	})

	t.Run("19: a session is on the list until it ends", func(t *testing.T) {
		v := begin(t, b, session.Options{Lifetime: 2 * time.Second})
		v.ask("POST", func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.NoError(t, v.store.SignIn(r, s, "clark"))
			time.Sleep(time.Second) // a slow page
		})
		time.Sleep(1300 * time.Millisecond)
		require.Len(t, v.listed("clark"), 1)
		_, err := v.store.RevokeOwner(t.Context(), name, "clark")
		require.NoError(t, err)
		require.Empty(t, v.owner())
	})

	t.Run("19: the list drops no session that is being signed in", func(t *testing.T) {
		broken := &failing{Backend: b}
		v := begin(t, broken, session.Options{OnEvent: quiet})
		v.set("cart", "cape")
		broken.swaps.Store(true)
		v.signIn("clark")
		broken.swaps.Store(false)
		slow := &slowly{Backend: b, removing: make(chan bool)}
		older := open(t, slow, session.Options{Lifetime: 720*time.Hour + 2*time.Minute}) // so the entry looks two minutes old
		listed := make(chan int)
		go func() { listed <- len(older.listed("clark")) }()
		<-slow.removing
		time.Sleep(5 * time.Millisecond) // the new entry expires later
		require.Equal(t, http.StatusOK, v.signIn("clark").StatusCode)
		slow.removing <- true
		<-listed
		require.Len(t, v.listed("clark"), 1)
	})

	t.Run("19: Verify signs nobody in after an error, and leaves no gap", func(t *testing.T) {
		v := begin(t, b, session.Options{})
		v.set("cart", "cape")
		id := v.info().ID
		try := func(owner string, verify func() error) (res *http.Response, err error) {
			res = v.ask("POST", func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
				err = v.store.SignIn(r, s, owner, session.Verify(verify))
				if s.Values["tried"] = owner; err == nil {
					require.Equal(t, owner, v.store.Owner(r, s))
				}
			})
			return res, err
		}
		changed := errors.New("the password has changed")
		res, err := try("clark", func() error { return changed })
		require.Equal(t, changed, err)
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.Empty(t, res.Cookies())
		require.Equal(t, session.View{"cart": "cape", "tried": "clark"}, v.values())
		require.Empty(t, v.owner())
		require.Empty(t, v.listed("clark"))

		_, err = try("clark", func() error { return nil })
		require.NoError(t, err)
		require.Equal(t, "clark", v.owner())
		_, err = try("bruce", func() error { return changed })
		require.Equal(t, changed, err)
		require.Equal(t, session.View{"cart": "cape", "tried": "bruce"}, v.values())
		_, err = try("clark", func() error { return changed })
		require.Equal(t, changed, err)
		require.Equal(t, []string{id}, v.listed("clark"), "still signed in, as before")

		// The visitor clicks twice, and the browser cancels the first request.
		clicked := open(t, b, session.Options{})
		clicked.set("cart", "cape")
		first, second := *clicked, *clicked
		first.ask("POST", func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			err = first.store.SignIn(r, s, "bruce", session.Verify(func() error {
				second.signIn("bruce")
				return context.Canceled
			}))
		})
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, "bruce", second.owner())
		require.Equal(t, []string{second.info().ID}, second.listed("bruce"), "the one does not take the other off the list")

		other := open(t, b, session.Options{})
		res = other.ask("POST", func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.NoError(t, other.store.SignIn(r, s, "clark", session.Verify(func() error {
				_, err := v.store.RevokeOwner(t.Context(), name, "clark") // just after the password was found unchanged
				return err
			})))
		})
		require.Equal(t, http.StatusConflict, res.StatusCode)
		require.Empty(t, other.owner())
	})

	t.Run("19: nobody is signed in before Verify has agreed", func(t *testing.T) {
		refused := errors.New("refused")
		for what, verify := range map[string]func(w http.ResponseWriter) error{
			"an answer": func(w http.ResponseWriter) error { http.Error(w, "wrong", http.StatusForbidden); return refused },
			"a panic":   func(http.ResponseWriter) error { panic("verify") },
		} {
			v := begin(t, b, session.Options{MaxPerOwner: 1})
			v.signIn("clark")
			other := v.at(v)
			other.cookie = ""
			other.ask("POST", func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
				defer func() { _ = recover() }()
				require.ErrorIs(t, other.store.SignIn(r, s, "clark", session.Verify(func() error { return verify(w) })), refused)
			})
			require.Empty(t, other.owner(), what)
			require.Equal(t, "clark", v.owner(), "and nobody loses a place to them")
		}
	})

	t.Run("19: a revocation that takes longer than the grace window ends a sign-in all the same", func(t *testing.T) {
		slow := &slowly{Backend: b, removing: make(chan bool)}
		v := begin(t, slow, session.Options{Grace: time.Second})
		revoked := make(chan error)
		res := v.ask("POST", func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.NoError(t, v.store.SignIn(r, s, "clark"))
			go func() {
				_, err := open(t, slow, session.Options{Grace: time.Second}).store.RevokeOwner(t.Context(), name, "clark")
				revoked <- err
			}()
			<-slow.removing
			time.Sleep(1200 * time.Millisecond) // the entry is still there
		})
		require.Equal(t, http.StatusConflict, res.StatusCode)
		slow.removing <- true
		if err := <-revoked; err != nil {
			require.ErrorIs(t, err, session.ErrUnavailable)
			_, err = v.store.RevokeOwner(t.Context(), name, "clark")
			require.NoError(t, err)
		}
		require.Empty(t, v.owner())
		require.Empty(t, v.listed("clark"))
	})

	t.Run("19: a sign-in that could not be saved is not listed, and its entry is dropped after a while", func(t *testing.T) {
		broken := &failing{Backend: b}
		v := begin(t, broken, session.Options{OnEvent: quiet})
		broken.swaps.Store(true)
		require.Equal(t, http.StatusServiceUnavailable, v.signIn("clark").StatusCode)
		broken.swaps.Store(false)
		require.Empty(t, v.listed("clark"))
		require.Len(t, broken.entries(), 1, "it may be about to be saved")
		later := open(t, broken, session.Options{Lifetime: 720*time.Hour + 2*time.Minute}) // so the entry looks two minutes old
		require.Empty(t, later.listed("clark"))
		require.Empty(t, broken.entries())
	})

	t.Run("19: a session that has ended leaves the index", func(t *testing.T) {
		for what, end := range map[string]func(v *visitor) error{
			"SignOut": func(v *visitor) error { destroy(v); return nil },
			"Revoke":  func(v *visitor) error { _, err := v.store.Revoke(t.Context(), name, v.info().ID); return err },
			"RevokeOwned": func(v *visitor) error {
				_, err := v.store.RevokeOwned(t.Context(), name, "clark", v.info().ID)
				return err
			},
			"RevokeOwner": func(v *visitor) error { _, err := v.store.RevokeOwner(t.Context(), name, "clark"); return err },
			"another":     func(v *visitor) error { v.signIn("bruce"); return nil },
		} {
			noted := &failing{Backend: b}
			v := begin(t, noted, session.Options{})
			v.signIn("clark")
			owner := noted.owner
			require.Len(t, noted.entries(), 1)
			require.NoError(t, end(v))
			noted.owner = owner
			require.Empty(t, noted.entries(), what)
		}
	})

	t.Run("19: the owner of a session is found under every secret", func(t *testing.T) {
		before := begin(t, b, session.Options{}, oldSecret)
		during := open(t, b, session.Options{}, newSecret, oldSecret)
		after := open(t, b, session.Options{}, newSecret)
		before.signIn("clark")
		require.Len(t, during.listed("clark"), 1)
		during.signIn("clark")
		require.Len(t, during.listed("clark"), 2)
		_, err := before.store.RevokeOwner(t.Context(), name, "clark") // by a process that has not restarted yet
		require.NoError(t, err)
		require.Empty(t, during.owner())
		require.Empty(t, during.listed("clark"))

		before.cookie = ""
		before.signIn("clark")
		require.Empty(t, after.listed("clark"))
		require.Equal(t, "clark", before.at(during).owner(), "it is sealed again")
		require.Len(t, after.listed("clark"), 1)
		_, err = after.store.RevokeOwner(t.Context(), name, "clark")
		require.NoError(t, err)
		require.Empty(t, before.at(after).owner())
	})

	t.Run("19: Fresh compares with the time of the sign-in", func(t *testing.T) {
		v := begin(t, b, session.Options{IdleTimeout: 2 * time.Second})
		fresh := func(within time.Duration) (fresh bool) {
			v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) { fresh = v.store.Fresh(r, s, within) })
			return fresh
		}
		require.False(t, fresh(time.Hour))
		v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.NoError(t, v.store.SignIn(r, s, "clark"))
			require.True(t, v.store.Fresh(r, s, time.Second))
			require.NoError(t, v.store.Destroy(r, s))
			require.False(t, v.store.Fresh(r, s, time.Second))
			require.NoError(t, v.store.SignIn(r, s, "clark"))
		})
		require.True(t, fresh(time.Second))
		time.Sleep(1200 * time.Millisecond)
		for range 3 { // writing, renewing and touching make it no younger
			require.False(t, fresh(1100*time.Millisecond))
			require.True(t, fresh(10*time.Second))
			v.set("n", time.Now())
			renew(v)
		}
		v.signIn("clark")
		require.True(t, fresh(time.Second))
	})

	t.Run("19: a session is kept as long as its owner wanted", func(t *testing.T) {
		v := begin(t, b, session.Options{})
		maxAge := func(res *http.Response) float64 { return float64(res.Cookies()[0].MaxAge) }
		require.InDelta(t, 3600, maxAge(v.signIn("clark", session.KeepFor(time.Hour))), 1)
		require.InDelta(t, 3600, maxAge(renew(v)), 1)
		require.InDelta(t, 720*3600, maxAge(v.signIn("clark", session.KeepFor(10_000*time.Hour))), 1, "within the store's bounds")
		require.Zero(t, v.signIn("clark", session.UntilBrowserCloses()).Cookies()[0].MaxAge)
		require.Zero(t, renew(v).Cookies()[0].MaxAge)
		require.Zero(t, v.signIn("clark", session.Note("phone")).Cookies()[0].MaxAge, "signing in again says nothing else")
		require.InDelta(t, 3600, maxAge(v.signIn("clark", session.KeepFor(time.Hour))), 1)
		require.InDelta(t, 3600, maxAge(v.signIn("clark")), 1)
		require.Equal(t, "phone", v.info().Note)
		require.InDelta(t, 720*3600, maxAge(v.signIn("bruce")), 1, "another owner has wanted nothing")
		require.Empty(t, v.info().Note)
		v.signIn("clark", session.KeepFor(time.Second))
		time.Sleep(1200 * time.Millisecond)
		require.Empty(t, v.owner())
		require.Empty(t, v.listed("clark"))
	})

	t.Run("19: a page costs one round trip, and a sign-in two more than a change", func(t *testing.T) {
		counted := &counting{Backend: b}
		v := begin(t, counted, session.Options{})
		require.Equal(t, http.StatusOK, v.signIn("clark").StatusCode)
		require.Equal(t, "2 added, 0 loads, 1 swaps", counted.all(), "without a session before")
		v.visit(look)
		require.Equal(t, "0 added, 1 loads, 0 swaps", counted.all(), "a page, as before")
		v.signIn("clark")
		require.Equal(t, "2 added, 1 loads, 1 swaps", counted.all())
	})
}

// limits tests how many sessions an owner can have.
func limits(t *testing.T, b session.Backend) {
	t.Run("20: signing in once too often ends the oldest session", func(t *testing.T) {
		var all []*visitor
		require.NoError(t, b.Clear(t.Context()))
		options := session.Options{MaxPerOwner: 3}
		signedIn := func() (n int) {
			for _, v := range all {
				if v.owner() != "" {
					n++
				}
			}
			return n
		}
		for i := range 5 {
			v := open(t, b, options)
			require.Equal(t, http.StatusOK, v.signIn("clark").StatusCode)
			all = append(all, v)
			require.Equal(t, min(i+1, 3), signedIn())
		}
		require.Empty(t, all[1].owner(), "the oldest have ended")
		require.Equal(t, "clark", all[2].owner())
		require.Equal(t, http.StatusOK, all[2].signIn("clark").StatusCode, "signing in again in one of them ends none")
		require.Equal(t, 3, signedIn())
		destroy(all[4])
		v := open(t, b, options)
		v.signIn("clark")
		all = append(all, v)
		require.Equal(t, 3, signedIn(), "one that was signed out makes room")
		require.Len(t, v.listed("clark"), 3)
		_, err := v.store.Each(t.Context(), name, func(session.Entry) error { return nil })
		require.NoError(t, err)
		_, err = v.store.RevokeOwner(t.Context(), name, "clark")
		require.NoError(t, err)
		require.Zero(t, signedIn())
		require.Equal(t, http.StatusOK, v.signIn("clark").StatusCode)
	})

	t.Run("20: with KeepOldest, one sign-in too many is refused", func(t *testing.T) {
		require.NoError(t, b.Clear(t.Context()))
		options := session.Options{MaxPerOwner: 2, KeepOldest: true}
		one, two, three := open(t, b, session.Options{}), open(t, b, options), open(t, b, options)
		one.signIn("clark") // before there was a limit
		two.signIn("clark")
		try := func() (err error) {
			three.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
				err = three.store.SignIn(r, s, "clark")
			})
			return err
		}
		require.ErrorIs(t, try(), session.ErrTooMany)
		require.Empty(t, three.cookie)
		require.Len(t, three.listed("clark"), 2)
		require.Equal(t, http.StatusOK, two.signIn("clark").StatusCode, "signing in again is not")
		destroy(one)
		require.NoError(t, try())
		require.Equal(t, "clark", three.owner())

		require.NoError(t, b.Clear(t.Context()))
		broken := &failing{Backend: b}
		broken.swaps.Store(true)
		require.Equal(t, http.StatusServiceUnavailable, open(t, broken, session.Options{OnEvent: quiet}).signIn("clark").StatusCode)
		only := open(t, b, session.Options{MaxPerOwner: 1, KeepOldest: true})
		require.Equal(t, http.StatusOK, only.signIn("clark").StatusCode)
		require.Equal(t, "clark", only.owner(), "a sign-in that failed before there was a limit does not count")

		require.NoError(t, b.Clear(t.Context()))
		two.cookie, three.cookie = "", ""
		two.signIn("clark")
		three.signIn("clark")
		fewer := three.at(open(t, b, session.Options{MaxPerOwner: 1, KeepOldest: true}))
		require.Equal(t, http.StatusOK, fewer.signIn("clark").StatusCode, "even if there are too many by now")
		require.Len(t, fewer.listed("clark"), 2)
	})

	t.Run("20: a sign-in counts before it is saved", func(t *testing.T) {
		for _, keep := range []bool{false, true} {
			one, two := begin(t, b, session.Options{MaxPerOwner: 1, KeepOldest: keep}), open(t, b, session.Options{MaxPerOwner: 1, KeepOldest: keep})
			res := one.ask("POST", func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
				require.NoError(t, one.store.SignIn(r, s, "clark"))
				two.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
					err := two.store.SignIn(r, s, "clark")
					require.Equal(t, keep, errors.Is(err, session.ErrTooMany))
				})
			})
			require.Equal(t, keep, res.StatusCode == http.StatusOK)
			require.Len(t, two.listed("clark"), 1)
			require.Equal(t, keep, one.owner() != "")
		}
	})

	t.Run("20: a sign-in that is refused changes nothing", func(t *testing.T) {
		for _, status := range []int{200, 403, 409} {
			full := begin(t, b, session.Options{})
			full.signIn("clark")
			for _, owner := range []string{"", "bruce"} {
				v := open(t, b, session.Options{MaxPerOwner: 1, KeepOldest: true})
				v.set("cart", "cape")
				if owner != "" {
					require.Equal(t, http.StatusOK, v.signIn(owner).StatusCode)
				}
				res := v.ask("POST", func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
					require.ErrorIs(t, v.store.SignIn(r, s, "clark"), session.ErrTooMany)
					require.Equal(t, owner, v.store.Owner(r, s))
					w.WriteHeader(status)
				})
				require.Equal(t, status, res.StatusCode)
				require.Equal(t, owner, v.owner())
				require.Equal(t, session.View{"cart": "cape"}, v.values())
				require.NoError(t, b.Clear(t.Context()))
				full.cookie = ""
				full.signIn("clark")
			}
		}
	})

	t.Run("20: ending a session does not make room for two", func(t *testing.T) {
		v := begin(t, b, session.Options{MaxPerOwner: 1, KeepOldest: true})
		v.signIn("clark")
		again := func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.NoError(t, v.store.Destroy(r, s))
			_ = v.store.SignIn(r, s, "clark")
		}
		during(v, "POST", func(o *visitor) { o.ask("POST", again) }, again)
		require.LessOrEqual(t, len(v.listed("clark")), 1)
		require.LessOrEqual(t, count(t, v.store), 1)
	})

	t.Run("20: sessions count under every secret", func(t *testing.T) {
		options := session.Options{MaxPerOwner: 1}
		one, two, three := begin(t, b, options, oldSecret, newSecret), open(t, b, options, newSecret, oldSecret), open(t, b, options, newSecret)
		one.signIn("clark")
		two.signIn("clark")
		require.Len(t, two.listed("clark"), 1)
		three.signIn("clark")
		require.Equal(t, "clark", three.owner())
		require.Empty(t, two.owner())
	})

	for _, keep := range []bool{false, true} {
		t.Run(fmt.Sprintf("20: of 50 sign-ins at once three are left (the oldest: %t)", keep), func(t *testing.T) {
			for range max(1, rounds()/25) {
				require.NoError(t, b.Clear(t.Context()))
				options := session.Options{MaxPerOwner: 3, KeepOldest: keep, OnEvent: quiet}
				stores := []*visitor{open(t, b, options), open(t, b, options)}
				all := make([]*visitor, 50)
				var wait sync.WaitGroup
				var acked atomic.Int32
				for i := range all {
					all[i] = stores[i%2].at(stores[i%2])
					wait.Go(func() {
						res := all[i].ask("POST", func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
							if err := all[i].store.SignIn(r, s, "clark"); err != nil {
								w.WriteHeader(session.Status(w.Header(), err))
							}
						})
						if res.StatusCode == http.StatusOK {
							acked.Add(1)
						}
					})
				}
				wait.Wait()
				n := 0
				for _, v := range all {
					if v.owner() != "" {
						n++
					}
				}
				require.Equal(t, min(3, int(acked.Load())), n)
				require.Len(t, all[0].listed("clark"), n)
				require.Equal(t, n, count(t, all[0].store))
				if keep {
					require.Equal(t, n, int(acked.Load()), "none of those that succeeded was ended")
				}
			}
		})
	}
}

// begin returns a visitor without a session, on an empty backend.
func begin(t *testing.T, b session.Backend, options session.Options, secrets ...[]byte) *visitor {
	t.Helper()
	require.NoError(t, b.Clear(t.Context()))
	return open(t, b, options, secrets...)
}

func (v *visitor) signIn(owner string, options ...session.SignInOption) *http.Response {
	return v.ask("POST", func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
		_ = v.store.SignIn(r, s, owner, options...)
	})
}

func (v *visitor) info() (info session.Info) {
	v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) { info = v.store.Info(r, s) })
	return info
}

func (v *visitor) owner() (owner string) {
	v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) { owner = v.store.Owner(r, s) })
	return owner
}

// listed returns the IDs of an owner's sessions.
func (v *visitor) listed(owner string) (ids []string) {
	v.t.Helper()
	list, err := v.store.Sessions(v.t.Context(), name, owner)
	require.NoError(v.t, err)
	for _, e := range list {
		ids = append(ids, e.ID)
	}
	return ids
}

// failing is a backend that fails to swap or to confirm on demand, and notes the entries of its index.
type failing struct {
	session.Backend
	swaps atomic.Bool
	mu    sync.Mutex
	owner session.OwnerHash
}

func (f *failing) Swap(ctx context.Context, id session.ID, old, next []byte, ttl time.Duration) (bool, error) {
	if f.swaps.Load() {
		return false, errors.New("the server is gone")
	}
	return f.Backend.Swap(ctx, id, old, next, ttl)
}

func (f *failing) AddOwned(ctx context.Context, owner session.OwnerHash, id session.ID, ttl time.Duration) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.owner = owner
	return f.Backend.AddOwned(ctx, owner, id, ttl)
}

// entries returns those of the owner who signed in last.
func (f *failing) entries() []session.Owned {
	list, _, _ := f.Owned(context.Background(), f.owner)
	return list
}

// slowly is a backend whose first removal from the index waits until the test lets it continue.
type slowly struct {
	session.Backend
	removing chan bool
	once     sync.Once
}

func (s *slowly) RemoveOwned(ctx context.Context, owner session.OwnerHash, id session.ID, expires time.Time) error {
	s.once.Do(func() {
		s.removing <- true
		<-s.removing
	})
	return s.Backend.RemoveOwned(context.WithoutCancel(ctx), owner, id, expires)
}

// lateness is a backend that carries out changes once more, later.
type lateness struct {
	session.Backend
	record  atomic.Bool
	changes []func(session.Backend) error
}

func (l *lateness) Swap(ctx context.Context, id session.ID, old, next []byte, ttl time.Duration) (bool, error) {
	if l.record.Load() {
		l.changes = append(l.changes, func(b session.Backend) error {
			_, err := b.Swap(context.Background(), id, old, next, ttl)
			return err
		})
	}
	return l.Backend.Swap(ctx, id, old, next, ttl)
}

func (l *lateness) Put(ctx context.Context, id session.ID, next []byte, ttl time.Duration) error {
	if l.record.Load() {
		l.changes = append(l.changes, func(b session.Backend) error { return b.Put(context.Background(), id, next, ttl) })
	}
	return l.Backend.Put(ctx, id, next, ttl)
}

func (l *lateness) repeat(t *testing.T) {
	require.NotEmpty(t, l.changes)
	for _, change := range l.changes {
		require.NoError(t, change(l.Backend))
	}
}

// revoked tests sessions in cookies whose ends the backend remembers.
func revoked(t *testing.T, b session.Backend) {
	cookies := func(t *testing.T, options session.Options, secrets ...[]byte) *visitor {
		t.Helper()
		if secrets == nil {
			secrets = [][]byte{newSecret}
		}
		options.Revoked = b
		store, err := session.New(secrets, options)
		require.NoError(t, err)
		return &visitor{t: t, store: store}
	}
	ended := func(t *testing.T, v visitor) {
		t.Helper()
		require.Empty(t, v.values())
		require.Empty(t, v.owner())
	}

	t.Run("21: a copy of a cookie ends with the session", func(t *testing.T) {
		for what, end := range map[string]func(v *visitor){
			"Destroy": func(v *visitor) { destroy(v) },
			"Renew":   func(v *visitor) { renew(v) },
			"SignIn":  func(v *visitor) { v.signIn("clark") },
			"emptying": func(v *visitor) {
				v.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) { clear(s.Values) })
			},
			"MaxAge": func(v *visitor) {
				v.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) { s.Options.MaxAge = -1 })
			},
			"Revoke": func(v *visitor) {
				_, err := v.store.Revoke(t.Context(), name, v.info().ID)
				require.NoError(t, err)
			},
		} {
			v := cookies(t, session.Options{})
			v.set("cart", "cape")
			copied := *v
			require.Equal(t, session.View{"cart": "cape"}, copied.values())
			end(v)
			ended(t, copied)
			if what == "Renew" || what == "SignIn" {
				require.Equal(t, session.View{"cart": "cape"}, v.values(), what)
				again := *v
				renew(v)
				ended(t, again)
				require.Equal(t, session.View{"cart": "cape"}, v.values(), what)
			}
		}
	})

	t.Run("21: an old copy of a cookie cannot sign the visitor out", func(t *testing.T) {
		v := cookies(t, session.Options{Grace: time.Second})
		v.set("cart", "cape")
		thief, victim := *v, *v
		during(&thief, "POST", func(*visitor) { victim.signIn("clark") }, func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.NoError(t, v.store.Destroy(r, s)) // read before the visitor signed in
		})
		require.Equal(t, "clark", victim.owner())
		for range 2 {
			thief.cookie = v.cookie
			destroy(&thief)
			require.Equal(t, "clark", victim.owner())
			time.Sleep(1100 * time.Millisecond)
		}
	})

	t.Run("21: what has ended stays so as long as any copy lives", func(t *testing.T) {
		v := cookies(t, session.Options{})
		v.signIn("clark")
		id, err := hex.DecodeString(v.info().ID)
		require.NoError(t, err)
		v.signIn("clark", session.KeepFor(time.Minute))
		destroy(v)
		record, expires, now, err := b.Load(t.Context(), session.ID(id))
		require.NoError(t, err)
		require.NotNil(t, record)
		require.Greater(t, expires.Sub(now), 720*time.Hour)
	})

	t.Run("21: a session that has ended ends no others, and does not come back", func(t *testing.T) {
		thief, victim := cookies(t, session.Options{}), cookies(t, session.Options{})
		thief.signIn("clark")
		res := during(thief, "POST", func(o *visitor) {
			_, err := o.store.RevokeOwner(t.Context(), name, "clark")
			require.NoError(t, err)
			victim.signIn("clark")
		}, func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			_, err := thief.store.RevokeOthers(r, s)
			require.ErrorIs(t, err, session.ErrConflict)
		})
		require.Empty(t, res.Cookies())
		require.Empty(t, thief.owner())
		require.Equal(t, "clark", victim.owner())
	})

	t.Run("21: a session that was renewed or has ended ends no others", func(t *testing.T) {
		for what, end := range map[string]func(v *visitor){
			"renewed":         func(v *visitor) { renew(v) },
			"signed in again": func(v *visitor) { v.signIn("clark") },
			"ended":           func(v *visitor) { destroy(v) },
			"revoked":         func(v *visitor) { _, _ = v.store.Revoke(t.Context(), name, v.info().ID) },
		} {
			thief, victim := cookies(t, session.Options{}), cookies(t, session.Options{})
			thief.signIn("clark")
			victim.signIn("clark")
			var newer visitor
			during(thief, "POST", func(o *visitor) { end(o); newer = *o }, func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
				_, err := thief.store.RevokeOthers(r, s)
				require.ErrorIs(t, err, session.ErrConflict, what)
			})
			require.Equal(t, "clark", victim.owner(), what)
			require.Equal(t, what == "renewed" || what == "signed in again", newer.owner() == "clark", what)
		}
	})

	t.Run("21: a revocation that arrives late undoes no later one", func(t *testing.T) {
		late := &lateness{Backend: b}
		old := cookies(t, session.Options{})
		store, err := session.New([][]byte{newSecret}, session.Options{Revoked: late})
		require.NoError(t, err)
		late.record.Store(true)
		_, err = store.RevokeOwner(t.Context(), name, "clark")
		require.NoError(t, err)
		late.record.Store(false)
		old.signIn("clark")
		_, err = store.RevokeOwner(t.Context(), name, "clark")
		require.NoError(t, err)
		current := cookies(t, session.Options{})
		current.signIn("clark")
		late.repeat(t)
		ended(t, *old)
		require.Equal(t, "clark", current.owner())
	})

	t.Run("21: while the others end, other pages of this browser touch no cookie", func(t *testing.T) {
		v := cookies(t, session.Options{})
		v.signIn("clark")
		page := *v
		v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			_, err := v.store.RevokeOthers(r, s)
			require.NoError(t, err)
			res := page.visit(setting("authenticity_token", "x"))
			require.Equal(t, http.StatusOK, res.StatusCode)
			require.Empty(t, res.Cookies())
		})
		require.Equal(t, "clark", v.owner())
	})

	t.Run("21: signing out is refused if the session was renewed meanwhile", func(t *testing.T) {
		v := cookies(t, session.Options{})
		v.set("cart", "cape")
		ending := func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.NoError(t, v.store.Destroy(r, s))
		}
		require.Equal(t, http.StatusConflict, during(v, "POST", func(o *visitor) { renew(o) }, ending).StatusCode)
		v.cookie = ""
		v.set("cart", "cape")
		before := *v
		renew(v)
		require.Equal(t, http.StatusConflict, before.ask("POST", ending).StatusCode)
		require.NotEmpty(t, v.values())
		v.cookie = ""
		v.set("cart", "cape")
		require.Equal(t, http.StatusOK, during(v, "POST", func(o *visitor) { destroy(o) }, ending).StatusCode, "but not if it has ended")
	})

	t.Run("21: a cookie that was replaced is not brought back", func(t *testing.T) {
		v := cookies(t, session.Options{})
		v.set("cart", "cape")
		old := *v
		var inner visitor
		res := during(v, "POST", func(o *visitor) { renew(o); inner = *o }, setting("mine", 1))
		require.Equal(t, http.StatusConflict, res.StatusCode, "a change that would bring the old cookie back")
		require.Empty(t, res.Cookies())
		require.Equal(t, session.View{"cart": "cape"}, inner.values())

		res = old.ask("POST", setting("evil", true))
		require.Equal(t, http.StatusConflict, res.StatusCode, "within the grace window")
		require.Empty(t, res.Cookies())

		w := cookies(t, session.Options{})
		w.set("cart", "cape")
		res = during(w, "POST", func(o *visitor) { o.signIn("clark"); inner = *o }, func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.NoError(t, w.store.SignIn(r, s, "clark"))
		})
		require.Equal(t, http.StatusOK, res.StatusCode, "a double-clicked sign-in")
		require.Equal(t, "clark", w.owner())
		require.Equal(t, "clark", inner.owner(), "in either of its two responses")
	})

	t.Run("21: an owner's cookies end together, except for one", func(t *testing.T) {
		one, two, other := cookies(t, session.Options{}), cookies(t, session.Options{}), cookies(t, session.Options{})
		one.signIn("clark")
		two.signIn("clark")
		other.signIn("bruce")
		copied := *one
		one.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			_, err := one.store.RevokeOthers(r, s)
			require.NoError(t, err)
		})
		require.Equal(t, "clark", one.owner())
		ended(t, *two)
		ended(t, copied)
		two.signIn("clark")
		require.Equal(t, "clark", two.owner())
		_, err := one.store.RevokeOwner(t.Context(), name, "clark")
		require.NoError(t, err)
		ended(t, *one)
		ended(t, *two)
		require.Equal(t, "bruce", other.owner())
		one.signIn("clark")
		require.Equal(t, "clark", one.owner())

		res := two.ask("POST", func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.NoError(t, two.store.SignIn(r, s, "clark"))
			_, err := two.store.RevokeOwner(t.Context(), name, "clark")
			require.NoError(t, err)
		})
		require.Equal(t, http.StatusOK, res.StatusCode)
		ended(t, *two)

		list, err := one.store.Sessions(t.Context(), name, "clark")
		require.ErrorIs(t, err, session.ErrNoBackend)
		require.Empty(t, list)
	})

	t.Run("21: an owner's cookies end under every secret", func(t *testing.T) {
		before, between, after := cookies(t, session.Options{}, oldSecret), cookies(t, session.Options{}, newSecret, oldSecret), cookies(t, session.Options{}, newSecret)
		before.signIn("clark")
		between.signIn("clark")
		_, err := between.store.RevokeOwner(t.Context(), name, "clark")
		require.NoError(t, err)
		ended(t, *before)
		ended(t, *between)
		for _, secrets := range [][][]byte{{newSecret, oldSecret}, {oldSecret, newSecret}} { // the steps of a rotation
			between := cookies(t, session.Options{}, secrets...)
			_, err = between.store.RevokeOwner(t.Context(), name, "clark")
			require.NoError(t, err)
			before.signIn("clark")
			between.signIn("clark")
			require.Equal(t, "clark", before.owner())
			require.Equal(t, "clark", between.owner())
			_, err = before.store.RevokeOwner(t.Context(), name, "clark") // by a process that has not restarted yet
			require.NoError(t, err)
			ended(t, *before)
			ended(t, *between)
			between.signIn("clark")
			require.Equal(t, "clark", between.owner())
			renew(between)
			require.Equal(t, "clark", between.at(before).owner()+between.at(after).owner(), "the other secret is gone, or was not there yet")
		}

		before.signIn("bruce")
		_, err = before.store.RevokeOwner(t.Context(), name, "bruce")
		require.NoError(t, err)
		before.signIn("bruce")
		moved := before.at(between)
		renew(moved)
		old := *moved
		renew(moved)
		require.Equal(t, "bruce", moved.at(after).owner(), "the old secret is gone, and what it hashed")
		ended(t, *old.at(after))
	})

	t.Run("21: a page costs one round trip, or two if somebody is signed in", func(t *testing.T) {
		counted := &counting{Backend: b}
		store, err := session.New([][]byte{newSecret}, session.Options{Revoked: counted})
		require.NoError(t, err)
		v := &visitor{t: t, store: store}
		v.visit(look)
		v.set("cart", "cape")
		require.Equal(t, "0 added, 0 loads, 0 swaps", counted.all(), "a visitor without a session")
		v.visit(look)
		require.Equal(t, "0 added, 1 loads, 0 swaps", counted.all())
		v.signIn("clark")
		require.Equal(t, "0 added, 2 loads, 1 swaps", counted.all())
		v.visit(look)
		require.Equal(t, "0 added, 2 loads, 0 swaps", counted.all())
	})

	t.Run("21: while nobody knows what was ended, nobody gets in", func(t *testing.T) {
		memory := &Memory{}
		store, err := session.New([][]byte{newSecret}, session.Options{Revoked: memory, OnEvent: quiet})
		require.NoError(t, err)
		v := &visitor{t: t, store: store}
		v.signIn("clark")
		memory.SetDown(true)
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		r.Header.Set("Cookie", name+"="+v.cookie)
		store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, err := store.Get(r, name)
			require.ErrorIs(t, err, session.ErrUnavailable)
			require.Empty(t, store.Owner(r, s))
		}), nil).ServeHTTP(w, r)
		require.Equal(t, http.StatusServiceUnavailable, w.Code)
		require.Empty(t, w.Result().Cookies())
		require.ErrorIs(t, store.Ping(t.Context()), session.ErrUnavailable)
		_, err = store.RevokeOwner(t.Context(), name, "clark")
		require.ErrorIs(t, err, session.ErrUnavailable)
	})
}
