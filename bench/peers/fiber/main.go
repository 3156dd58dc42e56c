// Command fiber is the lesson with gofiber/fiber, its session in memory, and html/template.
package main

import (
	"log"
	"net/http"
	"os"
	"strings"

	"heroes/bench/peers/pages"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/session"
)

func main() {
	app := fiber.New()
	if !pages.Plain {
		app.Use(withHeaders)
	}
	app.Use(session.New(session.Config{CookieSameSite: "Lax", CookieHTTPOnly: true}))
	app.Get("/", func(c fiber.Ctx) error {
		return form(c, http.StatusOK, page(c))
	})
	app.Post("/heroes", sameOrigin, func(c fiber.Ctx) error {
		// What fiber gives is part of the request, whose memory the next one takes: the session needs a copy.
		hero, wrong := pages.Read(func(field string) string { return strings.Clone(c.FormValue(field)) })
		if len(wrong) > 0 {
			return form(c, http.StatusUnprocessableEntity, pages.Page{Hero: hero, Wrong: wrong})
		}
		s := session.FromContext(c)
		s.Set("name", hero.Name)
		s.Set("alter_ego", hero.AlterEgo)
		s.Set("catch_phrase", hero.CatchPhrase)
		s.Set("flash", hero.Name+" is registered.")
		return c.Redirect().Status(http.StatusSeeOther).To("/success")
	})
	app.Get("/success", func(c fiber.Ctx) error {
		p := page(c)
		if !p.Session {
			return c.Redirect().Status(http.StatusSeeOther).To("/")
		}
		c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
		return pages.SuccessPage.Execute(c, p)
	})
	log.Fatal(app.Listen("127.0.0.1:"+os.Getenv("PORT"), fiber.ListenConfig{DisableStartupMessage: true}))
}

// withHeaders sets those of Heroes. Each answer is private: the session sets its cookie with all.
func withHeaders(c fiber.Ctx) error {
	h := &c.Response().Header
	pages.Headers(true, func(name string, values []string) { h.Set(name, values[0]) })
	h.Add("Vary", "Cookie")
	return c.Next()
}

// sameOrigin refuses a form of another site, as the peers with net/http do.
func sameOrigin(c fiber.Ctx) error {
	switch c.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return c.Next()
	}
	return fiber.ErrForbidden
}

// page is what the session holds. Its flash is shown once.
func page(c fiber.Ctx) pages.Page {
	s := session.FromContext(c)
	text := func(key string) string {
		value, _ := s.Get(key).(string)
		return value
	}
	p := pages.Page{
		Hero:  pages.Hero{Name: text("name"), AlterEgo: text("alter_ego"), CatchPhrase: text("catch_phrase")},
		Flash: text("flash"),
	}
	p.Session = p.Hero.Name != ""
	s.Delete("flash")
	return p
}

func form(c fiber.Ctx, status int, p pages.Page) error {
	c.Status(status).Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	return pages.FormPage.Execute(c, p)
}
