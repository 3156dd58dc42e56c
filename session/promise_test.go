package session

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"heroes/session/internal/values"

	"github.com/gorilla/sessions"
	"github.com/stretchr/testify/require"
)

// These tests keep the promises of the package's documentation, by number.

const name = "_heroes_session"

var (
	oldSecret = []byte("the-old-secret-is-32-bytes-long!")
	newSecret = []byte("the-new-secret-is-32-bytes-long!")
)

func newStore(t *testing.T, options Options, secrets ...[]byte) *Store {
	t.Helper()
	if len(secrets) == 0 {
		secrets = [][]byte{newSecret}
	}
	if options.OnEvent == nil {
		options.OnEvent = quiet
	}
	s, err := New(secrets, options)
	require.NoError(t, err)
	return s
}

// A visitor's browser: it keeps what the application sets.
type visitor struct {
	t      *testing.T
	store  *Store
	cookie string // name=value
}

// visit answers one request by app, behind the store's Handler.
func (v *visitor) visit(app func(http.ResponseWriter, *http.Request, *sessions.Session)) *http.Response {
	v.t.Helper()
	r := httptest.NewRequest("GET", "/", nil)
	if v.cookie != "" {
		r.Header.Set("Cookie", v.cookie)
	}
	w := httptest.NewRecorder()
	v.store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := v.store.Get(r, name)
		require.NoError(v.t, err)
		app(w, r, s)
	}), nil).ServeHTTP(w, r)
	res := w.Result()
	for _, c := range res.Cookies() {
		v.cookie = c.Name + "=" + c.Value
		if c.MaxAge < 0 {
			v.cookie = ""
		}
	}
	return res
}

func (v *visitor) set(key string, value any) *http.Response {
	v.t.Helper()
	return v.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) { s.Values[key] = value })
}

// values is what the next page would read.
func (v *visitor) values() (values View) {
	v.t.Helper()
	v.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) { values = ViewOf(s) })
	return values
}

// sealed returns the value of a cookie that contains plain.
func sealed(keys keyring, name string, plain []byte) string {
	return encodeText(keys.seal(plain, purpose(kindCookie, name, nil)))
}

// opened returns what a cookie's value contains.
func opened(keys keyring, name, value string) (string, error) {
	box, err := decodeText(value)
	if err != nil {
		return "", err
	}
	plain, _, err := keys.open(box, purpose(kindCookie, name, nil))
	return plain, err
}

func setCookies(res *http.Response) []string { return res.Header["Set-Cookie"] }

func quiet(context.Context, Event) {}

func look(http.ResponseWriter, *http.Request, *sessions.Session) {}

func Test_01_a_visitor_who_stored_nothing_gets_no_cookie(t *testing.T) {
	v := visitor{t: t, store: newStore(t, Options{})}
	require.Empty(t, setCookies(v.visit(look)))
	for _, nothing := range []string{"{}", "null"} {
		require.Empty(t, setCookies(v.visit(func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			s.Values[values.FlashKey] = []byte(nothing) // as Buffalo does on every page
			require.NoError(t, s.Save(r, w))
		})))
		require.Len(t, setCookies(v.set("json", []byte(nothing))), 1, "under another key it is something")
		v.cookie = ""
	}
}

func Test_02_an_unchanged_session_sets_no_cookie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := visitor{t: t, store: newStore(t, Options{IdleTimeout: time.Hour})}
		v.set("name", "Superman")
		require.Empty(t, setCookies(v.visit(look)))
		require.Empty(t, setCookies(v.set("name", "Superman")), "set to what it was")

		time.Sleep(29 * time.Minute)
		require.Empty(t, setCookies(v.visit(look)))
		time.Sleep(time.Minute)
		require.Len(t, setCookies(v.visit(look)), 1, "half of the idle timeout has passed")
		require.Empty(t, setCookies(v.visit(look)), "it was pushed back")
		time.Sleep(59 * time.Minute)
		require.Equal(t, "Superman", v.values()["name"])
	})
}

func Test_03_a_response_sets_the_session_once_and_the_last_save_counts(t *testing.T) {
	save := func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
		for _, hero := range []string{"Superman", "Batman", "Catwoman"} {
			s.Values["name"] = hero
			require.NoError(t, s.Save(r, w))
		}
	}
	v := visitor{t: t, store: newStore(t, Options{})}
	require.Len(t, setCookies(v.visit(save)), 1)
	require.Equal(t, "Catwoman", v.values()["name"])

	t.Run("without the handler, beside other cookies", func(t *testing.T) {
		store := newStore(t, Options{})
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		http.SetCookie(w, &http.Cookie{Name: name + "2", Value: "x"})
		s, err := store.Get(r, name)
		require.NoError(t, err)
		save(w, r, s)
		require.Len(t, w.Result().Cookies(), 2)
		v := visitor{t: t, store: store, cookie: name + "=" + w.Result().Cookies()[1].Value}
		require.Equal(t, "Catwoman", v.values()["name"])
	})
}

