package session

import (
	"cmp"
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
)

// A Source is another system whose sessions a Store adopts. A visitor who has a cookie of that system,
// and no session here, receives a session with the same values. The response that sets the session's
// cookie removes the other system's.
//
//	reader, err := flask.New([]string{os.Getenv("FLASK_SECRET_KEY")}, flask.Options{})
//	options.Adopt = []session.Source{{Session: "_app_session", Cookie: "session", Reader: reader}}
type Source struct {
	// Session is the name of the session that receives the values. It is required.
	Session string

	// Reader reads the other system's cookies. It is required. Packages adopt/flask and adopt/gorilla
	// provide Readers. A Store is a Reader, too.
	Reader Reader

	// Cookie is the name of the other system's cookie. Default: Session. The new cookie then replaces
	// the old one, so Path, Domain and Partitioned must be those of Options.
	Cookie string

	// Path, Domain and Partitioned are those of the other system's cookie. A browser removes the cookie
	// only if all three match. Default: the Path and Domain of Options, and not partitioned.
	Path, Domain string
	Partitioned  bool

	// Owner returns the owner according to the values, or "" if nobody is signed in. The session then
	// belongs to that owner. The sign-in counts as 400 days old: the session is not Fresh, and RevokeOwner
	// ends it even if it has not been adopted yet. A Reader that is a Store knows the owner. Default:
	// nobody is signed in.
	Owner func(values map[string]any) string
}

// A Reader reads the cookies of another system.
type Reader interface {
	// ReadCookie returns the contents of a cookie that the other system has set and would still
	// accept. It must accept only one spelling of a cookie, because every other spelling would begin
	// another session. The error is ErrUnavailable if a server that it needs cannot be reached. After any
	// other error the cookie is ignored. A *TypeError is also reported as an event.
	ReadCookie(ctx context.Context, name, value string) (Contents, error)
}

// Contents are what another system's cookie contains.
type Contents struct {
	Values map[string]any // of the types that a session can store
	Left   time.Duration  // until the other system refuses the cookie; what exceeds ten years is ignored

	carried content   // what another Store knows besides: the owner, and times
	at      time.Time // when the durations in carried were measured
}

// longestLeft bounds Contents.Left, so that no sum overflows.
const longestLeft = 10 * 365 * 24 * time.Hour

// ReadCookie returns the contents of a session of this Store, so that another Store can adopt it. The
// session keeps its owner, and its lifetime does not start again.
func (s *Store) ReadCookie(ctx context.Context, name, value string) (Contents, error) {
	s = s.latest.Load()
	h, reason, err := s.keeper.load(ctx, name, value)
	if err != nil {
		return Contents{}, err
	}
	switch {
	case reason != "":
		return Contents{}, errRefused
	case h.key != "":
		return Contents{}, errBound
	}
	decoded, err := values.Decode(h.values)
	if err != nil {
		return Contents{}, err
	}
	found := Contents{Values: make(map[string]any, len(decoded)), Left: h.lifetime, carried: h.carried(), at: h.at}
	if s.options.Backend == nil { // the cookie ends with the idle timeout
		found.Left = h.left()
	}
	for key, value := range decoded {
		found.Values[key.(string)] = value
	}
	return found, nil
}

// errBound means that a session is bound to a device. The other Store would open copies of its cookie.
var errBound = errors.New("session: it is bound to a device, so another Store cannot adopt it")

// carried returns the parts of a session that another Store adopts. The others, such as tokens and marks, mean
// something only to this Store.
func (c content) carried() content {
	return content{created: c.created, lifetime: c.lifetime, lastSignIn: lastSignIn{owner: c.owner, age: c.age,
		when: c.when, note: c.note, keep: c.keep, transient: c.transient}}
}

// checkAdopt sets the sources' defaults, and reports what is wrong with them.
func (o *Options) checkAdopt() error {
	sources := slices.Clone(o.Adopt)
	sessionOf := map[string]string{} // by the other system's cookie
	for i := range sources {
		s := &sources[i]
		s.Cookie, s.Path, s.Domain = cmp.Or(s.Cookie, s.Session), cmp.Or(s.Path, o.Path), cmp.Or(s.Domain, o.Domain)
		if err := s.check(o, sessionOf); err != nil {
			return fmt.Errorf("session: Options.Adopt[%d]: %w", i, err)
		}
		sessionOf[s.Cookie] = s.Session
	}
	o.Adopt = sources
	return nil
}

