package devicebound_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"heroes/session"
	"heroes/session/backendtest"
	"heroes/session/devicebound"

	"github.com/gorilla/sessions"
	"github.com/stretchr/testify/require"
)

// with runs a test with these options, which include a backend or Options.Revoked if they are to have one.
func with(t *testing.T, o session.Options, run func(*testing.T, *place)) {
	synctest.Test(t, func(t *testing.T) {
		p := &place{}
		o.DeviceProof = valid
		p.open(t, o)
		run(t, p)
	})
}

// ask answers a request of the browser with f, and returns its status.
func (p *place) ask(b *backendtest.BoundBrowser, f func(w http.ResponseWriter, r *http.Request, s *sessions.Session) error) int {
	w := httptest.NewRecorder()
	p.store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := p.store.Get(r, name)
		if err == nil {
			err = f(w, r, s)
		}
		if err != nil {
			http.Error(w, err.Error(), session.Status(w.Header(), err))
		}
	}), nil).ServeHTTP(w, b.Request("POST", "/"))
	b.Keep(w.Result())
	return w.Code
}

// A hook is a backend that lets something happen at a moment.
type hook struct {
	session.Backend
	load func()                                        // before a record is loaded
	swap func(swap func() (bool, error)) (bool, error) // instead of a swap
}

func (h *hook) Load(ctx context.Context, id session.ID) (record []byte, expires, now time.Time, err error) {
	if h.load != nil {
		h.load()
	}
	return h.Backend.Load(ctx, id)
}

func (h *hook) Swap(ctx context.Context, id session.ID, old, next []byte, ttl time.Duration) (bool, error) {
	swap := func() (bool, error) { return h.Backend.Swap(ctx, id, old, next, ttl) }
	if h.swap != nil {
		return h.swap(swap)
	}
	return swap()
}

func Test_23_RevokeOthers_that_is_in_progress_ends_no_binding(t *testing.T) {
	with(t, session.Options{Revoked: &backendtest.Memory{}}, func(t *testing.T, p *place) {
		b := p.bound(t)
		b.Ask("POST", "/sign-in?owner=clark")
		status := p.ask(b, func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) error {
			_, err := p.store.RevokeOthers(r, s)
			for range 3 {
				require.Equal(t, http.StatusServiceUnavailable, b.Refresh(false).StatusCode)
				time.Sleep(10 * time.Second)
			}
			return err
		})
		require.Equal(t, http.StatusOK, status)
		requirePage(t, b, "Superman/clark/true")
		time.Sleep(2 * valid)
		requirePage(t, b, "Superman/clark/true")
	})
}

func Test_23_with_Revoked_a_session_that_has_ended_ends_the_binding(t *testing.T) {
	with(t, session.Options{Revoked: &backendtest.Memory{}}, func(t *testing.T, p *place) {
		for _, crossSite := range []bool{false, true} {
			b := p.bound(t)
			_, err := p.store.Revoke(t.Context(), name, b.Binding.ID[:32])
			require.NoError(t, err)
			require.Equal(t, http.StatusBadRequest, b.Refresh(crossSite).StatusCode)
			requirePage(t, b, "//false")
		}
		b := p.bound(t)
		copied := b.Copy()
		unproven := b.Copy()
		delete(unproven.Cookies, proofOf(b))
		unproven.Ask("POST", "/sign-out")
		requirePage(t, copied, "//false") // with its proof
	})
}

// A sign-in that loses a race begins a session of its own, without Options.DeviceProof. Here that would not be bound.
func Test_23_no_overlap_makes_a_copy_of_a_session_that_is_not_bound(t *testing.T) {
	for _, who := range []struct{ visitor, thief string }{{"", "mallory"}, {"clark", "clark"}, {"clark", "mallory"}} {
		with(t, session.Options{Revoked: &backendtest.Memory{}}, func(t *testing.T, p *place) {
			b := p.bound(t)
			if who.visitor != "" {
				b.Ask("POST", "/sign-in?owner="+who.visitor)
			}
			for _, pause := range []time.Duration{0, time.Hour} {
				thief := b.Copy()
				status := p.ask(thief, func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) error {
					b.Ask("POST", "/renew")
					time.Sleep(pause)
					return p.store.SignIn(r, s, who.thief)
				})
				_, body := thief.Get("/")
				if who.visitor == "clark" && who.thief == "mallory" { // a session of his own
					require.Equal(t, "/mallory/false", body)
				} else {
					require.Equal(t, http.StatusConflict, status)
					require.Equal(t, "//false", body)
				}
				requirePage(t, b, "Superman/"+who.visitor+"/true")
			}
		})
	}
}

