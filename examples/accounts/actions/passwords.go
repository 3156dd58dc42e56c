package actions

import (
	"fmt"
	"net/http"

	"heroes/session/buffalosession"

	"github.com/gobuffalo/buffalo"
)

// PasswordsEdit shows the page that changes the password.
func PasswordsEdit(c buffalo.Context) error {
	return showForm(c, "passwords/edit.html", nil)
}

// PasswordsUpdate changes the password and ends all other sessions. It does not ask for the old
// password: RequireSignIn has. The new one is stored first, so that nobody signs in with the old one
// after the sessions have ended; see signIn. If ending them fails, the visitor can send the form again.
func (h handlers) PasswordsUpdate(c buffalo.Context) error {
	password := c.Request().PostFormValue("password")
	if wrong := wrongPassword(password); wrong != "" {
		return showForm(c, "passwords/edit.html", map[string]string{"password": wrong})
	}
	if err := h.accounts.SetPassword(buffalosession.Owner(c), password); err != nil {
		return err
	}
	ended, err := buffalosession.RevokeOthers(c)
	if err != nil {
		return err
	}
	if err := buffalosession.Renew(c); err != nil { // a copy of this session's cookie ends, too
		return err
	}
	c.Flash().Add("success", fmt.Sprintf("Your password has been changed. Other devices signed out: %d.", ended))
	return c.Redirect(http.StatusSeeOther, "/")
}
