package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"html"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"heroes/actions"
	"heroes/session"
	"heroes/session/backendtest"
	"heroes/session/buffalosession"
	"heroes/session/sessiontest"

	"github.com/gobuffalo/buffalo"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	cookieName = "__Host-heroes_session"
	evilOrigin = "https://evil.example"
)

// changed returns value with some bits of one byte flipped: the byte at, counted from the end if at
// is negative.
func changed(value string, at int) string {
	b, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		panic(err)
	}
	b[(len(b)+at)%len(b)] ^= 0x11
	return base64.RawURLEncoding.EncodeToString(b)
}

// respelled returns another spelling of the same bytes: it changes the bits of the last character
// that mean nothing. In a token every bit has a meaning, so respelled inserts a tab instead.
func respelled(value string) string {
	if len(value)%4 == 0 {
		return value[:8] + "\t" + value[8:]
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, value[len(value)-1])
	return value[:len(value)-1] + string(alphabet[last|1])
}

// sealedAs returns the value of a cookie of that name, sealed by store, with a hero called Evil.
func sealedAs(t *testing.T, store *session.Store, name string) string {
	r := httptest.NewRequest("GET", "/", nil)
	require.NoError(t, sessiontest.Put(store, r, name, map[string]any{"name": "Evil"}))
	c, err := r.Cookie(name)
	require.NoError(t, err)
	return c.Value
}

func Test_Attack_on_the_cookie(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		value := ""
		for name := goodHero; !s.memory && len(value)%4 == 0 || !strings.ContainsAny(value, "-_"); { // until it has another spelling
			s.good = s.signIn(t, name)
			_, value, _ = strings.Cut(s.good, "=")
		}
		stranger, err := session.New([][]byte{[]byte(session.NewSecret())}, session.Options{})
		require.NoError(t, err)
		bad := cookieName + "=" + changed(value, -1)
		refused := ""
		for _, row := range []struct {
			name string
			sent []string // Cookie headers
			sees string   // the hero in the session that they open, or ""
		}{
			{"as it is", []string{s.good}, goodHero},
			{"the version", []string{cookieName + "=" + changed(value, 0)}, ""},
			{"the nonce", []string{cookieName + "=" + changed(value, 3)}, ""},
			{"the nonce's last byte", []string{cookieName + "=" + changed(value, 24)}, ""},
			{"the text", []string{cookieName + "=" + changed(value, 28)}, ""},
			{"the tag", []string{cookieName + "=" + changed(value, -16)}, ""},
			{"the tag's last byte", []string{bad}, ""},
			{"without its first character", []string{cookieName + "=" + value[1:]}, ""},
			{"without its last character", []string{cookieName + "=" + value[:len(value)-1]}, ""},
			{"its half", []string{cookieName + "=" + value[:len(value)/2]}, ""},
			{"one character", []string{cookieName + "=A"}, ""},
			{"empty", []string{cookieName + "="}, ""},
			{"a character more", []string{s.good + "A"}, ""},
			{"twice itself", []string{s.good + value}, ""},
			{"other bits that mean nothing", []string{cookieName + "=" + respelled(value)}, ""},
			{"padded", []string{s.good + strings.Repeat("=", 4-len(value)%4)}, ""},
			{"padded and escaped", []string{s.good + "%3D"}, ""},
			{"the other alphabet", []string{cookieName + "=" + strings.NewReplacer("-", "+", "_", "/").Replace(value)}, ""},
			{"escaped", []string{cookieName + "=" + fmt.Sprintf("%%%02X", value[0]) + value[1:]}, ""},
			{"lower case", []string{cookieName + "=" + strings.ToLower(value)}, ""},
			{"quoted", []string{cookieName + `="` + value + `"`}, ""},
			{"with a space in it", []string{cookieName + "=" + value[:9] + " " + value[9:]}, ""},
			{"not of base64", []string{cookieName + "=<evil>"}, ""},
			{"4 KB of it", []string{cookieName + "=" + strings.Repeat("A", 4096)}, ""},
			{"15 KB of it", []string{cookieName + "=" + strings.Repeat("A", 15<<10)}, ""},
			{"of another secret", []string{cookieName + "=" + sealedAs(t, stranger, cookieName)}, ""},
			{"sealed for another name", []string{cookieName + "=" + sealedAs(t, s.store, "_heroes_session")}, ""},
			{"under the name of development", []string{"_heroes_session=" + value}, ""},
			{"under another name", []string{"evil=" + value}, ""},
			{"under its name in lower case", []string{strings.ToLower(cookieName) + "=" + value}, ""},
			{"tossed before it", []string{bad + "; " + s.good}, goodHero},
			{"tossed behind it", []string{s.good + "; " + bad}, goodHero},
			{"tossed before it, in a line of its own", []string{bad, s.good}, goodHero},
			{"three tossed before it", []string{bad + "; " + bad + "; " + bad + "; " + s.good}, goodHero},
			{"five tossed before it: no work without end", []string{strings.Repeat(bad+"; ", 5) + s.good}, ""},
			{"between what is no cookie", []string{"; ;=; =x; a; " + s.good + "; \";"}, goodHero},
			{"with attributes, as RFC 2965 had them", []string{"$Version=1; " + s.good + "; $Path=/; $Domain=evil"}, goodHero},
			{"among a hundred", []string{strings.Repeat("a=b; ", 100) + s.good}, goodHero},
			{"among three thousand", []string{strings.Repeat("a=b; ", 3000) + s.good}, ""},
		} {
			t.Run(row.name, func(t *testing.T) {
				require.Equal(t, row.sees, s.hero(t, row.sent...))
				a := s.ask(t, request("GET /heroes/new", "Cookie: "+strings.Join(row.sent, "; ")))
				require.Empty(t, a.cookie(), "a page changes nothing, whatever the cookie is")
				if row.sees == "" && strings.Contains(row.sent[0], cookieName+"=") {
					for _, name := range []string{"Date", "X-Request-Id"} {
						a.Header.Del(name)
					}
					if refused == "" {
						refused = fmt.Sprint(a.Header, a.text)
					}
					require.True(t, refused == fmt.Sprint(a.Header, a.text), "all are answered alike, and this one is: "+title(a.text))
				}
				s.noHarm(t)
			})
		}
	})
}

