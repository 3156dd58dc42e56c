package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"heroes/session/internal/values"

	"github.com/gorilla/sessions"
)

// A visit is one session during one request: what the request brought, and what the
// application wants. Only load and commit do I/O, through the keeper.
type visit struct {
	store          *Store
	request        *http.Request     // that asked for the session
	session        *sessions.Session // what the application reads and changes
	brought        brought
	held           held           // the session as it is stored, if it is live
	intent         intent         // what is to happen besides storing the values
	signIn         *signInRequest // who signs in; nil: nobody
	nextGeneration mark           // the generation of the owner's sessions after the others were ended; zero: they were not
	next           identity       // of the session that a save would begin
	saved          string         // the encoded values that the response reflects
	adoption       adoption
	proof          proof         // that the browser has a key
	registering    bool          // the browser has sent the request to register a key: it changes nothing else
	asked          bool          // Options.AllowNew was asked
	wait           time.Duration // what it said
	settled        bool          // it was committed
	cookie         string        // the Set-Cookie line in the response, or ""
	err            error         // why the session could not be loaded
}

// brought is what the request's cookie led to.
type brought int

const (
	broughtNothing  brought = iota // the request has no cookie of the session's name
	broughtDead                    // a cookie that opens no session
	broughtReplaced                // a token that was replaced or ended within Options.Grace
	broughtUnproven                // a session that is bound to a device, without a valid proof
	broughtLive                    // a session
	broughtUnknown                 // the server that keeps it cannot be reached
)

// intent is what the application asked for. A stronger intent includes the weaker one.
type intent int

const (
	wantKeep intent = iota
	wantRenew
	wantEnd
)

// A held is a session as its keeper stores it.
type held struct {
	content
	at     time.Time // when the durations in content held
	value  string    // of the cookie
	record []byte    // what the backend stores
	secret int       // index of the secret that sealed it
	longer bool      // it was allowed more time than the options allow now

	unused time.Duration // on a server: how long ago it was last written
	over   bool          // it has ended, rather than only this cookie, which contains it
	newer  bool          // secrets opened it that were set after the request had begun
}

// An identity is a session's ID and token. The token is in the cookie of a session on a server.
// It consists of a selector, which leads to the record, and a verifier, which Renew replaces.
type identity struct {
	id       ID
	token    string
	verifier verifierHash
}

const (
	selectorSize = 16
	verifierSize = 32
)

type verifierHash [sha256.Size]byte

// newIdentity draws an identity with that selector, or with a new one for nil.
func newIdentity(selector []byte) identity {
	var token [selectorSize + verifierSize]byte
	rand.Read(token[:])
	copy(token[:], selector)
	return identityOf(token[:])
}

func identityOf(token []byte) identity {
	hash := sha256.Sum256(token[:selectorSize])
	return identity{ID(hash[:]), encodeText(token), sha256.Sum256(token[selectorSize:])}
}

// use makes session the one that the application reads and changes. A session made by hand,
// without options, receives the Store's.
func (v *visit) use(session *sessions.Session) {
	v.session = session
	if o := v.store.options; *session.Options == (sessions.Options{}) {
		*session.Options = sessions.Options{
			Path:     o.Path,
			Domain:   o.Domain,
			MaxAge:   int(o.Lifetime / time.Second),
			Secure:   !o.Insecure,
			HttpOnly: true,
			SameSite: o.SameSite,
		}
	}
}

// maxCookies bounds the work that one request can ask for.
const maxCookies = 4

// load finds the visitor's session: the one that the request's cookie leads to, or one of another
// system.
func (v *visit) load(r *http.Request) {
	reason, err := v.openFirst(r)
	if err == nil && v.brought != broughtReplaced && v.brought != broughtUnproven && len(v.store.options.Adopt) > 0 {
		reason, err = v.adopt(r, reason)
	}
	switch {
	case err != nil:
		v.brought, v.err = broughtUnknown, err
		v.emit(r.Context(), Event{Kind: Unreachable, Err: err})
	case reason != "":
		v.emit(r.Context(), Event{Kind: Rejected, Reason: reason})
	}
}

