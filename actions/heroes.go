package actions

import (
	"net/http"

	"heroes/session"

	"github.com/gobuffalo/buffalo"
)

// HeroesNew shows the form, filled with the hero who is there.
func HeroesNew(c buffalo.Context) error {
	return showForm(c, http.StatusOK, session.ViewOf(c.Session().Session), nil)
}

// HeroesCreate is the lesson: it puts the hero into the session and redirects.
func HeroesCreate(c buffalo.Context) error {
	hero, wrong := readHero(c)
	if len(wrong) > 0 {
		return showForm(c, http.StatusUnprocessableEntity, hero, wrong)
	}

	c.Session().Set("name", hero["name"])
	c.Session().Set("alter_ego", hero["alter_ego"])
	c.Session().Set("catch_phrase", hero["catch_phrase"])
	if err := c.Session().Save(); err != nil {
		return err
	}

	c.Flash().Add("success", say(c, "heroes.created", map[string]any{"Name": hero["name"]}))
	return c.Redirect(http.StatusSeeOther, "/success")
}

// HeroesSuccess shows the hero. The lesson knows two ways to bring a value to
// the page, and this application takes the shortcut:
//
//	              the handler hands it over               the page reads the session
//	here          c.Set("name", c.Session().Get("name"))  (nothing)
//	in the page   <%= name %>                             <%= session["name"] %>
func HeroesSuccess(c buffalo.Context) error {
	if c.Session().Get("name") == nil {
		if cookiesBlocked(c) {
			c.Flash().Add("warning", say(c, "session.blocked"))
			return HeroesNew(c)
		}
		c.Flash().Add("info", say(c, "heroes.missing"))
		return c.Redirect(http.StatusSeeOther, "/")
	}
	return c.Render(http.StatusOK, r.HTML("heroes/success.html"))
}
