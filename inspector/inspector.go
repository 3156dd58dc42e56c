// Package inspector is a page for development. It shows visitors what their browser holds, what
// the server reads, and who else could read it. It changes nothing: even a flash stays for the
// next page.
package inspector

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"heroes/locales"
	"heroes/session"

	"github.com/gobuffalo/buffalo"
	"github.com/gobuffalo/buffalo/render"
	"github.com/gorilla/sessions"
)

// An Inspector shows the session of a visitor.
type Inspector struct {
	Page   render.Renderer // templates/session/show.plush.html in the layout
	Store  string          // where the sessions are: SESSION_STORE
	Fields []string        // keys of the hero, in the order of the form
}

// An inspection is what the page shows of a session.
type inspection struct {
	Store        string // "cookie", "database", "redis" or "server"
	Steps        []string
	Cookie       *http.Cookie
	Size, Max    int         // bytes of the cookie with its attributes, and of what a browser keeps
	Attributes   []attribute // of the cookie
	Lacking      string      // what the cookie has in production and lacks here
	Record       int         // bytes on the server, 0 if there are none
	Hero, Others []entry
	Flash        map[string][]string
	Age          string
	Idle         string
	Lifetime     string
	Bound        bool // to the browser's device
	Secret       int  // 1 is the newest
	Secrets      int
	Readables    []readable
}

type attribute struct{ Name, Text string }

type entry struct{ Key, Type, Value string }

// Show shows the session.
func (i Inspector) Show(c buffalo.Context) error {
	cookie, err := ownCookie(c)
	if err != nil {
		return err
	}
	return i.show(c, cookie)
}

// Change changes a byte in a copy of the visitor's own cookie, and shows whether the store opens
// it.
func (i Inspector) Change(c buffalo.Context) error {
	cookie, err := ownCookie(c)
	if err != nil {
		return err
	}
	if cookie != nil {
		copied := tamper(cookie.Value)
		if copied.Opened, err = opens(storeOf(c), c.Request(), cookie.Name, copied.Left+copied.After+copied.Right); err != nil {
			return err
		}
		c.Set("copied", copied)
	}
	return i.show(c, cookie)
}

// show renders the page by itself, because Buffalo's Render would use up the flash.
func (i Inspector) show(c buffalo.Context, cookie *http.Cookie) error {
	if cookie != nil {
		c.Set("seen", i.inspect(c, cookie))
	}
	data := c.Data()
	data["flash"] = map[string][]string{}
	data["session"] = session.ViewOf(c.Session().Session)
	var page bytes.Buffer
	if err := i.Page.Render(&page, data); err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	c.Response().Header().Set("Content-Type", i.Page.ContentType())
	c.Response().WriteHeader(http.StatusOK)
	_, _ = page.WriteTo(c.Response()) // the visitor may have left
	return nil
}

// inspect reads the session that came in cookie.
func (i Inspector) inspect(c buffalo.Context, cookie *http.Cookie) inspection {
	s := c.Session().Session
	info := storeOf(c).Info(c.Request(), s)
	set := asSet(cookie, s.Options, info)
	seen := inspection{
		Store:      "cookie",
		Steps:      []string{"browser", "cookie", "opens"},
		Cookie:     cookie,
		Size:       len(set.String()),
		Max:        session.MaxCookie,
		Attributes: attributesOf(c, set),
		Age:        duration(c, time.Since(info.Created)),
		Idle:       duration(c, info.IdleLeft),
		Lifetime:   duration(c, info.LifetimeLeft),
		Bound:      info.Bound,
		Secret:     info.Secret + 1,
		Secrets:    info.Secrets,
	}
	if !set.Secure {
		seen.Lacking = "Secure, __Host-"
	}
	if info.OnServer {
		seen.Store, seen.Record = i.server(), info.Size
		seen.Steps = []string{"browser", "id", seen.Store, "opens"}
	}
	if info.Bound {
		seen.Steps = slices.Insert(seen.Steps, 1, "device")
	}
	values := session.ViewOf(s)
	seen.Readables = readables(cookie.Name, values)
	seen.Hero, seen.Others = i.entries(values)
	flash, _ := s.Values["_flash_"].([]byte) // where Buffalo keeps it
	_ = json.Unmarshal(flash, &seen.Flash)
	return seen
}