// openFirst opens the first cookie of the session's name that leads to a session, so that one
// planted by another path or host of the domain (RFC 6265, section 8.6) cannot shut out the
// visitor's own. It returns why none does.
func (v *visit) openFirst(r *http.Request) (reason Reason, err error) {
	name := v.session.Name()
	if !sent(r, name) {
		return "", nil
	}
	v.brought, reason = broughtDead, Refused
	cookies := r.CookiesNamed(name)
	for _, c := range cookies[:min(len(cookies), maxCookies)] {
		before := v.brought
		why, err := v.open(r, c)
		if err != nil || why == "" {
			return "", err
		}
		if reason == Refused || v.brought != before {
			reason = why
		}
	}
	return reason, nil
}

// open reads the session that a cookie leads to, or returns why the cookie leads to none.
func (v *visit) open(r *http.Request, c *http.Cookie) (Reason, error) {
	if c.Quoted { // a second spelling of the same value
		return Refused, nil
	}
	h, reason, err := v.store.keeper.load(r.Context(), c.Name, c.Value)
	if reason == Replaced {
		v.brought, v.held = broughtReplaced, h
		v.readProof(r, h)
	}
	if err != nil || reason != "" {
		return reason, err
	}
	if v.readProof(r, h); !v.deviceAllows(h) {
		v.brought, v.held = broughtUnproven, h
		return unproven(r), nil
	}
	if v.opened(h) != nil {
		return Refused, nil
	}
	return "", nil
}

// opened makes h the visitor's session.
func (v *visit) opened(h held) error {
	decoded, err := values.Decode(h.values)
	if err == nil {
		v.brought, v.held, v.saved = broughtLive, h, h.values
		v.session.Values, v.session.IsNew = decoded, false
	}
	return err
}

// sent reports whether the request has a cookie of that name in any shape. Even one that
// net/http does not parse gets the same answer as any other that is refused.
func sent(r *http.Request, name string) bool {
	return slices.ContainsFunc(r.Header["Cookie"], func(line string) bool {
		for _, cookie := range strings.Split(line, ";") {
			if found, _, _ := strings.Cut(cookie, "="); strings.TrimSpace(found) == name {
				return true
			}
		}
		return false
	})
}

// id returns the ID of the session that the request brought, or else of the one that a save
// would begin.
func (v *visit) id() ID {
	if v.intent != wantEnd && (v.brought == broughtLive || v.signing() == again) {
		return v.held.id
	}
	return v.fresh().id
}

// fresh returns the identity of the session that a save would begin.
func (v *visit) fresh() identity {
	if v.next == (identity{}) {
		v.next = newIdentity(nil)
	}
	return v.next
}

// encoded returns the encoding of the session's values, or "" if the session is to be removed.
func (v *visit) encoded() (string, error) {
	if v.gone() {
		return "", nil
	}
	if values.Same(v.saved, v.session.Values) { // nearly always
		return v.saved, nil
	}
	return v.store.encode(v.session.Values)
}

// encode returns the encoding of a session's values.
func (s *Store) encode(all map[any]any) (string, error) {
	b, err := values.Encode(make([]byte, 0, 256), all)
	var t *values.TypeError
	if errors.As(err, &t) {
		return "", &TypeError{Key: t.Key, Type: t.Type}
	}
	limit := s.options.MaxValues
	if s.options.Backend == nil { // the cookie limits them
		limit = MaxValues
	}
	if errors.Is(err, values.ErrTooLarge) || len(b) > limit {
		return "", &TooLargeError{Limit: limit}
	}
	return string(b), err
}

// gone reports whether the application removes the session the way gorilla's users do.
func (v *visit) gone() bool { return v.session.Options.MaxAge < 0 }

