package session

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// newCookie returns the cookie that leads to h. It expires with the session, or earlier if the
// application says so. For the zero held, newCookie returns a cookie that removes itself.
func (v *visit) newCookie(h held) *http.Cookie {
	o, maxAge := v.session.Options, -1
	if h.id != (ID{}) {
		left := h.lifetime
		if v.store.options.Backend == nil { // a cookie that contains the session ends with it
			left = h.left()
		}
		maxAge = min(max(1, int(left/time.Second)), o.MaxAge) // 0: until the browser closes
		if h.transient {
			maxAge = 0
		}
	}
	return &http.Cookie{
		Name:        v.session.Name(),
		Value:       h.value,
		Path:        o.Path,
		Domain:      o.Domain,
		MaxAge:      maxAge,
		Secure:      o.Secure,
		HttpOnly:    o.HttpOnly,
		Partitioned: v.store.options.Partitioned,
		SameSite:    o.SameSite,
	}
}

// checkCookie refuses what a browser would silently drop.
func checkCookie(c *http.Cookie) error {
	name := strings.ToLower(c.Name)
	host := strings.HasPrefix(name, "__host-")
	needsSecure := host || strings.HasPrefix(name, "__secure-") || c.SameSite == http.SameSiteNoneMode || c.Partitioned
	switch {
	case c.Valid() != nil:
		return fmt.Errorf("session: the cookie cannot be set: %w", c.Valid())
	case host && (c.Path != "/" || c.Domain != ""):
		return fmt.Errorf("session: browsers accept the cookie %s only with Path=/ and no Domain", c.Name)
	case needsSecure && !c.Secure:
		return fmt.Errorf("session: browsers accept the cookie %s only if it is Secure, which needs https: without https, use another name or SameSite", c.Name)
	}
	return nil
}

// writeCookie sets the cookie, and removes the one that an earlier Save of this response set: a
// response sets a cookie at most once (RFC 6265, section 4.1.1).
func (v *visit) writeCookie(header http.Header, c *http.Cookie) {
	if v.cookie != "" {
		header["Set-Cookie"] = slices.DeleteFunc(header["Set-Cookie"], func(line string) bool { return line == v.cookie })
	}
	v.cookie = c.String()
	header.Add("Set-Cookie", v.cookie)
	keepPrivate(header)
}

// keepFromCaches tells caches that the response depends on the session's cookie and, if the request
// brought one or the response sets it, that it is for this visitor alone (RFC 9111, section
// 5.2.2).
func (v *visit) keepFromCaches(header http.Header) {
	if !lists(header["Vary"], "Cookie") {
		header.Add("Vary", "Cookie")
	}
	if v.brought != broughtNothing || v.cookie != "" {
		keepPrivate(header)
	}
}

// keepPrivate keeps the response out of shared caches. If the application's own Cache-Control
// does that already, keepPrivate leaves it alone.
func keepPrivate(header http.Header) {
	header.Del("CDN-Cache-Control") // it would overrule Cache-Control (RFC 9213)
	said := header["Cache-Control"]
	quoted := slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, `"`) }) // private for some fields only
	kept := lists(said, "private") || lists(said, "no-store") && !lists(said, "must-understand")
	if quoted || !kept {
		header.Set("Cache-Control", "no-store")
	}
}

// lists reports whether a header's comma-separated values contain the token.
func lists(values []string, token string) bool {
	return slices.ContainsFunc(values, func(value string) bool {
		for _, item := range strings.Split(value, ",") {
			if strings.EqualFold(strings.TrimSpace(item), token) {
				return true
			}
		}
		return false
	})
}
