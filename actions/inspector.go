package actions

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"heroes/session"

	"github.com/gobuffalo/buffalo"
	"github.com/gobuffalo/envy"
	"github.com/gorilla/sessions"
)

// The session inspector is for development. It shows a visitor what the browser
// holds, what the server reads, and who can read which. It looks and changes
// nothing: even a flash that waits is shown among the values and waits on.

// An inspection is what the page shows of a session.
type inspection struct {
	Store        string // cookie, database, redis or server
	Steps        []string
	Cookie       *http.Cookie
	Size, Max    int         // of the cookie, with its attributes; of what a browser keeps
	Attributes   []attribute // of the cookie
	Insecure     bool        // the cookie goes over http, too
	Record       int         // bytes on the server, 0 if there are none
	Hero, Others []entry
	Flash        map[string][]string
	Age          string
	Idle         string
	Lifetime     string
	Secret       int // 1 is the newest
	Secrets      int
	Readables    []readable
}

type attribute struct{ Name, Text string }

type entry struct{ Key, Type, Value string }

// offerInspector has the pages lead to the inspector, where there is one.
func offerInspector(next buffalo.Handler) buffalo.Handler {
	return func(c buffalo.Context) error {
		if !Production(c.Value("env").(string)) {
			c.Set("inspector", true)
		}
		return next(c)
	}
}

// SessionShow shows the session inspector.
func SessionShow(c buffalo.Context) error {
	cookie, err := ownCookie(c)
	if err != nil {
		return err
	}
	return showInspector(c, cookie)
}

// SessionTamper changes a byte in a copy of the visitor's own cookie, and shows
// whether the store takes it.
func SessionTamper(c buffalo.Context) error {
	cookie, err := ownCookie(c)
	if err != nil {
		return err
	}
	if cookie != nil {
		copied := tamper(cookie.Value)
		if copied.Taken, err = opens(c, cookie.Name, copied.Left+copied.After+copied.Right); err != nil {
			return err
		}
		c.Set("copied", copied)
	}
	return showInspector(c, cookie)
}

// SessionHidden stands in for the inspector in production.
func SessionHidden(c buffalo.Context) error {
	return c.Error(http.StatusNotFound, errors.New("the session inspector is for development"))
}

func showInspector(c buffalo.Context, cookie *http.Cookie) error {
	if cookie != nil {
		c.Set("seen", inspect(c, cookie))
	}
	page, err := withoutFlash(c, "session/show.html")
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	c.Response().Header().Set("Content-Type", "text/html; charset=utf-8")
	c.Response().WriteHeader(http.StatusOK)
	_, _ = c.Response().Write(page) // the visitor may have gone
	return nil
}

// inspect reads the session that came in cookie.
func inspect(c buffalo.Context, cookie *http.Cookie) inspection {
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
		Insecure:   !set.Secure,
		Age:        lasting(c, time.Since(info.Created)),
		Idle:       lasting(c, info.IdleLeft),
		Lifetime:   lasting(c, info.LifetimeLeft),
		Secret:     info.Secret + 1,
		Secrets:    info.Secrets,
	}
	if info.OnServer {
		seen.Store, seen.Record = serverStore(), info.Size
		seen.Steps = []string{"browser", "id", seen.Store, "opens"}
	}
	values := session.ViewOf(s)
	seen.Readables = readables(cookie.Name, values)
	seen.Hero, seen.Others = entriesOf(values)
	flash, _ := s.Values["_flash_"].([]byte) // where Buffalo keeps it
	_ = json.Unmarshal(flash, &seen.Flash)
	return seen
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
		Secure: o.Secure, HttpOnly: o.HttpOnly, SameSite: o.SameSite, Partitioned: o.Partitioned,
	}
}

// serverStore names the server that keeps the sessions, as far as the environment says.
func serverStore() string {
	store, _, _ := strings.Cut(envy.Get("SESSION_STORE", ""), ",")
	if store == "database" || store == "redis" {
		return store
	}
	return "server"
}

