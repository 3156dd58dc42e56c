package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"heroes/session"
)

func Test_a_name_is_remembered_until_sign_out(t *testing.T) {
	store, err := session.New([][]byte{[]byte(session.NewSecret())}, session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(handler(store))
	defer server.Close()
	browser := server.Client()
	browser.Jar, _ = cookiejar.New(nil)
	site, _ := url.Parse(server.URL)

	has := func(res *http.Response, err error) func(text string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		return func(text string) {
			t.Helper()
			if !strings.Contains(string(body), text) {
				t.Errorf("no %q in %s", text, body)
			}
		}
	}
	has(browser.Get(server.URL))("Sign in")
	if len(browser.Jar.Cookies(site)) != 0 {
		t.Error("a visitor who stored nothing has no cookie")
	}
	has(browser.PostForm(server.URL+"/sign-in", url.Values{"name": {"Zoë"}}))("Hello, Zoë!")
	has(browser.Get(server.URL))("Hello, Zoë!")

	r, _ := http.NewRequest("POST", server.URL+"/sign-in", strings.NewReader("name=Mallory"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	has(browser.Do(r))("cross-origin")
	has(browser.Get(server.URL))("Hello, Zoë!")

	has(browser.PostForm(server.URL+"/sign-out", nil))("Sign in")
	if len(browser.Jar.Cookies(site)) != 0 {
		t.Error("the cookie is removed")
	}
}
