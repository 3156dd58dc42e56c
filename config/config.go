// Package config reads the environment, once, and reports what is wrong with it.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"heroes/edge"
	"heroes/metrics"
	"heroes/session"
	"heroes/session/buffalosession"

	"github.com/gobuffalo/envy"
)

// A Config holds the settings of an application.
type Config struct {
	Env      string     // "development", "test", or any other name for production
	Addr     string     // where to listen, as "host:port" or "unix:path"
	LogLevel slog.Level // the lowest level that is logged
	LogRate  int        // the most lines of a kind in a second; 0: any number
	Log      io.Writer  // nil: the standard output

	Hosts      []string // by which browsers may ask; none: any
	Proxies    edge.Proxies
	ForceHTTPS bool // redirect what a proxy says was sent over http

	MaxConnections    int // 0: any number
	MaxHeader         int // in bytes
	RequestsPerClient int // in a second; 0: any number
	NewPerClient      int // how many sessions a client may begin in a minute; 0: any number
	NewSessions       int // and all clients together

	Secrets  [][]byte        // of the sessions, newest first
	Session  session.Options // with a Backend, Store is only a name
	Store    string          // "cookie", "database", "redis" or "file"
	RedisURL string
	File     string // of Store "file"

	OldStores   []string // whose sessions Store adopts
	FlaskKeys   []string // SECRET_KEYs of a Flask application whose sessions are adopted, newest first
	FlaskCookie string
	BuffaloKeys []string // SESSION_SECRETs of a stock Buffalo application whose sessions are adopted

	MetricsAddr string           // where metrics are served; empty: nowhere
	Metrics     *metrics.Metrics // nil unless they are served
}

// Get returns the settings that the environment had when Get was first called.
var Get = sync.OnceValues(Read)

// Read reads the environment. Its error has one line for each variable that is wrong. The line
// names the variable, the problem and the fix.
func Read() (c Config, err error) {
	c.Env = Env()
	if err := checkEnv(c.Env); err != nil {
		return c, err // the rest depends on it
	}
	c.Session.Insecure = !c.Production()
	c.RedisURL = envy.Get("REDIS_URL", "redis://127.0.0.1:6379/0")
	return c, errors.Join(
		c.readAddr(),
		c.readLog(),
		c.readHosts(),
		c.readLimits(),
		c.readMetricsAddr(),
		c.readStore(),
		c.readKeys(),
		c.readSecrets(),
		c.readTimeouts(),
		c.readDevice(),
	)
}

// Env returns GO_ENV. If it is not set, it is "test" in a test and "development" elsewhere.
func Env() string {
	if testing.Testing() {
		return envy.Get("GO_ENV", "test")
	}
	return envy.Get("GO_ENV", "development")
}

// Production reports whether env is neither the development nor the test environment.
func Production(env string) bool {
	return env != "development" && env != "test"
}

// Production reports whether the settings are those of production.
func (c Config) Production() bool { return Production(c.Env) }

// SessionName returns the name of the session's cookie. In production, a browser accepts a
// cookie of this name only over https and only from this host (RFC 6265bis, section 4.1.3.2).
func (c Config) SessionName() string {
	if c.Production() {
		return "__Host-heroes_session"
	}
	return "_heroes_session"
}

var goodEnv = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)

func checkEnv(env string) error {
	if lower := strings.ToLower(strings.TrimSpace(env)); lower != env && lower != "" {
		return fmt.Errorf("GO_ENV: %q has a capital letter or a space: set it to %s", env, lower)
	}
	if !goodEnv.MatchString(env) {
		return fmt.Errorf("GO_ENV: %q is not the name of an environment: set it to development, test, production or another word of lower-case letters, digits, - and _", env)
	}
	return nil
}

func (c *Config) readSecrets() (err error) {
	c.Secrets, err = buffalosession.Secrets(c.Env)
	return err
}

func (c *Config) readAddr() (err error) {
	c.Addr, err = Addr()
	return err
}

// Addr returns where to listen, as ADDR and PORT say: "host:port" or "unix:path".
func Addr() (string, error) {
	host := "127.0.0.1"
	if Production(Env()) {
		host = "0.0.0.0"
	}
	host, port := envy.Get("ADDR", host), envy.Get("PORT", "3000")
	if path, ok := strings.CutPrefix(host, "unix:"); ok {
		if path == "" {
			return "", errors.New("ADDR: the path of the socket is missing: set it to one such as unix:/run/heroes/socket")
		}
		return host, nil
	}
	if _, err := netip.ParseAddr(host); err != nil && strings.ContainsAny(host, " /:[]") {
		return "", fmt.Errorf("ADDR: %q is not the address of a host: set it to one such as 127.0.0.1, ::1 or localhost, without http:// and without a port, which belongs in PORT", host)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", fmt.Errorf("PORT: %q is not a port: set it to a number from 0 (any free port) to 65535", port)
	}
	return net.JoinHostPort(host, port), nil
}

