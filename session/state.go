package session

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/sessions"
)

// A content is what is sealed of a session.
type content struct {
	created int64  // Unix time in seconds
	touched int64  // Unix time in seconds, exact to half of the idle timeout
	values  string // encoded
}

func (c content) encode() []byte {
	b := binary.AppendUvarint(make([]byte, 0, 20+len(c.values)), uint64(c.created))
	b = binary.AppendUvarint(b, uint64(c.touched-c.created))
	return append(b, c.values...)
}

// decodeContent reads the times; the values are decoded by who needs them.
func decodeContent(plain string) (content, error) {
	r := &reader{s: plain}
	created, unused := r.uvarint(), r.uvarint()
	return content{int64(created), int64(created + unused), r.s}, r.err
}

// left is what is left of the idle timeout and of the lifetime. A session that
// never idles has as much left of the one as of the other.
func (s *Store) left(c content, now time.Time) (idle, lifetime time.Duration) {
	lifetime = time.Unix(c.created, 0).Add(s.options.Lifetime).Sub(now)
	if s.options.IdleTimeout < 0 {
		return lifetime, lifetime
	}
	return time.Unix(c.touched, 0).Add(s.options.IdleTimeout).Sub(now), lifetime
}

// A state is what the store remembers of one session during one request.
type state struct {
	store   *Store
	session *sessions.Session

	cookie bool    // the request had a cookie of the session's name
	loaded bool    // and it became this session
	was    content // as it was loaded
	saved  string  // the values as the response has them, encoded
	key    int     // which secret sealed it, 0 for the newest
	size   int     // bytes of what was sealed, as it is stored
	place  place   // where it is on the server
	wrote  string  // the Set-Cookie that an earlier Save wrote, without Handler
	err    error   // why it could not be loaded: ErrUnavailable

	scratch []byte // where values encodes

	renewed   bool // it is to have a new identity
	destroyed bool // it was ended; what is set after that is a new session
	committed bool // both have been seen to
	followed  bool // it was found where another request has renewed it
	moved     bool // it came sealed in the cookie, which is to hold its token
}

// maxCookies bounds the work that one request can ask for.
const maxCookies = 4

// load reads the session from the first cookie of its name that opens, so that
// one planted from another path or domain (RFC 6265, section 8.6) cannot shut
// out the real one.
func (st *state) load(r *http.Request, name string) {
	if len(r.Header["Cookie"]) == 0 {
		return
	}
	st.cookie = sent(r, name)
	cookies := r.CookiesNamed(name)
	reason := Refused
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), loadTime)
	defer cancel()
	for _, c := range cookies[:min(len(cookies), maxCookies)] {
		why := st.open(ctx, name, c)
		switch {
		case st.err != nil:
			st.store.emit(r.Context(), Event{Kind: Unreachable, Name: name, Err: st.err})
			return
		case why == "":
			return
		case why != Refused:
			reason = why
		}
	}
	if st.cookie {
		st.store.emit(r.Context(), Event{Kind: Rejected, Name: name, Reason: reason})
	}
}

// sent says whether the request has a cookie of that name, in any shape: the
// answer to one that net/http does not parse must not differ.
func sent(r *http.Request, name string) bool {
	return slices.ContainsFunc(r.Header["Cookie"], func(line string) bool { return strings.Contains(line, name+"=") })
}

func (st *state) open(ctx context.Context, name string, c *http.Cookie) Reason {
	if c.Quoted { // a second spelling of the same value
		return Refused
	}
	var (
		plain string
		key   int
		err   error
	)
	if st.store.options.Backend == nil {
		plain, key, err = st.store.keys.openText(name, c.Value)
		st.size = len(c.Value)
	} else {
		plain, key, err = st.fetch(ctx, name, c.Value)
		st.size = len(st.place.record)
	}
	if err != nil {
		return Refused
	}
	was, err := decodeContent(plain)
	if err != nil {
		return Refused
	}
	idle, lifetime := st.store.left(was, time.Now())
	switch {
	case lifetime <= 0:
		return Expired
	case idle <= 0:
		return Idle
	}
	values, err := decode(was.values)
	if err != nil {
		return Refused
	}
	st.loaded, st.was, st.saved, st.key = true, was, was.values, key
	st.session.Values = values
	st.session.IsNew = false
	return ""
}

// values encodes what the session holds now; nothing when it is to be removed.
func (st *state) values() (string, error) {
	if st.session.Options.MaxAge < 0 { // gorilla's way to end a session
		return "", nil
	}
	b, err := encode(st.scratch[:0], st.session.Values)
	if err != nil {
		return "", err
	}
	st.scratch = b
	if string(b) == st.saved { // nearly always, and spares a copy
		return st.saved, nil
	}
	return string(b), nil
}

// anonymous is true for a visitor without a session, who costs no work.
func (st *state) anonymous() bool {
	if st.loaded {
		return false
	}
	for k, v := range st.session.Values {
		if key, _ := k.(string); !emptyFlash(key, v) {
			return false
		}
	}
	return true
}

// changed is true when the session holds something else than what was loaded or,
// later, than what the response has; when it is to be renewed; and when it cannot be
// saved.
func (st *state) changed() bool {
	values, err := st.values()
	return err != nil || values != st.saved || (st.renewed && !st.committed)
}

// ended is true for a session that gorilla's MaxAge < 0 takes from the browser.
func (st *state) ended() bool {
	return st.session.Options.MaxAge < 0 && st.cookie
}

func (st *state) halfIdle(now time.Time) bool {
	timeout := st.store.options.IdleTimeout
	return timeout > 0 && now.Sub(time.Unix(st.was.touched, 0)) >= timeout/2
}

