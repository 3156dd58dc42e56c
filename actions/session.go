package actions

import (
	"net/http"

	"heroes/session/buffalosession"

	"github.com/gobuffalo/buffalo"
)

// SessionDestroy ends the visitor's session. The flash needs a session, so a new one begins, which
// ends when the flash has been shown.
func SessionDestroy(c buffalo.Context) error {
	if err := buffalosession.Destroy(c); err != nil {
		return err
	}
	c.Response().Header().Set("Clear-Site-Data", `"cache", "storage"`) // not "cookies": Destroy removes the session's
	c.Flash().Add("info", T.Translate(c, "session.destroyed"))
	return c.Redirect(http.StatusSeeOther, "/")
}
