package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/sessions"
)

// MaxOwner is the most bytes that an owner, or a note, may have.
const MaxOwner = 255

// A SignInOption is an option of SignIn.
type SignInOption func(*signInRequest)

// A signInRequest is what SignIn asked for.
type signInRequest struct {
	lastSignIn
	noted  bool // an option says what to note
	lasts  bool // an option says how long the session lasts
	verify func() error
	err    error     // what is wrong with an option
	began  time.Time // when SignIn was called
}

// Note adds a note of the application's own, which Store.Sessions returns: a browser and a
// place, for example. It is sealed with the session and has at most MaxOwner bytes.
func Note(text string) SignInOption {
	return func(in *signInRequest) { in.note, in.noted = text, true }
}

// KeepFor ends the session after d, however busy it is, unless Options.Lifetime ends it earlier. d must
// be at least a second. Options.IdleTimeout applies as well. For "remember me", set Options.IdleTimeout
// and Options.Lifetime to the longest time that a visitor may choose. For the others, pass a shorter
// KeepFor, usually together with UntilBrowserCloses.
func KeepFor(d time.Duration) SignInOption {
	return func(in *signInRequest) {
		if in.keep, in.lasts = d, true; d < time.Second {
			in.err = errors.New("session: KeepFor needs at least a second: for a session that lasts until the browser closes, use UntilBrowserCloses")
		}
	}
}

// UntilBrowserCloses makes the browser forget the session when it closes. Most browsers can be set
// to reopen the last pages, and then they keep the session; KeepFor and Options.IdleTimeout do not
// depend on the browser.
func UntilBrowserCloses() SignInOption {
	return func(in *signInRequest) { in.transient, in.lasts = true, true }
}

// Verify makes SignIn call f. If f returns an error, nobody is signed in, and SignIn returns that error.
// RevokeOwner and RevokeOthers already apply to this session while f runs. So let f check that
// the password has not changed since it was verified: then a change of the password, followed by
// RevokeOthers, leaves no session that was signed in with the old one.
func Verify(f func() error) SignInOption {
	return func(in *signInRequest) { in.verify = f }
}

// SignIn records in the session who has proved to be its owner: a user's ID, for example, of at
// most MaxOwner bytes. The session's token is replaced, as by Renew, and its lifetime begins
// again. The values stay, unless another owner was signed in: then a new session begins, and
// SignIn removes them. All that takes effect when the session is saved. With a Backend, saving fails with
// ErrConflict if that is more than half a minute later. If the same owner signs in again, the note and
// how long the session is kept stay as they are, unless an option says otherwise.
//
// If RevokeOwner or RevokeOthers is called after SignIn has returned, it ends this session as well, even
// if it has not been saved yet. With a Backend, saving then fails with ErrConflict. With Options.Revoked,
// the response has a cookie that opens nothing. See Verify.
//
// If two requests of a browser sign in the same owner at once, as after a double click, the
// second continues the session that the first began. With sessions in cookies it may begin another.
//
// The errors are ErrTooMany if Options.KeepOldest is set, ErrTooManyNew, ErrUnavailable, ErrContended,
// ErrTooLate, that of Verify's function, and one for an argument that is out of range. After an error
// nobody has signed in to this session. If it is ErrUnavailable or ErrContended, the oldest session may
// have ended all the same, with MaxPerOwner.
func (s *Store) SignIn(r *http.Request, session *sessions.Session, owner string, options ...SignInOption) error {
	in := &signInRequest{lastSignIn: lastSignIn{owner: owner}}
	for _, option := range options {
		option(in)
	}
	if owner == "" || len(owner) > MaxOwner || len(in.note) > MaxOwner {
		return fmt.Errorf("session: an owner has 1 to %d bytes, and a note at most %[1]d: an owner of %d bytes and a note of %d were passed to SignIn", MaxOwner, len(owner), len(in.note))
	}
	if in.err != nil {
		return in.err
	}
	in.began = time.Now()
	var trial visit // the visit as it will be; no response may save it until Verify has succeeded
	err := s.change(r, session, func(v *visit) error {
		v.fresh() // for both
		trial = *v
		trial.recordSignIn(in)
		if _, err := trial.allowNew(plan{save: write, end: trial.intent == wantEnd}, ""); err != nil {
			v.emit(r.Context(), Event{Kind: Limited, Err: err})
			return err
		}
		v.asked, v.wait = trial.asked, trial.wait
		return v.err
	})
	if err == nil {
		err = trial.store.keeper.enter(r.Context(), &trial)
	}
	if err == nil && in.verify != nil {
		err = in.verify()
	}
	if err == nil {
		err = trial.store.keeper.admit(r.Context(), &trial)
	}
	if err != nil {
		return err
	}
	return s.change(r, session, func(v *visit) error {
		if another := v.recordSignIn(in); another {
			clear(session.Values)
		}
		return nil
	})
}

// recordSignIn notes who signs in, and reports whether another owner was signed in. The entry in the
// index stays if nothing comes of it: another request may be about to sign in to the same session. If
// no session is saved for it, Sessions drops the entry later.
func (v *visit) recordSignIn(in *signInRequest) (another bool) {
	if v.brought == broughtUnproven && v.intent != wantEnd { // whose it is cannot be known: begin another
		v.brought, v.held = broughtDead, held{}
	}
	switch {
	case v.held.owner == in.owner && v.intent != wantEnd:
		in.inherit(v.held.lastSignIn)
	case v.brought == broughtLive && v.held.owner != "":
		v.intent, another = wantEnd, true
	case v.brought == broughtReplaced && v.held.verifier == (verifierHash{}): // it has ended: begin another
		v.brought, v.held = broughtDead, held{}
	}
	v.signIn, v.nextGeneration, v.intent = in, mark{}, max(v.intent, wantRenew)
	return another
}

