//go:build sqlite

package sqlstore_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"heroes/session/backendtest"
	"heroes/session/sqlstore"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// openFile opens a file of sessions, and creates it if there is none.
func openFile(t *testing.T, file string) *sqlstore.Backend {
	t.Helper()
	backend, err := sqlstore.Open("sqlite3", file+fileOptions, sqlstore.Options{})
	require.NoError(t, err)
	require.NoError(t, backend.CreateTable(t.Context()))
	return backend
}

// A number is stored under a key in the session of a cookie.
type number struct{ cookie, key string }

// The environment of a writer: a process of this test's program that writes.
const fileEnv, keyEnv, cookieEnv = "FAULT_FILE", "FAULT_KEY", "FAULT_COOKIE"

// write increments numbers for two seconds and prints what is acknowledged: one in each of four
// new sessions, or four at once in the session of a cookie, under keys of their own.
func write(t *testing.T) {
	backend := openFile(t, os.Getenv(fileEnv))
	defer backend.Close()
	end := time.Now().Add(2 * time.Second)
	var wait sync.WaitGroup
	for i := range 4 {
		wait.Go(func() {
			cookie, key := os.Getenv(cookieEnv), fmt.Sprint(os.Getenv(keyEnv), i)
			for time.Now().Before(end) {
				if n, ok := backendtest.Increment(t, backend, &cookie, key); ok {
					fmt.Printf("acknowledged %s %s %d\n", cookie, key, n)
				}
			}
		})
	}
	wait.Wait()
}

// startWriter runs write in a process of its own.
func startWriter(t *testing.T, file, key, cookie string) (*exec.Cmd, io.Reader) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), fileEnv+"="+file, keyEnv+"="+key, cookieEnv+"="+cookie)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, out
}

// acknowledged reads what a writer prints until it ends, and returns the last value of each
// number. None may go back. It calls seen for each line.
func acknowledged(t *testing.T, out io.Reader, seen func()) map[number]int {
	last, total := map[number]int{}, 0
	for lines := bufio.NewScanner(out); lines.Scan(); total++ {
		var at number
		var n int
		if _, err := fmt.Sscanf(lines.Text(), "acknowledged %s %s %d", &at.cookie, &at.key, &n); err != nil {
			continue // the testing package's own lines
		}
		seen()
		if !t.Failed() { // once is enough
			assert.Greater(t, n, last[at], "a change was lost")
		}
		last[at] = n
	}
	t.Logf("%d increments of %d numbers acknowledged", total, len(last))
	return last
}

// requireAll opens the file and checks that every number continues from its last value.
func requireAll(t *testing.T, file string, last map[number]int) {
	t.Helper()
	require.NotEmpty(t, last)
	backend := openFile(t, file)
	defer backend.Close()
	for at, want := range last {
		cookie := at.cookie
		n, ok := backendtest.Increment(t, backend, &cookie, at.key)
		require.True(t, ok)
		require.Greater(t, n, want, "what was acknowledged is there")
		require.Equal(t, at.cookie, cookie)
	}
}

func Test_SQLite_keeps_what_a_killed_process_acknowledged(t *testing.T) {
	if os.Getenv(fileEnv) != "" {
		write(t)
		return
	}
	file := filepath.Join(t.TempDir(), "sessions.sqlite")
	writer, out := startWriter(t, file, "n", "")
	var once sync.Once
	last := acknowledged(t, out, func() {
		once.Do(func() { time.AfterFunc(time.Second, func() { _ = writer.Process.Kill() }) })
	})
	require.ErrorContains(t, writer.Wait(), "killed")
	requireAll(t, file, last)
}

func Test_13_two_processes_at_one_SQLite_file_lose_no_change(t *testing.T) {
	if os.Getenv(fileEnv) != "" {
		write(t)
		return
	}
	file, cookie := filepath.Join(t.TempDir(), "sessions.sqlite"), ""
	backend := openFile(t, file)
	_, ok := backendtest.Increment(t, backend, &cookie, "shared")
	require.True(t, ok)
	require.NoError(t, backend.Close())

	var wait sync.WaitGroup
	var last [2]map[number]int
	for i, key := range []string{"one", "two"} {
		writer, out := startWriter(t, file, key, cookie)
		wait.Go(func() {
			last[i] = acknowledged(t, out, func() {})
			assert.NoError(t, writer.Wait())
		})
	}
	wait.Wait()
	for i := range last {
		require.Len(t, last[i], 4)
		requireAll(t, file, last[i])
	}
}
