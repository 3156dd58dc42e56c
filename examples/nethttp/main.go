// Command nethttp is a program on net/http with sessions: it remembers a name until you sign out.
package main

import (
	"fmt"
	"html/template"
	"log"
	"net/http"
	"os"

	"heroes/session"
)

const cookie = "__Host-session"

var page = template.Must(template.New("").Parse(`<!doctype html><title>Sessions</title>
{{if .}}<p>Hello, {{.}}!</p><form method="post" action="/sign-out"><button>Sign out</button></form>
{{else}}<form method="post" action="/sign-in"><input name="name" aria-label="Name"><button>Sign in</button></form>{{end}}`))

func main() {
	secrets, err := session.ParseSecrets(os.Getenv("SESSION_SECRET"))
	if err != nil {
		log.Fatal("SESSION_SECRET: ", err, "; make one, for example with: openssl rand -hex 32")
	}
	store, err := session.New(secrets, session.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening at http://localhost:8080")
	log.Fatal(http.ListenAndServe("localhost:8080", handler(store)))
}

// handler returns the program. A form of another site is refused, and the first byte of each
// response saves the session.
func handler(store *session.Store) http.Handler {
	p := program{store}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.show)
	mux.HandleFunc("POST /sign-in", p.signIn)
	mux.HandleFunc("POST /sign-out", p.signOut)
	return store.Handler(http.NewCrossOriginProtection().Handler(mux), nil)
}

type program struct{ *session.Store }

func (p program) show(w http.ResponseWriter, r *http.Request) {
	s, err := p.Get(r, cookie)
	if err != nil {
		return // Handler answers with 503
	}
	if err := page.Execute(w, s.Values["name"]); err != nil {
		log.Print(err)
	}
}

func (p program) signIn(w http.ResponseWriter, r *http.Request) {
	s, err := p.Get(r, cookie)
	if err == nil {
		err = p.Renew(r, s) // the visitor's rights change
	}
	if err != nil {
		return
	}
	s.Values["name"] = r.PostFormValue("name")
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (p program) signOut(w http.ResponseWriter, r *http.Request) {
	s, err := p.Get(r, cookie)
	if err != nil || p.Destroy(r, s) != nil {
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
