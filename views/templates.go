package views

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gobuffalo/plush/v4"
	"github.com/gobuffalo/plush/v4/parser"
	"golang.org/x/text/language"
)

// templates are the files of the templates folder, and the names they go by.
type templates struct {
	files   map[string]*file
	aliases map[string]string
	stamps  map[string]stamp
}

// A stamp changes when a file does.
type stamp struct {
	size     int64
	modified time.Time
}

type file struct {
	path     string
	source   string
	template *plush.Template // nil: not plush's
	program  program         // nil: plush renders the template, for it has what the compiler lacks
	lacks    string
	err      error // what New says of it
}

// load reads every file, unless none has another stamp than before. It does not parse again what has
// not changed since before.
func load(e *Engine, before *templates) (*templates, error) {
	t := &templates{files: map[string]*file{}, aliases: map[string]string{}}
	if e.TemplatesFS == nil {
		return t, nil
	}
	stamps, err := stampsOf(e.TemplatesFS)
	if err != nil {
		return nil, fmt.Errorf("reading the templates: %w", err)
	}
	if t.stamps = stamps; before != nil && maps.EqualFunc(stamps, before.stamps, stamp.equal) {
		return before, nil
	}
	err = fs.WalkDir(e.TemplatesFS, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		source, err := fs.ReadFile(e.TemplatesFS, path)
		if err != nil {
			return err
		}
		t.files[path] = parse(e, path, string(source), before)
		t.alias(path)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the templates: %w", err)
	}
	if !e.custom {
		t.checkPartials()
	}
	return t, nil
}

func (s stamp) equal(other stamp) bool {
	return s.size == other.size && s.modified.Equal(other.modified)
}

func stampsOf(files fs.FS) (map[string]stamp, error) {
	stamps := map[string]stamp{}
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			stamps[path] = stamp{info.Size(), info.ModTime()}
		}
		return err
	})
	return stamps, err
}

func parse(e *Engine, path, source string, before *templates) *file {
	f := &file{path: path, source: source}
	if before != nil {
		if old := before.files[path]; old != nil && old.template != nil && old.source == source {
			f.template, f.program, f.lacks = old.template, old.program, old.lacks
			return f
		}
	}
	if partial := strings.HasPrefix(filepath.Base(path), "_"); !partial && e.passes(path) == 0 {
		return f
	}
	template, err := plush.NewTemplate(source)
	if err != nil {
		f.err = fmt.Errorf("%s: %w", path, err)
		return f
	}
	f.template = template
	tree, err := parser.Parse(source)
	if err != nil {
		f.err = fmt.Errorf("%s: %w", path, err)
		return f
	}
	if f.program, f.lacks = compile(tree); f.lacks != "" {
		f.program = nil
	}
	return f
}

// alias registers the names under which Buffalo finds a file: page.plush.de-de.html as
// page.de-de.html, and page.de-de.html as page.de.html.
func (t *templates) alias(path string) {
	shortcut := strings.Replace(path, ".plush.", ".", 1)
	t.aliases[shortcut] = path
	words := strings.Split(filepath.Base(shortcut), ".")
	for _, word := range words[1:max(1, len(words)-1)] {
		tag, err := language.Parse(word)
		if err != nil {
			continue
		}
		if base, confidence := tag.Base(); confidence >= language.High {
			t.aliases[strings.Replace(shortcut, word, base.String(), 1)] = path
			t.aliases[strings.Replace(path, word, base.String(), 1)] = path
		}
	}
}

// err is what is wrong with the templates.
func (t *templates) err() error {
	var errs []error
	for _, f := range t.files {
		if f.err != nil {
			errs = append(errs, f.err)
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

// find gives the file of that name, or nil.
func (t *templates) find(name string) *file {
	if f, ok := t.files[name]; ok {
		return f
	}
	return t.files[t.aliases[name]]
}

// partial gives the file of a partial: "heroes/field" is heroes/_field.html in a page.
func (t *templates) partial(name, contentType string) (*file, error) {
	dir, base := filepath.Split(name)
	name = withEnding(filepath.Join(dir, "_"+base), contentType)
	f := t.find(name)
	if f == nil {
		return nil, fmt.Errorf("could not find template %s", name)
	}
	return f, nil
}

// localized gives the file of that name in the first of the languages that has one;
// the last language is the application's own, whose pages bear no language.
func (t *templates) localized(name string, languages []string) *file {
	if len(languages) > 0 {
		own := languages[len(languages)-1]
		ending := filepath.Ext(name)
		stem := strings.TrimSuffix(name, ending)
		for _, lang := range languages {
			if lang == own {
				break
			}
			lang = strings.ToLower(lang)
			if f := t.find(stem + "." + lang + ending); f != nil {
				return f
			}
			if short, _, regional := strings.Cut(lang, "-"); regional {
				if f := t.find(stem + "." + short + ending); f != nil {
					return f
				}
			}
		}
	}
	return t.find(name)
}

// withEnding adds the ending that a name without one has in a page of that type.
func withEnding(name, contentType string) string {
	if filepath.Ext(name) != "" {
		return name
	}
	for _, kind := range []struct{ in, ending string }{{"html", ".html"}, {"javascript", ".js"}, {"markdown", ".md"}} {
		if strings.Contains(contentType, kind.in) {
			return name + kind.ending
		}
	}
	return name
}
