package actions

import (
	"fmt"
	"io"
	"strings"
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

// r renders responses, as in every Buffalo application: r.HTML("heroes/new.html"), r.JSON(value).
var r = renderer{render.New(render.Options{})}

type renderer struct{ *render.Engine }

// HTML renders a page in the layout.
func (renderer) HTML(names ...string) render.Renderer {
	return render.Func("text/html; charset=utf-8", func(w io.Writer, data render.Data) error {
		site, err := siteOf(data["env"].(string))
		if err != nil {
			return err
		}
		return site.pages.HTML(names...).Render(w, data)
	})
}

// A site is everything that pages are made of: templates, words and files. In production it comes
// from the binary. Elsewhere it comes from disk, so that in development a change shows on reload.
type site struct {
	production bool
	pages      *views.Engine
	words      atomic.Pointer[locales.Words]
	files      public.Files
	broken     error // what is wrong with a template, in development
}

var (
	inProduction  = sync.OnceValues(func() (*site, error) { return newSite(true) })
	inDevelopment = sync.OnceValues(func() (*site, error) { return newSite(false) })
)

// siteOf returns the site of an environment, which all its applications share.
func siteOf(env string) (*site, error) {
	if config.Production(env) {
		return inProduction()
	}
	return inDevelopment()
}

func newSite(production bool) (*site, error) {
	s := &site{production: production, files: public.OnDisk()}
	pages, words := templates.FS(), locales.FS()
	if production {
		s.files, pages, words = public.Embedded(), templates.Embedded(), locales.Embedded()
	}
	loaded, err := locales.Load(words, nil)
	if err != nil {
		return nil, err
	}
	s.words.Store(loaded)
	s.pages, err = views.New(render.New(render.Options{
		HTMLLayout:  "application.html",
		TemplatesFS: pages,
		Helpers:     s.helpers(),
	}), views.Options{Reload: !production})
	if err != nil {
		err = fmt.Errorf("templates: %s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	if production || s.pages == nil {
		return s, err
	}
	s.broken = err // its page says so when it is shown
	return s, nil
}

// helpers returns what every page has besides the helpers of plush and of Buffalo.
func (s *site) helpers() render.Helpers {
	return render.Helpers{"asset": s.asset, "choices": s.languages, "inspector": !s.production}
}

// languages returns those that a visitor can choose.
func (s *site) languages() []*locales.Language { return s.words.Load().Languages() }

// reload reads the words again, and logs those that are asked for and missing.
func (s *site) reload(log buffalo.Logger) error {
	words, err := locales.Load(locales.FS(), func(language, id string) {
		log.Warnf("locales: %q has no translation in %s", id, language)
	})
	if err == nil {
		s.words.Store(words)
	}
	return err
}

// asset returns the address of a public file, which changes with its content.
func (s *site) asset(name string) string {
	if !s.production {
		return public.OnDisk().Path(name) // it may have changed
	}
	return s.files.Path(name)
}
