// Package sqlstore keeps sessions in a table of PostgreSQL, MySQL, MariaDB or SQLite:
//
//	id          16 bytes, the session.ID, the primary key
//	record      the sealed session
//	expires_at  Unix time in milliseconds by the database's clock, indexed for the purge
//
// An owner's session has a second row, whose id is the session.OwnerHash and the session.ID. Its
// record is one byte.
//
// An application that uses pop opens it with
//
//	backend, err := sqlstore.Open(models.DB.Dialect.Name(), models.DB.URL(), sqlstore.Options{})
//
// and creates the table with a migration from Schema, or with CreateTable.
//
// Reads and writes must reach the same server: a replica that lags behind still returns a
// session that has ended.
package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"heroes/session"
)

// DB is the part of a database that the package needs. A *sql.DB has it, and so has the Store
// of a pop.Connection.
type DB interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	PingContext(ctx context.Context) error
}

// ErrNoTable reports that the table does not exist.
var ErrNoTable = errors.New("there is no table")

// Options are the options of New and Open.
type Options struct {
	// Table is the name of the table: at most 50 letters, digits and underscores, with a
	// schema and a dot before them if need be, as in "app.sessions". The name is quoted, so
	// its case matters where quoted names keep theirs, as in PostgreSQL. The default is
	// "sessions".
	Table string
}

// Backend is a session.Backend.
type Backend struct {
	db      DB
	close   func() error
	dialect dialect
	table   string
	create  []string

	load, each, insert, replace, update, put, owned, remove, purge, clear statement
}

var _ session.Backend = (*Backend)(nil)

// New returns a Backend that uses db, without connecting to it. The dialect is "postgres",
// "mysql" or "sqlite3" (SQLite 3.24 or later); "postgresql", "mariadb" and "sqlite" are synonyms.
// The error reports an unknown dialect or an invalid name of the table.
//
// The driver must not send a statement again whose reply was lost, as lib/pq does: use pgx for
// PostgreSQL.
//
// Each call takes a connection for one statement, which the database must commit by itself.
// Requests that keep a connection each, as with popmw, can use up the pool and then wait for one
// another: they need a Backend from Open.
func New(db DB, dialect string, options Options) (*Backend, error) {
	d, names, err := lookup(dialect, &options.Table)
	if err != nil {
		return nil, err
	}
	prepare := func(query string) statement { return d.prepare(names.Replace(query)) }
	return &Backend{
		db: db, close: func() error { return nil }, dialect: d, table: options.Table, create: creation(d, names, "IF NOT EXISTS "),
		load: prepare(load), each: prepare(each), owned: prepare(owned), remove: prepare(remove), clear: prepare("DELETE FROM {table}"),
		insert: prepare(d.insert), replace: prepare(d.replace), update: prepare(d.update), put: prepare(d.put), purge: prepare(d.purge),
	}, nil
}

// Open returns a Backend with a pool of connections of its own, without connecting yet. The URL
// is the one that pop returns for its connection, or any other that the driver takes. The pool
// keeps up to 20 connections and closes one that has been idle for five minutes. The error
// reports what New reports, that the program has no driver for the dialect, or that the driver
// refuses the URL.
//
// SQLite lets only one transaction write at a time, and a session is saved while the request's
// transaction may still be open. So keep the sessions in a separate file there, such as
// "sessions.sqlite?_journal_mode=WAL&_busy_timeout=900". SQLite waits for a lock for that many
// milliseconds, even if the context ends before.
func Open(dialect, url string, options Options) (*Backend, error) {
	b, err := New(nil, dialect, options)
	if err != nil {
		return nil, err
	}
	driver := b.dialect.driver()
	if driver == "" {
		return nil, fmt.Errorf("sqlstore: the program has no database driver for %s: add import _ %q", dialect, b.dialect.module)
	}
	for _, scheme := range b.dialect.schemes {
		url = strings.TrimPrefix(url, scheme)
	}
	if strings.Contains(url, ":memory:") || strings.Contains(url, "mode=memory") {
		return nil, errors.New("sqlstore: each connection to :memory: has a database of its own: use a file")
	}
	db, err := sql.Open(driver, url)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: the driver %s refuses the URL: %w", driver, err)
	}
	db.SetMaxOpenConns(20)
	db.SetMaxIdleConns(20)
	db.SetConnMaxIdleTime(5 * time.Minute)
	b.db, b.close = db, db.Close
	return b, nil
}

// Close closes the connections that Open made. It does nothing for a Backend from New.
func (b *Backend) Close() error { return b.close() }

// CreateTable creates the table and its index if they do not exist. Any number of processes
// may do so at once. The database's user must be allowed to create tables, even if the table
// exists; where that is not so, use a migration from Schema.
func (b *Backend) CreateTable(ctx context.Context) error {
	for _, query := range b.create {
		if _, err := b.exec(ctx, statement{text: query}); err != nil {
			return err
		}
	}
	return nil
}

// Schema returns the SQL of a migration that creates the table with its index, and of one that
// drops it. Each statement ends with a semicolon and a newline. The dialect and the table are
// those of New and Options, and so is the error.
func Schema(dialect, table string) (up, down string, err error) {
	d, names, err := lookup(dialect, &table)
	if err != nil {
		return "", "", err
	}
	for _, query := range creation(d, names, "") {
		up += query + ";\n"
	}
	return up, names.Replace("DROP TABLE {table};\n"), nil
}

// creation returns the statements that create the table. Unless is "IF NOT EXISTS " or empty.
func creation(d dialect, names *strings.Replacer, unless string) (queries []string) {
	for _, query := range d.create {
		queries = append(queries, names.Replace(strings.ReplaceAll(query, "{unless}", unless)))
	}
	return queries
}

