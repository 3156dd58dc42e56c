package views

import (
	"fmt"
	"html/template"
	"io"
	"path/filepath"
	"strings"

	"github.com/gobuffalo/buffalo/render"
	"github.com/gobuffalo/plush/v4"
)

// page renders templates, each within the next.
type page struct {
	engine      *Engine
	contentType string
	names       []string // as they were asked for
}

func (e *Engine) page(contentType string, names []string, layout string) render.Renderer {
		if layout != "" && len(names) == 1 {
		names = []string{names[0], layout}
	}
	for _, name := range names {
		if e.passes(withEnding(name, strings.ToLower(contentType))) == 0 {
			return e.Engine.Template(contentType, names...)
		}
	}
	return &page{e, contentType, names}
}

func (p *page) ContentType() string {
	return p.contentType
}

// Render writes the page. As with Buffalo, data keeps what the templates set in it.
func (p *page) Render(w io.Writer, data render.Data) error {
	t, err := p.engine.templates()
	if err != nil {
		return err
	}
	contentType := strings.ToLower(p.contentType)
	if !p.engine.custom {
		data["partialFeeder"] = func(name string) (string, error) { // for helpers that render partials themselves
			f, err := t.partial(name, contentType)
			if err != nil {
				return "", err
			}
			return f.source, nil
		}
	}
	var body string
	page := &scope{values: data, helpers: p.engine.scope}
	for _, name := range p.names {
		data["contentType"] = contentType
		p.engine.helpersFirst(data)
		if body, err = p.engine.exec(t, withEnding(name, contentType), data, page); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		data["yield"] = template.HTML(body)
	}
	_, err = io.WriteString(w, body)
	return err
}

// helpersFirst takes out of data what would hide a helper: the application's come
// before the page's data, and plush's before a nil.
func (e *Engine) helpersFirst(data render.Data) {
	for name, value := range data {
		if _, own := e.helpers[name]; own || value == nil && e.scope.Has(name) {
			delete(data, name)
		}
	}
}

func (e *Engine) exec(t *templates, name string, data render.Data, page *scope) (string, error) {
	languages, _ := data["languages"].([]string)
	f := t.localized(name, languages)
	if f == nil {
		return "", fmt.Errorf("could not find template %s", name)
	}
	body, err := f.exec(e, page)
	for pass := 1; err == nil && pass < e.passes(name) && rendersAgain(body); pass++ {
		e.helpersFirst(data)
		body, err = plush.Render(body, page.plushContext())
	}
	return body, err
}

func (f *file) exec(e *Engine, s *scope) (string, error) {
	switch {
	case f.err != nil:
		return "", f.err
	case f.foreign:
		return plush.Render(f.source, s.plushContext())
	case f.template != nil:
		return f.template.Exec(s.plushContext())
	}
	r := runs.Get().(*run)
	defer r.free()
	r.engine, r.scope = e, s
	if err := f.program.exec(r); err != nil {
		return "", err
	}
	return string(r.out), nil
}

// passes is how many times Buffalo renders a template of that name: once for each
// ending that is plush's. 0: another template engine has a part in it.
func (e *Engine) passes(name string) (n int) {
	for {
		ending := filepath.Ext(name)
		if ending == "" {
			return n
		}
		name = strings.TrimSuffix(name, ending)
		isPlush, known := e.plush[strings.ToLower(ending[1:])]
		switch {
		case isPlush:
			n++
		case known:
			return 0
		}
	}
}

// rendersAgain is true when plush finds something to do in what it has rendered: a tag,
// an escaped one, or the byte at which it stops.
func rendersAgain(body string) bool {
	return strings.Contains(body, "<%") || strings.Contains(body, `\<`) || strings.Contains(body, "\x00")
}

// A partialHelper is the helper partial of an Engine.
type partialHelper func(string, map[string]any, plush.HelperContext) (template.HTML, error)

// partial is plush's helper, for partials that are parsed already. Templates that plush renders call
// it.
func (e *Engine) partial(name string, data map[string]any, help plush.HelperContext) (template.HTML, error) {
	if help.Context == nil || strings.HasSuffix(name, ".md") {
		return plush.PartialHelper(name, data, help)
	}
	return e.partialIn(scopeOf(help.Context.(*plush.Context)), name, data)
}

// partialIn renders a partial in a scope of its own within s.
func (e *Engine) partialIn(s *scope, name string, data map[string]any) (template.HTML, error) {
	contentType, _ := s.value("contentType").(string)
	f, err := e.current.Load().partial(name, contentType)
	if err != nil {
		return "", err
	}
	own := s.child(false)
	for key, value := range data {
		own.set(key, value)
	}
	part, err := f.exec(e, own)
	if err != nil {
		return "", err
	}
	if ending := filepath.Ext(name); strings.Contains(contentType, "javascript") && ending != ".js" && ending != "" {
		part = template.JSEscapeString(part)
	}
	if layout, ok := data["layout"].(string); ok {
		return e.partialIn(own, layout, map[string]any{"yield": template.HTML(part)})
	}
	return template.HTML(part), nil
}
