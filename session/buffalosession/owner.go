package buffalosession

import (
	stdcontext "context"
	"fmt"
	"net/http"
	"time"

	"heroes/session"

	"github.com/gobuffalo/buffalo"
)

// SignIn records in the visitor's session who has proved to be its owner, such as a user's ID. See
// Store.SignIn of package session. In a test that has replaced the application's store, as package
// suite does, it only makes Owner return the owner.
func SignIn(c buffalo.Context, owner string, options ...session.SignInOption) error {
	store, err := storeOf(c)
	if err != nil {
		return err
	}
	if store == nil {
		c.Session().Set(testOwner, owner)
		return nil
	}
	before := Owner(c)
	err = store.SignIn(c.Request(), c.Session().Session, owner, options...)
	if err == nil && before != "" && before != owner {
		c.Flash().Clear() // the next person must not see it; Buffalo took it out of the session when the request came
	}
	return withStatus(c, err)
}

// SignOut ends the visitor's session, as Destroy does.
func SignOut(c buffalo.Context) error { return Destroy(c) }

// testOwner is the key of the owner in a test that has replaced the store.
const testOwner = "buffalosession.owner"

// Owner returns who is signed in, or "" for nobody.
func Owner(c buffalo.Context) string {
	store, _ := storeOf(c)
	if store == nil {
		owner, _ := c.Session().Get(testOwner).(string)
		return owner
	}
	return store.Owner(c.Request(), c.Session().Session)
}

// Fresh reports whether the visitor has signed in within that time.
func Fresh(c buffalo.Context, within time.Duration) bool {
	store, _ := storeOf(c)
	if store == nil {
		return Owner(c) != ""
	}
	return store.Fresh(c.Request(), c.Session().Session, within)
}

// RequireSignIn returns middleware that redirects visitors to the page signIn unless they have
// signed in within that time. If within is 0, any sign-in counts. After signing in, session.ReturnTo leads back.
func RequireSignIn(within time.Duration, signIn string) buffalo.MiddlewareFunc {
	return func(next buffalo.Handler) buffalo.Handler {
		return func(c buffalo.Context) error {
			if Owner(c) == "" || within > 0 && !Fresh(c, within) {
				return c.Redirect(http.StatusSeeOther, session.SignInURL(c.Request(), signIn))
			}
			return next(c)
		}
	}
}

// Get returns the value of a typed key, and whether there is one of that type.
func Get[T any](c buffalo.Context, key session.Key[T]) (T, bool) { return key.Get(c.Session().Session) }

// Set sets the value of a typed key.
func Set[T any](c buffalo.Context, key session.Key[T], v T) { key.Set(c.Session().Session, v) }

// Info describes the visitor's session. Its ID tells which one of Sessions it is.
func Info(c buffalo.Context) session.Info {
	store, _ := storeOf(c)
	if store == nil {
		return session.Info{New: true}
	}
	return store.Info(c.Request(), c.Session().Session)
}

// Sessions returns the sessions of the visitor who is signed in, the most recently used first. The
// error is session.ErrNoBackend if the sessions are in cookies.
func Sessions(c buffalo.Context) ([]session.Entry, error) {
	store, err := storeOf(c)
	if store == nil {
		return nil, err
	}
	list, err := store.Sessions(c, c.Session().Session.Name(), Owner(c))
	return list, withStatus(c, err)
}

// RevokeOwned ends one of the visitor's sessions, by its ID, and reports whether there was one. For this
// session it does what SignOut does.
func RevokeOwned(c buffalo.Context, id string) (bool, error) {
	store, err := storeOf(c)
	if store == nil {
		return false, err
	}
	if id == Info(c).ID && Owner(c) != "" {
		return true, SignOut(c)
	}
	ended, err := store.RevokeOwned(stdcontext.WithoutCancel(c), c.Session().Session.Name(), Owner(c), id)
	return ended, withStatus(c, err)
}

// RevokeOthers ends all sessions of the visitor except for this one, at once. It returns how many
// it has ended.
func RevokeOthers(c buffalo.Context) (int, error) {
	store, err := storeOf(c)
	if store == nil {
		return 0, err
	}
	n, err := store.RevokeOthers(c.Request(), c.Session().Session)
	return n, withStatus(c, err)
}

// RevokeOwner ends all sessions of an owner, at once, such as after a reset of the password. It
// returns how many it has ended. If this session is one of them, it also does what SignOut does.
func RevokeOwner(c buffalo.Context, owner string) (int, error) {
	store, err := storeOf(c)
	if store == nil {
		return 0, err
	}
	own := owner != "" && owner == Owner(c)
	n, err := store.RevokeOwner(stdcontext.WithoutCancel(c), c.Session().Session.Name(), owner)
	if err == nil && own {
		err = SignOut(c)
	}
	return n, withStatus(c, err)
}

// withStatus returns err with the status that session.Status chooses for it.
func withStatus(c buffalo.Context, err error) error {
	if err == nil {
		return nil
	}
	if status := session.Status(c.Response().Header(), err); status != http.StatusInternalServerError {
		return c.Error(status, err)
	}
	return err
}

// Renew replaces the token of the visitor's session and keeps its values. Call it whenever the
// visitor's rights change (OWASP ASVS 5.0, 7.2.4); SignIn renews by itself. A token that someone
// planted in the browser is then useless. In a test that has replaced the application's store, as
// package suite does, Renew does nothing.
func Renew(c buffalo.Context) error {
	store, err := storeOf(c)
	if store == nil {
		return err
	}
	return store.Renew(c.Request(), c.Session().Session)
}

// Destroy ends the visitor's session. Values set afterwards, such as a flash, belong to a new
// one. In a test that has replaced the application's store, Destroy removes the values.
func Destroy(c buffalo.Context) error {
	store, err := storeOf(c)
	if err != nil {
		return err
	}
	c.Flash().Clear() // Buffalo took it out of the session when the request came
	if store == nil {
		c.Session().Clear()
		return nil
	}
	return store.Destroy(c.Request(), c.Session().Session)
}

// storeOf returns the Store of the visitor's session. In a test it is nil, without an error, if the
// session is in another store.
func storeOf(c buffalo.Context) (*session.Store, error) {
	store, ok := c.Session().Session.Store().(*session.Store)
	if !ok && c.Value("env") != "test" {
		return nil, fmt.Errorf("buffalosession: the session is in a %T: call buffalosession.Install, and set no other buffalo.Options.SessionStore afterwards", c.Session().Session.Store())
	}
	return store, nil
}
