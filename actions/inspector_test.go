package actions

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"heroes/session"
	"heroes/session/backendtest"
	"heroes/session/sessiontest"

	"github.com/gobuffalo/buffalo"
	"github.com/gobuffalo/envy"
	"github.com/stretchr/testify/require"
)

// put gives the browser a session with these values.
func (b *browser) put(values map[string]any) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	b.NoError(sessiontest.Put(b.store, r, b.app.SessionName, values))
	b.jar[b.app.SessionName] = r.CookiesNamed(b.app.SessionName)[0].Value
}

func Test_Inspector_in_production_there_is_no_such_page(t *testing.T) {
	b := open(t, "production")
	for _, hero := range []url.Values{nil, superman()} {
		b.post("/heroes", hero)
		unknown := b.get("/nowhere")
		b.Equal(http.StatusNotFound, unknown.Code)
		for _, path := range []string{"/session", "/session/"} {
			res := b.get(path)
			b.Equal(unknown.Code, res.Code, path)
			unknown.Header().Set("X-Request-Id", res.Header().Get("X-Request-Id"))
			b.Equal(unknown.Header(), res.Header(), path)
			b.Equal(unknown.Body.String(), res.Body.String(), path)
		}
		b.NotEqual(http.StatusOK, b.post("/session", nil).Code)
		for _, path := range []string{"/", "/success", "/nowhere"} {
			b.NotContains(b.get(path).Body.String(), `href="/session"`, path)
		}
	}
	b.Equal(http.StatusSeeOther, b.post("/session", url.Values{"_method": {"DELETE"}}).Code)
	b.Empty(b.session())
}

func Test_Inspector_in_development_and_test_every_page_leads_to_it(t *testing.T) {
	for _, env := range []string{"development", "test"} {
		b := open(t, env)
		b.post("/heroes", superman())
		for _, path := range []string{"/", "/success", "/nowhere", "/session"} {
			b.Contains(b.get(path).Body.String(), `href="/session">Look into your session</a>`, path)
		}
		b.Contains(b.get("/success").Body.String(), `href="/session">See what your browser holds`)
		b.Equal("no-store", b.get("/session").Header().Get("Cache-Control"))
		b.Equal("no-store", b.post("/session", nil).Header().Get("Cache-Control"))
		b.jar = map[string]string{}
		b.Equal("no-store", b.get("/session").Header().Get("Cache-Control"))
	}
}

func Test_Inspector_without_a_session_it_says_so_and_leads_to_the_form(t *testing.T) {
	b := open(t)
	for _, value := range []string{"", "no session"} {
		if value != "" {
			b.jar[b.app.SessionName] = value
		}
		for _, res := range []string{b.get("/session").Body.String(), b.post("/session", nil).Body.String()} {
			b.Contains(res, "You have no session.")
			b.Contains(res, `href="/heroes/new"`)
			b.NotContains(res, "Change one byte")
		}
		delete(b.jar, b.app.SessionName)
	}
}

