package grifts

import (
	"errors"
	"fmt"
	"time"

	"heroes/actions"
	"heroes/config"
	"heroes/session"

	"github.com/gobuffalo/grift/grift"
)

func init() {
	add("sessions:count", "Print how many sessions are on the server", count)
	add("sessions:list", "Print each session's ID, age, last use and size", list)
	add("sessions:revoke", "End the sessions with these IDs, or all", revoke)
	add("sessions:purge", "Delete the sessions that have expired", purge)
}

// add makes a task of what needs the store that the environment names.
func add(name, description string, task func(*grift.Context, *session.Store) error) {
	_ = grift.Desc(name, description)
	_ = grift.Set(name, func(c *grift.Context) error {
		conf, err := config.Read()
		if err != nil {
			return err
		}
		store, err := conf.Open(c)
		if err != nil {
			return err
		}
		return task(c, store)
	})
}

func count(c *grift.Context, store *session.Store) error {
	n := 0
	err := store.Each(c, actions.SessionName(), func(session.Entry) error { n++; return nil })
	if err == nil {
		fmt.Println(n)
	}
	return err
}

func list(c *grift.Context, store *session.Store) error {
	const format = "%-32s  %12s  %12s  %8s\n"
	fmt.Printf(format, "ID", "AGE", "LAST USE", "BYTES")
	return store.Each(c, actions.SessionName(), func(e session.Entry) error {
		fmt.Printf(format, e.ID, ago(e.Created), ago(e.LastUse), fmt.Sprint(e.Size))
		return nil
	})
}

func ago(t time.Time) string {
	return time.Since(t).Round(time.Second).String()
}

func revoke(c *grift.Context, store *session.Store) error {
	switch {
	case len(c.Args) == 0:
		return errors.New("which? Name the IDs that sessions:list prints, or: all")
	case c.Args[0] == "all":
		err := store.RevokeAll(c)
		if err == nil {
			fmt.Println("every session is ended")
		}
		return err
	}
	for _, id := range c.Args {
		ended, err := store.Revoke(c, actions.SessionName(), id)
		if err != nil {
			return err
		}
		if ended {
			fmt.Println(id, "is ended")
		} else {
			fmt.Println(id, "is no session")
		}
	}
	return nil
}

func purge(c *grift.Context, store *session.Store) error {
	n, err := store.Purge(c, func(deleted int) { fmt.Println(deleted, "deleted so far") })
	fmt.Println(n, "deleted")
	return err
}