// goth's gothic calls New and Get with one name in one request, and saves both sessions.
func Test_03_New_and_Get_and_an_object_made_by_hand_are_one_session(t *testing.T) {
	for _, handled := range []bool{true, false} {
		store := newStore(t, Options{})
		app := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a, err := store.New(r, name)
			require.NoError(t, err)
			a.Values["state"] = "gothic"
			require.NoError(t, a.Save(r, w))
			b, err := store.Get(r, name)
			require.NoError(t, err)
			require.Equal(t, "gothic", b.Values["state"])
			b.Values["user"] = "clark"
			delete(b.Values, "state")
			require.NoError(t, b.Save(r, w))

			byHand := sessions.NewSession(store, name)
			*byHand.Options = *b.Options
			byHand.Values["user"] = "bruce"
			require.NoError(t, byHand.Save(r, w))
		}))
		if handled {
			app = store.Handler(app, nil)
		}
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
		require.Len(t, w.Result().Cookies(), 1)
		v := visitor{t: t, store: store, cookie: name + "=" + w.Result().Cookies()[0].Value}
		require.Equal(t, View{"user": "bruce"}, v.values())
	}
}

func Test_04_an_emptied_session_removes_the_cookie_with_its_attributes(t *testing.T) {
	v := visitor{t: t, store: newStore(t, Options{Domain: "heroes.example", Path: "/x", SameSite: http.SameSiteStrictMode})}
	set := v.set("name", "Superman").Cookies()[0]
	res := v.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) { delete(s.Values, "name") })
	require.Len(t, setCookies(res), 1)
	removed := res.Cookies()[0]
	require.Equal(t, -1, removed.MaxAge)
	require.Empty(t, removed.Value)
	for _, c := range []*http.Cookie{set, removed} {
		require.Equal(t, []any{name, "heroes.example", "/x", true, true, http.SameSiteStrictMode},
			[]any{c.Name, c.Domain, c.Path, c.Secure, c.HttpOnly, c.SameSite})
	}
}

func Test_05_and_18_a_cookie_that_is_not_ours_is_an_empty_session(t *testing.T) {
	store := newStore(t, Options{})
	v := visitor{t: t, store: store}
	v.set("name", "Superman")
	_, own, _ := strings.Cut(v.cookie, "=")

	stranger := visitor{t: t, store: newStore(t, Options{}, oldSecret)}
	stranger.set("name", "Lex Luthor")
	_, foreign, _ := strings.Cut(stranger.cookie, "=")

	longAgo := time.Now().Add(-25 * time.Hour)
	refused := map[string]string{
		"under an unknown secret":  foreign,
		"for another name":         sealed(store.keys, "other", content{lifetime: time.Hour}.encode()),
		"empty":                    "",
		"not base64":               "%%%",
		"too short":                "AAAA",
		"padded":                   own + "=",
		"with standard base64":     base64.StdEncoding.EncodeToString(make([]byte, 64)),
		"with space around":        " " + own,
		"in quotes":                `"` + own + `"`,
		"of another version":       "Ag" + own[2:],
		"longer than a cookie":     strings.Repeat("A", 5000),
		"sealed and not a session": sealed(store.keys, name, nil),
		"that no browser sends":    "a\"b\\c\x80",
		"idle":                     sealed(store.keys, name, content{created: longAgo, used: longAgo, idle: time.Hour, lifetime: 720 * time.Hour}.encode()),
		"expired":                  sealed(store.keys, name, content{created: longAgo, used: longAgo, idle: forever, lifetime: time.Hour}.encode()),
		"sealed and malformed":     sealed(store.keys, name, content{created: time.Now(), used: time.Now(), idle: forever, lifetime: time.Hour, values: "\x09\x09\x09"}.encode()),
		"gorilla's":                "MTcwMDAwMDAwMHxEdi1CQkFFQ180SUFBUkFCRUFBQUpmLUNBQUVHYzNSeWFXNW5EQVlBQkc1aGJXVUdjM1J5YVc1bnxabcde",
	}
	var answers []string
	for why, value := range refused {
		v := visitor{t: t, store: store, cookie: name + "=" + value}
		res := v.visit(func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.Empty(t, s.Values, why)
			require.True(t, s.IsNew, why)
			require.NoError(t, s.Save(r, w), why)
		})
		answers = append(answers, fmt.Sprint(res.StatusCode, res.Header))
	}
	for _, a := range answers {
		require.Equal(t, answers[0], a, "every refused cookie gets the same answer")
	}
}

