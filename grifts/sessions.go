package grifts

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
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
	add("sessions:list", "Print each session, or an owner's: --owner NAME", sessions(list))
	add("sessions:revoke", "End the sessions with these IDs, all, or an owner's: --owner NAME", sessions(revoke))
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
			return errors.New("SESSION_STORE: the sessions are in the visitors' cookies, where no task can reach them: set it to database, redis or file, as for the application; to end sessions in cookies, change SESSION_SECRET")
		}
		if settings.Store == "file" { // which a server may have open
			if settings.Session.Backend, err = boltstore.Reach(c, settings.File); err != nil {
				return fmt.Errorf("SESSION_FILE: %w", err)
			}
		}
		settings.OldStores = nil // which a server may have open
		store, err := models.Sessions(c, settings)
		if err != nil {
			return err
		}
		defer store.Close()
		return task(c, store, settings.SessionName())
	}
}

func count(c *grift.Context, store *session.Store, name string) error {
	if err := nothingElse(c.Args, "leave it out"); err != nil {
		return err
	}
	n := 0
	unreadable, err := store.Each(c, name, func(session.Entry) error { n++; return nil })
	if err == nil {
		fmt.Println(n)
		report(unreadable)
	}
	return err
}

// nothingElse returns an error, which ends with the fix, if there are arguments that a task does not take.
func nothingElse(args []string, fix string) error {
	if len(args) > 0 {
		return fmt.Errorf("unexpected %q: %s", args[0], fix)
	}
	return nil
}

// ownerOf returns the value of --owner, or "", and the arguments that remain.
func ownerOf(c *grift.Context) (owner string, rest []string, err error) {
	flags := flag.NewFlagSet(c.Name, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the error says it
	flags.StringVar(&owner, "owner", "", "")
	if err := flags.Parse(c.Args); err != nil {
		return "", nil, fmt.Errorf("%w: the only option is --owner NAME", err)
	}
	flags.Visit(func(*flag.Flag) {
		if owner == "" {
			err = errors.New("--owner needs a name")
		}
	})
	return owner, flags.Args(), err
}

func list(c *grift.Context, store *session.Store, name string) error {
	owner, rest, err := ownerOf(c)
	if err == nil {
		err = nothingElse(rest, "use sessions:list, or sessions:list --owner NAME")
	}
	if err != nil {
		return err
	}
	const format = "%-32s  %12s  %12s  %12s  %8s  %s\n"
	fmt.Printf(format, "ID", "AGE", "LAST USE", "SIGNED IN", "BYTES", "OWNER AND NOTE")
	show := func(e session.Entry) error {
		signedIn, about := "", ""
		if e.Owner != "" {
			signedIn, about = ago(e.Authenticated), strconv.Quote(e.Owner)
		}
		if e.Note != "" {
			about += " " + strconv.Quote(e.Note)
		}
		fmt.Printf(format, e.ID, ago(e.Created), ago(e.LastUse), signedIn, fmt.Sprint(e.Size), about)
		return nil
	}
	if owner == "" {
		unreadable, err := store.Each(c, name, show)
		if err == nil {
			report(unreadable)
		}
		return err
	}
	entries, err := store.Sessions(c, name, owner)
	for _, e := range entries {
		_ = show(e)
	}
	return err
}

// report prints how many records could not be opened.
func report(unreadable int) {
	if unreadable > 0 {
		fmt.Printf("and %d more that cannot be opened with this SESSION_SECRET and GO_ENV\n", unreadable)
	}
}

func ago(t time.Time) string {
	return time.Since(t).Round(time.Second).String()
}

func revoke(c *grift.Context, store *session.Store, name string) error {
	owner, ids, err := ownerOf(c)
	switch {
	case err != nil:
		return err
	case owner != "" && len(ids) > 0:
		return errors.New("pass IDs or --owner, not both")
	case owner != "":
		n, err := store.RevokeOwner(c, name, owner)
		if err == nil {
			fmt.Printf("ended %d session(s)\n", n)
		}
		return err
	case len(ids) == 0:
		return errors.New("pass the IDs that sessions:list prints, --owner NAME, or all")
	case ids[0] == "all":
		if err := nothingElse(ids[1:], "name IDs, or all"); err != nil {
			return err
		}
		err := store.RevokeAll(c)
		if err == nil {
			fmt.Println("all sessions have ended")
		}
		return err
	}
	var unknown []string
	for _, id := range ids {
		ended, err := store.Revoke(c, name, id)
		if err != nil {
			return err
		}
		if ended {
			fmt.Println(id, "has ended")
		} else {
			unknown = append(unknown, id)
		}
	}
	if len(unknown) > 0 {
		return fmt.Errorf("there is no session %s: sessions:list prints the IDs", strings.Join(unknown, ", "))
	}
	return nil
}

func purge(c *grift.Context, store *session.Store, _ string) error {
	if err := nothingElse(c.Args, "leave it out"); err != nil {
		return err
	}
	n, err := store.Purge(c, func(deleted int) { fmt.Println(deleted, "deleted so far") })
	fmt.Println(n, "deleted")
	return err
}
