package actions

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"heroes/locales"

	"github.com/gobuffalo/buffalo"
)

// T translates in actions: T.Translate(c, "app.name"). In pages it is t("app.name").
var T = locales.T

// translations gives each page its words, in the language that the visitor chose or the best one
// for the browser.
func translations(site *site) buffalo.MiddlewareFunc {
	return func(next buffalo.Handler) buffalo.Handler {
		return func(c buffalo.Context) error {
			if c.Value("env") == "development" {
				if err := site.reload(c.Logger()); err != nil {
					return err
				}
			}
			chosen, _ := c.Session().Get("lang").(string)
			for name, value := range site.layoutData(c.Response(), c.Request(), chosen) {
				c.Set(name, value)
			}
			return next(c)
		}
	}
}

// layoutData returns what the layout needs besides the page and the session.
func (s *site) layoutData(w http.ResponseWriter, req *http.Request, chosen string) map[string]any {
	if !slices.Contains(w.Header()["Vary"], "Accept-Language") { // an error comes here twice
		w.Header().Add("Vary", "Accept-Language")
	}
	language := s.words.Load().Match(chosen, req.Header.Get("Accept-Language"))
	return map[string]any{
		"languages": language.Names(), // for pages such as new.plush.de.html
		"t":         language.Translate,
		"chosen":    chosen,
	}
}

// LanguageUpdate stores the language that the visitor chose, and redirects back.
func LanguageUpdate(c buffalo.Context) error {
	site, err := siteOf(c.Value("env").(string))
	if err != nil {
		return err
	}
	chosen := c.Request().PostForm.Get("language")
	if !slices.ContainsFunc(site.languages(), func(l *locales.Language) bool { return l.Code == chosen }) {
		return c.Error(http.StatusUnprocessableEntity, errors.New("this language is not available"))
	}
	c.Session().Set("lang", chosen)
	return c.Redirect(http.StatusSeeOther, previousPage(c))
}

// previousPage returns the page that the visitor came from, or "/". It is always a page of the
// application that answers GET, so a forged Referer cannot lead elsewhere.
func previousPage(c buffalo.Context) string {
	path, _ := cameFrom(c)
	for _, page := range c.Value("routes").(buffalo.RouteList) {
		if page.Method == http.MethodGet && strings.TrimSuffix(page.Path, "/") == path {
			return cmp.Or(path, "/")
		}
	}
	return "/"
}

// cameFrom returns the path of the page that the visitor came from, if it is on this host.
func cameFrom(c buffalo.Context) (path string, ok bool) {
	from, err := url.Parse(c.Request().Referer())
	if err != nil || from.Host == "" || from.Host != c.Request().Host {
		return "", false
	}
	return strings.TrimSuffix(from.Path, "/"), true
}