func Test_Attack_by_fixation_and_replay(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		s.app.POST("/sign-in", func(c buffalo.Context) error {
			if err := buffalosession.Renew(c); err != nil {
				return err
			}
			c.Session().Set("name", "Victim")
			return c.Redirect(http.StatusSeeOther, "/success")
		})
		planted := s.signIn(t, "Evil")
		own := s.ask(t, post("/sign-in", "", "Cookie: "+planted)).cookie()
		require.NotEqual(t, planted, own, "a visitor who signs in with a planted session gets another cookie")
		require.Equal(t, "Victim", s.hero(t, own))
		if s.memory {
			require.Empty(t, s.hero(t, planted), "and the planted one is dead")
			late := s.ask(t, post("/language", "language=de", "Cookie: "+planted))
			require.Equal(t, http.StatusConflict, late.StatusCode)
			require.Empty(t, late.Header["Set-Cookie"])
		} else {
			require.Equal(t, "Evil", s.hero(t, planted), "what the attacker knew before, and no more")
		}

		chosen := s.ask(t, post("/language", "language=de", "Cookie: "+own)).cookie()
		out := s.ask(t, post("/session", "_method=DELETE", "Cookie: "+own))
		require.Equal(t, http.StatusSeeOther, out.StatusCode)
		require.Empty(t, s.hero(t, out.cookie()))
		if s.memory {
			require.Empty(t, chosen, "a token stays until the session is renewed")
			require.Empty(t, s.hero(t, own), "a copy of the cookie is dead after signing out")
			again := s.ask(t, post("/heroes", hero("Evil"), "Cookie: "+own))
			require.NotEqual(t, own, again.cookie(), "and does not come to life with a new hero")
			require.Empty(t, s.hero(t, own))
		}
		s.noHarm(t)
	})
}

// markup lists what an attacker may type in the hope that a page runs it.
var markup = []string{
	`<evil>`, `"><evil x="`, `' onfocus='evil()' '`, `" autofocus onfocus="evil()" "`, `</title><evil>`, `--><evil><!--`,
	`]]><evil>`, `</bdi></h1><evil/>`, `javascript:evil()`, `&lt;evil&gt;`, `&#60;evil&#62;`, `<%= evil %>`, `<% let title = "evil" %>`,
	`%><evil><%`, `{{.Name}}`, `{{html "<evil>"}}`, `${evil}`, `<evil`, `<<evil>`, `+ADw-evil+AD4-`, `\u003cevil>`,
}

// A page with an attacker's words differs from one with harmless words only in these words.
func Test_Attack_by_markup_in_each_field_and_language(t *testing.T) {
	s := serveSite(t, nil)
	pages := func(t *testing.T, language, word string) (all []string) {
		form := func(without string) string {
			v := url.Values{}
			for _, field := range actions.Fields {
				v.Set(field.Name, word)
			}
			v.Del(without)
			return v.Encode()
		}
		speak := "Accept-Language: " + language
		for _, field := range actions.Fields {
			refill := s.ask(t, post("/heroes", form(field.Name), speak))
			require.Equal(t, http.StatusUnprocessableEntity, refill.StatusCode)
			all = append(all, refill.text)
		}
		cookie := "Cookie: " + s.ask(t, post("/heroes", form(""), speak)).cookie()
		for _, path := range []string{"/success", "/heroes/new", "/nowhere"} {
			all = append(all, s.ask(t, request("GET "+path, cookie, speak)).text)
		}
		return all
	}
	for _, language := range []string{"en", "de", "es", "fr", "ar"} {
		harmless := pages(t, language, "harmless")
		require.Contains(t, harmless[0], `<html lang="`+language+`"`)
		require.Equal(t, len(actions.Fields)+2, strings.Count(harmless[len(actions.Fields)], "harmless"), "title, flash and each value")
		for _, word := range markup {
			t.Run(language+" "+word, func(t *testing.T) {
				for i, page := range pages(t, language, word) {
					require.Equal(t, harmless[i], strings.ReplaceAll(page, html.EscapeString(word), "harmless"))
				}
			})
		}
	}
	s.noHarm(t)
}

