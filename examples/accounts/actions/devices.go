package actions

import (
	"fmt"
	"net/http"

	"heroes/session/buffalosession"

	"github.com/gobuffalo/buffalo"
)

// DevicesIndex shows where the visitor is signed in.
func DevicesIndex(c buffalo.Context) error {
	devices, err := buffalosession.Sessions(c)
	if err != nil {
		return err
	}
	c.Set("devices", devices)
	c.Set("current", buffalosession.Info(c).ID)
	return c.Render(http.StatusOK, r.HTML("devices/index.html"))
}

// DevicesEnd ends one of the visitor's sessions. Nothing happens to anybody else's.
func DevicesEnd(c buffalo.Context) error {
	ended, err := buffalosession.RevokeOwned(c, c.Request().PostFormValue("id"))
	if err != nil {
		return err
	}
	if !ended {
		c.Flash().Add("warning", "That device was not signed in to your account. Nothing was changed.")
		return c.Redirect(http.StatusSeeOther, "/devices")
	}
	c.Flash().Add("success", "That device has been signed out.")
	return c.Redirect(http.StatusSeeOther, "/devices")
}

// DevicesEndOthers ends all sessions of the visitor except for this one.
func DevicesEndOthers(c buffalo.Context) error {
	ended, err := buffalosession.RevokeOthers(c)
	if err != nil {
		return err
	}
	c.Flash().Add("success", fmt.Sprintf("Other devices signed out: %d.", ended))
	return c.Redirect(http.StatusSeeOther, "/devices")
}