func Test_05_every_changed_byte_every_truncation_and_every_splice_is_refused(t *testing.T) {
	store := newStore(t, Options{})
	seal := func(hero string) string {
		plain, err := values.Encode(nil, map[any]any{"name": hero, "alter_ego": "Clark Kent"})
		require.NoError(t, err)
		return sealed(store.keys, name, plain)
	}
	a, b := seal("Superman"), seal("Catwoman")
	require.Len(t, b, len(a))
	open := func(value string) error {
		_, err := opened(store.keys, name, value)
		return err
	}
	require.NoError(t, open(a))
	for i := range a {
		require.ErrorIs(t, open(a[:i]), errRefused, "cut after %d bytes", i)
		require.ErrorIs(t, open(a[i+1:]), errRefused, "without the first %d bytes", i+1)
		if i > 0 && a[:i] != b[:i] && a[i:] != b[i:] {
			require.ErrorIs(t, open(a[:i]+b[i:]), errRefused, "spliced at %d", i)
		}
		for c := range 256 {
			if byte(c) != a[i] {
				require.ErrorIs(t, open(a[:i]+string([]byte{byte(c)})+a[i+1:]), errRefused, "byte %d is %d", i, c)
			}
			require.ErrorIs(t, open(a[:i]+string([]byte{byte(c)})+a[i:]), errRefused, "%d put in at byte %d", c, i)
		}
	}
	for i := range MaxCookie {
		other := strings.Repeat("n", i%64) + fmt.Sprint(i)
		_, err := opened(store.keys, other, a)
		require.ErrorIs(t, err, errRefused, "under the name %s", other)
	}
}

func Test_05_a_planted_cookie_does_not_shut_out_the_real_one(t *testing.T) {
	v := visitor{t: t, store: newStore(t, Options{})}
	v.set("name", "Superman")
	own := v.cookie
	idle := name + "=" + sealed(v.store.keys, name, content{idle: time.Second, lifetime: time.Hour}.encode())
	v.cookie = name + "=planted; " + idle + "; " + name + "=another; " + own
	require.Equal(t, "Superman", v.values()["name"])
	v.cookie = strings.Repeat(idle+"; ", maxCookies) + own
	require.Empty(t, v.values(), "and no request asks for more work than that")
}

func Test_07_every_byte_of_the_nonce_is_random(t *testing.T) {
	keys := newStore(t, Options{}).keys
	var seen [headerSize]map[byte]bool
	for range 200 {
		box := keys.seal(nil, nil)
		for i := range seen {
			if seen[i] == nil {
				seen[i] = map[byte]bool{}
			}
			seen[i][box[i]] = true
		}
	}
	require.Len(t, seen[0], 1, "the version")
	for _, values := range seen[1:] {
		require.Greater(t, len(values), 80)
	}
}

func Test_07_what_is_sealed_opens_for_its_own_purpose_only(t *testing.T) {
	keys := newStore(t, Options{}).keys
	type of struct {
		kind byte
		name string
		id   string
	}
	purposes := []of{{kindCookie, "a", ""}, {kindCookie, "b", ""}, {kindRecord, "a", "1"}, {kindRecord, "a", "2"}, {kindRecord, "b", "1"}, {kindEnd, "a", "1"}, {kindEnd, "a", "2"}}
	for _, sealed := range purposes {
		box := keys.seal([]byte("text"), purpose(sealed.kind, sealed.name, []byte(sealed.id)))
		for _, opened := range purposes {
			_, _, err := keys.open(box, purpose(opened.kind, opened.name, []byte(opened.id)))
			require.Equal(t, sealed == opened, err == nil, "sealed for %v, opened for %v", sealed, opened)
		}
	}
}

func Test_08_a_session_lasts_a_day_without_use_and_thirty_with(t *testing.T) {
	s := newStore(t, Options{})
	require.Equal(t, 24*time.Hour, s.options.IdleTimeout)
	require.Equal(t, 720*time.Hour, s.options.Lifetime)
	for _, o := range []Options{{Lifetime: -1}, {Lifetime: 1}, {IdleTimeout: 1}} {
		_, err := New([][]byte{newSecret}, o)
		require.ErrorContains(t, err, "at least a second")
	}
}

func Test_08_a_change_pushes_the_idle_timeout_back(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := visitor{t: t, store: newStore(t, Options{IdleTimeout: time.Hour})}
		v.set("n", 0)
		for i := 1; i < 10; i++ {
			time.Sleep(20 * time.Minute)
			require.InDelta(t, 3600, v.set("n", i).Cookies()[0].MaxAge, 1)
		}
		require.Equal(t, 9, v.values()["n"])
	})
}

func Test_Info_tells_what_is_left_and_no_secret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.UnixMilli(time.Now().UnixMilli())
		id := ""
		v := visitor{t: t, store: newStore(t, Options{IdleTimeout: time.Hour, Lifetime: 90 * time.Minute}, oldSecret)}
		v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			id = v.store.Info(r, s).ID
			require.Equal(t, Info{ID: id, New: true, Secrets: 1}, v.store.Info(r, s))
			s.Values["name"] = "Superman"
		})
		size := len(v.cookie) - len(name+"=")
		v.store = newStore(t, v.store.options, newSecret, oldSecret)
		time.Sleep(50 * time.Minute)
		v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.Equal(t, Info{
				ID: id, Size: size, Secret: 1, Secrets: 2, Created: began, LastUse: began,
				IdleLeft: 10 * time.Minute, LifetimeLeft: 40 * time.Minute,
			}, v.store.Info(r, s))
		})
	})
}

