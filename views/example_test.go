package views_test

import (
	"fmt"
	"os"
	"testing/fstest"

	"heroes/views"

	"github.com/gobuffalo/buffalo/render"
)

func Example() {
	pages, err := views.New(render.New(render.Options{
		HTMLLayout: "application.html",
		TemplatesFS: fstest.MapFS{
			"application.plush.html": {Data: []byte("<main><%= yield %></main>\n")},
			"hero.plush.html":        {Data: []byte(`<h1><%= name %></h1>`)},
		},
	}), views.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	// In an action: return c.Render(http.StatusOK, pages.HTML("hero.html"))
	_ = pages.HTML("hero.html").Render(os.Stdout, render.Data{"name": "Zoë & Co"})
	// Output: <main><h1>Zoë &amp; Co</h1></main>
}

func ExampleNew_error() {
	_, err := views.New(render.New(render.Options{
		TemplatesFS: fstest.MapFS{"hero.plush.html": {Data: []byte("<h1>\n<%= partial(\"badge.html\") %>")}},
	}), views.Options{})
	fmt.Println(err)
	// Output: hero.plush.html: line 2: there is no partial "badge.html"
}
