package session

import (
	"cmp"
	"context"
	"encoding"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"heroes/session/internal/values"

	"github.com/gorilla/sessions"
)

const (
	// MaxCookie is the largest cookie that a browser keeps, in bytes: name, value and attributes
	// (RFC 6265, section 6.1).
	MaxCookie = 4096

	// MaxValues is the largest Options.MaxValues.
	MaxValues = values.Max
)

// Options of a Store. The zero value is right for production. Processes that share sessions need the same
// options.
type Options struct {
	// Backend keeps the sessions on a server, where they can be revoked and may be large; the
	// cookie then contains only a token. Default: none; the cookie contains the session.
	Backend Backend

	// IdleTimeout ends a session that is not used for this long. Default: 24 hours; negative:
	// never. A shorter value applies to an existing session from its next use on, a longer one when
	// the session is next saved.
	IdleTimeout time.Duration

	// Lifetime ends a session this long after it began, or after its owner last signed in, however
	// busy it is. Default: 720 hours.
	// A shorter value applies to an existing session from its next use on.
	Lifetime time.Duration

	// Grace is how long the server remembers that a token was replaced or its session ended. Until
	// then, a request with that token reads an empty session and cannot store anything, so that
	// overlapping requests of one browser do not start a second session. Grace should be longer than a
	// response takes to arrive. Default: 10 seconds. For sessions in cookies, it has no effect unless
	// Revoked or DeviceProof is set.
	Grace time.Duration

	// Revoked remembers which sessions in cookies have ended, so that Renew, Destroy, Revoke, RevokeOwner
	// and RevokeOthers apply to copies of a cookie, too (OWASP ASVS 5.0, 7.4.1). It stores nothing else,
	// and that only until the cookies would have expired. Each page whose visitor has a session costs
	// one round trip and, if somebody is signed in, one more for each secret. While Revoked cannot be
	// reached, the answer is 503. Default: none. It cannot be combined with Backend.
	Revoked Backend

	// ReturnTimeout ends a new session on a server unless its cookie has come back within this time. So clients that do
	// not keep cookies cannot fill the server. It does not apply to sessions that somebody has signed in to. Default:
	// an hour.
	ReturnTimeout time.Duration

	// MaxValues is how many bytes the encoded values of a session on a server take at most, because every page
	// reads them all. Saving more is a *TooLargeError. Default: 64 KiB; at most 256 KiB, the constant MaxValues.
	MaxValues int

	// AllowNew is asked before a new session is stored on a server. It returns how long the client has to wait until it may
	// begin one, or 0 if it may do so now. If it has to wait, SignIn or saving fails with ErrTooManyNew. Adopted sessions are
	// not new. After Destroy, if the next session would contain only a flash, the old session still ends, and the flash is
	// dropped. Default: no limit.
	AllowNew func(r *http.Request) (wait time.Duration)

	// MaxPerOwner is how many sessions an owner can be signed in with at a time. Signing in to
	// another one ends the oldest. It needs a Backend. Sessions that were signed in before
	// MaxPerOwner was set, or adopted, count, too. Default: any number.
	MaxPerOwner int

	// KeepOldest refuses another sign-in with ErrTooMany, where MaxPerOwner would end the oldest session.
	// A session whose cookie never reached a browser counts until it expires or is revoked.
	KeepOldest bool

	// Adopt lists other systems whose sessions this Store adopts, the preferred one first, so that a
	// move to this package signs nobody out. See Source, and what the documentation of the package says
	// about copies of the other cookies. A session that another Store has bound to a device is not adopted.
	// Default: none.
	Adopt []Source

	// DeviceProof is how long a proof of the device is valid, such as eight minutes. If it is set, sessions are bound to the
	// device of a browser that supports DBSC (Device Bound Session Credentials). A copy of the cookies that was made after that
	// works for DeviceProof at most. Browsers refresh the proof by themselves, but not often enough for less than five minutes.
	// Package devicebound answers them. DeviceProof needs https, the Path "/", no Domain and not Partitioned. A session with a
	// Domain in its own Options is not bound. Default: sessions are not bound.
	DeviceProof time.Duration

	// Path and Domain are the cookie's. Default: "/", and no Domain, so that only the host that
	// set the cookie receives it. A cookie whose name starts with "__Host-" needs both defaults.
	Path, Domain string

	// SameSite is the cookie's. Default: http.SameSiteLaxMode.
	SameSite http.SameSite

	// Partitioned ties the cookie to the site that embeds the application's pages (CHIPS). It
	// needs SameSite: http.SameSiteNoneMode to be of use. Default: no.
	Partitioned bool

	// Insecure omits the cookie's Secure attribute, for development over http. Default: the
	// browser sends the cookie over https only.
	Insecure bool

	// OnEvent is called for each Event, in the goroutine that caused it. It must not call the
	// Store for that request. Default: Lost, NotAdopted and Unreachable are logged to slog.Default.
	OnEvent func(context.Context, Event)
}

