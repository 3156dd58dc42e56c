package actions

import (
	"fmt"

	"heroes/public"
	"heroes/session/buffalosession"
	"heroes/templates"
	"heroes/views"

	"github.com/gobuffalo/buffalo/render"
	"github.com/gobuffalo/envy"
)

// In production, pages, words and files come from the binary alone. In
// development they come from disk, so that a change shows on reload.
var (
	inProduction = Production(envy.Get("GO_ENV", "development"))
	files        = choose(inProduction, public.Embedded, public.OnDisk)

	r, pagesErr = newPages()
)

// CheckPages says which page does not parse, and at which line.
func CheckPages() error {
	return pagesErr
}

func newPages() (pages, error) {
	engine, err := views.New(render.New(render.Options{
		HTMLLayout:  "application.html",
		TemplatesFS: choose(inProduction, templates.Embedded, templates.FS),
		Helpers:     render.Helpers{"asset": asset},
	}), views.Options{Reload: !inProduction})
	if err != nil {
		err = fmt.Errorf("the templates cannot be used:\n%w", err)
	}
	return pages{engine}, err
}

// pages render those that read the session themselves.
type pages struct {
	*views.Engine
}

// HTML renders a page within the layout. The page reads session["name"].
func (p pages) HTML(names ...string) render.Renderer {
	return buffalosession.Page(p.Engine.HTML(names...))
}

// asset is the address of a public file, which changes with its content.
func asset(name string) string {
	if !inProduction {
		return public.OnDisk().Path(name) // it may have changed
	}
	return files.Path(name)
}

func choose[T any](first bool, a, b func() T) T {
	if first {
		return a()
	}
	return b()
}
