package session

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"time"

	"github.com/gorilla/sessions"
)

// MaxCookie is the most bytes a browser keeps of one cookie: name, value and
// attributes (RFC 6265, section 6.1).
const MaxCookie = 4096

// Options of a Store. The zero value is right for production.
type Options struct {
	// Backend keeps the sessions on a server, where they can be revoked and may
	// be large; the cookie then holds a token. Default: none, the cookie holds
	// the session itself.
	Backend Backend

	// FromCookies has a Store with a Backend take over the sessions that one without
	// it sealed in cookies, under the same secrets and name, so that nobody is signed
	// out by the change. Leave it out once Lifetime has passed: a copy of a cookie
	// from before the last change of its session opens that session as it was then,
	// signed out or not, as it does without a Backend. Default: they are refused.
	FromCookies bool

	// IdleTimeout ends a session that was not used for so long. Default: 24
	// hours; negative: never.
	IdleTimeout time.Duration

	// Lifetime ends a session so old, however busy it is. Default: 720 hours.
	Lifetime time.Duration

	// Path and Domain are the cookie's. Default: "/", and no Domain, so that
	// only the host that set the cookie gets it. A cookie whose name starts with
	// "__Host-" must keep both defaults.
	Path, Domain string

	// SameSite is the cookie's. Default: http.SameSiteLaxMode.
	SameSite http.SameSite

	// Insecure leaves out the cookie's Secure attribute, for development over
	// http. Default: a browser sends the cookie over https alone.
	Insecure bool

	// OnEvent is called for each Event, in the request's goroutine. Default: none.
	OnEvent func(context.Context, Event)

	// OnError answers a request whose session could not be saved when nothing
	// else could say so: the first byte was about to leave. errors.Is(err,
	// ErrUnavailable) tells an outage from a mistake. It must write a status.
	// Default: 503 with Retry-After, 409 for ErrEnded, or 500, as plain text.
	OnError func(http.ResponseWriter, *http.Request, error)
}

// A Store keeps sessions in cookies, sealed. It is a sessions.Store of gorilla's,
// and safe for use by any number of goroutines.
type Store struct {
	keys    keyring
	options Options
}

var _ sessions.Store = (*Store)(nil)

// New makes a Store that seals with the first secret and opens what any of them
// sealed (ParseSecrets reads them from a line of configuration). It is an error
// if there is no secret, one is shorter than MinSecret bytes, or a lifetime is
// shorter than a second.
func New(secrets [][]byte, options Options) (*Store, error) {
	keys, err := newKeyring(secrets)
	if err != nil {
		return nil, err
	}
	if options.IdleTimeout == 0 {
		options.IdleTimeout = 24 * time.Hour
	}
	if options.Lifetime == 0 {
		options.Lifetime = 720 * time.Hour
	}
	if options.Lifetime < time.Second || (options.IdleTimeout > 0 && options.IdleTimeout < time.Second) {
		return nil, errors.New("session: Lifetime and IdleTimeout must be at least a second (an IdleTimeout below zero: never)")
	}
	if options.Path == "" {
		options.Path = "/"
	}
	if options.SameSite == 0 {
		options.SameSite = http.SameSiteLaxMode
	}
	if options.OnError == nil {
		options.OnError = answerError
	}
	return &Store{keys: keys, options: options}, nil
}

// Get returns the request's session of that name, the same one each time it is
// called in a request. A visitor without one, or with a cookie that is refused,
// gets an empty session and no error. The error is ErrUnavailable.
func (s *Store) Get(r *http.Request, name string) (*sessions.Session, error) {
	for _, st := range exchangeOf(r).states {
		if st.store == s && st.session.Name() == name {
			return st.session, st.err
		}
	}
	// gorilla's registry opens a session in the request that it was made with,
	// which may be one from before our Handler; it is to be this one.
	registry := sessions.GetRegistry(r)
	if session, err := registry.Get(opener{s, r}, name); err != nil {
		return session, err
	}
	return registry.Get(s, name) // and its store is to be s
}

// An opener is a Store that reads sessions from one request.
type opener struct {
	*Store
	request *http.Request
}

func (o opener) New(_ *http.Request, name string) (*sessions.Session, error) {
	return o.Store.New(o.request, name)
}

