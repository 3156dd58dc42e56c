// Package models holds the database connection, where Buffalo's commands look for it.
package models

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"heroes/migrations"

	"github.com/gobuffalo/envy"
	"github.com/gobuffalo/pop/v6"
	"github.com/gobuffalo/pop/v6/logging"
)

// DB is the connection that database.yml names for GO_ENV, for Buffalo's commands,
// which open it. It is nil when there is none: sessions in cookies need no database.
// Open opens it, or says why it cannot.
var DB, errDB = connect()

func connect() (*pop.Connection, error) {
	env := envy.Get("GO_ENV", "development")
	var why error
	pop.SetLogger(func(_ logging.Level, format string, args ...any) { // the database may not be wanted at all
		if len(args) == 2 && args[0] == env { // "unable to load connection %s: %v"
			why, _ = args[1].(error)
		}
	})
	defer pop.SetLogger(func(logging.Level, string, ...any) {})
	var err error
	if len(pop.Connections) == 0 { // "buffalo build" has put them in already
		err = pop.LoadConfigFile()
	}
	db := pop.Connections[env]
	if db == nil && err == nil {
		err = cmp.Or(why, errors.New("it has no such entry"))
	}
	return db, err
}

// Open gives DB, or says how to have one.
func Open() (*pop.Connection, error) {
	switch {
	case errDB == nil && DB.Dialect.Name() == "sqlite3":
		if err := os.MkdirAll(filepath.Dir(DB.Dialect.Details().Database), 0o755); err != nil {
			return nil, err
		}
		return DB, DB.Open()
	case errDB == nil:
		return DB, DB.Open()
	case errors.Is(errDB, pop.ErrConfigFileNotFound):
		return nil, fmt.Errorf("database.yml is not found: run in the folder that has it")
	case strings.Contains(errDB.Error(), "sqlite3 support was not compiled"):
		return nil, errors.New("this program was built without SQLite: build it with -tags sqlite (go run -tags sqlite ./cmd/app), or set DATABASE_URL to a PostgreSQL")
	}
	return nil, fmt.Errorf("database.yml, %s: %w", envy.Get("GO_ENV", "development"), errDB)
}

// Migrate brings the database's tables up to date.
func Migrate() error {
	db, err := Open()
	if err != nil {
		return err
	}
	box, err := pop.NewMigrationBox(migrations.SQL, db)
	if err != nil {
		return err
	}
	box.SchemaPath = "" // no dump
	return box.Up()
}
