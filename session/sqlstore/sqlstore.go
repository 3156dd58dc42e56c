// Package sqlstore keeps sessions in a SQL database: PostgreSQL or SQLite. The table is made by
// the migration in the folder migrations:
//
//	id          16 bytes, the session.Key, the primary key
//	record      the sealed session
//	expires_at  Unix time in milliseconds by the database's clock, indexed for the purge
//
// Give it a pool of connections of its own, never a transaction that lasts as long as a
// request.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"heroes/session"
)

// DB is what the package needs of a database. A *sql.DB has it, and so has the Store of a
// pop.Connection.
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
	load, insert, update, put, each, purge, clear string
}

// A dialect is what differs between databases.
type dialect struct {
	now  string // the time of the statement, in Unix milliseconds
	skip string // rows that another statement has locked are left for the next purge
}

var dialects = map[string]dialect{
	"postgres": {`(extract(epoch FROM statement_timestamp()) * 1000)::bigint`, `FOR UPDATE SKIP LOCKED`},
	"sqlite3":  {`CAST(unixepoch('subsec') * 1000 AS integer)`, ``},
}

func (d dialect) queries() queries {
	in := strings.NewReplacer("NOW", d.now, "SKIP", d.skip).Replace
	return queries{
		load: in(`SELECT record, expires_at, NOW FROM sessions WHERE id = $1 AND expires_at > NOW`),
		insert: in(`INSERT INTO sessions (id, record, expires_at) VALUES ($1, $2, NOW + $3)
			ON CONFLICT (id) DO UPDATE SET record = excluded.record, expires_at = excluded.expires_at
			WHERE sessions.expires_at <= NOW OR sessions.record = excluded.record`),
		update: in(`UPDATE sessions SET record = $1, expires_at = NOW + $2
			WHERE id = $3 AND record IN ($1, $4) AND expires_at > NOW`),
		put: in(`INSERT INTO sessions (id, record, expires_at) VALUES ($1, $2, NOW + $3)
			ON CONFLICT (id) DO UPDATE SET record = excluded.record, expires_at = excluded.expires_at`),
		each: in(`SELECT id, record FROM sessions WHERE expires_at > NOW AND id > $1 ORDER BY id LIMIT 500`),
		purge: in(`DELETE FROM sessions WHERE expires_at <= NOW AND id IN
			(SELECT id FROM sessions WHERE expires_at <= NOW ORDER BY expires_at LIMIT $1 SKIP)`),
		clear: `DELETE FROM sessions`,
	}
}

// New returns a Backend of the table "sessions" in db. It fails, and says how to fix it, if the
// database cannot be reached or has no such table. Dialect is pop's name of the database:
// "postgres" or "sqlite3" (3.42 or later).
func New(ctx context.Context, db DB, name string) (*Backend, error) {
	d, ok := dialects[name]
	if !ok {
		return nil, fmt.Errorf("sqlstore: unknown dialect %q: use postgres or sqlite3", name)
	}
	b := &Backend{db: db, q: d.queries()}
	if err := b.Ping(ctx); err != nil {
		return nil, fmt.Errorf("sqlstore: the database cannot be reached: %w", err)
	}
	if _, _, _, err := b.Load(ctx, session.Key{}); err != nil {
		return nil, fmt.Errorf("sqlstore: the table sessions cannot be read; if it does not exist, make it with: go run ./cmd/app migrate, or this program's migrate: %w", err)
	}
	return b, nil
}

func (b *Backend) Load(ctx context.Context, key session.Key) (record []byte, expires, now time.Time, err error) {
	var end, at int64
	err = b.db.QueryRowContext(ctx, b.q.load, key[:]).Scan(&record, &end, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, expires, now, nil
	}
	return record, time.UnixMilli(end), time.UnixMilli(at), err
}

func (b *Backend) Swap(ctx context.Context, key session.Key, old, next []byte, ttl time.Duration) (bool, error) {
	var n int
	var err error
	if old == nil {
		n, err = b.affected(ctx, b.q.insert, key[:], next, milliseconds(ttl))
	} else {
		n, err = b.affected(ctx, b.q.update, next, milliseconds(ttl), key[:], old)
	}
	return n > 0, err
}

func (b *Backend) Put(ctx context.Context, key session.Key, next []byte, ttl time.Duration) error {
	_, err := b.affected(ctx, b.q.put, key[:], next, milliseconds(ttl))
	return err
}

func milliseconds(ttl time.Duration) int64 { return max(1, ttl.Milliseconds()) }

func (b *Backend) affected(ctx context.Context, query string, args ...any) (int, error) {
	result, err := b.db.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// Each reads in pages, so that a long walk keeps no transaction open.
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
	rows, err := b.db.QueryContext(ctx, b.q.each, *last)
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
	return b.affected(ctx, b.q.purge, limit)
}

func (b *Backend) Clear(ctx context.Context) error {
	_, err := b.db.ExecContext(ctx, b.q.clear)
	return err
}

func (b *Backend) Ping(ctx context.Context) error {
	return b.db.PingContext(ctx)
}
