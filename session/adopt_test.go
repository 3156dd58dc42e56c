package session

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/sessions"
	"github.com/stretchr/testify/require"
)

// A readable is another system, whose cookies contain a user after "valid-".
type readable map[string]any

func (r readable) ReadCookie(_ context.Context, _, value string) (Contents, error) {
	user, ok := strings.CutPrefix(value, "valid-")
	if !ok {
		return Contents{}, errors.New("refused")
	}
	found := Contents{Values: map[string]any{"user": user}, Left: time.Hour}
	for key, value := range r {
		found.Values[key] = value
	}
	return found, nil
}

func from(r Reader) []Source { return []Source{{Session: name, Cookie: "other", Reader: r}} }

func Test_22_in_cookies_a_visitor_of_another_system_receives_a_session_with_the_same_values(t *testing.T) {
	var events []Event
	options := Options{Domain: "example.com", OnEvent: func(_ context.Context, e Event) { events = append(events, e) }}
	options.Adopt = []Source{{Session: name, Cookie: "other", Path: "/app", Domain: "www.example.com", Reader: readable{}}}
	v := visitor{t: t, store: newStore(t, options), cookie: "other=valid-clark"}
	res := v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
		require.False(t, s.IsNew)
		s.Values["cart"] = "cape"
	})
	require.Len(t, res.Cookies(), 2)
	ours, other := res.Cookies()[0], res.Cookies()[1]
	require.Equal(t, name, ours.Name)
	require.Equal(t, "other=; Path=/app; Domain=www.example.com; Max-Age=0; HttpOnly; Secure; SameSite=Lax", other.String())
	v.cookie = ours.Name + "=" + ours.Value
	require.Equal(t, View{"user": "clark", "cart": "cape"}, v.values())
	require.Empty(t, setCookies(v.visit(look)))
	require.Len(t, events, 1)
	require.Equal(t, Adopted, events[0].Kind)
	require.Len(t, events[0].ID, 32)
}

func Test_22_in_cookies_overlapping_adoptions_have_one_ID(t *testing.T) {
	ids := map[string]bool{}
	for range 2 {
		v := visitor{t: t, store: newStore(t, Options{Adopt: from(readable{})}), cookie: "other=valid-clark"}
		v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) { ids[v.store.Info(r, s).ID] = true })
	}
	require.Len(t, ids, 1)
}

func Test_22_a_source_with_the_same_cookie_name_is_overwritten(t *testing.T) {
	v := visitor{t: t, store: newStore(t, Options{Adopt: []Source{{Session: name, Reader: readable{}}}}), cookie: name + "=valid-clark"}
	require.Len(t, setCookies(v.visit(look)), 1, "promise 3")
	require.Equal(t, View{"user": "clark"}, v.values())
	require.Empty(t, setCookies(v.visit(look)))

	v.cookie = name + "=valid-bruce"
	require.Len(t, setCookies(v.visit(func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
		require.NoError(t, v.store.Destroy(r, s))
	})), 1)
	require.Empty(t, v.cookie)
}

func Test_22_a_cookie_is_set_or_removed_once(t *testing.T) {
	memory := map[string]Source{"the same name": {Session: name, Reader: readable{}}, "another": {Session: name, Cookie: "other", Reader: readable{}}}
	for what, source := range memory {
		store := newStore(t, Options{Adopt: []Source{source}})
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		cookie := source.Cookie
		if cookie == "" {
			cookie = name
		}
		r.Header.Set("Cookie", cookie+"=valid-a; "+cookie+"=valid-b")
		s, err := store.Get(r, name)
		require.NoError(t, err)
		for range 2 {
			require.NoError(t, store.Destroy(r, s))
			require.NoError(t, s.Save(r, w))
			s.Values["n"] = 1
			require.NoError(t, s.Save(r, w))
		}
		names := map[string]int{}
		for _, c := range w.Result().Cookies() {
			names[c.Name]++
		}
		for _, n := range names {
			require.Equal(t, 1, n, "%s: %v", what, w.Header()["Set-Cookie"])
		}
	}
}

func Test_22_a_page_can_add_to_a_session_that_just_fitted(t *testing.T) {
	for size := MaxCookie / 2; size < MaxCookie; size += 10 {
		v := visitor{t: t, cookie: "other=valid-clark", store: newStore(t, Options{Adopt: from(readable{"long": strings.Repeat("x", size)})})}
		res := v.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) {
			s.Values["authenticity_token"] = strings.Repeat("t", 100)
		})
		require.Equal(t, http.StatusOK, res.StatusCode, size)
	}
}

