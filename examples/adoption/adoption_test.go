package adoption

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"heroes/session/backendtest"
	"heroes/session/sqlstore"

	"github.com/gobuffalo/pop/v6"
	"github.com/stretchr/testify/require"
)

// root is the folder of the repository.
var root = func() string {
	dir, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return dir
}()

// A guide is what docs/adopt.md contains in fences of a kind.
func guide(t *testing.T, kind string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs", "adopt.md"))
	require.NoError(t, err)
	for _, found := range regexp.MustCompile("(?s)```"+kind+"\n(.*?)```").FindAllSubmatch(text, -1) {
		blocks = append(blocks, string(found[1]))
	}
	require.NotEmpty(t, blocks, kind)
	return blocks
}

// An application is the one in examples/buffalo, or what buffalo new made of it, in a folder of its
// own with a database of its own.
type application struct {
	t    *testing.T
	dir  string
	conn *pop.Connection
	url  string // of the database
}

// stock copies the application and takes the guide's changes back.
func stock(t *testing.T, name string) *application {
	t.Helper()
	a := &application{t: t, dir: filepath.Join(t.TempDir(), name)}
	require.NoError(t, os.CopyFS(a.dir, os.DirFS(filepath.Join(root, "examples", "buffalo"))))
	for _, file := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join("testdata", "stock."+file))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(a.dir, file), text, 0o644))
	}
	a.patch("-R")
	a.run("git", "init", "-q") // "git apply" does nothing inside of another repository's ignored folder
	a.limitPool()
	a.createDB()
	return a
}

// limitPool has the application use at most five connections, as buffalo new does in development.
func (a *application) limitPool() {
	file := filepath.Join(a.dir, "database.yml")
	text, err := os.ReadFile(file)
	require.NoError(a.t, err)
	text = regexp.MustCompile(`(?m)^  url: .*$`).ReplaceAll(text, []byte("$0\n  pool: 5"))
	require.NoError(a.t, os.WriteFile(file, text, 0o644))
}

func (a *application) createDB() {
	base := os.Getenv("TEST_POSTGRES_URL")
	if base == "" {
		base = "postgres://postgres@127.0.0.1:5432/%s?sslmode=disable"
	}
	a.url = fmt.Sprintf(base, fmt.Sprintf("heroes_adoption_%d_%s", os.Getpid(), filepath.Base(a.dir)))
	var err error
	a.conn, err = pop.NewConnection(&pop.ConnectionDetails{URL: a.url})
	require.NoError(a.t, err)
	if err := a.conn.Dialect.CreateDB(); err != nil {
		a.t.Skipf("no database can be made at %s (%v): start PostgreSQL, or set TEST_POSTGRES_URL to one", a.url, err)
	}
	require.NoError(a.t, a.conn.Open())
	a.t.Cleanup(func() {
		require.NoError(a.t, a.conn.Close())
		require.NoError(a.t, a.conn.Dialect.DropDB())
	})
}

// migrate runs the application's migrations.
func (a *application) migrate() {
	migrator, err := pop.NewFileMigrator(filepath.Join(a.dir, "migrations"), a.conn)
	require.NoError(a.t, err)
	migrator.SchemaPath = ""
	require.NoError(a.t, migrator.Up())
}

// patch applies the guide's changes, or with -R takes them back.
func (a *application) patch(args ...string) {
	cmd := exec.Command("git", append([]string{"apply", "--whitespace=nowarn"}, args...)...)
	cmd.Dir = a.dir
	cmd.Stdin = strings.NewReader(strings.Join(guide(a.t, "diff"), ""))
	out, err := cmd.CombinedOutput()
	require.NoError(a.t, err, "%s", out)
}

// adopt follows the guide. Its first commands get the modules, its second ones end the steps.
func (a *application) adopt() {
	require.NoError(a.t, os.Symlink(root, filepath.Join(a.dir, "heroes"))) // the checkout
	commands := guide(a.t, "sh")
	a.run("sh", "-ec", commands[0])
	a.patch()
	a.run("sh", "-ec", commands[1])
}

// require names one more module, as the guide does.
func (a *application) require(module string) {
	folder := "./heroes" + module[strings.Index(module, "/session"):]
	a.run("go", "mod", "edit", "-require", module+"@v0.0.0", "-replace", module+"="+folder)
}

func (a *application) run(name string, args ...string) string {
	a.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = a.dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod", "GO_ENV=test", "TEST_DATABASE_URL="+a.url)
	out, err := cmd.CombinedOutput()
	require.NoError(a.t, err, "%s %v: %s", name, args, out)
	return string(out)
}

// versions returns the version of each module.
func (a *application) versions() map[string]string {
	versions := map[string]string{}
	for line := range strings.Lines(a.run("go", "list", "-m", "all")) {
		if fields := strings.Fields(line); len(fields) >= 2 {
			versions[fields[0]] = fields[1]
		}
	}
	return versions
}