func (s *Source) check(o *Options, sessionOf map[string]string) error {
	for _, name := range []string{s.Session, s.Cookie} {
		if (&http.Cookie{Name: name}).Valid() != nil {
			return fmt.Errorf("%q is not a valid name for a cookie (RFC 6265, section 4.1.1)", name)
		}
	}
	same := s.Path == o.Path && s.Domain == o.Domain && s.Partitioned == o.Partitioned
	isSession := slices.ContainsFunc(o.Adopt, func(other Source) bool { return other.Session == s.Cookie })
	switch other, taken := sessionOf[s.Cookie]; {
	case isSession && s.Session != s.Cookie:
		return fmt.Errorf("%s is the name of a session as well as of another system's cookie: rename the session", s.Cookie)
	case taken && other != s.Session:
		return fmt.Errorf("the cookie %s is for two sessions, %s and %s: the first would remove it", s.Cookie, other, s.Session)
	case s.Reader == nil:
		return errors.New("it has no Reader: set one such as adopt/flask.New returns")
	case s.Cookie == s.Session && !same:
		return fmt.Errorf("the session's cookie cannot replace the other system's cookie %s, which has another Path, Domain or Partitioned: rename the session", s.Cookie)
	}
	return nil
}

// An adoption is what a visit knows about other systems' cookies.
type adoption struct {
	candidates []identity // of an adopted session that is not stored yet, one for each secret
	cookieDue  bool       // the browser does not have the adopted session's cookie yet
	read       []*Source  // whose cookies could be read, so that the response removes them
	removed    []string   // the Set-Cookie lines that remove them
}

// adopting reports whether the session was adopted and is not stored yet.
func (v *visit) adopting() bool { return v.adoption.candidates != nil }

// adopt looks for cookies of other systems. If the visitor has no session, it adopts the first that it
// can. It notes each source whose cookie it could read, so that the response removes the cookie. It
// receives the reason why the visitor has no session, and returns the one that holds afterwards: "" if a
// session was adopted.
func (v *visit) adopt(r *http.Request, reason Reason) (Reason, error) {
	for i := range v.store.options.Adopt {
		source := &v.store.options.Adopt[i]
		replaced := source.Cookie == source.Session && v.brought == broughtLive // by the session's own cookie
		if source.Session != v.session.Name() || replaced {
			continue
		}
		cookies := r.CookiesNamed(source.Cookie)
		for _, c := range cookies[:min(len(cookies), maxCookies)] {
			why, err := v.adoptCookie(r, source, c)
			switch {
			case err == errNotAdopted:
				continue
			case err != nil:
				return "", err
			case v.brought == broughtReplaced || v.brought == broughtUnproven: // touch no cookie: the browser may have a newer one
				v.adoption.read = nil
				return why, nil
			}
			reason = why
			v.adoption.read = append(v.adoption.read, source)
		}
	}
	return reason, nil
}

// errNotAdopted means that the cookie stays in the browser: it is not the source's, it is too old, or it has no
// values that can be stored.
var errNotAdopted = errors.New("session: not adopted")

// adoptCookie reads another system's cookie. If the visitor has no session, it begins one with the
// values, or continues the one that an earlier request began. The reason, if there is one, says that the
// earlier session has ended or has been renewed.
func (v *visit) adoptCookie(r *http.Request, source *Source, c *http.Cookie) (Reason, error) {
	ctx := r.Context()
	live := v.brought == broughtLive
	found, err := source.Reader.ReadCookie(ctx, c.Name, c.Value)
	wrongType := new(TypeError)
	switch {
	case errors.Is(err, ErrUnavailable) && !live:
		return "", err
	case (errors.As(err, &wrongType) || errors.Is(err, errBound)) && !live:
		v.reportNotAdopted(ctx, c, err)
		return "", errNotAdopted
	case err != nil || found.Left <= 0:
		return "", errNotAdopted
	case live:
		return "", nil
	}
	h, err := v.store.begin(source, found)
	if err != nil {
		v.reportNotAdopted(ctx, c, err)
		return "", errNotAdopted
	}
	if h.values == "" && h.owner == "" {
		return "", errNotAdopted
	}
	name := v.session.Name()
	candidates := v.store.keys.candidates(name, c)
	h, reason, err := v.store.keeper.findAdopted(ctx, name, h, candidates)
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
	if v.readProof(r, h); !v.deviceAllows(h) {
		v.brought, v.held = broughtUnproven, h
		return unproven(r), nil
	}
	if err := v.continueWith(h); err != nil {
		v.reportNotAdopted(ctx, c, err)
		return "", errNotAdopted
	}
	v.adoption.cookieDue = true
	if h.record == nil {
		v.adoption.candidates = candidates
	}
	return "", nil
}

