package backendtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"heroes/session"

	"github.com/gorilla/sessions"
	"github.com/stretchr/testify/require"
)

const name = "_heroes_session"

var (
	oldSecret = []byte("the-old-secret-is-32-bytes-long!")
	newSecret = []byte("the-new-secret-is-32-bytes-long!")
)

// A visitor's browser, at one of the processes that share a backend.
type visitor struct {
	t      *testing.T
	store  *session.Store
	cookie string
}

type app func(w http.ResponseWriter, r *http.Request, s *sessions.Session)

func open(t *testing.T, b session.Backend, options session.Options, secrets ...[]byte) *visitor {
	t.Helper()
	if secrets == nil {
		secrets = [][]byte{newSecret}
	}
	options.Backend = b
	store, err := session.New(secrets, options)
	require.NoError(t, err)
	return &visitor{t: t, store: store}
}

// visit answers one request and gives its response; a failed Get is the handler's to see.
func (v *visitor) visit(handle app) *http.Response {
	r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	if v.cookie != "" {
		r.Header.Set("Cookie", name+"="+v.cookie)
	}
	v.store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := v.store.Get(r, name)
		handle(w, r, s)
	})).ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		v.cookie = c.Value
	}
	return w.Result()
}

func (v *visitor) set(key string, value any) *http.Response {
	return v.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) { s.Values[key] = value })
}

func (v *visitor) values() (values session.View) {
	v.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) { values = session.ViewOf(s) })
	return values
}

// at is the same browser at another process.
func (v *visitor) at(other *visitor) *visitor {
	return &visitor{t: v.t, store: other.store, cookie: v.cookie}
}

func renew(v *visitor) *http.Response {
	return v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) { _ = v.store.Renew(r, s) })
}

func destroy(v *visitor) *http.Response {
	return v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) { _ = v.store.Destroy(r, s) })
}

