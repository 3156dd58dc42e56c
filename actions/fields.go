package actions

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"heroes/edge"
	"heroes/locales"

	"github.com/gobuffalo/buffalo"
)

// A Field is an input of the form. Its name is also its key in the session.
type Field struct {
	Name string
	Max  int // characters
}

// Fields are the inputs of the form, in its order.
var Fields = []Field{
	{"name", 100},
	{"alter_ego", 100},
	{"catch_phrase", 280},
}

func fieldNames() (names []string) {
	for _, field := range Fields {
		names = append(names, field.Name)
	}
	return names
}

// readHero reads the hero from the form that was sent, and ignores the query. It returns a message in
// the visitor's language for each field that is wrong.
func readHero(c buffalo.Context) (hero map[string]any, wrong map[string]string) {
	hero, wrong = map[string]any{}, map[string]string{}
	for _, field := range Fields {
		value := strings.TrimSpace(c.Request().PostForm.Get(field.Name))
		count := utf8.RuneCountInString(value)
		hero[field.Name] = strings.ToValidUTF8(value, "\uFFFD")
		switch {
		case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) || strings.ContainsFunc(value, reorders):
			wrong[field.Name] = T.Translate(c, "heroes.wrong.control")
		case !strings.ContainsFunc(value, visible):
			wrong[field.Name] = T.Translate(c, "heroes.wrong.required")
		case count > field.Max:
			wrong[field.Name] = T.Translate(c, "heroes.wrong.long", count, map[string]any{"Max": field.Max})
		}
	}
	return hero, wrong
}

// reorders reports whether a character changes the order in which others are shown (Unicode
// Standard Annex 9, explicit directional formatting).
func reorders(char rune) bool {
	return '\u202a' <= char && char <= '\u202e' || '\u2066' <= char && char <= '\u2069'
}

// visible reports whether a reader sees a character. Spaces, joiners and direction marks are not
// visible.
func visible(char rune) bool {
	return unicode.IsGraphic(char) && !unicode.IsSpace(char)
}

// showForm shows the form filled with hero, with a message at each wrong field and, after a redirect,
// the notice that says why.
func showForm(c buffalo.Context, status int, hero map[string]any, wrong map[string]string) error {
	if len(wrong) > 0 {
		c.Response().Header().Add("Vary", "Accept")
		if edge.WantsJSON(c.Request()) {
			problem := newProblem(c.Value("t").(locales.TranslateFunc), status)
			problem.Fields = wrong
			return problem.Write(c.Response())
		}
		c.Response().Header().Set("Cache-Control", "no-store") // the page contains what was typed
	}
	c.Set("hero", hero)
	c.Set("wrong", wrong)
	c.Set("focus", firstWrong(wrong))
	c.Set("notice", notice(c, hero))
	return c.Render(status, r.HTML("heroes/new.html"))
}

func firstWrong(wrong map[string]string) string {
	for _, field := range Fields {
		if wrong[field.Name] != "" {
			return field.Name
		}
	}
	return ""
}
