package locales_test

import (
	"fmt"
	"html"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"unicode"

	"heroes/actions"
	"heroes/locales"
	"heroes/templates"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	idLine    = regexp.MustCompile(`^- id: (\S+)$`)
	textLine  = regexp.MustCompile(`^  translation:(?: (.+))?$`)
	formLine  = regexp.MustCompile(`^    (zero|one|two|few|many|other): (.+)$`)
	templated = regexp.MustCompile(`{{.*?}}`)
)

// textsOf are all texts of a language by ID, and by plural form: "" for one that has none.
func textsOf(t *testing.T, lang string) map[string]map[string]string {
	t.Helper()
	texts, id := map[string]map[string]string{}, ""
	paths, err := fs.Glob(locales.Embedded(), "*."+lang+".yaml")
	require.NoError(t, err)
	for _, path := range paths {
		file, err := fs.ReadFile(locales.Embedded(), path)
		require.NoError(t, err)
		for line := range strings.Lines(string(file)) {
			line = strings.TrimSuffix(line, "\n")
			if m := idLine.FindStringSubmatch(line); m != nil {
				id = m[1]
				require.NotContains(t, texts, id, "%s: twice", path)
				texts[id] = map[string]string{}
			} else if m := textLine.FindStringSubmatch(line); m != nil && m[1] != "" {
				texts[id][""] = unquote(m[1])
			} else if m := formLine.FindStringSubmatch(line); m != nil {
				texts[id][m[1]] = unquote(m[2])
			} else {
				require.Regexp(t, textLine, line, path)
			}
		}
	}
	return texts
}

func unquote(text string) string {
	if plain, err := strconv.Unquote(text); err == nil {
		return plain
	}
	return text
}

