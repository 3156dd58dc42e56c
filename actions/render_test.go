package actions

import (
	"bytes"
	"maps"
	"net/http"

	"heroes/edge"
	"heroes/session"
	"heroes/templates"

	"github.com/gobuffalo/buffalo/render"
)

// Every page of the application, as Buffalo renders it.
func (as *ActionSuite) Test_Pages_are_Buffalo_s_byte_for_byte() {
	site, err := siteOf("production")
	as.NoError(err)
	as.Empty(site.pages.Interpreted(), "every page is compiled")
	stock := render.New(render.Options{
		HTMLLayout:  "application.html",
		TemplatesFS: templates.Embedded(),
		Helpers:     site.helpers(),
	})
	hero := map[string]any{"name": `<b>Zoë</b> "<%= 1 %>"`, "alter_ego": `C:\\`, "catch_phrase": "字 & 'x'"}
	type attribute struct{ Name, Text string }
	type entry struct{ Key, Type, Value string }
	type readable struct{ Of, Value, Read, Wrong string }
	type seenType struct {
		Store               string
		Steps               []string
		Cookie              *http.Cookie
		Size, Max, Record   int
		Attributes          []attribute
		Lacking             string
		Hero, Others        []entry
		Flash               map[string][]string
		Age, Idle, Lifetime string
		Secret, Secrets     int
		Bound               bool
		Readables           []readable
	}
	seen := seenType{
		Store: "redis", Steps: []string{"browser", "id", "redis", "opens"}, Cookie: &http.Cookie{Name: "c", Value: "v"},
		Attributes: []attribute{{"Path=/", "<all>"}}, Lacking: "Secure", Hero: []entry{{"name", "string", "<b>"}},
		Flash: map[string][]string{"info": {"<one>"}}, Readables: []readable{{"flask", "e30", "{}", ""}, {Of: "buffalo", Wrong: "<gob>"}},
	}
	copied := struct {
		Place, Length              int
		Before, After, Left, Right string
		Opened                     bool
	}{1, 5, "v", "A", "", "alue", false}
	pages := []string{"heroes/new.html", "heroes/success.html", "errors/error.html", "session/show.html", "heroes/new.plush.html"}
	for _, page := range pages {
		for _, session := range []session.View{{"name": "Zoë"}, hero} {
			for _, flash := range []map[string][]string{{}, {"success": {"<one>", "two"}}, {"danger": {"no"}}} {
				for _, wrong := range []map[string]string{{}, {"name": "too <long>"}} {
					data := render.Data{
						"session": session, "flash": flash, "hero": hero, "wrong": wrong, "focus": "name",
						"problem": edge.Problem{Status: 404, Title: "A title", Detail: "& a text"}, "details": "", "languages": []string{"de", "en-US"},
						"seen": seen, "copied": copied,
						"t": func(id string, _ ...any) string { return "<" + id + ">" },
					}
					var want, got bytes.Buffer
					as.NoError(stock.HTML(page).Render(&want, maps.Clone(data)), page)
					as.NoError(site.pages.HTML(page).Render(&got, maps.Clone(data)), page)
					as.Equal(want.String(), got.String())
				}
			}
		}
	}
}

// A page asked for as page.plush.html would be rendered twice, what a visitor typed included.
func (as *ActionSuite) Test_what_a_visitor_typed_is_no_template() {
	as.open()
	as.HTML("/heroes").Post(hero("name", `<%= 1 + 1 %>`, "alter_ego", `C:\\`, "catch_phrase", `\<%= name %>`))
	body := as.HTML("/success").Get().Body.String()
	for _, shown := range []string{"<bdi>&lt;%= 1 + 1 %&gt;</bdi>", `<bdi>C:\\</bdi>`, `\&lt;%= name %&gt;`} {
		as.Contains(body, shown)
	}
}
