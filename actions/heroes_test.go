package actions

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"

	"heroes/session/buffalosession"

	"github.com/gobuffalo/buffalo"
	"github.com/gobuffalo/buffalo/render"
)

func Test_Heroes_New(t *testing.T) {
	b := open(t)
	for _, path := range []string{"/", "/heroes/new", "/heroes/new/"} {
		res := b.get(path)
		b.Equal(http.StatusOK, res.Code, path)
		for _, f := range fields {
			b.Contains(res.Body.String(), `<label for="`+f.name+`">`)
			b.Contains(res.Body.String(), `name="`+f.name+`" value=""`)
		}
	}
}

func Test_Heroes_New_is_filled_with_the_hero_who_is_there(t *testing.T) {
	b := open(t)
	b.post("/heroes", superman())
	for f := range superman() {
		b.Contains(b.get("/heroes/new").Body.String(), `name="`+f+`" value="`+superman().Get(f)+`"`)
	}
}

func Test_Heroes_Create(t *testing.T) {
	b := open(t)
	for _, path := range []string{"/heroes", "/heroes/"} {
		res := b.post(path, superman())
		b.Equal(http.StatusSeeOther, res.Code)
		b.Equal("/success", res.Location())
		b.Equal("Superman", b.session()["name"])
		b.Equal("Clark Kent", b.session()["alter_ego"])
		b.Equal("Up, up and away!", b.session()["catch_phrase"])
	}

	page := b.get("/success").Body.String()
	for _, text := range []string{"Superman", "Clark Kent", "Up, up and away!", "\u2068Superman\u2069 is registered.", `role="status"`} {
		b.Contains(page, text)
	}
	b.NotContains(b.get("/success").Body.String(), "\u2068Superman\u2069 is registered.", "the flash is shown once")
	b.Contains(b.get("/success/").Body.String(), "Clark Kent", "and the hero stays")
}

func Test_Heroes_a_form_that_comes_back_is_not_for_caches(t *testing.T) {
	b := open(t)
	b.Equal("no-store", b.post("/heroes", url.Values{"alter_ego": {"Clark Kent"}}).Header().Get("Cache-Control"))
	b.Empty(b.get("/").Header().Get("Cache-Control"), "the empty form is everybody's")
}

func Test_Heroes_Create_trims_what_was_typed(t *testing.T) {
	b := open(t)
	b.post("/heroes", url.Values{"name": {"  Superman\u00a0"}, "alter_ego": {"\tClark Kent\n"}, "catch_phrase": {" Up! "}})
	b.Equal("Superman", b.session()["name"])
	b.Equal("Clark Kent", b.session()["alter_ego"])
}

func Test_Heroes_Create_refuses_wrong_input_and_keeps_the_hero_who_was_there(t *testing.T) {
	hero := func(field, value string) url.Values {
		form := superman()
		form.Set(field, value)
		return form
	}
	for why, form := range map[string]url.Values{
		"missing":       {"alter_ego": {"x"}, "catch_phrase": {"y"}},
		"empty":         hero("name", ""),
		"spaces":        hero("alter_ego", " \u2003\t "),
		"invisible":     hero("name", "\u200b\u200d"),
		"too long":      hero("name", strings.Repeat("ä", 101)),
		"longer":        hero("catch_phrase", strings.Repeat("x", 281)),
		"control":       hero("alter_ego", "Clark\x00Kent"),
		"line end":      hero("catch_phrase", "Up,\r\nSet-Cookie: a=b"),
		"invalid UTF-8": hero("name", "Super\xffman"),
	} {
		b := open(t)
		b.post("/heroes", superman())
		before := b.jar
		res := b.post("/heroes", form)
		b.Equal(http.StatusUnprocessableEntity, res.Code, why)
		b.Equal(before, b.jar, why)
		b.Equal("Superman", b.session()["name"], why)
		b.Equal(1, strings.Count(res.Body.String(), `class="error"`), why)
		b.Equal(1, strings.Count(res.Body.String(), " autofocus"), why)
	}
}

func Test_Heroes_Create_shows_the_form_as_it_was_filled_with_a_message_at_each_field(t *testing.T) {
	b := open(t)
	page := b.post("/heroes", url.Values{"name": {"Superman"}, "alter_ego": {strings.Repeat("x", 101)}}).Body.String()
	b.Contains(page, `value="Superman"`)
	b.Contains(page, strings.Repeat("x", 101))
	b.Contains(page, "These are 101 characters; please use at most 100.")
	for field, wrong := range map[string]bool{"name": false, "alter_ego": true, "catch_phrase": true} {
		_, input, _ := strings.Cut(page, `<input id="`+field+`"`)
		input, _, _ = strings.Cut(input, ">")
		b.Equal(wrong, strings.Contains(input, `aria-invalid="true" aria-describedby="`+field+`-hint `+field+`-error"`), field)
		b.Equal(wrong, strings.Contains(page, `id="`+field+`-error"`), field)
		b.Equal(field == "alter_ego", strings.Contains(input, "autofocus"), "the first wrong one")
	}
	b.Empty(b.jar)
}