func Test_06_the_newest_secret_seals_and_every_listed_one_opens(t *testing.T) {
	before := newStore(t, Options{}, oldSecret)
	during := newStore(t, Options{}, newSecret, oldSecret)
	after := newStore(t, Options{}, newSecret)

	v := visitor{t: t, store: before}
	absent := visitor{t: t, store: before}
	v.set("name", "Superman")
	absent.set("name", "Batman")

	v.store, absent.store = during, during
	require.Len(t, setCookies(v.visit(look)), 1, "what an older secret sealed is sealed again")
	require.Empty(t, setCookies(v.visit(look)))

	v.store, absent.store = after, after
	require.Equal(t, "Superman", v.values()["name"])
	require.Empty(t, absent.values(), "who did not come by in between")
}

func Test_07_no_key_and_no_value_can_be_read_and_no_two_cookies_are_alike(t *testing.T) {
	v := visitor{t: t, store: newStore(t, Options{})}
	seen := map[string]bool{}
	for range 100 {
		v.cookie = ""
		v.set("alter_ego", "Clark Kent")
		_, sealed, _ := strings.Cut(v.cookie, "=")
		raw, err := base64.RawURLEncoding.DecodeString(sealed)
		require.NoError(t, err)
		for _, text := range []string{sealed, string(raw)} {
			require.NotContains(t, text, "alter_ego")
			require.NotContains(t, text, "Clark")
		}
		require.False(t, seen[sealed])
		seen[sealed] = true
	}
}

func Test_08_both_lifetimes_are_sealed_in_and_kept_by_the_server(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events []Event
		v := visitor{t: t, store: newStore(t, Options{
			IdleTimeout: time.Hour,
			Lifetime:    24 * time.Hour,
			OnEvent:     func(_ context.Context, e Event) { events = append(events, e) },
		})}
		v.set("name", "Superman")
		kept := v.cookie

		time.Sleep(time.Hour)
		require.Empty(t, v.values(), "idle for too long, whatever the browser says")
		require.Equal(t, Event{Kind: Rejected, Name: name, Reason: Idle}, events[len(events)-1])

		v.cookie = ""
		v.set("name", "Batman")
		for range 47 {
			time.Sleep(30 * time.Minute)
			require.Equal(t, "Batman", v.values()["name"])
		}
		time.Sleep(30 * time.Minute)
		require.Empty(t, v.values(), "a day old, however busy")
		require.Equal(t, Expired, events[len(events)-1].Reason)

		v.cookie = kept
		require.Empty(t, v.values(), "a copy of the first cookie")
	})
}

func Test_08_the_browser_is_told_no_more_than_what_is_left(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		maxAge := func(v *visitor, value string) int { return v.set("name", value).Cookies()[0].MaxAge }
		v := visitor{t: t, store: newStore(t, Options{IdleTimeout: time.Hour, Lifetime: 90 * time.Minute})}
		require.LessOrEqual(t, maxAge(&v, "a"), 3600)
		time.Sleep(45 * time.Minute)
		require.LessOrEqual(t, maxAge(&v, "b"), 2700, "the lifetime ends before the idle timeout")

		never := visitor{t: t, store: newStore(t, Options{IdleTimeout: -1, Lifetime: 90 * time.Minute})}
		require.LessOrEqual(t, maxAge(&never, "a"), 5400)
		time.Sleep(89 * time.Minute)
		require.Equal(t, "a", never.values()["name"], "never idle")
	})
}

func Test_09_a_type_that_a_session_does_not_hold_is_an_error_and_nothing_is_written(t *testing.T) {
	type Hero struct{ Name string }
	type Level int
	for want, value := range map[string]any{
		"session.Hero":            Hero{"Superman"},
		"*session.Hero":           &Hero{},
		"session.Level":           []Level{3},
		"nil":                     nil,
		"map[int]string":          map[int]string{1: "x"},
		"session.Hero in any":     []any{"a", Hero{}},
		"complex128":              1i,
		"func()":                  func() {},
		"[2]string":               [2]string{},
		"map[string]interface {}": map[string]interface{ M() }{},
	} {
		v := visitor{t: t, store: newStore(t, Options{})}
		v.set("name", "Superman")
		before := v.cookie
		res := v.visit(func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			s.Values["hero"] = value
			err := s.Save(r, w)
			e, ok := errors.AsType[*TypeError](err)
			require.True(t, ok, "%s: %v", want, err)
			require.Equal(t, "hero", e.Key)
			if !strings.Contains(want, " ") {
				require.Equal(t, want, e.Type)
			}
			require.NotContains(t, err.Error(), "Superman")
			delete(s.Values, "hero")
		})
		require.Equal(t, 200, res.StatusCode)
		require.Equal(t, before, v.cookie)
	}

	v := visitor{t: t, store: newStore(t, Options{})}
	v.visit(func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
		s.Values[42] = "x"
		require.ErrorContains(t, s.Save(r, w), `"42"`)
		delete(s.Values, 42)
	})
}