func Test_Attack_by_what_is_not_a_field(t *testing.T) {
	s := serveSite(t, nil)
	for _, row := range []struct {
		name, send string
		status     int
	}{
		{"markup in the path", request("GET /<evil>"), 404},
		{"markup in the path, escaped", request("GET /%3Cevil%3E"), 404},
		{"markup in the query", request("GET /?x=<evil>&name=<evil>"), 200},
		{"markup in a path that is redirected", request("GET //<evil>/.."), 307},
		{"markup in a file's name", request("GET /assets/<evil>.css"), 404},
		{"markup in the method", request("<evil> /"), 400},
		{"markup in the language", post("/language", "language=%3Cevil%3E"), 422},
		{"markup in _method", post("/session", "_method=%3Cevil%3E"), 405},
		{"markup in Accept-Language", request("GET /", "Accept-Language: <evil>"), 200},
		{"markup in User-Agent and Referer", request("GET /nowhere", "User-Agent: <evil>", "Referer: <evil>"), 404},
		{"markup in X-Request-Id", request("GET /", "X-Request-Id: <evil>"), 200},
		{"markup in X-Forwarded-*", request("GET /", "X-Forwarded-Host: <evil>", "X-Forwarded-Proto: <evil>", "X-Forwarded-For: <evil>"), 200},
		{"markup in Content-Type", request("POST /heroes", "Content-Type: <evil>", "Content-Length: 1") + "x", 415},
		{"markup in Origin", post("/heroes", hero("x"), "Origin: <evil>"), 403},
		{"line ends in the name", post("/heroes", hero("a\r\nEvil: 1")), 422},
		{"line ends in the alter ego", post("/heroes", without("alter_ego")+"&alter_ego=c%0d%0aSet-Cookie:%20evil=1"), 422},
		{"line ends in the catch phrase", post("/heroes", without("catch_phrase")+"&catch_phrase=c%0aEvil:%201"), 422},
		{"line ends in the language", post("/language", "language=de%0d%0aEvil:%201"), 422},
		{"line ends in _method", post("/session", "_method=DELETE%0d%0aEvil:%201"), 405},
		{"line ends in the path", request("GET /success%0d%0aEvil:%201"), 404},
		{"line ends in a path that is redirected", request("GET /.//%0d%0aEvil:%201"), 307},
		{"line ends in a path that is redirected by the router", request("GET /%2f/%0d%0aEvil:%201"), 301},
		{"line ends in the query of a redirect", request("GET //x?%0d%0aEvil:%201"), 307},
		{"line ends in the Referer", post("/language", "language=de", "Referer: https://"+host+"/success%0d%0aEvil:%201"), 303},
		{"line ends in X-Request-Id", request("GET /", "X-Request-Id: 12345678%0d%0aEvil: 1"), 200},
		{"a tab in X-Request-Id", request("GET /", "X-Request-Id: 12345678\tevil"), 200},
		{"a CR alone in X-Request-Id", request("GET /", "X-Request-Id: 12345678\rEvil: 1"), 400},
		{"a NUL in a header", request("GET /", "X-Request-Id: 12345678\x00evil"), 400},
		{"a NUL in the cookie", request("GET /", "Cookie: "+s.good+"\x00"), 400},
		{"a NUL in the path", request("GET /success\x00"), 400},
		{"a NUL in the path, escaped", request("GET /success%00", "Cookie: "+s.good), 404},
		{"an escape that is none", request("GET /%zz"), 400},
		{"invalid UTF-8 in the path", request("GET /%ff%fe"), 404},
		{"invalid UTF-8 in the query", request("GET /?name=%ff%fe"), 200},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := s.ask(t, row.send)
			require.Equal(t, row.status, a.StatusCode, title(a.text))
			require.Equal(t, row.status == 303, a.cookie() != "")
			require.NotContains(t, a.Header.Get("X-Request-Id"), "1234")
			s.noHarm(t)
		})
	}
}

func Test_Attack_from_another_origin(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		changes := map[string]string{ // all of them succeed if they come from our own pages
			"a hero":         post("/heroes", hero("Evil"), "%s"),
			"forgetting":     post("/session", "_method=DELETE", "%s"),
			"forgetting too": request("DELETE /session", "%s"),
			"a language":     post("/language", "language=de", "%s"),
			"nothing at all": post("/nowhere", "", "%s"),
		}
		for _, row := range []struct {
			name, header string
			refused      bool
		}{
			{"another host", "Origin: " + evilOrigin, true},
			{"a host that begins alike", "Origin: https://" + host + ".evil.example", true},
			{"a host that ends alike", "Origin: https://evil" + host, true},
			{"another port", "Origin: https://" + host + ":8443", true},
			{"a user before it", "Origin: https://" + host + "@evil.example", true},
			{"null: a sandbox, a file", "Origin: null", true},
			{"no URL", "Origin: evil", true},
			{"two origins", "Origin: https://" + host + " " + evilOrigin, true},
			{"cross-site", "Sec-Fetch-Site: cross-site", true},
			{"same-site: another host of the domain", "Sec-Fetch-Site: same-site", true},
			{"a word that is none", "Sec-Fetch-Site: evil", true},
			{"cross-site, and a header against it", "Sec-Fetch-Site: cross-site\r\nOrigin: https://" + host, true},
			{"a host that a proxy is said to have", "X-Forwarded-Host: evil.example\r\nOrigin: " + evilOrigin, true},
			{"from here", "Sec-Fetch-Site: same-origin", false},
			{"by the person", "Sec-Fetch-Site: none", false},
			{"from here, of an older browser", "Origin: https://" + host, false},
			{"of no browser", "X-Nothing: 0", false},
		} {
			t.Run(row.name, func(t *testing.T) {
				for what, raw := range changes {
					if !row.refused && what == "nothing at all" {
						continue
					}
					own := s.signIn(t, "Victim")
					a := s.ask(t, strings.Replace(raw, "%s", "Cookie: "+own+"\r\n"+row.header, 1))
					if !row.refused {
						require.Equal(t, http.StatusSeeOther, a.StatusCode, what)
						continue
					}
					require.Equal(t, http.StatusForbidden, a.StatusCode, what)
					require.Empty(t, a.cookie())
					require.Empty(t, a.Header["Clear-Site-Data"])
					page := s.ask(t, request("GET /success", "Cookie: "+own)).text
					require.Contains(t, page, "<bdi>Victim</bdi>", what)
					require.Contains(t, page, `<html lang="en"`, what)
				}
				s.noHarm(t)
			})
		}
	})
}

