// Package config reads the environment and opens what it names.
package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"heroes/actions"
	"heroes/models"
	"heroes/session"
	"heroes/session/redisstore"
	"heroes/session/sqlstore"

	"github.com/gobuffalo/envy"
)

// Config is what the environment says.
type Config struct {
	Secrets [][]byte
	Session session.Options
	Store   string // cookie, database or redis

	// MetricsAddr is where the metrics are served, "" for nowhere.
	MetricsAddr string
	// Measure, if it is not nil, measures the backend that Open opens.
	Measure func(session.Backend) session.Backend
}

// secretFile keeps the development secret, so that visitors stay in their
// session when the server starts anew.
const secretFile = "tmp/session_secret"

// howToMakeOne tells it to who has the source and to who has the binary alone.
const howToMakeOne = "make one with `go run ./cmd/app task secret`, or this program's `task secret`"

// Read reads the environment. An error names the variable, what is wrong with it and
// how to mend it.
func Read() (c Config, err error) {
	env := envy.Get("GO_ENV", "development")
	c.Session.Insecure = !actions.Production(env)
	c.Store = envy.Get("SESSION_STORE", "cookie")
	c.MetricsAddr = envy.Get("METRICS_ADDR", "")
	return c, errors.Join(
		checkLogLevel(),
		checkPort(),
		checkMetricsAddr(c.MetricsAddr),
		checkStore(c.Store),
		readSecrets(&c.Secrets, env),
		readTimeouts(&c.Session),
	)
}

// Open opens the store of the sessions.
func (c Config) Open(ctx context.Context) (store *session.Store, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	switch c.Store {
	case "database":
		c.Session.Backend, err = openDatabase(ctx)
	case "redis":
		c.Session.Backend, err = openRedis(ctx)
	}
	if err != nil {
		return nil, err
	}
	if c.Measure != nil && c.Session.Backend != nil {
		c.Session.Backend = c.Measure(c.Session.Backend)
	}
	return session.New(c.Secrets, c.Session)
}

func openDatabase(ctx context.Context) (session.Backend, error) {
	db, err := models.Open()
	if err != nil {
		return nil, fmt.Errorf("SESSION_STORE=database: %w", err)
	}
	if env := envy.Get("GO_ENV", "development"); !actions.Production(env) {
		if err := models.Migrate(); err != nil {
			return nil, fmt.Errorf("SESSION_STORE=database: the migrations: %w", err)
		}
	}
	backend, err := sqlstore.New(ctx, db.Store.(sqlstore.DB), db.Dialect.Name())
	if err != nil {
		return nil, fmt.Errorf("SESSION_STORE=database: %w", err)
	}
	return backend, nil
}

func openRedis(ctx context.Context) (session.Backend, error) {
	backend, err := redisstore.Open(envy.Get("REDIS_URL", "redis://127.0.0.1:6379/0"), "heroes:session:")
	if err != nil {
		return nil, fmt.Errorf("REDIS_URL: %w", err)
	}
	if err := backend.Ping(ctx); err != nil {
		return nil, fmt.Errorf("REDIS_URL: no Redis answers there (%w): start it, or set REDIS_URL to one, such as redis://127.0.0.1:6379/0", err)
	}
	return backend, nil
}

func readSecrets(secrets *[][]byte, env string) (err error) {
	list, from := envy.Get("SESSION_SECRET", ""), "SESSION_SECRET"
	switch {
	case list != "":
	case env == "development":
		from = secretFile
		list, err = developmentSecret(secretFile)
	case env == "test":
		list = session.NewSecret()
	default:
		return errors.New("SESSION_SECRET is not set and sessions cannot be sealed without one: " + howToMakeOne)
	}
	if err == nil {
		*secrets, err = session.ParseSecrets(list)
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", from, err, howToMakeOne)
	}
	return nil
}

// developmentSecret reads the secret from path, or makes it. Two servers that
// start at once agree on one.
func developmentSecret(path string) (string, error) {
	if secret, err := os.ReadFile(path); !errors.Is(err, fs.ErrNotExist) {
		return strings.TrimSpace(string(secret)), err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	draft, err := os.CreateTemp(filepath.Dir(path), "session_secret-*") // mode 0600
	if err != nil {
		return "", err
	}
	defer os.Remove(draft.Name())
	_, err = fmt.Fprintln(draft, session.NewSecret())
	if err := errors.Join(err, draft.Close()); err != nil {
		return "", err
	}
	if err := os.Link(draft.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	secret, err := os.ReadFile(path)
	return strings.TrimSpace(string(secret)), err
}

func readTimeouts(o *session.Options) error {
	idle, err := duration("SESSION_IDLE_TIMEOUT", "24h")
	if err != nil {
		return err
	}
	if o.IdleTimeout = idle; idle == 0 {
		o.IdleTimeout = -1 // never
	}
	o.Lifetime, err = duration("SESSION_LIFETIME", "720h")
	if err == nil && o.Lifetime < time.Minute {
		err = errors.New("SESSION_LIFETIME: a session must last at least 1m: set it to a duration such as 720h")
	}
	return err
}

func duration(name, standard string) (time.Duration, error) {
	value := envy.Get(name, standard)
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%s: %q is not a duration: set it to one such as %s or 90m", name, value, standard)
	}
	return d, nil
}

func checkStore(store string) error {
	if store != "cookie" && store != "database" && store != "redis" {
		return fmt.Errorf("SESSION_STORE: %q is not a store: set it to cookie, database or redis", store)
	}
	return nil
}

func checkLogLevel() error {
	level := envy.Get("LOG_LEVEL", "debug")
	if err := new(slog.Level).UnmarshalText([]byte(level)); err != nil {
		return fmt.Errorf("LOG_LEVEL: %q is no level: set it to debug, info, warn or error", level)
	}
	return nil
}

func checkMetricsAddr(addr string) error {
	if addr == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("METRICS_ADDR: %q is no address: set it to one such as 127.0.0.1:9090, or leave it out", addr)
	}
	return nil
}

func checkPort() error {
	port := envy.Get("PORT", "3000")
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("PORT: %q is no port: set it to a number from 0 (any that is free) to 65535", port)
	}
	return nil
}