func placeholders(forms map[string]string) []string {
	var all []string
	for _, text := range forms {
		all = append(all, templated.FindAllString(text, -1)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// load loads the words of the application. missing collects what they lack.
func load(t *testing.T) (words *locales.Words, missing *[]string) {
	t.Helper()
	missing = &[]string{}
	words, err := locales.Load(locales.Embedded(), func(language, id string) { *missing = append(*missing, language+" "+id) })
	require.NoError(t, err)
	return words, missing
}

// requireSame fails with the IDs that are in only one of two maps.
func requireSame[A, B any](t *testing.T, where string, wanted map[string]A, got map[string]B) {
	t.Helper()
	for id := range wanted {
		_, ok := got[id]
		assert.True(t, ok, "%s is missing %s", id, where)
	}
	for id := range got {
		_, ok := wanted[id]
		assert.True(t, ok, "%s is %s and nobody asks for it", id, where)
	}
	if t.Failed() {
		t.FailNow()
	}
}

// files are the languages as the names of their files have them.
var files = func() (names []string) {
	paths, _ := fs.Glob(locales.Embedded(), "all.*.yaml")
	for _, path := range paths {
		names = append(names, strings.TrimSuffix(strings.TrimPrefix(path, "all."), ".yaml"))
	}
	return names
}()

func Test_Words_are_the_same_in_every_language(t *testing.T) {
	words, missing := load(t)
	require.Subset(t, files, []string{"ar", "de", "en-us", "es", "fr"})
	require.Len(t, words.Languages(), len(files), "each file's language.code is its own")
	own := textsOf(t, "en-us")
	for _, lang := range files {
		texts := textsOf(t, lang)
		requireSame(t, "in locales/*."+lang+".yaml", own, texts)
		for id, forms := range texts {
			require.NotEmpty(t, forms, "%s in %s", id, lang)
			require.NotContains(t, slices.Collect(maps.Values(forms)), "", "%s in %s", id, lang)
			require.Equal(t, placeholders(own[id]), placeholders(forms), "%s in %s", id, lang)
		}
		language := words.Match(texts["language.code"][""], "")
		require.Equal(t, lang, language.Names()[0], "its code finds it")
		require.Contains(t, []string{"ltr", "rtl"}, language.Translate("language.direction"))
	}
	require.Empty(t, *missing)
}

func Test_Words_have_each_plural_form_that_the_language_knows(t *testing.T) {
	words, missing := load(t)
	for _, lang := range files {
		l := words.Match(lang, "")
		for id, forms := range textsOf(t, lang) {
			if forms[""] != "" {
				continue
			}
			data := map[string]any{"Max": 100}
			for count := range 300 {
				text := l.Translate(id, count, data)
				require.NotEqual(t, id, text, "no form for %d in %s", count, lang)
				require.NotContains(t, text, "no value", "%s in %s", id, lang)
			}
		}
	}
	require.Empty(t, *missing)
}

func Test_Words_a_number_has_its_plural_form(t *testing.T) {
	words, _ := load(t)
	const atMost = "، والحد الأقصى 7."
	for lang, texts := range map[string]map[int]string{
		"en-us": {
			0: "This has 0 characters; please use at most 7.", 1: "This has 1 character; please use at most 7.",
			2: "This has 2 characters; please use at most 7.", 101: "This has 101 characters; please use at most 7.",
		},
		"de": {1: "Das ist 1 Zeichen; bitte höchstens 7.", 2: "Das sind 2 Zeichen; bitte höchstens 7."},
		"es": {1: "Has escrito 1 carácter; el máximo es 7.", 100: "Has escrito 100 caracteres; el máximo es 7."},
		"fr": {
			0: "Vous avez saisi 0 caractère\u202f; le maximum est de 7.", 1: "Vous avez saisi 1 caractère\u202f; le maximum est de 7.",
			2: "Vous avez saisi 2 caractères\u202f; le maximum est de 7.", 280: "Vous avez saisi 280 caractères\u202f; le maximum est de 7.",
		},
		"ar": {
			0: "لا حروف في هذا النص" + atMost, 1: "في هذا النص حرف واحد" + atMost, 2: "في هذا النص حرفان" + atMost,
			3: "في هذا النص 3 أحرف" + atMost, 10: "في هذا النص 10 أحرف" + atMost, 11: "في هذا النص 11 حرفًا" + atMost,
			99: "في هذا النص 99 حرفًا" + atMost, 100: "في هذا النص 100 حرف" + atMost, 101: "في هذا النص 101 حرف" + atMost,
			102: "في هذا النص 102 حرف" + atMost, 103: "في هذا النص 103 أحرف" + atMost, 280: "في هذا النص 280 حرفًا" + atMost,
		},
	} {
		l := words.Match(lang, "")
		for count, text := range texts {
			require.Equal(t, text, l.Translate("heroes.wrong.long", count, map[string]any{"Max": 7}))
		}
	}
}

// A flash is plain text: there is no <bdi> around the name in it.
func Test_Words_around_a_name_do_not_mind_the_direction_it_is_written_in(t *testing.T) {
	for _, lang := range files {
		for id, forms := range textsOf(t, lang) {
			for _, text := range forms {
				require.Equal(t, strings.Count(text, "{{.Name}}"), strings.Count(text, "\u2068{{.Name}}\u2069"), "%s in %s", id, lang)
			}
		}
	}
}

func Test_Words_in_French_have_a_narrow_space_before_a_high_mark(t *testing.T) {
	for id, forms := range textsOf(t, "fr") {
		for _, text := range forms {
			require.NotRegexp(t, `[^\x{202f}][;:!?»]|«[^\x{202f}]|'`, text, id)
		}
	}
}

var (
	plushTag  = regexp.MustCompile(`(?s)<%.*?%>`)
	plushText = regexp.MustCompile("<%=\\s*[\"`]")
	htmlTag   = regexp.MustCompile(`(?s)<[^>]*>`)
	shown     = regexp.MustCompile(`\s(?:alt|title|placeholder|aria-label|aria-description|label|value)\s*=\s*("[^"]*"|'[^']*'|[^\s>]*)`)
	unseen    = regexp.MustCompile(`^<button|\stype="?hidden`) // whose values are
)

// ownWords are the words that a template has of its own, outside of tags and inside of
// those attributes that are read out or shown.
func ownWords(template string) []string {
	found := plushText.FindAllString(template, -1)
	template = plushTag.ReplaceAllString(template, "")
	pieces := htmlTag.Split(template, -1)
	for _, tag := range htmlTag.FindAllString(template, -1) {
		for _, m := range shown.FindAllStringSubmatch(tag, -1) {
			if !unseen.MatchString(tag) || !strings.Contains(m[0], "value") {
				pieces = append(pieces, m[1])
			}
		}
	}
	for _, piece := range pieces {
		if strings.ContainsFunc(html.UnescapeString(piece), unicode.IsLetter) {
			found = append(found, strings.TrimSpace(piece))
		}
	}
	return found
}

func Test_Words_none_is_in_a_template(t *testing.T) {
	for _, wrong := range []string{
		`<p>Word</p>`, `Word`, `<p><%= x %> word</p>`, `<img alt="Word">`, `<img alt='Word'>`, `<a title="<%= x %> word">`,
		`<input placeholder=Word>`, `<form aria-label="Wort">`, `<input type="submit" value="Word">`, `<p>كلمة</p>`, `<%= "Word" %>`,
		"<p\n>Word", `<button value="x">Word</button>`, `<button value="x" title="Word">`,
	} {
		require.Len(t, ownWords(wrong), 1, wrong)
	}
	for _, right := range []string{
		`<p class="word" id="<%= x %>-hint"><%= t("word") %> – &amp; 1</p>`, `<input type="hidden" name="_method" value="DELETE">`,
		`<img alt="" src="/x.svg">`, `<button value="de"><%= if (x) { %><%= name %><% } %></button>`,
	} {
		require.Empty(t, ownWords(right), right)
	}
	for path, source := range sources(t, templates.Embedded(), ".html") {
		if folder := filepath.Dir(path); slices.Contains([]string{".", "errors", "heroes", "session"}, folder) { // not those that a generator made
			require.Empty(t, ownWords(source), path)
		}
	}
}

// keysOfRunTime are the IDs that are put together as the program runs, by the expression
// that does so.
func keysOfRunTime() map[string][]string {
	keys := map[string][]string{}
	for _, f := range actions.Fields {
		keys[`"heroes." + field`] = append(keys[`"heroes." + field`], "heroes."+f.Name)
		keys[`"heroes." + field + ".hint"`] = append(keys[`"heroes." + field + ".hint"`], "heroes."+f.Name+".hint")
	}
	for _, status := range []int{400, 403, 404, 405, 409, 413, 415, 421, 422, 429, 500, 503} {
		for _, part := range []string{"title", "text"} {
			expression := fmt.Sprintf(`fmt.Sprintf("errors.%%d.%s", text)`, part)
			keys[expression] = append(keys[expression], fmt.Sprintf("errors.%d.%s", status, part))
		}
	}
	for expression, parts := range map[string][]string{
		`"inspector."+larger`:              {"days", "hours", "minutes"},
		`"inspector."+smaller`:             {"hours", "minutes", "seconds"},
		`"heroes.notice."+kind`:            {"missing", "cookies"},
		`"inspector.attribute."+name`:      {"path", "domain", "max-age", "httponly", "secure", "samesite", "partitioned"},
		`"inspector.way." + step`:          {"browser", "device", "cookie", "id", "database", "redis", "server", "opens"},
		`"inspector.kept." + seen.Store`:   {"cookie", "database", "redis", "server"},
		`"inspector.readable." + other.Of`: {"flask", "buffalo"},
	} {
		prefix, _, _ := strings.Cut(strings.TrimPrefix(expression, `"`), `"`)
		for _, part := range parts {
			keys[expression] = append(keys[expression], prefix+part)
		}
	}
	return keys
}

var (
	inPages   = regexp.MustCompile(`\bt\(([^,)]+)`)
	inActions = regexp.MustCompile(`(?m)^[^/\n]*(?:\bT\.Translate\(c, |\bt\()(fmt[^)]+\)|[^,)]+)`)
	inWords   = regexp.MustCompile(`l\.Translate\(([^)]+)\)`)
)

func Test_Words_that_are_asked_for_are_there_and_no_others(t *testing.T) {
	built := keysOfRunTime()
	asked := map[string]bool{}
	ask := func(where, expression string) {
		if id, err := strconv.Unquote(expression); err == nil {
			asked[id] = true
			return
		}
		require.Contains(t, built, expression, "%s: which IDs are these? Add them to keysOfRunTime", where)
		for _, id := range built[expression] {
			asked[id] = true
		}
	}
	for path, source := range sources(t, templates.Embedded(), ".html") {
		for _, m := range inPages.FindAllStringSubmatch(source, -1) {
			ask(path, m[1])
		}
	}
	for folder, pattern := range map[string]*regexp.Regexp{"../actions": inActions, "../inspector": inActions, ".": inWords} {
		for path, source := range sources(t, os.DirFS(folder), ".go") {
			for _, m := range pattern.FindAllStringSubmatch(source, -1) {
				if !strings.HasSuffix(path, "_test.go") && m[1] != "id" {
					ask(path, m[1])
				}
			}
		}
	}
	requireSame(t, "in locales/*.en-us.yaml", asked, textsOf(t, "en-us"))
}

func sources(t *testing.T, files fs.FS, ending string) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, fs.WalkDir(files, ".", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ending {
			var file []byte
			file, err = fs.ReadFile(files, path)
			all[path] = string(file)
		}
		return err
	}))
	require.NotEmpty(t, all)
	return all
}

