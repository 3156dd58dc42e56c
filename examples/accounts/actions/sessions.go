package actions

import (
	"errors"
	"net/http"
	"strings"

	"heroes/session"
	"heroes/session/buffalosession"

	"accounts/models"

	"github.com/gobuffalo/buffalo"
)

// SessionsNew shows the page that asks for an email address and a password, or only for the password
// of a visitor who is signed in: RequireSignIn leads here if the sign-in is not fresh.
func SessionsNew(c buffalo.Context) error {
	return showSignIn(c, nil)
}

// SessionsCreate signs in. The message is the same for an unknown address and a wrong password.
func (h handlers) SessionsCreate(c buffalo.Context) error {
	account, err := h.accounts.Authenticate(emailIn(c), c.Request().PostFormValue("password"))
	if err == nil {
		err = h.signIn(c, account, keep(c, account)...)
	}
	if errors.Is(err, models.ErrWrong) {
		return showSignIn(c, map[string]string{"password": "The email address or the password is wrong."})
	}
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, session.ReturnTo(c.Request(), "/"))
}

func showSignIn(c buffalo.Context, wrong map[string]string) error {
	c.Set("return_to", session.ReturnTo(c.Request(), "/"))
	return showForm(c, "sessions/new.html", wrong)
}

// keep returns how long to stay signed in. To confirm a sign-in changes nothing about that.
func keep(c buffalo.Context, account models.Account) []session.SignInOption {
	switch {
	case buffalosession.Owner(c) == account.ID:
		return nil
	case c.Request().PostFormValue("remember") != "":
		return []session.SignInOption{session.KeepFor(remembered)}
	}
	return usual
}

// signIn signs in to an account whose password was checked. It returns models.ErrWrong if the
// password was changed, or the account deleted, since then: PasswordsUpdate stores the new password
// and then ends the other sessions, also those for which Verify is being called.
func (h handlers) signIn(c buffalo.Context, account models.Account, options ...session.SignInOption) error {
	options = append(options,
		session.Note(browser(c.Request().UserAgent())),
		session.Verify(func() error { return h.accounts.Unchanged(account) }))
	return buffalosession.SignIn(c, account.ID, options...)
}

// SessionsDestroy signs out.
func SessionsDestroy(c buffalo.Context) error {
	if err := buffalosession.SignOut(c); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, "/")
}

// browser returns a short name for a browser, such as "Firefox on Linux".
func browser(userAgent string) string {
	first := func(otherwise string, names ...string) string { // pairs of what to look for and its name
		for i := 0; i < len(names); i += 2 {
			if strings.Contains(userAgent, names[i]) {
				return names[i+1]
			}
		}
		return otherwise
	}
	// Most browsers also name those that they are compatible with, so the order matters.
	program := first("A browser", "Edg", "Edge", "Firefox/", "Firefox", "Chrome/", "Chrome", "Safari/", "Safari")
	system := first("an unknown system", "Windows", "Windows", "Android", "Android", "iPhone", "iPhone", "Mac OS X", "macOS", "Linux", "Linux")
	return program + " on " + system
}
