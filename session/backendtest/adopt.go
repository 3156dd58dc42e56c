package backendtest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"heroes/session"

	"github.com/gorilla/sessions"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// other is the name of another system's cookie.
const other = "other"

// A readable is another system: its cookies contain who is signed in, after "valid-".
type readable struct {
	left   time.Duration // how long it still accepts them
	values map[string]any
	err    error
}

func (r readable) ReadCookie(_ context.Context, name, value string) (session.Contents, error) {
	user, ok := strings.CutPrefix(value, "valid-")
	if !ok || name != other {
		return session.Contents{}, errors.Join(errors.New("refused"), r.err)
	}
	values := map[string]any{"user": user}
	if user == "" {
		clear(values)
	}
	for key, value := range r.values {
		values[key] = value
	}
	return session.Contents{Values: values, Left: r.left}, r.err
}

func from(r session.Reader) []session.Source {
	return []session.Source{{Session: name, Cookie: other, Reader: r}}
}

// A mover is a browser that comes from another system: it has a cookie of that system, and perhaps
// of this one.
type mover struct {
	*visitor
	other string
}

func move(t *testing.T, b session.Backend, options session.Options, secrets ...[]byte) *mover {
	t.Helper()
	if options.Adopt == nil {
		options.Adopt = from(readable{left: time.Hour})
	}
	if options.Revoked != nil {
		store, err := session.New([][]byte{newSecret}, options)
		require.NoError(t, err)
		return &mover{&visitor{t: t, store: store}, "valid-clark"}
	}
	return &mover{open(t, b, options, secrets...), "valid-clark"}
}

func (m *mover) ask(method string, handle app) *http.Response {
	m.t.Helper()
	r, w := httptest.NewRequest(method, "/", nil), httptest.NewRecorder()
	for name, value := range map[string]string{name: m.cookie, other: m.other} {
		if value != "" {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
	}
	m.store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := m.store.Get(r, name)
		handle(w, r, s)
	}), nil).ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if c.Name == other {
			assert.Negative(m.t, c.MaxAge, "the other system's cookie is only ever removed")
			m.other = ""
			continue
		}
		m.cookie = c.Value
	}
	return w.Result()
}

func (m *mover) visit(handle app) *http.Response { return m.ask("GET", handle) }

func (m *mover) values() (values session.View) {
	m.t.Helper()
	m.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) { values = session.ViewOf(s) })
	return values
}

// copied returns another browser, with a copy of the other system's cookie alone.
func (m *mover) copied() *mover {
	return &mover{&visitor{t: m.t, store: m.store}, m.other}
}

func cookieNames(res *http.Response) (names []string) {
	for _, c := range res.Cookies() {
		names = append(names, c.Name)
	}
	return names
}