func Test_Language_is_the_one_chosen_or_the_best_that_the_browser_asks_for(t *testing.T) {
	words, err := locales.Load(fstest.MapFS{
		"a.ar-eg.yaml": entry("x", "1"), "a.de-de.yaml": entry("x", "2"), "a.en-us.yaml": entry("x", "3"),
	}, nil)
	require.NoError(t, err)
	for _, asked := range []struct{ chosen, accepted, want string }{
		{"", "", "en-us"},
		{"", "de", "de-de"},
		{"", "de-AT, en;q=0.9", "de-de"},
		{"", "fr, en;q=0.3, ar;q=0.8", "ar-eg"},
		{"", "en-GB", "en-us"},
		{"", "xq, de", "de-de"},
		{"", "ja", "en-us"},
		{"", "*", "en-us"},
		{"", "\x00;;q=,,-", "en-us"},
		{"", strings.Repeat("xx-", 9999), "en-us"},
		{"ar", "de", "ar-eg"},
		{"nonsense!", "de", "de-de"},
	} {
		require.Equal(t, asked.want, words.Match(asked.chosen, asked.accepted).Names()[0], "%+v", asked)
	}
	require.Equal(t, []string{"de-de", "en-us"}, words.Match("de", "").Names(), "and then the application's own")
	require.Equal(t, []string{"en-us"}, words.Match("", "").Names())
}

