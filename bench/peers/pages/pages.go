// Package pages is the lesson's page as html/template makes it, for the peers in Go that have no
// templates of their own: the same markup as the application's, in English.
package pages

import (
	"embed"
	"html/template"
	"net/http"
	"os"
	"strings"
	"unicode/utf8"
)

//go:embed *.html plain/*.html
var files embed.FS

// Plain is true for the lesson's bare pages, without a layout and without the headers of Heroes.
var Plain = os.Getenv("PLAIN") == "true"

// The pages themselves, which show a Page.
var (
	FormPage    = parse("form.html")
	SuccessPage = parse("success.html")
)

func parse(name string) *template.Template {
	if Plain {
		return template.Must(template.ParseFS(files, "plain/"+name))
	}
	return template.Must(template.ParseFS(files, "layout.html", name)) // which runs the layout
}

// Hero is what the form posts.
type Hero struct {
	Name, AlterEgo, CatchPhrase string
}

// Page is what a page shows.
type Page struct {
	Hero    Hero
	Flash   string
	Wrong   map[string]string
	Session bool
}

// Form shows the form with net/http.
func Form(w http.ResponseWriter, status int, p Page) error {
	return show(w, FormPage, status, p)
}

// Success shows the hero with net/http.
func Success(w http.ResponseWriter, p Page) error {
	return show(w, SuccessPage, http.StatusOK, p)
}

func show(w http.ResponseWriter, t *template.Template, status int, p Page) error {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	return t.Execute(w, p)
}

// Read reads the form and says what is wrong with it. Value returns the field of that name.
func Read(value func(field string) string) (h Hero, wrong map[string]string) {
	wrong = map[string]string{}
	field := func(name string, most int) string {
		v := strings.TrimSpace(value(name))
		switch {
		case v == "":
			wrong[name] = "Please fill in this field."
		case utf8.RuneCountInString(v) > most || !utf8.ValidString(v):
			wrong[name] = "Please use fewer characters."
		}
		return v
	}
	return Hero{field("name", 100), field("alter_ego", 100), field("catch_phrase", 280)}, wrong
}