// adoption tests what Options.Adopt promises.
func adoption(t *testing.T, b session.Backend) {
	clark := session.View{"user": "clark"}
	begin := func(t *testing.T, options session.Options) *mover {
		require.NoError(t, b.Clear(t.Context()))
		return move(t, b, options)
	}

	t.Run("22: a visitor of another system receives a session with the same values", func(t *testing.T) {
		var events []session.EventKind
		m := begin(t, session.Options{OnEvent: func(_ context.Context, e session.Event) { events = append(events, e.Kind) }})
		res := m.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.False(t, s.IsNew)
			require.Equal(t, clark, session.ViewOf(s), "in the first page")
			require.False(t, m.store.Info(r, s).New)
		})
		require.Equal(t, []string{name, other}, cookieNames(res))
		require.Contains(t, res.Header["Vary"], "Cookie")
		require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
		require.Empty(t, m.other)
		require.Equal(t, clark, m.values())
		require.Empty(t, m.visit(look).Cookies(), "from then on it is a session like any other")
		require.Equal(t, 1, count(t, m.store))
		require.Equal(t, []session.EventKind{session.Adopted}, events)
	})

	t.Run("22: what the first request changes is saved with it", func(t *testing.T) {
		m := begin(t, session.Options{})
		m.ask("POST", setting("cart", "cape"))
		require.Equal(t, session.View{"user": "clark", "cart": "cape"}, m.values())
		require.Equal(t, 1, count(t, m.store))
	})

	t.Run("22: an existing session is never overwritten", func(t *testing.T) {
		m := begin(t, session.Options{})
		m.other = ""
		m.visit(setting("cart", "cape"))
		m.other = "valid-clark"
		res := m.visit(look)
		require.Equal(t, []string{other}, cookieNames(res), "and the other cookie is removed")
		require.Equal(t, session.View{"cart": "cape"}, m.values())
	})

	t.Run("22: a replaced token is not exchanged for another cookie", func(t *testing.T) {
		m := begin(t, session.Options{})
		m.other = ""
		m.visit(setting("cart", "cape"))
		late := &mover{m.visitor.at(m.visitor), "valid-clark"}
		m.visit(renewing)
		res := late.ask("POST", setting("late", true))
		require.Equal(t, http.StatusConflict, res.StatusCode)
		require.Empty(t, res.Cookies())
		require.Equal(t, 1, count(t, m.store))
	})

	t.Run("22: the source can tell who is signed in", func(t *testing.T) {
		for how, options := range map[string]session.Options{"on a server": {Backend: b}, "in cookies": {Revoked: b}} {
			require.NoError(t, b.Clear(t.Context()))
			options.Grace, options.Adopt = time.Second, from(readable{left: time.Hour})
			options.Adopt[0].Owner = func(values map[string]any) string { return values["user"].(string) }
			store, err := session.New([][]byte{newSecret}, options)
			require.NoError(t, err)
			first, second := &mover{&visitor{t: t, store: store}, "valid-clark"}, &mover{&visitor{t: t, store: store}, "valid-clark"}
			second.other = "valid-bruce"
			for range 2 {
				first.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
					require.Equal(t, "clark", store.Owner(r, s), how)
					require.False(t, store.Fresh(r, s, 24*time.Hour), how)
				})
			}
			if options.Backend != nil {
				require.Len(t, first.listed("clark"), 1)
			}
			for _, owner := range []string{"clark", "bruce"} {
				_, err = store.RevokeOwner(t.Context(), name, owner)
				require.NoError(t, err)
			}
			time.Sleep(1200 * time.Millisecond)
			require.Empty(t, first.owner(), how)
			require.Empty(t, second.values(), "it was not adopted before: %s", how)
		}

		m := begin(t, session.Options{OnEvent: quiet, Adopt: []session.Source{{Session: name, Cookie: other, Reader: readable{left: time.Hour},
			Owner: func(map[string]any) string { return strings.Repeat("x", 256) }}}})
		require.Empty(t, m.visit(look).Cookies(), "no such owner")
	})

	t.Run("22: a cookie that the source refuses is left alone", func(t *testing.T) {
		for why, r := range map[string]readable{"invalid": {left: time.Hour}, "expired": {}, "an error": {left: time.Hour, err: errors.New("no")}} {
			m := begin(t, session.Options{Adopt: from(r)})
			if m.other = "valid-clark"; why == "invalid" {
				m.other = "forged-clark"
			}
			require.Empty(t, m.visit(look).Cookies(), why)
			require.Empty(t, m.values(), why)
			require.Len(t, m.visit(setting("cart", "cape")).Cookies(), 1, why)
			require.Empty(t, m.visit(look).Cookies(), why)
		}
	})

	t.Run("22: a cookie without values is no session", func(t *testing.T) {
		for _, values := range []map[string]any{{}, {"_flash_": []byte("{}")}} {
			m := begin(t, session.Options{Adopt: from(readable{left: time.Hour, values: values})})
			m.other = "valid-"
			require.Empty(t, m.visit(look).Cookies())
			require.Zero(t, records(t, b))
		}
	})

	t.Run("22: a failed response changes nothing, and the next one adopts", func(t *testing.T) {
		m := begin(t, session.Options{})
		res := m.visit(func(w http.ResponseWriter, _ *http.Request, _ *sessions.Session) {
			w.WriteHeader(http.StatusBadGateway)
		})
		require.Empty(t, res.Cookies())
		require.Zero(t, count(t, m.store))
		require.Equal(t, clark, m.values())
	})

	t.Run("22: copies of the other cookie lead to the one session", func(t *testing.T) {
		m := begin(t, session.Options{})
		first := m.copied()
		first.visit(look)
		require.Equal(t, []string{name, other}, cookieNames(m.visit(setting("cart", "cape"))), "as if the first response had been lost")
		require.Equal(t, session.View{"user": "clark", "cart": "cape"}, first.values())
		require.Equal(t, first.cookie, m.cookie)
		require.Equal(t, 1, count(t, m.store))
	})

	t.Run("22: overlapping requests with the other cookie keep each other's changes", func(t *testing.T) {
		m := begin(t, session.Options{})
		second := m.copied()
		m.ask("POST", func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			second.ask("POST", setting("second", 2))
			s.Values["first"] = 1
		})
		for _, v := range []*mover{m, second} {
			require.Equal(t, session.View{"user": "clark", "first": 1, "second": 2}, v.values())
		}
		require.Equal(t, 1, count(t, m.store))
	})

	t.Run("22: a page that finds the session renewed by another request touches no cookie", func(t *testing.T) {
		for _, before := range []bool{true, false} {
			m := begin(t, session.Options{})
			if before {
				m.copied().visit(look)
			}
			second := m.copied()
			res := m.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) { second.visit(renewing) })
			require.Equal(t, http.StatusOK, res.StatusCode)
			require.Empty(t, res.Cookies(), "the one that the renewal has set must stay")
			require.Equal(t, clark, second.values())
		}
	})

	t.Run("22: the cookie of a session that was renewed or ended is not adopted again", func(t *testing.T) {
		notAgain(t, b, session.Options{Grace: time.Second})
	})
	t.Run("22: nor if the sessions are in cookies, and the backend remembers which have ended", func(t *testing.T) {
		notAgain(t, b, session.Options{Grace: time.Second, Revoked: b})
	})

	t.Run("22: a session that was not used for too long is not adopted again", func(t *testing.T) {
		m := begin(t, session.Options{IdleTimeout: time.Second})
		thief := m.copied()
		m.visit(look)
		time.Sleep(1200 * time.Millisecond)
		require.Empty(t, m.values())
		require.Empty(t, thief.values())
		require.Zero(t, count(t, m.store), "nor listed")
	})

	t.Run("22: processes with another order of secrets adopt the same session", func(t *testing.T) {
		require.NoError(t, b.Clear(t.Context()))
		rotated := move(t, b, session.Options{}, newSecret, oldSecret)
		behind := move(t, b, session.Options{}, oldSecret, newSecret)
		rotated.ask("POST", func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			behind.ask("POST", setting("behind", 1))
			s.Values["rotated"] = 2
		})
		for _, v := range []*mover{rotated, behind} {
			require.Equal(t, session.View{"user": "clark", "behind": 1, "rotated": 2}, v.values())
		}
		require.Equal(t, 1, count(t, behind.store))
		behind.visit(destroying)
		require.Empty(t, rotated.copied().values())

		m := begin(t, session.Options{})
		rotated, behind = move(t, b, session.Options{}, newSecret, oldSecret), move(t, b, session.Options{}, oldSecret, newSecret)
		res := rotated.ask("POST", func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			behind.ask("POST", setting("behind", 1))
			renewing(w, r, s)
		})
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.Equal(t, session.View{"user": "clark", "behind": 1}, rotated.values())
		require.Empty(t, behind.values())
		require.Equal(t, 1, count(t, m.store))
	})

	t.Run("22: values that cannot be stored are reported, and the cookie is left alone", func(t *testing.T) {
		var lost error
		m := begin(t, session.Options{
			Adopt: from(readable{left: time.Hour, values: map[string]any{"hero": struct{}{}}}),
			OnEvent: func(_ context.Context, e session.Event) {
				if lost = e.Err; e.Kind != session.NotAdopted {
					lost = nil
				}
			},
		})
		res := m.visit(look)
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.Empty(t, res.Cookies())
		require.ErrorContains(t, lost, `"hero"`)
		require.NotContains(t, lost.Error(), "clark")
	})

	t.Run("22: while the other system's server cannot be reached, the answer is 503", func(t *testing.T) {
		m := begin(t, session.Options{OnEvent: quiet, Adopt: from(readable{err: session.ErrUnavailable})})
		res := m.visit(look)
		require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
		require.Empty(t, res.Cookies())
	})

	t.Run("22: sessions move from cookies to a server, with their owner and what is left of their lifetime", func(t *testing.T) {
		require.NoError(t, b.Clear(t.Context()))
		options := session.Options{Lifetime: 4 * time.Second}
		cookies, err := session.New([][]byte{oldSecret}, options)
		require.NoError(t, err)
		old := &visitor{t: t, store: cookies}
		old.set("cart", "cape")
		old.signIn("clark", session.Note("phone"), session.UntilBrowserCloses())
		info := old.info()
		time.Sleep(1100 * time.Millisecond)

		options.Adopt = []session.Source{{Session: name, Reader: cookies}} // the same name
		options.Grace = time.Second
		v := open(t, b, options)
		v.cookie = old.cookie
		res := v.visit(look)
		require.Len(t, res.Cookies(), 1)
		require.Zero(t, res.Cookies()[0].MaxAge, "until the browser closes")
		require.Len(t, v.cookie, 64, "a token")
		require.Equal(t, session.View{"cart": "cape"}, v.values())
		now := v.info()
		require.Equal(t, []string{"clark", "phone"}, []string{now.Owner, now.Note})
		require.WithinDuration(t, info.Created, now.Created, time.Millisecond)
		require.WithinDuration(t, info.Authenticated, now.Authenticated, 100*time.Millisecond)
		require.Less(t, now.LifetimeLeft, 3*time.Second)
		require.Equal(t, []string{now.ID}, v.listed("clark"))

		n, err := v.store.RevokeOwner(t.Context(), name, "clark")
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Empty(t, v.values())
		time.Sleep(1200 * time.Millisecond)
		v.cookie = old.cookie
		require.Empty(t, v.values())
	})

	t.Run("22: a session that moves lasts no longer than it may here", func(t *testing.T) {
		cookies, err := session.New([][]byte{oldSecret}, session.Options{IdleTimeout: time.Minute})
		require.NoError(t, err)
		old := &visitor{t: t, store: cookies}
		old.set("cart", "cape")
		found, err := cookies.ReadCookie(t.Context(), name, old.cookie)
		require.NoError(t, err)
		require.LessOrEqual(t, found.Left, time.Minute)
		v := open(t, b, session.Options{Lifetime: time.Hour, Adopt: []session.Source{{Session: name, Reader: cookies}}})
		v.cookie = old.cookie
		v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.LessOrEqual(t, v.store.Info(r, s).LifetimeLeft, time.Hour)
		})
	})

	// signedIn returns the cookie of a session that clark has signed in to, in another Store.
	cookies, err := session.New([][]byte{oldSecret}, session.Options{})
	require.NoError(t, err)
	signedIn := func(t *testing.T) string {
		time.Sleep(5 * time.Millisecond) // a revocation in the same moment would refuse it
		old := &visitor{t: t, store: cookies}
		old.signIn("clark")
		return old.cookie
	}
	fromCookies := []session.Source{{Session: name, Reader: cookies}}

	t.Run("22: a process that already has the next secret continues an owner's adopted session", func(t *testing.T) {
		one := open(t, b, session.Options{Adopt: fromCookies})
		two := open(t, b, session.Options{Adopt: fromCookies}, newSecret, []byte("the next secret is 32 bytes, too"))
		one.cookie = signedIn(t)
		two.cookie = one.cookie
		require.Equal(t, "clark", one.owner())
		require.Equal(t, "clark", two.owner())
		require.Equal(t, "clark", one.owner())
	})

	t.Run("22: RevokeOthers in a first request that fails leaves the session as it was", func(t *testing.T) {
		v := open(t, b, session.Options{Grace: time.Second, Adopt: fromCookies})
		v.cookie = signedIn(t)
		theirs := v.at(v)
		theirs.cookie = signedIn(t)
		v.visit(func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			_, err := v.store.RevokeOthers(r, s)
			require.NoError(t, err)
			w.WriteHeader(http.StatusBadGateway)
		})
		time.Sleep(1200 * time.Millisecond)
		require.Equal(t, "clark", v.owner())
		require.Empty(t, theirs.owner())
	})

	t.Run("22: RevokeOthers continues what a process with another order of secrets has stored", func(t *testing.T) {
		rotated := open(t, b, session.Options{Adopt: fromCookies}, newSecret, oldSecret)
		behind := open(t, b, session.Options{Adopt: fromCookies}, oldSecret, newSecret)
		rotated.cookie = signedIn(t)
		behind.cookie = rotated.cookie
		rotated.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.Equal(t, "clark", behind.owner())
			_, err := rotated.store.RevokeOthers(r, s)
			require.NoError(t, err)
		})
		require.Equal(t, "clark", rotated.owner())
		require.Equal(t, "clark", behind.owner())
	})

	t.Run("22: SignIn and RevokeOthers in a first request that fails leave the session as it was", func(t *testing.T) {
		v := open(t, b, session.Options{Grace: time.Second, Adopt: fromCookies})
		v.cookie = signedIn(t)
		v.visit(func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.NoError(t, v.store.SignIn(r, s, "clark"))
			_, err := v.store.RevokeOthers(r, s)
			require.NoError(t, err)
			w.WriteHeader(http.StatusBadGateway)
		})
		require.Equal(t, "clark", v.owner())
	})

	t.Run("22: a first request that overlaps RevokeOthers keeps its change, and so does RevokeOthers", func(t *testing.T) {
		v := open(t, b, session.Options{Adopt: fromCookies})
		v.cookie = signedIn(t)
		second, third := v.at(v), v.at(v)
		revokeOthers := func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			third.ask("POST", setting("third", 3))
			_, err := v.store.RevokeOthers(r, s)
			require.NoError(t, err)
			s.Values["first"] = 1
		}
		res := second.ask("POST", func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.Equal(t, http.StatusOK, v.ask("POST", revokeOthers).StatusCode)
			s.Values["second"] = 2
		})
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.Equal(t, session.View{"first": 1, "second": 2, "third": 3}, v.values())
		require.Equal(t, "clark", v.owner())
	})

	t.Run("22: a cookie that the other system accepts forever", func(t *testing.T) {
		m := begin(t, session.Options{Grace: time.Second, Adopt: from(readable{left: math.MaxInt64})})
		thief := m.copied()
		m.visit(destroying)
		time.Sleep(1200 * time.Millisecond)
		require.Empty(t, thief.values())
	})

	t.Run("21: a sign-out that meets RevokeOthers ends the session", func(t *testing.T) {
		for _, options := range []session.Options{{Revoked: b}, {Revoked: b, Adopt: fromCookies}, {Backend: b}} {
			require.NoError(t, b.Clear(t.Context()))
			store, err := session.New([][]byte{newSecret}, options)
			require.NoError(t, err)
			v := &visitor{t: t, store: store}
			v.signIn("clark")
			second := v.at(v)
			v.visit(func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
				_, err := store.RevokeOthers(r, s)
				require.NoError(t, err)
				require.Equal(t, http.StatusOK, destroy(second).StatusCode)
			})
			require.Empty(t, v.owner())
		}
	})

	t.Run("22: a revocation keeps its age when secrets are exchanged", func(t *testing.T) {
		require.NoError(t, b.Clear(t.Context()))
		rotated := []byte("the next secret is 32 bytes, too")
		store, err := session.New([][]byte{newSecret}, session.Options{Revoked: b, Adopt: fromCookies})
		require.NoError(t, err)
		next, err := session.New([][]byte{rotated, newSecret}, session.Options{Revoked: b, Adopt: fromCookies})
		require.NoError(t, err)
		_, err = store.RevokeOwner(t.Context(), name, "clark")
		require.NoError(t, err)
		time.Sleep(100 * time.Millisecond)
		later := signedIn(t)
		v := &visitor{t: t, store: store}
		v.signIn("clark")
		time.Sleep(100 * time.Millisecond)
		v.store = next
		require.Equal(t, "clark", v.owner(), "it has copied the revocation to the new secret")
		require.Equal(t, "clark", (&visitor{t: t, store: next, cookie: later}).owner())
	})

	t.Run("22: a revocation of the owner during the first request keeps the session from being adopted", func(t *testing.T) {
		for how, options := range map[string]session.Options{"on a server": {Backend: b}, "in cookies": {Revoked: b}} {
			cookies, err := session.New([][]byte{oldSecret}, session.Options{})
			require.NoError(t, err)
			old := &visitor{t: t, store: cookies}
			old.signIn("clark")
			options.Grace, options.Adopt = time.Second, []session.Source{{Session: name, Reader: cookies}}
			store, err := session.New([][]byte{newSecret}, options)
			require.NoError(t, err)
			v := &visitor{t: t, store: store, cookie: old.cookie}
			res := v.ask("POST", func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
				_, err := store.RevokeOwner(t.Context(), name, "clark")
				require.NoError(t, err)
				s.Values["cart"] = "cape"
			})
			require.Equal(t, http.StatusConflict, res.StatusCode, how)
			time.Sleep(1200 * time.Millisecond)
			require.Empty(t, v.owner(), how)
		}
	})

	t.Run("22: a revocation of the owner that overtakes the first request ends the session", func(t *testing.T) {
		cookies, err := session.New([][]byte{oldSecret}, session.Options{})
		require.NoError(t, err)
		old := &visitor{t: t, store: cookies}
		old.signIn("clark")
		slow := &overtaken{Backend: b}
		v := open(t, slow, session.Options{Grace: time.Second, Adopt: []session.Source{{Session: name, Reader: cookies}}})
		elsewhere := open(t, b, session.Options{Grace: time.Second})
		slow.by = func() {
			_, err := elsewhere.store.RevokeOwner(t.Context(), name, "clark")
			require.NoError(t, err)
			time.Sleep(1300 * time.Millisecond) // longer than an end mark lasts
		}
		v.cookie = old.cookie
		require.Equal(t, http.StatusConflict, v.ask("POST", setting("cart", "cape")).StatusCode)
		require.Empty(t, v.listed("clark"))
	})

	t.Run("22: what revokes an owner's sessions also ends those that have not been adopted yet", func(t *testing.T) {
		for how, options := range map[string]session.Options{"on a server": {Backend: b}, "in cookies": {Revoked: b}} {
			require.NoError(t, b.Clear(t.Context()))
			cookies, err := session.New([][]byte{oldSecret}, session.Options{})
			require.NoError(t, err)
			signedIn := func() string {
				old := &visitor{t: t, store: cookies}
				old.signIn("clark")
				return old.cookie
			}
			options.Grace, options.Adopt = time.Second, []session.Source{{Session: name, Reader: cookies}}
			store, err := session.New([][]byte{newSecret}, options)
			require.NoError(t, err)
			first, second, third := signedIn(), signedIn(), signedIn()
			at := func(cookie string) *visitor { return &visitor{t: t, store: store, cookie: cookie} }
			adopted, own := at(second), at(third)
			require.Equal(t, "clark", adopted.owner())
			res := own.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) { // before its session is stored
				_, err := store.RevokeOthers(r, s)
				require.NoError(t, err)
			})
			require.Equal(t, http.StatusOK, res.StatusCode, how)
			require.Equal(t, "clark", own.owner(), how)
			time.Sleep(1200 * time.Millisecond)
			for _, v := range []*visitor{at(first), at(second), adopted} {
				require.Empty(t, v.owner(), how)
			}
			later := at(signedIn())
			for range 2 {
				require.Equal(t, "clark", later.owner(), "who has signed in there afterwards: %s", how)
			}
			_, err = store.RevokeOwner(t.Context(), name, "clark")
			require.NoError(t, err)
			time.Sleep(1200 * time.Millisecond)
			for _, v := range []*visitor{at(third), later, own} {
				require.Empty(t, v.owner(), how)
			}
		}
	})

	t.Run("22: a sign-in to a session that is being adopted ends with its owner's", func(t *testing.T) {
		m := begin(t, session.Options{Grace: time.Second})
		res := m.ask("POST", func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.NoError(t, m.store.SignIn(r, s, "clark"))
			_, err := m.store.RevokeOwner(t.Context(), name, "clark")
			require.NoError(t, err)
			time.Sleep(1200 * time.Millisecond)
		})
		require.Equal(t, http.StatusConflict, res.StatusCode)
	})

	t.Run("22: a revocation that meets an adoption ends it for good", func(t *testing.T) {
		met := &meeting{Backend: b}
		m, admin := begin(t, session.Options{Grace: time.Second}), move(t, met, session.Options{Grace: time.Second})
		thief, id := m.copied(), ""
		m.visit(func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			id = m.store.Info(r, s).ID
			w.WriteHeader(http.StatusBadGateway)
		})
		met.before = func() { m.visit(look) }
		_, err := admin.store.Revoke(t.Context(), name, id)
		require.NoError(t, err)
		time.Sleep(1200 * time.Millisecond)
		require.Empty(t, m.values())
		require.Empty(t, thief.values())
	})

	t.Run("22: a source that cannot be reached does not disturb a session", func(t *testing.T) {
		m := begin(t, session.Options{Adopt: from(readable{err: session.ErrUnavailable})})
		m.other = ""
		m.visit(setting("cart", "cape"))
		m.other = "valid-clark"
		require.Equal(t, http.StatusOK, m.visit(look).StatusCode)
		require.Equal(t, session.View{"cart": "cape"}, m.values())
	})

	t.Run("22: two requests that sign out at once both succeed", func(t *testing.T) {
		for _, left := range []time.Duration{time.Hour, 1000 * time.Hour} {
			m := begin(t, session.Options{Revoked: b, Adopt: from(readable{left: left})})
			second := m.copied()
			res := m.visit(func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
				require.Equal(t, http.StatusOK, second.visit(destroying).StatusCode)
				time.Sleep(5 * time.Millisecond)
				destroying(w, r, s)
			})
			require.Equal(t, http.StatusOK, res.StatusCode)
		}
	})

	t.Run("22: the index drops a session that has ended, while its cookie is remembered", func(t *testing.T) {
		f := &failing{Backend: b}
		v := move(t, f, session.Options{Grace: time.Second})
		v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.NoError(t, v.store.SignIn(r, s, "clark"))
		})
		entry := f.entries()[0]
		v.visit(destroying)
		require.NoError(t, b.AddOwned(t.Context(), f.owner, entry.ID, time.Hour)) // as if the process had died before it was removed
		time.Sleep(1200 * time.Millisecond)
		require.Empty(t, v.listed("clark"))
		require.Empty(t, f.entries())
	})

	t.Run("22: sessions move from one server to another", func(t *testing.T) {
		require.NoError(t, b.Clear(t.Context()))
		old := open(t, &Memory{}, session.Options{})
		old.signIn("clark")
		v := open(t, b, session.Options{Adopt: []session.Source{{Session: name, Reader: old.store}}})
		v.cookie = old.cookie
		require.Len(t, v.visit(look).Cookies(), 1)
		require.Equal(t, "clark", v.owner())
		require.NotEqual(t, old.cookie, v.cookie)
	})

	t.Run("22: an owner's other sessions end, also by the first request", func(t *testing.T) {
		require.NoError(t, b.Clear(t.Context()))
		cookies, err := session.New([][]byte{oldSecret}, session.Options{})
		require.NoError(t, err)
		old := &visitor{t: t, store: cookies}
		old.signIn("clark")
		v := open(t, b, session.Options{Adopt: []session.Source{{Session: name, Reader: cookies}}})
		elsewhere := open(t, b, session.Options{})
		elsewhere.signIn("clark")
		v.cookie = old.cookie
		res := v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			n, err := v.store.RevokeOthers(r, s)
			require.NoError(t, err)
			require.Equal(t, 1, n)
		})
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.Equal(t, "clark", v.owner())
		require.Empty(t, elsewhere.owner())
	})
}