func Test_23_a_proof_counts_when_the_change_is_saved(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		b := p.bound(t)
		thief := b.Copy()
		for what, f := range map[string]func(r *http.Request, s *sessions.Session) error{
			"a change":  func(_ *http.Request, s *sessions.Session) error { s.Values["name"] = "Thief"; return nil },
			"a renewal": func(r *http.Request, s *sessions.Session) error { return p.store.Renew(r, s) },
			"a sign-in": func(r *http.Request, s *sessions.Session) error { return p.store.SignIn(r, s, "mallory") },
		} {
			b.Refresh(false)
			thief.Cookies = b.Copy().Cookies
			status := p.ask(thief, func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) error {
				time.Sleep(3 * time.Hour)
				return f(r, s)
			})
			require.Equal(t, http.StatusConflict, status, what)
			requirePage(t, b, "Superman//true")
		}
		status := p.ask(b, func(http.ResponseWriter, *http.Request, *sessions.Session) error {
			time.Sleep(3 * time.Hour)
			return nil
		})
		require.Equal(t, http.StatusOK, status, "it changes nothing")
	})
}

func Test_23_a_request_from_before_the_binding_revokes_nobody_afterwards(t *testing.T) {
	with(t, session.Options{Backend: &backendtest.Memory{}}, func(t *testing.T, p *place) {
		other := p.bound(t)
		other.Ask("POST", "/sign-in?owner=clark")
		b := backendtest.NewBoundBrowser(t, p.app)
		b.Ask("POST", "/sign-in?owner=clark")
		early := b.Copy()
		delete(early.Cookies, proofOf(b))
		status := p.ask(early, func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) error {
			b.Get("/")
			requirePage(t, b, "/clark/true")
			time.Sleep(time.Minute)
			_, err := p.store.RevokeOthers(r, s)
			return err
		})
		require.Equal(t, http.StatusConflict, status)
		requirePage(t, other, "Superman/clark/true")
	})
}

func Test_23_showing_the_key_is_a_use_and_changes_no_time(t *testing.T) {
	with(t, session.Options{Backend: &backendtest.Memory{}}, func(t *testing.T, p *place) {
		b := p.bound(t)
		b.Ask("POST", "/sign-in?owner=clark")
		signedIn := time.Now()
		for range 150 {
			time.Sleep(5 * time.Minute)
			requirePage(t, b, "Superman/clark/true")
			list, err := p.store.Sessions(t.Context(), name, "clark")
			require.NoError(t, err)
			require.Len(t, list, 1)
			require.True(t, list[0].Bound)
			require.WithinDuration(t, signedIn, list[0].Authenticated, time.Second)
			require.WithinDuration(t, time.Now(), list[0].LastUse, time.Hour)
		}
		found := 0
		_, err := p.store.Each(t.Context(), name, func(session.Entry) error { found++; return nil })
		require.NoError(t, err)
		require.Equal(t, 1, found)
	})
}

// However slowly requests are written, and however many.
func Test_23_no_write_prolongs_the_time_without_a_proof(t *testing.T) {
	memory := &hook{Backend: &backendtest.Memory{}}
	with(t, session.Options{Backend: memory}, func(t *testing.T, p *place) {
		b := backendtest.NewBoundBrowser(t, p.app)
		b.Ask("POST", "/set?name=Superman")
		early := b.Copy() // requests that were sent before the registration
		b.Get("/")
		memory.load = func() { time.Sleep(900 * time.Millisecond) }
		requirePage(t, b, "Superman//true")
		memory.load = nil
		bound := time.Now()
		memory.swap = func(swap func() (bool, error)) (bool, error) {
			time.Sleep(900 * time.Millisecond)
			return swap()
		}
		for n := 0; ; n++ {
			sent := time.Since(bound)
			res, body := early.Ask("POST", fmt.Sprintf("/set?name=%d", n))
			if res.StatusCode == http.StatusConflict {
				require.Greater(t, sent, 8*time.Second)
				break
			}
			require.Equal(t, http.StatusOK, res.StatusCode, body)
			require.LessOrEqual(t, sent, 10*time.Second)
		}
		memory.swap = nil
		_, body := b.Get("/")
		require.True(t, strings.HasSuffix(body, "//true"), body)
	})
}

