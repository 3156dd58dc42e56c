package models

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"heroes/config"
	"heroes/migrations"
	"heroes/session"
	"heroes/session/sqlstore"

	"github.com/gobuffalo/envy"
	"github.com/gobuffalo/pop/v6"
	"github.com/stretchr/testify/require"
	"github.com/stretchr/testify/suite"
)

// ModelSuite tests models. Buffalo's generators add methods to it.
type ModelSuite struct {
	suite.Suite
	*require.Assertions
	DB *pop.Connection // nil if there is no test database
}

func Test_ModelSuite(t *testing.T) {
	suite.Run(t, &ModelSuite{DB: DB})
}

// SetupTest makes the methods of require those of the suite.
func (ms *ModelSuite) SetupTest() {
	ms.Assertions = require.New(ms.T())
}

// Each busy request needs a connection, and a connection costs more than a page, so they are kept
// open. pop ignores settings that it does not know.
func (ms *ModelSuite) Test_connections_are_kept() {
	ms.NoError(pop.LoadConfigFile())
	for env, c := range pop.Connections {
		ms.Equal(20, c.Dialect.Details().Pool, env)
		ms.Equal(20, c.Dialect.Details().IdlePool, env)
	}
	ms.Contains(pop.Connections, "production")
}

func Test_Migrate_makes_the_table_that_the_library_describes(t *testing.T) {
	for _, dialect := range []string{"postgres", "sqlite3"} {
		up, down, err := sqlstore.Schema(dialect, "sessions")
		require.NoError(t, err)
		for direction, want := range map[string]string{"up": up, "down": down} {
			sql, err := migrations.SQL.ReadFile("20261122220000_create_sessions." + dialect + "." + direction + ".sql")
			require.NoError(t, err)
			require.Equal(t, want, string(sql))
		}
	}
}

// openSessions opens the sessions with these settings.
func openSessions(t *testing.T, c config.Config) (*session.Store, error) {
	t.Helper()
	c.Env, c.Secrets = "test", [][]byte{[]byte(session.NewSecret())}
	return Sessions(context.Background(), c)
}

func Test_Sessions_opens_the_store_that_the_environment_names(t *testing.T) {
	store, err := openSessions(t, config.Config{Store: "cookie"})
	require.NoError(t, err)
	require.ErrorIs(t, store.RevokeAll(t.Context()), session.ErrNoBackend, "in cookies")
	_, err = openSessions(t, config.Config{Store: "redis", RedisURL: envy.Get("TEST_REDIS_URL", "redis://127.0.0.1:6379/0")})
	require.NoError(t, err)
}

func Test_Sessions_an_error_of_Redis_names_the_cause_and_the_fix_in_one_line(t *testing.T) {
	refuses := serve(t, refuse)
	other := serve(t, func(conn net.Conn) { fmt.Fprint(conn, "HTTP/1.1 400 Bad Request\r\n\r\n") })
	for url, want := range map[string]string{
		"redis://:the-password@127.0.0.1:1/0":       "start it, or set REDIS_URL",
		"127.0.0.1:1,127.0.0.1:2":                   "start it, or set REDIS_URL",
		"redis://:the-password@[::1/x":              "does not look like",
		"the-password@127.0.0.1:6379":               "does not look like",
		"redis://:1234#the-password@127.0.0.1:6379": "does not look like",
		"redis://" + other + "/0":                   "not Redis",
		"user:the-password@nowhere":                 "does not look like",
		"redis://" + refuses + "/0":                 "Redis answers with an error (NOAUTH",
	} {
		_, err := openSessions(t, config.Config{Store: "redis", RedisURL: url})
		require.ErrorContains(t, err, "SESSION_STORE=redis: REDIS_URL", url)
		require.ErrorContains(t, err, want, url)
		require.NotContains(t, err.Error(), "the-password")
		require.NotContains(t, err.Error(), "\n")
	}
}

// serve serves each connection with f until the test ends, and returns its address.
func serve(t *testing.T, f func(net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go f(conn)
		}
	}()
	return l.Addr().String()
}

// refuse answers each command of a client with an error, as a Redis that wants a password does.
func refuse(conn net.Conn) {
	defer conn.Close()
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "*") {
			fmt.Fprint(conn, "-NOAUTH Authentication required.\r\n")
		}
	}
}

func Test_Sessions_an_error_of_PostgreSQL_names_the_cause_and_the_fix_in_one_line(t *testing.T) {
	url := envy.Get("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/%s?sslmode=disable")
	before, errBefore := DB, errDB
	t.Cleanup(func() { DB, errDB = before, errBefore })
	for _, c := range []struct{ url, want string }{
		{"postgres://127.0.0.1:1/x?sslmode=disable", "no PostgreSQL answers at 127.0.0.1:1"},
		{fmt.Sprintf(url, "heroes_no_such_database"), `PostgreSQL has no database "heroes_no_such_database": create it`},
		{"postgres://postgres:the@the-password@127.0.0.1:1/x?sslmode=disable", "must be escaped"},
		{"postgres://postgres:12/the-password@127.0.0.1:1/x?sslmode=disable", "must be escaped"},
		{"postgres://nobody:the-password@127.0.0.1:5432/postgres?sslmode=disable", `PostgreSQL refuses the user "nobody"`},
	} {
		var err error
		DB, err = pop.NewConnection(&pop.ConnectionDetails{URL: c.url, Dialect: "postgres"})
		require.NoError(t, err)
		require.NoError(t, DB.Open())
		errDB = nil
		for what, f := range map[string]func() error{
			"sessions": func() error { _, err := openSessions(t, config.Config{Store: "database"}); return err },
			"migrate":  Migrate,
		} {
			err := f()
			require.ErrorContains(t, err, "DATABASE_URL: ", what)
			require.ErrorContains(t, err, c.want, what)
			require.NotContains(t, err.Error(), "the-password")
			require.NotContains(t, err.Error(), "\n")
		}
	}
}

func Test_Sessions_without_a_database_yml_says_where_to_run(t *testing.T) {
	if os.Getenv("GO_ENV") != "" {
		t.Setenv("GO_ENV", "test")
	}
	before, errBefore := DB, errDB
	t.Cleanup(func() { DB, errDB = before, errBefore })
	DB, errDB = nil, pop.ErrConfigFileNotFound
	_, err := openSessions(t, config.Config{Store: "database"})
	require.ErrorContains(t, err, "SESSION_STORE=database: there is no database.yml here")
}
