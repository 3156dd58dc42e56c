package actions

import "github.com/gobuffalo/buffalo"

// A redirect to the form brings a notice in its address, not a flash: a flash would need a session.

// whyNoHero returns the notice for a visitor who asks for a hero and has none: "cookies" for one who
// comes from a page of ours without a cookie, because the browser keeps none or the session has
// ended, and otherwise "missing".
func whyNoHero(c buffalo.Context) string {
	_, ours := cameFrom(c)
	if _, err := c.Request().Cookie(c.Session().Session.Name()); err != nil && ours {
		return "cookies"
	}
	return "missing"
}

// notice returns the text of the notice that the address asks for, unless there is a hero.
func notice(c buffalo.Context, hero map[string]any) string {
	kind := c.Request().URL.Query().Get("notice")
	if hero["name"] == nil && (kind == "missing" || kind == "cookies") {
		return T.Translate(c, "heroes.notice."+kind)
	}
	return ""
}