// The request that binds the session is slow, and another comes first.
func Test_23_a_conflict_does_not_prolong_the_time_without_a_proof(t *testing.T) {
	with(t, session.Options{Backend: &backendtest.Memory{}}, func(t *testing.T, p *place) {
		b := backendtest.NewBoundBrowser(t, p.app)
		b.Ask("POST", "/set?name=Superman")
		early := b.Copy()
		delete(early.Cookies, proofOf(b))
		b.Refresh(false)
		status := p.ask(b, func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) error {
			time.Sleep(time.Minute)
			res, _ := early.Ask("POST", "/set?name=Batman")
			require.Equal(t, http.StatusOK, res.StatusCode)
			s.Values["x"] = 1
			return nil
		})
		require.Equal(t, http.StatusOK, status)
		requireUnproven(t, early)
		requirePage(t, b, "Batman//true")
	})
}

// What a session needs for an offer does not refuse a change that fits without it.
func Test_23_an_offer_takes_no_room_from_the_values(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		largest := map[time.Duration]int{}
		for _, proof := range []time.Duration{0, valid} {
			p := &place{}
			p.open(t, session.Options{DeviceProof: proof})
			b := backendtest.NewBoundBrowser(t, p.app)
			b.Able = false
			b.Ask("POST", "/set?name=Superman")
			for size := 3100; largest[proof] == 0; size-- {
				if res, _ := b.Ask("POST", "/set?name="+strings.Repeat("x", size)); res.StatusCode == http.StatusOK {
					largest[proof] = size
				}
			}
		}
		require.Equal(t, largest[0], largest[valid])
	})
}

func Test_23_a_challenge_whose_answer_may_have_been_lost_is_not_valid_any_more(t *testing.T) {
	memory := &hook{Backend: &backendtest.Memory{}}
	with(t, session.Options{Backend: memory}, func(t *testing.T, p *place) {
		b := p.bound(t)
		memory.swap = func(swap func() (bool, error)) (bool, error) {
			memory.swap = nil
			ok, err := swap()
			require.True(t, ok)
			require.NoError(t, err)
			b.Copy().Ask("POST", "/set?name=Batman")
			return false, errors.New("the reply was lost")
		}
		b.Next = ""
		require.Equal(t, http.StatusForbidden, b.Refresh(false).StatusCode)
		require.Equal(t, http.StatusOK, b.Refresh(false).StatusCode)
		require.Equal(t, 1, len(p.reasons(session.DeviceRefused)), "the next challenge is valid")
		requirePage(t, b, "Batman//true")

		memory.swap = func(func() (bool, error)) (bool, error) { return false, nil } // others are always faster
		b.Next = ""
		require.Equal(t, http.StatusServiceUnavailable, b.Refresh(false).StatusCode)
		require.NotNil(t, b.Binding)
		memory.swap = nil
		requirePage(t, b, "Batman//true")
	})
}

func Test_23_a_browser_asks_for_a_challenge_once(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		b := p.bound(t)
		statuses := map[int]int{}
		b.OnShow = func(res *http.Response) {
			statuses[res.StatusCode]++
			require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
		}
		for range 20 {
			time.Sleep(valid)
			requirePage(t, b, "Superman//true")
		}
		require.Equal(t, map[int]int{http.StatusOK: 20}, statuses)
	})
}

func Test_23_a_process_without_the_newest_secret_ends_no_binding(t *testing.T) {
	newest := []byte("the-newest-secret-is-32-bytes-long")
	everywhere(t, func(t *testing.T, p *place) {
		b := p.bound(t)
		p.open(t, session.Options{DeviceProof: valid}, newest, secret)
		b.Handler = p.app
		requirePage(t, b, "Superman//true")
		p.open(t, session.Options{DeviceProof: valid}) // not yet
		b.Handler, b.Next = p.app, ""
		require.Equal(t, http.StatusServiceUnavailable, b.Refresh(false).StatusCode)
		require.NotNil(t, b.Binding)
	})
}

// The index of owners knows the session under each secret, also if only showing the key has sealed it again.
func Test_23_showing_the_key_during_a_rotation_keeps_the_owner(t *testing.T) {
	newest := []byte("the-newest-secret-is-32-bytes-long")
	with(t, session.Options{Backend: &backendtest.Memory{}}, func(t *testing.T, p *place) {
		b := p.bound(t)
		b.Ask("POST", "/sign-in?owner=clark")
		p.reopen(t, newest, secret)
		b.Handler, b.Next = p.app, ""
		require.Equal(t, http.StatusOK, b.Refresh(false).StatusCode)
		p.reopen(t, newest)
		n, err := p.store.RevokeOwner(t.Context(), name, "clark")
		require.NoError(t, err)
		require.Equal(t, 1, n)
	})
}

