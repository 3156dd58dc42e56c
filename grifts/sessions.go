package grifts

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"heroes/config"
	"heroes/models"
	"heroes/session"
	"heroes/session/boltstore"

	"github.com/gobuffalo/grift/grift"
)

func init() {
	add("sessions:count", "Print how many sessions are on the server", sessions(count))
	add("sessions:list", "Print each session's ID, age, last use and size", sessions(list))
	add("sessions:revoke", "End the sessions with these IDs, or all", sessions(revoke))
	add("sessions:purge", "Delete expired sessions", sessions(purge))
}

// sessions returns a task that opens the sessions of the environment.
func sessions(task func(*grift.Context, *session.Store, string) error) grift.Grift {
	return func(c *grift.Context) error {
		settings, err := config.Get()
		if err != nil {
			return err
		}
		if settings.Store == "cookie" {
			return errors.New("SESSION_STORE: the sessions are in the visitors' cookies, where no task can reach them: set it to database, redis or file, as the application has it; to end sessions in cookies, change SESSION_SECRET")
		}
		if settings.Store == "file" { // which a server may have open
			if settings.Session.Backend, err = boltstore.Reach(c, settings.File); err != nil {
				return fmt.Errorf("SESSION_FILE: %w", err)
			}
		}
		store, err := models.Sessions(c, settings)
		if err != nil {
			return err
		}
		defer store.Close()
		return task(c, store, settings.SessionName())
	}
}

func count(c *grift.Context, store *session.Store, name string) error {
	n := 0
	unreadable, err := store.Each(c, name, func(session.Entry) error { n++; return nil })
	if err == nil {
		fmt.Println(n)
		report(unreadable)
	}
	return err
}

func list(c *grift.Context, store *session.Store, name string) error {
	const format = "%-32s  %12s  %12s  %8s\n"
	fmt.Printf(format, "ID", "AGE", "LAST USE", "BYTES")
	unreadable, err := store.Each(c, name, func(e session.Entry) error {
		fmt.Printf(format, e.ID, ago(e.Created), ago(e.LastUse), fmt.Sprint(e.Size))
		return nil
	})
	if err == nil {
		report(unreadable)
	}
	return err
}

// report prints how many records could not be opened.
func report(unreadable int) {
	if unreadable > 0 {
		fmt.Printf("and %d that this SESSION_SECRET and GO_ENV cannot open\n", unreadable)
	}
}

func ago(t time.Time) string {
	return time.Since(t).Round(time.Second).String()
}

func revoke(c *grift.Context, store *session.Store, name string) error {
	switch {
	case len(c.Args) == 0:
		return errors.New("name the IDs that sessions:list prints, or: all")
	case c.Args[0] == "all":
		err := store.RevokeAll(c)
		if err == nil {
			fmt.Println("all sessions are ended")
		}
		return err
	}
	var unknown []string
	for _, id := range c.Args {
		ended, err := store.Revoke(c, name, id)
		if err != nil {
			return err
		}
		if ended {
			fmt.Println(id, "is ended")
		} else {
			unknown = append(unknown, id)
		}
	}
	if len(unknown) > 0 {
		return fmt.Errorf("there is no session %s: sessions:list prints those there are", strings.Join(unknown, ", "))
	}
	return nil
}

func purge(c *grift.Context, store *session.Store, _ string) error {
	n, err := store.Purge(c, func(deleted int) { fmt.Println(deleted, "deleted so far") })
	fmt.Println(n, "deleted")
	return err
}
