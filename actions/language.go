package actions

import (
	"cmp"
	"io/fs"
	"slices"
	"sync"
	"sync/atomic"

	"heroes/locales"

	"github.com/gobuffalo/buffalo"
	"github.com/gobuffalo/middleware/i18n"
	"golang.org/x/text/language"
)

// ownLanguage is the one for whoever speaks none of the others.
const ownLanguage = "en-us"

var (
	words     = mustLoad(choose(inProduction, locales.Embedded, locales.FS))
	languages atomic.Pointer[dictionary]
)

func init() { languages.Store(newDictionary(words.AvailableLanguages())) }

// A dictionary has the languages that there are words in, the application's own first.
type dictionary struct {
	matcher  language.Matcher
	speakers []*speaker
}

// A speaker says things in one language.
type speaker struct {
	names []string // as Buffalo wants them: the language and, last, the application's own
	said  sync.Map // what needs no arguments is translated once
}

func mustLoad(files fs.FS) *i18n.Translator {
	t, err := i18n.New(files, ownLanguage)
	if err != nil {
		panic(err)
	}
	return t
}

func newDictionary(names []string) *dictionary {
	d, tags := &dictionary{}, []language.Tag{}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
	for _, name := range names {
		d.speakers = append(d.speakers, &speaker{names: slices.Compact([]string{name, ownLanguage})})
		tags = append(tags, language.Make(name))
	}
	d.matcher = language.NewMatcher(tags)
	return d
}

func rank(name string) int {
	if name == ownLanguage {
		return 0
	}
	return 1
}

// speak gives a page its words, in the language that the visitor has chosen or the best
// one that the browser asks for (RFC 9110, section 12.5.4).
func speak(next buffalo.Handler) buffalo.Handler {
	return func(c buffalo.Context) error {
		if c.Value("env") == "development" { // what was changed shows at once
			if err := words.Load(); err != nil {
				return err
			}
			languages.Store(newDictionary(words.AvailableLanguages()))
		}
		chosen, _ := c.Session().Get("lang").(string)
		s := languages.Load().speaker(chosen, c.Request().Header.Get("Accept-Language"))
		c.Set("languages", s.names)
		c.Set("t", s.say)
		return next(c)
	}
}

// say is the helper t, for actions: the words of that ID in the visitor's language.
func say(c buffalo.Context, id string, arguments ...any) string {
	return c.Value("t").(func(string, ...any) string)(id, arguments...)
}

func (d *dictionary) speaker(chosen, accepted string) *speaker {
	if chosen == "" && accepted == "" {
		return d.speakers[0]
	}
	_, i := language.MatchStrings(d.matcher, chosen, accepted)
	return d.speakers[i]
}

func (s *speaker) say(id string, arguments ...any) string {
	if len(arguments) > 0 {
		return s.translate(id, arguments...)
	}
	said, ok := s.said.Load(id)
	if !ok {
		said = s.translate(id)
		s.said.Store(id, said)
	}
	return said.(string)
}

// translate falls back to the application's own language, and then to the ID.
func (s *speaker) translate(id string, arguments ...any) string {
	for _, name := range s.names {
		if said, err := words.TranslateWithLang(name, id, arguments...); err == nil && said != id {
			return said
		}
	}
	return id
}
