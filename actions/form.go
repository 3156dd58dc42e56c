package actions

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gobuffalo/buffalo"
)

// fields are the form's, in its order, with the most characters each may have.
var fields = []struct {
	name string
	max  int
}{
	{"name", 100},
	{"alter_ego", 100},
	{"catch_phrase", 280},
}

// readHero reads the hero from the body's fields; the query does not count. The
// second result says, in the visitor's language, what is wrong with a field.
func readHero(c buffalo.Context) (hero map[string]any, wrong map[string]string) {
	hero, wrong = map[string]any{}, map[string]string{}
	for _, f := range fields {
		value := strings.TrimSpace(c.Request().PostForm.Get(f.name))
		hero[f.name] = strings.ToValidUTF8(value, "\uFFFD")
		switch count := utf8.RuneCountInString(value); {
		case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
			wrong[f.name] = say(c, "heroes.wrong.control")
		case !strings.ContainsFunc(value, visible):
			wrong[f.name] = say(c, "heroes.wrong.required")
		case count > f.max:
			wrong[f.name] = say(c, "heroes.wrong.long", count, map[string]any{"Max": f.max})
		}
	}
	return hero, wrong
}

// visible is false for what a reader would not see: spaces, joiners, direction marks.
func visible(r rune) bool {
	return unicode.IsGraphic(r) && !unicode.IsSpace(r)
}

// showForm shows the form filled with hero, with a message at each wrong field.
func showForm(c buffalo.Context, status int, hero map[string]any, wrong map[string]string) error {
	if len(wrong) > 0 { // what was typed is on the page, whoever has no session
		c.Response().Header().Set("Cache-Control", "no-store")
	}
	c.Set("hero", hero)
	c.Set("wrong", wrong)
	c.Set("focus", firstWrong(wrong))
	return c.Render(status, r.HTML("heroes/new.html"))
}

func firstWrong(wrong map[string]string) string {
	for _, f := range fields {
		if wrong[f.name] != "" {
			return f.name
		}
	}
	return ""
}
