// Package devicebound lets browsers show that a session's cookie has not left its device (Device Bound Session
// Credentials, DBSC, a draft of the W3C). It is for a session.Store with Options.DeviceProof:
//
//	mux.Handle(session.DevicePath, devicebound.Handler(store, "/assets"))
//
// The browser makes a key that cannot leave the device, registers it, and signs a challenge with it every few
// minutes. For that it sends requests of its own, which Handler answers: pages need no script. A browser that
// cannot do that, or is not connected by https, never registers a key and notices nothing.
//
// # Rules
//
//   - A response that saves an unbound session offers registration, at most once in five minutes. The browser makes a
//     key, registers it, and shows it for the first time with one of the next requests. That sets the proof, a second
//     cookie. The next request, which has the proof, binds the session.
//   - For Options.Grace after that, requests without a proof are accepted as well, because they may have been sent before.
//   - Then the session opens only with a proof that is younger than Options.DeviceProof. Without one, a request
//     reads an empty session, a change is answered with 409 (session.ErrUnproven), and the session's cookie stays
//     as it is. Such a request can end the session. SignIn begins another one. A change also needs a proof that is still
//     valid when it is saved.
//   - Renewing a session, signing in to it again, and rotating the secrets keep the binding. A secret can be
//     dropped once Options.DeviceProof has passed since another became the newest.
//   - A binding ends with its session. The browser is told so when it next shows the key. If sessions are in cookies,
//     and the visitor has no other session yet, it goes on showing the key, which is of no use.
//   - While it is not certain whether the session has ended, such as while the sessions cannot be reached, the answer is 503.
//     The browser keeps the key, and shows it later.
//   - If Options.DeviceProof is set to zero, each session that is used is no longer bound. All processes need the same
//     option at the same time: one without it answers 404, after which a browser drops its key.
//   - A session that another Store has bound is not adopted: see session.Options.Adopt.
//   - With Options.Revoked, a sign-in to a bound session is answered with 409 if another request has renewed the session.
//
// # What a copy can do
//
// A copy of both cookies works until the copied proof expires: Options.DeviceProof at most, plus what the clocks of
// the servers differ by. It cannot be renewed without the key. Whoever has it can renew or end the session in that time:
// then the visitor has to sign in again. A copy from before the session was bound can be used
// until then; in a cookie, until it expires. Whoever can run programs on the device can have
// it sign challenges.
//
// If the sessions are in cookies, a signed challenge can be used again for the same session until it expires:
// Options.DeviceProof and five minutes after it was made. On a server it cannot be used again.
package devicebound

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"heroes/session"
)

// Why a browser could not register or show a key, in session.Event.
const (
	CrossSite session.Reason = "cross_site" // the request came from another site
	Malformed session.Reason = "malformed"  // it has a body, or not the header fields that browsers send
	NoSession session.Reason = "no_session" // its session has ended, or is not bound to a device
	IsBound   session.Reason = "is_bound"   // its session is bound already, so no other key can be registered
	WrongKey  session.Reason = "wrong_key"  // the challenge was signed with another key
	Challenge session.Reason = "challenge"  // the challenge is too old, was used before, or is another session's
)

// Reasons are all of them.
var Reasons = []session.Reason{CrossSite, Malformed, NoSession, IsBound, WrongKey, Challenge}

// errorTexts are the answers for people who read them.
var errorTexts = map[session.Reason]string{
	CrossSite: "a device's key can only be shown from this site",
	Malformed: "this is not a request of a browser that shows a device's key",
	NoSession: "the session has ended, or it is not bound to a device: sign in again",
	IsBound:   "the session is already bound to a device",
	WrongKey:  "the session is bound to another device: sign in again",
	Challenge: "the challenge is not valid any more: answer the new one",
}

// Handler answers browsers that register or show a device's key. It serves session.DevicePath and what is below.
// It belongs outside middleware that expects a token against cross-site requests: it refuses these itself. The browser
// sends requests for the excluded paths without showing the key first: those of files, which need no session.
func Handler(store *session.Store, excluded ...string) http.Handler {
	return store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, action, found := strings.Cut(strings.Trim(strings.TrimPrefix(r.URL.Path, session.DevicePath), "/"), "/")
		if !found || action != "register" && action != "refresh" || (&http.Cookie{Name: name}).Valid() != nil {
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
		e := exchange{w, r, b, excluded, identifier}
		if reason := e.check(); reason != "" {
			e.refuse(http.StatusBadRequest, reason)
		} else if action == "register" {
			e.register(name)
		} else {
			e.refresh()
		}
	}), nil)
}

