package actions

import (
	"log"

	"heroes/views"

	"example/public"
	"example/templates"

	"github.com/gobuffalo/buffalo/render"
)

var r *views.Engine

func init() {
	engine := render.New(render.Options{
		// HTML layout to be used for all HTML requests:
		HTMLLayout: "application.plush.html",

		// fs.FS containing templates
		TemplatesFS: templates.FS(),

		// fs.FS containing assets
		AssetsFS: public.FS(),

		// Add template helpers here:
		Helpers: render.Helpers{
			// for non-bootstrap form helpers uncomment the lines
			// below and import "github.com/gobuffalo/helpers/forms"
			// forms.FormKey:     forms.Form,
			// forms.FormForKey:  forms.FormFor,
		},
	})
	var err error
	if r, err = views.New(engine, views.Options{Reload: ENV == "development"}); err != nil {
		log.Print(err) // the other pages still work
	}
}
