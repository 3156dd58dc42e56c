package views

import (
	"fmt"
	"html/template"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gobuffalo/helpers/hctx"
	"github.com/gobuffalo/plush/v4"
	"github.com/stretchr/testify/require"
)

type person struct {
	Name   string
	Age    int
	Friend *person
	Tags   []string
	hidden string
}

func (p person) Greet(who string) string { return "<" + who + "> " + p.Name + p.hidden }
func (p *person) Pointer() int           { return p.Age }

type shouting struct{ text string }

func (s shouting) String() string { return s.text + "<!>" }

// sample has a value of each kind that a template may meet.
func sample() map[string]any {
	return map[string]any{
		"names": []string{"Zoë", "<b>", ""}, "numbers": []int{1, 0, -3}, "none": []string{}, "any": []any{1, "a", nil, 2.5},
		"table": map[string]any{"only": "<value>"}, "lists": map[string][]string{"k": {"a", "b"}}, "ints": map[int]string{1: "one"},
		"s": "<text>", "empty": "", "n": 7, "zero": 0, "big": int64(9), "f": 1.5, "yes": true, "no": false, "html": template.HTML("<i>"),
		"null": nil, "p": person{Name: "<Lois>", Age: 3, Friend: &person{Name: "Jimmy"}, Tags: []string{"x"}, hidden: "h"}, "pp": &person{Name: "Kal"},
		"nobody": (*person)(nil), "when": time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "loud": shouting{"a"},
		"t":     func(id string, rest ...any) string { return fmt.Sprint("t:", id, len(rest)) },
		"asset": func(s string) string { return "/" + s },
		"fails": func() (string, error) { return "", fmt.Errorf("no") },
		"twice": func(a, b string) string { return a + b }, "opts": func(s string, m map[string]any) string { return fmt.Sprint(s, len(m)) },
		"ctx": func(h plush.HelperContext) string {
			h.Set("fromHelper", "set")
			return fmt.Sprint(h.Value("s"), h.HasBlock())
		},
		"tags": func(options hctx.Map, h hctx.HelperContext) string { // as csrf's and many others
			return fmt.Sprint(len(options), h.Value("s"), h.HasBlock())
		},
		"void": func() {}, "rest": func(n int, more ...string) int { return n + len(more) },
		"block": func(h plush.HelperContext) (string, error) { return h.Block() },
		"wrap": func(h plush.HelperContext) (template.HTML, error) {
			inner := h.New()
			inner.Set("x", "from wrap")
			text, err := h.BlockWith(inner)
			if err != nil {
				return "", fmt.Errorf("wrap: %w", err)
			}
			return template.HTML("[" + text + "]"), nil
		},
		"times": func(n int, h plush.HelperContext) (template.HTML, error) {
			all := ""
			for i := range min(n, 3) {
				h.Set("i", i)
				text, err := h.Block()
				if err != nil {
					return template.HTML(all), nil // an error that goes no further
				}
				all += text
			}
			return template.HTML(all), nil
		},
		"people": func() []person { return []person{{Name: "<Lana>", Tags: []string{"a"}}, {Name: "Pete"}} },
		"person": func() *person { return &person{Name: "<Lex>", Friend: &person{Name: "Lionel"}} },
		"crowd":  []person{{Name: "<Perry>", Age: 50, Tags: []string{"chief"}}, {Name: "Cat"}},
		"byName": map[string]person{"p": {Name: "Chloe", Friend: &person{Name: "Clark"}}},
	}
}

// A writer makes templates at random.
type writer struct {
	*rand.Rand
	strings.Builder
	inBlock bool
	careful bool // most of its expressions do not fail
}

func (w *writer) one(of ...string) string { return of[w.IntN(len(of))] }

func (w *writer) name() string {
	return w.one("names", "numbers", "none", "any", "table", "lists", "ints", "s", "empty", "n", "zero", "big", "f", "yes", "no", "html",
		"null", "p", "pp", "nobody", "when", "loud", "missing", "x", "y", "i", "v", "fromHelper", "nil", "len", "raw")
}

// right is an expression that does not fail.
func (w *writer) right(depth int) string {
	if depth <= 0 {
		return w.one("s", "n", "names", "html", "loud", "when", "f", "yes", "no", "p.Name", "pp.Name", "names[0]", `"lit <&>"`, "3", "len(names)", `asset("a")`,
			"(crowd[0].Name)", "(people()[0].Name)", "(person().Friend.Name)", `(byName["p"].Friend.Name)`, "(crowd[0].Tags[0])", `p.Greet("a")`, "pp.Pointer()", "rest(1)", "ctx()", "tags()", "tags({a: 1})")
	}
	e := func() string { return w.right(depth - 1) }
	switch w.IntN(7) {
	case 0:
		return e() + w.one(" && ", " || ", " == null || ", " != missing && ") + e()
	case 1:
		return "!" + e()
	case 2:
		return "s + " + e()
	case 3:
		return "n " + w.one("+", "-", "*", "<", "==") + " 2"
	case 4:
		return "[" + e() + ", " + e() + "]"
	case 5:
		return `t("id", ` + e() + ", {a: " + e() + "})"
	}
	return "(" + e() + ")"
}

