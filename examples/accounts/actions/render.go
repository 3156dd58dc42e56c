package actions

import (
	"net/http"
	"time"

	"accounts/templates"

	"github.com/gobuffalo/buffalo"
	"github.com/gobuffalo/buffalo/render"
)

var r = render.New(render.Options{
	HTMLLayout:  "application.plush.html",
	TemplatesFS: templates.FS(),
	Helpers: render.Helpers{
		"when": func(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") },
	},
})

// showForm shows a page with a form and with what is wrong in it, by field.
func showForm(c buffalo.Context, page string, wrong map[string]string) error {
	status := http.StatusOK
	if len(wrong) > 0 {
		status = http.StatusUnprocessableEntity
	}
	c.Set("wrong", wrong)
	c.Set("email", emailIn(c))
	return c.Render(status, r.HTML(page))
}

// showError answers errors. Sessions that cannot be reached are 503, and an overlapping request that
// has signed out or renewed this session is 409.
func showError(status int, err error, c buffalo.Context) error {
	if status >= http.StatusInternalServerError {
		c.Logger().Error(err)
	}
	c.Set("status", status)
	c.Set("text", http.StatusText(status))
	return c.Render(status, r.HTML("error.html"))
}