// A Store is a gorilla sessions.Store that keeps sessions sealed, in cookies or on a server.
// Any number of goroutines may use it.
type Store struct {
	keys    keyring
	options Options
	keeper  keeper
	*shared
}

// shared is what a Store and those that SetSecrets makes from it have in common.
type shared struct {
	latest  atomic.Pointer[Store] // with the secrets that were set last
	purging atomic.Bool
	probe   ID // under which Ping writes
}

var _ sessions.Store = (*Store)(nil)

// New returns a Store that seals with the first secret and opens what any of the secrets sealed.
// ParseSecrets reads them from an environment variable. New returns an error if there is no
// secret, if one is shorter than MinSecret bytes, or if a duration is shorter than a second.
func New(secrets [][]byte, options Options) (*Store, error) {
	keys, err := newKeyring(secrets)
	if err != nil {
		return nil, err
	}
	o := &options
	o.IdleTimeout = cmp.Or(o.IdleTimeout, 24*time.Hour)
	o.Lifetime = cmp.Or(o.Lifetime, 720*time.Hour)
	o.Grace = cmp.Or(o.Grace, 10*time.Second)
	o.ReturnTimeout = cmp.Or(o.ReturnTimeout, time.Hour)
	if min(o.Lifetime, o.Grace, o.ReturnTimeout) < time.Second || (o.IdleTimeout > 0 && o.IdleTimeout < time.Second) {
		return nil, errors.New("session: Lifetime, Grace, ReturnTimeout and IdleTimeout must be at least a second (an IdleTimeout below zero means never)")
	}
	if o.MaxValues = cmp.Or(o.MaxValues, 64<<10); o.MaxValues < 0 || o.MaxValues > MaxValues {
		return nil, fmt.Errorf("session: Options.MaxValues must be between 1 and %d bytes, or 0 for the default", MaxValues)
	}
	if err := o.checkOwners(); err != nil {
		return nil, err
	}
	o.Path = cmp.Or(o.Path, "/")
	if err := o.checkDevice(); err != nil {
		return nil, err
	}
	if err := o.checkAdopt(); err != nil {
		return nil, err
	}
	o.SameSite = cmp.Or(o.SameSite, http.SameSiteLaxMode)
	if o.OnEvent == nil {
		o.OnEvent = logFaults
	}
	s := &Store{keys: keys, options: options, shared: &shared{probe: newIdentity(nil).id}}
	if o.Backend == nil {
		s.keeper = inCookie{s}
	} else {
		s.keeper = newOnServer(s)
	}
	s.latest.Store(s)
	return s, nil
}

// SetSecrets replaces the secrets, without a restart and while requests are in progress. A request keeps the secrets that it
// began with, so remove a secret only after the requests that began with it have ended. SetSecrets returns the errors of New
// about secrets, and then changes nothing. If there are several processes, first give all of them the new secret as the
// second one, and only then as the first.
func (s *Store) SetSecrets(secrets [][]byte) error {
	keys, err := newKeyring(secrets)
	if err != nil {
		return err
	}
	next := &Store{keys: keys, options: s.options, shared: s.shared}
	switch keeper := s.keeper.(type) {
	case inCookie:
		next.keeper = inCookie{next}
	case onServer:
		next.keeper = onServer{next, keeper.turns}
	}
	s.latest.Store(next)
	return nil
}

// checkOwners reports options for owners that contradict each other.
func (o Options) checkOwners() error {
	switch {
	case o.Revoked != nil && o.Backend != nil:
		return errors.New("session: Options.Revoked is for sessions in cookies: with a Backend, every session can be revoked without it")
	case o.MaxPerOwner != 0 && o.Backend == nil:
		return errors.New("session: Options.MaxPerOwner needs a Backend: sessions in cookies cannot be counted")
	case o.MaxPerOwner < 0 || o.MaxPerOwner > 10_000:
		return errors.New("session: Options.MaxPerOwner must be between 0, which means any number, and 10,000")
	}
	return nil
}

