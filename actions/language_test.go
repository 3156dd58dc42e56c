package actions

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"heroes/session/backendtest"

	"github.com/gobuffalo/buffalo"
	"github.com/gobuffalo/httptest"
	"github.com/stretchr/testify/require"
)

func Test_Language_is_the_one_chosen_or_the_best_that_the_browser_asks_for(t *testing.T) {
	d := newDictionary([]string{"ar-eg", "de-de", "en-us"})
	for _, asked := range []struct{ chosen, accepted, want string }{
		{"", "", "en-us"},
		{"", "de", "de-de"},
		{"", "de-AT, en;q=0.9", "de-de"},
		{"", "fr, en;q=0.3, ar;q=0.8", "ar-eg"},
		{"", "en-GB", "en-us"},
		{"", "ja", "en-us"},
		{"", "*", "en-us"},
		{"", "\x00;;q=,,-", "en-us"},
		{"", strings.Repeat("xx-", 9999), "en-us"},
		{"ar", "de", "ar-eg"},
		{"nonsense!", "de", "de-de"},
	} {
		require.Equal(t, asked.want, d.speaker(asked.chosen, asked.accepted).names[0], "%+v", asked)
	}
	require.Equal(t, []string{"de-de", "en-us"}, d.speaker("de", "").names, "and then the application's own")
	require.Equal(t, []string{"en-us"}, d.speaker("", "").names)
}

func Test_Language_what_has_no_words_is_said_in_the_application_s_own(t *testing.T) {
	s := &speaker{names: []string{"de-de", "en-us"}}
	for range 2 {
		require.Equal(t, "Heroes", s.say("app.name"))
		require.Equal(t, "no.such.words", s.say("no.such.words"))
	}
	require.Equal(t, "\u2068Zoë\u2069 is registered.", s.say("heroes.created", map[string]any{"Name": "Zoë"}))
	require.Equal(t, "\u2068Lois\u2069 is registered.", s.say("heroes.created", map[string]any{"Name": "Lois"}), "what has arguments is said anew")
}

// inEach runs f with a browser that asks for each language, and what says its words as
// they stand on a page.
func inEach(t *testing.T, f func(b *browser, code string, say func(id string, arguments ...any) string)) {
	t.Helper()
	for _, s := range languages.Load().speakers {
		b := open(t)
		code := s.say("language.code")
		b.header["Accept-Language"] = code
		f(b, code, func(id string, arguments ...any) string { return html.EscapeString(s.say(id, arguments...)) })
	}
}

func Test_Language_every_page_and_message_is_in_it(t *testing.T) {
	direction := map[string]string{"en": "ltr", "de": "ltr", "es": "ltr", "fr": "ltr", "ar": "rtl"}
	inEach(t, func(b *browser, code string, say func(string, ...any) string) {
		shows := func(res *httptest.Response, status int, texts ...string) {
			b.Equal(status, res.Code)
			b.Contains(res.Body.String(), fmt.Sprintf(`<html lang="%s" dir="%s">`, code, direction[code]))
			for _, text := range append(texts, say("app.footer")) {
				b.Contains(res.Body.String(), text)
			}
		}
		long := superman()
		long.Set("name", strings.Repeat("x", 103))
		long.Set("alter_ego", "\x00")

		shows(b.get("/"), 200, say("heroes.new.title"), say("heroes.catch_phrase.hint"))
		shows(b.get("/nowhere"), 404, say("errors.404.title"), say("errors.404.text"))
		shows(b.post("/", nil), 405, say("errors.405.title"))
		shows(b.post("/heroes", nil), 422, say("heroes.wrong.required"))
		shows(b.post("/heroes", long), 422, say("heroes.wrong.control"), say("heroes.wrong.long", 103, map[string]any{"Max": 100}))
		shows(b.post("/language", nil), 422, say("errors.422.title"), say("errors.422.text"))
		b.get("/success")
		shows(b.get("/"), 200, say("heroes.missing"))
		b.post("/heroes", superman())
		shows(b.get("/success"), 200, say("heroes.created", map[string]any{"Name": "Superman"}), say("heroes.success.intro"))
		b.post("/session", url.Values{"_method": {"DELETE"}})
		shows(b.get("/"), 200, say("session.destroyed"))
		b.header["Origin"] = "https://evil.example"
		shows(b.post("/heroes", superman()), 403, say("errors.403.title"), say("errors.403.text"))
	})
}

