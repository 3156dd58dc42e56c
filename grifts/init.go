// Package grifts holds the tasks: "app task NAME", or "buffalo task NAME".
package grifts

import (
	"fmt"

	"heroes/actions"
	"heroes/session"

	"github.com/gobuffalo/buffalo"
	"github.com/gobuffalo/grift/grift"
)

func init() {
	add("secret", "Print a new secret for SESSION_SECRET", func(*grift.Context) error {
		fmt.Println(session.NewSecret()) // Buffalo's own prints bytes that no environment can hold
		return nil
	})
	add("routes", "Print the routes", withApp("routes"))
	add("middleware", "Print the middleware", withApp("middleware"))
}

func add(name, description string, task grift.Grift) {
	_ = grift.Desc(name, description)
	_ = grift.Set(name, task)
}

// withApp returns a task that builds the application, replaces itself by Buffalo's task of that
// name, and runs it.
func withApp(name string) grift.Grift {
	return func(c *grift.Context) error {
		app := actions.App()
		_ = grift.Remove(name)
		buffalo.Grifts(app)
		return grift.Run(name, c)
	}
}
