package views

import (
	"context"
	"embed"
	"io"
	"io/fs"
	"reflect"

	"github.com/gobuffalo/buffalo/render"
)

// What Buffalo does not export, and how this package gets at it.

//go:embed helpers.views
var noTemplate embed.FS

// helpersOf returns the helpers that Buffalo passes to every page of e. Buffalo's renderer makes some of
// them itself, such as stylesheetTag, and exports them nowhere. So helpersOf renders a page with a
// template engine that notes what it is given.
func helpersOf(e *render.Engine) (helpers render.Helpers, err error) {
	probe := render.New(render.Options{
		TemplatesFS: noTemplate,
		AssetsFS:    e.AssetsFS,
		Helpers:     e.Helpers,
		TemplateEngines: map[string]render.TemplateEngine{
			"views": func(_ string, _, given map[string]any) (string, error) {
				helpers = given
				return "", nil
			},
		},
	})
	err = probe.Template("text/plain", "helpers.views").Render(io.Discard, render.Data{})
	return helpers, err
}

// same reports whether two functions are one. Whether a template engine is plush's, and a helper plush's
// own, can only be told by their addresses: Go does not compare functions.
func same(f, g any) bool {
	a, b := reflect.ValueOf(f), reflect.ValueOf(g)
	return a.Kind() == reflect.Func && a.Pointer() == b.Pointer()
}

// Auto renders a model as render.Engine.Auto does: as JSON or XML, or in the page that goes with the
// model and the request, users/show.html.
func (e *Engine) Auto(ctx context.Context, model any) render.Renderer {
	r := e.Engine.Auto(ctx, model)
	if r.ContentType() != "text/html" {
		return r
	}
	return auto{e, ctx, model}
}

// An auto renders the page that Buffalo's Auto chooses. Buffalo renders what it chooses with its own
// engine, so it is given a folder that remembers the name of the file.
type auto struct {
	engine *Engine
	ctx    context.Context
	model  any
}

func (auto) ContentType() string { return "text/html" }

func (a auto) Render(w io.Writer, data render.Data) error {
	asked := &askedFor{FS: noTemplate}
	chooser := render.New(render.Options{
		TemplatesFS:        asked,
		DefaultContentType: "text/html",
		Helpers:            a.engine.Helpers, // else Buffalo collects its own for each page
		TemplateEngines: map[string]render.TemplateEngine{
			"html": func(string, map[string]any, map[string]any) (string, error) { return "", nil },
		},
	})
	before := render.Data{}
	for _, name := range []string{"languages", "yield"} { // the page is chosen without them
		if value, ok := data[name]; ok {
			before[name] = value
			delete(data, name)
		}
	}
	err := chooser.Auto(a.ctx, a.model).Render(io.Discard, data)
	delete(data, "yield")
	for name, value := range before {
		data[name] = value
	}
	if err != nil { // a redirect
		return err
	}
	if asked.name == "" {
		return nil
	}
	return a.engine.HTML(asked.name).Render(w, data)
}

type askedFor struct {
	fs.FS
	name string
}

func (a *askedFor) Open(name string) (fs.File, error) {
	if name == "." {
		return a.FS.Open(name)
	}
	a.name = name
	return a.FS.Open("helpers.views")
}