func entry(id, text string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(fmt.Sprintf("- id: %s\n  translation: %q\n", id, text))}
}

func Test_Language_what_is_missing_is_said_in_the_application_s_own_and_reported(t *testing.T) {
	var missing []string
	words, err := locales.Load(fstest.MapFS{
		"a.de.yaml": entry("x", "ein X"), "a.en-us.yaml": entry("name", "{{.Name}} in English"),
	}, func(language, id string) { missing = append(missing, language+" "+id) })
	require.NoError(t, err)
	missing = nil // language.code and language.name
	german := words.Match("de", "")
	for range 2 {
		require.Equal(t, "ein X", german.Translate("x"))
		require.Equal(t, "no.such.words", german.Translate("no.such.words"))
	}
	require.Equal(t, "Zoë in English", german.Translate("name", map[string]any{"Name": "Zoë"}))
	require.Equal(t, "Lois in English", german.Translate("name", map[string]any{"Name": "Lois"}), "translations with arguments are not remembered")
	require.Equal(t, []string{"de no.such.words", "de name", "de name"}, missing)
	require.Equal(t, "ein X", german.Translate("x", 7), "a count without plural forms")
	require.Len(t, missing, 3)
}

func Test_Language_what_is_asked_for_is_remembered_up_to_a_bound(t *testing.T) {
	words, _ := load(t)
	german := words.Match("", "de-DE,de;q=0.9")
	require.Equal(t, "de", german.Code)
	require.Same(t, german, words.Match("", "de-DE,de;q=0.9"))
	require.Equal(t, "fr", words.Match("fr", "de-DE,de;q=0.9").Code)
	before := heapInUse()
	for i := range 100_000 {
		require.Equal(t, "es", words.Match("", fmt.Sprintf("es;q=0.9%d", i)).Code)
	}
	require.Less(t, heapInUse(), before+2<<20, "100,000 of them are not kept")
	require.Equal(t, "ar", words.Match("", "ar,"+strings.Repeat("de,", 200)).Code)
	require.Equal(t, "en", words.Match("", strings.Repeat("x", 200)+",ar").Code, "only the first bytes are read")
	runtime.KeepAlive(words)
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

func Test_Load_names_the_file_the_line_and_the_problem(t *testing.T) {
	for name, c := range map[string]struct{ content, want string }{
		"a.de.yaml":    {"- id: x\n  translation: one: two\n", "locales/a.de.yaml: line 2: mapping values are not allowed"},
		"b.de.yaml":    {"- id: x\n  translation: y\n- id: z\n", "locales/b.de.yaml: line 3: the entry needs an id and a translation"},
		"c.de.yaml":    {"\n- translation: y\n", "locales/c.de.yaml: line 2: the entry needs an id and a translation"},
		"d.de.yaml":    {"x: y\n", "locales/d.de.yaml: line 1: this is not a list"},
		"e.de.yaml":    {"- id: x\n  translation: y\n- id: x\n  translation: z\n", "locales/e.de.yaml: line 3: \"x\" is already defined at e.de.yaml: line 1"},
		"f.de.yaml":    {"- id: x\n  translation: \"{{.Name\"\n", "locales/f.de.yaml: line 1: \"x\": unclosed action"},
		"g.de.yaml":    {"- x\n", "locales/g.de.yaml: line 1: this is not an entry"},
		"h.words.yaml": {"", "locales/h.words.yaml: the name has no language"},
		"j.de.yaml":    {"- id: x\n  translation: caf\xe9\n", "locales/j.de.yaml: line 2: this is not UTF-8"},
		"k.de.yaml":    {"- id: x\n  translation: y\n---\n- id: z\n", "locales/k.de.yaml: there is more than one document"},
		"i.de.yaml":    {"- id: x\n  translation:\n    one: y\n", "locales/i.de.yaml: line 1: the entry needs an id and a translation"},
	} {
		_, err := locales.Load(fstest.MapFS{name: {Data: []byte(c.content)}}, nil)
		require.ErrorContains(t, err, c.want)
		require.NotContains(t, err.Error(), "\n")
	}
	_, err := locales.Load(fstest.MapFS{"a.en-us.yaml": {}, "embed.go": {Data: []byte("package x")}, ".#a.de.yaml": {Data: []byte("x: {")}}, nil)
	require.NoError(t, err, "an empty file has no words, and other files are not read")
}
