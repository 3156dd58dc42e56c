package session

import (
	"fmt"
	"html/template"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/sessions"
	"github.com/stretchr/testify/require"
)

// Flask states what its sessions do in tests/test_basic.py. Each of these tests
// bears the name of one there. Where this package differs on purpose, the test
// says why.

func Test_Flask_session_accessed(t *testing.T) {
	store := newStore(t, Options{})
	app := store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/nothing" {
			s, _ := store.Get(r, name)
			s.Values["value"] = 42
		}
	}), nil)
	for path, vary := range map[string]string{"/nothing": "", "/": "Cookie"} {
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		require.Equal(t, vary, w.Header().Get("Vary"), "a page that does not look at the session does not vary")
	}
}

func Test_Flask_session_path_and_application_root(t *testing.T) {
	v := visitor{t: t, store: newStore(t, Options{Path: "/foo"})}
	require.Equal(t, "/foo", v.set("testing", 42).Cookies()[0].Path)
}

func Test_Flask_session_using_session_settings(t *testing.T) {
	v := visitor{t: t, store: newStore(t, Options{Domain: "example.com", Path: "/", Partitioned: true})}
	settings := func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) {
		s.Options.HttpOnly = false
		if s.Values["testing"] == nil {
			s.Values["testing"] = 42
		} else {
			delete(s.Values, "testing")
		}
	}
	for range 2 { // set, then cleared, with the same attributes
		c := v.visit(settings).Cookies()[0]
		require.Equal(t, []any{"example.com", "/", true, false, http.SameSiteLaxMode, true},
			[]any{c.Domain, c.Path, c.Secure, c.HttpOnly, c.SameSite, c.Partitioned})
	}
}

func Test_Flask_session_using_samesite_attribute(t *testing.T) {
	for _, mode := range []http.SameSite{http.SameSiteStrictMode, http.SameSiteLaxMode, http.SameSiteNoneMode} {
		v := visitor{t: t, store: newStore(t, Options{SameSite: mode})}
		require.Equal(t, mode, v.set("testing", 42).Cookies()[0].SameSite)
	}
	// Flask leaves the attribute out unless told otherwise; here it is Lax.
	v := visitor{t: t, store: newStore(t, Options{})}
	require.Equal(t, http.SameSiteLaxMode, v.set("testing", 42).Cookies()[0].SameSite)
}

// Flask without a secret fails when a session is first written to. Here the store
// cannot be made, so that the mistake shows at start and not with a visitor.
func Test_Flask_missing_session(t *testing.T) {
	for _, secrets := range [][][]byte{nil, {}, {nil}, {[]byte("")}, {[]byte("short")}, {newSecret, []byte("short")}} {
		_, err := New(secrets, Options{})
		require.Error(t, err)
		require.NotContains(t, err.Error(), "short,")
	}
}

// Flask takes the newest secret apart from its fallbacks; here they are one list.
func Test_Flask_session_secret_key_fallbacks(t *testing.T) {
	third := []byte("a third secret, 32 bytes or more")
	v := visitor{t: t, store: newStore(t, Options{}, newSecret, oldSecret)}
	v.set("a", 1)
	kept := v.cookie
	v.store = newStore(t, Options{}, third)
	require.Empty(t, v.values())
	v.cookie, v.store = kept, newStore(t, Options{}, third, newSecret, oldSecret)
	require.Equal(t, View{"a": 1}, v.values())
}

// Flask knows permanent sessions, which end after 31 days, and others, which end
// with the browser. Here every session ends by itself, and gorilla's MaxAge of 0
// has it end with the browser too.
func Test_Flask_session_expiration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := visitor{t: t, store: newStore(t, Options{IdleTimeout: -1, Lifetime: time.Hour})}
		require.Equal(t, 3600, v.set("test", 42).Cookies()[0].MaxAge)
		res := v.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) {
			s.Options.MaxAge = 0
			s.Values["test"] = 43
		})
		require.NotContains(t, setCookies(res)[0], "Max-Age")
		require.Equal(t, 43, v.values()["test"])
		time.Sleep(time.Hour)
		require.Empty(t, v.values(), "a browser that stays open does not prolong it")
	})
}

