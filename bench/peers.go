package main

import (
	"context"
	"os/exec"
	"path/filepath"
	"slices"
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

	plain      bool // it shows the bare page, and is not compared with the first peer but with the first such
	ownHeaders bool // it does not send the headers of Heroes

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

	plainPage = ", plain page"
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
	stockPeer := &peer{name: stock, source: stockSource, against: scsMemory, ownHeaders: true}
	scsPeer := &peer{name: scsMemory, source: scsSource, against: scsMemory}
	fiberPeer := &peer{name: fiber, source: fiberSource, against: scsMemory}
	barePeer := &peer{name: "bare net/http", source: "./peers/bare", against: scsMemory,
		env: []string{"HERO_NAME=" + heroName, "HERO_ALTER_EGO=" + heroAlterEgo, "HERO_CATCH_PHRASE=" + heroPhrase}}
	flaskPeer := &peer{name: flask, needs: missingFlask, against: scsMemory, ownHeaders: true,
		env:     []string{"PYTHONDONTWRITEBYTECODE=1"},
		command: []string{"/usr/bin/gunicorn", "--workers", "2", "--bind", "127.0.0.1:PORT", "--chdir", folder, "app:app"}}
	redisPeer := &peer{name: scsRedis, source: scsSource, store: redisStore, against: scsRedis,
		env: []string{"REDIS_URL=" + redisURL}}
	postgresPeer := &peer{name: scsPostgres, source: scsSource, store: postgresStore, against: scsPostgres,
		env: []string{"DATABASE_URL=" + databaseURL(postgresURL, scsDB, "pool_max_conns", "20")}} // database.yml's pool
	return []*peer{
		{name: "Heroes", source: heroesSource, against: scsMemory},
		{name: "Heroes, every request logged", source: heroesSource, env: []string{"LOG_LEVEL=info"}, against: scsMemory},
		stockPeer, stockPeer.tuned(), stockPeer.onPlainPage(),
		scsPeer, scsPeer.tuned(), scsPeer.onPlainPage(), scsPeer.onPlainPage().tuned(),
		fiberPeer, fiberPeer.tuned(), fiberPeer.onPlainPage(),
		barePeer, barePeer.tuned(),
		flaskPeer, flaskPeer.onPlainPage(),
		{name: "Heroes, Redis", source: heroesSource, store: redisStore, against: scsRedis,
			env: []string{"SESSION_STORE=redis", "REDIS_URL=" + redisURL}},
		redisPeer, redisPeer.tuned(),
		{name: "Heroes, PostgreSQL", source: heroesSource, store: postgresStore, against: scsPostgres, before: []string{"migrate"},
			env: []string{"SESSION_STORE=database", "DATABASE_URL=" + databaseURL(postgresURL, heroesDB)}},
		postgresPeer, postgresPeer.tuned(),
	}
}

// tuned is the same peer with the GOGC of Heroes.
func (p *peer) tuned() *peer {
	other := *p
	other.name += tuned
	other.env = slices.Concat(p.env, []string{gogc})
	return &other
}

// onPlainPage is the same peer with the lesson's bare page: without a layout, and without the
// headers of Heroes.
func (p *peer) onPlainPage() *peer {
	other := *p
	other.name += plainPage
	other.env = slices.Concat(p.env, []string{"PLAIN=true"})
	other.plain, other.ownHeaders = true, true
	return &other
}

// environment is all that a peer sees of it, as on a server: of the two settings of a name
// the later one counts.
func (p *peer) environment() []string {
	return append([]string{
		"PATH=/usr/bin:/bin",
		"GO_ENV=production",
		"NEW_SESSIONS=0", // the load has one address
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