// An exchange is a request and what is needed to answer it.
type exchange struct {
	w        http.ResponseWriter
	r        *http.Request
	binding  *session.Binding
	excluded []string

	identifier string // by which the browser knows the session
}

// check returns why the request must not be answered.
func (e exchange) check() session.Reason {
	header := e.r.Header
	from := header.Get("Sec-Fetch-Site")
	if from == "" {
		if origin, err := url.Parse(header.Get("Origin")); err == nil && origin.Host != "" && origin.Host == e.r.Host {
			from = "same-origin"
		}
	}
	switch {
	case from != "same-origin":
		return CrossSite
	case e.r.ContentLength != 0, len(header["Secure-Session-Response"]) > 1, len(header["Sec-Secure-Session-Id"]) > 1:
		e.w.Header().Set("Connection", "close") // do not wait for the body
		return Malformed
	}
	return ""
}

// register answers a browser that has made a key.
func (e exchange) register(name string) {
	if e.binding.ID() == "" {
		e.refuse(http.StatusBadRequest, NoSession)
		return
	}
	if e.binding.Key() != "" {
		e.refuse(http.StatusBadRequest, IsBound)
		return
	}
	t, err := parse(e.r.Header.Get("Secure-Session-Response"))
	if err != nil || !t.signedBy(t.key) {
		e.refuse(http.StatusBadRequest, Malformed)
		return
	}
	if e.binding.Register(e.w.Header(), t.challenge, t.key) != nil {
		e.refuse(http.StatusBadRequest, Challenge)
		return
	}
	e.instruct(name, t.key)
}

// refresh answers a browser that is to show its key again.
func (e exchange) refresh() {
	if e.identifier == "" {
		e.refuse(http.StatusBadRequest, Malformed)
		return
	}
	if e.binding.Key() == "" {
		e.refuse(http.StatusBadRequest, NoSession)
		return
	}
	response := e.r.Header.Get("Secure-Session-Response")
	if response == "" {
		e.challenge()
		return
	}
	t, err := parse(response)
	if err != nil || t.key != "" {
		e.refuse(http.StatusBadRequest, Malformed)
		return
	}
	if !t.signedBy(e.binding.Key()) {
		e.refuse(http.StatusBadRequest, WrongKey)
		return
	}
	switch err := e.binding.Prove(e.w.Header(), t.challenge); {
	case errors.Is(err, session.ErrChallenge):
		e.binding.Refuse(Challenge)
		e.challenge()
	case err != nil:
		fail(e.w, err)
	default:
		e.addChallenge() // for the next time
		e.w.WriteHeader(http.StatusOK)
	}
}

// challenge asks the browser to sign a challenge.
func (e exchange) challenge() {
	e.addChallenge()
	http.Error(e.w, errorTexts[Challenge], http.StatusForbidden)
}

func (e exchange) addChallenge() {
	e.w.Header().Set("Secure-Session-Challenge", `"`+e.binding.Challenge()+`";id="`+e.identifier+`"`)
}

// refuse answers what makes the browser give up.
func (e exchange) refuse(status int, reason session.Reason) {
	e.binding.Refuse(reason)
	http.Error(e.w, errorTexts[reason], status)
}

// fail answers an error of the session: 503, after which the browser tries again, while the sessions cannot
// be reached.
func fail(w http.ResponseWriter, err error) {
	status := session.Status(w.Header(), err)
	if status != http.StatusInternalServerError { // the browser gives up after 409
		status = http.StatusServiceUnavailable
	}
	http.Error(w, http.StatusText(status), status)
}

// instructions tell the browser when to show its key, and where.
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

func (e exchange) instruct(name, key string) {
	cookie := e.binding.Cookie(key)
	_, attributes, _ := strings.Cut(cookie.String(), "; ")
	answer := instructions{
		ID:          e.binding.Identifier(key),
		RefreshURL:  session.DevicePath + url.PathEscape(name) + "/refresh",
		Credentials: []credential{{"cookie", cookie.Name, attributes}},
		Initiators:  []string{"*"}, // a visitor may come by a link from anywhere
	}
	for _, path := range e.excluded {
		answer.Scope.Specification = append(answer.Scope.Specification, rule{"exclude", "*", "/" + strings.TrimPrefix(path, "/")})
	}
	e.w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(e.w).Encode(answer) // strings can be encoded, and the browser may have left
}