// A page in flight brings back the session from before, which is bound.
func Test_23_another_session_in_the_meantime_ends_no_binding(t *testing.T) {
	for what, o := range map[string]session.Options{"cookies": {}, "revoked": {Revoked: &backendtest.Memory{}}} {
		with(t, o, func(t *testing.T, p *place) {
			b := p.bound(t)
			b.Ask("POST", "/sign-in?owner=clark")
			p.ask(b, func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) error {
				delete(b.Cookies, proofOf(b)) // it has expired
				require.Equal(t, http.StatusOK, p.ask(b, func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) error {
					return p.store.SignIn(r, s, "clark")
				}))
				require.Equal(t, http.StatusServiceUnavailable, b.Refresh(false).StatusCode)
				s.Values["name"] = "Late"
				return nil
			})
			b.Refresh(false)
			for range 3 {
				requirePage(t, b, "Late/clark/true")
				time.Sleep(time.Hour)
			}
			require.NotEmpty(t, p.reasons(session.DeviceRefused), what)
			require.Contains(t, p.reasons(session.DeviceRefused), session.Uncertain)
			require.Empty(t, p.reasons(session.Unreachable))
		})
	}
	with(t, session.Options{}, func(t *testing.T, p *place) {
		b := p.bound(t)
		p.ask(b, func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) error {
			p.ask(b, func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) error {
				err := p.store.Destroy(r, s)
				s.Values["name"] = "New"
				return err
			})
			require.Contains(t, b.Cookies, proofOf(b), "nobody could tell the browser")
			require.Equal(t, http.StatusServiceUnavailable, b.Refresh(false).StatusCode)
			s.Values["name"] = "Late"
			return nil
		})
		time.Sleep(time.Hour)
		requirePage(t, b, "Late//true")
	})
}

func Test_23_an_expired_proof_revokes_nobody(t *testing.T) {
	for _, o := range []session.Options{{Revoked: &backendtest.Memory{}}, {Backend: &backendtest.Memory{}}} {
		with(t, o, func(t *testing.T, p *place) {
			b, other := p.bound(t), p.bound(t)
			b.Ask("POST", "/sign-in?owner=clark")
			other.Ask("POST", "/sign-in?owner=clark")
			status := p.ask(b.Copy(), func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) error {
				time.Sleep(time.Hour)
				_, err := p.store.RevokeOthers(r, s)
				require.ErrorIs(t, err, session.ErrUnproven)
				return err
			})
			require.Equal(t, http.StatusConflict, status)
			requirePage(t, b, "Superman/clark/true")
			requirePage(t, other, "Superman/clark/true")
		})
	}
}

// A stranger knows the ID of a session, or a thief has its cookie, and makes a key.
func Test_23_on_a_server_a_key_that_was_not_registered_cannot_be_proved(t *testing.T) {
	with(t, session.Options{Backend: &backendtest.Memory{}}, func(t *testing.T, p *place) {
		b, other := backendtest.NewBoundBrowser(t, p.app), p.bound(t)
		b.Able = false
		b.Ask("POST", "/sign-in?owner=clark")
		list, err := p.store.Sessions(t.Context(), name, "clark")
		require.NoError(t, err)
		for _, thief := range []*backendtest.BoundBrowser{backendtest.NewBoundBrowser(t, p.app), b.Copy()} {
			for _, seal := range []string{"", "." + strings.Split(other.Binding.ID, ".")[2], ".", "." + strings.Repeat("A", 54)} {
				thief.Key, thief.Next, thief.Binding = other.Key, "", &backendtest.Instructions{}
				*thief.Binding = *other.Binding
				key := strings.Split(other.Binding.ID, ".")[1]
				thief.Binding.ID = list[0].ID + "." + key + seal
				require.Equal(t, http.StatusServiceUnavailable, thief.Refresh(true).StatusCode)
			}
		}
		time.Sleep(25 * time.Hour)
		requirePage(t, b, "//false") // it was not used
	})
}

// A thief has registered a key for a copy from before the visitor signed in. Then the copy opens nothing, and is of no use.
func Test_23_a_key_of_a_thief_keeps_no_session_in_use(t *testing.T) {
	with(t, session.Options{Backend: &backendtest.Memory{}}, func(t *testing.T, p *place) {
		b := backendtest.NewBoundBrowser(t, p.app)
		b.Able = false
		res, _ := b.Ask("POST", "/set?name=Superman")
		thief := b.Copy()
		thief.Register(res.Header.Get("Secure-Session-Registration"))
		b.Ask("POST", "/sign-in?owner=clark")
		for thief.Binding != nil {
			time.Sleep(5 * time.Hour)
			thief.Cookies = map[string]backendtest.Kept{}
			thief.Refresh(true)
		}
		requirePage(t, b, "//false")
	})
}

