package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// startWithin is how long a peer may take for its first page.
const startWithin = 15 * time.Second

// command is a command in a process group of its own, all of which ends with ctx.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	return cmd
}

// build makes the peer ready to start, with dir as the folder that it runs in: there it
// finds no templates, and has to take those that are built in.
func (p *peer) build(ctx context.Context, dir string, built map[string]string) error {
	if p.source != "" {
		program, done := built[p.source]
		if !done {
			program = filepath.Join(dir, filepath.Base(p.source)+".program")
			if out, err := command(ctx, "go", "build", "-C", p.source, "-o", program, ".").CombinedOutput(); err != nil {
				return fmt.Errorf("%w\n%s", err, out)
			}
			built[p.source] = program
		}
		p.command = []string{program}
	}
	settings, err := os.ReadFile("../database.yml")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "database.yml"), settings, 0o600)
	}
	if err != nil || p.before == nil {
		return err
	}
	cmd := command(ctx, p.command[0], p.before...)
	cmd.Dir, cmd.Env = dir, p.environment()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// A server is a peer that runs.
type server struct {
	cmd    *exec.Cmd
	port   int
	output string        // the file of what it prints
	ended  chan struct{} // closed when it has
}

// start starts the peer, waits for its first page and says how long that took.
func (p *peer) start(ctx context.Context, dir string) (time.Duration, error) {
	port, err := freePort()
	if err != nil {
		return 0, err
	}
	args := make([]string, len(p.command))
	for i, arg := range p.command {
		args[i] = strings.ReplaceAll(arg, "PORT", strconv.Itoa(port))
	}
	output, err := os.Create(filepath.Join(dir, "output"))
	if err != nil {
		return 0, err
	}
	defer output.Close()
	s := &server{cmd: command(ctx, args[0], args[1:]...), port: port, output: output.Name(), ended: make(chan struct{})}
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = dir, output, output
	s.cmd.Env = append(p.environment(), "PORT="+strconv.Itoa(port))
	began := time.Now()
	if err := s.cmd.Start(); err != nil {
		return 0, err
	}
	go func() {
		_ = s.cmd.Wait()
		close(s.ended)
	}()
	p.server = s
	for time.Since(began) < startWithin {
		if a, err := s.request("GET", "/", nil, nil); err == nil && a.status == http.StatusOK {
			return time.Since(began), nil
		}
		select {
		case <-s.ended:
			return 0, fmt.Errorf("it ended before its first page: %s", p.stop())
		case <-time.After(time.Millisecond):
		}
	}
	return 0, fmt.Errorf("no page within %s: %s", startWithin, p.stop())
}

// stop ends the peer with all its processes and gives the end of what it printed.
func (p *peer) stop() (printed string) {
	if p.server == nil {
		return ""
	}
	_ = syscall.Kill(-p.server.cmd.Process.Pid, syscall.SIGKILL)
	<-p.server.ended
	b, _ := os.ReadFile(p.server.output)
	p.server = nil
	return string(bytes.TrimSpace(b[max(0, len(b)-2000):]))
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// timeStarts measures the time from the start of the program to its first page.
func (p *peer) timeStarts(ctx context.Context, dir string, n int) error {
	for range n {
		took, err := p.start(ctx, dir)
		if err != nil {
			return err
		}
		p.starts = append(p.starts, float64(took.Microseconds())/1000)
		p.stop()
	}
	return nil
}
