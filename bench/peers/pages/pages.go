// Package pages is the lesson's page as html/template makes it, for the peers that use
// net/http: the same markup as the application's, in English.
package pages

import (
	"embed"
	"html/template"
	"net/http"
	"strings"
	"unicode/utf8"
)

//go:embed *.html
var files embed.FS

var (
	form    = template.Must(template.ParseFS(files, "layout.html", "form.html"))
	success = template.Must(template.ParseFS(files, "layout.html", "success.html"))
)

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

// Form shows the form.
func Form(w http.ResponseWriter, status int, p Page) error {
	return show(w, form, status, p)
}

// Success shows the hero.
func Success(w http.ResponseWriter, p Page) error {
	return show(w, success, http.StatusOK, p)
}

func show(w http.ResponseWriter, t *template.Template, status int, p Page) error {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	return t.ExecuteTemplate(w, "layout.html", p)
}

// Read reads the form and says what is wrong with it.
func Read(r *http.Request) (h Hero, wrong map[string]string) {
	wrong = map[string]string{}
	field := func(name string, most int) string {
		value := strings.TrimSpace(r.PostFormValue(name))
		switch {
		case value == "":
			wrong[name] = "Please fill in this field."
		case utf8.RuneCountInString(value) > most || !utf8.ValidString(value):
			wrong[name] = "Please use fewer characters."
		}
		return value
	}
	return Hero{field("name", 100), field("alter_ego", 100), field("catch_phrase", 280)}, wrong
}
