package actions

import (
	"net/http"

	"heroes/session"

	"github.com/gobuffalo/buffalo"
)

// HeroesNew shows the form, filled with the hero if the session has one.
func HeroesNew(c buffalo.Context) error {
	hero := session.ViewOf(c.Session().Session)
	return showForm(c, http.StatusOK, hero, nil)
}

// HeroesCreate is the lesson: it stores the hero in the session and redirects.
func HeroesCreate(c buffalo.Context) error {
	hero, wrong := readHero(c)
	if len(wrong) > 0 {
		return showForm(c, http.StatusUnprocessableEntity, hero, wrong)
	}

	c.Session().Set("name", hero["name"])
	c.Session().Set("alter_ego", hero["alter_ego"])
	c.Session().Set("catch_phrase", hero["catch_phrase"])
	if err := c.Session().Save(); err != nil { // Redirect would save it as well
		return err
	}

	c.Flash().Add("success", T.Translate(c, "heroes.created", map[string]any{"Name": hero["name"]}))
	return c.Redirect(http.StatusSeeOther, "/success")
}

// HeroesSuccess shows the hero. There are two ways to bring a value from the session to a page, and
// this action takes the shortcut, because every page can read the session:
//
//	               the long way                            the shortcut
//	in the action  c.Set("name", c.Session().Get("name"))  (nothing)
//	in the page    <%= name %>                             <%= session["name"] %>
func HeroesSuccess(c buffalo.Context) error {
	if c.Session().Get("name") == nil {
		return c.Redirect(http.StatusSeeOther, "/heroes/new?notice="+whyNoHero(c))
	}
	return c.Render(http.StatusOK, r.HTML("heroes/success.html"))
}
