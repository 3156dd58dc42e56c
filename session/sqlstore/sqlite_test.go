//go:build sqlite

package sqlstore_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"heroes/session/backendtest"
	"heroes/session/sqlstore"

	_ "github.com/mattn/go-sqlite3"
	"github.com/stretchr/testify/require"
)

const fileOptions = "?_journal_mode=WAL&_busy_timeout=900"

func Test_SQLite(t *testing.T) {
	t.Parallel()
	backend := contract(t, "sqlite3", "sqlite3", filepath.Join(t.TempDir(), "sessions.sqlite")+fileOptions)
	backendtest.Sessions(t, backend)
	backendtest.Races(t, backend, backend)
	backendtest.Races(t, backendtest.Lossy(backend, 20), backend)
}

func Test_SQLite_without_options(t *testing.T) {
	contract(t, "sqlite", "sqlite3", filepath.Join(t.TempDir(), "sessions.sqlite"))
}

func Test_SQLite_in_a_schema(t *testing.T) {
	backend := open(t, "sqlite3", filepath.Join(t.TempDir(), "sessions.sqlite")+fileOptions, sqlstore.Options{Table: "main.sessions"})
	testMissing(t, backend, "main.sessions")
	require.NoError(t, backend.CreateTable(t.Context()))
	backendtest.Run(t, backend)
}

func Test_Open_takes_the_URL_of_pop_for_SQLite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sessions.sqlite")
	for _, url := range []string{
		file + "?_busy_timeout=5000&_fk=true", // pop 6.1.1 and 6.4.1
		"sqlite3://" + file + "?_fk=true",     // database.yml's own
		"sqlite://" + file,
		"file:" + file + "?_fk=true",
		file,
	} {
		testOpen(t, "sqlite3", url)
	}
	require.FileExists(t, file)
	_, err := sqlstore.Open("sqlite3", "sqlite3://:memory:?_fk=true", sqlstore.Options{})
	require.ErrorContains(t, err, "use a file")
}

// The expression for the time is exact for each millisecond, although days are a fraction.
func Test_SQLite_counts_milliseconds(t *testing.T) {
	db, err := sql.Open("sqlite3", ":memory:")
	require.NoError(t, err)
	defer db.Close()
	start := time.Date(2026, 2, 28, 23, 59, 58, 0, time.UTC)
	for i := range 3000 {
		at := start.Add(time.Duration(i) * time.Millisecond)
		var got int64
		query := fmt.Sprintf("SELECT CAST(round((julianday('%s') - 2440587.5) * 86400000) AS integer)", at.Format("2006-01-02 15:04:05.000"))
		require.NoError(t, db.QueryRowContext(t.Context(), query).Scan(&got))
		require.Equal(t, at.UnixMilli(), got)
	}
}
