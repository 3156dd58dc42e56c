package buffalosession

import (
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"heroes/session"

	"github.com/gobuffalo/envy"
	"github.com/stretchr/testify/require"
)

// with returns the secrets of an environment in which SESSION_SECRET is list.
func with(env, list string) (secrets [][]byte, err error) {
	envy.Temp(func() {
		envy.Set("SESSION_SECRET", list)
		secrets, err = Secrets(env)
	})
	return secrets, err
}

func Test_production_has_no_store_without_a_good_secret(t *testing.T) {
	const short = "only-31-bytes-are-not-enough-ok"
	for why, list := range map[string]string{
		"none":             "",
		"short":            short,
		"one of them":      session.NewSecret() + "," + short,
		"a comma too much": session.NewSecret() + ",",
	} {
		_, err := with("production", list)
		require.ErrorContains(t, err, "SESSION_SECRET", why)
		require.ErrorContains(t, err, "openssl rand", why)
		require.NotContains(t, err.Error(), short, why)
		require.NotContains(t, err.Error(), "\n", "one line")
	}
	newest := session.NewSecret()
	secrets, err := with("production", newest+", "+session.NewSecret())
	require.NoError(t, err)
	require.Len(t, secrets, 2)
	require.Equal(t, newest, string(secrets[0]), "newest first")
}

func Test_only_development_and_test_are_without_https(t *testing.T) {
	envy.Temp(func() {
		envy.Set("SESSION_SECRET", session.NewSecret())
		for env, secure := range map[string]bool{"development": false, "test": false, "production": true, "staging": true, "Test": true} {
			store, err := NewStore(env, session.Options{})
			require.NoError(t, err)
			w := httptest.NewRecorder()
			store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				s, err := store.Get(r, "s")
				require.NoError(t, err)
				s.Values["a"] = 1
			}), nil).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			require.Equal(t, secure, w.Result().Cookies()[0].Secure, env)
		}
	})
}

func Test_development_makes_a_secret_once_and_keeps_it_to_itself(t *testing.T) {
	t.Chdir(t.TempDir())
	first, err := with("development", "")
	require.NoError(t, err)
	again, err := with("development", "")
	require.NoError(t, err)
	require.Equal(t, first, again)
	info, err := os.Stat(developmentSecret)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	left, err := os.ReadDir("tmp")
	require.NoError(t, err)
	require.Len(t, left, 1, "no draft is left")

	require.NoError(t, os.WriteFile(developmentSecret, []byte("short"), 0o600))
	_, err = with("development", "")
	require.ErrorContains(t, err, developmentSecret)
}

func Test_a_test_has_a_new_secret_each_time(t *testing.T) {
	first, err := with("test", "")
	require.NoError(t, err)
	again, err := with("test", "")
	require.NoError(t, err)
	require.NotEqual(t, first, again)
}

func Test_secrets_that_were_written_wrongly_are_an_error(t *testing.T) {
	a, b := session.NewSecret(), session.NewSecret()
	for _, list := range []string{a + " " + b, a + "\n" + b, `"` + a + `"`, "'" + a + "," + b + "'"} {
		_, err := with("production", list)
		require.ErrorContains(t, err, "SESSION_SECRET: secret 1 of ")
		require.ErrorContains(t, err, "separate secrets by commas and write them without quotes")
		require.NotContains(t, err.Error(), a)
	}
}

func Test_in_development_a_folder_that_cannot_be_written_is_an_error(t *testing.T) {
	if os.Getuid() == 0 {
		t.Chdir("/proc") // where not even root can make a folder
	} else {
		dir := t.TempDir()
		require.NoError(t, os.Chmod(dir, 0o500))
		t.Chdir(dir)
	}
	_, err := with("development", "")
	require.ErrorContains(t, err, "tmp/session_secret: ")
	require.ErrorContains(t, err, "or set SESSION_SECRET")
	require.NotContains(t, err.Error(), "\n")
}