// New reads the session from the request's cookie. Most callers want Get. The
// session is never nil, as gorilla and Buffalo expect.
func (s *Store) New(r *http.Request, name string) (*sessions.Session, error) {
	session := sessions.NewSession(s, name)
	session.IsNew = true
	*session.Options = sessions.Options{
		Path:     s.options.Path,
		Domain:   s.options.Domain,
		MaxAge:   int(s.options.Lifetime / time.Second),
		Secure:   !s.options.Insecure,
		HttpOnly: true,
		SameSite: s.options.SameSite,
	}
	st := &state{store: s, session: session}
	exchangeOf(r).add(st)
	st.load(r, name)
	return session, st.err
}

// Save checks that the session can be saved and says why not: *TypeError,
// *TooLargeError, ErrUnavailable, ErrTooLate. Behind Handler, the cookie is then
// written once, with the response's first byte, and holds what the session held
// last. Without Handler it is written here, in place of one written before.
func (s *Store) Save(r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	x := exchangeOf(r)
	st := x.find(session)
	if st == nil { // made by sessions.NewSession, or read in another request
		st = &state{store: s, session: session, cookie: sent(r, session.Name())}
		x.add(st)
	}
	if x.deferred {
		if !x.begun {
			return st.check()
		}
		if st.changed() {
			return ErrTooLate
		}
		return nil
	}
	st.mark(w.Header())
	return st.commit(r.Context(), w.Header())
}

// Renew gives the session a new identity and a new lifetime and keeps its
// values, against session fixation (OWASP ASVS 5.0, 7.2.4). It takes effect when
// the session is saved; ErrTooLate after the response has begun.
func (s *Store) Renew(r *http.Request, session *sessions.Session) error {
	st, err := s.early(r, session)
	if err == nil {
		st.renewed = true
	}
	return err
}

// Destroy ends the session: its values are gone, and what is set after it
// belongs to a new session. It takes effect when the session is saved; ErrTooLate
// after the response has begun.
func (s *Store) Destroy(r *http.Request, session *sessions.Session) error {
	st, err := s.early(r, session)
	if err == nil {
		clear(session.Values)
		st.renewed, st.destroyed = true, true
	}
	return err
}

func (s *Store) early(r *http.Request, session *sessions.Session) (*state, error) {
	x := exchangeOf(r)
	st := x.find(session)
	switch {
	case st == nil:
		return nil, errors.New("session: not read in this request: get it with Get")
	case x.begun:
		return nil, ErrTooLate
	}
	return st, nil
}

// Ping says whether the server of the sessions answers: nil or ErrUnavailable. In
// cookies it is always nil.
func (s *Store) Ping(ctx context.Context) error {
	if s.options.Backend == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	if err := s.options.Backend.Ping(ctx); err != nil {
		return unavailable(err)
	}
	return nil
}

// Info is what a page may tell about a session: nothing in it opens one.
type Info struct {
	New          bool          // the visitor had no session when the request came
	ID           string        // on a server what Store.Revoke takes, to be kept with whose it is; else ""
	Size         int           // bytes of what is sealed: the cookie's value, or the record on the server
	OnServer     bool          // the cookie holds a token alone: Options.Backend keeps the rest
	Secret       int           // which secret sealed it: 0 is the newest
	Secrets      int           // how many secrets the store has
	Created      time.Time     // when it began, or was renewed
	LastUse      time.Time     // when it was last used, exact to half of the idle timeout
	IdleLeft     time.Duration // until it ends unless it is used; as LifetimeLeft if it never idles
	LifetimeLeft time.Duration // until it ends, however busy
}

// Info describes the session as the request brought it.
func (s *Store) Info(r *http.Request, session *sessions.Session) Info {
	st := exchangeOf(r).find(session)
	info := Info{New: true, OnServer: s.options.Backend != nil, Secrets: len(s.keys)}
	if st == nil || !st.loaded {
		return info
	}
	idle, lifetime := s.left(st.was, time.Now())
	info.New = false
	if info.OnServer {
		info.ID = hex.EncodeToString(st.place.key[:])
	}
	info.Size = st.size
	info.Secret = st.key
	info.Created = time.Unix(st.was.created, 0)
	info.LastUse = time.Unix(st.was.touched, 0)
	info.IdleLeft = min(idle, lifetime)
	info.LifetimeLeft = lifetime
	return info
}
