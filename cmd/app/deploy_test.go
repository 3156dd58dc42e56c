//go:build unix

package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"heroes/session/backendtest"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// works requires that the application can do everything on its store.
func works(t *testing.T, s setting) {
	p := s.start(t)
	l := newLoad(t, p)
	l.expected.Store(true) // a busy server answers some with 503
	require.Eventually(t, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.promises) > 2*crowd
	}, 10*time.Second, 10*time.Millisecond)
	l.end()
	l.areKept(p)
	for _, task := range []string{"sessions:count", "sessions:list", "sessions:purge", "sessions:revoke all"} {
		out, err := s.command(t, append([]string{"task"}, strings.Fields(task)...)...).CombinedOutput()
		require.NoError(t, err, task+": "+string(out))
	}
	res, err := p.client.Get("http://" + p.addr + "/readyz")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode)
}

// The configuration in compose.yaml lets the user of Heroes do what the application needs, and no more.
func Test_Deploy_Redis_as_in_the_compose_file(t *testing.T) {
	text, err := os.ReadFile("../../compose.yaml")
	require.NoError(t, err)
	var compose struct {
		Configs map[string]struct {
			Content string
		}
	}
	require.NoError(t, yaml.Unmarshal(text, &compose))
	config := compose.Configs["redis"].Content
	require.NotEmpty(t, config)
	dir, port := t.TempDir(), backendtest.FreePort(t)
	config = strings.ReplaceAll(config, "${REDIS_PASSWORD:?see docs/operations.md}", "secret") + fmt.Sprintf("bind 127.0.0.1\nport %s\ndir %s\n", port, dir)
	path := filepath.Join(dir, "redis.conf")
	require.NoError(t, os.WriteFile(path, []byte(config), 0o600))
	addr := "127.0.0.1:" + port
	cli := func(words ...string) string {
		cmd := exec.Command("redis-cli", append([]string{"-p", port, "--user", "heroes"}, words...)...)
		cmd.Env = append(os.Environ(), "REDISCLI_AUTH=secret")
		out, _ := cmd.CombinedOutput()
		return string(out)
	}
	server := &backendtest.Server{
		Command: func() *exec.Cmd { return exec.Command("redis-server", path) },
		Ping: func() error {
			if answer := cli("ping"); !strings.Contains(answer, "PONG") {
				return fmt.Errorf("%s", answer)
			}
			return nil
		},
	}
	server.Start(t)
	works(t, newSetting(t, "GO_ENV=production", "SESSION_STORE=redis", "REDIS_URL=redis://heroes:secret@"+addr+"/0"))
	for _, forbidden := range []string{"KEYS *", "FLUSHALL", "CONFIG GET *", "GET other", "CLIENT LIST", "SHUTDOWN"} {
		require.Contains(t, cli(strings.Fields(forbidden)...), "NOPERM", forbidden)
	}
}

func Test_Deploy_PostgreSQL_with_the_roles_of_the_file(t *testing.T) {
	database, name := ownDatabase(t)
	admin, err := url.Parse(database)
	require.NoError(t, err)
	// at returns the URL for a role: that of the tests for "".
	at := func(role, password string) string {
		u := *admin
		if role != "" {
			u.User = url.UserPassword(role, password)
		}
		return u.String()
	}
	const password, ownerPassword = "pass word", "o'wner"
	sql, err := os.ReadFile("../../deploy/postgres.sql")
	require.NoError(t, err)
	own := strings.NewReplacer("heroes_owner", name+"_owner", " heroes", " "+name) // roles belong to the whole server
	psql := func(at, text string) string {
		cmd := exec.Command("psql", "-X", "-v", "ON_ERROR_STOP=1", at)
		cmd.Stdin = strings.NewReader(text)
		cmd.Env = append(os.Environ(), "HEROES_OWNER_PASSWORD="+ownerPassword, "HEROES_PASSWORD="+password)
		out, err := cmd.CombinedOutput()
		if err != nil {
			return string(out)
		}
		return ""
	}
	t.Cleanup(func() {
		require.Empty(t, psql(at("", ""), own.Replace("DROP TABLE IF EXISTS sessions, schema_migration; REVOKE ALL ON SCHEMA public FROM heroes, heroes_owner; DROP OWNED BY heroes, heroes_owner; DROP ROLE heroes; DROP ROLE heroes_owner;")))
	})
	require.Empty(t, psql(at("", ""), own.Replace(string(sql))))
	server, owner := at(name, password), at(name+"_owner", ownerPassword)
	as := func(at string) setting {
		return newSetting(t, "GO_ENV=production", "SESSION_STORE=database", "DATABASE_URL="+at)
	}
	out, err := as(server).command(t, "migrate").CombinedOutput()
	require.Error(t, err, "heroes makes no tables")
	require.Contains(t, string(out), "grant it the right")
	out, err = as(owner).command(t, "migrate").CombinedOutput()
	require.NoError(t, err, string(out))
	require.Empty(t, psql(owner, own.Replace("GRANT SELECT, INSERT, UPDATE, DELETE ON sessions TO heroes")))
	works(t, as(server))
	for _, forbidden := range []string{"DROP TABLE sessions", "CREATE TABLE x (y int)", "SELECT * FROM schema_migration", "TRUNCATE sessions", "CREATE ROLE x"} {
		require.Regexp(t, "permission denied|must be owner", psql(server, forbidden), forbidden)
	}
}
