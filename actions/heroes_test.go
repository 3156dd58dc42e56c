package actions

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing/fstest"

	"heroes/config"
	"heroes/edge"
	"heroes/session"
	"heroes/session/backendtest"

	"github.com/gobuffalo/buffalo"
	"github.com/gobuffalo/buffalo/render"
)

func (as *ActionSuite) Test_Heroes_New() {
	as.open()
	for _, path := range []string{"/", "/heroes/new", "/heroes/new/"} {
		res := as.HTML(path).Get()
		as.Equal(http.StatusOK, res.Code, path)
		for _, f := range Fields {
			as.Contains(res.Body.String(), `<label for="`+f.Name+`">`)
			as.Contains(res.Body.String(), `name="`+f.Name+`" value=""`)
		}
	}
}

func (as *ActionSuite) Test_Heroes_New_is_filled_with_the_hero_who_is_there() {
	as.open()
	as.HTML("/heroes").Post(hero())
	for f := range hero() {
		as.Contains(as.HTML("/heroes/new").Get().Body.String(), `name="`+f+`" value="`+hero().Get(f)+`"`)
	}
}

func (as *ActionSuite) Test_Heroes_Create() {
	as.open()
	for _, path := range []string{"/heroes", "/heroes/"} {
		res := as.HTML(path).Post(hero())
		as.Equal(http.StatusSeeOther, res.Code)
		as.Equal("/success", res.Location())
		for field := range hero() {
			as.Equal(hero().Get(field), as.Session.Get(field))
		}
	}

	page := as.HTML("/success").Get().Body.String()
	for field := range hero() {
		as.Contains(page, html.EscapeString(hero().Get(field)), field)
	}
	as.Contains(page, "\u2068Superman\u2069 is registered.")
	as.Contains(page, `role="status"`)
	as.NotContains(as.HTML("/success").Get().Body.String(), "\u2068Superman\u2069 is registered.", "the flash is shown once")
	as.Contains(as.HTML("/success/").Get().Body.String(), "Clark Kent", "and the hero stays")
}

func (as *ActionSuite) Test_Heroes_a_form_that_comes_back_is_not_for_caches() {
	as.open()
	as.Equal("no-store", as.HTML("/heroes").Post(without("name")).Header().Get("Cache-Control"))
	as.Empty(as.HTML("/").Get().Header().Get("Cache-Control"), "the empty form is everybody's")
}

func (as *ActionSuite) Test_Heroes_Create_trims_what_was_typed() {
	as.open()
	as.HTML("/heroes").Post(hero("name", "  Superman\u00a0", "alter_ego", "\tClark Kent\n"))
	as.Equal("Superman", as.Session.Get("name"))
	as.Equal("Clark Kent", as.Session.Get("alter_ego"))
}

func (as *ActionSuite) Test_Heroes_Create_refuses_wrong_input_and_keeps_the_hero_who_was_there() {
	for why, form := range map[string]url.Values{
		"missing":       without("name"),
		"empty":         hero("name", ""),
		"spaces":        hero("alter_ego", " \u2003\t "),
		"invisible":     hero("name", "\u200b\u200d"),
		"too long":      hero("name", strings.Repeat("ä", 101)),
		"longer":        hero("catch_phrase", strings.Repeat("x", 281)),
		"control":       hero("alter_ego", "Clark\x00Kent"),
		"override":      hero("name", "Super\u202eman"),
		"isolate":       hero("name", "\u2066Superman"),
		"line end":      hero("catch_phrase", "Up,\r\nSet-Cookie: a=b"),
		"invalid UTF-8": hero("name", "Super\xffman"),
	} {
		as.open()
		as.HTML("/heroes").Post(hero())
		before := as.jar
		res := as.HTML("/heroes").Post(form)
		as.Equal(http.StatusUnprocessableEntity, res.Code, why)
		as.Equal(before, as.jar, why)
		as.Equal("Superman", as.Session.Get("name"), why)
		as.Equal(1, strings.Count(res.Body.String(), `class="error"`), why)
		as.Equal(1, strings.Count(res.Body.String(), " autofocus"), why)
	}
}

