// Package views renders the plush pages of a Buffalo application from templates that are compiled
// once. Buffalo's own render.Engine walks the folder, reads and parses for every page, and plush then
// walks the syntax tree; this one renders the same bytes many times as fast.
//
// In an application it takes three lines, beside the engine that is there:
//
//	pages, err := views.New(render.New(render.Options{ … }), views.Options{})
//	…
//	return c.Render(http.StatusOK, pages.HTML("heroes/new.html"))
//
// Layouts, partials, contentFor, forms, helpers and localized pages (page.de-de.plush.html) work as
// they do with Buffalo. For the same templates and data the output is identical, and so are errors.
// No rendered text is kept.
//
// Plush still renders what the compiler does not support, which is rare: an if or for whose value is
// used, and a hash with one key twice. Interpreted lists such templates. One function literal (fn)
// anywhere leaves all templates to plush, because any of them may call it.
//
// A helper with a block, such as form, gets a plush.HelperContext as ever. If its block fails, the
// error that the helper sees names one call more than plush's; the page's error is plush's.
//
// If a page is asked for with both endings, page.plush.html, Buffalo renders it twice, so that a tag in
// its output is executed. This package does the same. A page that is asked for as page.html is rendered
// once. Pages of other template engines, such as Markdown's, are rendered by Buffalo.
//
// A template that does not parse, or that asks for a partial which does not exist, is an error of New
// that names its file and line. Its page fails when it is rendered.
package views

import (
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/gobuffalo/buffalo/render"
	"github.com/gobuffalo/plush/v4"
)

// Options say how templates are kept.
type Options struct {
	// Reload compares the names, sizes and times of the templates for every page, and reads them again
	// after a change. It is meant for development. Default: New reads them once.
	Reload bool
}

// An Engine is a render.Engine whose plush pages are compiled once. It is safe for concurrent use.
type Engine struct {
	*render.Engine
	reload bool
	plush  map[string]bool // the endings that are plush's
	custom bool            // the application finds its partials itself

	// In a page, a name is looked up in three places: the application's helpers, the page's data, and
	// plush's own helpers. OwnNames has the first, and helpers the first and the last.
	ownNames []string
	helpers  *helperSet
	current  atomic.Pointer[templates]
}

// New compiles the templates of e.TemplatesFS. Helpers that are added to e later are not seen.
//
// The error names each template that is wrong, with its line. Unless the folder cannot be read, the
// engine is returned with it and renders all pages but those: a program may log the error and go on.
func New(e *render.Engine, o Options) (*Engine, error) {
	own, err := helpersOf(e)
	if err != nil {
		return nil, err
	}
	engine := &Engine{Engine: e, reload: o.Reload, plush: map[string]bool{}}
	for ending, render := range e.TemplateEngines {
		engine.plush[ending] = same(render, plush.BuffaloRenderer)
	}
	engine.custom = e.Helpers["partialFeeder"] != nil
	if !engine.custom {
		delete(own, "partialFeeder") // the probe's
	}
	all := maps.Clone(plush.Helpers.Helpers())
	for name, helper := range own {
		if helper != nil { // a nil hides the data, and not plush's helper
			all[name] = helper
		}
	}
	if !engine.custom && same(all["partial"], plush.PartialHelper) {
		all["partial"] = engine.partial
	}
	engine.ownNames = slices.Collect(maps.Keys(own))
	engine.helpers = newHelperSet(all)

	t, err := load(engine, nil)
	if err != nil {
		return nil, err
	}
	engine.current.Store(t)
	return engine, t.err()
}

// Interpreted returns the templates that plush renders, with what the compiler lacks in each, such as
// "heroes/new.plush.html: an if whose value is used".
func (e *Engine) Interpreted() (names []string) {
	for path, f := range e.current.Load().files {
		if f.lacks != "" {
			names = append(names, path+": "+f.lacks)
		}
	}
	slices.Sort(names)
	return names
}

// HTML renders the named templates as text/html, each within the next; one alone
// within the HTMLLayout.
func (e *Engine) HTML(names ...string) render.Renderer {
	if slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, "/") }) {
		names = slices.Clone(names)
		for i := range names {
			names[i] = strings.TrimPrefix(names[i], "/")
		}
	}
	return e.template("text/html; charset=utf-8", names, e.HTMLLayout)
}

// JavaScript renders the named templates as application/javascript, one alone
// within the JavaScriptLayout.
func (e *Engine) JavaScript(names ...string) render.Renderer {
	return e.template("application/javascript", names, e.JavaScriptLayout)
}

// Plain renders the named templates as text/plain, each within the next.
func (e *Engine) Plain(names ...string) render.Renderer {
	return e.template("text/plain; charset=utf-8", names, "")
}

// Template renders the named templates as contentType, each within the next.
func (e *Engine) Template(contentType string, names ...string) render.Renderer {
	return e.template(contentType, names, "")
}

// templates returns those to render with.
func (e *Engine) templates() (*templates, error) {
	before := e.current.Load()
	if !e.reload {
		return before, nil
	}
	t, err := load(e, before)
	if err == nil {
		e.current.Store(t)
	}
	return t, err
}
