//go:build sqlite && unix

package main

import (
	"path/filepath"
	"testing"
)

func init() { buildTags = "sqlite" }

func Test_Kill_with_sessions_in_SQLite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "heroes.sqlite")
	s := newSetting(t, "GO_ENV=development", "SESSION_STORE=database",
		"DATABASE_URL=sqlite3://"+file+"?_fk=true&_journal_mode=WAL&_busy_timeout=900")
	s.busy = true
	killed(t, s)
}
