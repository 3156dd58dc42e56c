package actions

import (
	"bytes"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"heroes/edge"
	"heroes/session/backendtest"

	"github.com/gobuffalo/buffalo"
	"github.com/gobuffalo/httptest"
)

// inEach runs f with a browser that asks for each language, and with what translates as a page
// shows it.
func (as *ActionSuite) inEach(f func(code string, t func(id string, arguments ...any) string)) {
	site, err := siteOf("test")
	as.NoError(err)
	for _, language := range site.words.Load().Languages() {
		as.open()
		as.header["Accept-Language"] = language.Code
		f(language.Code, func(id string, arguments ...any) string {
			return html.EscapeString(language.Translate(id, arguments...))
		})
	}
}

func (as *ActionSuite) Test_Language_every_page_and_message_is_in_it() {
	as.inEach(func(code string, t func(string, ...any) string) {
		shows := func(res *httptest.Response, status int, texts ...string) {
			as.Equal(status, res.Code)
			as.Contains(res.Body.String(), fmt.Sprintf(`<html lang="%s" dir="%s">`, code, t("language.direction")))
			for _, text := range append(texts, t("app.footer")) {
				as.Contains(res.Body.String(), text)
			}
		}
		long := hero()
		long.Set("name", strings.Repeat("x", 103))
		long.Set("alter_ego", "\x00")

		shows(as.HTML("/").Get(), 200, t("heroes.new.title"), t("heroes.catch_phrase.hint"))
		shows(as.HTML("/nowhere").Get(), 404, t("errors.404.title"), t("errors.404.text"))
		shows(as.HTML("/").Post(nil), 405, t("errors.405.title"))
		shows(as.HTML("/heroes").Post(nil), 422, t("heroes.wrong.required"))
		shows(as.HTML("/heroes").Post(long), 422, t("heroes.wrong.control"), t("heroes.wrong.long", 103, map[string]any{"Max": 100}))
		shows(as.HTML("/language").Post(nil), 422, t("errors.422.title"), t("errors.422.text"))
		shows(as.HTML(as.HTML("/success").Get().Location()).Get(), 200, t("heroes.notice.missing"))
		as.HTML("/heroes").Post(hero())
		shows(as.HTML("/success").Get(), 200, t("heroes.created", map[string]any{"Name": "Superman"}), t("heroes.success.intro"))
		as.HTML("/session").Post(url.Values{"_method": {"DELETE"}})
		shows(as.HTML("/").Get(), 200, t("session.destroyed"))
		as.header["Origin"] = "https://evil.example"
		shows(as.HTML("/heroes").Post(hero()), 403, t("errors.403.title"), t("errors.403.text"))
	})
}

func (as *ActionSuite) Test_Language_the_largest_hero_fits_into_a_cookie_in_each() {
	as.inEach(func(code string, _ func(string, ...any) string) {
		as.HTML("/language").Post(url.Values{"language": {code}})
		form := largest("🦸")
		form.Set("name", strings.Repeat("<", 100))
		as.Equal("/success", as.HTML("/heroes").Post(form).Location(), code)
	})
}

func (as *ActionSuite) Test_Language_every_page_offers_the_others_in_their_own_words() {
	as.inEach(func(code string, t func(string, ...any) string) {
		as.HTML("/heroes").Post(hero())
		for _, page := range []*httptest.Response{as.HTML("/").Get(), as.HTML("/success").Get(), as.HTML("/nowhere").Get(), as.HTML("/heroes").Post(nil), as.HTML("/language").Post(nil)} {
			_, form, found := strings.Cut(page.Body.String(), `<form class="languages" action="/language" method="post" aria-label="`+t("language.choose")+`">`)
			as.True(found)
			var offered []string
			for _, button := range strings.SplitAfter(form, "</button>") {
				if _, button, found := strings.Cut(button, `<button class="link" name="language" `); found {
					offered = append(offered, button)
				}
			}
			for _, name := range []string{"en English", "ar العربية", "de Deutsch", "es Español", "fr Français"} {
				c, name, _ := strings.Cut(name, " ")
				current := ""
				if c == code {
					current = ` aria-current="true"`
				}
				as.Contains(offered, fmt.Sprintf(`value="%[1]s" lang="%[1]s"%[2]s>%[3]s</button>`, c, current, name))
			}
			as.Contains(offered[0], "English")
			as.Len(slices.Compact(offered), len(offered))
			as.Contains(strings.Join(offered, ""), `lang="`+code+`" aria-current`)
		}
	})
}

func (as *ActionSuite) Test_Language_the_one_chosen_stays_whatever_the_browser_asks_for() {
	for _, accepted := range []string{"", "de", "fr;q=1, de;q=0.1", "en-us"} {
		as.inEach(func(code string, _ func(string, ...any) string) {
			as.header["Accept-Language"] = accepted
			res := as.HTML("/language").Post(url.Values{"language": {code}})
			as.Equal(http.StatusSeeOther, res.Code)
			as.Equal(code, as.Session.Get("lang"))
			as.header["Accept-Language"] = "ja"
			for _, path := range []string{"/", "/nowhere"} {
				as.Contains(as.HTML(path).Get().Body.String(), `<html lang="`+code+`"`)
			}
		})
	}
}

func (as *ActionSuite) Test_Language_a_choice_keeps_the_session_and_all_that_is_in_it() {
	as.open(on(&backendtest.Memory{}))
	as.HTML("/heroes").Post(hero())
	token := as.jar[as.App.SessionName]
	as.HTML("/language").Post(url.Values{"language": {"de"}})
	as.Equal(token, as.jar[as.App.SessionName])
	page := as.HTML("/success").Get().Body.String()
	for _, text := range []string{"Superman", "Clark Kent", "Up, up and away!", "is registered."} {
		as.Contains(page, text, "the flash waited, too")
	}
	as.Contains(page, `<html lang="de"`)
}

