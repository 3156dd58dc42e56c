//go:build unix

package boltstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"heroes/session"
	"heroes/session/backendtest"
	"heroes/session/boltstore"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The environment of a process that has the file open; it also writes if writeEnv is set.
const fileEnv, writeEnv = "BOLT_FILE", "BOLT_WRITE"

// Test_process does nothing, unless another test starts it as a process of its own.
func Test_process(t *testing.T) {
	file := os.Getenv(fileEnv)
	if file == "" {
		return
	}
	b := open(t, file)
	fmt.Println("open")
	if os.Getenv(writeEnv) == "" {
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	}
	var wait sync.WaitGroup
	for i := range 4 {
		wait.Go(func() {
			for cookie := ""; ; {
				if n, ok := backendtest.Increment(t, b, &cookie, "n"); ok {
					fmt.Printf("acknowledged %d %s %d\n", i, cookie, n)
				}
			}
		})
	}
	wait.Wait()
}

// A process has the file open until end is called.
type process struct {
	*exec.Cmd
	out *bufio.Scanner
	end func()
}

func start(t *testing.T, file string, env ...string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^Test_process$")
	cmd.Env = append(append(os.Environ(), fileEnv+"="+file), env...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	p := &process{cmd, bufio.NewScanner(out), func() { in.Close() }}
	require.True(t, p.out.Scan())
	require.Equal(t, "open", p.out.Text())
	return p
}

func Test_12_every_change_that_a_killed_process_acknowledged_is_there(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sessions.bolt")
	for round := range 3 { // the same file, with what is left of the last process
		p := start(t, file, writeEnv+"=1")
		time.AfterFunc(time.Second, func() { _ = p.Process.Kill() })
		type number struct {
			cookie string
			n      int
		}
		var last [4]number
		total := 0
		for ; p.out.Scan(); total++ {
			var i int
			var at number
			_, err := fmt.Sscanf(p.out.Text(), "acknowledged %d %s %d", &i, &at.cookie, &at.n)
			require.NoError(t, err, p.out.Text())
			require.Greater(t, at.n, last[i].n, "a change was lost")
			last[i] = at
		}
		require.ErrorContains(t, p.Wait(), "killed")
		t.Logf("round %d: %d increments acknowledged", round, total)
		_, err := os.Lstat(file + ".sock")
		require.NoError(t, err, "a killed process leaves its socket")

		b, err := boltstore.Open(file)
		require.NoError(t, err)
		for _, at := range last {
			cookie := at.cookie
			n, ok := backendtest.Increment(t, b, &cookie, "n")
			require.True(t, ok)
			require.Greater(t, n, at.n, "what was acknowledged is there")
			require.Equal(t, at.cookie, cookie)
		}
		require.Equal(t, requireSound(t, b), count(t, reach(t, file)), "the new socket answers")
		require.NoError(t, b.Close())
	}
}

func count(t *testing.T, b session.Backend) (n int) {
	t.Helper()
	require.NoError(t, b.Each(t.Context(), func(session.ID, []byte) error { n++; return nil }))
	return n
}

func Test_a_second_process_waits_until_the_first_has_ended(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sessions.bolt")
	p := start(t, file)
	began := time.Now()
	time.AfterFunc(300*time.Millisecond, p.end)
	b := open(t, file)
	require.Greater(t, time.Since(began), 250*time.Millisecond)
	require.NoError(t, p.Wait())
	require.NoError(t, reach(t, file).Put(t.Context(), key(1), []byte("record"), time.Hour), "the first has not removed the second's socket")
	require.Equal(t, "record", load(t, b, key(1)))
}

func Test_a_second_process_fails_and_names_the_first(t *testing.T) {
	boltstore.SetOpenWait(t, 200*time.Millisecond)
	file := filepath.Join(t.TempDir(), "sessions.bolt")
	p := start(t, file)
	_, err := boltstore.Open(file)
	requireClear(t, err, fmt.Sprintf("process %d has the file %s open", p.Process.Pid, file))
	require.NoError(t, p.Process.Kill())
	_ = p.Wait()
	open(t, file)

	require.NoError(t, os.Remove(file+".sock"))
	_, err = boltstore.Open(file)
	requireClear(t, err, "another process has the file")
	_, err = boltstore.Reach(t.Context(), file)
	requireClear(t, err, "does not answer")
}

// Otherwise a process that ends could remove the socket of the next.
func Test_the_socket_is_removed_before_the_file_is_free(t *testing.T) {
	b, file := fresh(t)
	thaw, err := b.Hang()
	require.NoError(t, err)
	closed := make(chan error)
	go func() { closed <- b.Close() }()
	require.Eventually(t, func() bool {
		_, err := os.Lstat(file + ".sock")
		return errors.Is(err, fs.ErrNotExist)
	}, time.Second, time.Millisecond)
	thaw()
	require.NoError(t, <-closed)
}

func Test_a_task_reaches_the_file_with_and_without_a_server(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sessions.bolt")
	_, err := boltstore.Reach(t.Context(), file)
	require.ErrorIs(t, err, fs.ErrNotExist)
	entries, err := os.ReadDir(filepath.Dir(file))
	require.NoError(t, err)
	require.Empty(t, entries, "a mistyped name creates nothing")

	b, err := boltstore.Open(file)
	require.NoError(t, err)
	task := reach(t, file)
	require.NoError(t, b.Put(t.Context(), key(1), []byte("server"), time.Hour))
	require.Equal(t, "server", load(t, task, key(1)))
	require.NoError(t, task.Put(t.Context(), key(1), []byte("task"), time.Hour))
	require.Equal(t, "task", load(t, b, key(1)))
	require.NoError(t, b.Close())
	_, err = os.Lstat(file + ".sock")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.Error(t, task.Ping(t.Context()))

	alone, err := boltstore.Reach(t.Context(), file)
	require.NoError(t, err)
	require.Equal(t, "task", load(t, alone, key(1)))
	require.Equal(t, "task", load(t, reach(t, file), key(1)), "two tasks at once")
	require.NoError(t, alone.Close())
	open(t, file)
}

func Test_a_task_waits_for_a_server_that_starts(t *testing.T) {
	b, file := fresh(t)
	require.NoError(t, os.Rename(file+".sock", file+".later"))
	require.NoError(t, b.Put(t.Context(), key(1), []byte("record"), time.Hour))
	time.AfterFunc(200*time.Millisecond, func() { _ = os.Rename(file+".later", file+".sock") })
	require.Equal(t, "record", load(t, reach(t, file), key(1)))
}

func Test_Bolt_through_the_socket(t *testing.T) {
	t.Parallel()
	b, file := fresh(t)
	task := reach(t, file)
	backendtest.Run(t, task)
	backendtest.Sessions(t, task)
	backendtest.Races(t, task, task)
	backendtest.Races(t, task, b)
	requireSound(t, b)
}

func Test_12_the_process_at_the_socket_hangs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sessions.bolt")
	var in io.WriteCloser
	server := &backendtest.Server{
		Command: func() *exec.Cmd {
			cmd := exec.Command(os.Args[0], "-test.run=^Test_process$")
			cmd.Env = append(os.Environ(), fileEnv+"="+file)
			in, _ = cmd.StdinPipe()
			return cmd
		},
		Ping: func() error { _, err := net.Dial("unix", file+".sock"); return err },
	}
	server.Start(t)
	defer in.Close()
	task := reach(t, file)
	backendtest.Outage(t, task, server.Freeze, server.Thaw)

	server.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := boltstore.Reach(ctx, file)
	requireClear(t, err, "does not answer")
	require.ErrorIs(t, task.Put(ctx, key(1), make([]byte, 1<<20), time.Hour), context.DeadlineExceeded)
	server.Kill()
	requireClear(t, task.Ping(t.Context()), "does not answer")
}

