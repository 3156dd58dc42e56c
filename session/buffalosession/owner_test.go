package buffalosession_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"heroes/session"
	"heroes/session/backendtest"
	"heroes/session/buffalosession"

	"github.com/gobuffalo/buffalo"
	"github.com/gobuffalo/buffalo/render"
	"github.com/gorilla/sessions"
	"github.com/stretchr/testify/require"
)

// accounts adds what an application with accounts has.
func (p *program) accounts() {
	p.app.POST("/sign-in/{owner}", func(c buffalo.Context) error {
		if err := buffalosession.SignIn(c, c.Param("owner"), session.Note("Firefox")); err != nil {
			return err
		}
		return c.Redirect(http.StatusSeeOther, session.ReturnTo(c.Request(), "/"))
	})
	p.app.POST("/flash", func(c buffalo.Context) error {
		c.Flash().Add("info", "hello "+buffalosession.Owner(c))
		return c.Redirect(http.StatusSeeOther, "/")
	})
	p.app.POST("/do/{what}", func(c buffalo.Context) (err error) {
		n := 0
		switch c.Param("what") {
		case "sign-out":
			err = buffalosession.SignOut(c)
		case "others":
			n, err = buffalosession.RevokeOthers(c)
		case "owner":
			n, err = buffalosession.RevokeOwner(c, "clark")
		}
		if err != nil {
			return err
		}
		return c.Render(http.StatusOK, render.JSON(n))
	})
	p.app.POST("/end/{id}", func(c buffalo.Context) error {
		ended, err := buffalosession.RevokeOwned(c, c.Param("id"))
		if err != nil {
			return err
		}
		return c.Render(http.StatusOK, render.JSON(ended))
	})
	p.app.GET("/devices", func(c buffalo.Context) error {
		list, err := buffalosession.Sessions(c)
		if err != nil {
			return err
		}
		here := 0
		for _, e := range list {
			if e.ID == buffalosession.Info(c).ID && e.Note == "Firefox" {
				here++
			}
		}
		return c.Render(http.StatusOK, render.JSON([]int{len(list), here}))
	})
	p.app.GET("/account", buffalosession.RequireSignIn(0, "/sign-in")(func(c buffalo.Context) error {
		return c.Render(http.StatusOK, render.String(buffalosession.Owner(c)))
	}))
	p.app.GET("/password", buffalosession.RequireSignIn(300*time.Millisecond, "/sign-in")(func(c buffalo.Context) error {
		return c.Render(http.StatusOK, page)
	}))
}

func text(res *http.Response) string {
	b := make([]byte, 100)
	n, _ := res.Body.Read(b)
	return string(b[:n])
}

func Test_19_an_owner_signs_in_lists_and_ends_sessions(t *testing.T) {
	p := open(t, &backendtest.Memory{})
	p.accounts()
	res := p.ask("GET", "/account?a=b")
	p.Equal(http.StatusSeeOther, res.StatusCode)
	p.Equal("/sign-in?return_to=%2Faccount%3Fa%3Db", res.Header.Get("Location"))
	p.Empty(p.cookie)
	p.Equal(http.StatusForbidden, p.ask("POST", "/do/others").StatusCode, "nobody is signed in")

	p.ask("POST", "/sign-in/clark")
	one := p.cookie
	p.cookie = ""
	p.ask("POST", "/sign-in/clark")
	p.Equal("clark", text(p.ask("GET", "/account")))
	p.Equal("[2,1]", text(p.ask("GET", "/devices"))[:5])
	p.Equal("false", text(p.ask("POST", "/end/nonsense"))[:5])
	p.Equal("1", text(p.ask("POST", "/do/others"))[:1])
	two := p.cookie
	p.cookie = one
	p.Equal(http.StatusSeeOther, p.ask("GET", "/account").StatusCode)
	p.cookie = two
	p.Equal(http.StatusOK, p.ask("GET", "/password").StatusCode)
	time.Sleep(400 * time.Millisecond)
	p.Equal(http.StatusSeeOther, p.ask("GET", "/password").StatusCode)
	p.Equal("clark", text(p.ask("GET", "/account")))
	res = p.ask("POST", "/do/owner")
	p.Equal("1", text(res)[:1])
	p.Equal(-1, res.Cookies()[0].MaxAge, "and this browser is signed out")
	p.cookie = two
	p.Equal(http.StatusSeeOther, p.ask("GET", "/account").StatusCode)

	p.cookie = ""
	p.ask("POST", "/sign-in/clark")
	list, err := p.store.Sessions(context.Background(), name, "clark")
	p.NoError(err)
	p.Len(list, 1)
	res = p.ask("POST", "/end/"+list[0].ID)
	p.Equal("true", text(res)[:4])
	p.Equal(-1, res.Cookies()[0].MaxAge)
}

