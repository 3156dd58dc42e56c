//go:build unix

package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"heroes/session"
	"heroes/session/backendtest"

	"github.com/gobuffalo/buffalo"
	"github.com/gobuffalo/envy"
	"github.com/gorilla/sessions"
	"github.com/stretchr/testify/require"
)

// lesson starts the lesson in Flask and returns its address.
func lesson(t *testing.T, secret string) string {
	t.Helper()
	address := "127.0.0.1:" + backendtest.FreePort(t)
	cmd := exec.Command(backendtest.Python(t), "-m", "flask", "--app", "lesson", "run", "--port", address[len("127.0.0.1:"):])
	cmd.Dir, cmd.Env = "../../examples/flask", []string{"SECRET_KEY=" + secret, "PYTHONDONTWRITEBYTECODE=1"}
	backendtest.Serve(t, cmd, address)
	return address
}

var shownName = regexp.MustCompile(`<bdi>(visitor[^<]*)</bdi>|<h1>(visitor[^<]*)</h1>`)

func register(b *backendtest.Browser, name string) error {
	form, _ := url.ParseQuery(hero(name))
	status, body, err := b.Do("POST", "/heroes", form)
	if err == nil && status != http.StatusSeeOther {
		err = fmt.Errorf("%d: %s", status, body)
	}
	return err
}

func registered(b *backendtest.Browser) (string, error) {
	_, page, err := b.Do("GET", "/success", nil)
	found := shownName.FindStringSubmatch(page)
	if err != nil || found == nil {
		return "", err
	}
	return found[1] + found[2], nil
}

// sessionsAnywhere are the stores of SESSION_STORE.
func sessionsAnywhere(t *testing.T) map[string]setting {
	_, redis := ownRedis(t)
	return map[string]setting{"cookie": newSetting(t, "GO_ENV=production"), "redis": redis, "file": inFile(t)}
}

func Test_22_the_lesson_in_Flask_and_Heroes_behind_one_address_forget_nobody(t *testing.T) {
	for store, s := range sessionsAnywhere(t) {
		t.Run(store, func(t *testing.T) {
			s.env = append(s.env, "FLASK_SECRET_KEY=a newer key, the key of the lesson")
			backendtest.Move{
				Old: lesson(t, "the key of the lesson"), New: s.start(t).addr, Cookie: "__Host-heroes_session",
				SignIn: register, Knows: registered,
			}.Day(t, 20)
		})
	}
}

func Test_22_a_flash_of_Flask_is_shown_once(t *testing.T) {
	old := backendtest.NewBrowser("http://" + lesson(t, "the key of the lesson"))
	require.NoError(t, register(old, "visitor"))
	s := newSetting(t, "GO_ENV=production", "FLASK_SECRET_KEY=the key of the lesson")
	b := old.At("http://" + s.start(t).addr)
	_, page, err := b.Do("GET", "/success", nil)
	require.NoError(t, err)
	require.Contains(t, page, "visitor is registered.")
	_, page, err = b.Do("GET", "/success", nil)
	require.NoError(t, err)
	require.NotContains(t, page, "visitor is registered.")
	require.Contains(t, page, "visitor")
}

func Test_22_a_hero_of_stock_Buffalo_stays_registered(t *testing.T) {
	const secret = "the secret of stock Buffalo"
	stock := stockBuffalo(t, secret)
	w := httptest.NewRecorder()
	stock.ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
	require.Equal(t, http.StatusSeeOther, w.Code)

	s := newSetting(t, "GO_ENV=production", "BUFFALO_SESSION_SECRET=a newer one, "+secret)
	req, err := http.NewRequest("GET", "http://"+s.start(t).addr+"/success", nil)
	require.NoError(t, err)
	req.Header.Set("Cookie", w.Result().Cookies()[0].String())
	res, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(t, err)
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Contains(t, string(page), "<bdi>Superman</bdi>")
	require.Contains(t, string(page), "is registered", "the flash")
	require.Len(t, res.Cookies(), 2)
	require.Equal(t, "_heroes_session", res.Cookies()[1].Name)
	require.Negative(t, res.Cookies()[1].MaxAge)
}

