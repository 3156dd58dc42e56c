package devicebound_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
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

const (
	name  = "_heroes_session"
	valid = 8 * time.Minute
)

var secret = []byte("the-new-secret-is-32-bytes-long!")

// A place is where sessions are, and the application that has them there.
type place struct {
	store  *session.Store
	memory *backendtest.Memory // nil: they are in cookies
	app    http.Handler
	events []session.Event

	options session.Options
}

// everywhere runs a test with sessions in cookies and on a server. Its time passes by itself.
func everywhere(t *testing.T, run func(*testing.T, *place)) {
	for _, where := range []string{"in cookies", "on a server"} {
		t.Run(where, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &place{}
				if where == "on a server" {
					p.memory = &backendtest.Memory{}
				}
				p.open(t, session.Options{DeviceProof: valid})
				run(t, p)
			})
		})
	}
}

// open opens the store with these options and secrets: another process.
func (p *place) open(t *testing.T, o session.Options, secrets ...[]byte) {
	if p.memory != nil {
		o.Backend = p.memory
	}
	o.OnEvent = func(_ context.Context, e session.Event) { p.events = append(p.events, e) }
	if secrets == nil {
		secrets = [][]byte{secret}
	}
	store, err := session.New(secrets, o)
	require.NoError(t, err)
	p.store, p.app, p.options = store, backendtest.BoundApp(store), o
}

// reopen opens the store with the same options and other secrets.
func (p *place) reopen(t *testing.T, secrets ...[]byte) { p.open(t, p.options, secrets...) }

// bound returns a browser whose session is bound, after the grace period.
func (p *place) bound(t *testing.T) *backendtest.BoundBrowser {
	b := backendtest.NewBoundBrowser(t, p.app)
	b.Ask("POST", "/set?name=Superman")
	requirePage(t, b, "Superman//false") // meanwhile, it shows its key for the first time
	requirePage(t, b, "Superman//true")
	time.Sleep(11 * time.Second)
	p.events = nil
	return b
}

func (p *place) reasons(kind session.EventKind) (reasons []session.Reason) {
	for _, e := range p.events {
		if e.Kind == kind {
			reasons = append(reasons, e.Reason)
		}
	}
	return reasons
}

func requirePage(t *testing.T, b *backendtest.BoundBrowser, want string) {
	t.Helper()
	res, body := b.Get("/")
	require.Equal(t, http.StatusOK, res.StatusCode, body)
	require.Equal(t, want, body)
}

// requireUnproven requires that the browser reads an empty session and cannot change it.
func requireUnproven(t *testing.T, b *backendtest.BoundBrowser) {
	t.Helper()
	res, body := b.Get("/")
	require.Equal(t, "//false", body)
	require.Empty(t, res.Header["Set-Cookie"])
	require.Empty(t, res.Header["Secure-Session-Registration"])
	for _, change := range []string{"/set?name=Thief", "/renew", "/revoke-others"} {
		res, body = b.Ask("POST", change)
		require.Equal(t, http.StatusConflict, res.StatusCode, change+": "+body)
		require.NotEmpty(t, res.Header.Get("Retry-After"))
		require.Empty(t, res.Header["Set-Cookie"], change)
	}
}

func cookieOf(b *backendtest.BoundBrowser) string { return b.Cookies[name].Value }

func proofOf(b *backendtest.BoundBrowser) string { return b.Binding.Credentials[0].Name }

func Test_23_a_visitor_continues_for_days_and_a_copy_ends_with_its_proof(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		visitor := p.bound(t)
		for range 40 {
			thief := visitor.Copy()
			requirePage(t, thief, "Superman//true")
			time.Sleep(valid)
			requireUnproven(t, thief)
			requirePage(t, visitor, "Superman//true")
			time.Sleep(2 * time.Hour)
			requireUnproven(t, thief)
			requirePage(t, visitor, "Superman//true")
		}
		require.Len(t, p.reasons(session.Proven), 80)
		require.NotContains(t, p.reasons(session.DeviceRefused), devicebound.NoSession)
	})
}

func Test_23_a_proof_is_not_accepted_a_moment_after_it_has_expired(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		visitor := p.bound(t)
		require.Equal(t, http.StatusOK, visitor.Refresh(false).StatusCode)
		kept := visitor.Cookies[proofOf(visitor)]
		require.Equal(t, valid-10*time.Second, time.Until(kept.Expires), "the browser shows the key before that")
		thief := visitor.Copy()
		kept.Expires = time.Time{}
		thief.Cookies[proofOf(visitor)] = kept
		time.Sleep(valid - time.Millisecond)
		requirePage(t, thief, "Superman//true")
		time.Sleep(time.Millisecond)
		requireUnproven(t, thief)
	})
}

func Test_23_the_cookie_alone_is_worth_nothing(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		visitor := p.bound(t)
		thief := visitor.Copy()
		delete(thief.Cookies, proofOf(visitor))
		requireUnproven(t, thief)
		require.Contains(t, p.reasons(session.Rejected), session.Unproven)
		require.Len(t, p.reasons(session.Conflict), 2)

		other := p.bound(t)
		thief.Cookies[proofOf(visitor)] = other.Cookies[proofOf(other)]
		requireUnproven(t, thief)
		requirePage(t, visitor, "Superman//true")
	})
}

