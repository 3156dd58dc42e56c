package session

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/sessions"
	"github.com/stretchr/testify/require"
)

func (v *visitor) signIn(owner string, options ...SignInOption) *http.Response {
	v.t.Helper()
	return v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
		require.NoError(v.t, v.store.SignIn(r, s, owner, options...))
	})
}

func (v *visitor) info() (info Info) {
	v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) { info = v.store.Info(r, s) })
	return info
}

func Test_19_a_cookie_carries_its_owner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := visitor{t: t, store: newStore(t, Options{IdleTimeout: -1, Lifetime: 10 * time.Hour})}
		v.set("cart", "cape")
		id := v.info().ID
		time.Sleep(9 * time.Hour)
		v.signIn("clark", Note("Firefox"))
		copied := v
		time.Sleep(9 * time.Hour)
		info := v.info()
		require.Equal(t, []string{id, "clark", "Firefox"}, []string{info.ID, info.Owner, info.Note})
		require.Equal(t, 9*time.Hour, time.Since(info.Authenticated).Round(time.Second))
		require.Equal(t, View{"cart": "cape"}, v.values())
		v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.True(t, v.store.Fresh(r, s, 9*time.Hour+time.Second))
			require.False(t, v.store.Fresh(r, s, 9*time.Hour-time.Second))
			require.NoError(t, v.store.Renew(r, s))
		})
		require.Equal(t, "clark", v.info().Owner)
		shorter := visitor{t: t, store: newStore(t, Options{IdleTimeout: -1, Lifetime: 8 * time.Hour}), cookie: copied.cookie}
		require.Empty(t, shorter.info().Owner, "a shorter lifetime counts from the sign-in, too")
		time.Sleep(2 * time.Hour)
		require.Empty(t, v.info().Owner)
		require.Empty(t, copied.info().Owner)

		v.signIn("clark")
		v.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) { s.Values["n"] = 1; clear(s.Values) })
		require.Equal(t, "clark", v.info().Owner, "the owner needs no value")
		id = v.info().ID
		v.set("alter_ego", "Superman")
		v.signIn("bruce")
		require.Equal(t, "bruce", v.info().Owner)
		require.NotEqual(t, id, v.info().ID)
		require.Empty(t, v.values())
		res := v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.NoError(t, v.store.SignOut(r, s))
		})
		require.Equal(t, -1, res.Cookies()[0].MaxAge)
		require.Empty(t, v.cookie)
	})
}

func Test_19_a_cookie_is_kept_as_long_as_its_owner_wanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := visitor{t: t, store: newStore(t, Options{})}
		require.Equal(t, 3600, v.signIn("clark", KeepFor(time.Hour)).Cookies()[0].MaxAge)
		time.Sleep(40 * time.Minute)
		require.Equal(t, 1200, v.set("n", 1).Cookies()[0].MaxAge)
		time.Sleep(21 * time.Minute)
		require.Empty(t, v.info().Owner)
		require.Zero(t, v.signIn("clark", UntilBrowserCloses(), KeepFor(time.Hour)).Cookies()[0].MaxAge)
		require.Zero(t, v.set("n", 1).Cookies()[0].MaxAge)
		time.Sleep(61 * time.Minute)
		require.Empty(t, v.info().Owner, "browsers that stay open")
	})
}

func Test_19_the_server_can_neither_list_nor_end_sessions_in_cookies(t *testing.T) {
	v := visitor{t: t, store: newStore(t, Options{})}
	v.signIn("clark")
	v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
		_, err := v.store.RevokeOthers(r, s)
		require.ErrorIs(t, err, ErrNoBackend)
	})
	ctx := context.Background()
	list, err := v.store.Sessions(ctx, name, "clark")
	require.ErrorIs(t, err, ErrNoBackend)
	require.Empty(t, list)
	_, err = v.store.RevokeOwner(ctx, name, "clark")
	require.ErrorIs(t, err, ErrNoBackend)
	_, err = v.store.RevokeOwned(ctx, name, "clark", v.info().ID)
	require.ErrorIs(t, err, ErrNoBackend)
	_, err = v.store.Revoke(ctx, name, v.info().ID)
	require.ErrorIs(t, err, ErrNoBackend)
	require.Equal(t, "clark", v.info().Owner)
}

func Test_19_nothing_of_the_owner_can_be_read(t *testing.T) {
	v := visitor{t: t, store: newStore(t, Options{})}
	v.signIn("clark@example.com", Note("Firefox"))
	_, value, _ := strings.Cut(v.cookie, "=")
	plain, err := strict.DecodeString(value)
	require.NoError(t, err)
	require.NotContains(t, string(plain), "clark")
	one, two := v.store.keys.ownerHashes(name, "clark"), v.store.keys.ownerHashes("other", "clark")
	require.NotEqual(t, one, two, "two applications with one secret")
	other, err := newKeyring([][]byte{oldSecret})
	require.NoError(t, err)
	require.NotEqual(t, one, other.ownerHashes(name, "clark"), "a hash without the secret says nothing")
}