func Test_Attack_by_another_method(t *testing.T) {
	eachStore(t, func(t *testing.T, s *site) {
		from := "Cookie: " + s.good
		evil := "Origin: " + evilOrigin
		for _, row := range []struct {
			name, send string
			status     int
		}{
			{"DELETE in the query of a POST", post("/session?_method=DELETE", "", from), 405},
			{"DELETE in the query of a GET", request("GET /session?_method=DELETE", from), 404},
			{"DELETE in the body of a GET", strings.Replace(post("/session", "_method=DELETE", from), "POST", "GET", 1), 404},
			{"DELETE in the body of a PUT", strings.Replace(post("/session", "_method=DELETE", from), "POST", "PUT", 1), 405},
			{"delete in lower case", post("/session", "_method=delete", from), 405},
			{"DELETE second", post("/session", "_method=GET&_method=DELETE", from), 405},
			{"GET for a POST, from another origin", post("/heroes", "_method=GET&"+hero("Evil"), from, evil), 403},
			{"GET for a POST", post("/success", "_method=GET", from), 405},
			{"X-HTTP-Method-Override", post("/session", "", from, "X-HTTP-Method-Override: DELETE", "X-Method-Override: DELETE"), 405},
			{"a hero by GET", request("GET /heroes?"+hero("Evil"), from), 405},
			{"a hero in the query of the form", request("GET /heroes/new?"+hero("Evil"), from), 200},
			{"a language by GET", request("GET /language?language=de", from), 405},
			{"TRACE", request("TRACE /", from), 405},
			{"CONNECT to a host", request("CONNECT evil.example:443", from), 404},
			{"CONNECT to a page", request("CONNECT /success", from), 405},
			{"OPTIONS", request("OPTIONS /heroes", from, evil), 405},
			{"OPTIONS *", request("OPTIONS *", from), 400},
			{"GET *", request("GET *", from), 400},
			{"get in lower case", request("get /", from), 405},
			{"a method that is unknown", request("EVIL /", from), 405},
			{"PATCH from another origin", request("PATCH /session", from, evil), 403},
			{"a method of 1 KB", request(strings.Repeat("EVIL", 256)+" /", from), 405},
			{"PROPFIND", request("PROPFIND /", from), 405},
			{"PRI: HTTP/2 to one who speaks HTTP/1", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
			{"an upgrade to HTTP/2", request("GET /", from, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"), 200},
			{"an upgrade to websocket", request("GET /", from, "Connection: Upgrade", "Upgrade: websocket"), 200},
		} {
			t.Run(row.name, func(t *testing.T) {
				a := s.ask(t, row.send)
				require.Equal(t, row.status, a.StatusCode, title(a.text))
				require.Empty(t, a.cookie())
				hides(t, a.text, s.good, "no method echoes the cookie")
				s.noHarm(t)
			})
		}
	})
}

// No redirect leaves the host. isSafe checks each Location.
func Test_Attack_by_redirect(t *testing.T) {
	s := serveSite(t, nil)
	for _, referer := range []string{
		"//evil.example/success", `/\evil.example`, `\\evil.example\success`, "https://evil.example", "https://evil.example/success",
		"https://" + host + "@evil.example/success", "https://evil.example@" + host + "//evil.example", "https://" + host + ":443@evil.example/",
		"https://" + host + "//evil.example", "https://" + host + `/\evil.example`, "https://" + host + "/%2f/evil.example",
		"https://" + host + "/%5cevil.example", "https://" + host + "/.//evil.example/..//", "https://" + host + "\\@evil.example/success",
		"https://" + host + "/success/..//evil.example", "https://" + host + ".evil.example/success", "javascript:evil()", "data:text/html,<evil>",
		"https:/evil.example", "https:evil.example", "https:///evil.example", "HTTPS://EVIL.EXAMPLE/success", "https://" + host + "/heroes",
		"https://" + host + "/language", "evil", "https://evil.example:%zz/", "https://[::1]:x/", "https://" + host + "/\tsuccess",
	} {
		t.Run("Referer "+referer, func(t *testing.T) {
			a := s.ask(t, post("/language", "language=de", "Referer: "+referer))
			require.Equal(t, http.StatusSeeOther, a.StatusCode)
			require.Equal(t, "/", a.Header.Get("Location"))
		})
	}
	for _, path := range []string{
		"//evil.example", "//evil.example/", "//evil.example/..", "//evil.example/%2e%2e", "///evil.example/", "/.//evil.example",
		"/x/..//evil.example/", "/%2f/evil.example", "/%2fevil.example", "/%2f%2fevil.example/", "/.%2f/evil.example", `/\evil.example`,
		`/\\evil.example/`, `/\/evil.example`, `/.\\evil.example/..`, `/./\evil.example`, "/%5cevil.example", "/%5c/evil.example/..",
		"/%5c%5cevil.example/../", "/../%5cevil.example/./", "/./%2fevil.example", "/%09/evil.example", "//%09/evil.example", "/%0a//evil.example",
		"/success//evil.example", "/success/..//evil.example", "//user@evil.example/", "//evil.example:80/", "/;@evil.example", "/https://evil.example",
		"/https:evil.example/..", "//evil.example?x=//evil.example", "/heroes//..//%2f", "/assets//evil.example", "/assets/..//evil.example/",
		"http://evil.example//evil.example/", "http://evil.example/success", "http://evil.example", "/%252f%252fevil.example", "/\xe2\x80\xae//evil",
	} {
		t.Run("path "+path, func(t *testing.T) {
			a := s.ask(t, request("GET "+path))
			require.True(t, a.is(200, 301, 303, 307, 404), a.Status)
		})
	}
	s.noHarm(t)
}

// notPublic lists paths to files that are not public.
var notPublic = []string{
	"/assets/../../go.mod", "/assets/../../../../../../etc/passwd", "/assets/%2e%2e/%2e%2e/go.mod", "/assets/%2e%2e%2f%2e%2e%2fgo.mod",
	"/assets/..%2f..%2fgo.mod", `/assets/..\..\go.mod`, "/assets/..%5c..%5cgo.mod", "/assets/%252e%252e/go.mod", "/assets/.../go.mod",
	"/assets/....//....//go.mod", "/assets/..;/go.mod", "/assets/application.css%00", "/assets/application.css%00.svg", "/assets/%00",
	"/assets//application.css", "/assets//etc/passwd", "/assets/%2fetc%2fpasswd", "/assets///etc/passwd", "/assets/C:/windows/win.ini",
	"/assets/", "/assets", "/assets/.", "/assets/..", "/assets/embed.go", "/embed.go", "/public/embed.go", "/../public/embed.go", "/.git/config",
	"/assets/%2e%2e/secret.txt", "/assets/%2e%2e/%2e%2e/database.yml", "/assets/%2e%2e/%2e%2e/tmp/session_secret", "/secret.txt",
	"/database.yml", "/tmp/session_secret", "/assets/../../tmp/session_secret", "/templates/application.plush.html", "/assets/~root",
	"/assets/file:///etc/passwd", "/assets/application.css/../../embed.go", "/favicon.svg/../embed.go", "/robots.txt/", "/robots.txt%2f..%2fembed.go",
	"/assets/application-" + strings.Repeat("0", 64) + ".css", "/assets/" + strings.Repeat("a", 9000), "/assets/" + strings.Repeat("../", 3000),
}

func attackFiles(t *testing.T, addr string) {
	for _, path := range notPublic {
		t.Run(path[:min(len(path), 60)], func(t *testing.T) {
			answers := send(t, addr, request("GET "+path), 1)
			require.Len(t, answers, 1)
			require.True(t, answers[0].is(301, 307, 403, 404), answers[0].Status)
			require.Empty(t, answers[0].cookie())
			for _, word := range []string{"module heroes", "package public", "root:", "application.css</a>", "idlepool", "yield", "a secret"} {
				hides(t, answers[0].text, word)
			}
		})
	}
}

func Test_Attack_on_the_files(t *testing.T) {
	s := serveSite(t, nil)
	attackFiles(t, s.addr)
	s.noHarm(t)
}

// chunked returns the header of a POST /heroes with a body in chunks, followed by rest.
func chunked(rest string, header ...string) string {
	return request("POST /heroes", append(header, formType, "Transfer-Encoding: chunked")...) + rest
}

func Test_Attack_by_size_and_content(t *testing.T) {
	s := serveSite(t, nil)
	good := hero("x")
	for _, row := range []struct {
		name, send string
		status     int
	}{
		{"headers over 16 KiB", request("GET /", "X-Long: "+strings.Repeat("x", 20<<10)), 431},
		{"many headers over 16 KiB", request("GET /", strings.Repeat("X: y\r\n", 4<<10)+"Z: z"), 431},
		{"cookies over 16 KiB", request("GET /", "Cookie: "+strings.Repeat("a=b; ", 5<<10)), 431},
		{"a path over 16 KiB", request("GET /" + strings.Repeat("x", 21<<10)), 431},
		{"a query of 14 KB", request("GET /?" + strings.Repeat("x=y&", 3500)), 200},
		{"a query of 14 KB to a form", post("/heroes?"+strings.Repeat("x=y&", 3500), good), 400},
		{"a body that says it is huge", request("POST /heroes", formType, "Content-Length: 9999999999"), 413},
		{"a body that says it is huge, and waits", request("POST /heroes", formType, "Content-Length: 9999999999", "Expect: 100-continue"), 413},
		{"a body of 64 KiB and a byte", post("/heroes", good+"&x="+strings.Repeat("x", 64<<10-len(good)-2)), 413},
		{"a body of 64 KiB", post("/heroes", good+"&x="+strings.Repeat("x", 64<<10-len(good)-3)), 303},
		{"a body of 1 MB in chunks", chunked("100000\r\n" + strings.Repeat("x", 1<<20) + "\r\n0\r\n\r\n"), 413},
		{"many small chunks", chunked(strings.Repeat("1\r\nx\r\n", 60<<10) + "0\r\n\r\n"), 422},
		{"a body of 1 MB to a page that is not there", post("/nowhere", strings.Repeat("x", 1<<20)), 413},
		{"a body of 1 MB to a file", post("/robots.txt", strings.Repeat("x", 1<<20)), 413},
		{"a body with a GET", strings.Replace(post("/success", strings.Repeat("x", 1<<20)), "POST", "GET", 1), 413},
		{"101 fields", post("/heroes", good+strings.Repeat("&x=", 101-len(actions.Fields))), 400},
		{"100 fields", post("/heroes", good+strings.Repeat("&x=", 100-len(actions.Fields))), 303},
		{"20,000 fields", post("/heroes", good+strings.Repeat("&x=", 20000)), 400},
		{"20,000 fields of different names", post("/heroes", manyNames(7000)), 400},
		{"a value of 60 KB", post("/heroes", without("name")+"&name="+strings.Repeat("x", 60<<10)), 422},
		{"invalid UTF-8", post("/heroes", without("name")+"&name=%ff%fe"), 422},
		{"UTF-8 of too many bytes", post("/heroes", without("name")+"&name=%c0%bcevil%c0%be"), 422},
		{"half a surrogate", post("/heroes", without("name")+"&name=%ed%a0%80"), 422},
		{"a NUL", post("/heroes", without("name")+"&name=a%00b"), 422},
		{"a NUL as it is", post("/heroes", without("name")+"&name=a\x00b"), 422},
		{"an escape that is none", post("/heroes", "name=%zz"), 400},
		{"a semicolon", post("/heroes", "name=a;alter_ego=b"), 400},
		{"fields in the query", post("/heroes?"+good, ""), 422},
		{"names with brackets", post("/heroes", without("name", "alter_ego")+"&name[]=a&alter_ego[$ne]=b"), 422},
		{"names in another case", post("/heroes", without("name")+"&NAME=a"), 422},
		{"JSON", request("POST /heroes", "Content-Type: application/json", "Content-Length: 2") + "{}", 415},
		{"text, which a form of another site can send", request("POST /heroes", "Content-Type: text/plain", fmt.Sprint("Content-Length: ", len(good))) + good, 415},
		{"multipart", request("POST /heroes", "Content-Type: multipart/form-data; boundary=x", "Content-Length: 5") + "--x--", 415},
		{"no type", request("POST /heroes", fmt.Sprint("Content-Length: ", len(good))) + good, 415},
		{"a type that is none", request("POST /heroes", "Content-Type: ;;;", "Content-Length: 1") + "x", 415},
		{"a compressed body", post("/heroes", "\x1f\x8b\x08\x00", "Content-Encoding: gzip"), 422},
		{"an expectation that is none", post("/heroes", good, "Expect: evil"), 417},
		{"many ranges of a file", request("GET /robots.txt", "Range: bytes="+strings.Repeat("0-0,", 5000)+"0-0"), 200},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := s.ask(t, row.send)
			require.Equal(t, row.status, a.StatusCode, title(a.text))
			require.Equal(t, row.status == 303, a.cookie() != "")
			s.noHarm(t)
		})
	}
}

func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "&x%d=", i)
	}
	return b.String()
}

