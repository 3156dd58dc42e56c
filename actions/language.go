package actions

import (
	"cmp"
	"errors"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"heroes/locales"

	"github.com/gobuffalo/buffalo"
	"github.com/gobuffalo/middleware/i18n"
	"github.com/gobuffalo/plush/v4"
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
	choices  []choice

	heard  sync.Map // what was asked for, and who speaks it
	number atomic.Int64
}

// What is asked for is remembered, for most browsers ask alike, up to so many and so long.
const (
	maxHeard  = 1000
	maxAsking = 200 // bytes
)

// A choice is a language as the pages offer it, named in its own words.
type choice struct {
	Code, Name string
}

// A speaker says things in one language.
type speaker struct {
	names []string // as Buffalo wants them: the language and, last, the application's own
	said  sync.Map // what needs no arguments is translated once
	kept  sync.Map // parts of pages, see once
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
		s := &speaker{names: slices.Compact([]string{name, ownLanguage})}
		d.speakers = append(d.speakers, s)
		d.choices = append(d.choices, choice{s.say("language.code"), s.say("language.name")})
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
		d := languages.Load()
		s := d.speaker(chosen, c.Request().Header.Get("Accept-Language"))
		c.Set("languages", s.names)
		c.Set("t", s.say)
		c.Set("choices", d.choices)
		c.Set("once", s.once)
		if h := c.Response().Header(); !slices.Contains(h["Vary"], "Accept-Language") { // an error speaks twice
			h.Add("Vary", "Accept-Language")
		}
		return next(c)
	}
}

// LanguageUpdate keeps the language that the visitor chose, and leads back.
func LanguageUpdate(c buffalo.Context) error {
	chosen := c.Request().PostForm.Get("language")
	if !slices.ContainsFunc(languages.Load().choices, func(o choice) bool { return o.Code == chosen }) {
		return c.Error(http.StatusUnprocessableEntity, errors.New("there are no words in this language"))
	}
	c.Session().Set("lang", chosen)
	return c.Redirect(http.StatusSeeOther, back(c))
}

// back is the page that the visitor came from, or the start. It is one of the
// application's own that can be asked for: whatever a Referer says, no redirect leaves
// the host, and none leads to what is only ever sent, such as a form with an error.
func back(c buffalo.Context) string {
	path, _ := cameFrom(c)
	for _, page := range c.Value("routes").(buffalo.RouteList) {
		if page.Method == http.MethodGet && strings.TrimSuffix(page.Path, "/") == path {
			return cmp.Or(path, "/")
		}
	}
	return "/"
}

// cameFrom is the path of the page on this host that the visitor came from.
func cameFrom(c buffalo.Context) (path string, ok bool) {
	from, err := url.Parse(c.Request().Referer())
	if err != nil || from.Host == "" || from.Host != c.Request().Host {
		return "", false
	}
	return strings.TrimSuffix(from.Path, "/"), true
}

// say is the helper t, for actions: the words of that ID in the visitor's language.
func say(c buffalo.Context, id string, arguments ...any) string {
	return c.Value("t").(func(string, ...any) string)(id, arguments...)
}

func (d *dictionary) speaker(chosen, accepted string) *speaker {
	if chosen == "" && accepted == "" {
		return d.speakers[0]
	}
	asked := chosen + "," + accepted
	if s, ok := d.heard.Load(asked); ok {
		return s.(*speaker)
	}
	_, i := language.MatchStrings(d.matcher, chosen, accepted)
	if len(asked) <= maxAsking && d.number.Add(1) <= maxHeard {
		d.heard.Store(asked, d.speakers[i])
	}
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

// once is a helper for a block of a page that is the same for everyone in this language,
// wherever it stands: it is rendered the first time, and kept under that name.
func (s *speaker) once(name string, block plush.HelperContext) (template.HTML, error) {
	if kept, ok := s.kept.Load(name); ok {
		return kept.(template.HTML), nil
	}
	text, err := block.Block()
	if err == nil {
		s.kept.Store(name, template.HTML(text))
	}
	return template.HTML(text), err
}
