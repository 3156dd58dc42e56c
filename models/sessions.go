package models

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"heroes/config"
	"heroes/session"
	"heroes/session/adopt/flask"
	"heroes/session/adopt/gorilla"
	"heroes/session/boltstore"
	"heroes/session/redisstore"
	"heroes/session/sqlstore"
)

// Sessions opens the store that SESSION_STORE names, or one with c.Session.Backend if there is
// one. It adopts the sessions of the systems that c names.
func Sessions(ctx context.Context, c config.Config) (store *session.Store, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if c.Session.Backend == nil {
		if c.Session.Backend, err = openBackend(ctx, c, c.Store); err != nil {
			return nil, err
		}
	}
	if c.Metrics != nil && c.Session.Backend != nil {
		c.Session.Backend = c.Metrics.Backend(c.Session.Backend)
	}
	if c.Session.Adopt, err = sources(ctx, c); err != nil {
		return nil, err
	}
	return session.New(c.Secrets, c.Session)
}

// sources returns the systems whose sessions are adopted.
func sources(ctx context.Context, c config.Config) (all []session.Source, err error) {
	name := c.SessionName()
	for _, old := range c.OldStores {
		options := session.Options{IdleTimeout: c.Session.IdleTimeout, Lifetime: c.Session.Lifetime}
		if options.Backend, err = openBackend(ctx, c, old); err != nil {
			return nil, err
		}
		store, err := session.New(c.Secrets, options)
		if err != nil {
			return nil, err
		}
		all = append(all, session.Source{Session: name, Reader: store})
	}
	if len(c.FlaskKeys) > 0 {
		reader, err := flask.New(c.FlaskKeys, flask.Options{})
		if err != nil {
			return nil, fmt.Errorf("FLASK_SECRET_KEY: %w", err)
		}
		all = append(all, session.Source{Session: name, Cookie: c.FlaskCookie, Reader: reader})
	}
	if len(c.BuffaloKeys) > 0 {
		var pairs [][]byte
		for _, key := range c.BuffaloKeys {
			pairs = append(pairs, []byte(key), nil)
		}
		reader, err := gorilla.New(pairs, gorilla.Options{})
		if err != nil {
			return nil, fmt.Errorf("BUFFALO_SESSION_SECRET: %w", err)
		}
		all = append(all, session.Source{Session: name, Cookie: "_heroes_session", Reader: reader}) // as "buffalo new heroes" names it
	}
	return all, nil
}

// openBackend opens the backend of a store that SESSION_STORE can name. It is nil for cookies.
func openBackend(ctx context.Context, c config.Config, store string) (b session.Backend, err error) {
	switch store {
	case "database":
		b, err = openDatabase(ctx, c)
	case "redis":
		b, err = openRedis(ctx, c)
	case "file":
		if b, err = boltstore.Open(c.File); err != nil {
			err = fmt.Errorf("SESSION_FILE: %w", err)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("SESSION_STORE=%s: %w", store, err)
	}
	return b, nil
}

func openDatabase(ctx context.Context, c config.Config) (session.Backend, error) {
	db, err := open()
	if err != nil {
		return nil, err
	}
	if !c.Production() {
		if err := Migrate(); err != nil {
			return nil, fmt.Errorf("the migrations: %w", err)
		}
	}
	backend, err := sqlstore.Open(db.Dialect.Name(), db.URL(), sqlstore.Options{})
	if err == nil {
		err = try(ctx, backend)
	}
	return backend, explain(err, db)
}

// try returns an error if a backend does not answer, or does not let this program write.
func try(ctx context.Context, b session.Backend) error {
	err := b.Ping(ctx)
	if err == nil {
		_, err = b.Swap(ctx, session.ID{}, nil, []byte{0}, time.Millisecond) // as Store.Ping does
	}
	return err
}

func openRedis(ctx context.Context, c config.Config) (session.Backend, error) {
	backend, err := redisstore.Open(c.RedisURL, "heroes:session:")
	if err != nil {
		return nil, fmt.Errorf("REDIS_URL: %w: set it to one such as redis://127.0.0.1:6379/0", err)
	}
	err = try(ctx, backend)
	var reply interface{ RedisError() } // what Redis answered, if it did
	switch {
	case err == nil:
		return backend, nil
	case errors.As(err, &reply):
		return nil, fmt.Errorf("REDIS_URL: Redis answers with an error (%s): correct the user, its rights, the password or the number of the database; write redis:// before the address of a single Redis", oneLine(err))
	case unreachable(err):
		return nil, fmt.Errorf("REDIS_URL: no Redis answers there (%s): start it, or set REDIS_URL to one such as redis://127.0.0.1:6379/0 (rediss:// only if it speaks TLS)", reason(err))
	}
	return nil, errors.New("REDIS_URL: the server there is not Redis: set it to one such as redis://127.0.0.1:6379/0")
}

// unreachable reports whether err comes from the network, not from the server.
func unreachable(err error) bool {
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, context.DeadlineExceeded)
}