// Sessions tests what a session promises on a server, by number, over a backend
// that it may clear.
func Sessions(t *testing.T, b session.Backend) {
	require.NoError(t, b.Clear(t.Context()))

	t.Run("01 and 02: nothing stored is no cookie, and nothing changed is nothing written", func(t *testing.T) {
		counted := &counting{Backend: b}
		v := open(t, counted, session.Options{})
		look := func(http.ResponseWriter, *http.Request, *sessions.Session) {}
		require.Empty(t, v.visit(look).Header["Set-Cookie"])
		require.Zero(t, counted.loads.Load()+counted.swaps.Load(), "no work for a visitor without a session")
		v.set("name", "Superman")
		counted.loads.Store(0)
		counted.swaps.Store(0)
		require.Empty(t, v.visit(look).Header["Set-Cookie"])
		require.EqualValues(t, 1, counted.loads.Load(), "one round trip for a page")
		require.Zero(t, counted.swaps.Load())
		require.Empty(t, v.set("name", "Batman").Header["Set-Cookie"], "the token is the same")
		require.EqualValues(t, 1, counted.swaps.Load())
		require.Equal(t, "Batman", v.values()["name"])
	})

	t.Run("04: an emptied session is gone from the server and from the browser", func(t *testing.T) {
		v := open(t, b, session.Options{})
		v.set("name", "Superman")
		kept := *v
		res := v.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) { delete(s.Values, "name") })
		require.Equal(t, -1, res.Cookies()[0].MaxAge)
		require.Empty(t, kept.values())
	})

	t.Run("05 and 18: a token that is not ours is an empty session", func(t *testing.T) {
		v := open(t, b, session.Options{})
		v.set("name", "Superman")
		token := v.cookie
		for i := range token {
			for _, c := range []string{"A", "B", "_", "="} {
				if changed := token[:i] + c + token[i+1:]; changed != token {
					v.cookie = changed
					require.Empty(t, v.values())
				}
			}
		}
		for _, value := range []string{"", token[1:], token + "A", strings.Repeat("A", 5000), `"` + token + `"`} {
			v.cookie = value
			require.Empty(t, v.values())
		}
		v.cookie = token
		require.Equal(t, "Superman", v.values()["name"])
	})

	t.Run("06: secrets rotate", func(t *testing.T) {
		before := open(t, b, session.Options{}, oldSecret)
		during := open(t, b, session.Options{}, newSecret, oldSecret)
		after := open(t, b, session.Options{}, newSecret)
		before.set("name", "Superman")
		require.Equal(t, "Superman", before.at(during).values()["name"])
		require.Equal(t, "Superman", before.at(after).values()["name"], "it was sealed anew")
		before.cookie = ""
		before.set("name", "Batman")
		require.Empty(t, before.at(after).values())
	})

	t.Run("08: a session ends on the server", func(t *testing.T) {
		v := open(t, b, session.Options{IdleTimeout: 2 * time.Second})
		v.set("name", "Superman")
		require.Equal(t, "Superman", v.values()["name"])
		require.Eventually(t, func() bool { return len(v.at(open(t, b, session.Options{})).values()) == 0 },
			6*time.Second, 100*time.Millisecond)
	})

	t.Run("10: more than a cookie holds", func(t *testing.T) {
		v := open(t, b, session.Options{})
		v.set("name", strings.Repeat("x", 100_000))
		require.Len(t, v.values()["name"], 100_000)
		require.Len(t, v.cookie, 43)
	})

	t.Run("11: a renewed or destroyed session's old cookie is refused by the next request", func(t *testing.T) {
		v, other := open(t, b, session.Options{}), open(t, b, session.Options{})
		v.set("name", "Superman")
		copied := *v
		require.Len(t, renew(v).Cookies(), 1)
		require.NotEqual(t, copied.cookie, v.cookie)
		require.Empty(t, copied.at(other).values(), "at another process")
		require.Equal(t, "Superman", v.at(other).values()["name"])

		copied = *v
		require.Equal(t, -1, destroy(v).Cookies()[0].MaxAge)
		require.Empty(t, copied.at(other).values())
		v = open(t, b, session.Options{})
		v.set("name", "Batman")
		copied = *v
		v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.NoError(t, v.store.Destroy(r, s))
			s.Values["bye"] = true
		})
		require.NotEqual(t, copied.cookie, v.cookie)
		require.Equal(t, session.View{"bye": true}, v.values())
		require.Empty(t, copied.values())
	})

	// during runs what happens while a request that has read the session is under way.
	during := func(v *visitor, happens func(*visitor), then app) *http.Response {
		return v.visit(func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			other := *v
			happens(&other)
			then(w, r, s)
		})
	}
	set := func(key string, value any) app {
		return func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) { s.Values[key] = value }
	}

	t.Run("13: two requests at once keep each other's changes", func(t *testing.T) {
		v := open(t, b, session.Options{})
		v.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) {
			s.Values["a"], s.Values["b"], s.Values["c"] = 1, 1, 1
		})
		during(v, func(o *visitor) {
			o.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) {
				s.Values["a"], s.Values["d"] = 2, 2
				delete(s.Values, "b")
			})
		}, func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) {
			s.Values["e"] = 3
			delete(s.Values, "c")
		})
		require.Equal(t, session.View{"a": 2, "d": 2, "e": 3}, v.values())
		during(v, func(o *visitor) { o.set("a", "first") }, set("a", "later"))
		require.Equal(t, "later", v.values()["a"], "for the same key the later commit wins")
	})

	t.Run("13: without the handler, too", func(t *testing.T) {
		v := open(t, b, session.Options{})
		v.set("a", 1)
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		r.Header.Set("Cookie", name+"="+v.cookie)
		s, err := v.store.Get(r, name)
		require.NoError(t, err)
		v.set("b", 2)
		s.Values["c"] = 3
		require.NoError(t, s.Save(r, w))
		s.Values["d"] = 4
		require.NoError(t, s.Save(r, w))
		require.Empty(t, w.Result().Cookies(), "the browser has it")
		require.Equal(t, session.View{"a": 1, "b": 2, "c": 3, "d": 4}, v.values())
	})

	t.Run("13: a change finds a session that was renewed meanwhile, and learns no token", func(t *testing.T) {
		v := open(t, b, session.Options{})
		v.set("a", 1)
		var renewed visitor
		res := during(v, func(o *visitor) { renew(o); renew(o); o.set("b", 2); renewed = *o }, set("c", 3))
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.Empty(t, res.Cookies(), "who follows may have stolen the old cookie")
		require.Equal(t, session.View{"a": 1, "b": 2, "c": 3}, renewed.values())
		require.Empty(t, v.values(), "and the old cookie is dead")
	})

	t.Run("11: who renews a session that another has renewed gets one of their own (fixation)", func(t *testing.T) {
		v := open(t, b, session.Options{})
		v.set("planted", true)
		var attacker visitor
		during(v, func(o *visitor) { renew(o); attacker = *o }, func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.NoError(t, v.store.Renew(r, s))
			s.Values["user"] = "victim"
		})
		require.Equal(t, session.View{"planted": true, "user": "victim"}, v.values())
		require.Equal(t, session.View{"planted": true}, attacker.values())
	})

	t.Run("11: gorilla's MaxAge below zero ends it, whatever happens meanwhile", func(t *testing.T) {
		v := open(t, b, session.Options{})
		v.set("a", 1)
		copied := *v
		res := during(v, func(o *visitor) { o.set("b", 2) }, func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) {
			s.Options.MaxAge = -1
		})
		require.Equal(t, -1, res.Cookies()[0].MaxAge)
		require.Empty(t, copied.values())
	})

	t.Run("16: a page that loses nothing is answered, whatever happens meanwhile", func(t *testing.T) {
		v := open(t, b, session.Options{IdleTimeout: 2 * time.Second})
		v.set("a", 1)
		time.Sleep(1100 * time.Millisecond) // to be pushed back
		look := func(http.ResponseWriter, *http.Request, *sessions.Session) {}
		require.Equal(t, http.StatusOK, during(v, func(o *visitor) { destroy(o) }, look).StatusCode)

		v = open(t, b, session.Options{})
		v.set("a", 1)
		empty := func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) { delete(s.Values, "a") }
		res := during(v, func(o *visitor) { o.visit(empty) }, empty)
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.Equal(t, -1, res.Cookies()[0].MaxAge)
	})

	t.Run("10: two changes that are too much together are said to be", func(t *testing.T) {
		v := open(t, b, session.Options{})
		v.set("a", 1)
		half := strings.Repeat("x", session.MaxValues*2/3)
		res := during(v, func(o *visitor) { o.set("b", half) }, set("c", half))
		require.Equal(t, http.StatusInternalServerError, res.StatusCode)
		require.Len(t, v.values(), 2)
	})

	t.Run("a session is listed, and revoked by its ID also when it was renewed", func(t *testing.T) {
		require.NoError(t, b.Clear(t.Context()))
		v := open(t, b, session.Options{})
		v.set("a", 1)
		var entries []session.Entry
		require.NoError(t, v.store.Each(t.Context(), name, func(e session.Entry) error {
			entries = append(entries, e)
			return nil
		}))
		require.Len(t, entries, 1)
		require.WithinDuration(t, time.Now(), entries[0].Created, 5*time.Second)
		v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.Equal(t, entries[0].ID, v.store.Info(r, s).ID, "and tells it to the application")
		})
		renew(v)
		ended, err := v.store.Revoke(t.Context(), name, entries[0].ID)
		require.NoError(t, err)
		require.True(t, ended)
		require.Empty(t, v.values())
		ended, err = v.store.Revoke(t.Context(), name, strings.Repeat("00", 32))
		require.NoError(t, err)
		require.False(t, ended)
		_, err = v.store.Revoke(t.Context(), name, "nonsense")
		require.ErrorContains(t, err, "64")
	})

	t.Run("16: a change to a session that was ended meanwhile is said to be lost", func(t *testing.T) {
		v := open(t, b, session.Options{})
		v.set("a", 1)
		res := during(v, func(o *visitor) { destroy(o) }, set("b", 2))
		require.Equal(t, http.StatusConflict, res.StatusCode)
		require.Empty(t, v.values(), "and it does not come back")
	})

	t.Run("11: a session that is destroyed stays so, whatever happens meanwhile", func(t *testing.T) {
		v := open(t, b, session.Options{})
		v.set("a", 1)
		var renewed visitor
		during(v, func(o *visitor) { o.set("b", 2); renew(o); renewed = *o }, func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.NoError(t, v.store.Destroy(r, s))
		})
		require.Empty(t, renewed.values())
	})

	t.Run("11: a session in a cookie moves here once, and its cookie is dead with it", func(t *testing.T) {
		sealed := open(t, nil, session.Options{})
		sealed.set("name", "Superman")
		require.Greater(t, len(sealed.cookie), 43)

		refused := sealed.at(open(t, b, session.Options{}))
		require.Empty(t, refused.values(), "unless it was asked for")
		require.Empty(t, sealed.at(open(t, b, session.Options{FromCookies: true}, oldSecret)).values())

		store := open(t, b, session.Options{FromCookies: true})
		v, copied := sealed.at(store), sealed.at(store)
		require.Equal(t, "Superman", v.values()["name"])
		require.Len(t, v.cookie, 43, "a page that changes nothing moves it, too")
		require.Empty(t, v.visit(func(http.ResponseWriter, *http.Request, *sessions.Session) {}).Header["Set-Cookie"])
		v.set("name", "Batman")
		require.Equal(t, "Batman", copied.values()["name"], "the cookie leads to it")
		require.Equal(t, v.cookie, copied.cookie)

		stolen := sealed.at(store)
		destroy(v)
		require.Empty(t, stolen.values(), "and is dead when it has ended")
		require.Empty(t, sealed.at(store).values())

		sealed.set("name", "Superman anew")
		v, stolen = sealed.at(store), sealed.at(store)
		renew(v)
		require.Equal(t, "Superman anew", v.values()["name"])
		require.Empty(t, stolen.values(), "or was renewed")
	})

	t.Run("13: two requests at once move a session in a cookie to one place", func(t *testing.T) {
		sealed := open(t, nil, session.Options{})
		sealed.set("name", "Superman")
		store := open(t, b, session.Options{FromCookies: true})
		var visitors [8]*visitor
		var all sync.WaitGroup
		for i := range visitors {
			visitors[i] = sealed.at(store)
			all.Go(func() { visitors[i].set(fmt.Sprint("key", i), i) })
		}
		all.Wait()
		values := visitors[0].values()
		require.Len(t, values, 1+len(visitors))
		for _, v := range visitors {
			require.Equal(t, visitors[0].cookie, v.cookie)
		}
	})

	t.Run("14: a stolen table opens no session", func(t *testing.T) {
		require.NoError(t, b.Clear(t.Context()))
		v := open(t, b, session.Options{})
		v.set("alter_ego", "Clark Kent")
		token := v.cookie
		var records [][]byte
		require.NoError(t, b.Each(t.Context(), func(key session.Key, record []byte) error {
			for _, secret := range []string{token, "Clark", "alter_ego"} {
				require.NotContains(t, string(record), secret)
				require.NotContains(t, string(key[:]), secret)
			}
			records = append(records, bytes.Clone(record))
			return nil
		}))
		require.Len(t, records, 1)
		bytes32 := newRecord(32) // who can write to the table cannot plant what was stolen
		_, err := b.Swap(t.Context(), sha256.Sum256(bytes32), nil, records[0], time.Now().Add(time.Hour))
		require.NoError(t, err)
		v.cookie = base64.RawURLEncoding.EncodeToString(bytes32)
		require.Empty(t, v.values())
	})

	t.Run("13: 200 goroutines on 10 sessions lose no change", func(t *testing.T) {
		crowd(t, open(t, b, session.Options{}), open(t, b, session.Options{}), 2*time.Second)
	})
}