// server names the store of sessions that are on a server.
func (i Inspector) server() string {
	if i.Store == "database" || i.Store == "redis" {
		return i.Store
	}
	return "server"
}

// asSet returns the cookie with the attributes that it was set with. A cookie that contains the
// session expires with it; one with a token expires when the session's lifetime ends.
func asSet(cookie *http.Cookie, o *sessions.Options, info session.Info) *http.Cookie {
	left := info.IdleLeft + time.Since(info.LastUse)
	if info.OnServer {
		left = info.LifetimeLeft + time.Since(info.Created)
	}
	left = left.Round(time.Second)
	return &http.Cookie{
		Name: cookie.Name, Value: cookie.Value, Path: o.Path, Domain: o.Domain, MaxAge: int(left / time.Second),
		Secure: o.Secure, HttpOnly: o.HttpOnly, SameSite: o.SameSite,
	}
}

func storeOf(c buffalo.Context) *session.Store {
	return c.Value("app").(*buffalo.App).SessionStore.(*session.Store)
}

// ownCookie returns the cookie that the request's session was read from, or nil.
func ownCookie(c buffalo.Context) (*http.Cookie, error) {
	s := c.Session().Session
	if s.IsNew {
		return nil, nil
	}
	for _, cookie := range c.Request().CookiesNamed(s.Name()) {
		if cookie.Quoted { // the store refuses these
			continue
		}
		if ok, err := opens(storeOf(c), c.Request(), cookie.Name, cookie.Value); ok || err != nil {
			return cookie, err
		}
	}
	return nil, nil // the session ended in the meantime
}

// opens reports whether the store opens a session with a cookie's value. It asks with a request of its
// own, because the visitor's already has a session. That request has the visitor's other cookies: one of
// them may prove that it comes from the device that the session is bound to.
func opens(store *session.Store, own *http.Request, name, value string) (bool, error) {
	r, err := http.NewRequest(http.MethodGet, "/", nil)
	if err != nil {
		return false, err
	}
	for _, cookie := range own.Cookies() {
		if cookie.Name != name {
			r.AddCookie(cookie)
		}
	}
	r.AddCookie(&http.Cookie{Name: name, Value: value})
	s, err := store.Get(r, name)
	return !s.IsNew, err
}

// attributesOf explains each attribute of the cookie.
func attributesOf(c buffalo.Context, set *http.Cookie) (attributes []attribute) {
	parts := strings.Split(set.String(), "; ")
	for _, part := range parts[1:] {
		name, _, _ := strings.Cut(strings.ToLower(part), "=")
		attributes = append(attributes, attribute{part, locales.T.Translate(c, "inspector.attribute."+name)})
	}
	return attributes
}

// entries returns the hero's values, in the order of the form, and the others, in the order of
// their keys.
func (i Inspector) entries(values session.View) (hero, others []entry) {
	rest := maps.Clone(values)
	for _, field := range i.Fields {
		if value, ok := rest[field]; ok {
			hero = append(hero, entryOf(field, value))
			delete(rest, field)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(rest)) {
		others = append(others, entryOf(key, rest[key]))
	}
	return hero, others
}

func entryOf(key string, value any) entry {
	return entry{key, strings.ReplaceAll(fmt.Sprintf("%T", value), "interface {}", "any"), text(value)}
}

// text returns a value of a session as a person reads it.
func text(value any) string {
	switch v := value.(type) {
	case []byte:
		return fmt.Sprintf("%q", v)
	case time.Time:
		return v.Format(time.RFC3339Nano)
	}
	return fmt.Sprint(value)
}

// duration returns d in words, in its two largest units.
func duration(c buffalo.Context, d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= day:
		return units(c, "days", d/day, "hours", d%day/time.Hour)
	case d >= time.Hour:
		return units(c, "hours", d/time.Hour, "minutes", d%time.Hour/time.Minute)
	case d >= time.Minute:
		return units(c, "minutes", d/time.Minute, "seconds", d%time.Minute/time.Second)
	}
	return locales.T.Translate(c, "inspector.seconds", int(d/time.Second))
}

func units(c buffalo.Context, larger string, n time.Duration, smaller string, m time.Duration) string {
	more := locales.T.Translate(c, "inspector."+larger, int(n))
	if m == 0 {
		return more
	}
	less := locales.T.Translate(c, "inspector."+smaller, int(m))
	return locales.T.Translate(c, "inspector.together", map[string]any{"More": more, "Less": less})
}
