package config

import (
	"os"
	"strings"
	"testing"
	"time"

	"heroes/session"

	"github.com/gobuffalo/envy"
	"github.com/stretchr/testify/require"
)

// with reads the configuration in an environment of its own.
func with(t *testing.T, env map[string]string) (c Config, err error) {
	t.Helper()
	envy.Temp(func() {
		for _, name := range []string{"SESSION_SECRET", "SESSION_STORE", "SESSION_IDLE_TIMEOUT", "SESSION_LIFETIME", "LOG_LEVEL", "PORT", "METRICS_ADDR"} {
			if _, ok := env[name]; !ok && envy.Get(name, "") != "" {
				t.Fatalf("%s is set where the tests run: unset it", name)
			}
		}
		for name, value := range env {
			envy.Set(name, value)
		}
		c, err = Read()
	})
	return c, err
}

func Test_Config_production_does_not_start_without_a_good_secret(t *testing.T) {
	short := "only-31-bytes-are-not-enough-ok"
	for why, secret := range map[string]string{
		"none":             "",
		"short":            short,
		"one of them":      session.NewSecret() + "," + short,
		"a comma too much": session.NewSecret() + ",",
	} {
		env := map[string]string{"GO_ENV": "production"}
		if secret != "" {
			env["SESSION_SECRET"] = secret
		}
		_, err := with(t, env)
		require.ErrorContains(t, err, "SESSION_SECRET", why)
		require.ErrorContains(t, err, "task secret", why)
		require.NotContains(t, err.Error(), short, why)
		require.NotContains(t, err.Error(), "\n", "one line")
	}
	good := session.NewSecret()
	c, err := with(t, map[string]string{"GO_ENV": "production", "SESSION_SECRET": good + ", " + session.NewSecret()})
	require.NoError(t, err)
	require.Len(t, c.Secrets, 2)
	require.Equal(t, good, string(c.Secrets[0]), "newest first")
	require.False(t, c.Session.Insecure)
}

func Test_Config_development_makes_a_secret_once_and_keeps_it_to_itself(t *testing.T) {
	t.Chdir(t.TempDir())
	first, err := with(t, map[string]string{"GO_ENV": "development"})
	require.NoError(t, err)
	again, err := with(t, map[string]string{"GO_ENV": "development"})
	require.NoError(t, err)
	require.Equal(t, first.Secrets, again.Secrets)
	require.True(t, first.Session.Insecure)
	info, err := os.Stat(secretFile)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	left, err := os.ReadDir("tmp")
	require.NoError(t, err)
	require.Len(t, left, 1, "no draft is left")

	require.NoError(t, os.WriteFile(secretFile, []byte("short"), 0o600))
	_, err = with(t, map[string]string{"GO_ENV": "development"})
	require.ErrorContains(t, err, secretFile)
}

func Test_Config_test_has_a_fresh_secret(t *testing.T) {
	first, err := with(t, map[string]string{"GO_ENV": "test"})
	require.NoError(t, err)
	again, err := with(t, map[string]string{"GO_ENV": "test"})
	require.NoError(t, err)
	require.NotEqual(t, first.Secrets, again.Secrets)
}

func Test_Config_reads_the_lifetimes(t *testing.T) {
	c, err := with(t, map[string]string{"GO_ENV": "test"})
	require.NoError(t, err)
	require.Equal(t, 24*time.Hour, c.Session.IdleTimeout)
	require.Equal(t, 720*time.Hour, c.Session.Lifetime)

	c, err = with(t, map[string]string{"GO_ENV": "test", "SESSION_IDLE_TIMEOUT": "0", "SESSION_LIFETIME": "90m"})
	require.NoError(t, err)
	require.Negative(t, c.Session.IdleTimeout, "never")
	require.Equal(t, 90*time.Minute, c.Session.Lifetime)
}

func Test_Config_a_wrong_value_is_an_error_that_names_the_variable(t *testing.T) {
	for variable, value := range map[string]string{
		"SESSION_IDLE_TIMEOUT": "a day",
		"SESSION_LIFETIME":     "0",
		"SESSION_STORE":        "memcached",
		"LOG_LEVEL":            "loud",
		"PORT":                 "70000",
		"METRICS_ADDR":         "9090",
	} {
		_, err := with(t, map[string]string{"GO_ENV": "test", variable: value})
		require.ErrorContains(t, err, variable+":")
		require.ErrorContains(t, err, "set it to", "how to mend it")
		require.Equal(t, 0, strings.Count(err.Error(), "\n"))
	}
	_, err := with(t, map[string]string{"GO_ENV": "test", "PORT": "x", "LOG_LEVEL": "y"})
	require.Equal(t, 1, strings.Count(err.Error(), "\n"), "one line for each")
}

func Test_Config_opens_the_store_that_the_environment_names(t *testing.T) {
	t.Chdir(t.TempDir()) // without a database.yml
	open := func(env map[string]string) (store *session.Store, err error) {
		env["GO_ENV"] = "test"
		c, err := with(t, env)
		require.NoError(t, err)
		envy.Temp(func() {
			for name, value := range env {
				envy.Set(name, value)
			}
			store, err = c.Open(t.Context())
		})
		return store, err
	}
	store, err := open(map[string]string{})
	require.NoError(t, err)
	require.ErrorIs(t, store.RevokeAll(t.Context()), session.ErrNoBackend, "in cookies")

	for url, want := range map[string]string{
		"redis://:the-password@127.0.0.1:1/0": "start it, or set REDIS_URL",
		"127.0.0.1:1,127.0.0.1:2":             "start it, or set REDIS_URL",
		"redis://:the-password@[::1/x":        "does not look like",
		"user:the-password@nowhere":           "does not look like",
	} {
		_, err = open(map[string]string{"SESSION_STORE": "redis", "REDIS_URL": url})
		require.ErrorContains(t, err, "REDIS_URL", url)
		require.ErrorContains(t, err, want, url)
		require.NotContains(t, err.Error(), "the-password")
	}
}
