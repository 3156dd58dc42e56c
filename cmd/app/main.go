// Command app serves Heroes, or runs one of its tasks:
//
//	app              serves
//	app migrate      makes the tables that SESSION_STORE=database needs
//	app health       asks the application that runs here whether it is well
//	app task NAME    runs a task; "app task list" names them all
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"heroes/actions"
	"heroes/config"
	_ "heroes/grifts"
	"heroes/metrics"
	"heroes/models"
	"heroes/session"

	"github.com/gobuffalo/buffalo"
	"github.com/gobuffalo/events"
	"github.com/gobuffalo/grift/grift"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 0:
		return serve()
	case args[0] == "migrate":
		return models.Migrate()
	case args[0] == "health":
		return health()
	case args[0] == "task":
		grift.CommandName = "app task"
		return grift.Exec(args[1:], false)
	default:
		return fmt.Errorf("unknown command %q: run it without one to serve, or with: migrate, health, task list", args[0])
	}
}

func serve() error {
	events.SetManager(&quietEvents{Manager: events.DefaultManager()})
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(300) // little of what is made here lives on: 10 MB more save a quarter of the time
	}
	c, err := config.Read()
	if err := errors.Join(err, actions.CheckPages()); err != nil {
		return err
	}
	var m *metrics.Metrics
	if c.MetricsAddr != "" {
		m = metrics.New()
		c.Measure = m.Backend
	}
	var app *buffalo.App
	c.Session.OnEvent = func(ctx context.Context, e session.Event) {
		actions.LogSession(ctx, app.Logger, e)
		m.Session(e)
	}
	store, err := c.Open(context.Background())
	if err != nil {
		return err
	}
	app = actions.App(store)
	go store.PurgeEvery(app.Context, 5*time.Minute)
	handler := actions.Handler(app)
	if c.MetricsAddr != "" {
		handler = m.Requests(paths(app), handler)
		if err := serveMetrics(app.Context, c.MetricsAddr, m.Handler()); err != nil {
			return err
		}
	}
	listener, err := listen(app.Addr)
	if err != nil {
		return err
	}
	announce(app, address(listener))
	return app.Serve(&server{newServer(handler), listener})
}

// newServer gives each request a time that a slow client cannot stretch.
func newServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,

		DisableGeneralOptionsHandler: true, // it would answer OPTIONS * without our headers
	}
}

// serveMetrics serves them until ctx ends, at an address of their own, which a proxy need
// not keep visitors from.
func serveMetrics(ctx context.Context, addr string, handler http.Handler) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("METRICS_ADDR: cannot listen at %s: %w: set it to an address that is free", addr, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", handler)
	s := newServer(mux)
	context.AfterFunc(ctx, func() { _ = s.Close() })
	go func() { _ = s.Serve(listener) }()
	return nil
}

// paths are those that the metrics name.
func paths(app *buffalo.App) (paths []string) {
	for _, route := range app.Routes() {
		paths = append(paths, route.Path)
	}
	return append(paths, "/healthz", "/readyz")
}

// announce says where the application is: to a person, or in production to the log.
func announce(app *buffalo.App, address string) {
	if actions.Production(app.Env) {
		app.Logger.Info("Heroes is at ", address)
		return
	}
	fmt.Println("Heroes is at", address)
}

func listen(addr string) (net.Listener, error) {
	network := "tcp"
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		network, addr = "unix", path
	}
	l, err := net.Listen(network, addr)
	if err != nil {
		return nil, fmt.Errorf("cannot listen at %s: %w: set ADDR and PORT to an address that is free", addr, err)
	}
	return l, nil
}

// address is what a person opens in a browser.
func address(l net.Listener) string {
	tcp, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return l.Addr().String()
	}
	host := tcp.IP.String()
	if tcp.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, fmt.Sprint(tcp.Port))
}

// server is a Buffalo server that serves actions.Handler, not the bare application.
type server struct {
	*http.Server
	listener net.Listener
}

func (s *server) Start(context.Context, http.Handler) error { return s.Serve(s.listener) }
func (s *server) SetAddr(string)                            {}
func (s *server) String() string                            { return "server at " + s.listener.Addr().String() }
