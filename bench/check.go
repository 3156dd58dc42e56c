package main

import (
	"fmt"
	"html"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

const (
	heroName     = "Superman"
	heroAlterEgo = "Clark <Kent>"
	heroPhrase   = "Up, up & away!"
)

// An example is what the first peer has shown and sent, which the others' are compared with.
type example struct {
	sizes
	headers string
}

// sizes are those of the pages, in bytes.
type sizes struct {
	form, success int
}

var (
	csrfField = regexp.MustCompile(`name="authenticity_token"[^>]* value="([^"]+)"`)
	isolates  = strings.NewReplacer("\u2068", "", "\u2069", "") // Heroes puts a name between them
	csrfLine  = regexp.MustCompile(`(?m)^.*(authenticity_token|csrf-token).*\n`)
)

// check walks through the lesson and says what a peer does otherwise. It keeps a browser
// whose hero is stored and whose flash is gone, and one at a first visit.
func (p *peer) check(first *example) error {
	v := browser{}
	if err := withoutHero(&v, p.server); err != nil {
		return err
	}
	v = browser{} // the redirect may have brought a flash
	form, err := v.visit(p.server, "GET", "/", nil)
	if err != nil || form.status != http.StatusOK || !strings.Contains(form.page, "<form") {
		return fmt.Errorf("GET / is no form: %d %v", form.status, err)
	}
	p.first = browser{} // even where the form has brought a cookie: a session for each POST
	if field := csrfField.FindStringSubmatch(form.page); field != nil {
		v.token = html.UnescapeString(field[1])
		p.first = v.clone()
	}
	if err := post(&v, p.server, " ", http.StatusUnprocessableEntity, ""); err != nil {
		return err
	}
	v = p.first.clone()
	if err := post(&v, p.server, " "+heroName+" ", http.StatusSeeOther, "/success"); err != nil {
		return err
	}
	success, err := success(&v, p.server)
	if err != nil {
		return err
	}
	if err := alike(&first.sizes, sizes{withoutToken(form.page), withoutToken(success.page)}); err != nil {
		return err
	}
	if !p.ownHeaders {
		if err := sameHeaders(&first.headers, success.header); err != nil {
			return err
		}
	}
	p.visitor = v
	return nil
}

// withoutHero checks that a visitor without a hero is led to the form.
func withoutHero(v *browser, s *server) error {
	a, err := v.visit(s, "GET", "/success", nil)
	path, _, _ := strings.Cut(a.location, "?")
	if err != nil || a.status != http.StatusSeeOther || path != "/" && strings.TrimSuffix(path, "/") != "/heroes/new" {
		return fmt.Errorf("GET /success without a hero is answered with %d to %q: %v", a.status, a.location, err)
	}
	return nil
}

func post(v *browser, s *server, name string, status int, location string) error {
	a, err := v.visit(s, "POST", "/heroes", v.form(name))
	if err != nil || a.status != status || strings.TrimSuffix(a.location, "/") != location {
		return fmt.Errorf("POST /heroes with the name %q is answered with %d to %q: %v", name, a.status, a.location, err)
	}
	if location != "" && len(a.cookies) == 0 {
		return fmt.Errorf("POST /heroes sets no cookie")
	}
	return nil
}

// success looks at the page twice, with the flash and without, and gives the second one.
func success(v *browser, s *server) (a answer, err error) {
	flash := html.EscapeString(heroName + " is registered.")
	for visit, flashes := range []int{1, 0} {
		a, err = v.visit(s, "GET", "/success", nil)
		if err != nil || a.status != http.StatusOK {
			return a, fmt.Errorf("GET /success is answered with %d: %v", a.status, err)
		}
		if kind := a.header.Get("Content-Type"); kind != "text/html; charset=utf-8" {
			return a, fmt.Errorf("GET /success is answered with %q", kind)
		}
		if n := strings.Count(isolates.Replace(a.page), flash); n != flashes {
			return a, fmt.Errorf("GET /success shows the flash %d times at visit %d", n, visit+1)
		}
		if err := shown(a.page); err != nil {
			return a, err
		}
	}
	return a, nil
}

// shown says which value is missing on the page, trimmed and escaped, or is there as typed.
func shown(page string) error {
	if !strings.Contains(page, "<h1><bdi>"+heroName+"</bdi>") {
		return fmt.Errorf("GET /success does not show %q", heroName)
	}
	for _, value := range []string{heroAlterEgo, heroPhrase} {
		if !strings.Contains(page, html.EscapeString(value)) || strings.Contains(page, value) {
			return fmt.Errorf("GET /success does not show %q as HTML", value)
		}
	}
	return nil
}

// withoutToken is a page's size but for the lines that Heroes has no need of.
func withoutToken(page string) int {
	return len(csrfLine.ReplaceAllString(page, ""))
}

// alike keeps the sizes of the first peer, and refuses what is 15 % larger or smaller.
func alike(first *sizes, s sizes) error {
	if *first == (sizes{}) {
		*first = s
	}
	for _, page := range []struct {
		path        string
		size, other int
	}{{"/", s.form, first.form}, {"/success", s.success, first.success}} {
		if page.size*100 < page.other*85 || page.size*100 > page.other*115 {
			return fmt.Errorf("GET %s has %d bytes, and the first peer's %d: they are to be alike", page.path, page.size, page.other)
		}
	}
	return nil
}

// sameHeaders keeps the headers of the first peer, and refuses others. An ID has to be as long.
// Left out are what a server adds by itself, and the cookie, which some send with every answer.
func sameHeaders(first *string, h http.Header) error {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(h)) {
		value := strings.Join(h[name], ", ")
		switch name {
		case "Date", "Content-Length", "Set-Cookie":
			continue
		case "X-Request-Id":
			value = fmt.Sprintf("%d characters", len(value))
		}
		lines = append(lines, name+": "+value)
	}
	got := strings.Join(lines, "\n")
	if *first == "" {
		*first = got
	}
	if got != *first {
		return fmt.Errorf("GET /success has the headers\n%s\nand the first peer's\n%s\nthey are to be the same", got, *first)
	}
	return nil
}
