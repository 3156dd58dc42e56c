//go:build unix

package backendtest

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"testing"
	"time"
)

// Redis starts a Redis of the test's own, which has written to its disk what it
// acknowledges, and gives its address.
func Redis(t *testing.T) (server *Server, addr string) {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("no redis-server in PATH: install Redis (apt-get install redis-server)")
	}
	dir, port := t.TempDir(), FreePort(t)
	addr = "127.0.0.1:" + port
	server = &Server{
		Command: func() *exec.Cmd {
			return exec.Command(program, "--bind", "127.0.0.1", "--port", port, "--dir", dir,
				"--save", "", "--appendonly", "yes", "--appendfsync", "always")
		},
		Ping: func() error { return pingRedis(addr) },
	}
	server.Start(t)
	return server, addr
}

// pingRedis is nil when the Redis at addr has read its files and answers.
func pingRedis(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := fmt.Fprint(conn, "PING\r\n"); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && answer != "+PONG\r\n" { // it says -LOADING first
		err = errors.New(answer)
	}
	return err
}