func storeOf(c buffalo.Context) *session.Store {
	return c.Value("app").(*buffalo.App).SessionStore.(*session.Store)
}

// ownCookie gives the cookie of the request that the session was read from; nil if
// there was none.
func ownCookie(c buffalo.Context) (*http.Cookie, error) {
	s := c.Session().Session
	if s.IsNew {
		return nil, nil
	}
	for _, cookie := range c.Request().CookiesNamed(s.Name()) {
		if cookie.Quoted { // the store takes none
			continue
		}
		if ok, err := opens(c, cookie.Name, cookie.Value); ok || err != nil {
			return cookie, err
		}
	}
	return nil, nil // it ended meanwhile
}

// opens is true if the store makes a session of the value. It asks with a request of
// its own: in the visitor's there is a session already.
func opens(c buffalo.Context, name, value string) (bool, error) {
	r, err := http.NewRequest(http.MethodGet, "/", nil)
	if err != nil {
		return false, err
	}
	r.AddCookie(&http.Cookie{Name: name, Value: value})
	s, err := storeOf(c).Get(r, name)
	return !s.IsNew, err
}

// A tampered is the copy of a cookie's value with a byte changed.
type tampered struct {
	Place, Length int // of the byte, from 1; of the value
	Before, After string
	Left, Right   string // what is around the byte
	Taken         bool   // the store made a session of it
}

// tamper changes one byte of value, anywhere in it.
func tamper(value string) tampered {
	at := rand.IntN(len(value))
	after := "A"
	if value[at] == 'A' {
		after = "B"
	}
	left, before, right := value[:at], value[at:at+1], value[at+1:]
	return tampered{Place: at + 1, Length: len(value), Before: before, After: after, Left: left, Right: right}
}

// attributesOf says what each attribute of the cookie is for.
func attributesOf(c buffalo.Context, set *http.Cookie) (attributes []attribute) {
	parts := strings.Split(set.String(), "; ")
	for _, part := range parts[1:] {
		name, _, _ := strings.Cut(strings.ToLower(part), "=")
		attributes = append(attributes, attribute{part, say(c, "inspector.attribute."+name)})
	}
	return attributes
}

// entriesOf gives the hero's values, in the order of the form, and the others, in that
// of their keys.
func entriesOf(values session.View) (hero, others []entry) {
	rest := maps.Clone(values)
	for _, f := range fields {
		if value, ok := rest[f.name]; ok {
			hero = append(hero, entryOf(f.name, value))
			delete(rest, f.name)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(rest)) {
		others = append(others, entryOf(key, rest[key]))
	}
	return hero, others
}

func entryOf(key string, value any) entry {
	e := entry{Key: key, Type: strings.ReplaceAll(fmt.Sprintf("%T", value), "interface {}", "any")}
	switch v := value.(type) {
	case []byte:
		e.Value = fmt.Sprintf("%q", v)
	case time.Time:
		e.Value = v.Format(time.RFC3339Nano)
	default:
		e.Value = fmt.Sprint(v)
	}
	return e
}

// lasting says how long d is, in its two largest units.
func lasting(c buffalo.Context, d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= day:
		return together(c, "days", d/day, "hours", d%day/time.Hour)
	case d >= time.Hour:
		return together(c, "hours", d/time.Hour, "minutes", d%time.Hour/time.Minute)
	case d >= time.Minute:
		return together(c, "minutes", d/time.Minute, "seconds", d%time.Minute/time.Second)
	}
	return say(c, "inspector.seconds", int(d/time.Second))
}

func together(c buffalo.Context, unit string, n time.Duration, lesser string, m time.Duration) string {
	more := say(c, "inspector."+unit, int(n))
	if m == 0 {
		return more
	}
	less := say(c, "inspector."+lesser, int(m))
	return say(c, "inspector.together", map[string]any{"More": more, "Less": less})
}
