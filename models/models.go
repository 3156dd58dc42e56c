// Package models holds the database, and the sessions that are kept on a server.
package models

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"heroes/config"
	"heroes/migrations"
	"heroes/session/sqlstore"

	"github.com/gobuffalo/envy"
	"github.com/gobuffalo/pop/v6"
	"github.com/gobuffalo/pop/v6/logging"
)

// DB is the pool of connections to the database of database.yml for GO_ENV. It connects when it is
// first used. It is nil if there is no such database, because sessions in cookies need none.
var DB, errDB = connect(config.Env())

func connect(env string) (*pop.Connection, error) {
	var cause error
	pop.SetLogger(func(_ logging.Level, format string, args ...any) { // the application may not need a database
		if len(args) == 2 && args[0] == env { // "unable to load connection %s: %v"
			cause, _ = args[1].(error)
		}
	})
	defer pop.SetLogger(func(logging.Level, string, ...any) {})
	var err error
	if len(pop.Connections) == 0 { // "buffalo build" has already loaded them
		err = pop.LoadConfigFile()
	}
	db := pop.Connections[env]
	if db == nil && cause == nil && config.Production(env) { // such as staging
		db = pop.Connections["production"]
	}
	if db == nil {
		return nil, cmp.Or(err, cause, fmt.Errorf("it has no entry %q", env))
	}
	return db, db.Open()
}

// open returns DB, or an error that says how to have one.
func open() (*pop.Connection, error) {
	switch {
	case errDB == nil:
		return DB, makeFolder(DB)
	case errors.Is(errDB, pop.ErrConfigFileNotFound):
		return nil, errors.New("there is no database.yml here: run this in the folder that has it")
	case strings.Contains(errDB.Error(), "sqlite3 support was not compiled"):
		return nil, errors.New("this program was built without SQLite: build it with -tags sqlite (go run -tags sqlite ./cmd/app), or set DATABASE_URL to a PostgreSQL database")
	}
	cause := oneLine(errDB)
	if envy.Get("DATABASE_URL", "") != "" {
		cause = "it cannot be used" // the cause would repeat the password
	}
	return nil, fmt.Errorf("database.yml, with DATABASE_URL in it: %s: write DATABASE_URL like postgres://user:password@127.0.0.1:5432/heroes", cause)
}

// makeFolder makes the folder of a SQLite database.
func makeFolder(db *pop.Connection) error {
	if db.Dialect.Name() != "sqlite3" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(db.Dialect.Details().Database), 0o755); err != nil {
		return fmt.Errorf("the folder of the SQLite database cannot be made (%w): let this user write there, or set DATABASE_URL", err)
	}
	return nil
}

// Migrate brings the database's tables up to date. It tries again after an error, because another
// process may be doing the same.
func Migrate() error {
	db, err := open()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := db.Store.(sqlstore.DB).PingContext(ctx); err != nil {
		return explain(err, db)
	}
	for range 5 {
		box, failed := pop.NewMigrationBox(migrations.SQL, db)
		if err = failed; err == nil {
			box.SchemaPath = "" // no dump
			err = box.Up()
		}
		if err == nil {
			return nil
		}
		time.Sleep(200 * time.Millisecond)
	}
	return explain(err, db)
}

// explain returns err in one line, with its cause and its fix if it is one of those that a wrong
// DATABASE_URL causes. The codes are PostgreSQL's (its manual, appendix A).
func explain(err error, db *pop.Connection) error {
	details := db.Dialect.Details()
	var reply interface{ SQLState() string } // what PostgreSQL answered, if it did
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sqlstore.ErrNoTable):
		return errors.New("the database has no sessions table: create it with go run ./cmd/app migrate, or with this program's command migrate")
	case db.Dialect.Name() != "postgres":
		return fmt.Errorf("the database %s cannot be used (%s): let this user read and write it and its folder, or set DATABASE_URL", details.Database, oneLine(err))
	case strings.ContainsAny(details.Host+details.Database, "@:/"):
		return errors.New("DATABASE_URL: the user or the password contains a character that must be escaped, such as %40 for @")
	case unreachable(err):
		return fmt.Errorf("DATABASE_URL: no PostgreSQL answers at %s:%s (%s): start it, or set DATABASE_URL to one", details.Host, details.Port, reason(err))
	case !errors.As(err, &reply):
		return fmt.Errorf("DATABASE_URL: %s", oneLine(err))
	}
	switch reply.SQLState() {
	case "3D000":
		return fmt.Errorf("DATABASE_URL: PostgreSQL has no database %q: create it, for example with createdb, or name another one", details.Database)
	case "28P01", "28000":
		return fmt.Errorf("DATABASE_URL: PostgreSQL refuses the user %q or the password: correct them", details.User)
	case "42501":
		return fmt.Errorf("DATABASE_URL: PostgreSQL does not let the user %q do this (%s): grant it the right", details.User, oneLine(err))
	}
	return errors.New(oneLine(err))
}

// reason returns what the network reported, without addresses, which can contain a part of a
// password that was not escaped.
func reason(err error) string {
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "there is no such host"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err.Error()
	}
	return "no answer in time"
}

func oneLine(err error) string {
	return strings.Join(strings.Fields(err.Error()), " ")
}
