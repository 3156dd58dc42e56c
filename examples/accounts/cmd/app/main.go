// Command app serves an application in which people sign in.
package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"heroes/session/boltstore"

	"accounts/actions"
	"accounts/models"

	"github.com/gobuffalo/buffalo/servers"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	people, err := models.Open("tmp/accounts.db", models.Recommended)
	if err != nil {
		return err
	}
	defer people.Close()
	backend, err := boltstore.Open("tmp/sessions.db")
	if err != nil {
		return err
	}
	defer backend.Close()
	app, err := actions.New(cmp.Or(os.Getenv("GO_ENV"), "development"), people, backend)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", app.Addr) // of ADDR and PORT
	if err != nil {
		return fmt.Errorf("%w: set PORT to one that is free", err)
	}
	fmt.Printf("Accounts is at http://%s\n", listener.Addr())
	server := &http.Server{ReadTimeout: 10 * time.Second}
	return app.Serve(guarded{&servers.Listener{Server: server, Listener: listener}})
}

// A guarded server serves the application behind actions.Guard.
type guarded struct{ *servers.Listener }

func (g guarded) Start(ctx context.Context, app http.Handler) error {
	return g.Listener.Start(ctx, actions.Guard(app))
}
