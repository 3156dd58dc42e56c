package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"heroes/actions"
	"heroes/config"
	"heroes/edge"
	"heroes/session"
	"heroes/session/buffalosession"

	"github.com/gobuffalo/buffalo"
	"github.com/gobuffalo/events"
)

func serve() error {
	events.SetManager(&quietEvents{Manager: events.DefaultManager()})
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(300) // 10 MB more memory saves a quarter of the time
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(150 << 20) // from there on, memory counts more than time
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP) // it would end the program while this waits for its store
	app := actions.App()
	store := app.SessionStore.(*session.Store)
	defer store.Close()
	go store.PurgeEvery(app.Context, 5*time.Minute) // also while there are no visitors
	c, err := config.Get()
	if err != nil {
		return err
	}
	handler := actions.Handler(app, c)
	if c.Metrics != nil {
		handler = c.Metrics.Requests(paths(app), handler)
		if err := serveMetrics(app.Context, c.MetricsAddr, c.Metrics.Handler()); err != nil {
			return err
		}
	}
	listener, err := listen(app.Addr)
	if err != nil {
		return err
	}
	announce(app, address(listener))
	go reload(app, store, c, hangup)
	return app.Serve(&server{newServer(handler, c), listener})
}

// newServer returns a server with limits that no client can stretch.
func newServer(handler http.Handler, c config.Config) *http.Server {
	s := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    c.MaxHeader,

		DisableGeneralOptionsHandler: true, // it would answer OPTIONS * without our headers
	}
	if c.MaxConnections > 0 {
		edge.LimitConnections(s, c.MaxConnections)
	}
	return s
}

// reload reads SESSION_SECRET_FILE again with each SIGHUP. After an error, the secrets from before stay.
func reload(app *buffalo.App, store *session.Store, c config.Config, hangup chan os.Signal) {
	for {
		select {
		case <-app.Context.Done():
			return
		case <-hangup:
		}
		switch secrets, err := buffalosession.Secrets(c.Env); {
		case err != nil:
			app.Logger.Error("SIGHUP: the secrets stay as they were: ", err)
		case len(c.OldStores) > 0:
			app.Logger.Error("SIGHUP: while SESSION_STORE names old stores, secrets are read only at the start: restart the application")
		default:
			_ = store.SetSecrets(secrets) // Secrets has checked them
			app.Logger.Infof("SIGHUP: secrets were read again: %d", len(secrets))
		}
	}
}

// serveMetrics serves the metrics until ctx ends, at an address of their own, so that no proxy has
// to keep visitors away from them.
func serveMetrics(ctx context.Context, addr string, handler http.Handler) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("METRICS_ADDR: cannot listen at %s: %w: set it to a free address", addr, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", handler)
	s := newServer(mux, config.Config{MaxHeader: 16 << 10})
	context.AfterFunc(ctx, func() { _ = s.Close() })
	go func() { _ = s.Serve(listener) }()
	return nil
}

// paths returns the paths that the metrics name.
func paths(app *buffalo.App) (paths []string) {
	for _, route := range app.Routes() {
		paths = append(paths, route.Path)
	}
	return append(paths, "/healthz", "/readyz")
}

// announce reports the address of the application: to a person, or in production to the log.
func announce(app *buffalo.App, address string) {
	if config.Production(app.Env) {
		app.Logger.Info("Heroes is at ", address)
		return
	}
	fmt.Println("Heroes is at", address)
}

func listen(addr string) (net.Listener, error) {
	network, address := config.Network(addr)
	if network == "unix" {
		removeUnused(address)
	}
	l, err := net.Listen(network, address)
	if err != nil && network == "unix" {
		return nil, fmt.Errorf("cannot listen at %s (%w): set ADDR to an unused path in a folder that exists", addr, errors.Unwrap(err))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen at %s (%w): set ADDR and PORT to a free address", addr, errors.Unwrap(err))
	}
	return l, nil
}

// removeUnused removes a socket at which nobody listens, such as that of a process that was killed.
func removeUnused(path string) {
	if info, err := os.Lstat(path); err != nil || info.Mode().Type() != os.ModeSocket {
		return // such as a file that was named by mistake
	}
	conn, err := net.Dial("unix", path)
	if errors.Is(err, syscall.ECONNREFUSED) {
		_ = os.Remove(path)
	} else if err == nil {
		_ = conn.Close()
	}
}

// address returns what a person opens in a browser.
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

// A server is a Buffalo server that serves actions.Handler instead of the bare application.
type server struct {
	*http.Server
	listener net.Listener
}

func (s *server) Start(context.Context, http.Handler) error { return s.Serve(s.listener) }
func (s *server) SetAddr(string)                            {}
func (s *server) String() string                            { return "server at " + s.listener.Addr().String() }
