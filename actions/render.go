package actions

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"heroes/config"
	"heroes/locales"
	"heroes/public"
	"heroes/templates"
	"heroes/views"

	"github.com/gobuffalo/buffalo"
	"github.com/gobuffalo/buffalo/render"
)

// r renders responses: r.HTML("heroes/new.html"), r.JSON(value).
var r = renderer{render.New(render.Options{})}

type renderer struct{ *render.Engine }

// HTML renders a page in the layout.
func (renderer) HTML(names ...string) render.Renderer {
	return render.Func("text/html; charset=utf-8", func(w io.Writer, data render.Data) error {
		look, err := lookOf(data["env"].(string))
		if err != nil {
			return err
		}
		return look.pages.HTML(names...).Render(w, data)
	})
}

// A look is everything that pages consist of. In production it comes from the binary. Elsewhere it
// comes from disk, so that a change shows on reload.
type look struct {
	production bool
	pages      *views.Engine
	words      atomic.Pointer[locales.Words]
	files      public.Files
}

var (
	inProduction  = sync.OnceValues(func() (*look, error) { return newLook(true) })
	inDevelopment = sync.OnceValues(func() (*look, error) { return newLook(false) })
)

// lookOf returns the look of an environment.
func lookOf(env string) (*look, error) {
	if config.Production(env) {
		return inProduction()
	}
	return inDevelopment()
}

func newLook(production bool) (*look, error) {
	l := &look{production: production, files: public.OnDisk()}
	pages, words := templates.FS(), locales.FS()
	if production {
		l.files, pages, words = public.Embedded(), templates.Embedded(), locales.Embedded()
	}
	loaded, err := locales.Load(words, nil)
	if err != nil {
		return nil, err
	}
	l.words.Store(loaded)
	l.pages, err = views.New(render.New(render.Options{
		HTMLLayout:  "application.html",
		TemplatesFS: pages,
		Helpers:     render.Helpers{"asset": l.asset},
	}), views.Options{Reload: !production})
	if err != nil {
		return nil, fmt.Errorf("the templates cannot be used:\n%w", err)
	}
	return l, nil
}

// reload reads the words again, and logs those that are asked for and missing.
func (l *look) reload(log buffalo.Logger) error {
	words, err := locales.Load(locales.FS(), func(language, id string) {
		log.Warnf("locales: %q has no translation in %s", id, language)
	})
	if err == nil {
		l.words.Store(words)
	}
	return err
}

// asset returns the address of a public file, which changes with its content.
func (l *look) asset(name string) string {
	if !l.production {
		return public.OnDisk().Path(name) // it may have changed
	}
	return l.files.Path(name)
}