func Test_23_a_browser_that_cannot_do_it_carries_on(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		b := backendtest.NewBoundBrowser(t, p.app)
		b.Able = false
		offers := 0
		for range 100 {
			res, _ := b.Ask("POST", "/set?name="+session.NewSecret()[:4])
			require.Equal(t, http.StatusOK, res.StatusCode)
			offers += len(res.Header["Secure-Session-Registration"])
			time.Sleep(time.Minute)
		}
		require.Equal(t, 20, offers, "one in five minutes")
		res, body := b.Get("/")
		require.Contains(t, body, "//false")
		require.Empty(t, res.Header["Secure-Session-Registration"], "nothing was saved")
	})
}

// A registration that is lost on the way, there or back, changes nothing. Another one is offered later.
func Test_23_a_lost_registration_locks_nobody_out(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		b := backendtest.NewBoundBrowser(t, p.app)
		b.Able = false
		res, _ := b.Ask("POST", "/set?name=Superman")
		lost := b.Copy()
		lost.Register(res.Header.Get("Secure-Session-Registration")) // the server has answered
		for range 5 {
			time.Sleep(time.Minute)
			requirePage(t, b, "Superman//false")
		}
		b.Able = true
		b.Ask("POST", "/set?name=Batman")
		require.NotNil(t, b.Binding)
		b.Get("/")
		requirePage(t, b, "Batman//true")
		time.Sleep(2 * valid)
		requirePage(t, b, "Batman//true")
		if p.memory != nil { // in a cookie, it is a copy from before the registration
			requireUnproven(t, lost)
		}
	})
}

// The browser has received the cookie of the registration, but not all that it must know, and drops the key.
func Test_23_a_registration_whose_answer_is_cut_locks_nobody_out(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		b := backendtest.NewBoundBrowser(t, p.app)
		b.Ask("POST", "/set?name=Superman")
		require.Contains(t, b.Cookies, proofOf(b))
		b.Binding, b.Key = nil, nil
		for range 100 {
			requirePage(t, b, "Superman//false")
			time.Sleep(10 * time.Second)
		}
		b.Ask("POST", "/set?name=Batman")
		b.Get("/")
		requirePage(t, b, "Batman//true")
		time.Sleep(2 * valid)
		requirePage(t, b, "Batman//true")
	})
}

// In cookies, two pages at once offer registration. The browser registers two keys and keeps both. The session stays bound
// to one of them.
func Test_23_two_keys_that_are_registered_at_once_lock_nobody_out(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		for _, second := range []bool{false, true} {
			b := backendtest.NewBoundBrowser(t, p.app)
			b.Able = false
			b.Ask("POST", "/set?name=Superman")
			time.Sleep(6 * time.Minute)
			r1, r2 := b.Request("POST", "/set?name=1"), b.Request("POST", "/set?name=2")
			res1, _ := b.Send(r1)
			res2, _ := b.Send(r2)
			offer1, offer2 := res1.Header.Get("Secure-Session-Registration"), res2.Header.Get("Secure-Session-Registration")
			require.NotEmpty(t, offer1)
			require.Equal(t, p.memory != nil, offer2 == "", "a server offers it once")
			b.Register(offer1)
			other := &backendtest.BoundBrowser{}
			if *other = *b; offer2 != "" { // the same browser, with another key
				other.Register(offer2)
			}
			b.Refresh(false)
			if second && offer2 != "" { // both are shown before a page binds the session to one of them
				other.Refresh(false)
			}
			requirePage(t, b, "2//true")
			for range 5 {
				b.Refresh(false)
				if other.Binding != nil {
					other.Refresh(false)
				}
				requirePage(t, b, "2//true")
				time.Sleep(5 * time.Minute)
			}
		}
	})
}

func Test_23_requests_in_flight_have_a_grace_period(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		b := backendtest.NewBoundBrowser(t, p.app)
		b.Ask("POST", "/set?name=Superman")
		early := b.Copy() // requests that were sent before the registration
		delete(early.Cookies, proofOf(b))
		b.Get("/")
		requirePage(t, b, "Superman//true")
		time.Sleep(9 * time.Second)
		res, body := early.Ask("POST", "/set?name=Batman")
		require.Equal(t, http.StatusOK, res.StatusCode, body)
		b.Keep(res) // in a cookie, this response brings back a session that is not bound
		requirePage(t, b, "Batman//true")
		status := p.ask(early, func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) error {
			time.Sleep(11 * time.Second)
			s.Values["name"] = "Too late"
			return nil
		})
		require.Equal(t, p.memory != nil, status == http.StatusConflict, "a cookie from before is not bound")
		late := b.Copy()
		delete(late.Cookies, proofOf(b))
		requireUnproven(t, late)
		requirePage(t, b, "Batman//true")
	})
}