func (w *writer) expression(depth int) string {
	if w.careful && w.IntN(20) > 0 {
		return w.right(depth)
	}
	if depth <= 0 {
		return w.one(w.name(), w.name(), `"lit <&>"`, "3", "2.5", "true", "false", `""`)
	}
	e := func() string { return w.expression(depth - 1 - w.IntN(2)) }
	switch w.IntN(17) {
	case 0, 1:
		return w.name()
	case 2:
		return e() + w.one(" + ", " - ", " * ", " / ", " == ", " != ", " < ", " > ", " <= ", " >= ", " && ", " || ", " ~= ") + e()
	case 3:
		return "!" + e()
	case 4:
		return w.one("names", "numbers", "any", "table", "lists", "ints", "s", "missing") + "[" + e() + "]"
	case 5:
		return w.one("p", "pp", "v", "nobody", "s", "missing") + "." + w.one("Name", "Age", "Friend", "Tags", "hidden", "Nope", "Friend.Name")
	case 6:
		return w.one("p", "pp", "s", "table") + "." + w.one(`Greet("a")`, "Greet(s)", "Pointer()", "Nope()", "Greet()")
	case 7:
		return "t(" + w.one(e(), e()+", "+e(), `"id"`, "") + ")"
	case 8:
		return w.one("len", "asset", "raw", "missing", "s", "fails", "void", "ctx", "twice", "opts", "rest", "block", "inspect", "capitalize") + "(" + w.one("", e(), e()+", "+e()) + ")"
	case 9:
		return "[" + e() + ", " + e() + "]"
	case 10:
		return "{a: " + e() + ", b: 1}" // plush evaluates the values in any order
	case 11:
		return "(" + e() + ")"
	case 12:
		return w.one("crowd[0]", "crowd[n]", "byName[s]", `byName["p"]`, "p.Tags[0]", "people()", "person()", "crowd[1].Tags[0]", "names[0]", "missing[0]") +
			w.one(".Name", ".Friend", ".Friend.Name", ".Nope", `.Greet("a")`, ".Tags[0]", ".Age")
	case 13:
		return w.one("x", "y", "s", "missing", "i") + " = " + e()
	case 14:
		return w.one(`table["new"]`, "names[0]", "numbers[1]", "any[9]", `lists["k"]`, "s[0]", "ints[1]", "names[s]") + " = " + w.one("s", "n", "null", `"set"`, "missing")
	}
	return w.one(w.name(), `"`+strconv.Itoa(w.IntN(9))+`"`)
}

func (w *writer) iterable() string {
	if w.careful {
		return w.one("names", "numbers", "any", "none", "table", "crowd", "people()", "null || nil", "p.Tags")
	}
	return w.name()
}

func (w *writer) template(depth int) {
	for range 1 + w.IntN(4) {
		switch n := w.IntN(15); {
		case n < 3 || depth <= 0:
			w.WriteString(w.one("text", "<%# a comment %>", "<b>\n", " ", "\n\n", "&amp;", "'\""))
		case n < 6:
			w.WriteString("<%= " + w.expression(2) + " %>")
		case n == 6:
			w.WriteString("<% " + w.expression(2) + " %>")
		case n == 7:
			w.WriteString("<% let " + w.one("x", "y", "i", "s", "len", "TIME_FORMAT") + " = " + w.expression(2) + " %>")
		case n < 10:
			w.WriteString(w.one("<%= ", "<%= ", "<% ") + "if (" + w.expression(2) + ") { %>")
			w.template(depth - 1)
			if w.IntN(3) == 0 {
				w.WriteString("<% } else if (" + w.expression(1) + ") { %>")
				w.template(depth - 1)
			}
			if w.IntN(2) == 0 {
				w.WriteString("<% } else { %>")
				w.template(depth - 1)
			}
			w.WriteString("<% } %>")
		case n == 10:
			outer := w.inBlock
			w.inBlock = true
			w.WriteString(w.one("<%= ", "<%= ", "<% ") + w.one("block()", "wrap()", "times(2)", "times(n)", `contentFor("a")`, `contentFor("b")`, "ctx()", "tags()", "fails()", "twice(s, s)", "p.Greet(s)", "len(names)") + " { %>")
			w.template(depth - 1)
			w.WriteString("<% } %>")
			w.inBlock = outer
		case n == 11 && !w.inBlock: // content of itself has no end
			w.WriteString(w.one("<%= ", "<%= ", "<% ") + w.one(`contentOf("a")`, `contentOf("b", {x: "data"})`, `contentOf("a", {len: nil})`) + " %>")
		case n == 12:
			w.WriteString(w.one("<% break %>", "<% continue %>", "<% return "+w.expression(1)+" %>", "<%= continue %>", "<%= break %>",
				"<% if (yes) { continue } %>", "<% if (n == i) { return s } %>", "<% let x = fn(a) { return a } %>", "<%= x(s) %>"))
		default:
			w.WriteString(w.one("<%= ", "<%= ", "<% ") + "for (" + w.one("v", "i, v", "k, v", "v, v") + ") in " + w.one(w.iterable(), "range(1, 3)", "until(2)", "between(0, 3)") + " { %>")
			w.template(depth - 1)
			w.WriteString("<% } %>")
		}
	}
}

