package views

import (
	"bytes"
	"fmt"
	"html/template"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gobuffalo/buffalo/render"
	"github.com/gobuffalo/plush/v4"
)

// A renderer renders templates, each within the next.
type renderer struct {
	engine      *Engine
	contentType string
	lower       string   // contentType in lower case
	names       []string // as they were asked for
	layout      string   // the last template, unless it is ""
}

func (e *Engine) template(contentType string, names []string, layout string) render.Renderer {
	r := &renderer{engine: e, contentType: contentType, lower: strings.ToLower(contentType), names: names}
	if layout != "" && len(names) == 1 {
		r.layout = layout
	}
	if r.isForeign() {
		return e.Engine.Template(contentType, r.all()...)
	}
	return r
}

func (r *renderer) all() []string {
	if r.layout == "" {
		return r.names
	}
	return append(slices.Clone(r.names), r.layout)
}

// isForeign reports whether another template engine has a part in a template.
func (r *renderer) isForeign() bool {
	for _, name := range r.names {
		if r.engine.passes(withEnding(name, r.lower)) == 0 {
			return true
		}
	}
	return r.layout != "" && r.engine.passes(withEnding(r.layout, r.lower)) == 0
}

func (r *renderer) ContentType() string {
	return r.contentType
}

// Render writes the page. As with Buffalo, data keeps what the templates set in it, but not the page
// itself as yield.
func (r *renderer) Render(w io.Writer, data render.Data) error {
	t, err := r.engine.templates()
	if err != nil {
		return err
	}
	p := &page{templates: t, helpers: r.engine.helpers, contentType: r.lower, custom: r.engine.custom}
	p.scope = scope{values: data, page: p}
	out := newRun(&p.scope)
	defer out.free()
	for i, name := range r.names {
		if i > 0 {
			p.within(out)
		}
		if err := r.engine.render(out, p, name); err != nil {
			return err
		}
	}
	if r.layout != "" {
		p.within(out)
		if err := r.engine.render(out, p, r.layout); err != nil {
			return err
		}
	}
	_, err = w.Write(out.out)
	return err
}

// A page has what each of its templates sees besides the data. Buffalo writes it into the data; here
// that is done when a helper needs a context.
type page struct {
	scope       scope
	templates   *templates
	helpers     *helperSet
	contentType string
	yield       any  // a template.HTML: the page so far
	custom      bool // the application finds its partials itself
}

// pageKey is the name under which a context has its page.
const pageKey = "views_page"

func (p *page) value(name string) any {
	if v, ok := p.helpers.all[name]; ok {
		return v
	}
	switch name {
	case pageKey:
		return p
	case "contentType":
		return p.contentType
	case "yield":
		return p.yield
	case "partialFeeder":
		if !p.custom {
			return p.feed
		}
	}
	return nil
}

// give writes the page's values into the data, unless a template has set it.
func (p *page) give(data map[string]any) {
	for _, name := range []string{pageKey, "contentType", "yield", "partialFeeder"} {
		_, isHelper := p.helpers.all[name]
		if _, isSet := data[name]; isHelper || isSet {
			continue
		}
		if v := p.value(name); v != nil {
			data[name] = v
		}
	}
}

// feed returns the source of a partial, for helpers that render partials themselves.
func (p *page) feed(name string) (string, error) {
	f, err := p.templates.partial(name, p.contentType)
	if err != nil {
		return "", err
	}
	return f.source, nil
}

// within takes the output as what the next template yields.
func (p *page) within(r *run) {
	p.yield = template.HTML(r.out)
	delete(p.scope.values, "yield")
	r.restart()
}

// render renders one of a page's templates.
func (e *Engine) render(r *run, p *page, name string) error {
	data := p.scope.values
	for _, name := range e.ownNames { // as in Buffalo, an application's helper comes before the data
		delete(data, name)
	}
	for _, name := range []string{pageKey, "contentType", "partialFeeder"} {
		delete(data, name) // of another page with the same data
	}
	if p.scope.nilled = false; p.scope.context != nil {
		p.scope.dropNils()
		p.give(data)
	}
	full := withEnding(name, p.contentType)
	languages, _ := data["languages"].([]string)
	f := p.templates.localized(full, languages)
	switch {
	case e.TemplatesFS == nil:
		return fmt.Errorf("%s: no templates fs defined", name)
	case f == nil:
		return fmt.Errorf("%s: could not find template %s", name, full)
	}
	if err := f.render(r); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if strings.Count(full, ".") > 1 {
		return e.renderAgain(r, p, name, full)
	}
	return nil
}