func Test_09_a_type_with_a_binary_form_can_be_registered(t *testing.T) {
	Register("address", netip.Addr{})
	Register("address", netip.Addr{})
	id := netip.MustParseAddr("192.0.2.1")
	want := View{"id": id, "ids": []netip.Addr{id, netip.Addr{}}, "by name": map[string]netip.Addr{"a": id}, "any": []any{id, "text"}}
	v := visitor{t: t, store: newStore(t, Options{})}
	v.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) {
		for key, value := range want {
			s.Values[key] = value
		}
	})
	require.Equal(t, want, v.values())
	require.Empty(t, setCookies(v.visit(look)))
	v.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) {
		s.Values["ids"].([]netip.Addr)[1] = id
	})
	require.Equal(t, []netip.Addr{id, id}, v.values()["ids"], "a change inside (17)")

	require.Panics(t, func() { Register("address", time.Time{}) }, "the name belongs to another type")
	require.Panics(t, func() { Register("another", netip.Addr{}) }, "the type has another name")
	require.Panics(t, func() { Register("pointer", &netip.Addr{}) }, "a pointer")
}

func Test_10_a_cookie_too_large_is_an_error_that_says_how_large(t *testing.T) {
	v := visitor{t: t, store: newStore(t, Options{})}
	v.set("name", "Superman")
	before := v.cookie
	res := v.visit(func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
		s.Values["name"] = strings.Repeat("x", 4000)
		err := s.Save(r, w)
		e, ok := errors.AsType[*TooLargeError](err)
		require.True(t, ok, "%v", err)
		require.Greater(t, e.Size, 5300)
		require.ErrorContains(t, err, fmt.Sprint(e.Size))
		http.Error(w, "too large", http.StatusInternalServerError)
	})
	require.Empty(t, setCookies(res))
	require.Equal(t, before, v.cookie, "the browser keeps the session it had")

	t.Run("to the byte", func(t *testing.T) {
		largest := 0
		for n := 2800; n < 3100; n++ {
			v := visitor{t: t, store: newStore(t, Options{})}
			if set := setCookies(v.set("name", strings.Repeat("x", n))); len(set) == 1 {
				require.LessOrEqual(t, len(set[0]), MaxCookie)
				largest = max(largest, len(set[0]))
			}
		}
		require.Greater(t, largest, MaxCookie-12, "none is refused that would fit, with its times later")
	})
}

func Test_10_a_session_that_was_stored_can_be_read_as_long_as_it_lasts(t *testing.T) {
	for _, owner := range []string{"", "clark"} {
		synctest.Test(t, func(t *testing.T) {
			v := visitor{t: t, store: newStore(t, Options{IdleTimeout: time.Hour}, oldSecret)}
			v.set("name", "Superman")
			for range 240 {
				time.Sleep(30 * time.Minute)
				v.visit(look)
			}
			for n, before := 3100, v.cookie; v.cookie == before; n-- { // the largest that fits
				v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
					s.Values["name"] = strings.Repeat("x", n)
					if owner != "" {
						require.NoError(t, v.store.SignIn(r, s, owner))
					}
				})
			}
			for range 40 {
				time.Sleep(17 * time.Hour / 20)
				require.NotEmpty(t, v.values())
			}
			v.store = newStore(t, Options{IdleTimeout: 600 * time.Hour}, newSecret, oldSecret) // that takes more room
			left := 33
			if owner != "" {
				left = 40
			}
			for range left {
				require.NotEmpty(t, v.values())
				time.Sleep(17 * time.Hour)
			}
		})
	}
}

func Test_10_values_without_end_are_refused_before_they_take_memory(t *testing.T) {
	many := any("x")
	for range 30 {
		many = []any{many, many}
	}
	for _, value := range []any{many, strings.Repeat("x", MaxValues+1)} {
		v := visitor{t: t, store: newStore(t, Options{})}
		v.visit(func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			s.Values["many"] = value
			err := s.Save(r, w)
			e, ok := errors.AsType[*TooLargeError](err)
			require.True(t, ok, "%v", err)
			require.Equal(t, MaxValues, e.Limit)
			delete(s.Values, "many")
		})
	}
}

// A cookie's copy cannot be kept alive by renewing it.
func Test_08_no_renewal_restarts_the_lifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := visitor{t: t, store: newStore(t, Options{Lifetime: 24 * time.Hour})}
		v.set("n", 0)
		for n := 1; n < 24; n++ {
			time.Sleep(time.Hour)
			v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
				require.NoError(t, v.store.Renew(r, s))
				s.Values["n"] = n
			})
		}
		require.Equal(t, 23, v.values()["n"])
		time.Sleep(time.Hour)
		require.Empty(t, v.values())
	})
}