// start builds the application and runs it as in production.
func (a *application) start(env ...string) *browser {
	a.t.Helper()
	a.run("go", "build", "-o", "program", "./cmd/app")
	port := backendtest.FreePort(a.t)
	cmd := exec.Command("./program")
	cmd.Dir = a.dir
	cmd.Env = append(os.Environ(), "GO_ENV=production", "ADDR=127.0.0.1", "PORT="+port, "DATABASE_URL="+a.url,
		"SESSION_SECRET=only-for-tests-and-at-least-32-bytes")
	cmd.Env = append(cmd.Env, env...)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	require.NoError(a.t, cmd.Start())
	a.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if a.t.Failed() {
			a.t.Logf("the end of the log of %s: %s", filepath.Base(a.dir), log.Bytes()[max(0, log.Len()-3000):])
		}
	})
	b := &browser{t: a.t, server: "http://127.0.0.1:" + port}
	require.Eventually(a.t, func() bool {
		res, err := http.Get(b.server + "/robots.txt")
		if err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
		return err == nil
	}, 20*time.Second, 20*time.Millisecond)
	return b
}

var (
	token = regexp.MustCompile(`name="authenticity_token"[^>]*value="([^"]*)"`)
	own   = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|(content|value)="[A-Za-z0-9+/=]{40,}"|\d{4}-\d\d-\d\d[T ][0-9:.+Z]+( \+\d{4} \S+)?`)
)

// walk requests every page, as a person and as a program, and returns what came back, without what
// differs from run to run.
func (b *browser) walk() (seen []string) {
	note := func(what string, a answer) answer {
		h := a.header
		seen = append(seen, own.ReplaceAllString(fmt.Sprintln(what, a.status, h.Get("Content-Type"), h.Get("Location"), a.body), "*"))
		return a
	}
	send := func(method, path string, form url.Values, page answer) answer {
		if found := token.FindStringSubmatch(page.body); found != nil {
			form.Set("authenticity_token", found[1])
		}
		return note(method+" "+path, b.ask("POST", path, form))
	}
	for _, path := range []string{"/", "/robots.txt", "/assets/buffalo.css", "/nowhere", "/widgets"} {
		note(path, b.get(path))
	}
	form := note("/widgets/new", b.get("/widgets/new"))
	send("an empty", "/widgets", url.Values{"Name": {""}}, form)
	created := send("a full", "/widgets", url.Values{"Name": {`<b>"Zoë"</b>`}}, form)
	widget := created.header.Get("Location")
	require.NotEmpty(b.t, widget, seen[len(seen)-1])
	require.Contains(b.t, note("the widget", b.get(widget)).body, "successfully created", "the flash")
	edit := note("its form", b.get(widget+"/edit"))
	send("a change", widget, url.Values{"_method": {"PUT"}, "Name": {"a cape"}}, edit)
	require.Contains(b.t, note("/widgets again", b.get("/widgets")).body, "a cape")
	send("no token", widget, url.Values{"_method": {"DELETE"}}, answer{})
	send("the end", widget, url.Values{"_method": {"DELETE"}}, edit)
	note("gone", b.get(widget))
	return seen
}

// The modules that the guide names: views asks for plush v4.1.22, which asks for the rest.
var named = map[string]bool{
	"heroes/session": true, "heroes/session/buffalosession": true, "heroes/session/sqlstore": true, "heroes/views": true,
	"github.com/gobuffalo/plush/v4": true, "github.com/gobuffalo/github_flavored_markdown": true,
	"github.com/microcosm-cc/bluemonday": true, "github.com/sergi/go-diff": true, "github.com/stretchr/testify": true,
	"golang.org/x/net": true, "golang.org/x/sync": true, "golang.org/x/sys": true, "golang.org/x/term": true, "golang.org/x/text": true,
}

func Test_an_application_adopts_the_libraries_by_the_guide(t *testing.T) {
	before := stock(t, "before")
	before.migrate()
	before.run("go", "test", "-p", "1", "./...")

	after := stock(t, "after")
	after.adopt()
	after.migrate()
	for _, file := range []string{"actions/app.go", "actions/render.go", "actions/sessions.go"} {
		want, err := os.ReadFile(filepath.Join(root, "examples", "buffalo", file))
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(after.dir, file))
		require.NoError(t, err)
		require.Equal(t, string(want), string(got))
	}
	mysql, _, err := sqlstore.Schema("mysql", "sessions")
	require.NoError(t, err)
	require.Equal(t, guide(t, "sql")[0], mysql)
	up, down, err := sqlstore.Schema("postgres", "sessions")
	require.NoError(t, err)
	for direction, want := range map[string]string{"up": up, "down": down} {
		files, _ := filepath.Glob(filepath.Join(after.dir, "migrations", "*_create_sessions."+direction+".sql"))
		require.Len(t, files, 1)
		got, err := os.ReadFile(files[0])
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	after.run("go", "vet", "./...")
	after.run("go", "test", "-p", "1", "./...")

	is := after.versions()
	for module, version := range before.versions() {
		if is[module] != version {
			require.True(t, named[module], "%s %s became %s", module, version, is[module])
		}
	}

	was, becomes := before.start(), after.start()
	expected, got := was.walk(), becomes.walk()
	require.Equal(t, len(expected), len(got))
	for i := range expected {
		require.Equal(t, expected[i], got[i])
	}
	sealed := becomes.cookies["_example_session"]
	require.Len(t, sealed, 64, "the cookie contains a token")
	require.Greater(t, len(was.cookies["_example_session"]), 100, "the stock cookie contains the session")
}

// Whoever only imports the libraries, and keeps the stock sessions, keeps their cookie.
func Test_an_import_alone_changes_nothing(t *testing.T) {
	app := stock(t, "bare")
	app.migrate()
	before, cookie := app.versions(), app.start().firstCookie()
	require.NoError(t, os.Symlink(root, filepath.Join(app.dir, "heroes")))
	imports := "package actions\n"
	for _, module := range []string{"heroes/session", "heroes/session/buffalosession", "heroes/session/sqlstore"} {
		app.require(module)
		imports += fmt.Sprintf("import _ %q\n", module)
	}
	require.NoError(t, os.WriteFile(filepath.Join(app.dir, "actions", "imports.go"), []byte(imports), 0o644))
	app.run("go", "mod", "tidy")
	is := app.versions()
	for module, version := range before {
		require.Equal(t, version, is[module], module)
	}
	require.Equal(t, cookie, app.start().firstCookie())
}

// firstCookie returns the session's cookie of a first visit, without its value and its time.
func (b *browser) firstCookie() string {
	res := b.get("/widgets/new")
	require.Equal(b.t, http.StatusOK, res.status)
	return regexp.MustCompile(`=[^;]{100,}|Expires=[^;]*`).ReplaceAllString(res.header.Get("Set-Cookie"), "*")
}

// popmw keeps one of five connections for each request.
func Test_first_visits_do_not_wait_for_the_transactions_connections(t *testing.T) {
	app := stock(t, "visits")
	app.adopt()
	app.migrate()
	server := app.start().server
	var wait sync.WaitGroup
	var mu sync.Mutex
	count := map[int]int{}
	for range 16 {
		wait.Go(func() {
			for range 300/16 + 1 {
				visitor := &browser{t: t, server: server}
				status := visitor.get("/widgets/new").status
				mu.Lock()
				count[status]++
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	require.Equal(t, map[int]int{http.StatusOK: 304}, count)
}

// The guide's sessions in Redis: it is killed while a request waits for a lock in PostgreSQL.
func Test_an_outage_in_the_middle_of_a_request_rolls_the_transaction_back(t *testing.T) {
	redis, addr := backendtest.Redis(t)
	app := stock(t, "redis")
	app.adopt()
	app.migrate()
	file := filepath.Join(app.dir, "actions", "sessions.go")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var inRedis string
	for _, block := range guide(t, "go") {
		if strings.Contains(block, "redisstore.Open") {
			inRedis = block
		}
	}
	source := regexp.MustCompile(`(?m)^\tbackend, err := sqlstore.*$`).ReplaceAllLiteralString(string(text), inRedis)
	source = strings.Replace(source, `"heroes/session/sqlstore"`, `"heroes/session/redisstore"`, 1)
	source = strings.Replace(source, "\t\"example/models\"\n", "\t\"github.com/gobuffalo/envy\"\n", 1)
	require.NoError(t, os.WriteFile(file, []byte(source), 0o644))
	app.require("heroes/session/redisstore")
	app.run("go", "mod", "tidy")
	visitor := app.start("REDIS_URL=redis://" + addr + "/0")

	form := visitor.get("/widgets/new")
	values := url.Values{"Name": {"a cape"}, "authenticity_token": {token.FindStringSubmatch(form.body)[1]}}
	tx, err := app.conn.NewTransaction()
	require.NoError(t, err)
	require.NoError(t, tx.RawQuery("LOCK TABLE widgets IN EXCLUSIVE MODE").Exec())
	answers := make(chan answer)
	go func() { answers <- visitor.ask("POST", "/widgets", values) }()
	require.Eventually(t, func() bool {
		waiting, err := app.conn.Where("NOT granted AND relation = 'widgets'::regclass").Count("pg_locks")
		return err == nil && waiting > 0
	}, 10*time.Second, 10*time.Millisecond, "the request is in the middle")
	redis.Kill()
	require.NoError(t, tx.TX.Rollback())

	res := <-answers
	require.Equal(t, http.StatusServiceUnavailable, res.status)
	require.Empty(t, res.header["Set-Cookie"])
	count := func() int {
		n, err := app.conn.Count("widgets")
		require.NoError(t, err)
		return n
	}
	require.Zero(t, count(), "the transaction was rolled back")

	redis.Start(t)
	require.Eventually(t, func() bool {
		return visitor.ask("POST", "/widgets", values).status == http.StatusSeeOther
	}, 20*time.Second, time.Second, "the form can be sent again, with the same session and token")
	require.Equal(t, 1, count())
}