// renderAgain renders what a template printed as a template, for each other ending that is plush's.
func (e *Engine) renderAgain(r *run, p *page, name, full string) error {
	for pass := 1; pass < e.passes(full) && rendersAgain(r.out); pass++ {
		for _, name := range e.ownNames {
			delete(p.scope.values, name)
		}
		p.scope.dropNils()
		text, err := plush.Render(string(r.out), p.scope.plushContext())
		if err != nil {
			return fmt.Errorf("%s: %w", name, withoutBlock(err))
		}
		r.out = append(r.out[:0], text...)
	}
	return nil
}

// render appends what the file renders to the output.
func (f *file) render(r *run) (err error) {
	var text string
	switch {
	case f.err != nil:
		return f.err
	case f.foreign:
		text, err = plush.Render(f.source, r.scope.plushContext())
	case f.template != nil:
		text, err = f.template.Exec(r.scope.plushContext())
	default:
		return f.program.exec(r)
	}
	if err != nil {
		return withoutBlock(err)
	}
	r.out = append(r.out, text...)
	return nil
}

// passes is how many times Buffalo renders a template of that name: once for each
// ending that is plush's. 0: another template engine has a part in it.
func (e *Engine) passes(name string) (n int) {
	for {
		dot := strings.LastIndexByte(name, '.')
		if dot < 0 || strings.IndexByte(name[dot:], '/') >= 0 {
			return n
		}
		isPlush, known := e.plush[strings.ToLower(name[dot+1:])]
		name = name[:dot]
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
func rendersAgain(body []byte) bool {
	return bytes.Contains(body, []byte("<%")) || bytes.Contains(body, []byte(`\<`)) || bytes.IndexByte(body, 0) >= 0
}

// A partialHelper is the type of the helper partial, which an application may give for plush's.
type partialHelper = func(string, map[string]any, plush.HelperContext) (template.HTML, error)

// partial is plush's helper, for partials that are parsed already. Templates that plush renders call
// it.
func (e *Engine) partial(name string, data map[string]any, help plush.HelperContext) (template.HTML, error) {
	if help.Context == nil || plushPartial(scopeOf(help.Context.(*plush.Context)), name, data) {
		return plush.PartialHelper(name, data, help)
	}
	return partialIn(scopeOf(help.Context.(*plush.Context)), name, data)
}

// plushPartial reports whether plush renders a partial: one in Markdown, or one whose source the page
// supplies itself.
func plushPartial(s *scope, name string, data map[string]any) bool {
	_, feeds := data["partialFeeder"]
	return feeds || strings.HasSuffix(name, ".md") || s.overridesFeeder()
}

// partialIn renders a partial in a scope of its own within s.
func partialIn(s *scope, name string, data map[string]any) (template.HTML, error) {
	p := s.value(pageKey).(*page)
	f, err := p.templates.partial(name, p.contentType)
	if err != nil {
		return "", err
	}
	own := s.child(false)
	for key, value := range data {
		own.set(key, value)
	}
	r := newRun(own)
	defer r.free()
	if err := f.render(r); err != nil {
		return "", err
	}
	part := string(r.out)
	contentType, _ := own.value("contentType").(string)
	if ending := filepath.Ext(name); strings.Contains(contentType, "javascript") && ending != ".js" && ending != "" {
		part = template.JSEscapeString(part)
	}
	if layout, ok := data["layout"].(string); ok {
		yield := map[string]any{"yield": template.HTML(part)}
		if plushPartial(own, layout, yield) {
			return plush.PartialHelper(layout, yield, plush.HelperContext{Context: own.plushContext()})
		}
		return partialIn(own, layout, yield)
	}
	return template.HTML(part), nil
}
