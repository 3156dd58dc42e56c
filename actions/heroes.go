package actions

import (
	"net/http"

	"heroes/session"

	"github.com/gobuffalo/buffalo"
)

// HeroesNew shows the form, filled with the hero of the session.
func HeroesNew(c buffalo.Context) error {
	return showForm(c, http.StatusOK, session.ViewOf(c.Session().Session), nil)
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
	if err := c.Session().Save(); err != nil {
		return err
	}

	c.Flash().Add("success", T.Translate(c, "heroes.created", map[string]any{"Name": hero["name"]}))
	return c.Redirect(http.StatusSeeOther, "/success")
}

// HeroesSuccess shows the hero. There are two ways to bring a value from the session to the page,
// and this action takes the shortcut:
//
//	              the long way                            the shortcut
//	in the action c.Set("name", c.Session().Get("name"))
//	in the page   <%= name %>                             <%= session["name"] %>
func HeroesSuccess(c buffalo.Context) error {
	if c.Session().Get("name") == nil {
		return c.Redirect(http.StatusSeeOther, "/heroes/new?notice="+whyNoHero(c))
	}
	return c.Render(http.StatusOK, r.HTML("heroes/success.html"))
}