// On a server, a copy from before the registration ends, too.
func Test_23_a_copy_from_before_the_registration(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		b := backendtest.NewBoundBrowser(t, p.app)
		b.Ask("POST", "/set?name=Superman")
		thief := b.Copy()
		delete(thief.Cookies, proofOf(b))
		b.Get("/")
		requirePage(t, b, "Superman//true")
		time.Sleep(11 * time.Second)
		if p.memory == nil {
			requirePage(t, thief, "Superman//false")
		} else {
			requireUnproven(t, thief)
		}
		requirePage(t, b, "Superman//true")
	})
}

// A request that began before the session was bound cannot save after the grace period, either.
func Test_23_a_slow_request_without_a_proof_saves_nothing_once_the_session_is_bound(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		if p.memory == nil {
			return // the server does not know that the session is bound
		}
		b := backendtest.NewBoundBrowser(t, p.app)
		b.Ask("POST", "/set?name=Superman")
		thief := b.Copy()
		delete(thief.Cookies, proofOf(b))
		slow := p.store.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			s, err := p.store.Get(r, name)
			require.NoError(t, err)
			b.Get("/")
			requirePage(t, b, "Superman//true")
			time.Sleep(time.Minute)
			s.Values["name"] = "Thief"
		}), nil)
		thief.Handler = slow
		res, _ := thief.Ask("POST", "/")
		require.Equal(t, http.StatusConflict, res.StatusCode)
		requirePage(t, b, "Superman//true")
	})
}

func Test_23_signing_in_begins_another_session_where_the_key_is_lost(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		visitor := p.bound(t)
		visitor.Ask("POST", "/sign-in?owner=clark")
		requirePage(t, visitor, "Superman/clark/true")
		again := visitor.Copy() // the same person, whose browser has lost its key
		delete(again.Cookies, proofOf(visitor))
		requireUnproven(t, again)
		res, body := again.Ask("POST", "/sign-in?owner=clark")
		require.Equal(t, http.StatusOK, res.StatusCode, body)
		again.Get("/")
		requirePage(t, again, "/clark/true")
		time.Sleep(2 * valid)
		requirePage(t, again, "/clark/true")
		requirePage(t, visitor, "Superman/clark/true")
	})
}

func Test_23_an_unproven_session_can_be_ended(t *testing.T) {
	for _, end := range []string{"/sign-out", "/emptied"} {
		everywhere(t, func(t *testing.T, p *place) {
			visitor := p.bound(t)
			other := visitor.Copy()
			delete(other.Cookies, proofOf(visitor))
			res, body := other.Ask("POST", end)
			require.Equal(t, http.StatusOK, res.StatusCode, body)
			require.Empty(t, other.Cookies[name])
			requirePage(t, other, "//false")
			if p.memory != nil {
				requirePage(t, visitor, "//false")
			}
			other.Ask("POST", "/set?name=Batman")
			other.Get("/")
			requirePage(t, other, "Batman//true")
		})
	}
}

func Test_23_renewing_and_signing_in_keep_the_binding(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		visitor := p.bound(t)
		for _, path := range []string{"/renew", "/sign-in?owner=clark", "/sign-in?owner=clark", "/renew"} {
			binding, old := visitor.Binding, visitor.Copy()
			res, body := visitor.Ask("POST", path)
			require.Equal(t, http.StatusOK, res.StatusCode, body)
			require.Empty(t, res.Header["Secure-Session-Registration"])
			time.Sleep(2 * valid)
			_, body = visitor.Get("/")
			require.True(t, strings.HasPrefix(body, "Superman/") && strings.HasSuffix(body, "/true"), body)
			require.Same(t, binding, visitor.Binding)
			_, body = old.Get("/")
			require.Equal(t, "//false", body)
		}
		require.NotContains(t, p.reasons(session.DeviceRefused), devicebound.NoSession)
		visitor.Ask("POST", "/sign-in?owner=bruce") // another person: another session
		visitor.Get("/")
		requirePage(t, visitor, "/bruce/true")
	})
}

// The browser may show its key with the token from before a renewal, or without any cookie.
func Test_23_the_key_can_be_shown_during_a_renewal_and_after_a_link_from_another_site(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		visitor := p.bound(t)
		before := visitor.Cookies[name]
		visitor.Ask("POST", "/renew")
		after := visitor.Cookies[name]
		visitor.Cookies[name] = before
		require.Equal(t, http.StatusOK, visitor.Refresh(false).StatusCode)
		visitor.Cookies[name] = after
		requirePage(t, visitor, "Superman//true")
		time.Sleep(valid)
		require.Equal(t, http.StatusOK, visitor.Refresh(true).StatusCode)
		require.True(t, visitor.Cookies[proofOf(visitor)].Expires.After(time.Now()))
		requirePage(t, visitor, "Superman//true")
	})
}