// Two pages that overlap bind the session to one of two keys each. The browser keeps both.
func Test_23_of_two_keys_none_is_dropped_for_the_other(t *testing.T) {
	with(t, session.Options{}, func(t *testing.T, p *place) {
		b := backendtest.NewBoundBrowser(t, p.app)
		b.Able = false
		b.Ask("POST", "/set?name=Superman")
		time.Sleep(6 * time.Minute)
		r1, r2 := b.Request("POST", "/set?name=1"), b.Request("POST", "/set?name=2")
		res1, _ := b.Send(r1)
		res2, _ := b.Send(r2)
		one, two := *b, *b
		one.Register(res1.Header.Get("Secure-Session-Registration"))
		two.Register(res2.Header.Get("Secure-Session-Registration"))
		require.Equal(t, http.StatusOK, one.Refresh(false).StatusCode)
		require.Equal(t, http.StatusOK, two.Refresh(false).StatusCode)
		page := func(names ...string) *http.Request {
			r := httptest.NewRequest("GET", "https://example.com/", nil)
			for _, n := range append([]string{name}, names...) {
				r.AddCookie(&http.Cookie{Name: n, Value: b.Cookies[n].Value})
			}
			return r
		}
		first, second := page(proofOf(&one), proofOf(&two)), page(proofOf(&two), proofOf(&one))
		for _, r := range []*http.Request{first, second} {
			b.Send(r)
			one.Refresh(false)
			two.Refresh(false)
			require.True(t, one.Binding != nil && two.Binding != nil)
		}
		for range 3 {
			time.Sleep(valid)
			one.Refresh(false)
			two.Refresh(false)
			requirePage(t, b, "2//true")
		}
	})
}

// A page in flight brings back the session from before, which began earlier.
func Test_23_an_earlier_session_ends_no_binding(t *testing.T) {
	with(t, session.Options{}, func(t *testing.T, p *place) {
		b := backendtest.NewBoundBrowser(t, p.app)
		b.Able = false
		b.Ask("POST", "/sign-in?owner=anna")
		time.Sleep(time.Hour)
		b.Able = true
		anna := b.Request("POST", "/set?name=Anna")
		b.Ask("POST", "/sign-in?owner=clark")
		b.Get("/")
		requirePage(t, b, "/clark/true")
		clark := b.Request("POST", "/set?name=Clark")
		b.Send(anna)
		require.Equal(t, http.StatusServiceUnavailable, b.Refresh(false).StatusCode)
		b.Send(clark)
		time.Sleep(2 * valid)
		requirePage(t, b, "Clark/clark/true")
	})
}

// A cookie that is nearly full from before the option was set.
func Test_23_a_session_without_room_for_a_binding_lasts_as_before(t *testing.T) {
	for _, proof := range []time.Duration{0, valid} {
		synctest.Test(t, func(t *testing.T) {
			p := &place{}
			p.open(t, session.Options{})
			for size := 3100; ; size-- {
				b := backendtest.NewBoundBrowser(t, p.app)
				if res, _ := b.Ask("POST", "/set?name="+strings.Repeat("x", size)); res.StatusCode != http.StatusOK {
					continue
				}
				p.events = nil
				p.open(t, session.Options{DeviceProof: proof})
				b.Handler = p.app
				b.Able = true
				for range 4 {
					res, _ := b.Ask("POST", "/set?name="+strings.Repeat("y", size))
					require.Equal(t, http.StatusOK, res.StatusCode)
					_, body := b.Get("/")
					require.True(t, strings.HasPrefix(body, "yyy"), body)
					time.Sleep(13 * time.Hour)
				}
				require.Empty(t, p.reasons(session.Lost))
				return
			}
		})
	}
}

func Test_23_without_the_option_there_is_no_such_page(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		b := p.bound(t)
		p.open(t, session.Options{})
		b.Handler = p.app
		require.Equal(t, http.StatusNotFound, b.Refresh(false).StatusCode)
		require.Nil(t, b.Binding)
		requirePage(t, b, "Superman//false")
	})
}

