package session

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"heroes/session/internal/values"

	"github.com/gorilla/sessions"
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

	// Path, Domain and Partitioned are those of the other system's cookie. A browser removes it only if
	// they are right. Default: the Path and Domain of Options, and not partitioned.
	Path, Domain string
	Partitioned  bool
}

// A Reader reads the cookies of another system.
type Reader interface {
	// ReadCookie returns what a cookie contains, if the other system has set it and would still
	// accept it. If a decoder takes several spellings for the same value, ReadCookie must accept only
	// one, because each would lead to a session of its own. If a server that it needs cannot be
	// reached, the error is ErrUnavailable. After any other error the cookie is ignored. A *TypeError
	// is reported as an event.
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
	names := map[string]string{} // of sessions, by the other system's cookie
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
		if names[s.Cookie] == "" {
			names[s.Cookie] = s.Session
		}
		switch {
		case names[s.Cookie] != s.Session:
			return fmt.Errorf("session: Options.Adopt[%d]: the cookie %s is for two sessions, %s and %s: the first would remove it", i, s.Cookie, names[s.Cookie], s.Session)
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
	return &http.Cookie{Name: s.Cookie, Path: s.Path, Domain: s.Domain, MaxAge: -1, Secure: !o.Insecure || s.Partitioned, HttpOnly: true, SameSite: o.SameSite, Partitioned: s.Partitioned}
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
			if errors.Is(err, ErrUnavailable) && v.brought != broughtLive {
				return "", err
			}
			if unknown := new(TypeError); errors.As(err, &unknown) {
				_ = v.notAdopted(r.Context(), c, err)
			}
			if err != nil || found.Left <= 0 {
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
			if !slices.Contains(v.others, source) {
				v.others = append(v.others, source)
			}
		}
	}
	return reason, nil
}

// errNotAdopted means that the cookie is left alone: it has no values, or an event says why they cannot
// be stored.
var errNotAdopted = errors.New("session: not adopted")

// adoptCookie makes the values in another system's cookie the visitor's session, or continues the session
// that an earlier request made of the same cookie. A reason means that that one has ended or was renewed.
func (v *visit) adoptCookie(ctx context.Context, c *http.Cookie, found Contents) (Reason, error) {
	h, err := v.store.newAdopted(found)
	switch {
	case err != nil:
		return "", v.notAdopted(ctx, c, err)
	case h.values == "" && h.owner == "":
		return "", errNotAdopted
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
	if err = v.store.keeper.check(&trial, plan{save: write}, h.values+headroom); err == nil {
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

// headroom is room in the session for what pages add by themselves, such as a token against forged forms.
var headroom = strings.Repeat(" ", 256)

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
	h.used, h.idle, h.other = h.at, s.options.idle(), found.Left+expiryMargin
	h.cap(s.options)
	h.longer = false
	h.values, err = encodeValues(all)
	return h, err
}

// adopting reports whether the session was adopted and is not stored yet.
func (v *visit) adopting() bool { return v.derived != nil }

// refuseOlder keeps sessions from being adopted that the owner has signed in to before: they cannot be
// ended otherwise. It stores an end mark under an ID that no session has, for each secret.
func (s *Store) refuseOlder(ctx context.Context, name, owner string) error {
	if len(s.options.Adopt) == 0 {
		return nil
	}
	for _, hash := range s.keys.ownerHashes("\x00"+name, owner) {
		if err := s.end(ctx, name, held{content: content{id: ID(hash), other: longestCookie}}); err != nil {
			return err
		}
	}
	return nil
}

// revokedSince reports whether refuseOlder was called for the session's owner after the sign-in.
func (s *Store) revokedSince(ctx context.Context, name string, h held) (bool, error) {
	for _, hash := range s.keys.ownerHashes("\x00"+name, h.owner) {
		mark, _, err := s.read(ctx, name, ID(hash))
		if err != nil {
			return false, err
		}
		if ago := longestCookie - mark.other; mark.over && ago <= h.after(time.Since(h.at)).age {
			return true, nil
		}
	}
	return false, nil
}

// enterAdopted adds an adopted session to its owner's, before it is stored. Whoever ends the owner's
// sessions either finds it there, or has called refuseOlder before.
func (s *Store) enterAdopted(ctx context.Context, v *visit) error {
	name := v.session.Name()
	if v.entered {
		return nil
	}
	if err := s.addToIndex(ctx, name, v.held.owner, v.held.id); err != nil {
		return err
	}
	revoked, err := s.revokedSince(ctx, name, v.held)
	if err == nil && revoked {
		err = ErrConflict
	}
	return err
}

// prepareRevokeOthers calls refuseOlder for the session's owner, unless the session has ended. If it is
// being adopted, it first enters it, because refuseOlder is meant for the others.
func (s *Store) prepareRevokeOthers(ctx context.Context, r *http.Request, session *sessions.Session, own visit) error {
	if len(s.options.Adopt) == 0 {
		return nil
	}
	name := session.Name()
	if own.adopting() && own.signIn == nil {
		err := s.enterAdopted(ctx, &own)
		if err == nil {
			err = s.change(r, session, func(v *visit) error {
				v.entered = true
				return nil
			})
		}
		if err != nil {
			return err
		}
	}
	if err := s.stillOpen(ctx, name, own); err != nil {
		return err
	}
	return s.refuseOlder(ctx, name, own.owner())
}

// removeOthers removes the other systems' cookies, unless one of them is all that the visitor has.
func (v *visit) removeOthers(header http.Header) {
	if v.owed {
		return
	}
	for _, source := range v.others {
		removal := source.removal(v.store.options)
		switch {
		case removal.Name != v.session.Name():
			v.removed = append(v.removed, removal.String())
			header.Add("Set-Cookie", removal.String())
			keepPrivate(header)
		case v.cookie == "": // otherwise, the session's cookie has replaced it
			v.writeCookie(header, removal)
		}
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