func Test_23_a_session_that_has_ended_ends_the_binding(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		visitor := p.bound(t)
		proof, binding := proofOf(visitor), visitor.Binding
		res, _ := visitor.Ask("POST", "/sign-out")
		if p.memory != nil {
			require.Len(t, res.Header["Set-Cookie"], 2)
			require.Contains(t, res.Header["Set-Cookie"][1], proof+"=; Path=/; Max-Age=0")
		}
		visitor.Ask("POST", "/set?name=Batman")
		require.NotSame(t, binding, visitor.Binding)
		visitor.Get("/")
		requirePage(t, visitor, "Batman//true")
		old := visitor.Copy()
		old.Binding, old.Key = binding, visitor.Key
		time.Sleep(61 * time.Second)
		require.Equal(t, http.StatusBadRequest, old.Refresh(false).StatusCode)
		require.Equal(t, []session.Reason{devicebound.NoSession}, p.reasons(session.DeviceRefused)[len(p.reasons(session.DeviceRefused))-1:])
		time.Sleep(2 * valid)
		requirePage(t, visitor, "Batman//true")
	})
}

// What a browser still has of an earlier session does not get in the way, even without the session's cookie.
func Test_23_the_binding_of_an_earlier_session_replaces_no_proof(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		visitor := p.bound(t)
		old := *visitor
		visitor.Binding = nil // the browser has both
		visitor.Ask("POST", "/sign-out")
		visitor.Ask("POST", "/set?name=Batman")
		visitor.Get("/")
		requirePage(t, visitor, "Batman//true")
		time.Sleep(time.Minute)
		old.Refresh(true)
		requirePage(t, visitor, "Batman//true")
	})
}

func Test_23_an_outage_is_503_and_the_browser_keeps_the_binding(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		if p.memory == nil {
			return // nothing can be out of reach
		}
		visitor := p.bound(t)
		time.Sleep(2 * valid)
		p.memory.SetDown(true)
		for _, crossSite := range []bool{false, true} {
			require.Equal(t, http.StatusServiceUnavailable, visitor.Refresh(crossSite).StatusCode)
		}
		res, _ := visitor.Get("/")
		require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
		p.memory.SetDown(false)
		requirePage(t, visitor, "Superman//true")
		require.Len(t, p.reasons(session.Unreachable), 5)
	})
}

// Replies are lost, and the browser tries again: nobody is locked out, and nothing is lost.
func Test_23_lost_replies_lock_nobody_out(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for every := int64(2); every < 7; every++ {
			store, err := session.New([][]byte{secret}, session.Options{DeviceProof: valid, OnEvent: func(context.Context, session.Event) {},
				Backend: backendtest.Lossy(&backendtest.Memory{}, every)})
			require.NoError(t, err)
			b := backendtest.NewBoundBrowser(t, backendtest.BoundApp(store))
			for res, _ := b.Ask("POST", "/set?name=Superman"); res.StatusCode != http.StatusOK; {
				res, _ = b.Ask("POST", "/set?name=Superman")
			}
			for range 100 {
				time.Sleep(valid)
				tries := 0
				res, body := b.Get("/")
				for ; tries < 10 && (res.StatusCode != http.StatusOK || body == "//false"); tries++ {
					res, body = b.Get("/")
				}
				require.Equal(t, "Superman//true", body)
				require.Less(t, tries, 10)
				require.NotNil(t, b.Binding)
			}
		}
	})
}

func Test_23_after_a_rotation_the_binding_is_kept(t *testing.T) {
	newest := []byte("the-newest-secret-is-32-bytes-long")
	everywhere(t, func(t *testing.T, p *place) {
		visitor := p.bound(t)
		p.open(t, session.Options{DeviceProof: valid}, newest, secret)
		visitor.Handler = p.app
		requirePage(t, visitor, "Superman//true")
		time.Sleep(valid)
		requirePage(t, visitor, "Superman//true")
		p.open(t, session.Options{DeviceProof: valid}, newest)
		visitor.Handler = p.app
		requirePage(t, visitor, "Superman//true")
		time.Sleep(2 * valid)
		requirePage(t, visitor, "Superman//true")
		time.Sleep(2 * valid)
		require.Equal(t, http.StatusOK, visitor.Refresh(true).StatusCode)
		requirePage(t, visitor, "Superman//true")
	})
}

func Test_23_without_the_option_sessions_are_no_longer_bound(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		visitor := p.bound(t)
		time.Sleep(2 * valid)
		p.open(t, session.Options{})
		without := visitor.Copy()
		without.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.app.ServeHTTP(w, r) })
		requirePage(t, without, "Superman//false")
		p.open(t, session.Options{DeviceProof: valid})
		requirePage(t, without, "Superman//false")
	})
}

func Test_23_a_bound_session_is_not_adopted(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		visitor := p.bound(t)
		old := p.store
		p.open(t, session.Options{DeviceProof: valid, Adopt: []session.Source{{Session: "_new", Cookie: name, Reader: old}}})
		r := visitor.Request("GET", "/")
		s, err := p.store.Get(r, "_new")
		require.NoError(t, err)
		require.Empty(t, s.Values)
		require.Len(t, p.reasons(session.NotAdopted), 1)
	})
}

