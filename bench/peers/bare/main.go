// Command bare writes the lesson's page as it is and reads the form: no session, no
// template, the limit of net/http. Any cookie is a session with one hero.
package main

import (
	"log"
	"net/http"
	"net/http/httptest"
	"os"

	"heroes/bench/peers/pages"
)

func main() {
	hero := pages.Hero{Name: os.Getenv("HERO_NAME"), AlterEgo: os.Getenv("HERO_ALTER_EGO"), CatchPhrase: os.Getenv("HERO_CATCH_PHRASE")}
	body := func(write func(w http.ResponseWriter) error) []byte {
		w := httptest.NewRecorder()
		if err := write(w); err != nil {
			log.Fatal(err)
		}
		return w.Body.Bytes()
	}
	form := body(func(w http.ResponseWriter) error { return pages.Form(w, http.StatusOK, pages.Page{}) })
	page := body(func(w http.ResponseWriter) error { return pages.Success(w, pages.Page{Hero: hero, Session: true}) })
	flash := body(func(w http.ResponseWriter) error {
		return pages.Success(w, pages.Page{Hero: hero, Session: true, Flash: hero.Name + " is registered."})
	})

	write := func(w http.ResponseWriter, status int, b []byte) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write(b)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { write(w, http.StatusOK, form) })
	mux.HandleFunc("POST /heroes", func(w http.ResponseWriter, r *http.Request) {
		if _, wrong := pages.Read(r.PostFormValue); len(wrong) > 0 {
			write(w, http.StatusUnprocessableEntity, form)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "hero", Value: "new", Path: "/", HttpOnly: true})
		http.Redirect(w, r, "/success", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /success", func(w http.ResponseWriter, r *http.Request) {
		cookie, err := r.Cookie("hero")
		switch {
		case err != nil:
			http.Redirect(w, r, "/", http.StatusSeeOther)
		case cookie.Value == "new":
			http.SetCookie(w, &http.Cookie{Name: "hero", Value: "seen", Path: "/", HttpOnly: true})
			write(w, http.StatusOK, flash)
		default:
			write(w, http.StatusOK, page)
		}
	})
	handler := pages.WithHeaders(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Cookie") // any answer may depend on it
		mux.ServeHTTP(w, r)
	}))
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), handler))
}
