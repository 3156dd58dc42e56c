package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"heroes/session"
	"heroes/session/backendtest"
	"heroes/session/sqlstore"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v4/stdlib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	_ = mysql.SetLogger(log.New(io.Discard, "", 0)) // it reports each connection that a test breaks
	os.Exit(m.Run())
}

// getenv returns a variable of the environment, or a default.
func getenv(name, value string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return value
}

var databases atomic.Int32

// database creates a database of the test's own and returns its URL, which is that of the
// environment with a name for %s.
func database(t *testing.T, driver, url, admin, start string) string {
	t.Helper()
	server, err := sql.Open(driver, fmt.Sprintf(url, admin))
	require.NoError(t, err)
	name := fmt.Sprintf("heroes_sqlstore_%d_%d", os.Getpid(), databases.Add(1))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := server.ExecContext(ctx, "CREATE DATABASE "+name); err != nil {
		t.Skipf("cannot create a database at %s (%v): %s", url, err, start)
	}
	t.Cleanup(func() {
		_, err := server.Exec("DROP DATABASE " + name)
		assert.NoError(t, err)
		assert.NoError(t, server.Close())
	})
	return fmt.Sprintf(url, name)
}

func postgresURL(t *testing.T) string {
	t.Helper()
	return database(t, "pgx", getenv("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/%s?sslmode=disable"), "postgres",
		"start PostgreSQL (apt-get install postgresql; service postgresql start), or set TEST_POSTGRES_URL to the URL of one, with %s for the database")
}

func mariaURL(t *testing.T, options string) string {
	t.Helper()
	url := database(t, "mysql", getenv("TEST_MYSQL_URL", "root@tcp(127.0.0.1:3306)/%s"), "",
		"start MariaDB (apt-get install mariadb-server; service mariadb start), or set TEST_MYSQL_URL to a DSN of one, with %s for the database")
	if options == "" {
		return url
	}
	if strings.Contains(url, "?") {
		return url + "&" + options
	}
	return url + "?" + options
}

// open returns a Backend with a pool of its own, and no table unless there is one.
func open(t *testing.T, dialect, url string, options sqlstore.Options) *sqlstore.Backend {
	t.Helper()
	backend, err := sqlstore.Open(dialect, url, options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, backend.Close()) })
	return backend
}