// Register lets sessions store values of v's type, under a name that must never change. The
// type must implement encoding.BinaryMarshaler, and a pointer to it
// encoding.BinaryUnmarshaler; Register panics otherwise. Equal values must have equal binary
// forms. Call Register from init, in every program that shares the sessions: a program that does
// not know the type cannot open a session with such a value.
//
//	session.Register("address", netip.Addr{})
func Register(name string, v encoding.BinaryMarshaler) {
	values.Register(name, v)
}

// Get returns the request's session of that name, always the same one within a request. A
// visitor without a session, or with a cookie that is refused, gets an empty one and no
// error. The errors are ErrUnavailable, and ErrTooLate if the response has begun; the session
// is then empty, never nil.
func (s *Store) Get(r *http.Request, name string) (*sessions.Session, error) {
	session, err := s.New(r, name)
	if x := Of(r); !x.handled { // gorilla's sessions.Save saves what its registry contains
		registry := sessions.GetRegistry(r)
		_, _ = registry.Get(registered{s, session, x}, name)
		_, _ = registry.Get(s, name)
	}
	return session, err
}

// registered is a Store whose New returns a session that exists. The registry has a request of
// its own, with which it later calls Save: New makes it belong to the same exchange.
type registered struct {
	*Store
	session  *sessions.Session
	exchange *Exchange
}

func (s registered) New(r *http.Request, _ string) (*sessions.Session, error) {
	if x, _ := exchangeOf(r); x != s.exchange {
		*r = *r.WithContext(context.WithValue(r.Context(), exchangeKey{}, s.exchange))
	}
	return s.session, nil
}

// New does the same as Get: a request has one session of each name.
func (s *Store) New(r *http.Request, name string) (*sessions.Session, error) {
	x := Of(r)
	x.mu.Lock()
	defer x.mu.Unlock()
	v, err := x.visit(s, r, name)
	if err != nil {
		return sessions.NewSession(s, name), err
	}
	return v.session, v.err
}

// visit returns the session of that name, and loads it on first use.
func (x *Exchange) visit(s *Store, r *http.Request, name string) (*visit, error) {
	v := x.find(name)
	switch {
	case v != nil && v.store.shared == s.shared:
		return v, nil
	case v != nil:
		return nil, fmt.Errorf("session: two Stores use the cookie %s in one request: give each a name of its own", name)
	}
	if (&http.Cookie{Name: name}).Valid() != nil {
		return nil, fmt.Errorf("session: %q is not a valid name for a cookie (RFC 6265, section 4.1.1)", name)
	}
	if x.begun {
		return nil, ErrTooLate
	}
	v = &visit{store: s.latest.Load(), request: r}
	v.use(sessions.NewSession(s, name))
	v.session.IsNew = true
	x.visits = append(x.visits, v)
	v.load(r)
	return v, nil
}

// Save checks that the session can be saved. Behind Handler, the response's first byte saves what
// the session contains at that moment, and sets the cookie once. Without Handler, Save itself
// does both, and replaces the cookie that an earlier Save set. A session made by hand, with
// gorilla's NewSession, takes the place of the request's session.
//
// The errors are *TypeError, *TooLargeError, ErrUnavailable, ErrConflict, ErrContended, ErrUnproven, ErrTooManyNew and
// ErrTooLate. Save also fails if a value's MarshalBinary does, or if browsers would not keep the
// cookie.
func (s *Store) Save(r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	x := Of(r)
	x.mu.Lock()
	defer x.mu.Unlock()
	v, err := x.visit(s, r, session.Name())
	if err != nil {
		return err
	}
	v.use(session)
	if x.handled {
		return x.save(r.Context(), v, w.Header())
	}
	v.keepFromCaches(w.Header())
	return x.fault(v, v.commit(r.Context(), w.Header(), x.safe))
}

// Renew replaces the session's token and keeps its values, against session fixation (OWASP
// ASVS 5.0, 7.2.4). It does not restart the lifetime. It takes effect when the session is
// saved. The error is ErrTooLate after the response has begun.
func (s *Store) Renew(r *http.Request, session *sessions.Session) error {
	return s.change(r, session, func(v *visit) error {
		v.intent = max(v.intent, wantRenew)
		return nil
	})
}