func Test_10_the_largest_owner_and_note_count(t *testing.T) {
	v := visitor{t: t, store: newStore(t, Options{})}
	for n := 3100; ; n -= 7 {
		large := strings.Repeat("x", n)
		var err error
		res := v.visit(func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			s.Values["x"] = large
			require.NoError(t, v.store.SignIn(r, s, strings.Repeat("o", MaxOwner), Note(strings.Repeat("n", MaxOwner))))
			err = v.store.Save(r, w, s)
		})
		if err != nil {
			require.ErrorContains(t, err, "4096")
			require.Equal(t, http.StatusInternalServerError, res.StatusCode)
			continue
		}
		require.Len(t, v.cookie, len(setCookies(res)[0])-len(setCookies(res)[0][len(v.cookie):]))
		require.LessOrEqual(t, len(setCookies(res)[0]), MaxCookie)
		require.Greater(t, len(setCookies(res)[0]), MaxCookie-50)
		return
	}
}

func Test_a_key_reads_and_sets_values_of_one_type(t *testing.T) {
	cart := Key[[]string]("cart")
	v := visitor{t: t, store: newStore(t, Options{})}
	v.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) {
		items, ok := cart.Get(s)
		require.False(t, ok)
		require.Nil(t, items)
		cart.Set(s, []string{"cape"})
	})
	v.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) {
		items, ok := cart.Get(s)
		require.True(t, ok)
		require.Equal(t, []string{"cape"}, items)
		n, ok := Key[int]("cart").Get(s)
		require.False(t, ok, "of another type")
		require.Zero(t, n)
		cart.Delete(s)
	})
	require.Empty(t, v.cookie)
}

func Test_RequireSignIn_leads_to_the_sign_in_and_back(t *testing.T) {
	v := visitor{t: t, store: newStore(t, Options{})}
	ask := func(within time.Duration, method, target, referer string) *http.Response {
		r, w := httptest.NewRequest(method, target, nil), httptest.NewRecorder()
		r.Header.Set("Cookie", v.cookie)
		r.Header.Set("Referer", referer)
		page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
		v.store.Handler(v.store.RequireSignIn(name, within, "/sign-in")(page), nil).ServeHTTP(w, r)
		return w.Result()
	}
	res := ask(0, "GET", "/password?a=b&c=d", "")
	require.Equal(t, http.StatusSeeOther, res.StatusCode)
	back, err := url.Parse(res.Header.Get("Location"))
	require.NoError(t, err)
	require.Equal(t, "/sign-in", back.Path)
	require.Equal(t, "/password?a=b&c=d", ReturnTo(httptest.NewRequest("GET", back.String(), nil), "/"))

	for referer, want := range map[string]string{
		"http://example.com/password?a=b": "/password?a=b",
		"http://evil.com/password":        "/",
		"":                                "/",
		"nonsense\x7f":                    "/",
	} {
		back, err := url.Parse(ask(0, "POST", "/password", referer).Header.Get("Location"))
		require.NoError(t, err)
		require.Equal(t, want, back.Query().Get("return_to"), "a redirect does not repeat a form")
	}
	require.Empty(t, v.cookie)

	v.signIn("clark")
	require.Equal(t, http.StatusNoContent, ask(0, "GET", "/password", "").StatusCode)
	require.Equal(t, http.StatusNoContent, ask(time.Minute, "GET", "/password", "").StatusCode)
	require.Equal(t, http.StatusSeeOther, ask(time.Nanosecond, "GET", "/password", "").StatusCode)
	require.Equal(t, "/sign-in?a=b&return_to=%2F", SignInURL(httptest.NewRequest("GET", "/", nil), "/sign-in?a=b"))
}

func Test_ReturnTo_never_leads_to_another_host(t *testing.T) {
	for path, want := range map[string]string{
		"/":                   "/",
		"/devices?a=b#c":      "/devices?a=b#c",
		"":                    "/home",
		"devices":             "/home",
		"//evil.com":          "/home",
		"///evil.com":         "/home",
		"/\\evil.com":         "/home",
		"\\\\evil.com":        "/home",
		"/\t/evil.com":        "/home",
		"/\n/evil.com":        "/home",
		"/%5cevil.com":        "/%5cevil.com",
		"https://evil.com":    "/home",
		"https:/evil.com":     "/home",
		"javascript:alert(1)": "/home",
		"/%zz":                "/home",
		" //evil.com":         "/home",
		"/.//evil.com":        "/.//evil.com",
		"/..//evil.com":       "/..//evil.com",
		"/x/..//evil.com":     "/x/..//evil.com",
		"/a//b":               "/a//b",
	} {
		r := httptest.NewRequest("POST", "/sign-in", strings.NewReader(url.Values{"return_to": {path}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		got := ReturnTo(r, "/home")
		require.Equal(t, want, got, "%q", path)
		leads, err := r.URL.Parse(got)
		require.NoError(t, err)
		require.Empty(t, leads.Host)
	}
}

func Test_options_for_owners_are_checked(t *testing.T) {
	for _, o := range []Options{
		{MaxPerOwner: 3},
		{MaxPerOwner: -1, Backend: unreachable{}},
		{MaxPerOwner: 10_001, Backend: unreachable{}},
		{Backend: unreachable{}, Revoked: unreachable{}},
	} {
		_, err := New([][]byte{newSecret}, o)
		require.ErrorContains(t, err, "Options.")
	}
}

func Test_19_no_save_moves_the_time_of_the_sign_in(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := visitor{t: t, store: newStore(t, Options{})}
		v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.NoError(t, v.store.SignIn(r, s, "clark"))
		})
		signedIn := time.Now()
		for n := range 500 {
			time.Sleep(1500 * time.Microsecond)
			v.set("n", n)
		}
		v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.WithinDuration(t, signedIn, v.store.Info(r, s).Authenticated, 2*time.Millisecond)
		})
	})
}
