package actions

import (
	"net/http"
	"slices"

	"heroes/session"
	"heroes/session/buffalosession"

	"github.com/gobuffalo/buffalo"
)

// theme is the color scheme that the visitor prefers. SignIn keeps it; SignOut does not.
var theme = session.Key[string]("theme")

// HomeIndex shows the first page.
func HomeIndex(c buffalo.Context) error {
	return c.Render(http.StatusOK, r.HTML("home.html"))
}

// ThemeUpdate sets the color scheme, also for a visitor who is not signed in.
func ThemeUpdate(c buffalo.Context) error {
	if name := c.Request().PostFormValue("theme"); slices.Contains([]string{"light", "dark"}, name) {
		buffalosession.Set(c, theme, name)
	} else {
		theme.Delete(c.Session().Session)
	}
	return c.Redirect(http.StatusSeeOther, "/")
}
