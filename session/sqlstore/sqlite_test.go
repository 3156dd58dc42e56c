//go:build sqlite

package sqlstore_test

import (
	"path/filepath"
	"testing"

	"heroes/session/backendtest"
)

func Test_SQLite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sessions.sqlite")
	backend := test(t, connect(t, "sqlite3://"+file+"?_fk=true&_journal_mode=WAL&_busy_timeout=900"), "sqlite3")
	backendtest.Races(t, backend, backend)
	backendtest.Races(t, backendtest.Lossy(backend, 20), backend)
}