func Test_23_registering_saves_nothing_of_the_session(t *testing.T) {
	newest := []byte("the-newest-secret-is-32-bytes-long")
	everywhere(t, func(t *testing.T, p *place) {
		b := backendtest.NewBoundBrowser(t, p.app)
		b.Able = false
		res, _ := b.Ask("POST", "/set?name=Superman")
		p.open(t, session.Options{DeviceProof: valid}, newest, secret) // a page would be sealed again
		b.Handler = p.app
		registered := b.Register(res.Header.Get("Secure-Session-Registration"))
		require.Equal(t, http.StatusOK, registered.StatusCode)
		require.Len(t, registered.Header["Set-Cookie"], 1)

		bound := p.bound(t)
		unproven := bound.Copy()
		delete(unproven.Cookies, proofOf(bound))
		for _, browser := range []*backendtest.BoundBrowser{bound, unproven} {
			p.events = nil
			r := browser.Request("POST", "/dbsc/_heroes_session/register")
			res, _ := browser.Send(r)
			require.Equal(t, http.StatusBadRequest, res.StatusCode)
			require.Equal(t, []session.Reason{devicebound.AlreadyBound}, p.reasons(session.DeviceRefused))
		}
	})
}

func Test_23_registration_is_offered_once_in_a_response(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "/", nil)
		for i := range 2 { // without Handler, each Save saves
			s, err := p.store.Get(r, name)
			require.NoError(t, err)
			s.Values["n"] = i
			require.NoError(t, s.Save(r, w))
		}
		require.Len(t, w.Header()["Secure-Session-Registration"], 1)

		b := backendtest.NewBoundBrowser(t, p.app)
		status := p.ask(b, func(w http.ResponseWriter, r *http.Request, s *sessions.Session) error {
			s.Options.Domain = "example.com" // other hosts would not have the proof
			s.Values["n"] = 1
			require.NoError(t, s.Save(r, w))
			w.WriteHeader(http.StatusAccepted)
			require.Empty(t, w.Header()["Secure-Session-Registration"])
			return nil
		})
		require.Equal(t, http.StatusAccepted, status)
	})
}

func Test_23_a_session_that_only_shows_a_flash_is_not_bound(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		for key, offered := range map[string]bool{"_flash_": false, "authenticity_token": false, "name": true} {
			p.ask(backendtest.NewBoundBrowser(t, p.app), func(w http.ResponseWriter, r *http.Request, s *sessions.Session) error {
				s.Values[key] = []byte("x")
				w.WriteHeader(http.StatusOK)
				require.Equal(t, offered, w.Header().Get("Secure-Session-Registration") != "", key)
				return nil
			})
		}
	})
}

func Test_23_a_session_is_bound_once(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		b := backendtest.NewBoundBrowser(t, p.app)
		b.Ask("POST", "/set?name=Superman")
		for range 5 {
			b.Get("/")
			b.Ask("POST", "/renew")
		}
		require.Len(t, p.reasons(session.Bound), 1)
	})
}

func Test_23_a_session_that_is_offered_registration_has_room_for_it(t *testing.T) {
	with(t, session.Options{}, func(t *testing.T, p *place) {
		bound := 0
		for size := 3000; size > 2800; size-- {
			b := backendtest.NewBoundBrowser(t, p.app)
			res, _ := b.Ask("POST", "/set?name="+strings.Repeat("x", size))
			if res.StatusCode != http.StatusOK {
				continue
			}
			lost := len(p.reasons(session.Lost)) // what was too large
			b.Get("/")
			b.Get("/")
			_, body := b.Get("/")
			require.Equal(t, b.Binding != nil, strings.HasSuffix(body, "//true"), "what can be registered can be bound: %d", size)
			require.LessOrEqual(t, len(name)+len(cookieOf(b))+len("=; Path=/; Max-Age=86400; HttpOnly; Secure; SameSite=Lax"), session.MaxCookie)
			require.Empty(t, p.reasons(session.Lost)[lost:])
			if b.Binding != nil {
				bound++
			}
		}
		require.Greater(t, bound, 80)
	})
}

func Test_23_destroying_and_signing_in_ends_the_unproven_session(t *testing.T) {
	with(t, session.Options{Backend: &backendtest.Memory{}}, func(t *testing.T, p *place) {
		b := p.bound(t)
		b.Ask("POST", "/sign-in?owner=clark")
		again := b.Copy()
		delete(again.Cookies, proofOf(b))
		status := p.ask(again, func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) error {
			return errors.Join(p.store.Destroy(r, s), p.store.SignIn(r, s, "clark"))
		})
		require.Equal(t, http.StatusOK, status)
		requirePage(t, again, "/clark/false")
		requirePage(t, b, "//false")
	})
}