// without returns the form of a hero without a field.
func without(field string) url.Values {
	form := hero()
	form.Del(field)
	return form
}

func (as *ActionSuite) Test_Heroes_Create_shows_the_form_as_it_was_filled_with_a_message_at_each_field() {
	as.open()
	page := as.HTML("/heroes").Post(hero("alter_ego", strings.Repeat("x", 101), "catch_phrase", " ")).Body.String()
	as.Contains(page, `value="Superman"`)
	as.Contains(page, strings.Repeat("x", 101))
	as.Contains(page, "This has 101 characters; please use at most 100.")
	for field, wrong := range map[string]bool{"name": false, "alter_ego": true, "catch_phrase": true} {
		_, input, _ := strings.Cut(page, `<input id="`+field+`"`)
		input, _, _ = strings.Cut(input, ">")
		as.Equal(wrong, strings.Contains(input, `aria-invalid="true" aria-describedby="`+field+`-hint `+field+`-error"`), field)
		as.Equal(wrong, strings.Contains(page, `id="`+field+`-error"`), field)
		as.Equal(field == "alter_ego", strings.Contains(input, "autofocus"), "the first wrong one")
	}
	as.Empty(as.jar)
}

func (as *ActionSuite) Test_Heroes_Create_counts_characters_not_bytes() {
	as.open()
	as.Equal(http.StatusSeeOther, as.HTML("/heroes").Post(largest("字")).Code)
	for _, field := range Fields {
		as.Equal(strings.Repeat("字", field.Max), as.Session.Get(field.Name))
	}
}

func (as *ActionSuite) Test_Heroes_Create_fits_the_largest_hero_into_a_cookie() {
	for _, c := range []string{"🦸", "<"} { // the most bytes in the fields, and in the flash's JSON
		as.open()
		form := largest("🦸")
		form.Set("name", strings.Repeat(c, 100))
		for range 20 { // without following the redirect, which would show the flash
			as.Equal(http.StatusSeeOther, as.HTML("/heroes").Post(form).Code)
			as.HTML("/language").Post(url.Values{"language": {"ar"}})
		}
		as.Equal(form.Get("name"), as.Session.Get("name"))
	}
}

// The flash of the hero before, which was not shown, makes way.
func (as *ActionSuite) Test_Heroes_Create_drops_a_flash_for_which_there_is_no_room() {
	for length := 80; length <= 100; length++ {
		as.open()
		before := hero()
		before.Set("name", strings.Repeat("<", length))
		as.Equal(http.StatusSeeOther, as.HTML("/heroes").Post(before).Code)
		as.Equal(http.StatusSeeOther, as.HTML("/heroes").Post(largest("🦸")).Code, length)
		as.Equal(largest("🦸").Get("name"), as.Session.Get("name"))
	}
}

// largest returns a form that repeats a character in every field as often as it may.
func largest(character string) url.Values {
	form := url.Values{}
	for _, field := range Fields {
		form.Set(field.Name, strings.Repeat(character, field.Max))
	}
	return form
}

func (as *ActionSuite) Test_Heroes_Create_reads_the_body_alone() {
	as.open()
	as.Equal(http.StatusUnprocessableEntity, as.HTML("/heroes?"+hero().Encode()).Post(url.Values{}).Code)
	as.Equal(http.StatusSeeOther, as.HTML("/heroes?name=Lex+Luthor").Post(hero()).Code)
	as.Equal("Superman", as.Session.Get("name"))
}

