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

// A state is what the store remembers of one session during one request.
type state struct {
	store   *Store
	session *sessions.Session

	cookie  bool   // the request had a cookie of the session's name
	loaded  bool   // and it became this session
	stored  string // the values as they were loaded, encoded
	saved   string // the values as the response has them, encoded
	created int64  // Unix time in seconds
	touched int64  // Unix time in seconds, exact to half of the idle timeout
	key     int    // which secret sealed it, 0 for the newest
	size    int    // bytes of the cookie's value

	renewed   bool // it is to have a new identity
	destroyed bool // it was ended; what is set after that is a new session
}

// load reads the session from the first cookie of its name that opens, so that
// one planted from another path or domain (RFC 6265, section 8.6) cannot shut
// out the real one.
func (st *state) load(r *http.Request, name string) {
	if len(r.Header["Cookie"]) == 0 {
		return
	}
	cookies := r.CookiesNamed(name)
	st.cookie = len(cookies) > 0
	reason := Refused
	for _, c := range cookies[:min(len(cookies), maxCookies)] {
		if why := st.open(name, c); why == "" {
			return
		} else if why != Refused {
			reason = why
		}
	}
	if st.cookie {
		st.store.emit(r.Context(), Event{Kind: Rejected, Name: name, Reason: reason})
	}
}

// maxCookies bounds the work that one request can ask for.
const maxCookies = 8

func (st *state) open(name string, c *http.Cookie) Reason {
	if c.Quoted { // a second spelling of the same value
		return Refused
	}
	plain, key, err := st.store.keys.open(name, c.Value)
	if err != nil {
		return Refused
	}
	r := &reader{s: plain}
	created, unused := r.uvarint(), r.uvarint()
	st.created, st.touched = int64(created), int64(created+unused)
	idle, lifetime := st.left(time.Now())
	switch {
	case lifetime <= 0:
		return Expired
	case idle <= 0:
		return Idle
	}
	stored := r.s
	values := r.values()
	if r.err != nil {
		return Refused
	}
	st.loaded, st.stored, st.saved, st.key, st.size = true, stored, stored, key, len(c.Value)
	st.session.Values = values
	st.session.IsNew = false
	return ""
}

// left is what is left of the idle timeout and of the lifetime. A session that
// never idles has as much left of the one as of the other.
func (st *state) left(now time.Time) (idle, lifetime time.Duration) {
	lifetime = time.Unix(st.created, 0).Add(st.store.options.Lifetime).Sub(now)
	if st.store.options.IdleTimeout < 0 {
		return lifetime, lifetime
	}
	return time.Unix(st.touched, 0).Add(st.store.options.IdleTimeout).Sub(now), lifetime
}

// values encodes what the session holds now; nothing when it is to be removed.
func (st *state) values(b []byte) ([]byte, error) {
	if st.session.Options.MaxAge < 0 { // gorilla's way to end a session
		return b, nil
	}
	return encode(b, st.session.Values)
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
// later, than what the response has; or something that cannot be saved.
func (st *state) changed() bool {
	if st.anonymous() && st.saved == "" {
		return false
	}
	values, err := st.values(nil)
	return err != nil || string(values) != st.saved
}

// next makes the cookie that the response is to carry, nil for none. Its value
// is not sealed yet: plain is what it is to hold, values the part of it that the
// session's values are. Without values the cookie is to be removed.
func (st *state) next(now time.Time) (cookie *http.Cookie, plain, values []byte, err error) {
	if st.anonymous() && !st.cookie {
		return nil, nil, nil, nil
	}
	if err := st.checkName(); err != nil {
		return nil, nil, nil, err
	}
	fresh := state{store: st.store, created: st.created}
	if !st.loaded || st.renewed {
		fresh.created = now.Unix()
	}
	fresh.touched = max(fresh.created, now.Unix())
	plain = binary.AppendUvarint(make([]byte, 0, 256), uint64(fresh.created))
	plain = binary.AppendUvarint(plain, uint64(fresh.touched-fresh.created))
	header := len(plain)
	if plain, err = st.values(plain); err != nil {
		return nil, nil, nil, err
	}
	values = plain[header:]
	switch {
	case len(values) == 0:
		if st.loaded || st.ended() {
			cookie = st.newCookie(-1)
		}
		return cookie, nil, nil, nil
	case string(values) == st.stored && !st.renewed && st.key == 0 && !st.halfIdle(now):
		return nil, nil, values, nil
	}
	idle, lifetime := fresh.left(now)
	cookie = st.newCookie(max(1, int(min(idle, lifetime)/time.Second)))
	if size := len(cookie.String()) + sealedLen(len(plain)); size > MaxCookie {
		return nil, nil, nil, &TooLargeError{Size: size}
	}
	return cookie, plain, values, nil
}

// ended is true for a session that gorilla's MaxAge < 0 takes from the browser.
func (st *state) ended() bool {
	return st.session.Options.MaxAge < 0 && st.cookie
}

func (st *state) halfIdle(now time.Time) bool {
	timeout := st.store.options.IdleTimeout
	return timeout > 0 && now.Sub(time.Unix(st.touched, 0)) >= timeout/2
}

// checkName refuses what a browser would drop without a word.
func (st *state) checkName() error {
	o, name := st.session.Options, st.session.Name()
	if strings.HasPrefix(name, "__Host-") && (!o.Secure || o.Path != "/" || o.Domain != "") {
		return fmt.Errorf("session: a browser takes the cookie %s only with Secure, Path=/ and no Domain", name)
	}
	return nil
}

// newCookie makes the cookie without a value. It is good for maxAge seconds, or
// less if the application says so; below zero it removes itself.
func (st *state) newCookie(maxAge int) *http.Cookie {
	o := st.session.Options
	if maxAge > 0 && o.MaxAge < maxAge { // 0: until the browser is closed
		maxAge = o.MaxAge
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

func (st *state) check() error {
	_, _, _, err := st.next(time.Now())
	return err
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

// commit writes the session's cookie into header, if it needs one.
func (st *state) commit(ctx context.Context, header http.Header) error {
	cookie, plain, values, err := st.next(time.Now())
	if err != nil {
		return err
	}
	st.saved = string(values)
	removeCookie(header, st.session.Name())
	if cookie == nil {
		return nil
	}
	if plain != nil {
		cookie.Value = st.store.keys.seal(cookie.Name, plain)
	}
	header.Add("Set-Cookie", cookie.String())
	header.Set("Cache-Control", "no-store")
	st.report(ctx, plain == nil)
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

// removeCookie takes back a cookie that an earlier Save wrote: a response sets
// one cookie of a name at most (RFC 6265, section 4.1.1).
func removeCookie(header http.Header, name string) {
	cookies, ok := header["Set-Cookie"]
	if !ok {
		return
	}
	cookies = slices.DeleteFunc(cookies, func(c string) bool { return strings.HasPrefix(c, name+"=") })
	if len(cookies) == 0 {
		header.Del("Set-Cookie")
		return
	}
	header["Set-Cookie"] = cookies
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
