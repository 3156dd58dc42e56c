package actions

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"heroes/config"
	"heroes/session"
	"heroes/session/backendtest"
)

func (as *ActionSuite) Test_Inspector_in_production_there_is_no_such_page() {
	as.open(in("production"))
	for _, hero := range []url.Values{nil, hero()} {
		as.HTML("/heroes").Post(hero)
		unknown := as.HTML("/nowhere").Get()
		as.Equal(http.StatusNotFound, unknown.Code)
		for _, path := range []string{"/session", "/session/"} {
			res := as.HTML(path).Get()
			as.Equal(unknown.Code, res.Code, path)
			unknown.Header().Set("X-Request-Id", res.Header().Get("X-Request-Id"))
			as.Equal(unknown.Header(), res.Header(), path)
			as.Equal(unknown.Body.String(), res.Body.String(), path)
		}
		as.NotEqual(http.StatusOK, as.HTML("/session").Post(nil).Code)
		for _, path := range []string{"/", "/success", "/nowhere"} {
			as.NotContains(as.HTML(path).Get().Body.String(), `href="/session"`, path)
		}
	}
	as.Equal(http.StatusSeeOther, as.HTML("/session").Post(url.Values{"_method": {"DELETE"}}).Code)
	as.Empty(as.Session.Values())
}

func (as *ActionSuite) Test_Inspector_in_development_and_test_every_page_leads_to_it() {
	for _, env := range []string{"development", "test"} {
		as.open(in(env))
		as.HTML("/heroes").Post(hero())
		for _, path := range []string{"/", "/success", "/nowhere", "/session"} {
			as.Contains(as.HTML(path).Get().Body.String(), `href="/session">See inside your session</a>`, path)
		}
		as.Contains(as.HTML("/success").Get().Body.String(), `href="/session">See what your browser has`)
		as.Equal("no-store", as.HTML("/session").Get().Header().Get("Cache-Control"))
		as.Equal("no-store", as.HTML("/session").Post(nil).Header().Get("Cache-Control"))
		as.jar = map[string]string{}
		as.Equal("no-store", as.HTML("/session").Get().Header().Get("Cache-Control"))
	}
}

func (as *ActionSuite) Test_Inspector_without_a_session_it_says_so_and_leads_to_the_form() {
	as.open()
	for _, value := range []string{"", "no session"} {
		if value != "" {
			as.jar[as.App.SessionName] = value
		}
		for _, res := range []string{as.HTML("/session").Get().Body.String(), as.HTML("/session").Post(nil).Body.String()} {
			as.Contains(res, "You have no session.")
			as.Contains(res, `href="/heroes/new"`)
			as.NotContains(res, "Change one byte")
		}
		delete(as.jar, as.App.SessionName)
	}
}

func (as *ActionSuite) Test_Inspector_shows_each_key_with_its_type_and_value() {
	as.open()
	as.Session.put(session.View{
		"name":      "<b>Superman</b>",
		"<i>key":    "x",
		"lang":      "de",
		"number":    int64(-7),
		"part":      1.5,
		"yes":       true,
		"raw":       []byte("\x00<"),
		"when":      time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
		"list":      []any{"a", 1},
		"map":       map[string]any{"k": "<v>"},
		"_flash_":   []byte(`{"info":["<wait>"]}`),
		"not-ascii": "Zoë",
	})
	page := as.HTML("/session").Get().Body.String()
	for _, e := range []struct{ Key, Type, Value string }{
		{"name", "string", "<b>Superman</b>"},
		{"<i>key", "string", "x"},
		{"lang", "string", "de"},
		{"number", "int64", "-7"},
		{"part", "float64", "1.5"},
		{"yes", "bool", "true"},
		{"raw", "[]uint8", `"\x00<"`},
		{"when", "time.Time", "2026-01-02T03:04:05.000000006Z"},
		{"list", "[]any", "[a 1]"},
		{"map", "map[string]any", "map[k:<v>]"},
		{"not-ascii", "string", "Zoë"},
	} {
		key, value := html.EscapeString(e.Key), html.EscapeString(e.Value)
		pattern := `<dt><bdi>` + regexp.QuoteMeta(key) + `</bdi> <code[^>]*>` + regexp.QuoteMeta(e.Type) + `</code></dt><dd><bdi>(.*?)</bdi></dd>`
		shown := regexp.MustCompile(pattern).FindStringSubmatch(page)
		as.Len(shown, 2, e.Key)
		as.Equal(e.Value, html.UnescapeString(shown[1]))
		as.NotContains(page, "<b>")
		as.NotContains(page, "<i>", value)
	}
	as.Contains(page, "<bdi>&lt;wait&gt;</bdi>", "the flash has messages and is no value")
	as.NotContains(page, "_flash_")
	as.Contains(page, "gob: type not registered", "stock Buffalo cannot keep these")
}

func (as *ActionSuite) Test_Inspector_shows_the_cookie_as_it_was_set() {
	as.open()
	set := as.HTML("/heroes").Post(hero()).Header().Get("Set-Cookie")
	for _, res := range []string{as.HTML("/session").Get().Body.String(), as.HTML("/session").Post(nil).Body.String()} {
		for _, part := range strings.Split(set, "; ")[1:] {
			as.Contains(res, `<code dir="ltr">`+part+`</code>`)
		}
		as.Contains(res, `value="`+strconv.Itoa(len(set))+`"></meter>`)
		as.Contains(res, as.jar[as.App.SessionName])
		as.Contains(res, "23 hours 59 minutes")
		as.Contains(res, "29 days 23 hours")
		as.Contains(res, "the newest secret, 1 of 1")
		as.NotContains(res, "inspector.", "a word is missing")
	}
}