func Test_08_shorter_timeouts_hold_from_the_next_use_on(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := visitor{t: t, store: newStore(t, Options{IdleTimeout: -1})}
		v.set("n", 0)
		v.store = newStore(t, Options{IdleTimeout: time.Hour, Lifetime: 3 * time.Hour})
		require.Len(t, setCookies(v.visit(look)), 1)
		require.Empty(t, setCookies(v.visit(look)))
		kept := v.cookie
		time.Sleep(time.Hour)
		require.Empty(t, v.values())
		v.cookie, v.store = kept, newStore(t, Options{})
		require.Empty(t, v.values(), "sealed with the session")
	})
}

func Test_08_a_shorter_lifetime_ends_old_copies_of_a_cookie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := visitor{t: t, store: newStore(t, Options{IdleTimeout: -1})}
		v.set("n", 0)
		copied := v.cookie
		v.store = newStore(t, Options{IdleTimeout: -1, Lifetime: time.Hour})
		time.Sleep(59 * time.Minute)
		require.NotEmpty(t, v.values())
		time.Sleep(time.Minute)
		v.cookie = copied
		require.Empty(t, v.values())
	})
}

func Test_08_a_timeout_that_was_lifted_holds_no_longer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := visitor{t: t, store: newStore(t, Options{IdleTimeout: time.Hour})}
		v.set("n", 0)
		v.store = newStore(t, Options{IdleTimeout: -1})
		require.Len(t, setCookies(v.visit(look)), 1)
		time.Sleep(100 * time.Hour)
		require.Empty(t, setCookies(v.visit(look)))
		require.Equal(t, 0, v.values()["n"])
	})
}

func Test_11_a_session_in_a_cookie_keeps_its_ID(t *testing.T) {
	v := visitor{t: t, store: newStore(t, Options{})}
	id := func() (id string) {
		v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			id = v.store.Info(r, s).ID
			require.NoError(t, v.store.Renew(r, s))
			s.Values["n"] = time.Now().UnixNano()
		})
		return id
	}
	first := id()
	require.Len(t, first, 32)
	require.Equal(t, first, id())
	v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
		require.NoError(t, v.store.Destroy(r, s))
		require.NotEqual(t, first, v.store.Info(r, s).ID)
	})
	require.NotEqual(t, first, id())
}

func Test_11_renew_keeps_the_values_and_destroy_ends_them(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var kinds []EventKind
		v := visitor{t: t, store: newStore(t, Options{
			Lifetime: 24 * time.Hour,
			OnEvent:  func(_ context.Context, e Event) { kinds = append(kinds, e.Kind) },
		})}
		v.set("name", "Superman")
		time.Sleep(time.Hour)
		before := v.cookie
		v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.NoError(t, v.store.Renew(r, s))
		})
		require.NotEqual(t, before, v.cookie)
		v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.Equal(t, "Superman", s.Values["name"])
			require.Equal(t, 23*time.Hour, v.store.Info(r, s).LifetimeLeft.Round(time.Second), "no new lifetime")
		})

		res := v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.NoError(t, v.store.Destroy(r, s))
		})
		require.Equal(t, -1, res.Cookies()[0].MaxAge)
		require.Empty(t, v.values())

		v.set("name", "Batman")
		time.Sleep(time.Hour)
		v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.NoError(t, v.store.Destroy(r, s))
			s.Values["bye"] = true
		})
		v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.Equal(t, 24*time.Hour, v.store.Info(r, s).LifetimeLeft.Round(time.Second), "with a lifetime of its own")
		})
		require.Equal(t, View{"bye": true}, v.values(), "what is set after it is a new session")
		require.Equal(t, []EventKind{Created, Renewed, Destroyed, Created, Destroyed, Created}, kinds)
	})
}

func Test_15_a_response_that_read_a_session_is_not_for_caches(t *testing.T) {
	v := visitor{t: t, store: newStore(t, Options{})}
	res := v.visit(look)
	require.Equal(t, "Cookie", res.Header.Get("Vary"), "who has a session would get another page")
	require.Empty(t, res.Header.Get("Cache-Control"))

	require.Equal(t, "no-store", v.set("name", "Superman").Header.Get("Cache-Control"), "it sets one")
	for status := range map[int]bool{200: true, 303: true, 404: true, 500: true} {
		res = v.visit(func(w http.ResponseWriter, _ *http.Request, _ *sessions.Session) {
			w.Header().Set("Cache-Control", "public, max-age=60")
			w.Header().Add("Vary", "Accept-Language, cookie")
			w.WriteHeader(status)
		})
		require.Equal(t, "no-store", res.Header.Get("Cache-Control"), status)
		require.Equal(t, []string{"Accept-Language, cookie"}, res.Header["Vary"], status)
	}
}