func Test_Heroes_Create_counts_characters_not_bytes(t *testing.T) {
	b := open(t)
	form := url.Values{"name": {strings.Repeat("🦸", 100)}, "alter_ego": {strings.Repeat("ü", 100)}, "catch_phrase": {strings.Repeat("字", 280)}}
	b.Equal(http.StatusSeeOther, b.post("/heroes", form).Code)
	b.Equal(form.Get("catch_phrase"), b.session()["catch_phrase"])
}

func Test_Heroes_Create_fits_the_largest_hero_into_a_cookie(t *testing.T) {
	for _, c := range []string{"🦸", "<"} { // the most bytes in the fields, and in the flash's JSON
		b := open(t)
		form := url.Values{"name": {strings.Repeat(c, 100)}, "alter_ego": {strings.Repeat("🦸", 100)}, "catch_phrase": {strings.Repeat("🦸", 280)}}
		b.Equal(http.StatusSeeOther, b.post("/heroes", form).Code)
		b.Equal(form.Get("name"), b.session()["name"])
	}
}

func Test_Heroes_Create_reads_the_body_alone(t *testing.T) {
	b := open(t)
	b.Equal(http.StatusUnprocessableEntity, b.post("/heroes?"+superman().Encode(), url.Values{}).Code)
	b.Equal(http.StatusSeeOther, b.post("/heroes?name=Lex+Luthor", superman()).Code)
	b.Equal("Superman", b.session()["name"])
}

func Test_Heroes_Success_without_a_hero_leads_back_with_a_flash(t *testing.T) {
	b := open(t)
	res := b.get("/success")
	b.Equal(http.StatusSeeOther, res.Code)
	b.Equal("/", res.Location())
	b.Contains(b.get("/").Body.String(), "There is no hero yet.")
	b.Empty(b.jar, "the flash was all the session held")
}

func Test_Heroes_whatever_was_typed_is_escaped(t *testing.T) {
	evil := `"><script>alert('1')</script>&`
	escaped := `&#34;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;`
	b := open(t)
	page := b.post("/heroes", url.Values{"name": {evil}, "alter_ego": {evil}}).Body.String()
	b.Equal(2, strings.Count(page, `value="`+escaped+`"`))
	b.NotContains(page, "<script")

	b.post("/heroes", url.Values{"name": {evil}, "alter_ego": {evil}, "catch_phrase": {evil}})
	page = b.get("/success").Body.String()
	b.Equal(5, strings.Count(page, escaped), "title, flash and three values")
	b.NotContains(page, "<script")
}

func Test_Heroes_the_page_reads_the_session_in_both_spellings_and_cannot_change_it(t *testing.T) {
	b := open(t)
	inline := func(source string) buffalo.Handler {
		return func(c buffalo.Context) error {
			c.Set("name", c.Session().Get("name")) // the lesson's other way
			c.Set("alter_ego", c.Session().Get("alter_ego"))
			return c.Render(http.StatusOK, inlinePage(source))
		}
	}
	b.app.GET("/long", inline(`<%= name %>, <%= alter_ego %>|`))
	b.app.GET("/short", inline(`<%= session["name"] %>, <%= session.Get("alter_ego") %>|<%= session["none"] %><%= session.Get("none") %>`))
	b.app.GET("/write", inline(`<% session["name"] = "Lex Luthor" %><%= session["name"] %>`))
	b.post("/heroes", superman())
	b.Equal("Superman, Clark Kent|", b.get("/long").Body.String())
	b.Equal("Superman, Clark Kent|", b.get("/short").Body.String())
	b.get("/write")
	b.Equal("Superman", b.session()["name"])
}

func Test_Heroes_nothing_can_be_found_in_the_cookie(t *testing.T) {
	b := open(t)
	res := b.post("/heroes", superman())
	for _, cookie := range append(res.Header()["Set-Cookie"], b.jar[b.app.SessionName]) {
		for _, text := range readings([]byte(cookie)) {
			for _, word := range []string{"Superman", "Clark", "Kent", "away", "alter_ego", "catch_phrase", "flash", "success\":", "registered"} {
				b.NotContains(text, word)
			}
		}
	}
}

// readings are all the texts that someone without the secret could get from b.
func readings(b []byte) []string {
	all := [][]byte{b}
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding, base64.RawURLEncoding} {
		for skip := range min(4, len(b)) {
			if d, _ := e.DecodeString(string(b[skip:])); len(d) > 0 {
				all = append(all, d)
			}
		}
	}
	var texts []string
	for _, data := range all {
		texts = append(texts, string(data))
		for skip := range min(64, len(data)) {
			readers := []io.Reader{flate.NewReader(bytes.NewReader(data[skip:]))}
			if r, err := gzip.NewReader(bytes.NewReader(data[skip:])); err == nil {
				readers = append(readers, r)
			}
			if r, err := zlib.NewReader(bytes.NewReader(data[skip:])); err == nil {
				readers = append(readers, r)
			}
			for _, r := range readers {
				text, _ := io.ReadAll(io.LimitReader(r, 1<<16))
				texts = append(texts, string(text))
			}
		}
	}
	return texts
}

func inlinePage(source string) render.Renderer {
	pages := fstest.MapFS{"page.html": {Data: []byte(source)}}
	return buffalosession.Page(render.New(render.Options{TemplatesFS: pages}).HTML("page.html"))
}
