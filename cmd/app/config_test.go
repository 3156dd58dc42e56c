package main

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
func with(t *testing.T, env map[string]string) (c config, err error) {
	t.Helper()
	envy.Temp(func() {
		for _, name := range []string{"SESSION_SECRET", "SESSION_STORE", "SESSION_IDLE_TIMEOUT", "SESSION_LIFETIME", "LOG_LEVEL", "PORT"} {
			if _, ok := env[name]; !ok && envy.Get(name, "") != "" {
				t.Fatalf("%s is set where the tests run: unset it", name)
			}
		}
		for name, value := range env {
			envy.Set(name, value)
		}
		c, err = readConfig()
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
	require.Len(t, c.secrets, 2)
	require.Equal(t, good, string(c.secrets[0]), "newest first")
	require.False(t, c.session.Insecure)
}

func Test_Config_development_makes_a_secret_once_and_keeps_it_to_itself(t *testing.T) {
	t.Chdir(t.TempDir())
	first, err := with(t, map[string]string{"GO_ENV": "development"})
	require.NoError(t, err)
	again, err := with(t, map[string]string{"GO_ENV": "development"})
	require.NoError(t, err)
	require.Equal(t, first.secrets, again.secrets)
	require.True(t, first.session.Insecure)
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
	require.NotEqual(t, first.secrets, again.secrets)
}

func Test_Config_reads_the_lifetimes(t *testing.T) {
	c, err := with(t, map[string]string{"GO_ENV": "test"})
	require.NoError(t, err)
	require.Equal(t, 24*time.Hour, c.session.IdleTimeout)
	require.Equal(t, 720*time.Hour, c.session.Lifetime)

	c, err = with(t, map[string]string{"GO_ENV": "test", "SESSION_IDLE_TIMEOUT": "0", "SESSION_LIFETIME": "90m"})
	require.NoError(t, err)
	require.Negative(t, c.session.IdleTimeout, "never")
	require.Equal(t, 90*time.Minute, c.session.Lifetime)
}

func Test_Config_a_wrong_value_is_an_error_that_names_the_variable(t *testing.T) {
	for variable, value := range map[string]string{
		"SESSION_IDLE_TIMEOUT": "a day",
		"SESSION_LIFETIME":     "0",
		"SESSION_STORE":        "memcached",
		"LOG_LEVEL":            "loud",
		"PORT":                 "70000",
	} {
		_, err := with(t, map[string]string{"GO_ENV": "test", variable: value})
		require.ErrorContains(t, err, variable+":")
		require.ErrorContains(t, err, "set it to", "how to mend it")
		require.Equal(t, 0, strings.Count(err.Error(), "\n"))
	}
	_, err := with(t, map[string]string{"GO_ENV": "test", "PORT": "x", "LOG_LEVEL": "y"})
	require.Equal(t, 1, strings.Count(err.Error(), "\n"), "one line for each")
}

func Test_Listen_says_what_to_do_when_the_port_is_taken(t *testing.T) {
	l, err := listen("127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	require.Contains(t, address(l), "http://127.0.0.1:")
	_, err = listen(l.Addr().String())
	require.ErrorContains(t, err, "set ADDR and PORT")
}

func Test_Run_names_what_it_can_do(t *testing.T) {
	require.ErrorContains(t, run([]string{"serve-me"}), "task list")
}