// crowd has 200 goroutines set and delete keys of their own in 10 sessions, at two
// processes. What was acknowledged is there at the end.
func crowd(t *testing.T, one, two *visitor, long time.Duration) {
	type change struct {
		key   string
		value any
	}
	var (
		wait  sync.WaitGroup
		mu    sync.Mutex
		acked atomic.Int64
		end   = time.Now().Add(long)
	)
	for range 10 {
		first := *one
		for first.cookie == "" { // the server may be busy
			first.set("first", true)
		}
		want := session.View{"first": true}
		var skip []string
		var group sync.WaitGroup
		for g := range 20 {
			group.Go(func() {
				v := &visitor{t: t, store: []*visitor{one, two}[g%2].store, cookie: first.cookie}
				mine, unsure := map[string]any{}, map[string]bool{}
				for i := 0; time.Now().Before(end); i++ {
					c := change{key: fmt.Sprintf("key %d of %d", rand.IntN(3), g), value: any(i)}
					if mine[c.key] != nil && rand.IntN(3) == 0 {
						c.value = nil
					}
					res := v.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) {
						if c.value == nil {
							delete(s.Values, c.key)
						} else {
							s.Values[c.key] = c.value
						}
					})
					if unsure[c.key] = res.StatusCode != http.StatusOK; unsure[c.key] {
						continue // not acknowledged: it may be there, or what was before
					}
					if mine[c.key] = c.value; c.value == nil {
						delete(mine, c.key)
					}
					acked.Add(1)
				}
				mu.Lock()
				defer mu.Unlock()
				for k, value := range mine {
					want[k] = value
				}
				for k, not := range unsure {
					if not {
						skip = append(skip, k)
					}
				}
			})
		}
		wait.Go(func() {
			group.Wait()
			mu.Lock()
			defer mu.Unlock()
			got := first.values()
			for _, k := range skip {
				delete(want, k)
				delete(got, k)
			}
			if !maps.Equal(want, got) {
				t.Errorf("changes were lost: %v, not %v", got, want)
			}
		})
	}
	wait.Wait()
	t.Logf("%d changes acknowledged in %v, none lost", acked.Load(), long)
}

// counting counts the round trips.
type counting struct {
	session.Backend
	loads, swaps atomic.Int64
}

func (c *counting) Load(ctx context.Context, key session.Key) ([]byte, error) {
	c.loads.Add(1)
	return c.Backend.Load(ctx, key)
}

func (c *counting) Swap(ctx context.Context, key session.Key, old, next []byte, expires time.Time) (bool, error) {
	c.swaps.Add(1)
	return c.Backend.Swap(ctx, key, old, next, expires)
}
