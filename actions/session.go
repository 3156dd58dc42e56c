package actions

import (
	"net/http"

	"heroes/session/buffalosession"

	"github.com/gobuffalo/buffalo"
)

// SessionDestroy ends the visitor's session. The flash starts a session of its own, which ends
// when the flash has been shown.
func SessionDestroy(c buffalo.Context) error {
	if err := buffalosession.Destroy(c); err != nil {
		return err
	}
	c.Response().Header().Set("Clear-Site-Data", `"cache", "storage"`) // the session removes its cookie itself
	c.Flash().Add("info", T.Translate(c, "session.destroyed"))
	return c.Redirect(http.StatusSeeOther, "/")
}