// sqlDB returns a pool as an application has it.
func sqlDB(t *testing.T, driver, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// contract tests what holds in each dialect, with an empty database. It returns a Backend with
// a table.
func contract(t *testing.T, dialect, driver, url string) *sqlstore.Backend {
	t.Helper()
	ctx, db := t.Context(), sqlDB(t, driver, url)
	backend := open(t, dialect, url, sqlstore.Options{})

	t.Run("a missing table is an error that says how to create it", func(t *testing.T) {
		testMissing(t, backend, "sessions")
		testMissing(t, open(t, dialect, url, sqlstore.Options{Table: "Others"}), "Others")
	})

	t.Run("a migration from Schema creates the table and drops it", func(t *testing.T) {
		for _, table := range []string{"", "Other_sessions_2"} {
			up, down, err := sqlstore.Schema(dialect, table)
			require.NoError(t, err)
			migrated, err := sqlstore.New(db, dialect, sqlstore.Options{Table: table})
			require.NoError(t, err)
			for range 2 {
				_, err = db.ExecContext(ctx, up)
				require.NoError(t, err)
				require.NoError(t, migrated.Ping(ctx))
				require.NoError(t, migrated.CreateTable(ctx), "it is there")
				_, err = db.ExecContext(ctx, up)
				require.Error(t, err, "another table would hide that it is not a session's")
				_, err = db.ExecContext(ctx, down)
				require.NoError(t, err)
				require.Error(t, migrated.Ping(ctx))
			}
			require.NoError(t, migrated.Close())
		}
		require.NoError(t, db.PingContext(ctx), "a pool that New received stays open")
	})

	t.Run("eight processes create the table at once", func(t *testing.T) {
		testCreation(t, db, dialect, url)
	})

	require.NoError(t, backend.CreateTable(ctx))
	require.NoError(t, backend.CreateTable(ctx))
	backendtest.Run(t, backend)

	t.Run("each table has its own sessions", func(t *testing.T) {
		require.NoError(t, backend.Clear(ctx))
		other := open(t, dialect, url, sqlstore.Options{Table: "Order"}) // a word of SQL
		require.NoError(t, other.CreateTable(ctx))
		require.NoError(t, other.Put(ctx, session.ID{1}, []byte("other"), time.Hour))
		require.Empty(t, records(t, backend))
		require.NoError(t, backend.Put(ctx, session.ID{1}, []byte("one"), time.Hour))
		require.Equal(t, map[session.ID]string{{1}: "other"}, records(t, other))
		backendtest.Run(t, other)
		require.Equal(t, map[session.ID]string{{1}: "one"}, records(t, backend))
	})

	t.Run("a swap within the same millisecond succeeds", func(t *testing.T) {
		for i := range 200 {
			key, a, b := session.ID{2, byte(i)}, []byte("a"), []byte("b")
			for _, swap := range [][2][]byte{{nil, a}, {nil, a}, {a, a}, {a, b}, {a, b}, {b, a}} {
				ok, err := backend.Swap(ctx, key, swap[0], swap[1], time.Hour)
				require.NoError(t, err)
				require.True(t, ok)
			}
		}
	})

	t.Run("a key of zeros is a key", func(t *testing.T) {
		require.NoError(t, backend.Clear(ctx))
		require.NoError(t, backend.Put(ctx, session.ID{}, []byte("zero"), time.Hour))
		require.Equal(t, map[session.ID]string{{}: "zero"}, records(t, backend))
	})

	t.Run("records that differ in case, or in a space at the end, are not equal", func(t *testing.T) {
		key := session.ID{3}
		require.NoError(t, backend.Put(ctx, key, []byte("abc"), time.Hour))
		for _, old := range []string{"ABC", "abc ", "abc\x00", "ab"} {
			ok, err := backend.Swap(ctx, key, []byte(old), []byte("d"), time.Hour)
			require.NoError(t, err)
			require.False(t, ok, "%q", old)
		}
	})

	t.Run("the time is UTC", func(t *testing.T) {
		require.NoError(t, backend.Put(ctx, session.ID{4}, []byte("a"), time.Hour))
		_, _, now, err := backend.Load(ctx, session.ID{4})
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), now, 10*time.Minute)
	})

	t.Run("a pool that New received is used as it is", func(t *testing.T) {
		require.NoError(t, backend.Clear(ctx))
		given, err := sqlstore.New(db, dialect, sqlstore.Options{})
		require.NoError(t, err)
		require.NoError(t, given.Put(ctx, session.ID{1}, []byte("given"), time.Hour))
		require.Equal(t, map[session.ID]string{{1}: "given"}, records(t, backend))
	})
	return backend
}

func records(t *testing.T, b *sqlstore.Backend) map[session.ID]string {
	t.Helper()
	all := map[session.ID]string{}
	require.NoError(t, b.Each(t.Context(), func(key session.ID, record []byte) error {
		all[key] = string(record)
		return nil
	}))
	return all
}

// testMissing checks that each method reports the missing table in one line.
func testMissing(t *testing.T, b *sqlstore.Backend, table string) {
	t.Helper()
	ctx, key, record := t.Context(), session.ID{1}, []byte("a")
	for name, call := range map[string]func() error{
		"Load":          func() error { _, _, _, err := b.Load(ctx, key); return err },
		"Swap":          func() error { _, err := b.Swap(ctx, key, record, record, time.Hour); return err },
		"Swap from nil": func() error { _, err := b.Swap(ctx, key, nil, record, time.Hour); return err },
		"Put":           func() error { return b.Put(ctx, key, record, time.Hour) },
		"Each":          func() error { return b.Each(ctx, func(session.ID, []byte) error { return nil }) },
		"Purge":         func() error { _, err := b.Purge(ctx, 10); return err },
		"Clear":         func() error { return b.Clear(ctx) },
		"Ping":          func() error { return b.Ping(ctx) },
	} {
		err := call()
		require.ErrorContains(t, err, "sqlstore: there is no table "+table+": run the migration that creates it (Schema returns its text), or call CreateTable: ", name)
		require.NotContains(t, err.Error(), "\n", name)
		require.ErrorIs(t, err, sqlstore.ErrNoTable, name)
	}
}