// inherit takes over what the owner's last sign-in has set and no option changes.
func (in *signInRequest) inherit(last lastSignIn) {
	if !in.noted {
		in.note = last.note
	}
	if !in.lasts {
		in.keep, in.transient = last.keep, last.transient
	}
}

// SignOut ends the session, as Destroy does.
func (s *Store) SignOut(r *http.Request, session *sessions.Session) error {
	return s.Destroy(r, session)
}

// Owner returns whom SignIn has recorded in the session, or "" if nobody is signed in.
func (s *Store) Owner(r *http.Request, session *sessions.Session) (owner string) {
	_ = s.with(r, session, func(v *visit) error {
		owner = v.owner()
		return nil
	})
	return owner
}

// Fresh reports whether the owner signed in within that time. If not, ask for the password again before
// a sensitive change (OWASP ASVS 5.0, 7.5.1).
func (s *Store) Fresh(r *http.Request, session *sessions.Session, within time.Duration) (fresh bool) {
	_ = s.with(r, session, func(v *visit) error {
		fresh = v.owner() != "" && (v.signIn != nil || v.held.after(time.Since(v.held.at)).age <= within)
		return nil
	})
	return fresh
}

// RequireSignIn returns middleware that redirects visitors to the page signIn unless they have signed
// in within that time. If within is 0, any sign-in counts. name is the name of the session's cookie.
// After signing in, ReturnTo leads back.
func (s *Store) RequireSignIn(name string, within time.Duration, signIn string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			session, err := s.Get(r, name)
			if err != nil {
				answerError(w, r, err)
				return
			}
			if s.Owner(r, session) == "" || within > 0 && !s.Fresh(r, session, within) {
				http.Redirect(w, r, SignInURL(r, signIn), http.StatusSeeOther)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

const returnTo = "return_to"

// SignInURL returns the URL of the page signIn, with the path for ReturnTo: that of r or, if r sent
// a form, that of the page with the form, because a redirect cannot repeat a form.
func SignInURL(r *http.Request, signIn string) string {
	back := r.RequestURI
	if !strings.HasPrefix(back, "/") { // a request that no server has read, or that names a host
		back = r.URL.RequestURI()
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		back = "/"
		if from, err := url.Parse(r.Referer()); err == nil && from.Host == r.Host {
			back = from.RequestURI()
		}
	}
	separator := "?"
	if strings.Contains(signIn, "?") {
		separator = "&"
	}
	return signIn + separator + returnTo + "=" + url.QueryEscape(back)
}

// ReturnTo returns the path that SignInURL added, from the query or the form of a request to the
// sign-in page. It returns fallback if there is none, or if it is not safe. It never leads to
// another host (OWASP ASVS 5.0, 3.7.2).
func ReturnTo(r *http.Request, fallback string) string {
	path := r.FormValue(returnTo)
	if u, err := url.Parse(path); err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(path, "/") ||
		strings.HasPrefix(path, "//") || strings.ContainsFunc(path, func(c rune) bool { return c == '\\' || c < ' ' }) {
		return fallback
	}
	return path
}

// owner returns the owner who will be signed in once the session is saved.
func (v *visit) owner() string {
	switch {
	case v.gone():
		return ""
	case v.signIn != nil:
		return v.signIn.owner
	case v.brought == broughtLive && v.intent != wantEnd:
		return v.held.owner
	}
	return ""
}

// signing returns whether somebody signs in. After a double click, the second click brings the
// session's old token, and signs in to the session that the first one renewed.
func (v *visit) signing() signing {
	switch {
	case v.signIn == nil:
		return nobody
	case v.brought == broughtReplaced && v.continues(v.held):
		return again
	}
	return somebody
}

// continues reports whether a session that another request has renewed is the owner's who signs in.
func (v *visit) continues(latest held) bool {
	return v.signIn != nil && v.intent != wantEnd && v.signIn.owner == latest.owner
}

// withSignIn returns c as it is after the sign-in, if there is one.
func (v *visit) withSignIn(c content) content {
	if v.signIn != nil {
		v.signIn.when, v.signIn.age = v.signIn.began, time.Since(v.signIn.began)
		c.lastSignIn, c.lifetime, c.ends, c.since = v.signIn.lastSignIn, v.store.options.Lifetime, time.Time{}, time.Time{}
		if c.keep > 0 {
			c.lifetime = min(c.lifetime, c.keep)
		}
	}
	if v.nextGeneration != (mark{}) {
		c.generation = v.nextGeneration
	}
	return c
}

// enter adds the session to its owner's.
func (k onServer) enter(ctx context.Context, v *visit) error {
	if v.refused() {
		return nil
	}
	return k.addToIndex(ctx, v.session.Name(), v.signIn.owner, v.id())
}

// refused reports whether saving the sign-in will be refused: the request's token was replaced, and by
// somebody else.
func (v *visit) refused() bool { return v.brought == broughtReplaced && v.signing() != again }

// saveTime is how long after SignIn the session can be saved. Later, the index and the limit may have
// taken its entry for one without a session.
const saveTime = pendingTime / 2

// late reports whether too much time has passed since SignIn.
func (in *signInRequest) late() bool { return in != nil && time.Since(in.began) > saveTime }