// headroom is room in the session for what pages add by themselves, such as a CSRF token.
var headroom = strings.Repeat(" ", 256)

// continueWith makes h the visitor's session, unless it cannot be stored. Otherwise every page would fail.
func (v *visit) continueWith(h held) error {
	trial := visit{store: v.store, session: v.session, brought: broughtLive, held: h}
	if err := v.store.keeper.check(&trial, plan{save: write}, h.values+headroom); err != nil {
		return err
	}
	return v.opened(h)
}

func (v *visit) reportNotAdopted(ctx context.Context, c *http.Cookie, err error) {
	v.emit(ctx, Event{Kind: NotAdopted, Err: fmt.Errorf("the session in the cookie %s cannot be adopted: %w", c.Name, err)})
}

// begin returns a session with the values in another system's cookie, without an identity yet.
func (s *Store) begin(source *Source, found Contents) (h held, err error) {
	all := make(map[any]any, len(found.Values))
	for key, value := range found.Values {
		all[key] = value
	}
	h = held{content: found.carried, at: found.at}
	if h.at.IsZero() { // from a system that is not a Store
		h.at = time.Now()
		h.created, h.lifetime = h.at, s.options.Lifetime
	}
	if h.owner == "" && source.Owner != nil {
		h.owner, h.age, h.when = source.Owner(found.Values), longestCookie, h.at.Add(-longestCookie)
		if len(h.owner) > MaxOwner {
			return h, fmt.Errorf("Source.Owner has returned %d bytes: an owner has at most %d", len(h.owner), MaxOwner)
		}
	}
	h.used, h.idle, h.other = h.at, s.options.idle(), min(found.Left, longestLeft)+expiryMargin
	h.cap(s.options)
	h.longer = false // it will be stored anyway
	h.values, err = s.encode(all)
	return h, err
}

// candidates returns the identities that follow from another system's cookie, one for each secret. They
// share an ID. So simultaneous requests with that cookie find the same session, even in processes with
// different secrets.
func (k keyring) candidates(name string, c *http.Cookie) []identity {
	input := []byte("session v1 adopt\x00" + name + "\x00" + c.Name + "\x00" + c.Value)
	selector := sha256.Sum256(input)
	all := make([]identity, len(k))
	for i, keys := range k {
		mac := hmac.New(sha256.New, keys.adopted)
		mac.Write(input)
		all[i] = identityOf(append(selector[:selectorSize:selectorSize], mac.Sum(nil)...))
	}
	return all
}

// removeOthers removes the other systems' cookies once the browser has the session's own cookie, or this
// response sets it.
func (v *visit) removeOthers(header http.Header) {
	if v.adoption.cookieDue {
		return
	}
	for _, source := range v.adoption.read {
		removal := source.removal(v.store.options)
		if removal.Name != v.session.Name() {
			if line := removal.String(); !slices.Contains(v.adoption.removed, line) {
				v.adoption.removed = append(v.adoption.removed, line)
				header.Add("Set-Cookie", line)
				keepPrivate(header)
			}
		} else if v.cookie == "" { // no cookie of the session has replaced it
			v.writeCookie(header, removal)
		}
	}
	v.adoption.read = nil
}

// removal returns the cookie that removes the other system's.
func (s *Source) removal(o Options) *http.Cookie {
	return &http.Cookie{
		Name: s.Cookie, Path: s.Path, Domain: s.Domain, Partitioned: s.Partitioned,
		MaxAge: -1, Secure: !o.Insecure || s.Partitioned, HttpOnly: true, SameSite: o.SameSite,
	}
}
