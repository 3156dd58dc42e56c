// Command stock is the lesson as `buffalo new` scaffolds an application: its middleware,
// its cookie store, its renderer.
package main

import (
	"embed"
	"log"
	"net/http"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/gobuffalo/buffalo"
	"github.com/gobuffalo/buffalo/render"
	"github.com/gobuffalo/envy"
	"github.com/gobuffalo/middleware/csrf"
	"github.com/gobuffalo/middleware/forcessl"
	"github.com/gobuffalo/middleware/i18n"
	"github.com/gobuffalo/middleware/paramlogger"
	"github.com/unrolled/secure"
)

//go:embed templates/*.html templates/*/*.html
var templates embed.FS

//go:embed locales
var locales embed.FS

var r = render.New(render.Options{
	HTMLLayout:  "application.plush.html",
	TemplatesFS: buffalo.NewFS(sub{templates, "templates"}, "templates"),
	Helpers:     render.Helpers{},
})

// folder is that of the pages in templates.
var folder = "heroes/"

func main() {
	if os.Getenv("PLAIN") == "true" { // the bare pages, without a layout
		r.HTMLLayout, folder = "", "plain/"
	}
	env := envy.Get("GO_ENV", "development")
	app := buffalo.New(buffalo.Options{Env: env, SessionName: "_stock_session"})
	app.Use(forcessl.Middleware(secure.Options{
		SSLRedirect:     env == "production",
		SSLProxyHeaders: map[string]string{"X-Forwarded-Proto": "https"},
	}))
	app.Use(paramlogger.ParameterLogger)
	app.Use(csrf.New)
	t, err := i18n.New(sub{locales, "locales"}, "en-US")
	if err != nil {
		log.Fatal(err)
	}
	app.Use(t.Middleware())
	app.GET("/", HeroesNew)
	app.POST("/heroes", HeroesCreate)
	app.GET("/success", HeroesSuccess)
	log.Fatal(app.Serve())
}

// HeroesNew shows the form.
func HeroesNew(c buffalo.Context) error {
	hero := map[string]any{}
	for field := range fields {
		hero[field] = c.Session().Get(field)
	}
	return form(c, http.StatusOK, hero, map[string]string{})
}

// HeroesCreate stores the hero.
func HeroesCreate(c buffalo.Context) error {
	hero, wrong := read(c)
	if len(wrong) > 0 {
		return form(c, http.StatusUnprocessableEntity, hero, wrong)
	}
	c.Session().Set("name", hero["name"])
	c.Session().Set("alter_ego", hero["alter_ego"])
	c.Session().Set("catch_phrase", hero["catch_phrase"])
	if err := c.Session().Save(); err != nil {
		return err
	}
	c.Flash().Add("success", hero["name"].(string)+" is registered.")
	return c.Redirect(http.StatusSeeOther, "/success")
}

// HeroesSuccess shows the hero.
func HeroesSuccess(c buffalo.Context) error {
	if c.Session().Get("name") == nil {
		return c.Redirect(http.StatusSeeOther, "/")
	}
	return c.Render(http.StatusOK, r.HTML(folder+"success.plush.html"))
}

// fields are the form's, with the most characters each may have.
var fields = map[string]int{"name": 100, "alter_ego": 100, "catch_phrase": 280}

func read(c buffalo.Context) (hero map[string]any, wrong map[string]string) {
	hero, wrong = map[string]any{}, map[string]string{}
	for field, most := range fields {
		value := strings.TrimSpace(c.Request().PostForm.Get(field))
		switch {
		case value == "":
			wrong[field] = "Please fill in this field."
		case utf8.RuneCountInString(value) > most || !utf8.ValidString(value):
			wrong[field] = "Please use fewer characters."
		}
		hero[field] = value
	}
	return hero, wrong
}

func form(c buffalo.Context, status int, hero map[string]any, wrong map[string]string) error {
	c.Set("hero", hero)
	c.Set("wrong", wrong)
	return c.Render(status, r.HTML(folder+"new.plush.html"))
}