func Test_23_the_browser_says_why_it_has_not_shown_its_key(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		visitor := p.bound(t)
		for said, want := range map[string]session.Reason{
			`quota_exceeded;session_identifier="x"`: session.SkippedQuota,
			"unreachable":                           session.SkippedUnreachable,
			"server_error":                          session.SkippedError,
			"refused\n":                             session.Unproven,
			"":                                      session.Unproven,
		} {
			p.events = nil
			r := visitor.Request("GET", "/")
			r.Header.Set("Cookie", name+"="+cookieOf(visitor))
			r.Header.Set("Secure-Session-Skipped", said)
			visitor.Copy().Send(r)
			require.Equal(t, []session.Reason{want}, p.reasons(session.Rejected))
		}
	})
}

// An attempt is a request that no browser sends, or that comes from the wrong place.
type attempt struct {
	t       *testing.T
	p       *place
	visitor *backendtest.BoundBrowser // whose session is bound
	other   *backendtest.BoundBrowser // the same, of somebody else
	fresh   *backendtest.BoundBrowser // whose session can be bound
	offer   string                    // the challenge to do so
	key     *ecdsa.PrivateKey         // a thief's

	r               *http.Request
	header, payload map[string]any
	signer          *ecdsa.PrivateKey
	token           string // instead of what follows from the three above
}

// challenge returns one to show a browser's key.
func (a *attempt) challenge(b *backendtest.BoundBrowser) string {
	res, _ := b.Copy().Send(b.RefreshRequest(false))
	require.Equal(a.t, http.StatusForbidden, res.StatusCode)
	text := strings.TrimPrefix(res.Header.Get("Secure-Session-Challenge"), `"`)
	text, _, _ = strings.Cut(text, `"`)
	return text
}

func (a *attempt) jwk() map[string]any { return a.header["jwk"].(map[string]any) }

const (
	refused = http.StatusBadRequest
	asked   = http.StatusForbidden // to answer another challenge

	// notHere is refused on a server. In cookies, nobody knows which session the browser will have.
	notHere = http.StatusServiceUnavailable
)

type attack struct {
	what   string
	status int
	change func(*attempt)
}

