package session

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"time"

	"heroes/session/internal/values"
)

// A Source is another system whose sessions a Store adopts. A visitor who has a cookie of
// that system, and no session here, receives a session with the same values. The response that
// sets its cookie also removes the other one.
//
//	reader, err := flask.New([]string{os.Getenv("FLASK_SECRET_KEY")}, flask.Options{})
//	options.Adopt = []session.Source{{Session: "_app_session", Cookie: "session", Reader: reader}}
type Source struct {
	// Session is the name of the session that receives the values. It is required.
	Session string

	// Reader reads the other system's cookies. It is required. Packages adopt/flask and adopt/gorilla have
	// one each, and a Store is one, too.
	Reader Reader

	// Cookie is the name of the other system's cookie. Default: Session. The session's cookie then
	// replaces it, so that Path and Domain must be the same.
	Cookie string

	// Path and Domain are those of the other system's cookie. A browser removes it only if they are
	// right. Default: those of Options.
	Path, Domain string
}

// A Reader reads the cookies of another system.
type Reader interface {
	// ReadCookie returns what a cookie contains, if the other system has set it and would still
	// accept it. If a decoder takes several spellings for the same value, ReadCookie must accept only
	// one, because each would lead to a session of its own. If a server that it needs cannot be
	// reached, the error is ErrUnavailable. After any other error the cookie is ignored.
	ReadCookie(ctx context.Context, name, value string) (Contents, error)
}

// Contents is what another system's cookie contains.
type Contents struct {
	Values map[string]any // of the types that a session can store
	Left   time.Duration  // until the other system refuses the cookie

	content content // of a Store's own session
}

// checkAdopt reports what is wrong with the sources, and sets their defaults.
func (o *Options) checkAdopt() error {
	sources := make([]Source, len(o.Adopt))
	for i, s := range o.Adopt {
		if s.Cookie == "" {
			s.Cookie = s.Session
		}
		if s.Path == "" {
			s.Path = o.Path
		}
		if s.Domain == "" {
			s.Domain = o.Domain
		}
		for _, name := range []string{s.Session, s.Cookie} {
			if (&http.Cookie{Name: name}).Valid() != nil {
				return fmt.Errorf("session: Options.Adopt[%d]: %q is not a valid name for a cookie (RFC 6265, section 4.1.1)", i, name)
			}
		}
		switch {
		case s.Reader == nil:
			return fmt.Errorf("session: Options.Adopt[%d] has no Reader: set it to one such as adopt/flask.New returns", i)
		case s.Cookie == s.Session && (s.Path != o.Path || s.Domain != o.Domain):
			return fmt.Errorf("session: Options.Adopt[%d]: the other system's cookie %s has another Path or Domain: give the session another name", i, s.Cookie)
		}
		sources[i] = s
	}
	o.Adopt = sources
	return nil
}

// removal returns the cookie that removes the other system's.
func (s *Source) removal(o Options) *http.Cookie {
	return &http.Cookie{Name: s.Cookie, Path: s.Path, Domain: s.Domain, MaxAge: -1, Secure: !o.Insecure, HttpOnly: true, SameSite: o.SameSite}
}

// adopt reads the other systems' cookies. If the visitor has no session, the first of them that can
// be adopted becomes the session. The response will remove all that could be read. The reason is
// why the visitor still has no session, or "".
func (v *visit) adopt(r *http.Request, reason Reason) (Reason, error) {
	for i := range v.store.options.Adopt {
		source := &v.store.options.Adopt[i]
		if source.Session != v.session.Name() || source.Cookie == source.Session && v.brought == broughtLive {
			continue
		}
		cookies := r.CookiesNamed(source.Cookie)
		for _, c := range cookies[:min(len(cookies), maxCookies)] {
			found, err := source.Reader.ReadCookie(r.Context(), c.Name, c.Value)
			if errors.Is(err, ErrUnavailable) {
				return "", err
			}
			if err != nil || found.Left <= 0 || len(found.Values) == 0 && found.content.owner == "" {
				continue
			}
			if v.brought != broughtLive {
				reason, err = v.adoptCookie(r.Context(), c, found)
				if err == errNotAdopted {
					continue
				}
				if err != nil || reason == Replaced { // the browser may have a newer cookie: touch none
					v.others = nil
					return reason, err
				}
			}
			v.others = append(v.others, source)
		}
	}
	return reason, nil
}

