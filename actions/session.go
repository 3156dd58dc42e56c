package actions

import (
	"net/http"

	"heroes/session/buffalosession"

	"github.com/gobuffalo/buffalo"
)

// SessionDestroy forgets the visitor. The flash that says so starts a session of
// its own, which ends when it has been read.
func SessionDestroy(c buffalo.Context) error {
	if err := buffalosession.Destroy(c); err != nil {
		return err
	}
	c.Response().Header().Set("Clear-Site-Data", `"cache", "storage"`) // the cookie is the session's to remove
	c.Flash().Add("info", say(c, "session.destroyed"))
	return c.Redirect(http.StatusSeeOther, "/")
}

// cookiesBlocked is true for a visitor who comes from a page of ours and brings no cookie: the
// browser keeps none, or it has come back to a page whose session has ended. Who keeps none
// would never see the flash of a redirect.
func cookiesBlocked(c buffalo.Context) bool {
	_, err := c.Request().Cookie(SessionName())
	_, ours := cameFrom(c)
	return err != nil && ours
}