// With -race.
func (as *ActionSuite) Test_Language_in_development_pages_are_shown_while_words_are_loaded() {
	as.open(in("development"))
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 4 {
				as.raw("POST", "/heroes", "name="+strings.Repeat("x", 101), "Content-Type", "application/x-www-form-urlencoded")
			}
		})
	}
	all.Wait()
}

func (as *ActionSuite) Test_Language_one_without_words_is_refused() {
	for _, code := range []string{"", "ja", "DE", "de-AT", " de", "de\x00", "de,fr", "*", strings.Repeat("de-", 999)} {
		as.open()
		as.Equal(http.StatusUnprocessableEntity, as.HTML("/language").Post(url.Values{"language": {code}}).Code)
		as.Empty(as.jar)
	}
	as.open()
	as.Equal(http.StatusUnprocessableEntity, as.HTML("/language?language=de").Post(nil).Code, "the query does not count")
	as.header["Origin"] = "https://evil.example"
	as.Equal(http.StatusForbidden, as.HTML("/language").Post(url.Values{"language": {"de"}}).Code)
	as.Empty(as.jar)
}

func (as *ActionSuite) Test_Language_leads_back_to_the_page_and_never_to_another_host() {
	const host = "http://heroes.example:8080"
	as.open()
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
		as.header["Referer"] = referer
		res := as.HTML(host + "/language").Post(url.Values{"language": {"fr"}})
		as.Equal(http.StatusSeeOther, res.Code, referer)
		as.Equal(want, res.Location(), referer)
	}
}

func (as *ActionSuite) Test_Language_is_forgotten_with_the_rest_and_the_flash_still_is_in_it() {
	as.open()
	as.HTML("/language").Post(url.Values{"language": {"de"}})
	as.HTML("/session").Post(url.Values{"_method": {"DELETE"}})
	as.Empty(as.Session.Values())
	page := as.HTML("/").Get().Body.String()
	as.Contains(page, "Deine Sitzung ist beendet.")
	as.Contains(page, `<html lang="en"`)
	as.Empty(as.jar)
}

func (as *ActionSuite) Test_Language_a_cache_is_told_that_the_words_depend_on_it() {
	memory := &backendtest.Memory{}
	as.open(on(memory))
	as.App.GET("/slow", func(c buffalo.Context) error {
		as.NoError(as.store().RevokeAll(c))
		c.Session().Set("name", "Batman")
		return c.Redirect(http.StatusSeeOther, "/success")
	})
	varies := func(res *httptest.Response, status, times int) {
		as.Equal(status, res.Code)
		as.Equal(times, strings.Count(strings.Join(res.Header()["Vary"], ", "), "Accept-Language"), "%d %v", status, res.Header())
	}
	varies(as.HTML("/").Get(), 200, 1)
	varies(as.HTML("/success").Get(), 303, 1) // with a flash
	varies(as.HTML("/heroes").Post(nil), 422, 1)
	varies(as.HTML("/language").Post(nil), 422, 1)
	varies(as.HTML("/nowhere").Get(), 404, 1)
	varies(as.HTML("/").Post(nil), 405, 1)
	varies(as.HTML("/heroes").Post(url.Values{"x": {strings.Repeat("x", edge.MaxBody)}}), 413, 1)
	varies(as.HTML("/heroes").Post(hero()), 303, 1)
	varies(as.HTML("/success").Get(), 200, 1)
	varies(as.HTML("/slow").Get(), 409, 1)
	for _, path := range []string{"/healthz", "/readyz", "/robots.txt", "/assets/favicon.svg", as.stylesheet()} {
		varies(as.HTML(path).Get(), 200, 0)
	}
	as.HTML("/heroes").Post(hero())
	memory.SetDown(true)
	varies(as.HTML("/").Get(), 503, 1)
	as.header["Origin"] = "https://evil.example"
	memory.SetDown(false)
	varies(as.HTML("/heroes").Post(hero()), 403, 1)
}

func (as *ActionSuite) Test_Language_in_development_a_changed_word_shows_on_each_page_and_a_broken_file_is_named() {
	as.T().Chdir(as.T().TempDir()) // the application reads the folder locales of the folder it runs in
	as.NoError(os.CopyFS("locales", os.DirFS(filepath.Join(repository, "locales"))))
	as.open(in("development"))
	change := func(from, to string) {
		path := filepath.Join("locales", "errors.en-us.yaml")
		text, err := os.ReadFile(path)
		as.NoError(err)
		as.NoError(os.WriteFile(path, bytes.ReplaceAll(text, []byte(from), []byte(to)), 0o600))
	}
	as.Contains(as.HTML("/nowhere").Get().Body.String(), "Nobody lives here")
	change("Nobody lives here", "Changed words")
	as.Contains(as.HTML("/nowhere").Get().Body.String(), "Changed words")
	change("Changed words", "a: b")
	res := as.HTML("/").Get()
	as.Equal(http.StatusInternalServerError, res.Code)
	as.Contains(res.Body.String(), "locales/errors.en-us.yaml: line ")
	as.Contains(res.Body.String(), "Something went wrong", "the words before are still there")
	change("a: b", "Nobody lives here")
	as.Equal(http.StatusOK, as.HTML("/").Get().Code)
}

var repository, _ = filepath.Abs("..")
