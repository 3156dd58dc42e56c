package sqlstore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"heroes/session/backendtest"
	"heroes/session/sqlstore"

	"github.com/gobuffalo/envy"
	"github.com/gobuffalo/pop/v6"
	"github.com/gobuffalo/pop/v6/logging"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	pop.SetLogger(func(logging.Level, string, ...any) {})
	os.Exit(m.Run())
}

// connect opens a database of the test's own, without a table.
func connect(t *testing.T, url string) *pop.Connection {
	t.Helper()
	conn, err := pop.NewConnection(&pop.ConnectionDetails{URL: url, Pool: 20, IdlePool: 20})
	require.NoError(t, err)
	if err := conn.Dialect.CreateDB(); err != nil {
		t.Skipf("no database can be made at %s (%v): start PostgreSQL, or set TEST_POSTGRES_URL to one", url, err)
	}
	require.NoError(t, conn.Open())
	t.Cleanup(func() {
		require.NoError(t, conn.Close())
		require.NoError(t, conn.Dialect.DropDB())
	})
	return conn
}

func postgres(t *testing.T) *pop.Connection {
	url := envy.Get("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/%s?sslmode=disable")
	return connect(t, fmt.Sprintf(url, fmt.Sprintf("heroes_test_%d", os.Getpid())))
}

func migrate(t *testing.T, conn *pop.Connection) {
	t.Helper()
	migrator, err := pop.NewFileMigrator(filepath.Join("..", "..", "migrations"), conn)
	require.NoError(t, err)
	migrator.SchemaPath = ""
	require.NoError(t, migrator.Up())
}

func test(t *testing.T, conn *pop.Connection, dialect string) *sqlstore.Backend {
	t.Helper()
	db := conn.Store.(sqlstore.DB)
	_, err := sqlstore.New(t.Context(), db, dialect)
	require.ErrorContains(t, err, "app migrate", "a missing table says which command makes it")

	migrate(t, conn)
	backend, err := sqlstore.New(t.Context(), db, dialect)
	require.NoError(t, err)
	backendtest.Run(t, backend)
	backendtest.Sessions(t, backend)
	return backend
}

func Test_PostgreSQL(t *testing.T) {
	backend := test(t, postgres(t), "postgres")
	backendtest.Races(t, backend, backend)
}

func Test_an_unknown_dialect_is_an_error(t *testing.T) {
	_, err := sqlstore.New(t.Context(), nil, "oracle")
	require.ErrorContains(t, err, "oracle")
}
