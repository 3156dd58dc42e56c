//go:build unix

package backendtest

import (
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A Server is a database server of a test's own, which fails when the test says so.
type Server struct {
	Command func() *exec.Cmd // runs it in the foreground
	Ping    func() error     // nil when it answers

	cmd *exec.Cmd
}

// Start starts the server, again if it was killed, and waits until it answers. It
// ends with the test.
func (s *Server) Start(t *testing.T) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	defer log.Close()
	if s.cmd == nil {
		t.Cleanup(s.Kill)
	}
	s.cmd = s.Command()
	s.cmd.Stdout, s.cmd.Stderr = log, log
	require.NoError(t, s.cmd.Start())
	for end := time.Now().Add(10 * time.Second); s.Ping() != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			text, _ := os.ReadFile(log.Name())
			require.NoError(t, s.Ping(), "the server does not start: %s", text)
		}
	}
}

// Kill ends the server and the processes it has started, without a warning.
func (s *Server) Kill() {
	s.signal(syscall.SIGKILL)
	_ = s.cmd.Wait() // a zombie would count as a server that runs
}

// Freeze leaves the server's connections open and unanswered until Thaw.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw lets a frozen server go on.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

// signal stops the server first, so that it starts no process meanwhile. PostgreSQL's
// are no process group.
func (s *Server) signal(sig syscall.Signal) {
	if s.cmd.Process == nil || s.cmd.ProcessState != nil { // it never ran, or was killed
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGSTOP)
	children, _ := exec.Command("pgrep", "-P", strconv.Itoa(s.cmd.Process.Pid)).Output()
	for _, child := range strings.Fields(string(children)) {
		if pid, err := strconv.Atoi(child); err == nil {
			_ = syscall.Kill(pid, sig)
		}
	}
	_ = s.cmd.Process.Signal(sig)
}

// FreePort returns a port of 127.0.0.1 at which nobody listens. It is below those that the system
// gives to connections, so none of them takes it before a server does.
func FreePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(10_000 + rand.IntN(20_000))
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			require.NoError(t, l.Close())
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}