func Test_15_what_keeps_a_response_from_shared_caches_is_respected(t *testing.T) {
	v := visitor{t: t, store: newStore(t, Options{})}
	v.set("name", "Superman")
	for said, want := range map[string]string{
		"private":                    "private",
		"private, max-age=60":        "private, max-age=60",
		"max-age=0, No-Store":        "max-age=0, No-Store",
		"max-age=60":                 "no-store",
		"no-cache":                   "no-store",
		`private="X-Header"`:         "no-store",
		"no-store, must-understand":  "no-store",
		"public, s-maxage=60":        "no-store",
		"":                           "no-store",
		"stale-while-revalidate=600": "no-store",
	} {
		res := v.visit(func(w http.ResponseWriter, _ *http.Request, _ *sessions.Session) {
			w.Header().Set("Cache-Control", said)
			w.Header().Set("CDN-Cache-Control", "public, max-age=60")
		})
		require.Empty(t, res.Header.Get("CDN-Cache-Control"))
		require.Equal(t, want, res.Header.Get("Cache-Control"), said)
	}
}

func Test_15_a_response_that_removes_the_cookie_is_not_for_caches(t *testing.T) {
	v := visitor{t: t, store: newStore(t, Options{})}
	v.set("name", "Superman")
	res := v.visit(func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
		require.NoError(t, v.store.Destroy(r, s))
		require.NoError(t, Of(r).Respond(r, http.StatusOK, func() error { return s.Save(r, w) }))
		w.Header().Set("Cache-Control", "public, max-age=600")
	})
	require.Len(t, res.Cookies(), 1)
	require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
}

func Test_15_a_session_asked_for_after_the_first_byte_is_an_error(t *testing.T) {
	store := newStore(t, Options{})
	v := visitor{t: t, store: store}
	v.set("name", "Superman")
	for _, get := range []func(*http.Request, string) (*sessions.Session, error){store.Get, store.New} {
		store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "hello")
			s, err := get(r, name)
			require.ErrorIs(t, err, ErrTooLate)
			require.Empty(t, s.Values)
			require.Equal(t, name, s.Name())
		}), nil).ServeHTTP(httptest.NewRecorder(), func() *http.Request {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Cookie", v.cookie)
			return r
		}())
	}
}

func Test_16_a_change_is_saved_however_the_response_is_written(t *testing.T) {
	for how, write := range map[string]func(http.ResponseWriter, *http.Request){
		"not at all":    func(http.ResponseWriter, *http.Request) {},
		"write":         func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") },
		"header":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) },
		"redirect":      func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusSeeOther) },
		"error":         func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", 404) },
		"flush":         func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush() },
		"controller":    func(w http.ResponseWriter, _ *http.Request) { _ = http.NewResponseController(w).Flush() },
		"file":          func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "doc.go") },
		"written twice": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "a"); fmt.Fprint(w, "b") },
	} {
		v := visitor{t: t, store: newStore(t, Options{})}
		v.visit(func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			s.Values["name"] = "Superman"
			write(w, r)
		})
		require.Equal(t, "Superman", v.values()["name"], how)
	}
}

// In the order that the documentation asks for, the answer of http.TimeoutHandler decides.
func Test_16_a_response_that_timed_out_saves_nothing(t *testing.T) {
	var lost []Event
	store := newStore(t, Options{OnEvent: func(_ context.Context, e Event) {
		if e.Kind == Lost {
			lost = append(lost, e)
		}
	}})
	late := make(chan error, 1)
	visit := func(path string) *http.Response {
		w := httptest.NewRecorder()
		store.Handler(http.TimeoutHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, err := store.Get(r, name)
			require.NoError(t, err)
			s.Values["name"] = "Superman"
			save := func() error { return s.Save(r, w) }
			if path == "/late" {
				<-r.Context().Done()
				late <- Of(r).Respond(r, http.StatusOK, save)
				return
			}
			require.NoError(t, Of(r).Respond(r, http.StatusOK, save))
			fmt.Fprint(w, "hello")
		}), 50*time.Millisecond, "late"), nil).ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return w.Result()
	}
	require.Len(t, visit("/").Cookies(), 1)
	res := visit("/late")
	<-late
	require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
	require.Empty(t, res.Cookies())
	require.Empty(t, lost, "the visitor was told")

	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	<-ctx.Done()
	w := httptest.NewRecorder()
	store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, name)
		s.Values["name"] = "Superman"
	}), nil).ServeHTTP(w, httptest.NewRequest("GET", "/", nil).WithContext(ctx))
	require.Equal(t, http.StatusInternalServerError, w.Code, "the request's deadline had passed")
	require.Empty(t, w.Result().Cookies())
}

