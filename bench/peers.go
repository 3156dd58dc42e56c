package main

import (
	"context"
	"os/exec"
	"path/filepath"
)

// A peer is one server of the comparison.
type peer struct {
	name    string
	needs   func(context.Context) string // what is missing to run it, "" when nothing is
	store   *store                       // where its sessions are, when on another server
	source  string                       // the folder of its program, "" when it is not Go's
	command []string                     // the program, with PORT in it; of a source what was built
	before  []string                     // arguments of a run of the program before it serves
	env     []string
	against string // the peer that the ratios are taken to

	ownHeaders bool // it stays as it comes, and does not send the headers of Heroes

	server  *server
	visitor browser // with a hero, whose flash is gone
	first   browser // a first visit's: empty, or with the token that a form asks for

	starts        []float64 // milliseconds
	get, post     []float64 // requests per second
	p99           []float64 // milliseconds, of get
	memGet, memAt int       // bytes in the last round: under GET, and at most
}

const (
	scsMemory   = "net/http + scs"
	scsRedis    = "net/http + scs, Redis"
	scsPostgres = "net/http + scs, PostgreSQL"
)

// Heroes sets GOGC to 300 by itself. A peer runs as it comes, and once more with the same.
const (
	stock = "stock Buffalo"
	fiber = "fiber"
	flask = "Flask, gunicorn"
	gogc  = "GOGC=300"
	tuned = ", " + gogc
)

const (
	heroesSource = "../cmd/app"
	stockSource  = "./peers/stock"
	scsSource    = "./peers/scs"
	fiberSource  = "./peers/fiber"
)

// allPeers is what can be measured, in the order of the table. The first one's pages are
// what the others' are compared with.
func allPeers() []*peer {
	folder, _ := filepath.Abs("peers/flask") // it is not run in this folder
	return []*peer{
		{name: "Heroes", source: heroesSource, against: scsMemory},
		{name: "Heroes, every request logged", source: heroesSource, env: []string{"LOG_LEVEL=info"}, against: scsMemory},
		{name: stock, source: stockSource, against: scsMemory, ownHeaders: true},
		{name: stock + tuned, source: stockSource, against: scsMemory, ownHeaders: true, env: []string{gogc}},
		{name: scsMemory, source: scsSource, against: scsMemory},
		{name: scsMemory + tuned, source: scsSource, against: scsMemory, env: []string{gogc}},
		{name: fiber, source: fiberSource, against: scsMemory},
		{name: fiber + tuned, source: fiberSource, against: scsMemory, env: []string{gogc}},
		{name: "bare net/http", source: "./peers/bare", against: scsMemory,
			env: []string{"HERO_NAME=" + heroName, "HERO_ALTER_EGO=" + heroAlterEgo, "HERO_CATCH_PHRASE=" + heroPhrase}},
		{name: flask, needs: missingFlask, against: scsMemory, ownHeaders: true,
			env:     []string{"PYTHONDONTWRITEBYTECODE=1"},
			command: []string{"/usr/bin/gunicorn", "--workers", "2", "--bind", "127.0.0.1:PORT", "--chdir", folder, "app:app"}},
		{name: "Heroes, Redis", source: heroesSource, store: redisStore, against: scsRedis,
			env: []string{"SESSION_STORE=redis", "REDIS_URL=" + redisURL}},
		{name: scsRedis, source: scsSource, store: redisStore, against: scsRedis,
			env: []string{"REDIS_URL=" + redisURL}},
		{name: "Heroes, PostgreSQL", source: heroesSource, store: postgresStore, against: scsPostgres, before: []string{"migrate"},
			env: []string{"SESSION_STORE=database", "DATABASE_URL=" + databaseURL(postgresURL, heroesDB)}},
		{name: scsPostgres, source: scsSource, store: postgresStore, against: scsPostgres,
			env: []string{"DATABASE_URL=" + databaseURL(postgresURL, scsDB, "pool_max_conns", "20")}}, // database.yml's pool
	}
}

// environment is all that a peer sees of it, as on a server: of the two settings of a name
// the later one counts.
func (p *peer) environment() []string {
	return append([]string{
		"PATH=/usr/bin:/bin",
		"GO_ENV=production",
		"ADDR=127.0.0.1",
		"LOG_LEVEL=warn",
		"SESSION_SECRET=0123456789abcdef0123456789abcdef0123456789abcdef",
	}, p.env...)
}

func missingFlask(ctx context.Context) string {
	if exec.CommandContext(ctx, "/usr/bin/gunicorn", "--version").Run() != nil ||
		exec.CommandContext(ctx, "/usr/bin/python3", "-c", "import flask").Run() != nil {
		return "Flask or gunicorn is missing (Debian's packages python3-flask and gunicorn)"
	}
	return ""
}
