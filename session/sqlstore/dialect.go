package sqlstore

import (
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A dialect is what differs between databases. In its statements, a name in braces stands for
// what lookup puts there, and $1, $2, … for the arguments.
type dialect struct {
	drivers []string // their names in database/sql, the first choice first
	module  string   // the import path of one
	schemes []string // URL prefixes that the drivers do not accept
	quote   string
	prepare func(query string) statement
	now     string // the time at the statement's start, in Unix milliseconds

	create  []string
	insert  string // $1 key, $2 record, $3 milliseconds to live
	replace string // the same, for a record that has expired; empty if insert does it
	update  string // the same, and $4 the old record
	put     string // as insert
	purge   string // $1 limit
}

const (
	load = `SELECT record, expires_at, {now} FROM {table} WHERE id = $1 AND expires_at > {now}`
	each = `SELECT id, record FROM {table} WHERE expires_at > {now} AND id > $1 AND length(id) = 16 ORDER BY id LIMIT 500`

	// An owner's entries are the rows whose id is after $1, the owner's hash, and up to $2, the hash and
	// 16 bytes of 0xff.
	owned  = `SELECT id, expires_at, {now} FROM {table} WHERE id > $1 AND id <= $2 AND length(id) = 32 AND expires_at > {now}`
	remove = `DELETE FROM {table} WHERE id = $1 AND expires_at <= $2`

	upsert = `INSERT INTO {table} AS s (id, record, expires_at) VALUES ($1, $2, {now} + $3)
		ON CONFLICT (id) DO UPDATE SET record = excluded.record, expires_at = excluded.expires_at`
	orExpired = ` WHERE s.expires_at <= {now} OR s.record = excluded.record`
	update    = `UPDATE {table} SET record = $2, expires_at = {now} + $3
		WHERE id = $1 AND record IN ($4, $2) AND expires_at > {now}`
)

var postgres = dialect{
	drivers: []string{"pgx"}, // lib/pq sends a statement again whose reply was lost
	module:  "github.com/jackc/pgx/v5/stdlib",
	quote:   `"`,
	prepare: func(query string) statement { return statement{text: query} },
	now:     `(extract(epoch FROM statement_timestamp()) * 1000)::bigint`,
	create: []string{
		"CREATE TABLE {unless}{table} (\n  id bytea PRIMARY KEY,\n  record bytea NOT NULL,\n  expires_at bigint NOT NULL\n)",
		"CREATE INDEX {unless}{index} ON {table} (expires_at)",
	},
	insert: upsert + orExpired,
	update: update,
	put:    upsert,
	// Rows that another statement has locked are left for the next purge.
	purge: `DELETE FROM {table} WHERE expires_at <= {now} AND id IN
		(SELECT id FROM {table} WHERE expires_at <= {now} ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)`,
}

var sqlite = dialect{
	drivers: []string{"sqlite3", "sqlite"},
	module:  "github.com/mattn/go-sqlite3",
	schemes: []string{"sqlite3://", "sqlite://"},
	quote:   `"`,
	prepare: numbered,
	// SQLite counts milliseconds and returns days; round removes the error of the fraction.
	now: `CAST(round((julianday('now') - 2440587.5) * 86400000) AS integer)`,
	create: []string{
		"CREATE TABLE {unless}{table} (\n  id blob PRIMARY KEY NOT NULL,\n  record blob NOT NULL,\n  expires_at integer NOT NULL\n)",
		"CREATE INDEX {unless}{schema}{index} ON {name} (expires_at)",
	},
	insert: upsert + orExpired,
	update: update,
	put:    upsert,
	purge: `DELETE FROM {table} WHERE expires_at <= {now} AND id IN
		(SELECT id FROM {table} WHERE expires_at <= {now} ORDER BY expires_at LIMIT $1)`,
}

// MySQL counts the rows that changed as affected, or, with clientFoundRows, those that
// matched. So an update here always changes what it matches: if the new time is the old one, it
// adds a millisecond. Assignments see the columns that were assigned before them, so the time
// comes first. The index is forced because MariaDB prefers that of expires_at in a small table,
// where statements that lock more than their own row end in deadlocks.
var mysql = dialect{
	drivers: []string{"mysql"},
	module:  "github.com/go-sql-driver/mysql",
	schemes: []string{"mysql://", "mariadb://"},
	quote:   "`",
	prepare: positional,
	// UNIX_TIMESTAMP(NOW(3)) would be an hour off while summer time ends.
	now: `(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000)`,
	create: []string{
		"CREATE TABLE {unless}{table} (\n  id varbinary(32) NOT NULL PRIMARY KEY,\n  record longblob NOT NULL,\n" +
			"  expires_at bigint NOT NULL,\n  INDEX {index} (expires_at)\n) ENGINE=InnoDB",
	},
	insert: `INSERT INTO {table} (id, record, expires_at) VALUES ($1, $2, {now} + $3)`,
	replace: `UPDATE {table} FORCE INDEX (PRIMARY) SET expires_at = {now} + $3 + (expires_at = {now} + $3), record = $2
		WHERE id = $1 AND (expires_at <= {now} OR record = $2)`,
	update: `UPDATE {table} FORCE INDEX (PRIMARY) SET expires_at = {now} + $3 + (expires_at = {now} + $3), record = $2
		WHERE id = $1 AND record IN ($4, $2) AND expires_at > {now}`,
	put: `INSERT INTO {table} (id, record, expires_at) VALUES ($1, $2, {now} + $3)
		ON DUPLICATE KEY UPDATE record = $2, expires_at = {now} + $3`,
	purge: `DELETE FROM {table} WHERE expires_at <= {now} ORDER BY expires_at, id LIMIT $1`,
}

var dialects = map[string]dialect{
	"postgres": postgres, "postgresql": postgres,
	"sqlite3": sqlite, "sqlite": sqlite,
	"mysql": mysql, "mariadb": mysql,
}

var validTable = regexp.MustCompile(`^(\w{1,50}\.)?\w{1,50}$`)

// lookup returns a dialect and the names for its statements. It sets the table to its default.
func lookup(dialectName string, table *string) (dialect, *strings.Replacer, error) {
	d, ok := dialects[dialectName]
	if !ok {
		return d, nil, fmt.Errorf("sqlstore: unknown dialect %q: use postgres, mysql or sqlite3", dialectName)
	}
	if *table == "" {
		*table = "sessions"
	}
	if !validTable.MatchString(*table) {
		return d, nil, fmt.Errorf("sqlstore: invalid table name %q: use up to 50 letters, digits and underscores, with a schema and a dot before them if need be", *table)
	}
	schema, base := "", *table
	if i := strings.IndexByte(base, '.'); i >= 0 {
		schema, base = d.quote+base[:i]+d.quote+".", base[i+1:]
	}
	name := d.quote + base + d.quote
	return d, strings.NewReplacer(
		"{now}", d.now,
		"{schema}", schema,
		"{name}", name,
		"{table}", schema+name,
		"{index}", d.quote+base+"_expires_at"+d.quote,
	), nil
}

// driver returns the name of the first of the dialect's drivers that the program has, or "".
func (d dialect) driver() string {
	for _, name := range d.drivers {
		if slices.Contains(sql.Drivers(), name) {
			return name
		}
	}
	return ""
}

var parameter = regexp.MustCompile(`\$\d`)

// A statement is a query as the driver takes it. Where parameters have no numbers, order says
// which argument each one is.
type statement struct {
	text  string
	order []int
}

func (s statement) arrange(args []any) []any {
	if s.order == nil {
		return args
	}
	arranged := make([]any, len(s.order))
	for i, n := range s.order {
		arranged[i] = args[n]
	}
	return arranged
}

// positional is for MySQL, whose parameters have no numbers.
func positional(query string) (s statement) {
	s.order = []int{}
	s.text = parameter.ReplaceAllStringFunc(query, func(p string) string {
		s.order = append(s.order, int(p[1]-'1'))
		return "?"
	})
	return s
}

// numbered is for SQLite, which numbers "$1" in the order of appearance and "?1" as written.
func numbered(query string) statement {
	return statement{text: strings.ReplaceAll(query, "$", "?")}
}

// rolledBack are the codes with which a database says that it has undone the statement.
var rolledBack = map[string]bool{
	"1213":  true, // MySQL: deadlock
	"1205":  true, // MySQL: lock wait timeout
	"40001": true, // PostgreSQL: serialization failure
	"40P01": true, // PostgreSQL: deadlock
	// PostgreSQL: another process is creating the same table, despite IF NOT EXISTS.
	"23505": true,
	"42P07": true,
	"42710": true,
}

// noTable are the codes for a missing table in PostgreSQL and MySQL. SQLite has only a text.
var noTable = map[string]bool{"42P01": true, "1146": true}

const duplicateKey = "1062" // MySQL

var mysqlNumber = regexp.MustCompile(`\bError (\d{4})\b`)

// code returns the code in an error that the database has answered: an SQLSTATE of PostgreSQL,
// or a number of MySQL, as in "Error 1213 (40001): Deadlock found". It is empty for others.
func code(err error) string {
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		return state.SQLState()
	}
	if err != nil {
		if match := mysqlNumber.FindStringSubmatch(err.Error()); match != nil {
			return match[1]
		}
	}
	return ""
}