// registrations are attempts to register a key for a session that is not bound.
var registrations = []attack{
	{"no token", refused, func(a *attempt) { a.token = "" }},
	{"a token of two parts", refused, func(a *attempt) { a.token = "e30.e30" }},
	{"a token of four parts", refused, func(a *attempt) { a.token = a.sign() + ".e30" }},
	{"a token of 5 KB", refused, func(a *attempt) { a.payload["x"] = strings.Repeat("x", 5000) }},
	{"two tokens", refused, func(a *attempt) { a.r.Header.Add("Secure-Session-Response", a.sign()) }},
	{"padding", refused, func(a *attempt) { a.token = a.sign() + "==" }},
	{"a line break in the signature", refused, func(a *attempt) { a.token = a.sign() + "\n" }},
	{"a header that is no JSON", refused, func(a *attempt) {
		a.token = backendtest.SignParts(a.key, "{", map[string]any{"jti": a.offer})
	}},
	{"a header that is a list", refused, func(a *attempt) {
		a.token = backendtest.SignParts(a.key, "[]", map[string]any{"jti": a.offer})
	}},
	{"a payload that is no JSON", refused, func(a *attempt) { a.token = backendtest.SignParts(a.key, a.header, "x") }},
	{"alg none, without a signature", refused, func(a *attempt) {
		a.header["alg"] = "none"
		a.token = a.sign()[:strings.LastIndex(a.sign(), ".")+1]
	}},
	{"alg none", refused, func(a *attempt) { a.header["alg"] = "none" }},
	{"alg HS256", refused, func(a *attempt) { a.header["alg"] = "HS256" }},
	{"alg RS256", refused, func(a *attempt) { a.header["alg"] = "RS256" }},
	{"alg ES384", refused, func(a *attempt) { a.header["alg"] = "ES384" }},
	{"alg in lower case", refused, func(a *attempt) { a.header["alg"] = "es256" }},
	{"no alg", refused, func(a *attempt) { delete(a.header, "alg") }},
	{"no typ", refused, func(a *attempt) { delete(a.header, "typ") }},
	{"typ JWT", refused, func(a *attempt) { a.header["typ"] = "JWT" }},
	{"a critical extension", refused, func(a *attempt) { a.header["crit"] = []string{"exp"} }},
	{"no key", refused, func(a *attempt) { delete(a.header, "jwk") }},
	{"a key of null", refused, func(a *attempt) { a.header["jwk"] = nil }},
	{"an RSA key", refused, func(a *attempt) { a.jwk()["kty"] = "RSA" }},
	{"another curve", refused, func(a *attempt) { a.jwk()["crv"] = "P-384" }},
	{"a coordinate of 31 bytes", refused, func(a *attempt) { a.jwk()["x"] = backendtest.Base64(make([]byte, 31)) }},
	{"a coordinate of 33 bytes", refused, func(a *attempt) {
		a.jwk()["x"] = backendtest.Base64(append([]byte{0}, a.key.X.FillBytes(make([]byte, 32))...))
	}},
	{"a coordinate beyond the field", refused, func(a *attempt) {
		a.jwk()["x"] = backendtest.Base64([]byte(strings.Repeat("\xff", 32)))
	}},
	{"a point that is not on the curve", refused, func(a *attempt) { a.jwk()["y"] = a.jwk()["x"] }},
	{"the point at infinity", refused, func(a *attempt) {
		a.jwk()["x"], a.jwk()["y"] = backendtest.Base64(make([]byte, 32)), backendtest.Base64(make([]byte, 32))
	}},
	{"a signature of 63 bytes", refused, func(a *attempt) { a.token = a.cut(63) }},
	{"a signature of 65 bytes", refused, func(a *attempt) { a.token = a.cut(65) }},
	{"a signature of zeros", refused, func(a *attempt) {
		a.token = a.sign()[:strings.LastIndex(a.sign(), ".")+1] + backendtest.Base64(make([]byte, 64))
	}},
	{"a signature in DER", refused, func(a *attempt) {
		der, err := ecdsa.SignASN1(rand.Reader, a.key, make([]byte, 32))
		require.NoError(a.t, err)
		a.token = a.sign()[:strings.LastIndex(a.sign(), ".")+1] + backendtest.Base64(der)
	}},
	{"a signature by another key", refused, func(a *attempt) { a.signer = a.visitor.Key }},
	{"a header that was changed afterwards", refused, func(a *attempt) {
		a.header["x"] = 1
		signed := strings.Split(a.sign(), ".")
		delete(a.header, "x")
		a.token = strings.Split(a.sign(), ".")[0] + "." + signed[1] + "." + signed[2]
	}},
	{"no challenge", refused, func(a *attempt) { delete(a.payload, "jti") }},
	{"a challenge of one's own", refused, func(a *attempt) { a.payload["jti"] = session.NewSecret() }},
	{"a challenge that was changed", refused, func(a *attempt) { a.payload["jti"] = "B" + a.offer[1:] }},
	{"an old challenge", refused, func(a *attempt) { time.Sleep(5 * time.Minute) }},
	{"a challenge to show a key again", refused, func(a *attempt) { a.payload["jti"] = a.challenge(a.visitor) }},
	{"a challenge of another session", refused, func(a *attempt) { a.r.Header.Set("Cookie", a.second().Header.Get("Cookie")) }},
	{"a challenge of another cookie's name", http.StatusBadRequest, func(a *attempt) { a.r.URL.Path = "/dbsc/_other/register" }},
	{"no session", refused, func(a *attempt) { a.r.Header.Del("Cookie") }},
	{"a session that is bound", refused, func(a *attempt) { a.r.Header.Set("Cookie", a.visitor.Request("GET", "/").Header.Get("Cookie")) }},
	{"a bound session without its proof", refused, func(a *attempt) { a.r.Header.Set("Cookie", name+"="+cookieOf(a.visitor)) }},
	{"a session that has ended", refused, func(a *attempt) {
		if a.p.memory == nil {
			a.r.Header.Del("Cookie") // the browser has no other
			return
		}
		a.fresh.Copy().Ask("POST", "/sign-out")
	}},
	{"another site", refused, func(a *attempt) { a.r.Header.Set("Sec-Fetch-Site", "cross-site") }},
	{"another host of the site", refused, func(a *attempt) { a.r.Header.Set("Sec-Fetch-Site", "same-site") }},
	{"another origin", refused, func(a *attempt) {
		a.r.Header.Del("Sec-Fetch-Site")
		a.r.Header.Set("Origin", "https://example.org")
	}},
	{"no origin", refused, func(a *attempt) {
		a.r.Header.Del("Sec-Fetch-Site")
		a.r.Header.Del("Origin")
	}},
	{"a body", refused, func(a *attempt) { a.r.ContentLength = 1 }},
	{"a body in chunks", refused, func(a *attempt) { a.r.ContentLength = -1 }},
	{"GET", http.StatusMethodNotAllowed, func(a *attempt) { a.r.Method = "GET" }},
	{"a path of no route", http.StatusNotFound, func(a *attempt) { a.r.URL.Path = "/dbsc/_heroes_session/forget" }},
	{"a name that no cookie has", http.StatusNotFound, func(a *attempt) { a.r.URL.Path = "/dbsc/a b/register" }},
}