// testCreation has eight pools create the table at once, several times.
func testCreation(t *testing.T, db *sql.DB, dialect, url string) {
	_, down, err := sqlstore.Schema(dialect, "")
	require.NoError(t, err)
	backends := make([]*sqlstore.Backend, 8)
	for i := range backends {
		backends[i] = open(t, dialect, url, sqlstore.Options{})
		require.Error(t, backends[i].Ping(t.Context()), "no table, but a connection")
	}
	for range 10 {
		var wait sync.WaitGroup
		for _, b := range backends {
			wait.Go(func() { assert.NoError(t, b.CreateTable(t.Context())) })
		}
		wait.Wait()
		require.NoError(t, backends[0].Ping(t.Context()))
		_, err := db.ExecContext(t.Context(), down)
		require.NoError(t, err)
	}
}

func Test_PostgreSQL(t *testing.T) {
	t.Parallel()
	backend := contract(t, "postgres", "pgx", postgresURL(t))
	backendtest.Sessions(t, backend)
	backendtest.Races(t, backend, backend)
}

func Test_PostgreSQL_in_a_schema(t *testing.T) {
	url := postgresURL(t)
	_, err := sqlDB(t, "pgx", url).ExecContext(t.Context(), "CREATE SCHEMA app")
	require.NoError(t, err)
	backend := open(t, "postgresql", url, sqlstore.Options{Table: "app.sessions"})
	testMissing(t, backend, "app.sessions")
	require.NoError(t, backend.CreateTable(t.Context()))
	backendtest.Run(t, backend)
	testMissing(t, open(t, "postgres", url, sqlstore.Options{}), "sessions")
}

// Other levels of isolation have PostgreSQL refuse what it would have waited for.
func Test_13_PostgreSQL_with_another_isolation(t *testing.T) {
	backend := open(t, "postgres", postgresURL(t)+"&default_transaction_isolation=repeatable%20read", sqlstore.Options{})
	require.NoError(t, backend.CreateTable(t.Context()))
	backendtest.Run(t, backend)
}

func Test_MariaDB(t *testing.T) {
	t.Parallel()
	backend := contract(t, "mysql", "mysql", mariaURL(t, ""))
	backendtest.Sessions(t, backend)
	backendtest.Races(t, backend, backend)
}

func Test_MariaDB_that_counts_found_rows_and_interpolates_parameters(t *testing.T) {
	t.Parallel()
	backend := contract(t, "mariadb", "mysql", mariaURL(t, "clientFoundRows=true&interpolateParams=true"))
	backendtest.Sessions(t, backend)
	backendtest.Races(t, backend, backend)
}

func Test_MariaDB_with_other_settings(t *testing.T) {
	t.Parallel()
	const mode = "&sql_mode=%27ANSI_QUOTES,NO_BACKSLASH_ESCAPES%27"
	for _, options := range []string{
		"clientFoundRows=true" + mode,
		"interpolateParams=true&parseTime=true&loc=Local&time_zone=%27-11:00%27" + mode,
		"charset=latin1&tx_isolation=%27SERIALIZABLE%27",
	} {
		t.Run(options, func(t *testing.T) { contract(t, "mysql", "mysql", mariaURL(t, options)) })
	}
}

func Test_MariaDB_in_another_database(t *testing.T) {
	url := mariaURL(t, "")
	config, err := mysql.ParseDSN(url)
	require.NoError(t, err)
	table := config.DBName + ".sessions"
	backend := open(t, "mysql", mariaURL(t, ""), sqlstore.Options{Table: table})
	testMissing(t, backend, table)
	require.NoError(t, backend.CreateTable(t.Context()))
	backendtest.Run(t, backend)
	require.NoError(t, open(t, "mysql", url, sqlstore.Options{}).Ping(t.Context()))
}

// A counted database counts the statements, and may answer the first of them with an error.
type counted struct {
	sqlstore.DB
	n      atomic.Int32
	errors int32
	err    error
}

func (c *counted) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if c.n.Add(1) <= c.errors {
		return nil, c.err
	}
	return c.DB.ExecContext(ctx, query, args...)
}

