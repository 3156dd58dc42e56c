package backendtest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"heroes/session"

	"github.com/gorilla/sessions"
	"github.com/stretchr/testify/require"
)

// signingIn lets something happen while a visitor signs in, and returns the status.
func (v *visitor) signingIn(owner string, happens func(r *http.Request, s *sessions.Session)) int {
	return v.ask("POST", func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
		require.NoError(v.t, v.store.SignIn(r, s, owner))
		happens(r, s)
	}).StatusCode
}

func (v *visitor) revokeOwner(owner string) {
	_, err := v.store.RevokeOwner(v.t.Context(), name, owner)
	require.NoError(v.t, err)
}

// However long a request waits, also after Options.Grace, and whoever was signed in before.
func Test_19_a_revocation_ends_what_is_being_signed_in(t *testing.T) {
	for _, before := range []string{"", "nobody", "clark", "bruce"} {
		for _, wait := range []time.Duration{0, 11 * time.Second, 29 * time.Second, time.Minute} {
			synctest.Test(t, func(t *testing.T) {
				v := open(t, &Memory{}, session.Options{OnEvent: quiet})
				switch before {
				case "":
				case "nobody":
					v.set("cart", "cape")
				default:
					v.signIn(before)
				}
				status := v.signingIn("clark", func(*http.Request, *sessions.Session) {
					v.revokeOwner("clark")
					time.Sleep(wait)
				})
				require.Equal(t, http.StatusConflict, status)
				require.Empty(t, v.listed("clark"))
				require.NotEqual(t, "clark", v.owner())
			})
		}
	}
}

// Whatever has already ended the session that the visitor is signing in to, or taken its entry from the index.
func Test_19_an_earlier_end_does_not_hide_a_sign_in_from_a_revocation(t *testing.T) {
	for what, happens := range map[string]func(v, longer *visitor, r *http.Request, s *sessions.Session){
		"Revoke": func(v, _ *visitor, r *http.Request, s *sessions.Session) {
			_, err := v.store.Revoke(t.Context(), name, v.store.Info(r, s).ID)
			require.NoError(t, err)
		},
		"Revoke and a listing": func(v, _ *visitor, r *http.Request, s *sessions.Session) {
			_, err := v.store.Revoke(t.Context(), name, v.store.Info(r, s).ID)
			require.NoError(t, err)
			require.Empty(t, v.listed("clark"))
		},
		"signing in again": func(v, _ *visitor, r *http.Request, s *sessions.Session) {
			v.revokeOwner("clark")
			time.Sleep(35 * time.Second)
			require.NoError(t, v.store.SignIn(r, s, "clark"))
		},
		"a process with a longer Lifetime": func(_, longer *visitor, _ *http.Request, _ *sessions.Session) { longer.revokeOwner("clark") },
	} {
		synctest.Test(t, func(t *testing.T) {
			memory := &Memory{}
			v := open(t, memory, session.Options{OnEvent: quiet, Grace: time.Second})
			longer := open(t, memory, session.Options{Lifetime: 1440 * time.Hour})
			status := v.signingIn("clark", func(r *http.Request, s *sessions.Session) {
				happens(v, longer, r, s)
				v.revokeOwner("clark")
				time.Sleep(26 * time.Second)
			})
			require.Equal(t, http.StatusConflict, status, what)
			require.Empty(t, v.owner(), what)
			require.Empty(t, v.listed("clark"), what)
		})
	}
}

func Test_19_a_listing_by_a_process_with_a_longer_lifetime_loses_no_session(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := &Memory{}
		v, longer := open(t, memory, session.Options{}), open(t, memory, session.Options{Lifetime: 1440 * time.Hour})
		require.Equal(t, http.StatusOK, v.signingIn("clark", func(*http.Request, *sessions.Session) { longer.listed("clark") }))
		require.Len(t, v.listed("clark"), 1)
	})
}

func Test_19_a_sign_in_whose_first_save_failed_has_to_be_repeated(t *testing.T) {
	v := open(t, &losing{Backend: &Memory{}, n: 1}, session.Options{OnEvent: quiet})
	for range 3 { // without Handler
		r, w := httptest.NewRequest("POST", "/", nil), httptest.NewRecorder()
		s, err := v.store.Get(r, name)
		require.NoError(t, err)
		require.NoError(t, v.store.SignIn(r, s, "clark"))
		if err := s.Save(r, w); err != nil {
			require.ErrorIs(t, err, session.ErrUnavailable)
			require.ErrorIs(t, s.Save(r, w), session.ErrConflict, "the index does not have what this would save")
		}
	}
	require.Len(t, v.listed("clark"), 2)
	require.Equal(t, 2, count(t, v.store))
}

func Test_19_a_sign_in_that_failed_long_ago_does_not_end_the_visitors_session(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := open(t, &Memory{}, session.Options{})
		v.set("cart", "cape")
		v.ask("POST", func(w http.ResponseWriter, r *http.Request, s *sessions.Session) {
			require.NoError(t, v.store.SignIn(r, s, "clark"))
			w.WriteHeader(http.StatusBadGateway)
		})
		time.Sleep(2 * time.Minute)
		v.revokeOwner("clark")
		require.Equal(t, session.View{"cart": "cape"}, v.values())
	})
}

func Test_19_a_sign_in_that_was_revoked_revokes_nobody_later(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := &Memory{}
		thief, v := open(t, memory, session.Options{OnEvent: quiet}), open(t, memory, session.Options{})
		status := thief.signingIn("clark", func(r *http.Request, s *sessions.Session) {
			v.revokeOwner("clark")
			v.signIn("clark")
			time.Sleep(61 * time.Second)
			_, err := thief.store.RevokeOthers(r, s)
			require.ErrorIs(t, err, session.ErrConflict)
		})
		require.Equal(t, http.StatusConflict, status)
		require.Equal(t, "clark", v.owner())
	})
}

func Test_22_signing_in_to_a_session_that_is_being_adopted_can_revoke_the_others(t *testing.T) {
	memory := &Memory{}
	m := move(t, memory, session.Options{})
	other := open(t, memory, session.Options{})
	other.signIn("clark")
	res := m.ask("POST", func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
		require.NoError(t, m.store.SignIn(r, s, "clark"))
		_, err := m.store.RevokeOthers(r, s)
		require.NoError(t, err)
	})
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.Empty(t, other.owner())
	require.Len(t, m.listed("clark"), 1)
}

// The other cookie opens nothing later, either.
func Test_22_a_revocation_while_a_session_is_adopted_lasts(t *testing.T) {
	for _, limit := range []int{0, 1} {
		t.Run(fmt.Sprint("MaxPerOwner ", limit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := move(t, &Memory{}, session.Options{OnEvent: quiet, MaxPerOwner: limit, Adopt: from(readable{left: 100 * time.Hour})})
				other := m.at(m.visitor)
				res := m.ask("POST", func(_ http.ResponseWriter, r *http.Request, s *sessions.Session) {
					require.NoError(t, m.store.SignIn(r, s, "clark"))
					if limit == 0 {
						other.revokeOwner("clark")
					} else {
						require.Equal(t, http.StatusOK, other.signIn("clark").StatusCode)
					}
				})
				require.Equal(t, http.StatusConflict, res.StatusCode)
				for range 3 {
					require.Empty(t, m.values())
					time.Sleep(2 * time.Minute)
				}
			})
		})
	}
}