// outcome is the output or the error of f, or what it panicked with.
func outcome(f func() (string, error)) (result string) {
	defer func() {
		if p := recover(); p != nil {
			result = fmt.Sprintf("panic: %v", p)
		}
	}()
	text, err := f()
	if err != nil {
		return "error: " + err.Error()
	}
	return "ok: " + text
}

// both renders a template with plush and, if the compiler supports all of it, with the compiler. Maps
// are walked in a random order, so it tries again when the two differ.
func both(source string) (want, got, lacks string) {
	for range 40 {
		want, got, lacks = each(source)
		want, got = address.ReplaceAllString(want, ""), address.ReplaceAllString(got, "")
		if want == got {
			break
		}
	}
	return want, got, lacks
}

func each(source string) (want, got, lacks string) {
	tree, err := parse(source)
	if err != nil {
		return "", "", "it does not parse"
	}
	p, lacks, _ := compile(tree)
	if lacks != "" {
		return "", "", lacks
	}
	helpers := func() *helperSet { // new ones each time, because templates change the values
		all := maps.Clone(plush.Helpers.Helpers())
		for name, value := range sample() {
			if value != nil {
				all[name] = value
			}
		}
		return newHelperSet(all)
	}
	want = outcome(func() (string, error) {
		t, err := plush.NewTemplate(source)
		if err != nil {
			return "", err
		}
		return t.Exec(plush.NewContextWithOuter(map[string]any{}, helpers().context))
	})
	got = outcome(func() (string, error) {
		r := &run{line: new(int), scope: &scope{values: map[string]any{}, page: &page{helpers: helpers(), custom: true}}}
		err := p.exec(r)
		return string(r.out), err
	})
	return want, got, ""
}

// Set TEST_TEMPLATES to another number of templates.
func Test_compiled_templates_render_what_plush_renders_and_fail_as_it_fails(t *testing.T) {
	n := 20_000
	if text := os.Getenv("TEST_TEMPLATES"); text != "" {
		n, _ = strconv.Atoi(text)
	}
	compiled, failed := 0, 0
	for seed := range n {
		w := &writer{Rand: rand.New(rand.NewPCG(uint64(seed), 1)), careful: seed%3 > 0}
		w.template(3)
		want, got, lacks := both(w.String())
		if lacks != "" {
			continue
		}
		compiled++
		if strings.HasPrefix(want, "error") {
			failed++
		}
		if want != got { // require.Equal would take its time each time
			require.Equal(t, want, got, "seed %d: %s", seed, w.String())
		}
	}
	t.Logf("%d of %d compiled, of which %d fail", compiled, n, failed)
	require.Greater(t, compiled, n/4)
	require.Less(t, failed, compiled*9/10)
}

// Run it with go test -fuzz Fuzz_compiled ./views.
func Fuzz_compiled_templates(f *testing.F) {
	for seed := range 300 {
		w := &writer{Rand: rand.New(rand.NewPCG(uint64(seed), 2)), careful: seed%3 > 0}
		w.template(2)
		f.Add(w.String())
	}
	f.Fuzz(func(t *testing.T, source string) {
		if len(source) > 1000 || tooMuch.MatchString(source) {
			return
		}
		want, got, _ := both(source)
		require.Equal(t, want, got)
	})
}

// tooMuch matches what can take too long: long ranges, and content that contains itself.
var tooMuch = regexp.MustCompile(`[0-9]{4}|[*]|contentOf|for.*for.*for.*for`)

// address matches a pointer in a text, which is another one each time.
var address = regexp.MustCompile(`0x[0-9a-f]+`)

// What plush does for no good reason, and chance seldom writes.
func Test_compiled_templates_have_plush_s_oddities(t *testing.T) {
	for _, source := range []string{
		`<%= for (v) in numbers { %><% let TIME_FORMAT = "2006" %><%= when %><%= v %>;<% } %>`,
		`<%= if (yes) { %><%= when %><% let TIME_FORMAT = "2006" %><%= when %><% } %><%= when %>`,
		`<% if (yes) { %>dropped<% let x = "kept" %><%= loud %><% } %><%= x %><%= loud %>`,
		"<%= if (yes) { %>\n\n<%= n %>\n<% } %>\n<%= missing %>",
	} {
		want, got, lacks := both(source)
		require.Empty(t, lacks, source)
		require.Equal(t, want, got, source)
	}
}
