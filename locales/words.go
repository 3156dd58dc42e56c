package locales

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"text/template"
	"unicode/utf8"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"go.yaml.in/yaml/v3"
	"golang.org/x/text/language"
)

// ownLanguage is for visitors who understand none of the others.
var ownLanguage = language.AmericanEnglish

const (
	maxMatches = 1000 // results that are remembered: most browsers ask for the same languages
	maxAccept  = 200  // bytes of an Accept-Language that are read
)

// Words are the translations of every page, in each language that has a file.
type Words struct {
	languages []*Language // the application's own first
	matcher   language.Matcher
	matches   sync.Map // the *Language by what was asked for
	matched   atomic.Int64
}

// A Language translates into one language.
type Language struct {
	Code string // as in HTML's lang, such as "de"
	Name string // in its own words
	tag  language.Tag

	names     []string
	localizer *i18n.Localizer
	plain     sync.Map // translations without arguments, by ID
	missing   func(language, id string)
}

// Load reads the files, which are named like heroes.de.yaml and list entries of an id and a
// translation. Its error names the file, the line and the problem. Unless it is nil, missing is
// called with each ID that has no translation, when it is asked for.
func Load(files fs.FS, missing func(language, id string)) (*Words, error) {
	bundle := i18n.NewBundle(ownLanguage)
	seen := map[string]string{}
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".yaml" || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		content, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		return add(bundle, path, content, seen)
	})
	if err != nil {
		return nil, fmt.Errorf("locales/%w", err)
	}
	return newWords(bundle, missing), nil
}

// add adds the entries of a file to the bundle. It notes them in seen, so that it notices one
// that is there twice.
func add(bundle *i18n.Bundle, path string, content []byte, seen map[string]string) error {
	parts := strings.Split(filepath.Base(path), ".")
	tag, err := language.Parse(parts[max(0, len(parts)-2)])
	if err != nil {
		return fmt.Errorf("%s: the name has no language: write it like heroes.de.yaml", path)
	}
	for i, line := range bytes.Split(content, []byte("\n")) {
		if !utf8.Valid(line) {
			return fmt.Errorf("%s: line %d: this is not UTF-8: save the file as UTF-8", path, i+1)
		}
	}
	var file, more yaml.Node
	documents := yaml.NewDecoder(bytes.NewReader(content))
	if err := documents.Decode(&file); err != nil && err != io.EOF {
		return fmt.Errorf("%s: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := documents.Decode(&more); err != io.EOF {
		return fmt.Errorf("%s: there is more than one document: remove the line ---", path)
	}
	if len(file.Content) == 0 {
		return nil // the file is empty
	}
	if file.Content[0].Kind != yaml.SequenceNode {
		return fmt.Errorf("%s: line %d: this is not a list: write each entry as \"- id: …\" and \"translation: …\"", path, file.Content[0].Line)
	}
	for _, node := range file.Content[0].Content {
		where := fmt.Sprintf("%s: line %d", path, node.Line)
		message, err := read(node)
		if err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
		key := tag.String() + " " + message.ID
		if first, twice := seen[key]; twice {
			return fmt.Errorf("%s: %q is already defined at %s", where, message.ID, first)
		}
		seen[key] = where
		if err := bundle.AddMessages(tag, message); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
	}
	return nil
}

// read reads an entry and checks it.
func read(node *yaml.Node) (*i18n.Message, error) {
	var entry map[string]any
	if err := node.Decode(&entry); err != nil {
		return nil, fmt.Errorf("this is not an entry: write \"- id: …\" and \"translation: …\"")
	}
	message, err := i18n.NewMessage(entry)
	if err != nil {
		return nil, err
	}
	forms := []string{message.Zero, message.One, message.Two, message.Few, message.Many, message.Other}
	if message.ID == "" || message.Other == "" {
		return nil, fmt.Errorf("the entry needs an id and a translation")
	}
	for _, form := range forms {
		if _, err := template.New("").Parse(form); err != nil {
			return nil, fmt.Errorf("%q: %s", message.ID, templateError.ReplaceAllString(err.Error(), ""))
		}
	}
	return message, nil
}

// templateError matches the part of a template's error that names no place in the file.
var templateError = regexp.MustCompile(`^template: [^ ]* `)

func newWords(bundle *i18n.Bundle, missing func(language, id string)) *Words {
	w := &Words{}
	for _, tag := range bundle.LanguageTags() {
		l := &Language{tag: tag, localizer: i18n.NewLocalizer(bundle, tag.String()), missing: missing}
		l.Code, l.Name = l.Translate("language.code"), l.Translate("language.name")
		l.names = slices.Compact([]string{strings.ToLower(tag.String()), strings.ToLower(ownLanguage.String())})
		w.languages = append(w.languages, l)
	}
	slices.SortFunc(w.languages, func(a, b *Language) int {
		return cmp.Or(cmp.Compare(rank(a.tag), rank(b.tag)), cmp.Compare(a.tag.String(), b.tag.String()))
	})
	tags := make([]language.Tag, len(w.languages))
	for i, l := range w.languages {
		tags[i] = l.tag
	}
	w.matcher = language.NewMatcher(tags)
	return w
}

func rank(tag language.Tag) int {
	if tag == ownLanguage {
		return 0
	}
	return 1
}

// Languages returns the languages, the application's own first.
func (w *Words) Languages() []*Language { return w.languages }

// Match returns the language that was chosen, or else the best for an Accept-Language header
// (RFC 9110, section 12.5.4).
func (w *Words) Match(chosen, accept string) *Language {
	if chosen == "" && accept == "" {
		return w.languages[0]
	}
	accept = accept[:min(len(accept), maxAccept)]
	asked := chosen + "," + accept
	if l, ok := w.matches.Load(asked); ok {
		return l.(*Language)
	}
	_, i := language.MatchStrings(w.matcher, chosen, known(accept))
	if w.matched.Add(1) <= maxMatches {
		w.matches.Store(asked, w.languages[i])
	}
	return w.languages[i]
}

// known returns an Accept-Language without the languages that do not exist, which would make all of
// it invalid.
func known(accept string) string {
	return strings.Join(slices.DeleteFunc(strings.Split(accept, ","), func(one string) bool {
		_, _, err := language.ParseAcceptLanguage(one)
		return err != nil
	}), ",")
}

// Names returns the names under which Buffalo looks for a localized page: the language and, last,
// the application's own.
func (l *Language) Names() []string { return l.names }

// Translate returns the translation of an ID. Its arguments are a count, which chooses the plural
// form and is {{.Count}} in it, and a map of other values, or one of the two. An ID without a
// translation in this language is translated into the application's own, and one that has none
// there is returned as it is.
func (l *Language) Translate(id string, arguments ...any) string {
	if len(arguments) > 0 {
		return l.localize(id, arguments)
	}
	text, ok := l.plain.Load(id)
	if !ok {
		text = l.localize(id, nil)
		l.plain.Store(id, text)
	}
	return text.(string)
}

func (l *Language) localize(id string, arguments []any) string {
	data := map[string]any{}
	config := &i18n.LocalizeConfig{MessageID: id, TemplateData: data}
	for _, argument := range arguments {
		switch a := argument.(type) {
		case map[string]any:
			for name, value := range a {
				data[name] = value
			}
		default:
			config.PluralCount, data["Count"] = a, a
		}
	}
	text, err := l.localizer.Localize(config)
	if _, missing := errors.AsType[*i18n.MessageNotFoundErr](err); missing && l.missing != nil {
		l.missing(l.tag.String(), id)
	}
	return cmp.Or(text, id)
}