// A transaction changes a record that a purge waits for, and then one that the purge has locked.
// MariaDB rolls back the one that has changed fewer rows: the purge.
func Test_MariaDB_runs_a_statement_again_that_a_deadlock_rolled_back(t *testing.T) {
	ctx, db := t.Context(), sqlDB(t, "mysql", mariaURL(t, ""))
	counts := &counted{DB: db}
	backend, err := sqlstore.New(counts, "mysql", sqlstore.Options{})
	require.NoError(t, err)
	require.NoError(t, backend.CreateTable(ctx))
	_, err = db.ExecContext(ctx, "CREATE TABLE others (id int PRIMARY KEY)")
	require.NoError(t, err)
	require.NoError(t, backend.Put(ctx, session.ID{1}, []byte("a"), time.Millisecond))
	time.Sleep(10 * time.Millisecond)
	require.NoError(t, backend.Put(ctx, session.ID{2}, []byte("b"), time.Millisecond))
	time.Sleep(10 * time.Millisecond)

	tx, err := db.BeginTx(ctx, nil)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback() }()
	for i := range 100 {
		_, err = tx.ExecContext(ctx, "INSERT INTO others VALUES (?)", i)
		require.NoError(t, err)
	}
	key := session.ID{2}
	_, err = tx.ExecContext(ctx, "UPDATE sessions SET record = 'c' WHERE id = ?", key[:])
	require.NoError(t, err)

	counts.n.Store(0)
	var wait sync.WaitGroup
	wait.Go(func() {
		n, err := backend.Purge(ctx, 10)
		assert.NoError(t, err)
		assert.Equal(t, 2, n)
	})
	time.Sleep(300 * time.Millisecond) // the purge waits for the second record
	key = session.ID{1}
	_, err = tx.ExecContext(ctx, "UPDATE sessions SET record = 'd' WHERE id = ?", key[:])
	require.NoError(t, err)
	require.NoError(t, tx.Commit())
	wait.Wait()
	require.EqualValues(t, 2, counts.n.Load(), "statements")
}

func Test_MariaDB_runs_a_statement_again_that_waited_too_long_for_a_lock(t *testing.T) {
	ctx, db := t.Context(), sqlDB(t, "mysql", mariaURL(t, "innodb_lock_wait_timeout=1"))
	counts := &counted{DB: db}
	backend, err := sqlstore.New(counts, "mysql", sqlstore.Options{})
	require.NoError(t, err)
	require.NoError(t, backend.CreateTable(ctx))
	require.NoError(t, backend.Put(ctx, session.ID{1}, []byte("a"), time.Hour))

	tx, err := db.BeginTx(ctx, nil)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback() }()
	_, err = tx.ExecContext(ctx, "UPDATE sessions SET record = 'b'")
	require.NoError(t, err)

	counts.n.Store(0)
	var wait sync.WaitGroup
	wait.Go(func() {
		ok, err := backend.Swap(ctx, session.ID{1}, []byte("b"), []byte("c"), time.Hour)
		assert.NoError(t, err)
		assert.True(t, ok)
	})
	time.Sleep(1500 * time.Millisecond)
	require.NoError(t, tx.Commit())
	wait.Wait()
	require.EqualValues(t, 2, counts.n.Load(), "statements")
}

func Test_MariaDB_never_sends_a_statement_again_whose_reply_was_lost(t *testing.T) {
	ctx, db := t.Context(), sqlDB(t, "mysql", mariaURL(t, ""))
	for err, again := range map[error]bool{
		&mysql.MySQLError{Number: 1213, Message: "Deadlock found when trying to get lock"}: true,
		mysql.ErrInvalidConn:     false,
		io.ErrUnexpectedEOF:      false,
		context.DeadlineExceeded: false,
		&mysql.MySQLError{Number: 1317, Message: "Query execution was interrupted"}: false,
	} {
		counts := &counted{DB: db, errors: 3, err: err}
		backend, openErr := sqlstore.New(counts, "mysql", sqlstore.Options{})
		require.NoError(t, openErr)
		if again {
			require.NoError(t, backend.CreateTable(ctx))
			require.EqualValues(t, 4, counts.n.Load())
			continue
		}
		require.ErrorIs(t, backend.CreateTable(ctx), err)
		require.EqualValues(t, 1, counts.n.Load())
	}
	counts := &counted{DB: db, errors: 1000, err: &mysql.MySQLError{Number: 1213, Message: "Deadlock found"}}
	backend, err := sqlstore.New(counts, "mysql", sqlstore.Options{})
	require.NoError(t, err)
	require.ErrorContains(t, backend.Clear(ctx), "1213")
	require.EqualValues(t, 10, counts.n.Load(), "not forever")
}