func Test_a_typed_key_reads_and_sets_a_value(t *testing.T) {
	p := open(t, nil)
	visits := session.Key[int]("visits")
	p.app.GET("/", func(c buffalo.Context) error {
		n, _ := buffalosession.Get(c, visits)
		buffalosession.Set(c, visits, n+1)
		return c.Render(http.StatusOK, render.JSON(n))
	})
	p.Equal("0", text(p.ask("GET", "/"))[:1])
	p.Equal("1", text(p.ask("GET", "/"))[:1])
}

func Test_a_path_that_looks_like_a_route_helper_is_a_path(t *testing.T) {
	p := open(t, nil)
	p.accounts()
	res := p.ask("POST", "/sign-in/clark?return_to=/%3FxPath()")
	p.Equal(http.StatusSeeOther, res.StatusCode)
	p.Equal("/?xPath(%29", res.Header.Get("Location"))
}

func Test_19_nobody_sees_the_previous_owners_flash(t *testing.T) {
	p := open(t, &backendtest.Memory{})
	p.accounts()
	p.ask("POST", "/sign-in/clark")
	p.ask("POST", "/flash")
	p.Contains(p.storedFlash(), "hello clark")
	p.ask("POST", "/sign-in/clark")
	p.Contains(p.storedFlash(), "hello clark")
	p.ask("POST", "/sign-in/bruce")
	p.NotContains(p.storedFlash(), "clark")
	p.Equal("bruce", text(p.ask("GET", "/account")))
}

func Test_12_an_outage_while_signing_in_is_503(t *testing.T) {
	p := open(t, &backendtest.Memory{})
	p.accounts()
	p.memory.SetDown(true)
	res := p.ask("POST", "/sign-in/clark")
	p.Equal(http.StatusServiceUnavailable, res.StatusCode)
	p.Equal("5", res.Header.Get("Retry-After"))
	p.Empty(p.cookie)
}

func Test_19_a_test_with_another_store_knows_who_is_signed_in(t *testing.T) {
	p := open(t, nil)
	p.app.SessionStore = sessions.NewCookieStore([]byte("secret"))
	p.accounts()
	p.ask("POST", "/sign-in/clark")
	p.Equal("clark", text(p.ask("GET", "/account")))
	p.Equal(http.StatusOK, p.ask("GET", "/password").StatusCode)
	p.Equal("[0,0]", text(p.ask("GET", "/devices"))[:5])
	for _, path := range []string{"/do/others", "/do/owner", "/end/x"} {
		p.Equal(http.StatusOK, p.ask("POST", path).StatusCode)
	}
	p.ask("POST", "/do/sign-out")
	p.Equal(http.StatusSeeOther, p.ask("GET", "/account").StatusCode)
}

func Test_outside_a_test_another_store_is_an_error_of_SignIn(t *testing.T) {
	app := buffalo.New(buffalo.Options{Env: "production", SessionStore: sessions.NewCookieStore([]byte("secret"))})
	app.GET("/", func(c buffalo.Context) error {
		require.ErrorContains(t, buffalosession.SignIn(c, "clark"), "call buffalosession.Install")
		_, err := buffalosession.RevokeOthers(c)
		require.ErrorContains(t, err, "call buffalosession.Install")
		require.Empty(t, buffalosession.Owner(c))
		return c.Render(http.StatusOK, page)
	})
	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	require.Equal(t, http.StatusOK, w.Code)
}