// showings are attempts to show a key again.
var showings = []attack{
	{"no identifier", refused, func(a *attempt) { a.r.Header.Del("Sec-Secure-Session-Id") }},
	{"another's identifier", notHere, func(a *attempt) { a.r.Header.Set("Sec-Secure-Session-Id", a.other.Binding.ID) }},
	{"another's cookies", refused, func(a *attempt) {
		a.r.Header.Set("Cookie", a.other.Request("GET", "/").Header.Get("Cookie"))
		if a.p.memory != nil { // a server does not look at them
			a.signer = a.other.Key
		}
	}},
	{"an ID without a key, and no cookie", refused, func(a *attempt) {
		a.r.Header.Set("Sec-Secure-Session-Id", a.visitor.Binding.ID[:32])
		a.r.Header.Del("Cookie")
	}},
	{"another's ID with one's own key", notHere, func(a *attempt) {
		a.r.Header.Set("Sec-Secure-Session-Id", a.other.Binding.ID[:32]+a.visitor.Binding.ID[32:])
	}},
	{"one's own ID with another key", notHere, func(a *attempt) {
		a.r.Header.Set("Sec-Secure-Session-Id", a.visitor.Binding.ID[:32]+a.other.Binding.ID[32:])
		a.signer = a.other.Key
	}},
	{"a key that is none", notHere, func(a *attempt) {
		a.r.Header.Set("Sec-Secure-Session-Id", a.visitor.Binding.ID[:32]+".AAAA")
	}},
	{"an identifier that is none", refused, func(a *attempt) { a.r.Header.Set("Sec-Secure-Session-Id", "x") }},
	{"two identifiers", refused, func(a *attempt) { a.r.Header.Add("Sec-Secure-Session-Id", a.other.Binding.ID) }},
	{"a key", refused, func(a *attempt) { a.header["jwk"] = backendtest.JWK(a.visitor.Key) }},
	{"the thief's key, beside its signature", refused, func(a *attempt) {
		a.header["jwk"], a.signer = backendtest.JWK(a.key), a.key
	}},
	{"the thief's signature", refused, func(a *attempt) { a.signer = a.key }},
	{"another's signature", refused, func(a *attempt) { a.signer = a.other.Key }},
	{"another's challenge", asked, func(a *attempt) { a.payload["jti"] = a.challenge(a.other) }},
	{"a challenge to register", asked, func(a *attempt) { a.payload["jti"] = a.offer }},
	{"the proof as the challenge", asked, func(a *attempt) { a.payload["jti"] = a.visitor.Cookies[proofOf(a.visitor)].Value }},
	{"an old challenge", asked, func(a *attempt) { time.Sleep(valid + 5*time.Minute) }},
	{"no token", asked, func(a *attempt) { a.token = "" }},
	{"alg none", refused, func(a *attempt) { a.header["alg"] = "none" }},
	{"alg RS256", refused, func(a *attempt) { a.header["alg"] = "RS256" }},
	{"another site", refused, func(a *attempt) { a.r.Header.Set("Sec-Fetch-Site", "cross-site") }},
	{"a session that is not bound", refused, func(a *attempt) {
		a.r.Header.Set("Cookie", a.fresh.Request("GET", "/").Header.Get("Cookie"))
		a.r.Header.Set("Sec-Secure-Session-Id", a.id(a.fresh))
		a.token = ""
	}},
}

func (a *attempt) sign() string { return backendtest.SignParts(a.signer, a.header, a.payload) }

// cut returns a token whose signature has that many bytes.
func (a *attempt) cut(size int) string {
	token := a.sign()
	return token[:strings.LastIndex(token, ".")+1] + backendtest.Base64(append(make([]byte, 64), 0)[:size])
}

// id returns the ID of the browser's session.
func (a *attempt) id(b *backendtest.BoundBrowser) string {
	r := b.Request("GET", "/")
	s, err := a.p.store.Get(r, name)
	require.NoError(a.t, err)
	return a.p.store.Info(r, s).ID
}

// second returns a request with another session that can be bound.
func (a *attempt) second() *http.Request {
	b := backendtest.NewBoundBrowser(a.t, a.p.app)
	b.Able = false
	b.Ask("POST", "/set?name=Second")
	return b.Request("GET", "/")
}

func Test_23_attacks_are_refused_and_disturb_nobody(t *testing.T) {
	require.GreaterOrEqual(t, len(registrations)+len(showings), 40)
	everywhere(t, func(t *testing.T, p *place) {
		for i, attack := range append(registrations[:len(registrations):len(registrations)], showings...) {
			a := &attempt{t: t, p: p, visitor: p.bound(t), other: p.bound(t), fresh: backendtest.NewBoundBrowser(t, p.app)}
			a.fresh.Able = false
			time.Sleep(time.Minute)
			res, _ := a.fresh.Ask("POST", "/set?name=Fresh")
			_, offer, _ := strings.Cut(res.Header.Get("Secure-Session-Registration"), `challenge="`)
			a.offer = strings.TrimSuffix(offer, `"`)
			a.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			a.token = "-"
			a.header = map[string]any{"alg": "ES256", "typ": "dbsc+jwt"}
			if i < len(registrations) {
				a.r, a.signer = a.fresh.Request("POST", "/dbsc/_heroes_session/register"), a.key
				a.header["jwk"], a.payload = backendtest.JWK(a.key), map[string]any{"jti": a.offer}
			} else {
				a.r, a.signer = a.visitor.RefreshRequest(false), a.visitor.Key
				a.payload = map[string]any{"jti": a.challenge(a.visitor)}
			}
			p.events = nil
			attack.change(a)
			if a.token == "-" {
				a.token = a.sign()
			}
			if a.token != "" {
				a.r.Header.Add("Secure-Session-Response", a.token)
			}
			w := httptest.NewRecorder()
			p.app.ServeHTTP(w, a.r)
			want := attack.status
			if want == notHere && p.memory != nil {
				want = refused
			}
			require.Equal(t, want, w.Code, "%s: %s", attack.what, w.Body)
			require.Empty(t, w.Header()["Set-Cookie"], attack.what)
			if want == refused {
				require.Len(t, p.reasons(session.DeviceRefused), 1, attack.what)
			}
			requirePage(t, a.visitor, "Superman//true")
			requirePage(t, a.other, "Superman//true")
		}
	})
}

