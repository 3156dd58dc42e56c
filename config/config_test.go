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
		"SESSION_IDLE_TIMEOUT": "500ms",
		"ADDR":                 "unix:",
		"SESSION_LIFETIME":     "0",
		"SESSION_STORE":        "memcached",
		"LOG_LEVEL":            "loud",
		"PORT":                 "70000",
		"METRICS_ADDR":         "9090",
	} {
		_, err := with(t, map[string]string{"GO_ENV": "test", variable: value})
		require.ErrorContains(t, err, variable+":")
		require.ErrorContains(t, err, "set it to", "how to fix it")
		require.Equal(t, 0, strings.Count(err.Error(), "\n"))
	}
	_, err := with(t, map[string]string{"GO_ENV": "test", "PORT": "x", "LOG_LEVEL": "y"})
	require.Equal(t, 1, strings.Count(err.Error(), "\n"), "one line for each")
}

func Test_Config_a_name_of_an_environment_has_no_capitals_and_no_spaces(t *testing.T) {
	for _, env := range []string{"Production", "TEST", " production"} {
		_, err := with(t, map[string]string{"GO_ENV": env, "SESSION_SECRET": session.NewSecret()})
		require.ErrorContains(t, err, "GO_ENV: ")
		require.ErrorContains(t, err, "set it to "+strings.ToLower(strings.TrimSpace(env)))
	}
	require.Equal(t, "test", Env(), "in tests, where it is not set")
}

func Test_Config_secrets_that_were_written_wrongly_are_an_error(t *testing.T) {
	a, b := session.NewSecret(), session.NewSecret()
	for _, list := range []string{a + " " + b, a + "\n" + b, `"` + a + `"`, "'" + a + "," + b + "'"} {
		_, err := with(t, map[string]string{"GO_ENV": "production", "SESSION_SECRET": list})
		require.ErrorContains(t, err, "SESSION_SECRET: secret 1 of ")
		require.ErrorContains(t, err, "separate secrets by commas and write them without quotes")
		require.NotContains(t, err.Error(), a)
	}
}

func Test_Config_in_development_a_folder_that_cannot_be_written_is_an_error(t *testing.T) {
	if os.Getuid() == 0 {
		t.Chdir("/proc") // where not even root can make a folder
	} else {
		dir := t.TempDir()
		require.NoError(t, os.Chmod(dir, 0o500))
		t.Chdir(dir)
	}
	_, err := with(t, map[string]string{"GO_ENV": "development"})
	require.ErrorContains(t, err, "tmp/session_secret: ")
	require.ErrorContains(t, err, "or set SESSION_SECRET")
	require.NotContains(t, err.Error(), "\n")
}

func Test_Config_reads_where_to_listen(t *testing.T) {
	for _, c := range []struct{ env, addr, port, want string }{
		{"test", "", "", "127.0.0.1:3000"},
		{"production", "", "", "0.0.0.0:3000"},
		{"test", "::1", "0", "[::1]:0"},
		{"test", "unix:/run/heroes.sock", "", "unix:/run/heroes.sock"},
	} {
		env := map[string]string{"GO_ENV": c.env, "SESSION_SECRET": session.NewSecret()}
		if c.addr != "" {
			env["ADDR"] = c.addr
		}
		if c.port != "" {
			env["PORT"] = c.port
		}
		got, err := with(t, env)
		require.NoError(t, err)
		require.Equal(t, c.want, got.Addr)
	}
}
