// Package devicebound binds sessions to the browser's device with Device Bound Session Credentials (DBSC), a draft of the
// W3C. It is for a session.Store with Options.DeviceProof:
//
//	mux.Handle(session.DevicePath, devicebound.Handler(store, "/assets"))
//
// The browser makes a key that cannot leave the device, registers it, and proves every few minutes that it still has
// the key. It sends these requests by itself, and Handler answers them. Pages need no script. A browser without
// DBSC, or without https, never registers a key and is not affected.
//
// # Rules
//
//   - A response that saves an unbound session offers registration, at most once in five minutes. It does not if nobody is
//     signed in and the session contains only a flash, a CSRF token, or other values that can wait.
//   - The browser makes a key and registers it. With one of its next requests it proves for the first time that it has the
//     key. The response to that sets a second cookie, the proof. The first request with a proof binds the session.
//   - For Options.Grace after the binding, requests without a proof are also accepted, because they may have been sent
//     before it.
//   - Then the session opens only with a proof that is younger than Options.DeviceProof. Without one, a request
//     reads an empty session. A change is answered with 409 (session.ErrUnproven), also if the proof expires before
//     the change is saved. The session's cookie stays as it is. Any request with the session's cookie can end the
//     session. SignIn begins a new session; the bound one stays until it expires or is revoked.
//   - Renewing a session, signing in to it again, and rotating the secrets keep the binding. An old secret can be
//     removed once Options.DeviceProof has passed since a new one became the newest.
//   - Refreshing the proof counts as a use of a session on a server: it extends the idle timeout.
//   - A binding ends with its session. On a server, the browser learns of it when it next refreshes the proof. In cookies,
//     it learns of it if Options.Revoked remembers that the session was destroyed or revoked, or once the browser has had a
//     later session for a minute. Until then it keeps refreshing. These proofs open nothing.
//   - If it is uncertain whether the session has ended, for example during an outage, the answer is 503. The browser
//     keeps its key and tries again. In cookies, a cookie that another host of the domain has planted can be
//     mistaken for a later session: a name with the prefix __Host- rules that out.
//   - In cookies, a session without room for a binding, some 60 bytes, is not bound.
//   - With Options.DeviceProof of zero, a session loses its binding when it is next used, and Handler answers 404, after which a
//     browser drops its key. So all processes need the same option at the same time. Before it is set again, the
//     challenges must have expired.
//   - Another Store does not adopt a session that is bound (session.Options.Adopt).
//   - With Options.Revoked, signing in to a bound session is answered with 409 if another request has renewed or ended the
//     session meanwhile. The request can be repeated.
//
// # What a copy can do
//
// A copy of both cookies works until the proof in it expires: for Options.DeviceProof at most, plus any difference between
// the servers' clocks. Without the key, nobody can refresh the proof. Until it expires, anyone who has the copy can
// change, renew or end the session. A copy from before the binding needs no proof. On a server it stops working when
// Options.Grace after the binding is over. In a cookie, it works until the cookie expires.
//
// If a thief registers a key first, with a copy of a session that is not bound yet, the thief keeps the session. On a server
// the visitor then has to sign in again. Anyone who can run programs on the device can make it sign challenges.
//
// If the sessions are in cookies, a signed challenge can be used again for the same session until it expires:
// Options.DeviceProof and five minutes after it was made. On a server, once the session is bound, it can be used
// only once.
package devicebound

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"heroes/session"
)

// Reasons of session.DeviceRefused: why a registration or a refresh was refused.
const (
	CrossSite      session.Reason = "cross_site"      // the request came from another site
	Malformed      session.Reason = "malformed"       // the request has a body, or lacks what browsers send
	NoSession      session.Reason = "no_session"      // the session has ended, or is not bound to the key that the request names
	AlreadyBound   session.Reason = "already_bound"   // the session is bound, so no other key can be registered
	WrongKey       session.Reason = "wrong_key"       // the signature is not by the key that the session is bound to
	StaleChallenge session.Reason = "stale_challenge" // the challenge is too old, was used before, or is another session's
)

// Reasons lists all reasons of session.DeviceRefused.
var Reasons = []session.Reason{CrossSite, Malformed, NoSession, AlreadyBound, WrongKey, StaleChallenge, session.Uncertain}

// errorTexts are the bodies of the refusals. Browsers do not read them.
var errorTexts = map[session.Reason]string{
	CrossSite:      "only pages of this site can register or refresh",
	Malformed:      "this is not a DBSC request",
	NoSession:      "the session has ended, or it is not bound to this key: sign in again",
	AlreadyBound:   "the session is already bound to a device",
	WrongKey:       "the challenge was not signed with the key that the session is bound to: sign in again",
	StaleChallenge: "the challenge is not valid any more",
}

// Handler answers browsers that register a key or refresh a proof, at session.DevicePath followed by the name of the
// session's cookie and "/register" or "/refresh". It answers 404 if Options.DeviceProof is not set. It belongs
// outside CSRF middleware: it refuses cross-site requests itself. excluded lists paths, such as those of static files:
// for them and what is below, the browser does not refresh the proof first.
func Handler(store *session.Store, excluded ...string) http.Handler {
	return store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, action, found := strings.Cut(strings.Trim(strings.TrimPrefix(r.URL.Path, session.DevicePath), "/"), "/")
		if !store.BindsDevices() || !found || action != "register" && action != "refresh" || (&http.Cookie{Name: name}).Valid() != nil {
			http.NotFound(w, r)
			return
		}
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		identifier := ""
		if action == "refresh" {
			identifier = strings.Trim(r.Header.Get("Sec-Secure-Session-Id"), `"`)
		}
		b, err := store.Binding(r, name, identifier)
		if err != nil {
			fail(w, err)
			return
		}
		c := call{w, r, b, name, identifier}
		if reason := c.check(); reason != "" {
			w.Header().Set("Connection", "close") // do not wait for a body
			c.refuse(reason)
		} else if action == "register" {
			c.register(excluded)
		} else {
			c.refresh()
		}
	}), nil)
}

