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
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"heroes/session"

	"github.com/gorilla/sessions"
	"github.com/stretchr/testify/require"
)

// Sessions tests what a session promises on a server, by number, over a backend
// that it may clear.
func Sessions(t *testing.T, b session.Backend) {
	require.NoError(t, b.Clear(t.Context()))

	t.Run("01 and 02: nothing stored is no cookie, and nothing changed is nothing written", func(t *testing.T) {
		counted := &counting{Backend: b}
		v := open(t, counted, session.Options{})
		require.Empty(t, v.visit(look).Header["Set-Cookie"])
		require.Zero(t, counted.loads.Load()+counted.swaps.Load(), "no work for a visitor without a session")
		v.set("name", "Superman")
		require.Empty(t, v.visit(look).Header["Set-Cookie"])
		require.EqualValues(t, 2, counted.swaps.Load(), "the cookie has come back")
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
		for i := 0; i < len(token); i += 3 {
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

	t.Run("06: secrets rotate, and the token stays", func(t *testing.T) {
		before := open(t, b, session.Options{}, oldSecret)
		during := open(t, b, session.Options{}, newSecret, oldSecret)
		after := open(t, b, session.Options{}, newSecret)
		before.set("name", "Superman")
		require.Equal(t, "Superman", before.at(during).values()["name"])
		require.Equal(t, "Superman", before.at(after).values()["name"], "it was sealed again")
		before.cookie = ""
		before.set("name", "Batman")
		require.Empty(t, before.at(after).values())
	})

	t.Run("08: a session ends on the server", func(t *testing.T) {
		v := open(t, b, session.Options{IdleTimeout: 2 * time.Second})
		v.set("name", "Superman")
		require.Equal(t, "Superman", v.values()["name"])
		time.Sleep(2100 * time.Millisecond)
		require.Empty(t, v.at(open(t, b, session.Options{})).values(), "even in a process that would allow it more time")
	})

	t.Run("10: more than a cookie holds", func(t *testing.T) {
		v := open(t, b, session.Options{})
		v.set("name", strings.Repeat("x", 60_000))
		require.Len(t, v.values()["name"], 60_000)
		require.Len(t, v.cookie, 64)
	})

	t.Run("08: no renewal and no change restarts the lifetime", func(t *testing.T) {
		v := open(t, b, session.Options{Lifetime: 3 * time.Second})
		v.set("n", 0)
		maxAge := 3
		for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
			res := renew(v)
			require.Len(t, res.Cookies(), 1)
			require.LessOrEqual(t, res.Cookies()[0].MaxAge, maxAge)
			maxAge = res.Cookies()[0].MaxAge
			v.set("n", maxAge)
		}
		require.NotEmpty(t, v.values())
		time.Sleep(1200 * time.Millisecond)
		require.Empty(t, v.values())
	})

	t.Run("11: a session keeps one ID for its whole life, and knows it before its first save", func(t *testing.T) {
		require.NoError(t, b.Clear(t.Context()))
		var events []string
		v := open(t, b, session.Options{OnEvent: func(_ context.Context, e session.Event) {
			events = append(events, string(e.Kind)+" "+e.ID)
		}})
		var ids []string
		note := func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			ids = append(ids, v.store.Info(r, s).ID)
		}
		v.visit(func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			note(w, r, s)
			s.Values["user"] = "clark"
			require.NoError(t, v.store.Renew(r, s))
			note(w, r, s)
		})
		id := ids[0]
		require.Len(t, id, 32)
		v.visit(note)
		renew(v)
		v.visit(note)
		for _, other := range ids {
			require.Equal(t, id, other)
		}
		require.Equal(t, []string{"created " + id, "renewed " + id}, events)
		each := func(name string) (unreadable int) {
			unreadable, err := v.store.Each(t.Context(), name, func(e session.Entry) error {
				require.Equal(t, id, e.ID)
				require.WithinDuration(t, time.Now(), e.Created, 5*time.Second)
				return nil
			})
			require.NoError(t, err)
			return unreadable
		}
		require.Zero(t, each(name))
		require.Equal(t, 1, each("another"), "a session that cannot be opened is counted")
		destroy(v)
		require.Equal(t, "destroyed "+id, events[2])
		require.Zero(t, each(name), "what an ended session leaves is not")
	})

	t.Run("11: a session is revoked by the ID that its sign-in knew", func(t *testing.T) {
		v := open(t, b, session.Options{})
		id := ""
		v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			id, s.Values["user"] = v.store.Info(r, s).ID, "clark"
		})
		renew(v)
		revoke := func(name, id string) bool {
			ended, err := v.store.Revoke(t.Context(), name, id)
			require.NoError(t, err)
			return ended
		}
		require.False(t, revoke("another", id), "it belongs to another name")
		require.NotEmpty(t, v.values())
		require.True(t, revoke(name, id))
		require.Empty(t, v.values())
		require.False(t, revoke(name, id), "it has ended already")
		require.False(t, revoke(name, strings.Repeat("00", 16)))
		_, err := v.store.Revoke(t.Context(), name, "nonsense")
		require.ErrorContains(t, err, "32")
	})

	t.Run("11: a session that is revoked before its first save does not begin", func(t *testing.T) {
		v := open(t, b, session.Options{})
		res := v.ask("POST", func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			_, err := v.store.Revoke(t.Context(), name, v.store.Info(r, s).ID)
			require.NoError(t, err)
			s.Values["user"] = "clark"
		})
		require.Equal(t, http.StatusConflict, res.StatusCode)
		require.Empty(t, res.Cookies())
	})

	t.Run("11: a replaced token reads nothing and writes nothing (fixation)", func(t *testing.T) {
		v, other := open(t, b, session.Options{Grace: time.Second}), open(t, b, session.Options{Grace: time.Second})
		v.set("name", "Superman")
		planted := v.at(other)
		require.Len(t, renew(v).Cookies(), 1)
		require.NotEqual(t, planted.cookie, v.cookie)
		old := planted.cookie
		for range 2 {
			require.Empty(t, planted.values())
			for _, ask := range []app{setting("evil", true), func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
				require.NoError(t, other.store.Renew(r, s))
			}} {
				res := planted.ask("POST", ask)
				require.Equal(t, http.StatusConflict, res.StatusCode)
				require.Equal(t, "1", res.Header.Get("Retry-After"))
				require.Empty(t, res.Cookies(), "the browser may have the new cookie")
			}
			require.Equal(t, http.StatusConflict, planted.set("evil", true).StatusCode)
		}
		require.Equal(t, session.View{"name": "Superman"}, v.values())

		time.Sleep(1100 * time.Millisecond)
		require.Empty(t, planted.values())
		require.Len(t, planted.ask("POST", setting("own", true)).Cookies(), 1, "after the grace window it is as unknown as any")
		require.NotEqual(t, old[:20], planted.cookie[:20], "and the session is a new one")
		require.Equal(t, session.View{"name": "Superman"}, v.values())
	})

	t.Run("11: changes that can wait are dropped from a page with a replaced token", func(t *testing.T) {
		v := open(t, b, session.Options{})
		v.set("name", "Superman")
		old := *v
		renew(v)
		for _, key := range []string{"_flash_", "authenticity_token", "requestor_id"} {
			change := setting(key, []byte(`{"info":["hello"]}`))
			res := old.ask("GET", change)
			require.Equal(t, http.StatusOK, res.StatusCode)
			require.Empty(t, res.Cookies())
			res = old.ask("POST", change)
			require.Equal(t, http.StatusConflict, res.StatusCode)
			after, err := strconv.Atoi(res.Header.Get("Retry-After"))
			require.NoError(t, err)
			require.InDelta(t, 9, after, 1, "what is left of the grace window")
		}
	})

	t.Run("11: signing out with a replaced token ends the session", func(t *testing.T) {
		v := open(t, b, session.Options{})
		v.set("name", "Superman")
		old := *v
		renew(v)
		res := old.ask("POST", func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.NoError(t, v.store.Destroy(r, s))
			s.Values["_flash_"] = []byte(`{"info":["bye"]}`)
		})
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.Empty(t, res.Cookies())
		require.Empty(t, v.values())

		v = open(t, b, session.Options{})
		v.set("name", "Superman")
		old = *v
		renew(v)
		res = old.ask("POST", func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.NoError(t, v.store.Destroy(r, s))
			s.Values["lang"] = "de"
		})
		require.Equal(t, http.StatusConflict, res.StatusCode, "but stores nothing")
		require.Empty(t, v.values(), "and the session has ended anyway")
	})

	t.Run("11: a destroyed session is over in every process", func(t *testing.T) {
		v, other := open(t, b, session.Options{Grace: time.Second}), open(t, b, session.Options{Grace: time.Second})
		v.set("name", "Superman")
		copied := v.at(other)
		require.Equal(t, -1, destroy(v).Cookies()[0].MaxAge)
		require.Empty(t, copied.values())
		require.Equal(t, http.StatusConflict, copied.ask("POST", setting("name", "Evil")).StatusCode)
		require.Zero(t, count(t, v.store)-count(t, other.store))
		time.Sleep(1100 * time.Millisecond)
		token := copied.cookie
		require.Equal(t, http.StatusOK, copied.set("name", "Batman").StatusCode)
		require.NotEqual(t, token[:20], copied.cookie[:20])

		v = open(t, b, session.Options{})
		v.set("name", "Batman")
		copied = v.at(v)
		v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			before := v.store.Info(r, s).ID
			require.NoError(t, v.store.Destroy(r, s))
			s.Values["bye"] = true
			require.NotEqual(t, before, v.store.Info(r, s).ID)
		})
		require.NotEqual(t, copied.cookie, v.cookie)
		require.Equal(t, session.View{"bye": true}, v.values())
		require.Empty(t, copied.values())
	})

	t.Run("13: two requests at once keep each other's changes", func(t *testing.T) {
		v := open(t, b, session.Options{})
		v.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) {
			s.Values["a"], s.Values["b"], s.Values["c"] = 1, 1, 1
		})
		during(v, "POST", func(o *visitor) {
			o.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) {
				s.Values["a"], s.Values["d"] = 2, 2
				delete(s.Values, "b")
			})
		}, func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) {
			s.Values["e"] = 3
			delete(s.Values, "c")
		})
		require.Equal(t, session.View{"a": 2, "d": 2, "e": 3}, v.values())
		during(v, "POST", func(o *visitor) { o.set("a", "first") }, setting("a", "later"))
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

	t.Run("13: several saves in one request keep the changes that other requests save in between", func(t *testing.T) {
		v := open(t, b, session.Options{})
		v.set("a", 1)
		r, w := httptest.NewRequest("POST", "/", nil), httptest.NewRecorder()
		r.Header.Set("Cookie", name+"="+v.cookie)
		cookies := func() []*http.Cookie { return (&http.Response{Header: w.Header()}).Cookies() }
		s, err := v.store.Get(r, name)
		require.NoError(t, err)
		v.set("other", 1)
		require.NoError(t, v.store.Renew(r, s))
		s.Values["bad"] = struct{}{}
		require.Error(t, s.Save(r, w), "and the renewal is not forgotten")
		delete(s.Values, "bad")
		s.Values["b"] = 2
		require.NoError(t, s.Save(r, w))
		require.Equal(t, 1, s.Values["other"], "a merge shows")
		s.Values["c"] = 3
		require.NoError(t, s.Save(r, w))
		require.Len(t, cookies(), 1)
		require.Empty(t, v.values(), "renewed")
		v.cookie = cookies()[0].Value
		require.Equal(t, session.View{"a": 1, "b": 2, "c": 3, "other": 1}, v.values())

		first := v.store.Info(r, s).ID
		require.NoError(t, v.store.Destroy(r, s))
		s.Values["bye"] = true
		second := v.store.Info(r, s).ID
		require.NoError(t, s.Save(r, w))
		require.Equal(t, second, v.store.Info(r, s).ID)
		require.NoError(t, v.store.Destroy(r, s))
		s.Values["bye"] = "again"
		require.NoError(t, s.Save(r, w), "each session of a request has an ID of its own")
		require.Len(t, map[string]bool{first: true, second: true, v.store.Info(r, s).ID: true}, 3)
		require.Len(t, cookies(), 1)
		v.cookie = cookies()[0].Value
		require.Equal(t, session.View{"bye": "again"}, v.values())
	})

	// Every way to lose a race: to a change, to a renewal, to an end, and to an end long ago.
	others := map[string]func(*visitor){
		"a change":  func(o *visitor) { o.set("other", 1) },
		"a renewal": func(o *visitor) { renew(o) },
		"an end":    func(o *visitor) { destroy(o) },
		"a revocation": func(o *visitor) {
			o.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
				_, err := o.store.Revoke(t.Context(), name, o.store.Info(r, s).ID)
				require.NoError(t, err)
			})
		},
		"an end long ago":    func(o *visitor) { destroy(o); time.Sleep(1200 * time.Millisecond) },
		"a renewal long ago": func(o *visitor) { renew(o); time.Sleep(1200 * time.Millisecond) },
	}
	type outcome struct {
		status, cookies int
		sessions        int
	}
	wants := []struct {
		what                    string
		method                  string
		do                      app
		change, renewal, ending outcome // after the other's
	}{
		{"a page", "GET", look, outcome{200, 0, 1}, outcome{200, 0, 1}, outcome{200, 0, 0}},
		{"a change", "POST", setting("mine", 1), outcome{200, 0, 1}, outcome{409, 0, 1}, outcome{409, 0, 0}},
		{"a flash in a page", "GET", setting("_flash_", []byte(`{"a":["b"]}`)), outcome{200, 0, 1}, outcome{200, 0, 1}, outcome{200, 0, 0}},
		{"a flash in a form", "POST", setting("_flash_", []byte(`{"a":["b"]}`)), outcome{200, 0, 1}, outcome{409, 0, 1}, outcome{409, 0, 0}},
		{"a renewal", "POST", func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			_ = s.Store().(*session.Store).Renew(r, s)
		}, outcome{200, 1, 1}, outcome{409, 0, 1}, outcome{409, 0, 0}},
		{"an emptying", "POST", func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) { delete(s.Values, "a") },
			outcome{200, 0, 1}, outcome{409, 0, 1}, outcome{409, 0, 0}},
		{"a sign-out", "POST", func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			_ = s.Store().(*session.Store).Destroy(r, s)
		}, outcome{200, 1, 0}, outcome{200, 1, 0}, outcome{200, 1, 0}},
		{"gorilla's MaxAge below zero", "POST", func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) { s.Options.MaxAge = -1 },
			outcome{200, 1, 0}, outcome{200, 1, 0}, outcome{200, 1, 0}},
	}
	for _, want := range wants {
		for other, happens := range others {
			if strings.Contains(other, "long ago") && !slices.Contains([]string{"a change", "a renewal", "a sign-out"}, want.what) {
				continue // each takes more than a second
			}
			t.Run("13: "+want.what+" loses the race to "+other, func(t *testing.T) {
				require.NoError(t, b.Clear(t.Context()))
				v := open(t, b, session.Options{Grace: time.Second})
				v.set("a", 1)
				expected := want.ending
				switch {
				case strings.Contains(other, "change"):
					expected = want.change
				case strings.Contains(other, "renewal"):
					expected = want.renewal
				}
				res := during(v, want.method, happens, want.do)
				require.Equal(t, expected, outcome{res.StatusCode, len(res.Cookies()), count(t, v.store)})
				if res.StatusCode == http.StatusConflict {
					require.NotEmpty(t, res.Header.Get("Retry-After"))
				}
			})
		}
	}

	t.Run("02: a touch is dropped when it loses a race", func(t *testing.T) {
		for _, happens := range others {
			v := open(t, b, session.Options{IdleTimeout: 2 * time.Second, Grace: time.Second})
			v.set("a", 1)
			time.Sleep(1100 * time.Millisecond) // half of the idle timeout
			res := during(v, "GET", happens, look)
			require.Equal(t, http.StatusOK, res.StatusCode)
			require.Empty(t, res.Cookies())
		}
	})

	t.Run("10: two changes that are too much together are said to be", func(t *testing.T) {
		v := open(t, b, session.Options{MaxValues: session.MaxValues})
		v.set("a", 1)
		half := strings.Repeat("x", session.MaxValues*2/3)
		res := during(v, "POST", func(o *visitor) { o.set("b", half) }, setting("c", half))
		require.Equal(t, http.StatusInternalServerError, res.StatusCode)
		require.Len(t, v.values(), 2)
	})

	t.Run("14: a stolen table opens no session", func(t *testing.T) {
		require.NoError(t, b.Clear(t.Context()))
		v := open(t, b, session.Options{})
		v.set("alter_ego", "Clark Kent")
		token := v.cookie
		var records [][]byte
		require.NoError(t, b.Each(t.Context(), func(key session.ID, record []byte) error {
			for _, secret := range []string{token, "Clark", "alter_ego"} {
				require.NotContains(t, string(record), secret)
				require.NotContains(t, string(key[:]), secret)
			}
			records = append(records, bytes.Clone(record))
			return nil
		}))
		require.Len(t, records, 1)
		token48 := newRecord(48) // write access to the table is not enough to plant a stolen record
		id := sha256.Sum256(token48[:16])
		_, err := b.Swap(t.Context(), session.ID(id[:]), nil, records[0], time.Hour)
		require.NoError(t, err)
		v.cookie = base64.RawURLEncoding.EncodeToString(token48)
		require.Empty(t, v.values())
	})

	t.Run("13: 200 goroutines on 10 sessions lose no change", func(t *testing.T) {
		crowd(t, open(t, b, session.Options{}), open(t, b, session.Options{}), 2*time.Second)
	})

	owners(t, b)
	limits(t, b)
	revoked(t, b)
	adoption(t, b)

	Devices(t, b)
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

// counting counts the round trips of pages and sign-ins.
type counting struct {
	session.Backend
	loads, swaps, added atomic.Int64
}

// all returns the numbers so far, and starts over.
func (c *counting) all() string {
	return fmt.Sprintf("%d added, %d loads, %d swaps", c.added.Swap(0), c.loads.Swap(0), c.swaps.Swap(0))
}

func (c *counting) Load(ctx context.Context, id session.ID) ([]byte, time.Time, time.Time, error) {
	c.loads.Add(1)
	return c.Backend.Load(ctx, id)
}

func (c *counting) Swap(ctx context.Context, id session.ID, old, next []byte, ttl time.Duration) (bool, error) {
	c.swaps.Add(1)
	return c.Backend.Swap(ctx, id, old, next, ttl)
}

func (c *counting) AddOwned(ctx context.Context, owner session.OwnerHash, id session.ID, ttl time.Duration) error {
	c.added.Add(1)
	return c.Backend.AddOwned(ctx, owner, id, ttl)
}