func Test_Flask_session_stored_last(t *testing.T) {
	v := visitor{t: t, store: newStore(t, Options{})}
	v.visit(func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
		defer func() { s.Values["foo"] = 42 }() // what Flask's after_request does
		require.NoError(t, s.Save(r, w))
	})
	require.Equal(t, 42, v.values()["foo"])
}

// Flask tags its special types: tuple, bytes, Markup, UUID, datetime and the tags
// themselves. Go's counterparts of the first two and of datetime keep their types.
// A template.HTML does not: it is a type of the application's, and what a visitor
// typed must not come back as markup. A UUID is stored as its text or its bytes.
func Test_Flask_session_special_types(t *testing.T) {
	now := time.Now().UTC()
	v := visitor{t: t, store: newStore(t, Options{})}
	want := View{
		"t":     []any{1, 2, 3},
		"b":     []byte("\xff"),
		"d":     now.Round(0),
		"t_tag": map[string]any{" t": "not-a-tuple"},
		"di":    map[string]string{" di": "not-a-dict"},
	}
	v.visit(func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
		for k, value := range want {
			s.Values[k] = value
		}
	})
	require.Equal(t, want, v.values())
	v.visit(func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
		s.Values["m"] = template.HTML("<html>")
		require.ErrorContains(t, s.Save(r, w), "template.HTML")
		delete(s.Values, "m")
	})
}

// Flask refreshes a permanent session with each response, if
// SESSION_REFRESH_EACH_REQUEST is left on. Here it is pushed back when half of the
// idle timeout has passed (Test_02), which keeps most responses without a cookie.
func Test_Flask_session_cookie_setting(t *testing.T) {
	v := visitor{t: t, store: newStore(t, Options{})}
	for want := 1; want <= 3; want++ {
		v.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) {
			n, _ := s.Values["foo"].(int)
			s.Values["foo"] = n + 1
		})
		require.Equal(t, want, v.values()["foo"])
	}
	require.Empty(t, setCookies(v.visit(look)))
}

func Test_Flask_session_vary_cookie(t *testing.T) {
	for header, want := range map[string][]string{
		"":                                  {"Cookie"},
		"Cookie":                            {"Cookie"},
		"Accept-Encoding, Accept-Language":  {"Accept-Encoding, Accept-Language", "Cookie"},
		"Accept-Encoding,COOKIE , X-Header": {"Accept-Encoding,COOKIE , X-Header"},
	} {
		v := visitor{t: t, store: newStore(t, Options{})}
		res := v.visit(func(w http.ResponseWriter, _ *http.Request, s *sessions.Session) {
			if header != "" {
				w.Header().Set("Vary", header)
			}
			s.Values["test"] = "test"
		})
		require.Equal(t, want, res.Header["Vary"])
	}
}

// Flask says Vary when it refreshes a cookie on a page that never looked at the
// session. Here a page that does not look refreshes nothing.
func Test_Flask_session_refresh_vary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := visitor{t: t, store: newStore(t, Options{IdleTimeout: time.Hour})}
		v.set("user_id", 1)
		time.Sleep(40 * time.Minute)
		res := v.visit(look)
		require.Len(t, setCookies(res), 1)
		require.Equal(t, "Cookie", res.Header.Get("Vary"))
	})
}

// Flask's flash is a list in the session, and so is gorilla's. Buffalo's is tested
// where it is used, in actions.
func Test_Flask_flashes(t *testing.T) {
	v := visitor{t: t, store: newStore(t, Options{})}
	v.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) { s.AddFlash("Zap") })
	v.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) { s.AddFlash("Zip") })
	v.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) {
		require.Equal(t, []any{"Zap", "Zip"}, s.Flashes())
	})
	require.Empty(t, v.cookie, "shown once, and nothing else was kept")
}

// Flask warns when a cookie is too large, and the browser drops it without a word.
// Here it is an error, and the browser keeps the session it had (Test_10).
func Test_Flask_max_cookie_size(t *testing.T) {
	v := visitor{t: t, store: newStore(t, Options{})}
	v.visit(func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
		s.Values["foo"] = fmt.Sprintf("%4093s", "")
		require.Error(t, s.Save(r, w))
		delete(s.Values, "foo")
	})
}