// A thief makes an identifier of the visitor's session and a key of his own. He may receive a proof, and it opens nothing.
func Test_23_an_identifier_with_another_key_opens_nothing(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		visitor := p.bound(t)
		thief := p.bound(t)
		thief.Binding.ID = visitor.Binding.ID[:32] + thief.Binding.ID[32:]
		thief.Cookies = map[string]backendtest.Kept{name: visitor.Cookies[name]}
		if p.memory == nil {
			require.Equal(t, http.StatusServiceUnavailable, thief.Copy().Show(thief, false).StatusCode, "with the visitor's cookie")
		}
		res := thief.Copy().Show(thief, true)
		if p.memory != nil {
			require.Equal(t, http.StatusBadRequest, res.StatusCode)
		} else {
			require.Equal(t, http.StatusOK, res.StatusCode)
		}
		thief.Keep(res)
		thief.Binding = nil
		requireUnproven(t, thief)
		requirePage(t, visitor, "Superman//true")
	})
}

// Nothing of the table above depends on a mistake in it: the same requests are accepted unchanged.
func Test_23_what_the_attacks_begin_with_is_accepted(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		b := backendtest.NewBoundBrowser(t, p.app)
		b.Ask("POST", "/set?name=Superman")
		require.NotNil(t, b.Binding)
		require.Equal(t, http.StatusOK, b.Refresh(false).StatusCode)
		requirePage(t, b, "Superman//true")

		quoted := b.RefreshRequest(false) // as in the draft
		quoted.Header.Set("Sec-Secure-Session-Id", `"`+b.Binding.ID+`"`)
		res, _ := b.Send(quoted)
		challenge := strings.Split(res.Header.Get("Secure-Session-Challenge"), `"`)[1]
		quoted = b.RefreshRequest(false)
		token := backendtest.SignParts(b.Key, map[string]any{"alg": "ES256", "typ": "dbsc+jwt"},
			map[string]any{"jti": challenge, "aud": "https://example.com", "iat": 1, "key": map[string]any{"kty": "EC"}}) // as of other browsers
		quoted.Header.Set("Secure-Session-Response", `"`+token+`"`)
		res, body := b.Send(quoted)
		require.Equal(t, http.StatusOK, res.StatusCode, body)

		again := b.RefreshRequest(false)
		again.Header.Set("Secure-Session-Response", token)
		res, _ = b.Send(again)
		if p.memory == nil {
			require.Equal(t, http.StatusOK, res.StatusCode, "until it expires, nobody remembers it")
		} else {
			require.Equal(t, http.StatusForbidden, res.StatusCode)
			require.Equal(t, []session.Reason{devicebound.StaleChallenge}, p.reasons(session.DeviceRefused))
		}
	})
}

func Test_23_instructions_are_what_browsers_expect(t *testing.T) {
	everywhere(t, func(t *testing.T, p *place) {
		b := backendtest.NewBoundBrowser(t, p.app)
		b.Able = false
		res, _ := b.Ask("POST", "/set?name=Superman")
		offer := res.Header.Get("Secure-Session-Registration")
		b.OnShow = func(res *http.Response) {
			require.Equal(t, "application/json", res.Header.Get("Content-Type"))
			require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
			require.Empty(t, res.Header.Get("Secure-Session-Challenge"))
			set := res.Cookies()
			require.Len(t, set, 1)
			require.Equal(t, "/", set[0].Path)
			require.Equal(t, 28, set[0].MaxAge, "the browser shows its key soon")
			require.NotContains(t, set[0].Value, "A", "and this is no proof")
			require.True(t, set[0].Secure && set[0].HttpOnly && set[0].SameSite == http.SameSiteNoneMode)
			require.True(t, strings.HasPrefix(set[0].Name, "__Host-_heroes_session_proof_"), set[0].Name)
		}
		b.Register(offer)
		b.OnShow = nil
		require.Equal(t, http.StatusOK, b.Refresh(false).StatusCode)
		require.InDelta(t, 470, time.Until(b.Cookies[proofOf(b)].Expires).Seconds(), 1)
		require.Equal(t, "/dbsc/_heroes_session/refresh", b.Binding.RefreshURL)
		require.Equal(t, "Path=/; HttpOnly; Secure; SameSite=None", b.Binding.Credentials[0].Attributes)
		require.Len(t, b.Binding.ID, 185)
	})
}