// Network splits an address of Addr for net.Listen and net.Dial.
func Network(addr string) (network, address string) {
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		return "unix", path
	}
	return "tcp", addr
}

func (c *Config) readLog() (err error) {
	level := envy.Get("LOG_LEVEL", "debug")
	if err := c.LogLevel.UnmarshalText([]byte(level)); err != nil {
		return fmt.Errorf("LOG_LEVEL: %q is not a level: set it to debug, info, warn or error", level)
	}
	c.LogRate, err = number("LOG_RATE", 100, 0)
	return err
}

// goodHost matches the name of a host, or its address. ".example.com" stands for every name below it, too.
var goodHost = regexp.MustCompile(`(?i)^\.?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?$|^[0-9a-f:]+:[0-9a-f:.]*$`)

// readHosts reads how browsers and proxies reach the application.
func (c *Config) readHosts() (err error) {
	for _, host := range list("ALLOWED_HOSTS", "") {
		if !goodHost.MatchString(host) {
			return fmt.Errorf("ALLOWED_HOSTS: %q is not the name of a host: set it to names such as heroes.example.com, without https:// and port, separated by commas", host)
		}
		c.Hosts = append(c.Hosts, host)
	}
	if c.Proxies, err = edge.ParseProxies(list("TRUSTED_PROXIES", "")); err != nil {
		return fmt.Errorf("TRUSTED_PROXIES: %w: set it to the addresses of your proxies, such as 127.0.0.1,10.0.0.0/8, or unset it", err)
	}
	if c.ForceHTTPS, err = boolean("FORCE_HTTPS"); err == nil && c.ForceHTTPS && (c.Proxies.None() || len(c.Hosts) == 0) {
		err = errors.New("FORCE_HTTPS: only a trusted proxy knows whether a request was sent over http, and requests are redirected only to your own hosts: set TRUSTED_PROXIES and ALLOWED_HOSTS, too")
	}
	return err
}

func (c *Config) readLimits() (err error) {
	c.Session.MaxValues = 16 << 10 // a hero and some flashes take less
	for _, limit := range []struct {
		name          string
		to            *int
		standard, min int
	}{
		{"MAX_CONNECTIONS", &c.MaxConnections, 1000, 0},
		{"MAX_HEADER_BYTES", &c.MaxHeader, 16 << 10, 8 << 10},
		{"REQUESTS_PER_CLIENT", &c.RequestsPerClient, 100, 0},
		{"NEW_SESSIONS_PER_CLIENT", &c.NewPerClient, 60, 0},
		{"NEW_SESSIONS", &c.NewSessions, 3000, 0},
	} {
		if *limit.to, err = number(limit.name, limit.standard, limit.min); err != nil {
			return err
		}
	}
	return nil
}

func number(name string, standard, min int) (int, error) {
	value := envy.Get(name, strconv.Itoa(standard))
	n, err := strconv.Atoi(value)
	if err != nil || n < min || n > 1<<30 {
		return 0, fmt.Errorf("%s: %q is not a number of %d or more: set it to one such as %d", name, value, min, standard)
	}
	return n, nil
}

func boolean(name string) (bool, error) {
	value := envy.Get(name, "false")
	b, err := strconv.ParseBool(value)
	if err != nil {
		return false, fmt.Errorf("%s: %q is neither true nor false: set it to one of them", name, value)
	}
	return b, nil
}

func (c *Config) readMetricsAddr() error {
	addr := envy.Get("METRICS_ADDR", "")
	if addr == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("METRICS_ADDR: %q is not an address: set it to one such as 127.0.0.1:9090, or unset it", addr)
	}
	if addr == c.Addr {
		return fmt.Errorf("METRICS_ADDR: the application itself listens at %s: set it to another port", addr)
	}
	c.MetricsAddr, c.Metrics = addr, metrics.New()
	return nil
}

