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
	"heroes/session/boltstore"
	"heroes/session/redisstore"
	"heroes/session/sqlstore"
)

// Sessions opens the store that SESSION_STORE names, or one with c.Session.Backend if there is
// one.
func Sessions(ctx context.Context, c config.Config) (store *session.Store, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	switch {
	case c.Session.Backend != nil:
	case c.Store == "database":
		c.Session.Backend, err = openDatabase(ctx, c)
	case c.Store == "redis":
		c.Session.Backend, err = openRedis(ctx, c)
	case c.Store == "file":
		if c.Session.Backend, err = boltstore.Open(c.File); err != nil {
			err = fmt.Errorf("SESSION_FILE: %w", err)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("SESSION_STORE=%s: %w", c.Store, err)
	}
	if c.Metrics != nil && c.Session.Backend != nil {
		c.Session.Backend = c.Metrics.Backend(c.Session.Backend)
	}
	return session.New(c.Secrets, c.Session)
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
		err = backend.Ping(ctx)
	}
	return backend, explain(err, db)
}

func openRedis(ctx context.Context, c config.Config) (session.Backend, error) {
	backend, err := redisstore.Open(c.RedisURL, "heroes:session:")
	if err != nil {
		return nil, fmt.Errorf("REDIS_URL: %w", err)
	}
	err = backend.Ping(ctx)
	var reply interface{ RedisError() } // what Redis answered, if it did
	switch {
	case err == nil:
		return backend, nil
	case errors.As(err, &reply):
		return nil, fmt.Errorf("REDIS_URL: Redis answers with an error (%s): correct the user, the password, or the number of the database", oneLine(err))
	case unreachable(err):
		return nil, fmt.Errorf("REDIS_URL: no Redis answers there (%s): start it, or set REDIS_URL to one such as redis://127.0.0.1:6379/0", reason(err))
	}
	return nil, errors.New("REDIS_URL: what answers there is not a Redis: set it to one such as redis://127.0.0.1:6379/0")
}

// unreachable reports whether err is the network's and not an answer.
func unreachable(err error) bool {
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, context.DeadlineExceeded)
}