// notAgain ends a session in each way, and then tries to adopt a copy of the other system's cookie.
func notAgain(t *testing.T, b session.Backend, options session.Options) {
	ends := map[string]func(m *mover){
		"renewed":   func(m *mover) { m.visit(renewing) },
		"destroyed": func(m *mover) { m.visit(destroying) },
		"emptied": func(m *mover) {
			m.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) { clear(s.Values) })
		},
		"replaced by another": func(m *mover) {
			m.visit(func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
				destroying(w, r, s)
				s.Values["cart"] = "cape"
			})
		},
		"signed in": func(m *mover) {
			m.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
				require.NoError(t, m.store.SignIn(r, s, "clark"))
			})
		},
		"revoked": func(m *mover) {
			m.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
				_, err := m.store.Revoke(t.Context(), name, m.store.Info(r, s).ID)
				require.NoError(t, err)
			})
		},
		"destroyed twice": func(m *mover) {
			twice := *m
			m.visit(destroying)
			twice.visit(destroying)
		},
		"revoked twice": func(m *mover) {
			id := ""
			m.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) { id = m.store.Info(r, s).ID })
			for range 2 {
				_, err := m.store.Revoke(t.Context(), name, id)
				require.NoError(t, err)
			}
		},
	}
	require.NoError(t, b.Clear(t.Context()))
	type theft struct{ thief, late *mover }
	thefts := map[string]theft{}
	for how, end := range ends {
		for _, saved := range []bool{true, false} {
			m := move(t, b, options)
			what := fmt.Sprintf("%s, saved before: %t", how, saved)
			m.other = fmt.Sprintf("valid-%d", len(thefts))
			thief, late := m.copied(), m.copied()
			if saved || strings.HasPrefix(how, "revoked") { // there is something to revoke
				m.visit(look)
			}
			end(m)
			res := late.ask("POST", setting("late", true))
			require.Equal(t, http.StatusConflict, res.StatusCode, "a request that was on its way: %s", what)
			require.Empty(t, res.Cookies(), what)
			require.Empty(t, thief.values(), what)
			require.NotEmpty(t, thief.other, "the browser may have a newer cookie, so none is touched: %s", what)
			thefts[what] = theft{thief, late}
		}
	}
	left := records(t, b)
	time.Sleep(1200 * time.Millisecond)
	for what, theft := range thefts {
		require.Equal(t, []string{other}, cookieNames(theft.thief.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) {
			require.Empty(t, s.Values, what)
		})), what)
	}
	require.Equal(t, left, records(t, b))
	for what, theft := range thefts {
		theft.late.visit(setting("late", true))
		require.Equal(t, session.View{"late": true}, theft.late.values(), "another session: %s", what)
	}
}

