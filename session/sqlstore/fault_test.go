//go:build unix

package sqlstore_test

import (
	"database/sql"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"heroes/session/backendtest"
	"heroes/session/sqlstore"

	"github.com/gobuffalo/pop/v6"
	"github.com/stretchr/testify/require"
)

// programs is the folder of PostgreSQL's programs, which Debian keeps out of PATH.
func programs(t *testing.T) string {
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

// unprivileged is the user postgres for root, as whom PostgreSQL does not run, and who
// gets the folder; nil for anyone else.
func unprivileged(t *testing.T, dir string) *syscall.SysProcAttr {
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
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o711)) // t.TempDir's own parent is root's alone
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

// ownPostgres starts a PostgreSQL with an empty table. It returns the address as well.
func ownPostgres(t *testing.T) (*backendtest.Server, *sqlstore.Backend, string) {
	dir, port, bin := t.TempDir(), backendtest.FreePort(t), programs(t)
	attr := unprivileged(t, dir)
	command := func(program string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, program), append([]string{"-D", filepath.Join(dir, "data")}, args...)...)
		cmd.Dir, cmd.SysProcAttr = dir, attr
		return cmd
	}
	out, err := command("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync").CombinedOutput()
	require.NoError(t, err, "%s", out)

	address := "postgres://postgres@127.0.0.1:" + port
	server := &backendtest.Server{
		Command: func() *exec.Cmd {
			return command("postgres", "-h", "127.0.0.1", "-p", port, "-c", "unix_socket_directories=")
		},
		Ping: func() error {
			db, err := sql.Open("pgx", address+"/postgres?sslmode=disable")
			if err != nil {
				return err
			}
			defer db.Close()
			return db.PingContext(t.Context())
		},
	}
	server.Start(t)
	conn := connect(t, address+"/heroes_fault?sslmode=disable")
	migrate(t, conn)
	backend, err := sqlstore.New(t.Context(), conn.Store.(sqlstore.DB), "postgres")
	require.NoError(t, err)
	return server, backend, "127.0.0.1:" + port
}

func Test_13_races_while_PostgreSQL_loses_replies(t *testing.T) {
	_, direct, addr := ownPostgres(t)
	proxy := backendtest.NewProxy(t, func() string { return addr })
	conn, err := pop.NewConnection(&pop.ConnectionDetails{URL: "postgres://postgres@" + proxy.Addr + "/heroes_fault?sslmode=disable", Pool: 20, IdlePool: 20})
	require.NoError(t, err)
	require.NoError(t, conn.Open())
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	backend, err := sqlstore.New(t.Context(), conn.Store.(sqlstore.DB), "postgres")
	require.NoError(t, err)
	proxy.Lose(40)
	backendtest.Races(t, backend, direct)
	proxy.Lose(0)
	t.Logf("%d replies were lost", proxy.Lost())
	require.NotZero(t, proxy.Lost())
}

func Test_12_PostgreSQL_is_killed_and_started_again(t *testing.T) {
	server, backend, _ := ownPostgres(t)
	backendtest.Outage(t, backend, server.Kill, func() { server.Start(t) })
}

func Test_12_PostgreSQL_hangs(t *testing.T) {
	server, backend, _ := ownPostgres(t)
	backendtest.Outage(t, backend, server.Freeze, server.Thaw)
}
