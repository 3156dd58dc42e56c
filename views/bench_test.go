package views_test

import (
	"bytes"
	"html/template"
	"io"
	"maps"
	"os"
	"testing"

	"heroes/views"

	"github.com/gobuffalo/buffalo/render"
	"github.com/gobuffalo/plush/v4"
	"github.com/stretchr/testify/require"
)

type choice struct{ Code, Name string }

var words = map[string]string{
	"language.code": "en", "language.direction": "ltr", "language.choose": "Language", "app.name": "Heroes", "app.skip": "Skip to the page",
	"app.footer": "Your hero is stored in this browser alone, encrypted.", "session.destroy": "Forget me", "heroes.success.intro": "Your hero is in the session.",
	"heroes.alter_ego": "Alter ego", "heroes.catch_phrase": "Catch phrase", "heroes.success.edit": "Change the hero",
	"inspector.see": "What your browser keeps", "inspector.link": "The session, from both sides",
}

func word(id string) string { return words[id] }
func asset(s string) string { return "/" + s }

// heroData is the data of the success page, with what Buffalo adds to each page.
func heroData() render.Data {
	return render.Data{
		"session": map[string]any{"name": "Superman", "alter_ego": "Clark <Kent>", "catch_phrase": `"Up, up & away!"`},
		"flash":   map[string][]string{}, "inspector": false, "t": func(id string, _ ...any) string { return word(id) },
		"choices":   []*choice{{"en", "English"}, {"de", "Deutsch"}, {"fr", "Français"}, {"es", "Español"}, {"ar", "العربية"}},
		"languages": []string{"en"}, "current_route": nil, "routes": nil, "params": nil, "path": "/success/", "env": "production", "method": "GET",
	}
}

// A renderer renders the success page.
type renderer func(io.Writer, render.Data) error

// renderers returns the compiler and the engines that it is compared with.
func renderers(t testing.TB) map[string]renderer {
	files := os.DirFS("testdata/success")
	buffalo := func() *render.Engine {
		return render.New(render.Options{HTMLLayout: "application.html", TemplatesFS: files, Helpers: render.Helpers{"asset": asset}})
	}
	compiled, err := views.New(buffalo(), views.Options{})
	require.NoError(t, err)
	reloading, err := views.New(buffalo(), views.Options{Reload: true})
	require.NoError(t, err)
	stock := buffalo()
	parse := func(name string) *plush.Template {
		source, err := os.ReadFile("testdata/success/" + name)
		require.NoError(t, err)
		parsed, err := plush.NewTemplate(string(source))
		require.NoError(t, err)
		return parsed
	}
	page, layout := parse("success.plush.html"), parse("application.plush.html")
	standard := template.Must(template.New("success.gotmpl").Funcs(template.FuncMap{"t": word, "asset": asset}).ParseFiles("testdata/success/success.gotmpl"))
	return map[string]renderer{
		"compiled":      func(w io.Writer, d render.Data) error { return compiled.HTML("success.html").Render(w, d) },
		"reloading":     func(w io.Writer, d render.Data) error { return reloading.HTML("success.html").Render(w, d) },
		"buffalo":       func(w io.Writer, d render.Data) error { return stock.HTML("success.html").Render(w, d) },
		"html-template": func(w io.Writer, d render.Data) error { return standard.Execute(w, map[string]any(d)) },
		"plush-parsed-once": func(w io.Writer, d render.Data) error {
			d["asset"] = asset
			for _, t := range []*plush.Template{page, layout} {
				text, err := t.Exec(plush.NewContextWith(d))
				if err != nil {
					return err
				}
				d["yield"] = template.HTML(text)
			}
			_, err := io.WriteString(w, string(d["yield"].(template.HTML)))
			return err
		},
	}
}

func Test_the_success_page_has_the_same_bytes_whoever_renders_it(t *testing.T) {
	all := renderers(t)
	var want bytes.Buffer
	require.NoError(t, all["html-template"](&want, heroData()))
	for name, render := range all {
		var got bytes.Buffer
		require.NoError(t, render(&got, heroData()))
		require.Equal(t, want.String(), got.String(), name)
	}
}

// Each renderer gets a copy of the data, as it does from Buffalo. The copy is measured as "copy".
func BenchmarkSuccess(b *testing.B) {
	data := heroData()
	all := renderers(b)
	all["copy"] = func(io.Writer, render.Data) error { return nil }
	for _, name := range []string{"copy", "compiled", "html-template", "plush-parsed-once", "buffalo", "reloading"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := all[name](io.Discard, maps.Clone(data)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The bound leaves some room: it was 12 when it was written.
func Test_a_page_allocates_little(t *testing.T) {
	render, data := renderers(t)["compiled"], heroData()
	copying := testing.AllocsPerRun(100, func() { _ = maps.Clone(data) })
	all := testing.AllocsPerRun(100, func() { _ = render(io.Discard, maps.Clone(data)) })
	require.LessOrEqual(t, all-copying, 15.0)
}
