package views_test

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"heroes/views"

	"github.com/gobuffalo/buffalo/render"
	"github.com/gobuffalo/plush/v4"
	"github.com/stretchr/testify/require"
)

type hero struct {
	Name   string
	Bio    string
	Names  []string
	Friend *hero
}

func (h hero) Shout(s string) string { return strings.ToUpper(s) + "! " + h.Name }

type stringer struct{}

func (stringer) String() string { return "<stringer>" }

func data() render.Data {
	return render.Data{
		"names":     []string{"Zoë", "<b>Bob</b>", "字"},
		"numbers":   []int{1, 2, 3},
		"table":     map[string][]string{"a": {"1", "<2>"}},
		"nothing":   []string{},
		"evil":      `<script>alert("x")</script>'` + "`" + `&{{.}}<%= names[0] %>\`,
		"html":      template.HTML("<em>ours</em>"),
		"tag":       `<%= names[0] %> \<%= names[1] %> <% let x = 1 %>`,
		"backslash": `C:\\`,
		"when":      time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC),
		"hero":      hero{Name: "Super<man", Bio: "b", Names: []string{"first"}, Friend: &hero{Name: "Lois"}},
		"float":     1.5,
		"yes":       true,
		"no":        false,
		"stringer":  stringer{},
		"nilled":    nil,
		"raw":       nil, // plush's helper comes before a nil
		"own":       "the data's, which the application's helper hides",
		"shadowed":  "the data's",
		"truncate":  func(s string, _ map[string]any) string { return "the data's: " + s },
		"t":         func(s string) string { return "t(" + s + ")" },
	}
}

func helpers() render.Helpers {
	return render.Helpers{
		"own": func() string { return "the application's" },
		"twice": func(a, b string, help plush.HelperContext) string {
			return a + b + a + b + help.Value("shadowed").(string)
		},
		"block": func(help plush.HelperContext) (template.HTML, error) {
			s, err := help.Block()
			return template.HTML("<div>" + s + "</div>"), err
		},
	}
}

func stock(files fs.FS, helpers render.Helpers) *render.Engine {
	return render.New(render.Options{
		HTMLLayout:  "layout.plush.html",
		TemplatesFS: files,
		AssetsFS:    fstest.MapFS{"assets/manifest.json": {Data: []byte(`{"app.css": "app.1234.css"}`)}},
		Helpers:     helpers,
	})
}

// the pages of testdata/awkward and their kinds; each is rendered by both engines.
var awkward = []struct {
	kind  string
	names []string
	fails bool
}{
	{"html", []string{"loops.html"}, false},
	{"html", []string{"loops.plush.html"}, false},
	{"html", []string{"/loops"}, false},
	{"html", []string{"helpers.plush.html"}, false},
	{"html", []string{"escaping.html"}, false},
	{"html", []string{"escaping.plush.html", "other.plush.html"}, false},
	{"html", []string{"twice.html"}, false},
	{"html", []string{"twice.plush.html"}, false},
	{"html", []string{"missing.html"}, true},
	{"html", []string{"bare.html"}, false},
	{"html", []string{"bare.html", "other.html", "other.plush.html", "layout.html"}, false},
	{"html", []string{"localized.html"}, false},
	{"html", []string{"localized.plush.html"}, false},
	{"html", []string{"localized.de-de.plush.html"}, false},
	{"html", []string{"localized.fr.html"}, false},
	{"html", []string{"nul.html", "other.html"}, false},
	{"html", []string{"nul.plush.html", "other.plush.html"}, false},
	{"html", []string{"notes.md", "other.html"}, false},
	{"html", []string{"runtime.html"}, true},
	{"html", []string{"nope.html"}, true},
	{"html", []string{"loops.html", "nope.html"}, true},
	{"js", []string{"script.js"}, false},
	{"js", []string{"script"}, false},
	{"plain", []string{"plain.plush.txt"}, false},
	{"plain", []string{"plain.txt"}, false},
	{"plain", []string{"gotmpl.tmpl"}, false},
	{"plain", []string{"notes.md"}, false},
	{"text/markdown", []string{"notes"}, false},
	{"text/html", []string{"loops.html"}, true}, // no layout, so nobody asks for the missing one
}

func page(e interface {
	HTML(...string) render.Renderer
	JavaScript(...string) render.Renderer
	Plain(...string) render.Renderer
	Template(string, ...string) render.Renderer
}, kind string, names []string) render.Renderer {
	switch kind {
	case "html":
		return e.HTML(names...)
	case "js":
		return e.JavaScript(names...)
	case "plain":
		return e.Plain(names...)
	}
	return e.Template(kind, names...)
}

func Test_pages_are_Buffalo_s_byte_for_byte(t *testing.T) {
	for name, helpers := range map[string]func() render.Helpers{
		"its helpers": helpers,
		"and a partialFeeder": func() render.Helpers {
			h := helpers()
			h["partialFeeder"] = func(name string) (string, error) { return "fed <%= names[0] %> " + name, nil }
			return h
		},
	} {
		files := os.DirFS("testdata/awkward")
		ours, err := views.New(stock(files, helpers()), views.Options{})
		require.NoError(t, err)
		reloading, err := views.New(stock(files, helpers()), views.Options{Reload: true})
		require.NoError(t, err)
		for _, languages := range []any{nil, []string{"de-DE", "en"}, []string{"fr-CA", "fr", "de", "en"}, []string{"ar-EG", "en-US"}, []string{"en"}, []string{}, "de"} {
			for _, p := range awkward {
				t.Run(fmt.Sprint(name, " ", p.kind, p.names, languages), func(t *testing.T) {
					given := data()
					if languages != nil {
						given["languages"] = languages
					}
					var want, got, live bytes.Buffer
					theirs := page(stock(files, helpers()), p.kind, p.names)
					wantErr := theirs.Render(&want, maps.Clone(given))
					mine := page(ours, p.kind, p.names)
					gotErr := mine.Render(&got, maps.Clone(given))
					liveErr := page(reloading, p.kind, p.names).Render(&live, maps.Clone(given))
					if name == "its helpers" && !p.fails {
						require.NoError(t, wantErr, "a page that Buffalo does not render proves nothing")
					}
					require.Equal(t, wantErr == nil, gotErr == nil, "%v, and ours: %v", wantErr, gotErr)
					require.Equal(t, wantErr == nil, liveErr == nil, "%v, and ours: %v", wantErr, liveErr)
					require.Equal(t, want.String(), got.String())
					require.Equal(t, want.String(), live.String())
					require.Equal(t, theirs.ContentType(), mine.ContentType())
				})
			}
		}
	}
}

func Test_pages_do_without_helpers_assets_and_templates(t *testing.T) {
	files := fstest.MapFS{"a.html": {Data: []byte(`<%= upcase("x") %><%= form({}) { %><% } %>`)}}
	for _, o := range []render.Options{{TemplatesFS: files}, {}} {
		var want, got bytes.Buffer
		engine, err := views.New(render.New(o), views.Options{})
		require.NoError(t, err)
		wantErr := render.New(o).HTML("a.html").Render(&want, render.Data{})
		gotErr := engine.HTML("a.html").Render(&got, render.Data{})
		require.Equal(t, wantErr == nil, gotErr == nil)
		require.Equal(t, want.String(), got.String())
	}
}

func Test_many_goroutines_render_at_once(t *testing.T) {
	files := os.DirFS("testdata/awkward")
	for _, reload := range []bool{false, true} {
		ours, err := views.New(stock(files, helpers()), views.Options{Reload: reload})
		require.NoError(t, err)
		want, shared := map[string]string{}, map[string]render.Renderer{}
		for _, name := range []string{"loops.html", "helpers.plush.html", "escaping.html", "twice.plush.html"} {
			var page bytes.Buffer
			require.NoError(t, stock(files, helpers()).HTML(name).Render(&page, data()))
			want[name], shared[name] = page.String(), ours.HTML(name)
		}
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 10 {
					for name, page := range shared {
						var got bytes.Buffer
						if err := page.Render(&got, data()); err != nil || got.String() != want[name] {
							t.Error(name, err, got.String())
							return
						}
					}
				}
			})
		}
		all.Wait()
	}
}

func Test_what_is_wrong_with_a_template_is_said_at_start_with_file_and_line(t *testing.T) {
	for name, wrong := range map[string]struct{ source, says string }{
		"a break without a loop":      {"one\ntwo <% break %>\n", "pages/a.plush.html: line 2: "},
		"a call that is not closed":   {"one\n<%= t(\"x\" %>", "pages/a.plush.html: line 2: "},
		"a partial that is not there": {"one\ntwo\n<p><%= partial(\"nope.html\") %></p>", `pages/a.plush.html: line 3: there is no partial "nope.html"`},
		"within a loop and a block":   {"<%= for (x) in y { %>\n<%= if (x) { %>\n<%= partial(\"nope\", {a: 1}) %><% } %><% } %>", `pages/a.plush.html: line 3: there is no partial "nope"`},
		"in a helper's block":         {"<% contentFor(\"a\") { %>\n<%= partial(\"no/pe\") %><% } %>", `pages/a.plush.html: line 2: there is no partial "no/pe"`},
		"in a function":               {"<% let f = fn() { return partial(\"nope\") } %>", `pages/a.plush.html: line 1: there is no partial "nope"`},
		"a partial's layout":          {"<%= partial(\"there.html\", {layout: \"nope\"}) %>", `pages/a.plush.html: line 1: there is no partial "nope"`},
	} {
		t.Run(name, func(t *testing.T) {
			files := fstest.MapFS{"pages/a.plush.html": {Data: []byte(wrong.source)}, "_there.html": {}, "b.html": {Data: []byte("b")}}
			engine, err := views.New(render.New(render.Options{TemplatesFS: files}), views.Options{Reload: true})
			require.ErrorContains(t, err, wrong.says)

			var b, want bytes.Buffer
			wantErr := render.New(render.Options{TemplatesFS: files}).HTML("pages/a.plush.html").Render(&want, render.Data{})
			gotErr := engine.HTML("pages/a.plush.html").Render(&b, render.Data{})
			require.Equal(t, want.String(), b.String(), "the page is Buffalo's, and fails when it is shown")
			require.Equal(t, wantErr == nil, gotErr == nil, "%v, and ours: %v", wantErr, gotErr)
			require.NoError(t, engine.HTML("b.html").Render(&b, render.Data{}), "a page that is right is shown")

			files["pages/a.plush.html"] = &fstest.MapFile{Data: []byte("mended")}
			b.Reset()
			require.NoError(t, engine.HTML("pages/a.html").Render(&b, render.Data{}))
			require.Equal(t, "mended", b.String())
		})
	}
}

func Test_a_template_at_which_plush_s_parser_panics_or_hangs_is_named(t *testing.T) {
	for source, says := range map[string]string{
		"<% [1, person().Name == null] %>": "a.html: plush cannot parse it: ",
		"<%# a comment %>\n<%# another":    "a.html: line 2: the comment is not closed",
		"<%!\x00!%>0<%#":                   "a.html: it contains a comment and a NUL byte",
	} {
		files := fstest.MapFS{"a.html": {Data: []byte(source)}, "b.html": {Data: []byte("b")}}
		engine, err := views.New(render.New(render.Options{TemplatesFS: files}), views.Options{})
		require.ErrorContains(t, err, says)
		var b bytes.Buffer
		require.ErrorContains(t, engine.HTML("a.html").Render(&b, render.Data{}), says)
		require.NoError(t, engine.HTML("b.html").Render(&b, render.Data{}))
	}
}

func Test_Interpreted_names_what_plush_renders_and_why(t *testing.T) {
	files := fstest.MapFS{
		"if.html":   {Data: []byte(`<% let x = if (yes) { return 1 } %><%= x %>`)},
		"hash.html": {Data: []byte(`<%= len({a: 1, a: 2}) %>`)},
		"ok.html":   {Data: []byte(`<%= form({}) { %><%= for (n) in names { %><%= n %><% } %><% } %>`)},
	}
	engine, err := views.New(render.New(render.Options{TemplatesFS: files}), views.Options{})
	require.NoError(t, err)
	require.Equal(t, []string{"hash.html: a hash with a key twice", "if.html: an if whose value is used"}, engine.Interpreted())

	files["_fn.html"] = &fstest.MapFile{Data: []byte(`<% let f = fn(a) { return a } %><%= f("x") %>`)}
	engine, err = views.New(render.New(render.Options{TemplatesFS: files}), views.Options{Reload: true})
	require.NoError(t, err)
	require.Equal(t, []string{"_fn.html: a function literal", "hash.html: a hash with a key twice", "if.html: an if whose value is used",
		"ok.html: a function in _fn.html"}, engine.Interpreted())
	delete(files, "_fn.html")
	var b bytes.Buffer
	require.NoError(t, engine.HTML("ok.html").Render(&b, render.Data{"names": []string{"a"}}))
	require.Contains(t, b.String(), "<form")
	require.NotContains(t, strings.Join(engine.Interpreted(), " "), "ok.html")
}

type widget struct{ ID int }

func Test_Auto_chooses_the_page_that_Buffalo_chooses(t *testing.T) {
	files := fstest.MapFS{"layout.plush.html": {Data: []byte("<main><%= yield %></main>")}}
	for _, name := range []string{"index", "show", "new", "edit"} {
		files["widgets/"+name+".plush.html"] = &fstest.MapFile{Data: []byte(name + ` <%= if (widget) { %><%= widget.ID %><% } %><%= if (widgets) { %><%= len(widgets) %><% } %>`)}
		files["others/"+name+".plush.html"] = &fstest.MapFile{Data: []byte("other " + name)}
	}
	files["widgets/show.plush.de.html"] = &fstest.MapFile{Data: []byte("zeigen")}
	theirs := stock(files, nil)
	ours, err := views.New(stock(files, nil), views.Options{})
	require.NoError(t, err)
	for _, model := range []any{widget{1}, &widget{}, []widget{{1}, {2}}} {
		for _, given := range []render.Data{
			{}, {"method": "GET", "current_path": "/widgets/"}, {"method": "GET", "current_path": "/widgets/1/edit/"}, {"current_path": "/widgets/new/"},
			{"current_path": "/widgets/1/", "languages": []string{"de", "en"}}, {"template_prefix": "others", "current_path": "/x/"},
			{"method": "POST", "current_path": "/widgets/"}, {"method": "PUT", "current_path": "/widgets/1/"}, {"method": "DELETE", "current_path": "/widgets/1/", "status": 303},
		} {
			if _, plural := model.([]widget); plural && given["method"] != "GET" && given["method"] != nil {
				continue // Buffalo panics
			}
			var want, got bytes.Buffer
			wantErr := theirs.Auto(t.Context(), model).Render(&want, maps.Clone(given))
			r := ours.Auto(t.Context(), model)
			gotErr := r.Render(&got, maps.Clone(given))
			require.Equal(t, want.String(), got.String(), given)
			require.Equal(t, wantErr, gotErr, given)
			require.Equal(t, "text/html", r.ContentType())
		}
	}
	for _, kind := range []string{"application/json", "text/xml"} {
		//lint:ignore SA1029 Buffalo's key
		ctx := context.WithValue(t.Context(), "contentType", kind)
		var want, got bytes.Buffer
		require.NoError(t, theirs.Auto(ctx, widget{1}).Render(&want, render.Data{}))
		require.NoError(t, ours.Auto(ctx, widget{1}).Render(&got, render.Data{}))
		require.Equal(t, want.String(), got.String())
	}
}

func Test_a_partial_whose_name_is_computed_is_not_looked_for_at_start(t *testing.T) {
	files := fstest.MapFS{"a.html": {Data: []byte(`<%= partial(name) %><%= hero.partial("x") %>`)}}
	_, err := views.New(render.New(render.Options{TemplatesFS: files}), views.Options{})
	require.NoError(t, err)
}

func Test_a_changed_file_shows_at_once_with_Reload_and_never_without(t *testing.T) {
	dir := t.TempDir()
	write := func(name, source string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(source), 0o600))
	}
	write("a.html", `<%= partial("b.html") %>`)
	write("_b.html", "one")
	engines := map[string]*views.Engine{}
	for name, reload := range map[string]bool{"live": true, "once": false} {
		e, err := views.New(render.New(render.Options{TemplatesFS: os.DirFS(dir)}), views.Options{Reload: reload})
		require.NoError(t, err)
		engines[name] = e
	}
	show := func(engine, page string) string {
		var b bytes.Buffer
		if err := engines[engine].HTML(page).Render(&b, render.Data{}); err != nil {
			return err.Error()
		}
		return b.String()
	}
	require.Equal(t, "one", show("live", "a.html"))
	require.Equal(t, "one", show("once", "a.html"))

	write("_b.html", "two")
	write("new.plush.html", "a new page")
	require.Equal(t, "two", show("live", "a.html"))
	require.Equal(t, "one", show("once", "a.html"))
	require.Equal(t, "a new page", show("live", "new.html"))
	require.Contains(t, show("once", "new.html"), "could not find template new.html")

	require.NoError(t, os.Remove(filepath.Join(dir, "_b.html")))
	require.Contains(t, show("live", "a.html"), "a.html: line 1: could not call partial function: could not find template _b.html")
	require.Equal(t, "one", show("once", "a.html"))
}

// Two visitors' pages have nothing of each other, whatever the templates set.
func Test_what_a_page_sets_is_gone_with_it(t *testing.T) {
	files := fstest.MapFS{
		"a.html":  {Data: []byte(`<% let secret = name %><% contentFor("c") { %><%= name %><% } %><%= partial("p") %><%= secret %>`)},
		"_p.html": {Data: []byte(`<% let inner = name %><% contentFor("d") { %><%= name %><% } %>`)},
		"b.html":  {Data: []byte(`<%= if (secret || inner) { %>leaked<% } %><%= contentOf("c") { %>nothing<% } %><%= contentOf("d") { %>nothing<% } %>`)},
	}
	e, err := views.New(render.New(render.Options{TemplatesFS: files}), views.Options{})
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, e.HTML("a.html").Render(&b, render.Data{"name": "Clark"}))
	require.Equal(t, "Clark", b.String())
	b.Reset()
	require.NoError(t, e.HTML("b.html").Render(&b, render.Data{}))
	require.Equal(t, "nothingnothing", b.String())
}

// What helpers and data can do to a page besides what they should.
func Test_pages_have_Buffalo_s_oddities(t *testing.T) {
	files := fstest.MapFS{
		"_p.html":     {Data: []byte(`<p><%= x %>'</p>`)},
		"_nest.html":  {Data: []byte(`[<%= partial("p") %>]`)},
		"_lay.md":     {Data: []byte("# lay\n\n<%= yield %>")},
		"layout.html": {Data: []byte(`<main><%= yield %></main>`)},
	}
	own := render.Helpers{
		"setnil": func(name string, h plush.HelperContext) string { h.Set(name, nil); return "" },
		"isolated": func(h plush.HelperContext) (template.HTML, error) {
			text, err := h.BlockWith(plush.NewContextWith(map[string]any{"x": "of its own"}))
			return template.HTML(text), err
		},
		"nothing": (func(string) string)(nil),
		"raw":     nil, // hides the data, and not plush's helper
		"isPartial": func(h plush.HelperContext) bool {
			_, ok := h.Value("partial").(func(string, map[string]any, plush.HelperContext) (template.HTML, error))
			return ok
		},
	}
	for i, source := range []string{
		`<%= setnil("len") %><%= len(x) %>`,
		`<%= setnil("len") %><%= for (v) in [1] { %><%= len(x) %><% } %>`,
		`<%= setnil("raw") %><%= partial("p") %><%= raw("<b>") %>`,
		`<%= setnil("setnil") %><%= setnil("x") %>`,
		`<%= setnil("partialFeeder") %><%= partial("p") %>`,
		`<% let partialFeeder = nil %><%= partial("p") %>`,
		`<%= partial("p", {partialFeeder: 1}) %>`,
		`<% let contentType = "text/plain" %><%= partial("p") %>`,
		`<%= partial("nest", {contentType: "text/plain"}) %>`,
		`<%= partial("p.html", {contentType: "application/javascript"}) %>`,
		`<%= partial("p.html", {layout: "lay.md"}) %>`,
		`<%= isolated() { %>[<%= x %><%= len("ab") %>]<% } %>`,
		`<%= isPartial() %>`,
		`<% let len = nil %><%= for (v) in [1] { %><%= setnil("y") %><%= len(x) %><% } %>`,
		`<%= for (contentType) in ["text/plain"] { %><%= partial("p") %><% } %>`,
		`<%= for (v) in ["a", "b"] { %><% contentFor("c") { %><%= y %><%= v %><% } %><% } %><% let y = "new" %><%= contentOf("c") %>`,
		`<% let y = 1 %><%= for (v) in ["a", "b"] { %><% contentFor("c") { %><%= y %><%= v %><% } %><%= contentOf("c") %><% } %>`,
		`<% let yield = "Y" %><% contentFor("c") { %><% } %><%= yield %>`,
		`<%= nothing("x") %>`,
	} {
		name := fmt.Sprintf("page%d.html", i)
		files[name] = &fstest.MapFile{Data: []byte(source)}
		options := render.Options{TemplatesFS: files, HTMLLayout: "layout.html", Helpers: own}
		ours, err := views.New(render.New(options), views.Options{})
		require.NoError(t, err)
		require.Empty(t, ours.Interpreted())
		var want, got bytes.Buffer
		outcome := func(page render.Renderer, to *bytes.Buffer) (result string) {
			defer func() {
				if p := recover(); p != nil {
					result = fmt.Sprint("panic: ", p)
				}
			}()
			return fmt.Sprint(page.Render(to, render.Data{"x": "<x>", "y": "Y"}))
		}
		require.Equal(t, outcome(render.New(options).HTML(name), &want), outcome(ours.HTML(name), &got), source)
		require.Equal(t, want.String(), got.String(), source)
	}
}