// pending reports whether the application wants something that the response does not
// reflect.
func (v *visit) pending() bool {
	if v.gone() {
		return v.saved != ""
	}
	return v.intent != wantKeep || !values.Same(v.saved, v.session.Values)
}

// plan returns what the request does to the stored session, and the encoded values to store.
func (v *visit) plan(safe, late bool) (plan, string, error) {
	encoded, err := v.encoded()
	if err != nil {
		return plan{}, "", err
	}
	f := facts{brought: v.brought, intent: v.intent, safe: safe, needs: v.needs(late),
		empty: encoded == "" && v.owner() == "", signing: v.signing()}
	base := v.held.values
	if v.gone() {
		f.intent = wantEnd
	}
	if f.brought == broughtLive && !v.deviceAllows(v.held) { // the proof has expired since
		f.brought = broughtUnproven
	}
	if f.intent == wantEnd || v.brought != broughtLive {
		base = ""
	}
	f.change = changeOf(base, encoded)
	p, err := f.plan()
	if err != nil && v.brought == broughtReplaced {
		err = delayed{err, v.held.after(time.Since(v.held.at)).grace}
	}
	return p, encoded, err
}

// touchEvery is the precision with which a server knows when a session was last used.
const touchEvery = time.Hour

// needs returns what has to happen to the stored session even if nothing in it has changed. A late
// response stores nothing.
func (v *visit) needs(late bool) step {
	switch {
	case late, v.registering:
		return none
	case v.adopting():
		return write
	case v.adoption.cookieDue || v.due():
		return touch
	}
	return none
}

// due reports whether the session needs to be stored again.
func (v *visit) due() bool {
	return v.brought == broughtLive && (v.stale() || v.bindingDue())
}

// stale reports whether half of the session's idle timeout has passed, an older secret sealed it, or the timeouts in the
// options have changed. On a server it is also stale once it has not been written for an hour, so that LastUse is exact
// to an hour, and when its cookie comes back for the first time. Writing that sets no cookie.
func (v *visit) stale() bool {
	timeout := v.store.options.idle()
	halfGone := v.held.idle <= timeout/2 // also if the timeout was set to never
	return v.held.secret > 0 || v.held.longer || halfGone || v.held.unused >= touchEvery || v.returned()
}

// returned reports whether the session's cookie has come back for the first time, so that Options.ReturnTimeout ends.
func (v *visit) returned() bool {
	o := v.store.options
	return o.Backend != nil && v.held.owner == "" && v.held.used.Equal(v.held.created) && o.ReturnTimeout < o.idle()
}

// check reports why the session cannot be saved, as far as that shows without I/O.
func (v *visit) check(safe bool) error {
	p, encoded, err := v.plan(safe, false)
	if err != nil || p == (plan{}) || p.save == touch {
		return err
	}
	if p, err = v.allowNew(p, encoded); err != nil {
		return err
	}
	return v.store.keeper.check(v, p, encoded)
}

// allowNew returns ErrTooManyNew if p begins a session on a server and Options.AllowNew does not let it. It asks once. If p
// ends a session and the next one would contain only values that can wait, it returns a plan that begins none.
func (v *visit) allowNew(p plan, encoded string) (plan, error) {
	o, begins := v.store.options, p.save == write && (p.end || v.brought != broughtLive)
	if o.AllowNew == nil || o.Backend == nil || !begins {
		return p, nil
	}
	if !v.asked {
		v.asked, v.wait = true, o.AllowNew(v.request)
	}
	switch {
	case v.wait <= 0:
		return p, nil
	case v.intent == wantEnd && v.signIn == nil && changeOf("", encoded) == optional:
		return plan{end: p.end, remove: v.brought != broughtNothing}, nil
	}
	return p, delayed{ErrTooManyNew, v.wait}
}

