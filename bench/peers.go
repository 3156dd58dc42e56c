package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

// A peer is one server of the comparison.
type peer struct {
	name    string
	needs   func() string // what is missing to run it, "" when nothing is
	source  string        // the folder of its program, "" when it is not Go's
	command []string      // with PORT in it, where the program takes no variable
	before  []string      // arguments of a run of the program before it is started
	env     []string
	logFile string // where its output goes, "" for nowhere
	against string // the peer that the ratio is taken to

	port    int
	process *exec.Cmd
	cookie  string // of a visitor with a hero
	token   string // a CSRF token and the cookie it belongs to, where the peer asks for one
	anyone  string

	get, post []float64 // requests per second
	p99       []float64 // milliseconds, of get
	starts    []float64 // milliseconds
	memory    int       // bytes, under the first load
}

const secret = "0123456789abcdef0123456789abcdef0123456789abcdef"

var (
	redisURL    = setting("REDIS_URL", "redis://127.0.0.1:6379/9")
	postgresURL = setting("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/%s?sslmode=disable")
	heroesDB    = fmt.Sprintf(postgresURL, "heroes_bench")
	scsDB       = fmt.Sprintf(postgresURL, "heroes_bench_scs")
)

func setting(name, standard string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return standard
}

func allPeers() []*peer {
	production := []string{"GO_ENV=production", "SESSION_SECRET=" + secret, "ADDR=127.0.0.1", "LOG_LEVEL=warn", "GOGC="}
	with := func(more ...string) []string { return append(append([]string{}, production...), more...) }
	heroes := "../cmd/app"
	return []*peer{
		{name: "Heroes", source: heroes, env: production, against: "net/http + scs"},
		{name: "Heroes, every request logged", source: heroes, env: with("LOG_LEVEL=info"), logFile: "heroes.log", against: "net/http + scs"},
		{name: "net/http + scs", source: "./peers/scs", env: with("REDIS_URL=", "DATABASE_URL="), against: "net/http + scs"},
		{name: "bare net/http", source: "./peers/bare", env: with("HERO_NAME="+heroName, "HERO_ALTER_EGO="+heroAlterEgo, "HERO_CATCH_PHRASE="+heroPhrase), against: "net/http + scs"},
		{name: "stock Buffalo", source: "./peers/stock", env: production, against: "net/http + scs"},
		{name: "Flask, gunicorn", needs: noFlask, env: with("PYTHONDONTWRITEBYTECODE=1"), against: "net/http + scs",
			command: []string{"/usr/bin/gunicorn", "--workers", "2", "--bind", "127.0.0.1:PORT", "--chdir", "peers/flask", "app:app"}},
		{name: "Heroes, Redis", needs: noRedis, source: heroes, env: with("SESSION_STORE=redis", "REDIS_URL="+redisURL), against: "net/http + scs, Redis"},
		{name: "net/http + scs, Redis", needs: noRedis, source: "./peers/scs", env: with("DATABASE_URL=", "REDIS_URL="+redisURL), against: "net/http + scs, Redis"},
		{name: "Heroes, PostgreSQL", needs: noPostgres, source: heroes, before: []string{"migrate"}, env: with("SESSION_STORE=database", "DATABASE_URL="+heroesDB), against: "net/http + scs, PostgreSQL"},
		{name: "net/http + scs, PostgreSQL", needs: noPostgres, source: "./peers/scs", env: with("REDIS_URL=", "DATABASE_URL="+pooled(scsDB)), against: "net/http + scs, PostgreSQL"},
	}
}

// pooled gives a peer the pool that database.yml gives Heroes.
func pooled(db string) string {
	return db + "&pool_max_conns=20"
}

func noFlask() string {
	if exec.Command("/usr/bin/python3", "-c", "import flask, gunicorn").Run() != nil {
		return "Flask or gunicorn is missing (Debian's packages python3-flask and gunicorn)"
	}
	return ""
}

func noRedis() string {
	o, err := redis.ParseURL(redisURL)
	if err == nil {
		client := redis.NewClient(o)
		defer client.Close()
		err = client.Ping(context.Background()).Err()
	}
	if err != nil {
		return "no Redis answers at REDIS_URL"
	}
	return ""
}