func (b *Backend) Load(ctx context.Context, id session.ID) (record []byte, expires, now time.Time, err error) {
	var end, at int64
	err = b.db.QueryRowContext(ctx, b.load.text, id[:]).Scan(&record, &end, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, expires, now, nil
	}
	return record, time.UnixMilli(end), time.UnixMilli(at), b.explain(err)
}

func (b *Backend) Swap(ctx context.Context, id session.ID, old, next []byte, ttl time.Duration) (bool, error) {
	var n int
	var err error
	switch {
	case old != nil:
		n, err = b.exec(ctx, b.update, id[:], next, milliseconds(ttl), old)
	case b.replace.text != "":
		return b.swapNone(ctx, id, next, ttl)
	default:
		n, err = b.exec(ctx, b.insert, id[:], next, milliseconds(ttl))
	}
	return n > 0, err
}

// swapNone is Swap from no record in MySQL, whose upsert takes no condition: it inserts a
// record, or else replaces one that has expired. If neither is possible and there is no
// record, an expired one was purged in between.
func (b *Backend) swapNone(ctx context.Context, id session.ID, next []byte, ttl time.Duration) (bool, error) {
	for {
		n, err := b.exec(ctx, b.insert, id[:], next, milliseconds(ttl))
		if code(err) == duplicateKey {
			n, err = b.exec(ctx, b.replace, id[:], next, milliseconds(ttl))
		}
		if n > 0 || err != nil {
			return n > 0, err
		}
		if record, _, _, err := b.Load(ctx, id); record != nil || err != nil {
			return false, err
		}
	}
}

func (b *Backend) Put(ctx context.Context, id session.ID, next []byte, ttl time.Duration) error {
	_, err := b.exec(ctx, b.put, id[:], next, milliseconds(ttl))
	return err
}

func milliseconds(ttl time.Duration) int64 { return max(1, ttl.Milliseconds()) }

// Each reads in pages, so that a long walk keeps no transaction open.
func (b *Backend) Each(ctx context.Context, f func(session.ID, []byte) error) error {
	last := []byte{}
	for {
		n, err := b.page(ctx, &last, f)
		if n == 0 || err != nil {
			return err
		}
	}
}

func (b *Backend) page(ctx context.Context, last *[]byte, f func(session.ID, []byte) error) (n int, err error) {
	rows, err := b.db.QueryContext(ctx, b.each.text, *last)
	if err != nil {
		return 0, b.explain(err)
	}
	defer rows.Close()
	for ; rows.Next(); n++ {
		var id, record []byte
		if err := rows.Scan(&id, &record); err != nil {
			return n, err
		}
		*last = id
		if err := f(session.ID(id), record); err != nil {
			return n, err
		}
	}
	return n, b.explain(rows.Err())
}

// ownedKey returns the id of the row that says that a session is an owner's.
func ownedKey(owner session.OwnerHash, id session.ID) []byte { return append(owner[:], id[:]...) }

func (b *Backend) AddOwned(ctx context.Context, owner session.OwnerHash, id session.ID, ttl time.Duration) error {
	_, err := b.exec(ctx, b.put, ownedKey(owner, id), []byte{1}, milliseconds(ttl))
	return err
}

func (b *Backend) Owned(ctx context.Context, owner session.OwnerHash) (owned []session.Owned, now time.Time, err error) {
	last := session.ID(bytes.Repeat([]byte{0xff}, len(session.ID{})))
	rows, err := b.db.QueryContext(ctx, b.owned.text, owner[:], ownedKey(owner, last))
	if err != nil {
		return nil, now, b.explain(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id []byte
		var expires, at int64
		if err := rows.Scan(&id, &expires, &at); err != nil {
			return nil, now, err
		}
		now = time.UnixMilli(at)
		owned = append(owned, session.Owned{ID: session.ID(id[len(owner):]), Expires: time.UnixMilli(expires)})
	}
	return owned, now, b.explain(rows.Err())
}

func (b *Backend) RemoveOwned(ctx context.Context, owner session.OwnerHash, id session.ID, expires time.Time) error {
	_, err := b.exec(ctx, b.remove, ownedKey(owner, id), expires.UnixMilli())
	return err
}

func (b *Backend) Purge(ctx context.Context, limit int) (int, error) {
	return b.exec(ctx, b.purge, limit)
}

func (b *Backend) Clear(ctx context.Context) error {
	_, err := b.exec(ctx, b.clear)
	return err
}

// Ping returns an error while the database cannot be reached, or has no such table.
func (b *Backend) Ping(ctx context.Context) error {
	if err := b.db.PingContext(ctx); err != nil {
		return err
	}
	_, _, _, err := b.Load(ctx, session.ID{})
	return err
}

// exec runs a statement and returns how many rows it affected. It runs the statement again, up
// to nine times within ctx, only if the database has answered that it rolled it back. After
// any other error the statement may have been carried out.
func (b *Backend) exec(ctx context.Context, s statement, args ...any) (int, error) {
	args = s.arrange(args)
	for try := 1; ; try++ {
		result, err := b.db.ExecContext(ctx, s.text, args...)
		if err == nil {
			n, err := result.RowsAffected()
			return int(n), err
		}
		if !rolledBack[code(err)] || try == 10 || ctx.Err() != nil {
			return 0, b.explain(err)
		}
		time.Sleep(rand.N(time.Duration(try) * time.Millisecond)) // those that collided should not do so again
	}
}

// explain adds the fix to the error for a missing table.
func (b *Backend) explain(err error) error {
	if err != nil && (noTable[code(err)] || strings.Contains(err.Error(), "no such table")) {
		return fmt.Errorf("sqlstore: %w %s: run the migration that creates it (Schema returns its text), or call CreateTable: %w", ErrNoTable, b.table, err)
	}
	return err
}