func (as *ActionSuite) Test_Inspector_tells_that_an_older_secret_sealed_it() {
	secrets := [][]byte{[]byte(session.NewSecret()), []byte(session.NewSecret())}
	as.open(func(c *config.Config) { c.Secrets = secrets[1:] })
	as.HTML("/heroes").Post(hero())
	jar := as.jar
	as.open(func(c *config.Config) { c.Secrets = secrets })
	as.jar = jar
	as.Contains(as.HTML("/session").Get().Body.String(), "an older secret, 2 of 2;")
	as.Contains(as.HTML("/session").Get().Body.String(), "the newest secret, 1 of 2")
}

func (as *ActionSuite) Test_Inspector_changes_nothing() {
	as.open()
	as.HTML("/heroes").Post(hero()) // with a flash that waits
	before, values := as.jar[as.App.SessionName], as.Session.Values()
	for range 3 {
		for _, res := range []*http.Response{as.HTML("/session").Get().Result(), as.HTML("/session").Post(nil).Result()} {
			as.Equal(http.StatusOK, res.StatusCode)
			as.Empty(res.Header["Set-Cookie"])
		}
		page := as.HTML("/session").Get().Body.String()
		as.Contains(page, "<bdi>\u2068Superman\u2069 is registered.</bdi>")
		as.NotContains(page, "<dialog", "it is among the values, and not shown as the next page will show it")
	}
	as.Equal(before, as.jar[as.App.SessionName])
	as.Equal(values, as.Session.Values())
	as.Contains(as.HTML("/success").Get().Body.String(), "is registered.", "the flash is not used up")
	as.NotContains(as.HTML("/session").Get().Body.String(), "is registered.")
}

func (as *ActionSuite) Test_Inspector_a_changed_copy_is_refused() {
	for _, backend := range []session.Backend{nil, &backendtest.Memory{}} {
		as.open(on(backend))
		as.HTML("/heroes").Post(hero())
		own := as.jar[as.App.SessionName]
		as.NotContains(as.HTML("/session").Get().Body.String(), "The server refuses it.")
		for range 50 {
			res := as.HTML("/session").Post(url.Values{"value": {"of somebody else"}, "copied": {"x"}})
			page := res.Body.String()
			as.Contains(page, "The server refuses it.")
			as.NotContains(page, "The server accepts it.")
			as.NotContains(page, "somebody")
			copied := regexp.MustCompile(`>([\w-]*)<mark>([\w-])</mark>([\w-]*)<`).FindStringSubmatch(page)
			as.Len(copied, 4)
			as.Len(copied[1]+copied[2]+copied[3], len(own))
			as.NotEqual(own, copied[1]+copied[2]+copied[3])
			as.True(strings.HasPrefix(own, copied[1]) && strings.HasSuffix(own, copied[3]), "only one byte is another")
		}
		as.Equal(own, as.jar[as.App.SessionName])
		as.Equal("Superman", as.Session.Get("name"))
		as.NotContains(as.log.String(), `"level":"WARN"`)
		as.NotContains(as.log.String(), `"level":"ERROR"`)
	}
}

func (as *ActionSuite) Test_Inspector_is_closed_to_other_origins() {
	as.open()
	as.HTML("/heroes").Post(hero())
	as.header["Origin"] = "https://evil.example"
	as.Equal(http.StatusForbidden, as.HTML("/session").Post(nil).Code)
}

func (as *ActionSuite) Test_Inspector_others_cookies_are_readable_and_ours_is_not() {
	as.open()
	as.HTML("/heroes").Post(hero("name", "X", "alter_ego", "Renée <Kent>"))
	page := as.HTML("/session").Get().Body.String()
	noise := regexp.MustCompile(`(?s)class="noise"[^>]*>(.*?)</`).FindAllStringSubmatch(page, -1)
	as.Len(noise, 5, "our cookie, and two others with what can be read in them")
	as.Equal(as.jar[as.App.SessionName], noise[0][1])
	flask, stock := html.UnescapeString(noise[2][1]), html.UnescapeString(noise[4][1])
	as.Contains(flask, `"alter_ego": "Renée <Kent>"`)
	as.Contains(flask, `"name": "X"`, "short values too")
	as.Contains(stock, "alter_ego: Renée <Kent>")
	as.Contains(stock, "name: X")
	for _, word := range []string{"Renée", "Kent", "catch_phrase"} {
		as.NotContains(strings.Join(readings([]byte(noise[0][1])), " "), word)
	}
}

func (as *ActionSuite) Test_Inspector_names_the_store_and_draws_the_way_to_it() {
	const cookie, token = "The cookie contains the whole session", "The cookie contains only a token"
	as.open()
	as.HTML("/heroes").Post(hero())
	page := as.HTML("/session").Get().Body.String()
	as.Contains(page, cookie)
	as.NotContains(page, token)
	as.Contains(page, "The session itself is in this cookie")

	for store, texts := range map[string][]string{
		"database": {"The database keeps the session in a table", "the database, in a record of "},
		"redis":    {"Redis keeps the session", "Redis, in a record of "},
		"":         {"A server keeps the session", "a server, in a record of "},
	} {
		as.open(on(&backendtest.Memory{}), func(c *config.Config) { c.Store = store })
		as.HTML("/heroes").Post(hero())
		page := html.UnescapeString(as.HTML("/session").Get().Body.String())
		as.NotContains(page, cookie)
		as.NotContains(page, "inspector.", "a word is missing")
		for _, text := range append(texts, token, "It contains nothing of the session", "Superman") {
			as.Contains(page, text)
		}
	}
}