func (c *Config) readStore() error {
	stores := list("SESSION_STORE", "cookie")
	for i, store := range stores {
		switch {
		case !slices.Contains([]string{"cookie", "database", "redis", "file"}, store):
			return fmt.Errorf("SESSION_STORE: %q is not a store: set it to cookie, database, redis or file", store)
		case slices.Contains(stores[:i], store):
			return fmt.Errorf("SESSION_STORE: it names %s twice: set it to the new store and then the old ones, such as redis,cookie", store)
		}
	}
	c.Store, c.OldStores = stores[0], stores[1:]
	if !slices.Contains(stores, "file") {
		return nil
	}
	if c.File = strings.TrimSpace(envy.Get("SESSION_FILE", "")); c.File == "" && c.Production() {
		return errors.New("SESSION_FILE: SESSION_STORE=file keeps the sessions there: set it to a path such as /var/lib/heroes/sessions.db")
	}
	c.File = cmp.Or(c.File, "tmp/sessions_"+c.Env+".db")
	return nil
}

// readKeys reads the secrets of other applications whose sessions are adopted.
func (c *Config) readKeys() error {
	c.FlaskKeys, c.FlaskCookie = list("FLASK_SECRET_KEY", ""), envy.Get("FLASK_SESSION_COOKIE", "session")
	c.BuffaloKeys = list("BUFFALO_SESSION_SECRET", "")
	if err := errors.Join(c.checkKeys("FLASK_SECRET_KEY", c.FlaskKeys), c.checkKeys("BUFFALO_SESSION_SECRET", c.BuffaloKeys)); err != nil {
		return err
	}
	onServer := slices.ContainsFunc(c.OldStores, func(store string) bool { return store != "cookie" })
	if onServer && len(c.FlaskKeys)+len(c.BuffaloKeys) > 0 {
		return errors.New("SESSION_STORE: only the old store knows which sessions of Flask and Buffalo have ended: unset FLASK_SECRET_KEY and BUFFALO_SESSION_SECRET before you set it to a list with an old store on a server")
	}
	if (&http.Cookie{Name: c.FlaskCookie}).Valid() != nil {
		return fmt.Errorf("FLASK_SESSION_COOKIE: %q is not the name of a cookie: set it to the Flask application's SESSION_COOKIE_NAME, or unset it", c.FlaskCookie)
	}
	return nil
}

func (c *Config) checkKeys(name string, keys []string) error {
	for i, key := range keys {
		switch {
		case key == "":
			return fmt.Errorf("%s: secret %d of %d is empty: set it to the other application's secrets, newest first and separated by commas, or unset it", name, i+1, len(keys))
		case len(key) < 8 && c.Production():
			return fmt.Errorf("%s: secret %d of %d has fewer than 8 bytes, so others can guess it and forge sessions: leave it out (a secret that contains a comma cannot be set here)", name, i+1, len(keys))
		}
	}
	return nil
}

// list reads items that are separated by commas. There are none if the variable is empty and has no
// default.
func list(name, standard string) (items []string) {
	value := envy.Get(name, standard)
	if value == "" && standard == "" {
		return nil
	}
	for _, item := range strings.Split(value, ",") {
		items = append(items, strings.TrimSpace(item))
	}
	return items
}

func (c *Config) readTimeouts() error {
	idle, err := duration("SESSION_IDLE_TIMEOUT", "24h")
	if err != nil {
		return err
	}
	switch c.Session.IdleTimeout = idle; {
	case idle == 0:
		c.Session.IdleTimeout = -1 // never
	case idle < time.Second:
		return errors.New("SESSION_IDLE_TIMEOUT: a session must last at least 1s: set it to a duration such as 24h, or to 0 for never")
	}
	c.Session.Lifetime, err = duration("SESSION_LIFETIME", "720h")
	if err == nil && c.Session.Lifetime < time.Minute {
		err = errors.New("SESSION_LIFETIME: a session must last at least 1m: set it to a duration such as 720h")
	}
	return err
}

func (c *Config) readDevice() error {
	bound, err := boolean("SESSION_DEVICE_BOUND")
	if err != nil {
		return err
	}
	proof, err := duration("SESSION_DEVICE_PROOF", "8m")
	switch {
	case err != nil:
		return err
	case proof < 10*time.Second:
		return errors.New("SESSION_DEVICE_PROOF: browsers cannot refresh a proof more often than every 10s: set it to a duration such as 8m")
	case bound:
		c.Session.DeviceProof = proof
	}
	return nil
}

func duration(name, standard string) (time.Duration, error) {
	value := envy.Get(name, standard)
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%s: %q is not a duration: set it to one such as %s or 90m", name, value, standard)
	}
	return d, nil
}

// Writer returns where the log is written.
func (c Config) Writer() io.Writer {
	if c.Log == nil {
		return os.Stdout
	}
	return c.Log
}
