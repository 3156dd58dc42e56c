package actions

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"heroes/edge"

	"github.com/gobuffalo/buffalo"
)

// A Field is one of a hero's. Its name is also its key in the session.
type Field struct {
	Name string
	Max  int // characters
}

// Fields are those of the form, in its order.
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

// readHero reads the hero from the fields in the body; those of the query do not count. It
// returns a message in the visitor's language for each field that is wrong.
func readHero(c buffalo.Context) (hero map[string]any, wrong map[string]string) {
	hero, wrong = map[string]any{}, map[string]string{}
	for _, field := range Fields {
		value := strings.TrimSpace(c.Request().PostForm.Get(field.Name))
		hero[field.Name] = strings.ToValidUTF8(value, "\uFFFD")
		switch count := utf8.RuneCountInString(value); {
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
func reorders(r rune) bool {
	return '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069'
}

// visible reports whether a reader sees a character. Spaces, joiners and direction marks are not
// visible.
func visible(r rune) bool {
	return unicode.IsGraphic(r) && !unicode.IsSpace(r)
}

// showForm shows the form filled with hero, with a message at each wrong field and, if a redirect
// brought the visitor here, the reason.
func showForm(c buffalo.Context, status int, hero map[string]any, wrong map[string]string) error {
	if len(wrong) > 0 {
		if edge.WantsJSON(c.Request()) {
			problem := newProblem(c.Value("t").(func(string, ...any) string), status)
			problem.Fields = wrong
			return c.Render(status, problem)
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

// whyNoHero returns the notice for a visitor who asks for a hero and has none. A visitor who comes
// from one of our pages without a cookie has a browser that keeps none, or has gone back to a page
// of a session that ended.
func whyNoHero(c buffalo.Context) string {
	_, ours := cameFrom(c)
	if _, err := c.Request().Cookie(c.Session().Session.Name()); err != nil && ours {
		return "cookies"
	}
	return "missing"
}

// notice returns the text of the notice that the address asks for, unless there is a hero.
func notice(c buffalo.Context, hero map[string]any) string {
	name := c.Request().URL.Query().Get("notice")
	if hero["name"] == nil && (name == "missing" || name == "cookies") {
		return T.Translate(c, "heroes.notice."+name)
	}
	return ""
}
