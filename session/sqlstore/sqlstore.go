// Package sqlstore keeps sessions in a SQL database: PostgreSQL, CockroachDB or
// SQLite. The table is made by the migration in the folder migrations:
//
//	id          32 bytes, the session.Key, the primary key
//	record      the sealed session
//	expires_at  Unix time in seconds, indexed, so that a purge is cheap
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"heroes/session"
)

// DB is what the package needs of a database: a *sql.DB has it, and so has the
// Store of a pop.Connection.
type DB interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	PingContext(ctx context.Context) error
}

// Backend is a session.Backend.
type Backend struct {
	db DB
	q  queries
}

var _ session.Backend = (*Backend)(nil)

type queries struct {
	load, insert, update, remove, each, purge, clear string
}

// New makes a Backend of the table "sessions" in db. It is an error, which says how
// to mend it, if the database cannot be reached or has no such table. Dialect is
// pop's name of the database: "postgres", "cockroach" or "sqlite3".
func New(ctx context.Context, db DB, dialect string) (*Backend, error) {
	q := queries{
		load:   `SELECT record FROM sessions WHERE id = $1 AND expires_at > $2`,
		insert: `INSERT INTO sessions (id, record, expires_at) VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET record = excluded.record, expires_at = excluded.expires_at WHERE sessions.expires_at <= $4`,
		update: `UPDATE sessions SET record = $1, expires_at = $2 WHERE id = $3 AND record = $4 AND expires_at > $5`,
		remove: `DELETE FROM sessions WHERE id = $1 AND record = $2 AND expires_at > $3`,
		each:   `SELECT id, record FROM sessions WHERE expires_at > $1 AND id > $2 ORDER BY id LIMIT 500`,
		clear:  `DELETE FROM sessions`,
	}
	switch dialect {
	case "postgres": // rows that someone else deletes or updates at the moment are left for the next time
		q.purge = `DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED) AND expires_at <= $1`
	case "cockroach":
		q.purge = `DELETE FROM sessions WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2`
	case "sqlite3":
		q.purge = `DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`
	default:
		return nil, fmt.Errorf("sqlstore: %q is none of postgres, cockroach, sqlite3", dialect)
	}
	b := &Backend{db: db, q: q}
	if err := b.Ping(ctx); err != nil {
		return nil, fmt.Errorf("sqlstore: the database cannot be reached: %w", err)
	}
	if _, err := b.Load(ctx, session.Key{}); err != nil {
		return nil, fmt.Errorf("sqlstore: the table sessions cannot be read (make it with: go run ./cmd/app migrate, or this program's migrate): %w", err)
	}
	return b, nil
}

func (b *Backend) Load(ctx context.Context, key session.Key) (record []byte, err error) {
	err = b.db.QueryRowContext(ctx, b.q.load, key[:], time.Now().Unix()).Scan(&record)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return record, err
}

func (b *Backend) Swap(ctx context.Context, key session.Key, old, next []byte, expires time.Time) (bool, error) {
	now := time.Now().Unix()
	switch {
	case old == nil && next == nil:
		record, err := b.Load(ctx, key)
		return record == nil, err
	case old == nil:
		return b.changed(ctx, b.q.insert, key[:], next, expires.Unix(), now)
	case next == nil:
		return b.changed(ctx, b.q.remove, key[:], old, now)
	}
	return b.changed(ctx, b.q.update, next, expires.Unix(), key[:], old, now)
}

func (b *Backend) changed(ctx context.Context, query string, args ...any) (bool, error) {
	n, err := b.affected(ctx, query, args...)
	return n > 0, err
}

func (b *Backend) affected(ctx context.Context, query string, args ...any) (int, error) {
	result, err := b.db.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// Each reads in pages, so that a long walk holds no transaction open.
func (b *Backend) Each(ctx context.Context, f func(session.Key, []byte) error) error {
	last := []byte{}
	for {
		n, err := b.page(ctx, &last, f)
		if n == 0 || err != nil {
			return err
		}
	}
}

func (b *Backend) page(ctx context.Context, last *[]byte, f func(session.Key, []byte) error) (n int, err error) {
	rows, err := b.db.QueryContext(ctx, b.q.each, time.Now().Unix(), *last)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for ; rows.Next(); n++ {
		var key, record []byte
		if err := rows.Scan(&key, &record); err != nil {
			return n, err
		}
		if *last = key; len(key) != len(session.Key{}) {
			continue // not ours
		}
		if err := f(session.Key(key), record); err != nil {
			return n, err
		}
	}
	return n, rows.Err()
}

func (b *Backend) Purge(ctx context.Context, limit int) (int, error) {
	return b.affected(ctx, b.q.purge, time.Now().Unix(), limit)
}

func (b *Backend) Clear(ctx context.Context) error {
	_, err := b.db.ExecContext(ctx, b.q.clear)
	return err
}

func (b *Backend) Ping(ctx context.Context) error {
	return b.db.PingContext(ctx)
}