// Destroy ends the session: its values are gone, and values set afterwards belong to a new
// session. It takes effect when the session is saved. The error is ErrTooLate after the
// response has begun.
func (s *Store) Destroy(r *http.Request, session *sessions.Session) error {
	return s.change(r, session, func(v *visit) error {
		v.intent, v.signIn, v.nextGeneration = wantEnd, nil, mark{}
		clear(session.Values)
		return nil
	})
}

// with calls f with the session's visit in this request.
func (s *Store) with(r *http.Request, session *sessions.Session, f func(*visit) error) error {
	x := Of(r)
	x.mu.Lock()
	defer x.mu.Unlock()
	v := x.find(session.Name())
	if v == nil || v.session != session {
		return errors.New("session: not read in this request: get it with Get")
	}
	return f(v)
}

// change calls f, which changes what is to happen when the session is saved.
func (s *Store) change(r *http.Request, session *sessions.Session, f func(*visit) error) error {
	return s.with(r, session, func(v *visit) error {
		if Of(r).begun {
			return ErrTooLate
		}
		return f(v)
	})
}

// Ping returns nil if the server that keeps the sessions, or what was revoked, answers and can be written to, and
// ErrUnavailable otherwise. It stores a record for a millisecond. Without such a server it returns nil.
func (s *Store) Ping(ctx context.Context) error {
	if s.server() == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	err := s.server().Ping(ctx)
	if err == nil {
		_, err = s.server().Swap(ctx, s.probe, nil, make([]byte, probeSize), time.Millisecond)
	}
	if err != nil {
		return unavailable(err)
	}
	return nil
}

// probeSize is larger than most sessions, so that a server that has little room left does not pass for ready.
const probeSize = 8 << 10

// server returns the Backend that the Store uses, or nil.
func (s *Store) server() Backend {
	if s.options.Backend == nil {
		return s.options.Revoked
	}
	return s.options.Backend
}

// Close closes Options.Backend, Options.Revoked and the Readers of Options.Adopt, if they have a method
// Close. The sessions cannot be reached afterwards.
func (s *Store) Close() (err error) {
	if closer, ok := s.server().(io.Closer); ok {
		err = closer.Close()
	}
	for _, source := range s.options.Adopt {
		if closer, ok := source.Reader.(io.Closer); ok {
			err = errors.Join(err, closer.Close())
		}
	}
	return err
}

// Info describes a session for a page or a log. Nothing in it opens the session.
type Info struct {
	// ID identifies the session for its whole life: 32 hexadecimal digits. It is known before the
	// first save. Store.Revoke ends a session on a server by its ID. After Destroy, ID is that of
	// the next session.
	ID            string
	New           bool          // the request brought no session
	OnServer      bool          // the cookie contains only a token; Options.Backend keeps the rest
	Size          int           // bytes of the cookie's value, or of the record on the server
	Secret        int           // index of the secret that sealed it; 0 is the newest
	Secrets       int           // how many secrets the store has
	Created       time.Time     // when it began
	LastUse       time.Time     // when it was last used, exact to half of the idle timeout; on a server, to an hour if that is shorter
	IdleLeft      time.Duration // until it ends unless it is used
	LifetimeLeft  time.Duration // until it ends even if it is used
	Owner         string        // who is signed in; "" for nobody
	Authenticated time.Time     // when the owner signed in; zero for nobody
	Note          string        // what the application noted at the sign-in
	Bound         bool          // to a device; see Options.DeviceProof. A request without a proof has no session
}

// Info describes the session as it was loaded or last saved.
func (s *Store) Info(r *http.Request, session *sessions.Session) Info {
	info := Info{New: true, OnServer: s.options.Backend != nil, Secrets: len(s.latest.Load().keys)}
	x := Of(r)
	x.mu.Lock()
	defer x.mu.Unlock()
	v, err := x.visit(s, r, session.Name())
	if err != nil {
		return info
	}
	info.ID = v.id().String()
	if v.brought != broughtLive {
		return info
	}
	h := v.held
	now := h.after(time.Since(h.at))
	info.New = false
	info.Size, info.Secret = len(h.value), h.secret
	if info.OnServer {
		info.Size = len(h.record)
	}
	info.Created, info.LastUse = h.created, h.used
	info.IdleLeft, info.LifetimeLeft = now.left(), now.lifetime
	info.Owner, info.Authenticated, info.Note = h.owner, h.when, h.note
	info.Bound = s.options.DeviceProof > 0 && h.key != ""
	return info
}