func (as *ActionSuite) Test_Heroes_Success_without_a_hero_leads_to_the_form_and_stores_nothing() {
	backend := &backendtest.Memory{}
	for _, store := range []func(*config.Config){on(nil), on(backend)} {
		as.open(store)
		res := as.HTML("/success").Get()
		as.Equal(http.StatusSeeOther, res.Code)
		as.Empty(res.Header()["Set-Cookie"])
		as.Contains(as.HTML(res.Location()).Get().Body.String(), "There is no hero yet.")
		as.Empty(as.jar)
	}
	as.NoError(backend.Each(context.Background(), func(session.ID, []byte) error {
		as.Fail("a visitor who only reads has left a record")
		return nil
	}))
}

func (as *ActionSuite) Test_Heroes_whatever_was_typed_is_escaped() {
	evil := `"><script>alert('1')</script>&`
	escaped := `&#34;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;`
	as.open()
	form := url.Values{}
	for _, field := range Fields {
		form.Set(field.Name, evil)
	}
	form.Set("name", "")
	page := as.HTML("/heroes").Post(form).Body.String()
	as.Equal(len(Fields)-1, strings.Count(page, `value="`+escaped+`"`))
	as.NotContains(page, "<script")

	form.Set("name", evil)
	as.HTML("/heroes").Post(form)
	page = as.HTML("/success").Get().Body.String()
	as.Equal(len(Fields)+2, strings.Count(page, escaped), "title, flash and each value")
	as.NotContains(page, "<script")
}

func (as *ActionSuite) Test_Heroes_the_page_reads_the_session_in_both_spellings_and_cannot_change_it() {
	as.open()
	inline := func(source string) buffalo.Handler {
		return func(c buffalo.Context) error {
			c.Set("name", c.Session().Get("name")) // the lesson's other way
			c.Set("alter_ego", c.Session().Get("alter_ego"))
			return c.Render(http.StatusOK, inlinePage(source))
		}
	}
	as.App.GET("/long", inline(`<%= name %>, <%= alter_ego %>|`))
	as.App.GET("/short", inline(`<%= session["name"] %>, <%= session.Get("alter_ego") %>|<%= session["none"] %><%= session.Get("none") %>`))
	as.App.GET("/write", inline(`<% session["name"] = "Lex Luthor" %><%= session["name"] %>`))
	as.HTML("/heroes").Post(hero())
	as.Equal("Superman, Clark Kent|", as.HTML("/long").Get().Body.String())
	as.Equal("Superman, Clark Kent|", as.HTML("/short").Get().Body.String())
	as.HTML("/write").Get()
	as.Equal("Superman", as.Session.Get("name"))
}

func (as *ActionSuite) Test_Heroes_Create_tells_a_client_that_asks_for_JSON_what_is_wrong() {
	as.open()
	as.header = map[string]string{"Accept": "application/json"}
	res := as.HTML("/heroes").Post(hero("name", " "))
	as.Equal(http.StatusUnprocessableEntity, res.Code)
	as.Equal("application/problem+json", res.Header().Get("Content-Type"))
	var got edge.Problem
	as.NoError(json.Unmarshal(res.Body.Bytes(), &got))
	as.Equal(422, got.Status)
	as.Equal(map[string]string{"name": "Please fill in this field."}, got.Fields)
	as.Empty(as.jar)

	as.header = map[string]string{}
	as.HTML("/heroes").Post(hero())
	as.header["Accept"] = "Application/JSON"
	as.Empty(as.HTML("/heroes").Post(hero("name", " ")).Header()["Set-Cookie"])
	as.header = map[string]string{}
	as.Contains(as.HTML("/success").Get().Body.String(), "is registered.", "and the flash is still there")
}

func (as *ActionSuite) Test_Heroes_nothing_can_be_found_in_the_cookie() {
	as.open()
	res := as.HTML("/heroes").Post(hero())
	for _, cookie := range append(res.Header()["Set-Cookie"], as.jar[as.App.SessionName]) {
		for _, text := range readings([]byte(cookie)) {
			for _, word := range []string{"Superman", "Clark", "Kent", "away", "alter_ego", "catch_phrase", "flash", "success\":", "registered"} {
				as.NotContains(text, word)
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
	return render.New(render.Options{TemplatesFS: pages}).HTML("page.html")
}
