package boltstore_test

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// connectAs connects as another user, which only root can try.
func connectAs(t *testing.T, uid int, socket string) (conn net.Conn, err error) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); e != 0 {
			err = e
			return
		}
		conn, err = net.Dial("unix", socket)
	}()
	<-done
	return conn, err
}

func Test_another_user_cannot_use_the_socket(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("not tried: only root can become another user")
		return
	}
	_, file := fresh(t)
	require.NoError(t, os.Chmod(filepath.Dir(file), 0o755))
	require.NoError(t, os.Chmod(filepath.Dir(filepath.Dir(file)), 0o755))
	_, err := connectAs(t, 65534, file+".sock")
	require.ErrorIs(t, err, syscall.EACCES)

	require.NoError(t, os.Chmod(file+".sock", 0o666))
	conn, err := connectAs(t, 65534, file+".sock")
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(5*time.Second)))
	_, err = conn.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the server hangs up")
	require.Equal(t, "", load(t, reach(t, file), key(1)), "and serves its own user")
}