func Test_13_MariaDB_has_no_deadlock_between_changes_of_one_session(t *testing.T) {
	ctx, counts := t.Context(), &counted{DB: sqlDB(t, "mysql", mariaURL(t, ""))}
	backend, err := sqlstore.New(counts, "mysql", sqlstore.Options{})
	require.NoError(t, err)
	require.NoError(t, backend.CreateTable(ctx))
	key, record := session.ID{1}, []byte("a")
	require.NoError(t, backend.Put(ctx, key, record, time.Hour))
	counts.n.Store(0)
	var wait sync.WaitGroup
	for i := range 12 {
		wait.Go(func() {
			for n := range 50 {
				_, err := backend.Swap(ctx, key, record, []byte{'a', byte(i)}, time.Duration(n+1)*time.Second)
				assert.NoError(t, err)
				assert.NoError(t, backend.Put(ctx, key, record, time.Hour))
			}
		})
	}
	wait.Wait()
	require.EqualValues(t, 12*50*2, counts.n.Load(), "a statement was run again")
}

// A purging database deletes all records before the first update.
type purging struct {
	sqlstore.DB
	once sync.Once
}

func (p *purging) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if strings.HasPrefix(query, "UPDATE") {
		p.once.Do(func() { _, _ = p.DB.ExecContext(ctx, "DELETE FROM sessions") })
	}
	return p.DB.ExecContext(ctx, query, args...)
}

func Test_13_MariaDB_replaces_an_expired_record_while_it_is_purged(t *testing.T) {
	ctx := t.Context()
	backend, err := sqlstore.New(&purging{DB: sqlDB(t, "mysql", mariaURL(t, ""))}, "mysql", sqlstore.Options{})
	require.NoError(t, err)
	require.NoError(t, backend.CreateTable(ctx))
	require.NoError(t, backend.Put(ctx, session.ID{1}, []byte("a"), 0))
	time.Sleep(10 * time.Millisecond)
	ok, err := backend.Swap(ctx, session.ID{1}, nil, []byte("b"), time.Hour)
	require.NoError(t, err)
	require.True(t, ok, "there is no record")
	require.Equal(t, map[session.ID]string{{1}: "b"}, records(t, backend))
}

// These are the URLs that (*pop.Connection).URL returns in pop 6.1.1 and 6.4.1, for details
// that are listed one by one and for a URL in database.yml.
func Test_Open_takes_the_URL_of_pop(t *testing.T) {
	p, err := url.Parse(postgresURL(t))
	require.NoError(t, err)
	password, _ := p.User.Password()
	m, err := mysql.ParseDSN(mariaURL(t, ""))
	require.NoError(t, err)
	user := m.User
	if m.Passwd != "" {
		user += ":" + m.Passwd
	}
	for _, pop := range []struct{ dialect, url string }{
		{"postgres", fmt.Sprintf("postgres://%s:%s@%s:%s%s?%s", p.User.Username(), url.QueryEscape(password), p.Hostname(), p.Port(), p.Path, p.RawQuery)},
		{"postgres", p.String()},
		{"mysql", user + "@(" + m.Addr + ")/" + m.DBName + "?collation=utf8mb4_general_ci&multiStatements=true&parseTime=true&readTimeout=3s"},
		{"mysql", user + "@tcp(" + m.Addr + ")/" + m.DBName + "?parseTime=true&multiStatements=true&readTimeout=3s"},
		{"mariadb", "mysql://" + user + "@(" + m.Addr + ")/" + m.DBName + "?parseTime=true"}, // database.yml's own
	} {
		testOpen(t, pop.dialect, pop.url)
	}
}

