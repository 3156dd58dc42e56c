//go:build unix

package sqlstore_test

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"heroes/session"
	"heroes/session/backendtest"
	"heroes/session/sqlstore"

	"github.com/stretchr/testify/require"
)

// postgresPrograms returns the folder of PostgreSQL's programs, which Debian keeps out of PATH.
func postgresPrograms(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("pgrep"); err != nil {
		t.Skip("no pgrep in PATH, which finds PostgreSQL's processes: install it (apt-get install procps)")
	}
	if initdb, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(initdb)
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		t.Skip("no initdb in PATH or /usr/lib/postgresql/*/bin: install PostgreSQL (apt-get install postgresql)")
	}
	return filepath.Dir(found[len(found)-1])
}

// unprivileged lets root run a program as the user postgres, because PostgreSQL refuses to run as
// root. The folder then belongs to that user. For any other user, unprivileged returns nil.
func unprivileged(t *testing.T, dir string) *syscall.SysProcAttr {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	postgres, err := user.Lookup("postgres")
	if err != nil {
		t.Skip("root needs the user postgres to run PostgreSQL: install it (apt-get install postgresql)")
	}
	uid, err := strconv.Atoi(postgres.Uid)
	require.NoError(t, err)
	gid, err := strconv.Atoi(postgres.Gid)
	require.NoError(t, err)
	require.NoError(t, os.Chown(dir, uid, gid))
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o711)) // t.TempDir lets only root enter
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

// ping returns a function that reports whether the server at a URL answers.
func ping(t *testing.T, driver, url string) func() error {
	t.Helper()
	db := sqlDB(t, driver, url)
	return func() error { return db.PingContext(t.Context()) }
}

// An own server is one that the test starts for itself, with an empty table.
type ownServer struct {
	*backendtest.Server
	backend    *sqlstore.Backend
	addr       string
	dialect    string
	start, end string // its URL, before and after the address
}

// through returns a Backend that reaches the server through a proxy.
func (o ownServer) through(t *testing.T, proxy *backendtest.Proxy) *sqlstore.Backend {
	t.Helper()
	return open(t, o.dialect, o.start+proxy.Addr+o.end, sqlstore.Options{})
}

// run starts the server and creates the table.
func (o ownServer) run(t *testing.T, driver string, command func() *exec.Cmd) ownServer {
	t.Helper()
	url := o.start + o.addr + o.end
	o.Server = &backendtest.Server{Command: command, Ping: ping(t, driver, url)}
	o.Start(t)
	o.backend = open(t, o.dialect, url, sqlstore.Options{})
	require.NoError(t, o.backend.CreateTable(t.Context()))
	return o
}

func ownPostgres(t *testing.T) ownServer {
	t.Helper()
	dir, port, programs := t.TempDir(), backendtest.FreePort(t), postgresPrograms(t)
	attr := unprivileged(t, dir)
	command := func(program string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(programs, program), append([]string{"-D", filepath.Join(dir, "data")}, args...)...)
		cmd.Dir, cmd.SysProcAttr = dir, attr
		return cmd
	}
	out, err := command("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync").CombinedOutput()
	require.NoError(t, err, "%s", out)
	own := ownServer{addr: "127.0.0.1:" + port, dialect: "postgres", start: "postgres://postgres@", end: "/postgres?sslmode=disable"}
	return own.run(t, "pgx", func() *exec.Cmd {
		return command("postgres", "-h", "127.0.0.1", "-p", port, "-c", "unix_socket_directories=")
	})
}

// ownMariaDB starts a MariaDB in a time zone.
func ownMariaDB(t *testing.T, zone string) ownServer {
	t.Helper()
	install, err := exec.LookPath("mariadb-install-db")
	if err != nil {
		t.Skip("no mariadb-install-db in PATH: install MariaDB (apt-get install mariadb-server)")
	}
	program, err := exec.LookPath("mariadbd")
	if err != nil {
		program = "/usr/sbin/mariadbd" // which not everyone has in PATH
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("no mariadbd in PATH or /usr/sbin: install MariaDB (apt-get install mariadb-server)")
	}
	dir, port := t.TempDir(), backendtest.FreePort(t)
	args := []string{"--no-defaults", "--datadir=" + dir}
	if os.Geteuid() == 0 {
		args = append(args, "--user=root")
	}
	out, err := exec.Command(install, append(args, "--auth-root-authentication-method=normal", "--skip-test-db")...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	args = append(args, "--bind-address=127.0.0.1", "--port="+port, "--socket=socket", "--skip-grant-tables", "--innodb-buffer-pool-size=32M")
	own := ownServer{addr: "127.0.0.1:" + port, dialect: "mysql", start: "root@tcp(", end: ")/mysql"}
	return own.run(t, "mysql", func() *exec.Cmd {
		cmd := exec.Command(program, args...)
		cmd.Env = append(os.Environ(), "TZ="+zone)
		return cmd
	})
}

// testLostReplies runs the races through a proxy that breaks connections before a reply.
func testLostReplies(t *testing.T, own ownServer) {
	t.Helper()
	proxy := backendtest.NewProxy(t, func() string { return own.addr })
	backend := own.through(t, proxy)
	proxy.Lose(40)
	backendtest.Races(t, backend, own.backend)
	proxy.Lose(0)
	t.Logf("%d replies were lost", proxy.Lost())
	require.NotZero(t, proxy.Lost())
}

func Test_13_races_while_PostgreSQL_loses_replies(t *testing.T) {
	testLostReplies(t, ownPostgres(t))
}

func Test_12_PostgreSQL_is_killed_and_started_again(t *testing.T) {
	own := ownPostgres(t)
	backendtest.Outage(t, own.backend, own.Kill, func() { own.Start(t) })
}

func Test_12_PostgreSQL_hangs(t *testing.T) {
	own := ownPostgres(t)
	backendtest.Outage(t, own.backend, own.Freeze, own.Thaw)
}

func Test_13_races_while_MariaDB_loses_replies(t *testing.T) {
	testLostReplies(t, ownMariaDB(t, "UTC"))
}

func Test_12_MariaDB_is_killed_and_started_again(t *testing.T) {
	own := ownMariaDB(t, "UTC")
	backendtest.Outage(t, own.backend, own.Kill, func() { own.Start(t) })
}

func Test_12_MariaDB_hangs(t *testing.T) {
	own := ownMariaDB(t, "UTC")
	backendtest.Outage(t, own.backend, own.Freeze, own.Thaw)
}

// In the night of 25 October 2026, clocks in Berlin show 02:30 twice.
func Test_MariaDB_keeps_time_while_summer_time_ends(t *testing.T) {
	own := ownMariaDB(t, "Europe/Berlin")
	for _, want := range []time.Time{
		time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC),
		time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC),
		time.Date(2026, 3, 29, 1, 30, 0, 0, time.UTC),
	} {
		options := "?timestamp=" + strconv.FormatInt(want.Unix(), 10)
		backend := open(t, "mysql", own.start+own.addr+own.end+options, sqlstore.Options{})
		require.NoError(t, backend.Put(t.Context(), session.ID{1}, []byte("a"), time.Hour))
		_, expires, now, err := backend.Load(t.Context(), session.ID{1})
		require.NoError(t, err)
		require.Equal(t, want, now.UTC())
		require.Equal(t, want.Add(time.Hour), expires.UTC())
		var zone string
		db := sqlDB(t, "mysql", own.start+own.addr+own.end)
		require.NoError(t, db.QueryRow("SELECT @@system_time_zone").Scan(&zone))
		require.Contains(t, []string{"CET", "CEST"}, zone)
	}
}