// next is what the session is to become, and true if that has to be saved. Without
// values it is to be removed.
func (st *state) next(now time.Time) (c content, save bool, err error) {
	if st.anonymous() && !st.cookie {
		return c, false, nil
	}
	c.created, c.touched = st.was.created, now.Unix()
	if !st.loaded || st.renewed {
		c.created = now.Unix()
	}
	c.touched = max(c.touched, c.created)
	if c.values, err = st.values(); err != nil {
		return c, false, err
	}
	switch {
	case c.values == "":
		save = st.loaded || st.ended()
	default:
		save = c.values != st.was.values || st.renewed || st.moved || st.key > 0 || st.halfIdle(now)
	}
	return c, save, nil
}

// checkCookie refuses what a browser would drop without a word.
func checkCookie(c *http.Cookie) error {
	prefixed := func(prefix string) bool {
		return len(c.Name) >= len(prefix) && strings.EqualFold(c.Name[:len(prefix)], prefix)
	}
	switch {
	case c.Valid() != nil:
		return fmt.Errorf("session: the cookie cannot be set: %w", c.Valid())
	case prefixed("__Host-") && (!c.Secure || c.Path != "/" || c.Domain != ""):
		return fmt.Errorf("session: a browser takes the cookie %s only with Secure, Path=/ and no Domain", c.Name)
	case !c.Secure && (prefixed("__Secure-") || c.SameSite == http.SameSiteNoneMode || c.Partitioned):
		return fmt.Errorf("session: a browser takes the cookie %s only with Secure", c.Name)
	}
	return nil
}

// newCookie makes the cookie, without a value, for what is left of the session, or
// less if the application says so. Without values it removes itself.
func (st *state) newCookie(c content, now time.Time) *http.Cookie {
	o, maxAge := st.session.Options, -1
	if c.values != "" {
		idle, lifetime := st.store.left(c, now)
		maxAge = min(max(1, int(min(idle, lifetime)/time.Second)), o.MaxAge) // 0: until the browser is closed
	}
	return &http.Cookie{
		Name:        st.session.Name(),
		Path:        o.Path,
		Domain:      o.Domain,
		MaxAge:      maxAge,
		Secure:      o.Secure,
		HttpOnly:    o.HttpOnly,
		Partitioned: o.Partitioned,
		SameSite:    o.SameSite,
	}
}

// check says whether the session can be saved, as far as can be told before.
func (st *state) check() error {
	now := time.Now()
	c, save, err := st.next(now)
	switch {
	case err != nil || !save:
		return err
	case st.err != nil:
		return st.err
	}
	return st.fits(st.newCookie(c, now), c)
}

// fits says whether c can be saved in the cookie. What was stored before always
// can, for the times are given the most bytes that they take.
func (st *state) fits(cookie *http.Cookie, c content) error {
	if err := checkCookie(cookie); err != nil {
		return err
	}
	size := len(cookie.String()) + sealedLen(2*binary.MaxVarintLen32+len(c.values))
	if st.store.options.Backend == nil && c.values != "" && size > MaxCookie {
		return &TooLargeError{Size: size, Limit: MaxCookie}
	}
	return nil
}

// mark tells caches that the response depends on the session's cookie and, when
// there is one, that it is for this visitor alone.
func (st *state) mark(header http.Header) {
	if !varies(header) {
		header.Add("Vary", "Cookie")
	}
	if st.cookie {
		header.Set("Cache-Control", "no-store")
	}
}

// commit saves the session and writes its cookie into header, if it needs one.
func (st *state) commit(ctx context.Context, header http.Header) error {
	now, before := time.Now(), *st
	c, save, err := st.next(now)
	if err != nil {
		return err
	}
	var cookie *http.Cookie
	switch {
	case !save:
	case st.err != nil:
		return st.err
	case st.store.options.Backend != nil:
		cookie, err = st.put(ctx, c, now)
	default:
		cookie = st.newCookie(c, now)
		if err = st.fits(cookie, c); err == nil && c.values != "" {
			cookie.Value = st.store.keys.sealText(cookie.Name, c.encode())
		}
	}
	if err != nil {
		return err
	}
	st.saved = c.values
	if st.store.options.Backend != nil {
		if st.saved, err = st.values(); err != nil { // with what others have set meanwhile
			return err
		}
	}
	st.committed = true
	if cookie != nil || st.store.options.Backend == nil {
		st.write(header, cookie)
	}
	if save {
		before.report(ctx, cookie != nil && cookie.MaxAge < 0)
	}
	return nil
}

func (st *state) report(ctx context.Context, removed bool) {
	emit := func(kind EventKind) {
		st.store.emit(ctx, Event{Kind: kind, Name: st.session.Name()})
	}
	if st.loaded && (removed || st.destroyed) {
		emit(Destroyed)
	} else if st.loaded && st.renewed {
		emit(Renewed)
	}
	if !removed && (!st.loaded || st.destroyed) {
		emit(Created)
	}
}

// write puts the cookie, if there is one, in the place of what an earlier Save wrote:
// a response sets one cookie of a name at most (RFC 6265, section 4.1.1).
func (st *state) write(header http.Header, cookie *http.Cookie) {
	if st.wrote != "" {
		header["Set-Cookie"] = slices.DeleteFunc(header["Set-Cookie"], func(c string) bool { return c == st.wrote })
		st.wrote = ""
	}
	if cookie != nil {
		st.wrote = cookie.String()
		header.Add("Set-Cookie", st.wrote)
		header.Set("Cache-Control", "no-store")
	}
}

func varies(header http.Header) bool {
	return slices.ContainsFunc(header["Vary"], func(v string) bool {
		for field := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(field), "Cookie") {
				return true
			}
		}
		return false
	})
}