func testOpen(t *testing.T, dialect, url string) {
	t.Helper()
	backend, err := sqlstore.Open(dialect, url, sqlstore.Options{})
	require.NoError(t, err)
	require.NoError(t, backend.CreateTable(t.Context()), url)
	require.NoError(t, backend.Ping(t.Context()))
	require.NoError(t, backend.Close())
	require.ErrorContains(t, backend.Ping(t.Context()), "closed")
}

func Test_Open_connects_to_nothing(t *testing.T) {
	for dialect, url := range map[string]string{
		"postgres": "postgres://nobody@127.0.0.1:1/none?sslmode=disable",
		"mysql":    "nobody@tcp(127.0.0.1:1)/none",
	} {
		backend, err := sqlstore.Open(dialect, url, sqlstore.Options{})
		require.NoError(t, err)
		require.Error(t, backend.Ping(t.Context()))
		require.NoError(t, backend.Close())
	}
}

func Test_Open_says_which_driver_is_missing(t *testing.T) {
	if slices.Contains(sql.Drivers(), "sqlite3") {
		t.Log("this program has all drivers")
		return
	}
	_, err := sqlstore.Open("sqlite3", "sessions.sqlite", sqlstore.Options{})
	require.EqualError(t, err, `sqlstore: the program has no database driver for sqlite3: add import _ "github.com/mattn/go-sqlite3"`)
}

func Test_Open_says_what_is_wrong_with_a_URL(t *testing.T) {
	_, err := sqlstore.Open("mysql", "secret@localhost", sqlstore.Options{})
	require.ErrorContains(t, err, "sqlstore: the driver mysql refuses the URL: ")
	require.NotContains(t, err.Error(), "secret")
}

func Test_an_unknown_dialect_is_an_error(t *testing.T) {
	const want = `sqlstore: unknown dialect "oracle": use postgres, mysql or sqlite3`
	_, err := sqlstore.New(nil, "oracle", sqlstore.Options{})
	require.EqualError(t, err, want)
	_, err = sqlstore.Open("oracle", "", sqlstore.Options{})
	require.EqualError(t, err, want)
	_, _, err = sqlstore.Schema("oracle", "")
	require.EqualError(t, err, want)
}

func Test_a_table_name_is_letters_digits_and_underscores(t *testing.T) {
	for _, table := range []string{"sessions", "Sessions_2", "2", "app.sessions", strings.Repeat("x", 50)} {
		_, err := sqlstore.New(nil, "postgres", sqlstore.Options{Table: table})
		require.NoError(t, err, table)
	}
	for _, table := range []string{".", "a.", ".a", "a.b.c", "a b", "a-b", `a"`, "a`b", "a;b", "sessions\n", "séances", strings.Repeat("x", 51)} {
		_, err := sqlstore.New(nil, "postgres", sqlstore.Options{Table: table})
		require.ErrorContains(t, err, "invalid table name", table)
		_, _, err = sqlstore.Schema("mysql", table)
		require.ErrorContains(t, err, "invalid table name", table)
	}
}

func Test_Schema_is_what_a_migration_needs(t *testing.T) {
	for _, want := range []struct{ dialect, table, up, down string }{
		{"postgres", "app.visits", `CREATE TABLE "app"."visits" (
  id bytea PRIMARY KEY,
  record bytea NOT NULL,
  expires_at bigint NOT NULL
);
CREATE INDEX "visits_expires_at" ON "app"."visits" (expires_at);
`, "DROP TABLE \"app\".\"visits\";\n"},
		{"sqlite3", "main.visits", `CREATE TABLE "main"."visits" (
  id blob PRIMARY KEY NOT NULL,
  record blob NOT NULL,
  expires_at integer NOT NULL
);
CREATE INDEX "main"."visits_expires_at" ON "visits" (expires_at);
`, "DROP TABLE \"main\".\"visits\";\n"},
		{"mysql", "", "CREATE TABLE `sessions` (" + `
  id varbinary(32) NOT NULL PRIMARY KEY,
  record longblob NOT NULL,
  expires_at bigint NOT NULL,
` + "  INDEX `sessions_expires_at` (expires_at)\n) ENGINE=InnoDB;\n", "DROP TABLE `sessions`;\n"},
	} {
		up, down, err := sqlstore.Schema(want.dialect, want.table)
		require.NoError(t, err)
		require.Equal(t, want.up, up)
		require.Equal(t, want.down, down)
	}
}