// A meeting is a backend in which something happens before a record is put.
type meeting struct {
	session.Backend
	before func()
}

func (m *meeting) Put(ctx context.Context, id session.ID, next []byte, ttl time.Duration) error {
	if before := m.before; before != nil {
		m.before = nil
		before()
	}
	return m.Backend.Put(ctx, id, next, ttl)
}

// overtaken is a backend in which something happens right after a session was added to the index.
type overtaken struct {
	session.Backend
	by func()
}

func (o *overtaken) AddOwned(ctx context.Context, owner session.OwnerHash, id session.ID, ttl time.Duration) error {
	err := o.Backend.AddOwned(ctx, owner, id, ttl)
	o.by()
	return err
}

// records returns how many records the backend has.
func records(t *testing.T, b session.Backend) (n int) {
	t.Helper()
	require.NoError(t, b.Each(t.Context(), func(session.ID, []byte) error { n++; return nil }))
	return n
}

// adoptions races requests that all have the cookie of another system. The responses may reach the
// browser in any order, so it may be left with any of the cookies that were set.
func (r *races) adoptions() {
	var mu sync.Mutex
	latest, set := "", map[string]bool{}
	kept := session.View{"user": "clark"}
	unsure, ended, toEnd := false, false, rand.IntN(2) == 0
	var wait sync.WaitGroup
	for i := range 10 {
		wait.Go(func() {
			for n := range 4 {
				m := &mover{&visitor{t: r.t, store: r.stores[(i+n)%2]}, "valid-clark"}
				mu.Lock()
				m.cookie = latest
				mu.Unlock()
				key := fmt.Sprintf("key %d", i)
				do, ends, renews := setting(key, n), toEnd && i == 0 && n == 3, i == 1
				switch {
				case ends:
					do = destroying
				case renews:
					do = renewing
				}
				res := m.ask("POST", do)
				mu.Lock()
				switch {
				case res.StatusCode == http.StatusServiceUnavailable: // it may have been done
					unsure = true
				case res.StatusCode == http.StatusOK && ends:
					ended = true
				case res.StatusCode == http.StatusOK && !renews:
					kept[key] = n
				}
				for _, c := range res.Cookies() {
					if c.Name == name && c.MaxAge >= 0 {
						latest, set[c.Value] = c.Value, true
					}
				}
				mu.Unlock()
				r.mu.Lock()
				r.answers[res.StatusCode]++
				r.mu.Unlock()
			}
		})
	}
	wait.Wait()
	if ended {
		assert.Zero(r.t, count(r.t, r.direct), "sessions")
		late := &mover{&visitor{t: r.t, store: r.direct}, "valid-clark"}
		assert.Empty(r.t, late.values())
		return
	}
	assert.LessOrEqual(r.t, count(r.t, r.direct), 1, "sessions")
	if unsure {
		return
	}
	var open []session.View
	for cookie := range set {
		if values := r.values(cookie); len(values) > 0 {
			open = append(open, values)
		}
	}
	assert.Equal(r.t, []session.View{kept}, open, "one of the cookies opens the session, with what was acknowledged")
}