// A call is a request of a browser, with what is needed to answer it.
type call struct {
	w          http.ResponseWriter
	r          *http.Request
	binding    *session.Binding
	name       string // of the session's cookie
	identifier string // by which the browser knows the session; "" in a registration
}

// check returns why the request is refused, or "". A browser that does not send Sec-Fetch-Site sends Origin.
func (c call) check() session.Reason {
	header := c.r.Header
	from := header.Get("Sec-Fetch-Site")
	if from == "" {
		if origin, err := url.Parse(header.Get("Origin")); err == nil && origin.Host != "" && origin.Host == c.r.Host {
			from = "same-origin"
		}
	}
	switch {
	case from != "same-origin":
		return CrossSite
	case c.r.ContentLength != 0, len(header["Secure-Session-Response"]) > 1, len(header["Sec-Secure-Session-Id"]) > 1:
		return Malformed
	}
	return ""
}

// register answers a browser that has made a key.
func (c call) register(excluded []string) {
	t, err := parse(c.r.Header.Get("Secure-Session-Response"))
	switch {
	case c.binding.ID() == "":
		c.refuse(NoSession)
	case c.binding.Key() != "":
		c.refuse(AlreadyBound)
	case err != nil || !t.signedBy(t.key):
		c.refuse(Malformed)
	case c.binding.Register(c.w.Header(), t.challenge, t.key) != nil:
		c.refuse(StaleChallenge)
	default:
		c.instruct(t.key, excluded)
	}
}

// refresh answers a browser whose proof is about to expire.
func (c call) refresh() {
	response := c.r.Header.Get("Secure-Session-Response")
	t, err := parse(response)
	switch {
	case c.identifier == "":
		c.refuse(Malformed)
	case c.binding.Key() == "":
		c.refuse(NoSession)
	case response == "":
		c.challenge()
	case err != nil || t.key != "":
		c.refuse(Malformed)
	case !t.signedBy(c.binding.Key()):
		c.refuse(WrongKey)
	default:
		c.prove(t)
	}
}

// prove answers a browser that has signed a challenge.
func (c call) prove(t token) {
	switch err := c.binding.Prove(c.w.Header(), t.challenge); {
	case errors.Is(err, session.ErrChallenge):
		c.binding.ReportRefusal(StaleChallenge)
		c.challenge()
	case err != nil:
		fail(c.w, err)
	default:
		c.addChallenge() // for the next refresh
		c.w.WriteHeader(http.StatusOK)
	}
}

// challenge asks the browser to sign a challenge. After a 403, it repeats the request (DBSC, "Send request").
func (c call) challenge() {
	c.addChallenge()
	http.Error(c.w, errorTexts[StaleChallenge], http.StatusForbidden)
}

func (c call) addChallenge() {
	c.w.Header().Set("Secure-Session-Challenge", `"`+c.binding.Challenge()+`";id="`+c.identifier+`"`)
}

// refuse answers with a status after which the browser drops its key.
func (c call) refuse(reason session.Reason) {
	c.binding.ReportRefusal(reason)
	http.Error(c.w, errorTexts[reason], http.StatusBadRequest)
}

// fail answers with 503, so that the browser tries again, also in place of 409, after which it would drop its key. Any
// other error is a 500.
func fail(w http.ResponseWriter, err error) {
	status := session.Status(w.Header(), err)
	if status != http.StatusInternalServerError {
		status = http.StatusServiceUnavailable
	}
	http.Error(w, http.StatusText(status), status)
}

// instructions tell the browser when and where to refresh the proof (DBSC, "JSON Session Instruction Format").
type instructions struct {
	ID          string       `json:"session_identifier"`
	RefreshURL  string       `json:"refresh_url"`
	Scope       scope        `json:"scope"`
	Credentials []credential `json:"credentials"`
	Initiators  []string     `json:"allowed_refresh_initiators"`
}

type scope struct {
	IncludeSite   bool   `json:"include_site"`
	Specification []rule `json:"scope_specification,omitempty"`
}

type rule struct {
	Type   string `json:"type"`
	Domain string `json:"domain"`
	Path   string `json:"path"`
}

type credential struct {
	Type       string `json:"type"`
	Name       string `json:"name"`
	Attributes string `json:"attributes"`
}

func (c call) instruct(key string, excluded []string) {
	cookie := c.binding.Cookie(key)
	_, attributes, _ := strings.Cut(cookie.String(), "; ")
	answer := instructions{
		ID:          c.binding.Identifier(key),
		RefreshURL:  session.DevicePath + url.PathEscape(c.name) + "/refresh",
		Credentials: []credential{{"cookie", cookie.Name, attributes}},
		Initiators:  []string{"*"}, // a visitor may come by a link from any site
	}
	for _, path := range excluded {
		answer.Scope.Specification = append(answer.Scope.Specification, rule{"exclude", "*", "/" + strings.TrimPrefix(path, "/")})
	}
	c.w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(c.w).Encode(answer) // strings can be encoded, and the browser may have left
}
