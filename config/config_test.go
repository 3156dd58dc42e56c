package config

import (
	"os"
	"path/filepath"
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
		for _, name := range []string{"SESSION_SECRET", "SESSION_STORE", "SESSION_IDLE_TIMEOUT", "SESSION_LIFETIME", "LOG_LEVEL", "PORT", "METRICS_ADDR", "FLASK_SECRET_KEY", "FLASK_SESSION_COOKIE", "BUFFALO_SESSION_SECRET", "SESSION_DEVICE_BOUND", "SESSION_DEVICE_PROOF", "SESSION_SECRET_FILE",
			"ALLOWED_HOSTS", "TRUSTED_PROXIES", "FORCE_HTTPS", "LOG_RATE", "MAX_CONNECTIONS", "MAX_HEADER_BYTES", "REQUESTS_PER_CLIENT", "NEW_SESSIONS", "NEW_SESSIONS_PER_CLIENT"} {
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

func Test_Config_binds_sessions_to_devices_only_if_asked_to(t *testing.T) {
	for _, c := range []struct {
		bound, proof string
		want         time.Duration
	}{{"", "", 0}, {"false", "5m", 0}, {"true", "", 8 * time.Minute}, {"true", "5m", 5 * time.Minute}} {
		env := map[string]string{"GO_ENV": "test"}
		if c.bound != "" {
			env["SESSION_DEVICE_BOUND"] = c.bound
		}
		if c.proof != "" {
			env["SESSION_DEVICE_PROOF"] = c.proof
		}
		got, err := with(t, env)
		require.NoError(t, err)
		require.Equal(t, c.want, got.Session.DeviceProof)
	}
}

func Test_Config_a_wrong_value_is_an_error_that_names_the_variable(t *testing.T) {
	for _, wrong := range []string{
		"SESSION_IDLE_TIMEOUT=500ms", "ADDR=unix:", "ADDR=127.0.0.1:8080", "ADDR=http://heroes.example", "ADDR=[::1]", "ADDR= ", "METRICS_ADDR=127.0.0.1:3000", "SESSION_LIFETIME=0", "LOG_LEVEL=loud", "PORT=70000", "METRICS_ADDR=9090",
		"SESSION_STORE=memcached", "SESSION_STORE=redis,memcached", "SESSION_STORE=redis,redis", "SESSION_STORE=redis,", "SESSION_STORE=", "FLASK_SESSION_COOKIE=",
		"FLASK_SECRET_KEY=one,,two", "FLASK_SECRET_KEY=,", "FLASK_SESSION_COOKIE=my session", "BUFFALO_SESSION_SECRET=one,",
		"SESSION_DEVICE_BOUND=yes", "SESSION_DEVICE_BOUND=", "SESSION_DEVICE_PROOF=8", "SESSION_DEVICE_PROOF=9s",
		"ALLOWED_HOSTS=https://heroes.example", "ALLOWED_HOSTS=heroes.example:443", "ALLOWED_HOSTS=*.heroes.example", "ALLOWED_HOSTS=a,,b", "ALLOWED_HOSTS=.", `ALLOWED_HOSTS="heroes.example"`, "ALLOWED_HOSTS=a@b", "ALLOWED_HOSTS=-",
		"TRUSTED_PROXIES=proxy", "TRUSTED_PROXIES=10.0.0.0/33", "FORCE_HTTPS=yes", "FORCE_HTTPS=true", "LOG_RATE=-1", "MAX_CONNECTIONS=many",
		"MAX_HEADER_BYTES=100", "NEW_SESSIONS=99999999999", "NEW_SESSIONS_PER_CLIENT=1.5",
	} {
		variable, value, _ := strings.Cut(wrong, "=")
		_, err := with(t, map[string]string{"GO_ENV": "test", variable: value})
		require.ErrorContains(t, err, variable+":", wrong)
		require.Regexp(t, "set (it to|TRUSTED_PROXIES)", err.Error(), "how to fix it")
		require.Equal(t, 0, strings.Count(err.Error(), "\n"))
	}
	_, err := with(t, map[string]string{"GO_ENV": "test", "FLASK_SECRET_KEY": ",", "BUFFALO_SESSION_SECRET": ","})
	require.Equal(t, 1, strings.Count(err.Error(), "\n"), "one line for each")
	_, err = with(t, map[string]string{"GO_ENV": "test", "PORT": "x", "LOG_LEVEL": "y"})
	require.Equal(t, 1, strings.Count(err.Error(), "\n"), "one line for each")
}

func Test_Config_reads_the_limits(t *testing.T) {
	c, err := with(t, map[string]string{"GO_ENV": "test"})
	require.NoError(t, err)
	require.Equal(t, []int{1000, 16384, 100, 60, 3000, 100}, []int{c.MaxConnections, c.MaxHeader, c.RequestsPerClient, c.NewPerClient, c.NewSessions, c.LogRate})
	require.Empty(t, c.Hosts)
	require.True(t, c.Proxies.None())
	require.False(t, c.ForceHTTPS)

	c, err = with(t, map[string]string{"GO_ENV": "test", "MAX_CONNECTIONS": "0", "MAX_HEADER_BYTES": "8192", "REQUESTS_PER_CLIENT": "4", "NEW_SESSIONS_PER_CLIENT": "1", "NEW_SESSIONS": "2",
		"LOG_RATE": "3", "ALLOWED_HOSTS": "heroes.example, .heroes.test,2001:db8::1", "TRUSTED_PROXIES": "unix,10.0.0.0/8", "FORCE_HTTPS": "true"})
	require.NoError(t, err)
	require.Equal(t, []int{0, 8192, 4, 1, 2, 3}, []int{c.MaxConnections, c.MaxHeader, c.RequestsPerClient, c.NewPerClient, c.NewSessions, c.LogRate})
	require.Equal(t, []string{"heroes.example", ".heroes.test", "2001:db8::1"}, c.Hosts)
	require.False(t, c.Proxies.None())
	require.True(t, c.ForceHTTPS)
}

func Test_Config_reads_secrets_from_a_file(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets")
	one, two := session.NewSecret(), session.NewSecret()
	for _, text := range []string{one + "\n" + two + "\n", one + "," + two, one + ",\r\n\r\n" + two} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		c, err := with(t, map[string]string{"GO_ENV": "production", "SESSION_SECRET_FILE": path})
		require.NoError(t, err)
		require.Equal(t, [][]byte{[]byte(one), []byte(two)}, c.Secrets)
	}
	short := filepath.Join(t.TempDir(), "short")
	require.NoError(t, os.WriteFile(short, []byte("short\n"), 0o600))
	for what, env := range map[string]map[string]string{
		"are both set":               {"SESSION_SECRET": one, "SESSION_SECRET_FILE": path},
		"SESSION_SECRET_FILE: open ": {"SESSION_SECRET_FILE": path + "2"},
		"SESSION_SECRET_FILE: secret 1 of 1 is 5 bytes long": {"SESSION_SECRET_FILE": short},
	} {
		env["GO_ENV"] = "production"
		_, err := with(t, env)
		require.ErrorContains(t, err, what)
		require.NotContains(t, err.Error(), one)
		require.Equal(t, 0, strings.Count(err.Error(), "\n"))
	}
}

func Test_Config_a_name_of_an_environment_has_no_capitals_and_no_spaces(t *testing.T) {
	for _, env := range []string{"Production", "TEST", " production"} {
		_, err := with(t, map[string]string{"GO_ENV": env, "SESSION_SECRET": session.NewSecret()})
		require.ErrorContains(t, err, "GO_ENV: ")
		require.ErrorContains(t, err, "set it to "+strings.ToLower(strings.TrimSpace(env)))
	}
	for _, env := range []string{"a b", "../x", " "} {
		_, err := with(t, map[string]string{"GO_ENV": env, "SESSION_SECRET": session.NewSecret()})
		require.ErrorContains(t, err, "GO_ENV: ")
		require.ErrorContains(t, err, "set it to development")
	}
	require.Equal(t, "test", Env(), "in tests, where it is not set")
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

func Test_Config_sessions_in_a_file_need_its_name_in_production(t *testing.T) {
	production := map[string]string{"GO_ENV": "production", "SESSION_SECRET": session.NewSecret(), "SESSION_STORE": "file"}
	_, err := with(t, production)
	require.ErrorContains(t, err, "SESSION_FILE: ")
	require.ErrorContains(t, err, "set it to")
	production["SESSION_FILE"] = "/var/lib/heroes/sessions.db"
	c, err := with(t, production)
	require.NoError(t, err)
	require.Equal(t, "/var/lib/heroes/sessions.db", c.File)

	c, err = with(t, map[string]string{"GO_ENV": "test", "SESSION_STORE": "file"})
	require.NoError(t, err)
	require.Equal(t, "tmp/sessions_test.db", c.File, "each environment has its own")
}

func Test_Config_reads_which_sessions_are_taken_over(t *testing.T) {
	c, err := with(t, map[string]string{"GO_ENV": "test"})
	require.NoError(t, err)
	require.Equal(t, "cookie", c.Store)
	require.Empty(t, c.OldStores)
	require.Empty(t, c.FlaskKeys)
	require.Empty(t, c.BuffaloKeys)

	c, err = with(t, map[string]string{"GO_ENV": "test", "SESSION_STORE": "redis, cookie,file"})
	require.NoError(t, err)
	require.Equal(t, "redis", c.Store)
	require.Equal(t, []string{"cookie", "file"}, c.OldStores)
	require.Equal(t, "tmp/sessions_test.db", c.File)

	c, err = with(t, map[string]string{"GO_ENV": "test", "SESSION_STORE": "redis,cookie", "FLASK_SECRET_KEY": "new key, old key", "BUFFALO_SESSION_SECRET": "k"})
	require.NoError(t, err)
	require.Equal(t, []string{"new key", "old key"}, c.FlaskKeys)
	require.Equal(t, "session", c.FlaskCookie)
	require.Equal(t, []string{"k"}, c.BuffaloKeys)
}

func Test_Config_secrets_that_others_can_guess_adopt_nothing_in_production(t *testing.T) {
	for _, name := range []string{"FLASK_SECRET_KEY", "BUFFALO_SESSION_SECRET"} {
		_, err := with(t, map[string]string{"GO_ENV": "production", "SESSION_SECRET": session.NewSecret(), name: "a long enough key,p3"})
		require.ErrorContains(t, err, name+": secret 2 of 2")
		require.NotContains(t, err.Error(), "p3")
	}
}

func Test_Config_one_move_at_a_time(t *testing.T) {
	_, err := with(t, map[string]string{"GO_ENV": "test", "SESSION_STORE": "redis,file", "FLASK_SECRET_KEY": "k"})
	require.ErrorContains(t, err, "SESSION_STORE: ")
	require.Equal(t, 0, strings.Count(err.Error(), "\n"))
}
