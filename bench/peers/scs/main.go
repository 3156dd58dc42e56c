// Command scs is the lesson with net/http, html/template and alexedwards/scs: in memory,
// in the Redis of REDIS_URL, or in the PostgreSQL of DATABASE_URL.
package main

import (
	"context"
	"log"
	"net/http"
	"os"

	"heroes/bench/peers/pages"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/pgxstore"
	"github.com/alexedwards/scs/v2"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
)

func main() {
	m := scs.New()
	m.Cookie.SameSite = http.SameSiteLaxMode
	if url := os.Getenv("REDIS_URL"); url != "" {
		o, err := redis.ParseURL(url)
		if err != nil {
			log.Fatal(err)
		}
		m.Store = goredisstore.New(redis.NewClient(o))
	}
	if url := os.Getenv("DATABASE_URL"); url != "" {
		pool, err := pgxpool.New(context.Background(), url)
		if err != nil {
			log.Fatal(err)
		}
		const table = `CREATE TABLE IF NOT EXISTS sessions (token TEXT PRIMARY KEY, data BYTEA NOT NULL, expiry TIMESTAMPTZ NOT NULL);
			CREATE INDEX IF NOT EXISTS sessions_expiry_idx ON sessions (expiry)`
		if _, err := pool.Exec(context.Background(), table); err != nil {
			log.Fatal(err)
		}
		m.Store = pgxstore.New(pool)
	}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		answer(pages.Form(w, http.StatusOK, page(m, r)))
	})
	mux.HandleFunc("POST /heroes", func(w http.ResponseWriter, r *http.Request) {
		hero, wrong := pages.Read(r.PostFormValue)
		if len(wrong) > 0 {
			answer(pages.Form(w, http.StatusUnprocessableEntity, pages.Page{Hero: hero, Wrong: wrong}))
			return
		}
		if err := m.RenewToken(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		m.Put(r.Context(), "name", hero.Name)
		m.Put(r.Context(), "alter_ego", hero.AlterEgo)
		m.Put(r.Context(), "catch_phrase", hero.CatchPhrase)
		m.Put(r.Context(), "flash", hero.Name+" is registered.")
		http.Redirect(w, r, "/success", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /success", func(w http.ResponseWriter, r *http.Request) {
		if !m.Exists(r.Context(), "name") {
			http.Redirect(w, r, "/", http.StatusSeeOther)
			return
		}
		answer(pages.Success(w, page(m, r)))
	})
	handler := pages.WithHeaders(m.LoadAndSave(http.NewCrossOriginProtection().Handler(mux)))
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), handler))
}

func page(m *scs.SessionManager, r *http.Request) pages.Page {
	ctx := r.Context()
	return pages.Page{
		Hero:    pages.Hero{Name: m.GetString(ctx, "name"), AlterEgo: m.GetString(ctx, "alter_ego"), CatchPhrase: m.GetString(ctx, "catch_phrase")},
		Flash:   m.PopString(ctx, "flash"),
		Session: m.Exists(ctx, "name"),
	}
}

func answer(err error) {
	if err != nil {
		log.Print(err)
	}
}