func Test_Inspector_shows_each_key_with_its_type_and_value(t *testing.T) {
	b := open(t)
	b.put(map[string]any{
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
	page := b.get("/session").Body.String()
	for _, e := range []entry{
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
		b.Len(shown, 2, e.Key)
		b.Equal(e.Value, html.UnescapeString(shown[1]))
		b.NotContains(page, "<b>")
		b.NotContains(page, "<i>", value)
	}
	b.Contains(page, "<bdi>&lt;wait&gt;</bdi>", "the flash has messages and is no value")
	b.NotContains(page, "_flash_")
	b.Contains(page, "gob: type not registered", "stock Buffalo cannot keep these")
}

func Test_Inspector_shows_the_cookie_as_it_was_set(t *testing.T) {
	b := open(t)
	set := b.post("/heroes", superman()).Header().Get("Set-Cookie")
	for _, res := range []string{b.get("/session").Body.String(), b.post("/session", nil).Body.String()} {
		for _, part := range strings.Split(set, "; ")[1:] {
			b.Contains(res, `<code dir="ltr">`+part+`</code>`)
		}
		b.Contains(res, `value="`+strconv.Itoa(len(set))+`"></meter>`)
		b.Contains(res, b.jar[b.app.SessionName])
		b.Contains(res, "23 hours 59 minutes")
		b.Contains(res, "29 days 23 hours")
		b.Contains(res, "the newest secret, 1 of 1")
		b.NotContains(res, "inspector.", "a word is missing")
	}
}

func Test_Inspector_tells_that_an_older_secret_sealed_it(t *testing.T) {
	b, secrets := open(t), [][]byte{[]byte(session.NewSecret()), []byte(session.NewSecret())}
	before, err := session.New(secrets[1:], session.Options{})
	b.NoError(err)
	b.store = before
	b.put(map[string]any{"name": "Superman"})
	b.store, err = session.New(secrets, session.Options{})
	b.NoError(err)
	b.app.SessionStore, b.handler = b.store, b.store.Handler(b.app, nil)
	b.Contains(b.get("/session").Body.String(), "an older secret, 2 of 2;")
	b.Contains(b.get("/session").Body.String(), "the newest secret, 1 of 2")
}

func Test_Inspector_changes_nothing(t *testing.T) {
	b := open(t)
	b.post("/heroes", superman()) // with a flash that waits
	before, values := b.jar[b.app.SessionName], b.session()
	for range 3 {
		for _, res := range []*http.Response{b.get("/session").Result(), b.post("/session", nil).Result()} {
			b.Equal(http.StatusOK, res.StatusCode)
			b.Empty(res.Header["Set-Cookie"])
		}
		b.Contains(b.get("/session").Body.String(), "<bdi>\u2068Superman\u2069 is registered.</bdi>")
	}
	b.Equal(before, b.jar[b.app.SessionName])
	b.Equal(values, b.session())
	b.Contains(b.get("/success").Body.String(), "is registered.", "the flash is not used up")
	b.NotContains(b.get("/session").Body.String(), "is registered.")
}

func Test_Inspector_a_changed_copy_is_refused(t *testing.T) {
	for _, backend := range []session.Backend{nil, &backendtest.Memory{}} {
		b := openOn(t, backend)
		b.post("/heroes", superman())
		own := b.jar[b.app.SessionName]
		b.NotContains(b.get("/session").Body.String(), "The server refuses it.")
		for range 50 {
			res := b.post("/session", url.Values{"value": {"of somebody else"}, "copied": {"x"}})
			page := res.Body.String()
			b.Contains(page, "The server refuses it.")
			b.NotContains(page, "The server accepts it.")
			b.NotContains(page, "somebody")
			copied := regexp.MustCompile(`>([\w-]*)<mark>([\w-])</mark>([\w-]*)<`).FindStringSubmatch(page)
			b.Len(copied, 4)
			b.Len(copied[1]+copied[2]+copied[3], len(own))
			b.NotEqual(own, copied[1]+copied[2]+copied[3])
			b.True(strings.HasPrefix(own, copied[1]) && strings.HasSuffix(own, copied[3]), "only one byte is another")
		}
		b.Equal(own, b.jar[b.app.SessionName])
		b.Equal("Superman", b.session()["name"])
		b.NotContains(b.log.String(), `"level":"WARN"`)
		b.NotContains(b.log.String(), `"level":"ERROR"`)
	}
}

// A cookie that opens is said to open: the answer is the store's own.
func Test_Inspector_tells_a_cookie_that_opens(t *testing.T) {
	b := open(t)
	b.post("/heroes", superman())
	for value, want := range map[string]bool{b.jar[b.app.SessionName]: true, "other": false} {
		b.app.GET("/opens/"+strconv.Itoa(len(value)), func(c buffalo.Context) error {
			ok, err := opens(c, b.app.SessionName, value)
			b.NoError(err)
			b.Equal(want, ok)
			return nil
		})
		b.get("/opens/" + strconv.Itoa(len(value)))
	}
}

func Test_Inspector_is_closed_to_other_origins(t *testing.T) {
	b := open(t)
	b.post("/heroes", superman())
	b.header["Origin"] = "https://evil.example"
	b.Equal(http.StatusForbidden, b.post("/session", nil).Code)
}

func Test_Inspector_others_cookies_are_readable_and_ours_is_not(t *testing.T) {
	b := open(t)
	hero := superman()
	hero.Set("alter_ego", "Renée <Kent>")
	b.post("/heroes", hero)
	page := b.get("/session").Body.String()
	noise := regexp.MustCompile(`(?s)class="noise"[^>]*>(.*?)</`).FindAllStringSubmatch(page, -1)
	b.Len(noise, 5, "our cookie, and two others with what can be read in them")
	var shown []string
	for _, n := range noise {
		shown = append(shown, html.UnescapeString(n[1]))
	}
	b.Equal(b.jar[b.app.SessionName], shown[0])
	for _, word := range []string{"Renée <Kent>", "Superman", "catch_phrase"} {
		b.NotContains(readStock(shown[0])+readFlask(shown[0]), word)
		b.Contains(shown[2], word)
		b.Contains(readFlask(shown[1]), word)
		b.Contains(shown[4], word)
		b.Contains(readStock(shown[3]), word)
	}
}

// What Flask 3.1.3 writes for the same values.
func Test_Inspector_Flask_s_cookie_is_Flask_s(t *testing.T) {
	values := session.View{
		"name": "Zoë 🦸\u2028", "alter_ego": "<a&b>", "b": []byte{0xff}, "n": 3, "f": 1.5,
		"d": time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	want := `{"alter_ego":"<a&b>","b":{" b":"/w=="},"d":{" d":"Fri, 02 Jan 2026 03:04:05 GMT"},"f":1.5,"n":3,"name":"Zo\u00eb \ud83e\uddb8\u2028"}`
	require.Equal(t, want, string(flaskJSON(values)))
	// URLSafeTimedSerializer("k", salt="cookie-session", signer_kwargs={"key_derivation": "hmac"})
	require.Equal(t, "eyJuIjozfQ.ZVPxAA.DtrVuf7p7mb_K7Y-EKXn2HMWN9k", flaskCookie(session.View{"n": 3}, []byte("k"), time.Unix(1700000000, 0)))
	long := session.View{"x": strings.Repeat("a", 100)}
	cookie := flaskCookie(long, []byte("k"), time.Now())
	require.Less(t, len(cookie), 80, "it is packed")
	require.Contains(t, readFlask(cookie), long["x"])
}

func Test_Inspector_names_the_store_and_draws_the_way_to_it(t *testing.T) {
	const cookie, id = "The cookie is the whole session", "The cookie is an id alone."
	b := open(t)
	b.post("/heroes", superman())
	page := b.get("/session").Body.String()
	b.Contains(page, cookie)
	b.NotContains(page, id)
	b.Contains(page, "The session itself is in this cookie")

	for store, words := range map[string][]string{
		"database": {"The database has the session in a table", "the database, in a record of "},
		"redis":    {"Redis has the session", "Redis, in a record of "},
		"":         {"A server's store has the session", "a server's store, in a record of "},
	} {
		envy.Temp(func() {
			envy.Set("SESSION_STORE", store)
			b := openOn(t, &backendtest.Memory{})
			b.post("/heroes", superman())
			page := html.UnescapeString(b.get("/session").Body.String())
			b.NotContains(page, cookie)
			b.NotContains(page, "inspector.", "a word is missing")
			for _, word := range append(words, id, "Nothing of the session is in it", "Superman") {
				b.Contains(page, word)
			}
		})
	}
}

func Test_Inspector_durations_are_words(t *testing.T) {
	b := open(t)
	b.app.GET("/words", func(c buffalo.Context) error {
		for d, want := range map[time.Duration]string{
			0:                                    "0 seconds",
			time.Second:                          "1 second",
			61 * time.Second:                     "1 minute 1 second",
			time.Hour:                            "1 hour",
			24*time.Hour - 1:                     "23 hours 59 minutes",
			25*time.Hour + 59*time.Minute:        "1 day 1 hour",
			30 * 24 * time.Hour:                  "30 days",
			48*time.Hour + 2*time.Hour + 1:       "2 days 2 hours",
			2*time.Minute + 999*time.Millisecond: "2 minutes",
		} {
			b.Equal(want, lasting(c, d))
		}
		return nil
	})
	b.Equal(http.StatusOK, b.get("/words").Code)
}