// noPostgres makes the peers' databases, once for both.
var noPostgres = sync.OnceValue(func() string {
	if dropDatabases() != nil || admin("CREATE DATABASE heroes_bench", "CREATE DATABASE heroes_bench_scs") != nil {
		return "no PostgreSQL answers at TEST_POSTGRES_URL, or it may not make a database"
	}
	return ""
})

func dropDatabases() error {
	return admin("DROP DATABASE IF EXISTS heroes_bench WITH (FORCE)", "DROP DATABASE IF EXISTS heroes_bench_scs WITH (FORCE)")
}

func admin(statements ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	db, err := pgx.Connect(ctx, fmt.Sprintf(postgresURL, "postgres"))
	if err != nil {
		return err
	}
	defer db.Close(ctx)
	for _, s := range statements {
		if _, err := db.Exec(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// cleanUp takes away what the peers have stored.
func cleanUp() {
	if o, err := redis.ParseURL(redisURL); err == nil {
		client := redis.NewClient(o)
		defer client.Close()
		unlink(client, "heroes:session:*")
		unlink(client, "scs:session:*")
	}
	_ = dropDatabases()
}

func unlink(client *redis.Client, pattern string) {
	ctx := context.Background()
	for cursor, done := uint64(0), false; !done; {
		keys, next, err := client.Scan(ctx, cursor, pattern, 1000).Result()
		if err == nil && len(keys) > 0 {
			err = client.Unlink(ctx, keys...).Err()
		}
		cursor, done = next, err != nil || next == 0
	}
}

func (p *peer) build(ctx context.Context, dir string) error {
	if p.logFile != "" {
		p.logFile = filepath.Join(dir, p.logFile)
	}
	if p.source != "" {
		program := filepath.Join(dir, filepath.Base(p.source))
		if out, err := exec.CommandContext(ctx, "go", "build", "-C", p.source, "-o", program, ".").CombinedOutput(); err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
		p.command = []string{program}
	}
	if p.before != nil {
		cmd := exec.CommandContext(ctx, p.command[0], p.before...)
		cmd.Env = append(os.Environ(), p.env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
	}
	return nil
}

// start starts the peer in a process group of its own and waits for its first page.
func (p *peer) start(ctx context.Context) error {
	l, err := net.Listen("tcp", "127.0.0.1:0") // a port that is free
	if err != nil {
		return err
	}
	p.port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	port := strconv.Itoa(p.port)
	args := make([]string, len(p.command))
	for i, arg := range p.command {
		args[i] = strings.ReplaceAll(arg, "PORT", port)
	}
	p.process = exec.CommandContext(ctx, args[0], args[1:]...)
	p.process.Env = append(append(os.Environ(), p.env...), "PORT="+port)
	p.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.process.Cancel = func() error { return syscall.Kill(-p.process.Process.Pid, syscall.SIGKILL) }
	if p.logFile != "" {
		f, err := os.Create(p.logFile)
		if err != nil {
			return err
		}
		defer f.Close()
		p.process.Stdout, p.process.Stderr = f, f
	}
	if err := p.process.Start(); err != nil {
		return err
	}
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if response, err := p.request("GET", "/", nil, ""); err == nil && response.StatusCode == http.StatusOK {
			return nil
		}
	}
	p.stop()
	return fmt.Errorf("no page after 15 s")
}

func (p *peer) stop() {
	if p.process != nil {
		_ = syscall.Kill(-p.process.Process.Pid, syscall.SIGKILL)
		_ = p.process.Wait()
		p.process = nil
	}
}

// timeStarts measures the time from the start of the program to its first page.
func (p *peer) timeStarts(ctx context.Context, n int) error {
	for range n {
		began := time.Now()
		if err := p.start(ctx); err != nil {
			return err
		}
		p.starts = append(p.starts, float64(time.Since(began).Microseconds())/1000)
		p.stop()
	}
	return nil
}

var client = &http.Client{
	Timeout:       10 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Transport:     &http.Transport{DisableKeepAlives: true},
}

// request sends one request; forwarded as a proxy does that speaks https to the visitor.
func (p *peer) request(method, path string, form url.Values, cookie string) (*http.Response, error) {
	r, err := http.NewRequest(method, fmt.Sprintf("http://127.0.0.1:%d%s", p.port, path), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("X-Forwarded-Proto", "https")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	return client.Do(r)
}