// stockBuffalo returns an application that keeps a hero as "buffalo new heroes" would: in Buffalo's own
// store.
func stockBuffalo(t *testing.T, secret string) (app *buffalo.App) {
	envy.Temp(func() {
		envy.Set("SESSION_SECRET", secret)
		app = buffalo.New(buffalo.Options{Env: "production", SessionName: "_heroes_session"})
	})
	app.POST("/", func(c buffalo.Context) error {
		for key, value := range map[string]string{"name": "Superman", "alter_ego": "Clark Kent", "catch_phrase": "Up, up and away!"} {
			c.Session().Set(key, value)
		}
		c.Flash().Add("success", "Superman is registered.")
		return c.Redirect(http.StatusSeeOther, "/success")
	})
	return app
}

func Test_22_sessions_move_between_the_stores(t *testing.T) {
	secret := "SESSION_SECRET=" + session.NewSecret()
	settings := sessionsAnywhere(t)
	for from, old := range settings {
		for to, s := range settings {
			if from == to {
				continue
			}
			t.Run(from+" to "+to, func(t *testing.T) {
				old := old
				old.env = append(old.env[:len(old.env):len(old.env)], secret)
				p := old.start(t)
				b := backendtest.NewBrowser("http://" + p.addr)
				require.NoError(t, register(b, "visitor"))
				_ = p.cmd.Process.Kill()
				<-p.ended
				p.ended <- nil

				s := s
				s.env = append(append([]string{}, old.env...), append(s.env, secret, "SESSION_STORE="+to+","+from)...)
				b = b.At("http://" + s.start(t).addr)
				for range 2 {
					name, err := registered(b)
					require.NoError(t, err)
					require.Equal(t, "visitor", name)
				}
			})
		}
	}
}

func Test_22_anybody_reads_a_cookie_of_Flask_and_of_stock_Buffalo_and_nobody_one_of_Heroes(t *testing.T) {
	s := newSetting(t, "GO_ENV=production")
	register := func(address string) string {
		req, err := http.NewRequest("POST", "http://"+address+"/heroes", strings.NewReader(hero("Superman")))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, err := http.DefaultTransport.RoundTrip(req)
		require.NoError(t, err)
		defer res.Body.Close()
		return res.Header.Get("Set-Cookie")
	}
	r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	stock, err := sessions.NewCookieStore([]byte("k")).Get(r, "_heroes_session")
	require.NoError(t, err)
	stock.Values["name"] = "Superman"
	require.NoError(t, stock.Save(r, w))

	for want, line := range map[string]string{"cookie of Flask": register(lesson(t, "the key of the lesson")), "cookie of stock Buffalo": w.Header().Get("Set-Cookie")} {
		pair, _, _ := strings.Cut(line, ";")
		_, value, _ := strings.Cut(pair, "=")
		for _, input := range []string{line, "Set-Cookie: " + line + "\r\n", "Cookie: " + pair, pair, value, value + "\n", "Cookie: a=b; " + pair} {
			out, status := s.reads(t, input)
			require.Zero(t, status, out)
			require.Contains(t, out, want)
			require.Contains(t, out, `  "name": "Superman"`+"\n")
		}
	}
	ours := register(s.start(t).addr)
	for _, input := range []string{ours, "", "nonsense", "=", strings.Repeat("A", 1<<20)} {
		out, status := s.reads(t, input)
		require.Equal(t, 1, status)
		require.Contains(t, out, "without SESSION_SECRET")
		require.Equal(t, 1, strings.Count(out, "\n"), out)
	}
}

// reads runs the task session:read.
func (s setting) reads(t *testing.T, cookie string) (out string, status int) {
	t.Helper()
	cmd := s.command(t, "task", "session:read")
	cmd.Stdin = strings.NewReader(cookie)
	b, err := cmd.CombinedOutput()
	if err != nil {
		status = cmd.ProcessState.ExitCode()
	}
	return string(b), status
}