func Test_links_are_followed_as_Buffalo_follows_them(t *testing.T) {
	dir, shared := t.TempDir(), t.TempDir()
	write := func(path, source string) { require.NoError(t, os.WriteFile(path, []byte(source), 0o600)) }
	write(dir+"/a.html", "A")
	write(shared+"/b.html", "B")
	write(shared+"/_one.html", "one")
	require.NoError(t, os.Symlink("nowhere@host.1234", dir+"/.#a.html")) // an editor's lock
	require.NoError(t, os.Symlink(shared, dir+"/shared"))
	require.NoError(t, os.Symlink(dir, shared+"/back"))
	require.NoError(t, os.Symlink(shared+"/_one.html", dir+"/_one.html"))
	write(dir+"/c.html", `<%= partial("one") %>`)
	ours, err := views.New(render.New(render.Options{TemplatesFS: os.DirFS(dir)}), views.Options{Reload: true})
	require.NoError(t, err)
	show := func(name string) string {
		var want, got bytes.Buffer
		wantErr := render.New(render.Options{TemplatesFS: os.DirFS(dir)}).HTML(name).Render(&want, render.Data{})
		gotErr := ours.HTML(name).Render(&got, render.Data{})
		require.Equal(t, fmt.Sprint(wantErr), fmt.Sprint(gotErr))
		require.Equal(t, want.String(), got.String())
		return got.String()
	}
	require.Equal(t, "A B one", show("a.html")+" "+show("shared/b.html")+" "+show("c.html"))
	write(shared+"/_one.html", "changed")
	require.Equal(t, "changed", show("c.html"))
}

// A helper that keeps a block can run it in another page, and changes nothing there.
func Test_a_block_that_is_kept_does_not_touch_later_pages(t *testing.T) {
	files := fstest.MapFS{
		"keeps.html": {Data: []byte("\n\n\n<% keep() { %>\n\nkept <%= x %><% } %>")},
		"later.html": {Data: []byte("<%= kept() %>\n<%= missing %>")},
	}
	engine := func() *render.Engine {
		var block plush.HelperContext
		return render.New(render.Options{TemplatesFS: files, Helpers: render.Helpers{
			"keep": func(h plush.HelperContext) { block = h },
			"kept": func() (string, error) { return block.Block() },
		}})
	}
	show := func(page func(...string) render.Renderer) (result string) {
		for range 3 { // later pages use again what earlier ones have left
			var b bytes.Buffer
			require.NoError(t, page("keeps.html").Render(&b, render.Data{"x": 1}))
			result += fmt.Sprintln(page("later.html").Render(&b, render.Data{"x": 2}))
		}
		return result
	}
	ours, err := views.New(engine(), views.Options{})
	require.NoError(t, err)
	require.Equal(t, show(engine().HTML), show(ours.HTML))
	require.Contains(t, show(ours.HTML), "line 2")
}