func Test_Language_the_largest_hero_fits_into_a_cookie_in_each(t *testing.T) {
	inEach(t, func(b *browser, code string, _ func(string, ...any) string) {
		b.post("/language", url.Values{"language": {code}})
		form := url.Values{"name": {strings.Repeat("<", 100)}, "alter_ego": {strings.Repeat("🦸", 100)}, "catch_phrase": {strings.Repeat("🦸", 280)}}
		b.Equal("/success", b.post("/heroes", form).Location(), code)
	})
}

func Test_Language_every_page_offers_the_others_in_their_own_words(t *testing.T) {
	inEach(t, func(b *browser, code string, say func(string, ...any) string) {
		b.post("/heroes", superman())
		for _, page := range []*httptest.Response{b.get("/"), b.get("/success"), b.get("/nowhere"), b.post("/heroes", nil), b.post("/language", nil)} {
			_, form, found := strings.Cut(page.Body.String(), `<form class="languages" action="/language" method="post" aria-label="`+say("language.choose")+`">`)
			b.True(found)
			var offered []string
			for _, button := range strings.SplitAfter(form, "</button>") {
				if _, button, found := strings.Cut(button, `<button class="link" name="language" `); found {
					offered = append(offered, button)
				}
			}
			b.Len(offered, len(words.AvailableLanguages()))
			for i, name := range []string{"en English", "ar العربية", "de Deutsch", "es Español", "fr Français"} {
				c, name, _ := strings.Cut(name, " ")
				current := ""
				if c == code {
					current = ` aria-current="true"`
				}
				b.Equal(fmt.Sprintf(`value="%[1]s" lang="%[1]s"%[2]s>%[3]s</button>`, c, current, name), offered[i])
			}
		}
	})
}

func Test_Language_the_one_chosen_stays_whatever_the_browser_asks_for(t *testing.T) {
	for _, accepted := range []string{"", "de", "fr;q=1, de;q=0.1", "en-us"} {
		for _, code := range []string{"ar", "de", "en", "es", "fr"} {
			b := open(t)
			b.header["Accept-Language"] = accepted
			res := b.post("/language", url.Values{"language": {code}})
			b.Equal(http.StatusSeeOther, res.Code)
			b.Equal(code, b.session()["lang"])
			b.header["Accept-Language"] = "ja"
			for _, path := range []string{"/", "/nowhere"} {
				b.Contains(b.get(path).Body.String(), `<html lang="`+code+`"`)
			}
		}
	}
}

func Test_Language_a_choice_keeps_the_session_and_all_that_is_in_it(t *testing.T) {
	b := openOn(t, &backendtest.Memory{})
	b.post("/heroes", superman())
	token := b.jar[b.app.SessionName]
	b.post("/language", url.Values{"language": {"de"}})
	b.Equal(token, b.jar[b.app.SessionName])
	page := b.get("/success").Body.String()
	for _, text := range []string{"Superman", "Clark Kent", "Up, up and away!", "is registered."} {
		b.Contains(page, text, "the flash waited, too")
	}
	b.Contains(page, `<html lang="de"`)
}

func Test_Language_one_without_words_is_refused(t *testing.T) {
	for _, code := range []string{"", "ja", "DE", "de-AT", " de", "de\x00", "de,fr", "*", strings.Repeat("de-", 999)} {
		b := open(t)
		b.Equal(http.StatusUnprocessableEntity, b.post("/language", url.Values{"language": {code}}).Code)
		b.Empty(b.jar)
	}
	b := open(t)
	b.Equal(http.StatusUnprocessableEntity, b.post("/language?language=de", nil).Code, "the query does not count")
	b.header["Origin"] = "https://evil.example"
	b.Equal(http.StatusForbidden, b.post("/language", url.Values{"language": {"de"}}).Code)
	b.Empty(b.jar)
}