func Test_23_a_double_click_on_sign_in_keeps_the_binding(t *testing.T) {
	with(t, session.Options{Backend: &backendtest.Memory{}}, func(t *testing.T, p *place) {
		b := p.bound(t)
		status := p.ask(b, func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) error {
			first := b.Copy()
			first.Ask("POST", "/sign-in?owner=clark")
			time.Sleep(time.Second)
			return p.store.SignIn(r, s, "clark")
		})
		require.Equal(t, http.StatusOK, status)
		requirePage(t, b, "Superman/clark/true")
		again := *b
		again.Cookies = b.Copy().Cookies
		b.Ask("POST", "/renew")
		res, body := again.Ask("POST", "/sign-in?owner=clark") // with the token from before
		require.Equal(t, http.StatusOK, res.StatusCode, body)
		requirePage(t, &again, "Superman/clark/true")
	})
}

func Test_23_the_browser_is_told_for_which_paths_it_needs_no_proof(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		b := backendtest.NewBoundBrowser(t, p.app)
		b.Able = false
		res, _ := b.Ask("POST", "/set?name=Superman")
		challenge := strings.Split(res.Header.Get("Secure-Session-Registration"), `"`)[3]
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		r := b.Request("POST", "/dbsc/_heroes_session/register")
		r.Header.Set("Secure-Session-Response", backendtest.Sign(key, backendtest.JWK(key), challenge))
		w := httptest.NewRecorder()
		devicebound.Handler(p.store, "assets", "/files").ServeHTTP(w, r)
		require.Equal(t, http.StatusOK, w.Code, w.Body)
		require.Contains(t, w.Body.String(), `"scope":{"include_site":false,"scope_specification":[`+
			`{"type":"exclude","domain":"*","path":"/assets"},{"type":"exclude","domain":"*","path":"/files"}]}`)
		require.Contains(t, w.Body.String(), `"allowed_refresh_initiators":["*"]`)
	})
}

// Another subdomain plants a session of its own for the path on which browsers show their key.
func Test_23_a_planted_cookie_ends_no_binding(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		b, attacker := p.bound(t), backendtest.NewBoundBrowser(t, p.app)
		attacker.Able = false
		attacker.Ask("POST", "/set?name=Planted")
		b.Next = ""
		r := b.RefreshRequest(false)
		r.Header.Set("Cookie", name+"="+cookieOf(attacker)+"; "+r.Header.Get("Cookie"))
		res, _ := b.Copy().Send(r)
		require.Equal(t, http.StatusForbidden, res.StatusCode)
		require.NotEmpty(t, res.Header.Get("Secure-Session-Challenge"))

		time.Sleep(2 * time.Minute)
		r = b.RefreshRequest(false)
		r.Header.Set("Cookie", strings.Repeat(name+"="+cookieOf(attacker)+"; ", 4)+r.Header.Get("Cookie"))
		res, _ = b.Copy().Send(r)
		if p.memory == nil {
			require.Equal(t, http.StatusServiceUnavailable, res.StatusCode, "more cookies than are tried")
		}
	})
}

// The other system sets its cookie again, so another session is adopted. Its creation time comes from the other Store.
func Test_23_a_session_that_was_adopted_just_now_ends_no_binding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, err := session.New([][]byte{secret}, session.Options{})
		require.NoError(t, err)
		p := &place{}
		p.open(t, session.Options{DeviceProof: valid, Adopt: []session.Source{{Session: name, Cookie: "_old", Reader: old}}})
		b := p.bound(t)
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		s, err := old.Get(r, "_old")
		require.NoError(t, err)
		s.Values["name"] = "Old"
		require.NoError(t, s.Save(r, w))
		time.Sleep(2 * time.Minute)
		late := b.Request("POST", "/set?name=Late")
		b.Able = false
		b.Send(b.Request("POST", "/sign-out"))
		b.Cookies["_old"] = backendtest.Kept{Value: w.Result().Cookies()[0].Value}
		_, body := b.Send(b.Request("GET", "/"))
		require.Equal(t, "Old//false", body)
		require.Equal(t, http.StatusServiceUnavailable, b.Refresh(false).StatusCode)
		b.Send(late)
		time.Sleep(2 * valid)
		requirePage(t, b, "Late//true")
	})
}

