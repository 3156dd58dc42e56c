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
	store, err := session.New([][]byte{[]byte(session.NewSecret())}, session.Options{}) // no task opens a session
	if err != nil {
		panic(err)
	}
	buffalo.Grifts(actions.App(store)) // routes, middleware
	grift.Desc("secret", "Print a secret for SESSION_SECRET")
	grift.Set("secret", func(*grift.Context) error { // Buffalo's prints bytes that no environment can hold
		fmt.Println(session.NewSecret())
		return nil
	})
}
