//go:build unix

package main

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"heroes/session"
	"heroes/session/boltstore"
	"heroes/session/sessiontest"

	"github.com/stretchr/testify/require"
)

// run runs the program with these arguments, and returns what it printed and its exit status.
func (s setting) run(t *testing.T, args ...string) (out string, status int) {
	t.Helper()
	b, err := s.command(t, args...).CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(b), exit.ExitCode()
	}
	require.NoError(t, err)
	return string(b), 0
}

func Test_Tasks_list_count_and_end_sessions_on_a_server(t *testing.T) {
	_, redis := ownRedis(t)
	t.Run("Redis", func(t *testing.T) { endSessions(t, redis) })
	t.Run("a file that the server has open", func(t *testing.T) { endSessions(t, inFile(t)) })
}

func endSessions(t *testing.T, s setting) {
	p := s.start(t)
	for range 2 {
		res, err := p.client.Post("http://"+p.addr+"/heroes", "application/x-www-form-urlencoded", strings.NewReader(hero("Superman")))
		require.NoError(t, err)
		require.Equal(t, 303, res.StatusCode)
	}
	out, status := s.run(t, "task", "sessions:count")
	require.Equal(t, "2\n", out)
	require.Zero(t, status)
	out, _ = s.run(t, "task", "sessions:list")
	ids := regexp.MustCompile(`(?m)^[0-9a-f]{32}`).FindAllString(out, -1)
	require.Len(t, ids, 2, out)
	hides(t, out, "Superman")

	out, status = s.run(t, "task", "sessions:revoke", ids[0], strings.Repeat("0", 32))
	require.Equal(t, 1, status)
	require.Contains(t, out, ids[0]+" has ended\n")
	require.Contains(t, out, "there is no session "+strings.Repeat("0", 32))
	out, _ = s.run(t, "task", "sessions:count")
	require.Equal(t, "1\n", out)

	other := s
	other.env = append(other.env[:len(other.env):len(other.env)], "SESSION_SECRET="+session.NewSecret())
	out, status = other.run(t, "task", "sessions:list")
	require.Zero(t, status)
	require.Contains(t, out, "cannot be opened with this SESSION_SECRET and GO_ENV")
	out, status = s.run(t, "task", "sessions:revoke", "all")
	require.Equal(t, "all sessions have ended\n", out)
	require.Zero(t, status)
	out, _ = s.run(t, "task", "sessions:count")
	require.Equal(t, "0\n", out)

	require.NoError(t, p.end(t, syscall.SIGTERM))
	out, _ = s.run(t, "task", "sessions:count")
	require.Equal(t, "0\n", out, "without a server")
}

func Test_Tasks_list_and_end_an_owners_sessions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sessions.db")
	secret := session.NewSecret()
	s := newSetting(t, "GO_ENV=production", "SESSION_STORE=file", "SESSION_FILE="+file)
	s.env = append(s.env, "SESSION_SECRET="+secret)
	backend, err := boltstore.Open(file)
	require.NoError(t, err)
	store, err := session.New([][]byte{[]byte(secret)}, session.Options{Backend: backend})
	require.NoError(t, err)
	for _, owner := range []string{"clark", "bruce", "clark"} {
		require.NoError(t, sessiontest.SignIn(store, httptest.NewRequest("GET", "/", nil), "__Host-heroes_session", owner, session.Note(owner+"'s phone")))
	}
	require.NoError(t, store.Close())

	out, status := s.run(t, "task", "sessions:list", "--owner", "clark")
	require.Zero(t, status, out)
	require.Equal(t, 2, strings.Count(out, `"clark" "clark's phone"`), out)
	require.NotContains(t, out, "bruce")
	out, _ = s.run(t, "task", "sessions:list")
	require.Contains(t, out, `"bruce"`)
	out, status = s.run(t, "task", "sessions:revoke", "--owner=clark")
	require.Zero(t, status)
	require.Equal(t, "ended 2 session(s)\n", out)
	out, _ = s.run(t, "task", "sessions:revoke", "--owner", "clark")
	require.Equal(t, "ended 0 session(s)\n", out)
	out, _ = s.run(t, "task", "sessions:count")
	require.Equal(t, "1\n", out)
	for _, wrong := range [][]string{{"list", "--owner"}, {"list", "--owner="}, {"list", "--user", "x"}, {"list", "clark"}, {"revoke", "--owner", "clark", "all"}, {"revoke"}} {
		out, status := s.run(t, append([]string{"task", "sessions:" + wrong[0]}, wrong[1:]...)...)
		require.Equal(t, 1, status, out)
		require.Equal(t, 1, strings.Count(out, "\n"), out)
		require.Contains(t, out, "owner")
	}
	for _, wrong := range [][]string{{"count", "all"}, {"purge", "now"}, {"revoke", "all", "x"}} {
		out, status := s.run(t, append([]string{"task", "sessions:" + wrong[0]}, wrong[1:]...)...)
		require.Equal(t, 1, status, out)
		require.Contains(t, out, fmt.Sprintf("unexpected %q", wrong[len(wrong)-1]))
	}
}

func Test_Tasks_need_nothing_that_they_do_not_use(t *testing.T) {
	s := setting{dir: t.TempDir(), env: []string{"GO_ENV=production", "SESSION_STORE=database"}} // no secret, no database.yml
	for args, want := range map[string]string{"task list": "app task sessions:count", "--help": "app migrate", "task secret": "\n"} {
		out, status := s.run(t, strings.Fields(args)...)
		require.Zero(t, status, out)
		require.Contains(t, out, want)
	}
}

func Test_Tasks_build_an_application_only_to_print_its_routes_and_middleware(t *testing.T) {
	s := newSetting(t, "GO_ENV=production")
	for task, want := range map[string]string{"routes": "/success/", "middleware": "buffalosession.middleware"} {
		out, status := s.run(t, "task", task)
		require.Zero(t, status, out)
		require.Contains(t, out, want)
		require.Equal(t, 1, strings.Count(out, want), "once")
	}
	out, status := s.run(t, "task", "sessions:count")
	require.Equal(t, 1, status)
	require.Contains(t, out, "SESSION_STORE: ", "the sessions are in cookies")
	require.Equal(t, 1, strings.Count(out, "\n"), out)
}

func Test_Start_an_error_is_a_line_and_the_exit_status_1(t *testing.T) {
	good := newSetting(t)
	for _, c := range []struct{ env, want string }{
		{"GO_ENV=Production", "GO_ENV: "},
		{"SESSION_SECRET=short", "SESSION_SECRET: "},
		{"PORT=x", "PORT: "},
		{"SESSION_STORE=redis\nREDIS_URL=redis://127.0.0.1:1", "SESSION_STORE=redis: REDIS_URL: no Redis answers"},
		{"GO_ENV=production\nSESSION_STORE=database\nDATABASE_URL=postgres://127.0.0.1:1/x", "no PostgreSQL answers at 127.0.0.1:1"},
	} {
		s := good
		s.env = append(s.env[:len(s.env):len(s.env)], strings.Split(c.env, "\n")...)
		out, status := s.run(t)
		require.Equal(t, 1, status, c.env)
		require.Contains(t, out, c.want)
		require.Equal(t, 1, strings.Count(out, "\n"), out)
	}
}
