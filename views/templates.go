package views

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gobuffalo/plush/v4"
	"github.com/gobuffalo/plush/v4/ast"
	"github.com/gobuffalo/plush/v4/lexer"
	"github.com/gobuffalo/plush/v4/parser"
	"github.com/gobuffalo/plush/v4/token"
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
	linked   bool // it is in a folder behind a link
}

type file struct {
	path     string
	source   string
	foreign  bool            // another template engine has a part in it
	program  program         // nil: plush renders the template
	lacks    string          // why
	template *plush.Template // for plush
	partials []partialCall
	err      error // it does not parse
	missing  error // a partial that it asks for
}

// A partialCall is the name of a partial, where it is written out.
type partialCall struct {
	name string
	line int
}

// load reads every file, unless no stamp has changed. It compiles only the files that have.
func load(e *Engine, before *templates) (*templates, error) {
	t := &templates{files: map[string]*file{}, aliases: map[string]string{}}
	if e.TemplatesFS == nil {
		return t, nil
	}
	paths, stamps, err := stampsOf(e.TemplatesFS)
	if err != nil {
		return nil, fmt.Errorf("reading the templates: %w", err)
	}
	if t.stamps = stamps; before != nil && maps.EqualFunc(stamps, before.stamps, stamp.equal) {
		return before, nil
	}
	function := ""
	for _, path := range paths {
		f := before.unchanged(path, stamps[path])
		if f == nil {
			f = e.read(path)
		}
		if f.lacks == functionLiteral {
			function = path
		}
		t.files[path] = f
		if !stamps[path].linked {
			t.alias(path)
		}
	}
	if function != "" {
		t.interpret("a function in " + function)
	}
	if !e.custom {
		t.findPartials()
	}
	return t, nil
}

// interpret leaves every template to plush.
func (t *templates) interpret(why string) {
	for _, f := range t.files {
		if f.program != nil {
			if f.template, f.err = plush.NewTemplate(f.source); f.err == nil {
				f.program, f.lacks = nil, why
			}
		}
	}
}

// findPartials notes the partials that are asked for by name and are not there.
func (t *templates) findPartials() {
	for _, f := range t.files {
		f.missing = nil
		for _, call := range f.partials {
			if f.missing == nil && !t.hasPartial(call.name) {
				f.missing = fmt.Errorf("line %d: there is no partial %q", call.line, call.name)
			}
		}
	}
}

// hasPartial is true when there is such a partial for any kind of page.
func (t *templates) hasPartial(name string) bool {
	for _, kind := range []string{"", "html", "javascript", "markdown"} {
		if f, _ := t.partial(name, kind); f != nil {
			return true
		}
	}
	return false
}

// unchanged returns a compiled file that has the same stamp as now, or nil.
func (t *templates) unchanged(path string, now stamp) *file {
	if t == nil || !t.stamps[path].equal(now) || t.files[path].program == nil {
		return nil
	}
	same := *t.files[path]
	return &same
}

func (s stamp) equal(other stamp) bool {
	return s.size == other.size && s.modified.Equal(other.modified)
}

// stampsOf lists the files in the order in which Buffalo looks for them.
func stampsOf(files fs.FS) (paths []string, stamps map[string]stamp, err error) {
	stamps = map[string]stamp{}
	add := func(path string, info fs.FileInfo, linked bool) {
		paths = append(paths, path)
		stamps[path] = stamp{info.Size(), info.ModTime(), linked}
	}
	err = fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if d.Type()&fs.ModeSymlink != 0 {
			follow(files, path, maxLinks, false, add)
			return nil
		}
		if info, err := d.Info(); err == nil { // it may be gone
			add(path, info, false)
		}
		return nil
	})
	return paths, stamps, err
}

// maxLinks bounds how deep folders behind links are read: a link can lead back.
const maxLinks = 8

// follow adds what a link leads to. Buffalo finds files in a linked folder, but only by their whole
// names. Links that lead nowhere, such as an editor's locks, are left out.
func follow(files fs.FS, path string, depth int, linked bool, add func(string, fs.FileInfo, bool)) {
	info, err := fs.Stat(files, path)
	switch {
	case err != nil || depth == 0:
	case !info.IsDir():
		add(path, info, linked)
	default:
		entries, _ := fs.ReadDir(files, path)
		for _, entry := range entries {
			follow(files, path+"/"+entry.Name(), depth-1, true, add)
		}
	}
}

// read reads a file, and compiles it if it is plush's.
func (e *Engine) read(path string) *file {
	f := &file{path: path}
	source, err := fs.ReadFile(e.TemplatesFS, path)
	if f.source = string(source); err != nil {
		f.err = err
		return f
	}
	if partial := strings.HasPrefix(filepath.Base(path), "_"); !partial && e.passes(path) == 0 {
		f.foreign = true
		return f
	}
	f.err = f.compile()
	return f
}

func (f *file) compile() (err error) {
	tree, err := parse(f.source)
	if err != nil {
		return err
	}
	f.program, f.lacks, f.partials = compile(tree)
	if f.lacks != "" {
		f.program = nil
		f.template, err = plush.NewTemplate(f.source)
	}
	return err
}

// parse parses a template. Plush's parser panics at some mistakes, and never returns from a comment that
// does not end.
func parse(source string) (tree *ast.Program, err error) {
	if line := openComment(source); line > 0 {
		return nil, fmt.Errorf("line %d: the comment is not closed: write %%> after it", line)
	}
	if strings.Contains(source, "<%#") && strings.Contains(source, "\x00") { // plush reads on behind it, and may never return
		return nil, errors.New("it contains a comment and a NUL byte: remove the NUL byte")
	}
	defer func() {
		if value := recover(); value != nil {
			tree, err = nil, fmt.Errorf("plush cannot parse it: %v", value)
		}
	}()
	return parser.Parse(source)
}

// openComment returns the line of a comment that does not end, or 0.
func openComment(source string) (line int) {
	if !strings.Contains(source, "<%#") {
		return 0
	}
	l := lexer.New(source)
	for t := l.NextToken(); t.Type != token.EOF; t = l.NextToken() {
		switch {
		case t.Type == token.C_START && line == 0:
			line = t.LineNumber
		case t.Type == token.E_END:
			line = 0
		}
	}
	return line
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
		if err := cmp.Or(f.err, f.missing); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f.path, err))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

// find returns the file of that name, or nil.
func (t *templates) find(name string) *file {
	if f, ok := t.files[name]; ok {
		return f
	}
	return t.files[t.aliases[name]]
}

// partial returns the file of a partial: "heroes/field" is heroes/_field.html in a page.
func (t *templates) partial(name, contentType string) (*file, error) {
	dir, base := filepath.Split(name)
	name = withEnding(filepath.Join(dir, "_"+base), contentType)
	f := t.find(name)
	if f == nil {
		return nil, fmt.Errorf("could not find template %s", name)
	}
	return f, nil
}

// localized returns the file of that name in the first of the languages that has one. The last
// language is the application's own. Its pages have no language in their names.
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