func Test_Language_leads_back_to_the_page_and_never_to_another_host(t *testing.T) {
	const host = "http://heroes.example:8080"
	b := open(t)
	for referer, want := range map[string]string{
		"":                                      "/",
		host:                                    "/",
		host + "/":                              "/",
		host + "/heroes/new":                    "/heroes/new",
		host + "/heroes/new/":                   "/heroes/new",
		host + "/success?x=1#y":                 "/success",
		"https" + host[4:] + "/success":         "/success",
		host + "/heroes":                        "/", // the form with its errors
		host + "/session":                       "/session",
		host + "/language":                      "/",
		host + "/nowhere":                       "/",
		"/success":                              "/",
		"http://evil.example/success":           "/",
		"http://heroes.example/success":         "/", // another port
		"http://evil.example:8080/success":      "/",
		"http://heroes.example:8080.evil/":      "/",
		"http://heroes.example:8080@evil/":      "/",
		"http://evil.example\\@" + host[7:]:     "/",
		host + "//evil.example":                 "/",
		host + "//evil.example/success":         "/",
		host + `/\evil.example`:                 "/",
		host + "/%5Cevil.example":               "/",
		host + "/%2Fevil.example":               "/",
		host + "/%2F%2Fevil.example/%2e%2e":     "/",
		host + "/success/../..//evil":           "/",
		host + "/success%0d%0aLocation:%20evil": "/",
		host + "/\tsuccess":                     "/",
		"javascript:alert(1)":                   "/",
		"//heroes.example:8080//evil.example":   "/",
		"://":                                   "/",
		strings.Repeat("/", 9999):               "/",
	} {
		b.header["Referer"] = referer
		res := b.post(host+"/language", url.Values{"language": {"fr"}})
		b.Equal(http.StatusSeeOther, res.Code, referer)
		b.Equal(want, res.Location(), referer)
	}
}

func Test_Language_is_forgotten_with_the_rest_and_the_flash_still_is_in_it(t *testing.T) {
	b := open(t)
	b.post("/language", url.Values{"language": {"de"}})
	b.post("/session", url.Values{"_method": {"DELETE"}})
	b.Empty(b.session())
	page := b.get("/").Body.String()
	b.Contains(page, "Du bist vergessen.")
	b.Contains(page, `<html lang="en"`)
	b.Empty(b.jar)
}

func Test_Language_a_cache_is_told_that_the_words_depend_on_it(t *testing.T) {
	memory := &backendtest.Memory{}
	b := openOn(t, memory)
	b.app.GET("/slow", func(c buffalo.Context) error {
		b.NoError(b.store.RevokeAll(c))
		c.Session().Set("name", "Batman")
		return c.Redirect(http.StatusSeeOther, "/success")
	})
	varies := func(res *httptest.Response, status, times int) {
		b.Equal(status, res.Code)
		b.Equal(times, strings.Count(strings.Join(res.Header()["Vary"], ", "), "Accept-Language"), "%d %v", status, res.Header())
	}
	varies(b.get("/"), 200, 1)
	varies(b.get("/success"), 303, 1) // with a flash
	varies(b.post("/heroes", nil), 422, 1)
	varies(b.post("/language", nil), 422, 1)
	varies(b.get("/nowhere"), 404, 1)
	varies(b.post("/", nil), 405, 1)
	varies(b.post("/heroes", url.Values{"x": {strings.Repeat("x", maxBody)}}), 413, 1)
	varies(b.post("/heroes", superman()), 303, 1)
	varies(b.get("/success"), 200, 1)
	varies(b.get("/slow"), 409, 1)
	for _, path := range []string{"/healthz", "/readyz", "/robots.txt", "/assets/favicon.svg", files.Path("assets/application.css")} {
		varies(b.get(path), 200, 0)
	}
	b.post("/heroes", superman())
	memory.SetDown(true)
	varies(b.get("/"), 503, 1)
	b.header["Origin"] = "https://evil.example"
	memory.SetDown(false)
	varies(b.post("/heroes", superman()), 403, 1)
}

func Test_Language_what_is_asked_for_is_remembered_up_to_a_bound(t *testing.T) {
	d := newDictionary(words.AvailableLanguages())
	german := d.speaker("", "de-DE,de;q=0.9")
	require.Equal(t, "de", german.names[0])
	require.Same(t, german, d.speaker("", "de-DE,de;q=0.9"))
	require.Equal(t, "fr", d.speaker("fr", "de-DE,de;q=0.9").names[0])
	for i := range 2 * maxHeard {
		require.Equal(t, "es", d.speaker("", fmt.Sprintf("es;q=0.9%d", i)).names[0])
	}
	require.Equal(t, "ar", d.speaker("", "ar;"+strings.Repeat(" ", maxAsking)+"q=1").names[0])
	kept := 0
	d.heard.Range(func(any, any) bool { kept++; return true })
	require.LessOrEqual(t, kept, maxHeard)
}