func Test_only_its_user_can_ever_open_the_socket(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "sessions.bolt")
	stop := make(chan struct{})
	var watch sync.WaitGroup
	seen := map[string]int{}
	watch.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			entries, _ := os.ReadDir(folder)
			for _, e := range entries {
				info, err := os.Lstat(filepath.Join(folder, e.Name()))
				if err != nil {
					continue
				}
				want := fs.FileMode(0o600)
				if info.IsDir() {
					want = 0o700
				}
				seen[info.Mode().Type().String()]++
				assert.Equal(t, want, info.Mode().Perm(), e.Name())
			}
		}
	})
	for range 200 {
		b, err := boltstore.Open(file)
		require.NoError(t, err)
		require.NoError(t, b.Close())
	}
	close(stop)
	watch.Wait()
	t.Log(seen)
	require.NotZero(t, seen[fs.ModeSocket.String()])
	require.NotZero(t, seen[fs.ModeDir.String()])
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing is left but the file")
}

func Test_the_path_may_be_longer_than_a_sockets_address(t *testing.T) {
	file := filepath.Join(t.TempDir(), strings.Repeat("a long folder ", 10), strings.Repeat("a long name ", 10))
	b := open(t, file)
	require.NoError(t, reach(t, file).Put(t.Context(), key(1), []byte("record"), time.Hour))
	require.Equal(t, "record", load(t, b, key(1)))
	_, err := boltstore.Open(filepath.Join(t.TempDir(), strings.Repeat("x", 252)))
	requireClear(t, err, "the socket")
}