// errNotAdopted means that the values in another system's cookie cannot be stored. An event says why, and
// the cookie is left alone.
var errNotAdopted = errors.New("session: not adopted")

// adoptCookie makes the values in another system's cookie the visitor's session, or continues the session
// that an earlier request made of the same cookie. A reason means that that one has ended or was renewed.
func (v *visit) adoptCookie(ctx context.Context, c *http.Cookie, found Contents) (Reason, error) {
	h, err := v.store.newAdopted(found)
	if err != nil {
		return "", v.notAdopted(ctx, c, err)
	}
	name := v.session.Name()
	derived := v.store.keys.derived(name, c)
	h, reason, err := v.store.keeper.adopt(ctx, name, h, derived)
	switch {
	case err != nil:
		return "", err
	case reason == Replaced:
		v.brought, v.held = broughtReplaced, h
		return reason, nil
	case reason != "":
		v.brought = broughtDead
		return reason, nil
	}
	trial := visit{store: v.store, session: v.session, brought: broughtLive, held: h}
	if err = v.store.keeper.check(&trial, plan{save: write}, h.values); err == nil {
		err = v.opened(h)
	}
	if err != nil {
		return "", v.notAdopted(ctx, c, err)
	}
	v.owed = true
	if h.record == nil {
		v.derived = derived
	}
	return "", nil
}

func (v *visit) notAdopted(ctx context.Context, c *http.Cookie, err error) error {
	v.emit(ctx, Event{Kind: Lost, Err: fmt.Errorf("the session in the cookie %s cannot be adopted: %w", c.Name, err)})
	return errNotAdopted
}

// newAdopted returns a session with the values in another system's cookie, still without an identity.
func (s *Store) newAdopted(found Contents) (h held, err error) {
	all := make(map[any]any, len(found.Values))
	for key, value := range found.Values {
		all[key] = value
	}
	h = held{content: found.content, at: time.Now()}
	if h.created.IsZero() {
		h.created, h.lifetime = h.at, s.options.Lifetime
	}
	h.used, h.idle, h.other = h.at, s.options.idle(), found.Left
	h.cap(s.options)
	h.longer = false
	h.values, err = encodeValues(all)
	return h, err
}

// adopting reports whether the session was adopted and is not stored yet.
func (v *visit) adopting() bool { return v.derived != nil }

// removeOthers removes the other systems' cookies, unless one of them is all that the visitor has.
func (v *visit) removeOthers(header http.Header) {
	if v.owed {
		return
	}
	for _, source := range v.others {
		if source.Cookie == v.session.Name() && v.cookie != "" { // the session's cookie has replaced it
			continue
		}
		line := source.removal(v.store.options).String()
		v.removed = append(v.removed, line)
		header.Add("Set-Cookie", line)
		keepPrivate(header)
	}
	v.others = nil
}

// ReadCookie makes a Store a Reader, for a move of its sessions to another Store. The session keeps its
// owner, and its lifetime goes on.
func (s *Store) ReadCookie(ctx context.Context, name, value string) (Contents, error) {
	h, reason, err := s.keeper.load(ctx, name, value)
	if err != nil {
		return Contents{}, err
	}
	if reason != "" {
		return Contents{}, errRefused
	}
	decoded, err := values.Decode(h.values)
	if err != nil {
		return Contents{}, err
	}
	found := Contents{Values: make(map[string]any, len(decoded)), Left: h.lifetime, content: h.content}
	if s.options.Backend == nil { // the cookie ends with the idle timeout
		found.Left = h.left()
	}
	for key, value := range decoded {
		found.Values[key.(string)] = value
	}
	c := &found.content
	c.ends, c.since, c.verifier, c.grace, c.renewal, c.generation = time.Time{}, time.Time{}, verifierHash{}, 0, mark{}, mark{}
	return found, nil
}

// derived returns the identities that a session receives of another system's cookie, under each secret.
// All have the same ID, so that processes with other secrets find it. Simultaneous requests with the
// cookie thereby meet in one session.
func (k keyring) derived(name string, c *http.Cookie) []identity {
	input := []byte("session v1 adopt\x00" + name + "\x00" + c.Name + "\x00" + c.Value)
	selector := sha256.Sum256(input)
	all := make([]identity, len(k))
	for i, keys := range k {
		mac := hmac.New(sha256.New, keys.adopted)
		mac.Write(input)
		all[i] = identityOf(mac.Sum(selector[:selectorSize:selectorSize]))
	}
	return all
}
