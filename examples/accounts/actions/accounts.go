package actions

import (
	"errors"
	"net/http"
	"net/mail"
	"strings"
	"unicode/utf8"

	"heroes/session/buffalosession"

	"accounts/models"

	"github.com/gobuffalo/buffalo"
)

// AccountsNew shows the page that makes an account.
func AccountsNew(c buffalo.Context) error {
	return showForm(c, "accounts/new.html", nil)
}

// AccountsCreate makes an account and signs in to it.
func (h handlers) AccountsCreate(c buffalo.Context) error {
	email, password := emailIn(c), c.Request().PostFormValue("password")
	wrong := map[string]string{"email": wrongEmail(email), "password": wrongPassword(password)}
	if wrong["email"]+wrong["password"] != "" {
		return showForm(c, "accounts/new.html", wrong)
	}
	account, err := h.accounts.Create(email, password)
	if errors.Is(err, models.ErrTaken) {
		return showForm(c, "accounts/new.html", map[string]string{"email": "There is an account with this address. Sign in instead."})
	}
	if err == nil {
		err = h.signIn(c, account, usual...)
	}
	if err != nil {
		return err
	}
	c.Flash().Add("success", "Welcome! Your account is ready.")
	return c.Redirect(http.StatusSeeOther, "/")
}

// AccountsDelete shows the page that deletes the account.
func AccountsDelete(c buffalo.Context) error {
	return c.Render(http.StatusOK, r.HTML("accounts/delete.html"))
}

// AccountsDestroy deletes the account and then ends all its sessions. In this order, a concurrent
// sign-in either finds no account, in signIn, or is ended with the others. If ending the
// sessions fails, loadAccount signs them out one by one.
func (h handlers) AccountsDestroy(c buffalo.Context) error {
	owner := buffalosession.Owner(c)
	if err := h.accounts.Delete(owner); err != nil && !errors.Is(err, models.ErrUnknown) {
		return err
	}
	if _, err := buffalosession.RevokeOwner(c, owner); err != nil { // this one, too
		return err
	}
	c.Flash().Add("success", "Your account has been deleted.")
	return c.Redirect(http.StatusSeeOther, "/")
}

// emailIn returns the email address in the form, in the spelling under which accounts are stored.
func emailIn(c buffalo.Context) string {
	return strings.ToLower(strings.TrimSpace(c.Request().PostFormValue("email")))
}

// wrongEmail returns what is wrong with an email address, or "".
func wrongEmail(email string) string {
	if parsed, err := mail.ParseAddress(email); err != nil || parsed.Address != email {
		return "Enter an email address, such as name@example.com."
	}
	if len(email) > 254 { // RFC 5321, section 4.5.3.1.3
		return "Enter a shorter email address: this one has more than 254 bytes."
	}
	return ""
}

// wrongPassword returns what is wrong with a new password, or "". Only its length counts (NIST SP
// 800-63B, section 3.1.1.2).
func wrongPassword(password string) string {
	switch n := utf8.RuneCountInString(password); {
	case n < 8:
		return "Use at least 8 characters."
	case n > 128:
		return "Use at most 128 characters."
	}
	return ""
}