// During a deployment, another process may know a type that this one does not.
func Test_13_a_merge_with_an_unknown_type_saves_nothing(t *testing.T) {
	b := &oneRecord{}
	v := visitor{t: t, store: newStore(t, Options{Backend: b})}
	v.set("a", 1)
	before := v.cookie
	res := v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
		h := Of(r).find(name).held
		h.values += "\x01b\x65\x04nope\x00" // a value of a type registered as "nope"
		v.store.sealRecord(name, &h)
		b.record = h.record
		require.NoError(t, v.store.Renew(r, s))
	})
	require.Equal(t, http.StatusInternalServerError, res.StatusCode)
	require.Equal(t, before, v.cookie)
	require.Equal(t, 2, b.swaps, "the first save, and the try that lost")
}

// oneRecord is a Backend with one record.
type oneRecord struct {
	Backend
	record []byte
	swaps  int
}

func (b *oneRecord) Load(context.Context, ID) ([]byte, time.Time, time.Time, error) {
	return b.record, time.Now().Add(time.Hour), time.Now(), nil
}

func (b *oneRecord) Swap(_ context.Context, _ ID, old, next []byte, _ time.Duration) (bool, error) {
	b.swaps++
	if !bytes.Equal(b.record, old) {
		return false, nil
	}
	b.record = next
	return true, nil
}

func Test_16_a_failed_sign_out_clears_nothing(t *testing.T) {
	v := visitor{t: t, store: newStore(t, Options{})}
	v.set("name", "Superman")
	res := v.visit(func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
		require.NoError(t, v.store.Destroy(r, s))
		s.Values["bye"] = struct{}{}
		w.Header().Set("Clear-Site-Data", `"cookies", "storage"`)
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	require.Equal(t, http.StatusInternalServerError, res.StatusCode)
	require.Empty(t, res.Header.Get("Clear-Site-Data"))
	require.Equal(t, "Superman", v.values()["name"])
}

func Test_16_a_response_of_500_saves_nothing(t *testing.T) {
	v := visitor{t: t, store: newStore(t, Options{})}
	v.set("name", "Superman")
	for status := 500; status < 600; status += 3 {
		res := v.visit(func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			s.Values["name"] = "Batman"
			require.NoError(t, s.Save(r, w))
			w.WriteHeader(status)
		})
		require.Empty(t, setCookies(res), status)
	}
	require.Equal(t, "Superman", v.values()["name"])
}

func Test_16_lost_changes_and_unreachable_sessions_are_logged_by_default(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	for _, backend := range []Backend{nil, unreachable{}} {
		store, err := New([][]byte{newSecret}, Options{Backend: backend})
		require.NoError(t, err)
		r := httptest.NewRequest("POST", "/", nil)
		r.AddCookie(&http.Cookie{Name: name, Value: newIdentity(nil).token})
		store.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			s, _ := store.Get(r, name)
			s.Values["alter_ego"] = struct{}{}
		}), nil).ServeHTTP(httptest.NewRecorder(), r)
	}
	require.Contains(t, log.String(), "event=lost")
	require.Contains(t, log.String(), "event=unreachable")
}

func Test_16_a_change_that_cannot_be_saved_fails_the_request(t *testing.T) {
	var lost []Event
	v := visitor{t: t, store: newStore(t, Options{OnEvent: func(_ context.Context, e Event) {
		if e.Kind == Lost {
			lost = append(lost, e)
		}
	}})}
	res := v.visit(func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
		s.Values["name"] = struct{}{}
		http.Redirect(w, r, "/success", http.StatusSeeOther)
	})
	require.Equal(t, 500, res.StatusCode)
	require.Empty(t, res.Header.Get("Location"))
	require.Len(t, lost, 1)

	late := func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
		fmt.Fprint(w, "hello")
		s.Values["name"] = "too late"
		require.ErrorIs(t, s.Save(r, w), ErrTooLate)
		require.ErrorIs(t, v.store.Renew(r, s), ErrTooLate)
		require.ErrorIs(t, v.store.Destroy(r, s), ErrTooLate)
	}
	require.PanicsWithValue(t, http.ErrAbortHandler, func() { v.visit(late) }, "the connection is cut")
	require.ErrorIs(t, lost[1].Err, ErrTooLate)
}

func Test_17_a_change_inside_a_slice_or_a_map_is_a_change(t *testing.T) {
	v := visitor{t: t, store: newStore(t, Options{})}
	v.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) {
		s.Values["powers"] = []string{"flight", "strength"}
		s.Values["teams"] = map[string]any{"league": map[string]int{"founded": 1960}}
	})
	v.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) {
		s.Values["powers"].([]string)[1] = "x-ray vision"
		s.Values["teams"].(map[string]any)["league"].(map[string]int)["members"] = 7
	})
	require.Equal(t, View{
		"powers": []string{"flight", "x-ray vision"},
		"teams":  map[string]any{"league": map[string]int{"founded": 1960, "members": 7}},
	}, v.values())
	require.Empty(t, setCookies(v.visit(look)))
}