// The other system's cookie leads to a session that is bound by now.
func Test_23_an_adopted_session_opens_only_with_a_proof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, err := session.New([][]byte{secret}, session.Options{})
		require.NoError(t, err)
		r := httptest.NewRequest("GET", "/", nil)
		s, err := old.Get(r, "_old")
		require.NoError(t, err)
		s.Values["name"] = "Superman"
		w := httptest.NewRecorder()
		require.NoError(t, s.Save(r, w))
		copied := w.Result().Cookies()[0].Value

		p := &place{memory: &backendtest.Memory{}}
		p.open(t, session.Options{DeviceProof: valid, Adopt: []session.Source{{Session: name, Cookie: "_old", Reader: old}}})
		b := backendtest.NewBoundBrowser(t, p.app)
		b.Cookies["_old"] = backendtest.Kept{Value: copied}
		for range 3 {
			b.Get("/")
		}
		requirePage(t, b, "Superman//true")
		time.Sleep(11 * time.Second)

		thief := backendtest.NewBoundBrowser(t, p.app)
		thief.Cookies["_old"] = backendtest.Kept{Value: copied}
		requireUnproven(t, thief)
		require.Contains(t, thief.Cookies, "_old")

		r = httptest.NewRequest("GET", "/", nil)
		s, err = old.Get(r, "_old")
		require.NoError(t, err)
		s.Values["name"] = "Batman"
		w = httptest.NewRecorder()
		require.NoError(t, s.Save(r, w))
		thief = b.Copy() // with a cookie that was not adopted yet
		delete(thief.Cookies, proofOf(b))
		thief.Cookies["_old"] = backendtest.Kept{Value: w.Result().Cookies()[0].Value}
		requireUnproven(t, thief)

		b.Cookies["_old"] = backendtest.Kept{Value: copied} // which the other system has set again
		p.events = nil
		for _, crossSite := range []bool{false, true} {
			require.Equal(t, http.StatusOK, b.Refresh(crossSite).StatusCode)
		}
		require.Empty(t, p.reasons(session.Adopted))
		requirePage(t, b, "Superman//true")
	})
}

func Test_23_an_identifier_is_bounded(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		b := p.bound(t)
		for _, long := range []int{65, 3000} {
			r := b.RefreshRequest(false)
			r.Header.Set("Sec-Secure-Session-Id", b.Binding.ID[:33]+backendtest.Base64(bytes.Repeat([]byte{1}, long)))
			r.Header.Del("Cookie")
			res, body := b.Copy().Send(r)
			require.Equal(t, http.StatusBadRequest, res.StatusCode, body)
			require.Empty(t, res.Header.Get("Secure-Session-Challenge"))
		}
		r := b.RefreshRequest(false)
		r.Header.Set("Sec-Secure-Session-Id", b.Binding.ID+strings.Repeat("A", 1000))
		res, _ := b.Copy().Send(r)
		require.Equal(t, http.StatusBadRequest, res.StatusCode)
		require.Empty(t, res.Header.Get("Secure-Session-Challenge"))
	})
}

// A session has grown since it was offered registration. It stays as it is, unless there is room again.
func Test_23_a_session_that_has_grown_too_large_for_a_binding_is_not_bound(t *testing.T) {
	with(t, session.Options{}, func(t *testing.T, p *place) {
		b := backendtest.NewBoundBrowser(t, p.app)
		b.Ask("POST", "/set?name=Superman")
		b.Get("/")
		before, kept, largest := b.Copy(), false, 0
		for size := 3100; size > 2850; size-- {
			res, _ := before.Copy().Ask("POST", "/set?name="+strings.Repeat("x", size))
			for _, line := range res.Header["Set-Cookie"] {
				largest = max(largest, len(line))
			}
			if !kept && res.StatusCode == http.StatusOK {
				b.Keep(res)
				kept = true
			}
		}
		require.LessOrEqual(t, largest, session.MaxCookie)
		require.Greater(t, largest, session.MaxCookie-16)
		p.events = nil
		for range 3 {
			res, body := b.Get("/")
			require.True(t, strings.HasPrefix(body, "xxx") && strings.HasSuffix(body, "//false"))
			for _, c := range res.Cookies() {
				require.NotEqual(t, name, c.Name, "a page that is in progress would undo changes")
			}
			time.Sleep(valid)
		}
		require.Empty(t, p.reasons(session.Lost))
		b.Ask("POST", "/set?name=Superman")
		requirePage(t, b, "Superman//true")
	})
}

func Test_23_options_that_cannot_work_are_errors(t *testing.T) {
	for want, o := range map[string]session.Options{
		"at least a second":    {DeviceProof: time.Millisecond},
		"without Domain":       {DeviceProof: valid, Domain: "example.com"},
		"with the Path /":      {DeviceProof: valid, Path: "/app"},
		"not Partitioned":      {DeviceProof: valid, Partitioned: true},
		"DeviceProof must be ": {DeviceProof: -valid},
	} {
		_, err := session.New([][]byte{secret}, o)
		require.ErrorContains(t, err, want, fmt.Sprint(o.DeviceProof))
	}
}