// If a field comes twice, the first one counts, on every page.
func Test_Attack_by_fields_that_come_twice(t *testing.T) {
	s := serveSite(t, nil)
	a := s.ask(t, post("/heroes?name=Query", "name=First&name=Second&"+without("name")+"&alter_ego=c"))
	require.Equal(t, "First", s.hero(t, a.cookie()))
	page := s.ask(t, request("GET /success?name=Query", "Cookie: "+a.cookie())).text
	require.Equal(t, 3, strings.Count(page, "First"), "title, heading and flash")
	require.NotContains(t, page, "Second")
	require.NotContains(t, page, "Query")
	require.Equal(t, 422, s.ask(t, post("/heroes", "name=&name=Second&"+without("name"))).StatusCode)
	shows(t, s.ask(t, post("/heroes", "name=First&name=Second")).text, `value="First"`)
	b := s.ask(t, post("/language", "language=de&language=fr"))
	shows(t, s.ask(t, request("GET /", "Cookie: "+b.cookie())).text, `<html lang="de"`)
	require.Equal(t, 422, s.ask(t, post("/language", "language=evil&language=fr")).StatusCode)
	s.noHarm(t)
}

// A request that a proxy and a server may read differently is refused, or ends the connection. It
// never contains a second request.
func Test_Attack_by_smuggling(t *testing.T) {
	s := serveSite(t, nil)
	good := hero("x")
	chunk := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(good), good)
	smuggled := request("GET /smuggled", "Cookie: "+s.good)
	length := func(value string) string {
		return request("POST /heroes", formType, "Content-Length: "+value) + good + smuggled
	}
	coding := func(line string) string { return request("POST /heroes", formType, line) + chunk + smuggled }
	for _, row := range []struct {
		name, send string
		statuses   []int
	}{
		{"a length and chunks: a form", chunked(chunk+smuggled, "Content-Length: 4"), []int{303}},
		{"a length and chunks: empty", chunked("0\r\n\r\n"+smuggled, fmt.Sprint("Content-Length: ", 5+len(smuggled))), []int{422}},
		{"a length and chunks: to a file", strings.Replace(chunked("0\r\n\r\n"+smuggled, "Content-Length: 4"), "POST /heroes", "GET /robots.txt", 1), []int{200}},
		{"two lengths", length(fmt.Sprint(len(good), "\r\nContent-Length: 3")), []int{400}},
		{"two lengths in one", length(fmt.Sprintf("%d, %[1]d", len(good))), []int{400}},
		{"a length below zero", length("-1"), []int{400}},
		{"a length with a plus", length(fmt.Sprint("+", len(good))), []int{400}},
		{"a length in hexadecimal", length("0x41"), []int{400}},
		{"a length beyond all", length("99999999999999999999"), []int{400}},
		{"a length with a space in it", length("6 5"), []int{400}},
		{"an empty length", length(""), []int{400}},
		{"a space before the colon", request("POST /heroes", formType, "Content-Length : 5") + good + smuggled, []int{400}},
		{"a coding and a space before the colon", coding("Transfer-Encoding : chunked"), []int{400}},
		{"two codings", coding("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"), []int{501}},
		{"identity", coding("Transfer-Encoding: identity"), []int{501}},
		{"gzip and chunked", coding("Transfer-Encoding: gzip, chunked"), []int{501}},
		{"a coding that is none", coding("Transfer-Encoding: xchunked"), []int{501}},
		{"a coding in quotes", coding(`Transfer-Encoding: "chunked"`), []int{501}},
		{"a coding after a vertical tab", coding("Transfer-Encoding: \vchunked"), []int{400}},
		{"a coding in a folded line", coding("Transfer-Encoding:\r\n chunked"), []int{303}},
		{"a coding of HTTP/1.0", strings.Replace(coding("Transfer-Encoding: chunked"), "HTTP/1.1", "HTTP/1.0", 1), []int{422}},
		{"a chunk's size ends with LF", chunked(strings.Replace(chunk, "\r\n", "\n", 1) + smuggled), []int{400}},
		{"an LF in a chunk's extension", chunked(strings.Replace(chunk, "\r\n", ";x=\ny\r\n", 1) + smuggled), []int{400}},
		{"an extension of 5 KB", chunked(strings.Replace(chunk, "\r\n", ";"+strings.Repeat("x", 5000)+"\r\n", 1) + smuggled), []int{400}},
		{"a chunk longer than it says", chunked(strings.Replace(chunk, good, good+"XX", 1) + smuggled), []int{400}},
		{"a chunk below zero", chunked("-1\r\n" + good + "\r\n0\r\n\r\n" + smuggled), []int{400}},
		{"a chunk beyond all", chunked("fffffffffffffffff\r\n" + good + "\r\n0\r\n\r\n" + smuggled), []int{400}},
		{"a chunk's size in 0x", chunked("0x5\r\nname=\r\n0\r\n\r\n" + smuggled), []int{400}},
		{"a trailer with a cookie and a length", chunked(strings.TrimSuffix(chunk, "\r\n") + "Cookie: " + s.good + "\r\nContent-Length: 99\r\n\r\n"), []int{303}},
		{"a request in the body of a GET", request("GET /success", formType, fmt.Sprint("Content-Length: ", len(smuggled))) + smuggled, []int{303}},
		{"LF alone", strings.ReplaceAll(request("GET /"), "\r\n", "\n"), []int{200}},
		{"CR alone", strings.ReplaceAll(request("GET /"), "\r\n", "\r") + "\r\n\r\n", []int{400}},
		{"a header before the first", "GET / HTTP/1.1\r\n Host: evil.example\r\nHost: " + host + "\r\n\r\n", []int{400}},
		{"a header without a colon", request("GET /", "Evil"), []int{400}},
		{"a header without a name", request("GET /", ": evil"), []int{400}},
		{"a header's name with a control character", request("GET /", "Ev\x01il: 1"), []int{400}},
		{"two spaces in the first line", request("GET  /"), []int{400}},
		{"a tab in the first line", request("GET\t/"), []int{400}},
		{"HTTP/0.9", "GET /\r\n\r\n", []int{400}},
		{"HTTP/3.0", strings.Replace(request("GET /"), "HTTP/1.1", "HTTP/3.0", 1), []int{505}},
		{"HTTP/1.10", strings.Replace(request("GET /"), "HTTP/1.1", "HTTP/1.10", 1), []int{400}},
		{"http/1.1", strings.Replace(request("GET /"), "HTTP/1.1", "http/1.1", 1), []int{400}},
		{"no target", "GET HTTP/1.1\r\nHost: " + host + "\r\n\r\n", []int{400}},
		{"a target that is no path", request("GET evil"), []int{400}},
		{"no Host", "GET / HTTP/1.1\r\n\r\n", []int{400}},
		{"two Hosts", request("GET /", "Host: evil.example"), []int{400}},
		{"a Host with markup", "GET / HTTP/1.1\r\nHost: <evil>\r\n\r\n", []int{400}},
		{"a Host with a space", "GET / HTTP/1.1\r\nHost: a evil\r\n\r\n", []int{400}},
		{"HTTP/1.0 without a Host", "GET / HTTP/1.0\r\n\r\n", []int{200}},
		{"a target with another host", request("GET http://evil.example/"), []int{200}},
		{"a target with another host and origin", post("http://evil.example/heroes", good, "Origin: https://"+host), []int{403}},
		{"TLS to one who speaks none", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", []int{400}},
		{"two requests at once", request("GET /robots.txt") + request("GET /healthz"), []int{200, 200}},
		{"a hundred at once", strings.Repeat(request("GET /healthz"), 100), slices.Repeat([]int{200}, 100)},
		{"a good one behind a refused one", post("/heroes", good, "Origin: "+evilOrigin) + request("GET /healthz"), []int{403, 200}},
		{"a form behind what is too large", request("POST /heroes", formType, "Content-Length: 99999") + good + smuggled, []int{413}},
	} {
		t.Run(row.name, func(t *testing.T) {
			answers := send(t, s.addr, row.send, len(row.statuses))
			require.Equal(t, row.statuses, statuses(answers))
			s.noHarm(t)
		})
	}
}

