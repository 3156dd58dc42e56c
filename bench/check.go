package main

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

const (
	heroName     = "Superman"
	heroAlterEgo = "Clark <Kent>"
	heroPhrase   = "Up, up & away!"
)

var csrfField = regexp.MustCompile(`name="authenticity_token"[^>]* value="([^"]+)"`)

// pageSize is the size of the first peer's page, which the others' is compared with.
var pageSize int

// check walks through the lesson and says what a peer does otherwise. It keeps the cookie
// of a visitor whose hero is stored and whose flash is gone.
func (p *peer) check() error {
	status, page, cookie, err := p.visit("GET", "/", nil, "")
	if err != nil || status != http.StatusOK || !strings.Contains(page, "<form") {
		return fmt.Errorf("GET / is no form: %d %v", status, err)
	}
	if field := csrfField.FindStringSubmatch(page); field != nil {
		p.token, p.anyone = html.UnescapeString(field[1]), cookie
	}
	form := p.form()
	form.Set("name", " ")
	if status, _, _, err = p.visit("POST", "/heroes", form, p.anyone); err != nil || status != http.StatusUnprocessableEntity {
		return fmt.Errorf("a hero without a name is answered with %d %v", status, err)
	}
	if status, _, _, err = p.visit("GET", "/success", nil, ""); err != nil || status/100 != 3 {
		return fmt.Errorf("GET /success without a hero is answered with %d %v", status, err)
	}
	status, _, cookie, err = p.visit("POST", "/heroes", p.form(), p.anyone)
	if err != nil || status != http.StatusSeeOther || cookie == "" {
		return fmt.Errorf("POST /heroes is answered with %d, cookie %q %v", status, cookie, err)
	}
	flash := html.EscapeString(heroName + " is registered.")
	status, page, next, err := p.visit("GET", "/success", nil, cookie)
	if err != nil || status != http.StatusOK || strings.Count(page, flash) != 1 {
		return fmt.Errorf("GET /success shows no flash: %d %v", status, err)
	}
	if next != "" {
		cookie = next
	}
	status, page, _, err = p.visit("GET", "/success", nil, cookie)
	if err != nil || status != http.StatusOK || strings.Contains(page, flash) {
		return fmt.Errorf("GET /success shows the flash again: %d %v", status, err)
	}
	for _, value := range []string{heroName, heroAlterEgo, heroPhrase} {
		if !strings.Contains(page, html.EscapeString(value)) {
			return fmt.Errorf("GET /success does not show %q", value)
		}
	}
	if pageSize == 0 {
		pageSize = len(page)
	}
	if len(page) < pageSize*85/100 || len(page) > pageSize*115/100 {
		return fmt.Errorf("its page has %d bytes, and the first peer's %d: they are to be alike", len(page), pageSize)
	}
	p.cookie = cookie
	return nil
}

func (p *peer) form() url.Values {
	form := url.Values{"name": {heroName}, "alter_ego": {heroAlterEgo}, "catch_phrase": {heroPhrase}}
	if p.token != "" {
		form.Set("authenticity_token", p.token)
	}
	return form
}

// visit gives the status and the body of an answer, and the cookies that it set.
func (p *peer) visit(method, path string, form url.Values, cookie string) (status int, body, cookies string, err error) {
	response, err := p.request(method, path, form, cookie)
	if err != nil {
		return 0, "", "", err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	set := map[string]string{} // the last one of a name counts
	for _, c := range response.Cookies() {
		set[c.Name] = c.Value
	}
	var all []string
	for name, value := range set {
		all = append(all, name+"="+value)
	}
	return response.StatusCode, string(b), strings.Join(all, "; "), err
}
