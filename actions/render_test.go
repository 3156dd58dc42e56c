package actions

import (
	"bytes"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"testing"

	"heroes/session"
	"heroes/templates"

	"github.com/gobuffalo/buffalo/render"
	"github.com/gobuffalo/plush/v4"
	"github.com/stretchr/testify/require"
)

// Every page of the application, as Buffalo renders it.
func Test_pages_are_Buffalo_s_byte_for_byte(t *testing.T) {
	stock := render.New(render.Options{
		HTMLLayout:  "application.html",
		TemplatesFS: templates.Embedded(),
		Helpers:     render.Helpers{"asset": asset},
	})
	hero := map[string]any{"name": `<b>Zoë</b> "<%= 1 %>"`, "alter_ego": `C:\\`, "catch_phrase": "字 & 'x'"}
	seen := inspection{
		Store: "redis", Steps: []string{"browser", "id", "redis", "opens"}, Cookie: &http.Cookie{Name: "c", Value: "v"},
		Attributes: []attribute{{"Path=/", "<all>"}}, Insecure: true, Hero: []entry{{"name", "string", "<b>"}},
		Flash: map[string][]string{"info": {"<one>"}}, Readables: []readable{{"flask", "e30", "{}", ""}, {Of: "buffalo", Wrong: "<gob>"}},
	}
	pages := []string{"heroes/new.html", "heroes/success.html", "errors/error.html", "session/show.html", "heroes/new.plush.html"}
	for _, page := range pages {
		for _, session := range []session.View{{"name": "Zoë"}, hero} {
			for _, flash := range []map[string][]string{{}, {"success": {"<one>", "two"}}, {"danger": {"no"}}} {
				for _, wrong := range []map[string]string{{}, {"name": "too <long>"}} {
					data := render.Data{
						"session": session, "flash": flash, "hero": hero, "wrong": wrong, "focus": "name",
						"title": "A title", "text": "& a text", "details": "", "languages": []string{"de", "en-US"},
						"inspector": len(wrong) == 0, "seen": seen, "copied": tamper("value"),
						"choices": []choice{{"<language.code>", "English"}, {"ar", "<العربية>"}},
						"once": func(_ string, block plush.HelperContext) (template.HTML, error) {
							text, err := block.Block()
							return template.HTML(text), err
						},
						"t": func(id string, _ ...any) string { return "<" + id + ">" },
					}
					var want, got bytes.Buffer
					require.NoError(t, stock.HTML(page).Render(&want, maps.Clone(data)), page)
					require.NoError(t, r.Engine.HTML(page).Render(&got, maps.Clone(data)), page)
					require.Equal(t, want.String(), got.String())
				}
			}
		}
	}
}

func Test_pages_parse(t *testing.T) {
	require.NoError(t, CheckPages())
}

// A page asked for as page.plush.html would be rendered twice, what a visitor typed included.
func Test_what_a_visitor_typed_is_no_template(t *testing.T) {
	b := open(t)
	b.post("/heroes", url.Values{"name": {`<%= 1 + 1 %>`}, "alter_ego": {`C:\\`}, "catch_phrase": {`\<%= name %>`}})
	body := b.get("/success").Body.String()
	for _, shown := range []string{"<bdi>&lt;%= 1 + 1 %&gt;</bdi>", `<bdi>C:\\</bdi>`, `\&lt;%= name %&gt;`} {
		b.Contains(body, shown)
	}
}