func Test_22_a_session_that_is_too_large_for_a_cookie_is_left_where_it_is(t *testing.T) {
	var lost error
	v := visitor{t: t, cookie: "other=valid-clark", store: newStore(t, Options{
		Adopt: from(readable{"long": strings.Repeat("x", MaxCookie)}),
		OnEvent: func(_ context.Context, e Event) {
			require.Equal(t, NotAdopted, e.Kind)
			lost = e.Err
		},
	})}
	require.Empty(t, setCookies(v.visit(look)))
	tooLarge := new(TooLargeError)
	require.ErrorAs(t, lost, &tooLarge)
	require.Empty(t, v.values())
}

func Test_22_a_failed_answer_keeps_what_was_done_to_the_cookies(t *testing.T) {
	store := newStore(t, Options{Adopt: from(readable{})})
	handler := store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := store.Get(r, name)
		require.NoError(t, err)
		another, err := store.Get(r, "another")
		require.NoError(t, err)
		another.Values["n"] = failingOnce{new(int)}
	}), nil)
	r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	r.Header.Set("Cookie", "other=valid-clark")
	handler.ServeHTTP(w, r)
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.Len(t, w.Result().Cookies(), 2, "the first session was saved: %v", w.Header()["Set-Cookie"])
}

// A failingOnce can be encoded when it is checked, but not when it is saved.
type failingOnce struct{ n *int }

func init() { Register("failing once", failingOnce{}) }

func (f failingOnce) MarshalBinary() ([]byte, error) {
	if *f.n++; *f.n > 1 {
		return nil, errors.New("no")
	}
	return nil, nil
}

func (f *failingOnce) UnmarshalBinary([]byte) error { return nil }

// A closer is a Reader that can be closed.
type closer struct {
	readable
	closed *bool
}

func (c closer) Close() error {
	*c.closed = true
	return nil
}

func Test_22_Close_closes_the_Readers(t *testing.T) {
	closed := false
	require.NoError(t, newStore(t, Options{Adopt: from(closer{readable{}, &closed})}).Close())
	require.True(t, closed)
}

func Test_22_a_source_serves_one_session(t *testing.T) {
	v := visitor{t: t, store: newStore(t, Options{Adopt: []Source{{Session: "another", Cookie: "other", Reader: readable{}}}}), cookie: "other=valid-clark"}
	require.Empty(t, setCookies(v.visit(look)))
	require.Empty(t, v.values())
}

func Test_22_the_first_source_in_the_list_is_preferred(t *testing.T) {
	v := visitor{t: t, cookie: "old=valid-bruce; other=valid-clark", store: newStore(t, Options{Adopt: append(from(readable{}), Source{Session: name, Cookie: "old", Reader: readable{}})})}
	res := v.visit(func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) {
		require.Equal(t, "clark", s.Values["user"])
	})
	require.Len(t, res.Cookies(), 3, "both others are removed")
}

func Test_22_without_Handler_Save_takes_over(t *testing.T) {
	store := newStore(t, Options{Adopt: from(readable{})})
	r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	r.Header.Set("Cookie", "other=valid-clark")
	s, err := store.Get(r, name)
	require.NoError(t, err)
	require.NoError(t, s.Save(r, w))
	require.Len(t, w.Result().Cookies(), 2)
	require.NoError(t, s.Save(r, w))
	require.Len(t, w.Result().Cookies(), 2)
}

func Test_22_a_source_that_cannot_work_is_an_error(t *testing.T) {
	for want, s := range map[string]Source{
		"not a valid name":      {Reader: readable{}},
		"no Reader":             {Session: name},
		"another Path":          {Session: name, Path: "/app", Reader: readable{}},
		"Domain or Partitioned": {Session: name, Partitioned: true, Reader: readable{}},
		"name of a session":     {Session: "other", Cookie: "old", Reader: readable{}},
		"for two sessions":      {Session: "another", Cookie: "other", Reader: readable{}},
	} {
		_, err := New([][]byte{newSecret}, Options{Adopt: append(from(readable{}), s)})
		require.ErrorContains(t, err, want)
	}
}