func Test_a_page_that_was_damaged_meanwhile_does_not_end_the_program(t *testing.T) {
	folder := t.TempDir()
	page := os.Getpagesize()
	for name, damage := range map[string]func(header []byte){
		"another length": func(header []byte) { header[12] = 1 },
		"another kind":   func(header []byte) { header[8] = 4 },
		"another number": func(header []byte) { header[0]++ },
		"more entries":   func(header []byte) { header[11] = 0x40 },
		"nothing":        func(header []byte) { clear(header[:page]) },
	} {
		file := filepath.Join(folder, name)
		b, err := boltstore.Open(file)
		require.NoError(t, err)
		for n := range 200 {
			require.NoError(t, b.Put(t.Context(), key(n), make([]byte, 700), time.Hour))
		}
		require.NoError(t, b.Close())
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		for at := 4 * page; at < len(content); at += page {
			if content[at+8] == 2 { // a leaf
				damage(content[at:])
			}
		}
		require.NoError(t, os.WriteFile(file, content, 0o600))
		b, err = boltstore.Open(file)
		if err != nil {
			continue
		}
		failed := false
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		for n := range 30 {
			_, _, _, err1 := b.Load(ctx, key(n*7))
			err2 := b.Put(ctx, key(n*7), make([]byte, 500), time.Hour)
			failed = failed || err1 != nil || err2 != nil
		}
		cancel()
		require.True(t, failed, name)
	}
}

func Test_a_file_that_becomes_shorter_does_not_end_the_program(t *testing.T) {
	b, err := boltstore.Open(filepath.Join(t.TempDir(), "sessions.bolt"))
	require.NoError(t, err)
	require.NoError(t, b.Put(t.Context(), key(1), []byte("record"), time.Hour))
	require.NoError(t, os.Truncate(b.File(), 0))
	_, _, _, err = b.Load(t.Context(), key(1))
	requireClear(t, err, "damaged")
	requireClear(t, b.Put(t.Context(), key(1), []byte("record"), time.Hour), "damaged")
}

func Test_a_file_that_was_deleted_acknowledges_no_change(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sessions.bolt")
	first := open(t, file)
	require.NoError(t, os.Remove(file))
	requireClear(t, first.Put(t.Context(), key(1), []byte("record"), time.Hour), "deleted")

	second := open(t, file)
	require.NoError(t, first.Close())
	require.NoError(t, second.Put(t.Context(), key(1), []byte("record"), time.Hour))
	require.Equal(t, 1, count(t, reach(t, file)), "the first has not removed the second's socket")
}

func Test_a_link_leads_to_the_same_socket(t *testing.T) {
	folder := t.TempDir()
	file, link := filepath.Join(folder, "sessions.bolt"), filepath.Join(folder, "link")
	require.NoError(t, open(t, file).Close())
	require.NoError(t, os.Symlink(file, link))
	b := open(t, link)
	require.NoError(t, b.Put(t.Context(), key(1), []byte("record"), time.Hour))
	require.Equal(t, 1, count(t, reach(t, file)))
}

func Test_a_folder_in_which_everyone_may_write_is_refused(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "sessions.bolt")
	for mode, refused := range map[os.FileMode]bool{0o777: true, 0o702: true, 0o777 | os.ModeSticky: false, 0o755: false} {
		require.NoError(t, os.Chmod(folder, mode))
		b, err := boltstore.Open(file)
		_, errReach := boltstore.Reach(t.Context(), file)
		if !refused {
			require.NoError(t, err, mode)
			require.NoError(t, b.Close())
			continue
		}
		requireClear(t, err, "chmod o-w")
		requireClear(t, errReach, "chmod o-w")
	}
}

func Test_the_file_and_its_folder_belong_to_one_user(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a", "b", "sessions.bolt")
	open(t, file)
	for path, want := range map[string]fs.FileMode{file: 0o600, filepath.Dir(file): 0o700, filepath.Dir(filepath.Dir(file)): 0o700} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, want, info.Mode().Perm(), path)
	}
}