// commit carries out the plan and writes the cookie into header, if the browser needs one.
func (v *visit) commit(ctx context.Context, header http.Header, safe bool) error {
	if v.settled && !v.pending() {
		return nil
	}
	late := errors.Is(ctx.Err(), context.DeadlineExceeded)
	p, encoded, refused := v.plan(safe, late)
	switch {
	case p == (plan{}) && refused == nil:
		v.saved = encoded
		v.removeOthers(header)
		v.settle()
		return nil
	case p == (plan{}):
		return refused
	case late: // save nothing; the response says that it failed
		return ctx.Err()
	}
	began := p.save != none
	p, err := v.allowNew(p, encoded)
	if err != nil {
		return err
	}
	if began && p.save == none {
		clear(v.session.Values)
		encoded = ""
	}
	before, adopting, due := v.held, v.adopting(), v.adoption.cookieDue
	if err := v.carryOut(ctx, p, encoded); err != nil {
		return err
	}
	if v.held.value != before.value || p.remove || due && !v.adoption.cookieDue {
		v.writeCookie(header, v.newCookie(v.held))
	}
	if adopting && !v.adopting() {
		v.emit(ctx, Event{Kind: Adopted})
	}
	v.offerRegistration(header)
	if p.end || p.remove {
		v.removeProof(header)
	}
	v.removeOthers(header)
	v.announce(ctx, p, before)
	v.settle()
	return refused
}

// fitting runs f, which checks or saves the session. If the session is too large, fitting runs f once more without
// Buffalo's flash. It puts the flash back unless f has saved the session.
func (v *visit) fitting(f func() error, saves bool) error {
	err := f()
	flash, ok := v.session.Values[values.FlashKey].([]byte)
	if !ok || !errors.As(err, new(*TooLargeError)) {
		return err
	}
	delete(v.session.Values, values.FlashKey)
	if err = f(); err != nil || !saves {
		v.session.Values[values.FlashKey] = flash
	}
	return err
}

// settle notes that the response reflects all that the application wanted.
func (v *visit) settle() {
	v.intent, v.signIn, v.nextGeneration, v.settled = wantKeep, nil, mark{}, true
}

// carryOut has the keeper carry out p, and remembers what is stored afterwards.
func (v *visit) carryOut(ctx context.Context, p plan, encoded string) error {
	h, err := v.store.keeper.save(ctx, v, p, encoded)
	if err != nil && err != errDropped {
		return err
	}
	v.saved = encoded
	if err == errDropped || p.save == none && v.brought == broughtReplaced {
		return nil
	}
	v.held, v.next, v.brought = h, identity{}, broughtLive
	v.adoption.candidates, v.adoption.cookieDue = nil, false
	if h.id == (ID{}) {
		v.brought = broughtNothing
		return nil
	}
	if h.values != encoded { // from here on, the application sees what other requests have saved
		v.session.Values, err = values.Decode(h.values)
		v.saved = h.values
	}
	return err
}

// announce emits the events of a plan that was carried out.
func (v *visit) announce(ctx context.Context, p plan, before held) {
	had := before.id != ID{}
	has := v.brought == broughtLive
	id := before.id.String()
	switch {
	case had && (p.end || !has):
		v.emit(ctx, Event{Kind: Destroyed, ID: id})
	case v.signIn == nil && p.save == renew:
		v.emit(ctx, Event{Kind: Renewed, ID: id})
	}
	if has && v.held.id != before.id {
		v.emit(ctx, Event{Kind: Created, ID: v.held.id.String()})
	}
	if has && v.held.key != "" && (before.key == "" || before.id != v.held.id) {
		v.emit(ctx, Event{Kind: Bound, ID: v.held.id.String()})
	}
	if v.signIn != nil {
		v.emit(ctx, Event{Kind: SignedIn, ID: v.held.id.String()})
	}
}

func (v *visit) emit(ctx context.Context, e Event) {
	e.Name = v.session.Name()
	if e.ID == "" && v.held.id != (ID{}) {
		e.ID = v.held.id.String()
	}
	v.store.options.OnEvent(ctx, e)
}
