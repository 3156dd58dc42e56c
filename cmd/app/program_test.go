//go:build unix

package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"heroes/session"
	"heroes/session/backendtest"

	"github.com/gobuffalo/pop/v6"
	"github.com/gobuffalo/pop/v6/logging"
	"github.com/stretchr/testify/require"
)

// buildTags are the build tags of the program under test.
var buildTags = ""

var programDir string

func TestMain(m *testing.M) {
	pop.SetLogger(func(logging.Level, string, ...any) {})
	dir, err := os.MkdirTemp("", "heroes")
	if err != nil {
		panic(err)
	}
	programDir = dir
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// program builds the application once, and returns its path.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(programDir, "app")
	out, err := exec.Command("go", "build", "-tags", buildTags, "-o", path, ".").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return path, err
})

// A setting is a folder and an environment in which the application runs.
type setting struct {
	dir  string
	env  []string
	busy bool // only one request writes at a time; a request that waits too long gets 503
}

func newSetting(t *testing.T, env ...string) setting {
	t.Helper()
	dir := t.TempDir()
	config, err := os.ReadFile("../../database.yml")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "database.yml"), config, 0o600))
	standard := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "ADDR=127.0.0.1", "LOG_LEVEL=error", "NEW_SESSIONS=0"}
	if !strings.Contains(strings.Join(env, " "), "SESSION_SECRET_FILE=") {
		standard = append(standard, "SESSION_SECRET="+session.NewSecret())
	}
	return setting{dir: dir, env: append(standard, env...)}
}

func (s setting) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path, err := program()
	require.NoError(t, err)
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	return cmd
}

// A process is the running application.
type process struct {
	cmd    *exec.Cmd
	addr   string
	client *http.Client
	busy   bool
	out    printed
	ended  chan error
}

// start starts the application and waits until it is ready. When the test ends, it is killed.
func (s setting) start(t *testing.T) *process {
	t.Helper()
	port := backendtest.FreePort(t)
	p := &process{cmd: s.command(t), addr: "127.0.0.1:" + port, busy: s.busy, ended: make(chan error, 1)}
	p.cmd.Env = append(p.cmd.Env, "PORT="+port)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	transport := &http.Transport{MaxIdleConnsPerHost: crowd, MaxConnsPerHost: crowd}
	p.client = &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       15 * time.Second,
	}
	require.NoError(t, p.cmd.Start())
	go func() { p.ended <- p.cmd.Wait() }()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		select {
		case <-p.ended:
		case <-time.After(10 * time.Second):
		}
		transport.CloseIdleConnections()
	})
	require.Eventually(t, func() bool {
		res, err := p.client.Get("http://" + p.addr + "/readyz")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	}, 10*time.Second, 10*time.Millisecond, p.out.String())
	return p
}

// end sends a signal, waits, and returns the process's error.
func (p *process) end(t *testing.T, signal os.Signal) error {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(signal), p.out.String())
	select {
	case err := <-p.ended:
		p.ended <- nil // for the cleanup
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("it does not end within ten seconds: " + p.out.String())
	}
	return nil
}

// In production the files are inside the program. In development the program reads them from
// the folder public, and reads nothing outside it.
func Test_Attack_on_the_files_of_the_program(t *testing.T) {
	for _, env := range []string{"production", "development"} {
		t.Run(env, func(t *testing.T) {
			s := newSetting(t, "GO_ENV="+env, "ALLOWED_HOSTS="+host)
			for _, name := range []string{"public/assets/own.css", "public/secret.txt", "secret.txt", "tmp/session_secret", "go.mod"} {
				path := filepath.Join(s.dir, name)
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
				require.NoError(t, os.WriteFile(path, []byte("a secret\n"), 0o600))
			}
			p := s.start(t)
			own := send(t, p.addr, request("GET /assets/own.css"), 1)[0]
			require.Equal(t, env == "development", own.StatusCode == http.StatusOK, "it does read the folder")
			attackFiles(t, p.addr)
		})
	}
}
