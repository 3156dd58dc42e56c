//go:build sqlite && unix

package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func init() { buildTags = "sqlite" }

func Test_Kill_with_sessions_in_SQLite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "heroes.sqlite")
	s := newSetting(t, "GO_ENV=production", "SESSION_STORE=database",
		"DATABASE_URL=sqlite3://"+file+"?_fk=true&_journal_mode=WAL&_busy_timeout=900")
	s.busy = true
	out, err := s.command(t, "migrate").CombinedOutput()
	require.NoError(t, err, string(out))
	killed(t, s)
}