// trickle sends a byte every tenth of a second until the connection is closed.
func trickle(conn net.Conn) {
	for {
		time.Sleep(100 * time.Millisecond)
		if _, err := conn.Write([]byte("x")); err != nil {
			return
		}
	}
}

func Test_Attack_slowly(t *testing.T) {
	s := serveSite(t, nil, func(server *http.Server) {
		require.Equal(t, 15*time.Second, server.ReadTimeout)
		require.Equal(t, 30*time.Second, server.WriteTimeout)
		require.Equal(t, 2*time.Minute, server.IdleTimeout)
		server.ReadTimeout, server.IdleTimeout = 6*time.Second, time.Second // so that the test takes seconds
	})
	var wait sync.WaitGroup
	for _, row := range []struct {
		name, send string
		trickles   bool
		after      time.Duration // when the connection is closed
		answer     string
	}{
		{"a header without end", "GET / HTTP/1.1\r\nHost: " + host + "\r\nX-Slow: ", true, 5 * time.Second, ""},
		{"a first line without end", "GET /", true, 5 * time.Second, ""},
		{"a header behind an answer", request("GET /healthz") + "GET / HTTP/1.1\r\nX-Slow: ", true, 5 * time.Second, "HTTP/1.1 200"},
		{"a body without end", request("POST /heroes", formType, "Content-Length: 5000") + "name=", true, 6 * time.Second, "HTTP/1.1 400"},
		{"a body in chunks without end", chunked("fff\r\nname="), true, 6 * time.Second, "HTTP/1.1 400"},
		{"nothing after an answer", request("GET /healthz"), false, time.Second, "HTTP/1.1 200"},
	} {
		conn := s.dial(t, row.send)
		if row.trickles {
			go trickle(conn)
		}
		wait.Go(func() {
			after, answered := timeToEnd(time.Now(), conn)
			assert.InDelta(t, row.after.Seconds(), after.Seconds(), 2, row.name)
			assert.True(t, strings.HasPrefix(answered, row.answer), "%s: %s", row.name, answered)
			assert.NotContains(t, answered, "Set-Cookie", row.name)
		})
	}
	start := time.Now()
	res, err := http.ReadResponse(bufio.NewReader(s.dial(t, request("POST /heroes", formType, "Content-Length: 99999"))), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusRequestEntityTooLarge, res.StatusCode)
	require.Less(t, time.Since(start), 2*time.Second, "a body that is too large is not waited for")
	s.noHarm(t)
	wait.Wait()
	s.noHarm(t)
}

func Test_Attack_while_the_store_is_down_changes_no_session(t *testing.T) {
	memory := &backendtest.Memory{}
	s := serveSite(t, memory)
	bad := "Cookie: " + cookieName + "=" + strings.Repeat("A", 64)
	memory.SetDown(true)
	for _, raw := range []string{request("GET /", bad), request("GET /success", "Cookie: "+s.good), post("/heroes", hero("Evil"), bad), request("DELETE /session", "Cookie: "+s.good)} {
		conn := s.dial(t, strings.Replace(raw, "\r\n", "\r\nConnection: close\r\n", 1))
		_, answered := timeToEnd(time.Now(), conn)
		require.Contains(t, answered, "HTTP/1.1 503")
		require.Contains(t, answered, "Content-Security-Policy: default-src 'none'")
		require.Contains(t, answered, "Retry-After: 5")
		require.NotContains(t, answered, "Set-Cookie")
		require.NotContains(t, answered, "Clear-Site-Data")
	}
	memory.SetDown(false)
	require.Equal(t, goodHero, s.hero(t, s.good))
}
