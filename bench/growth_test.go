package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"heroes/session"
	"heroes/session/redisstore"
	"heroes/session/sqlstore"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
)

const growthURL = "postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable"

// BenchmarkGrowth is a page that reads its session among few and among many others.
// And a page while half a million expired sessions are purged: its 99th percentile.
//
//	go test -run '^$' -bench Growth -timeout 20m .
func BenchmarkGrowth(b *testing.B) {
	b.Run("redis", func(b *testing.B) {
		client := openRedis(b)
		for _, n := range []int{1_000, 1_000_000} {
			fillRedis(b, client, n)
			b.Run(fmt.Sprint(n), func(b *testing.B) { page(b, redisstore.New(client, "heroes_bench:")) })
		}
	})
	b.Run("postgres", func(b *testing.B) {
		db := openPostgres(b)
		for _, n := range []int{1_000, 1_000_000} {
			fill(b, db, n, time.Now().Add(time.Hour))
			b.Run(fmt.Sprint(n), func(b *testing.B) { page(b, newSQL(b, db)) })
		}
	})
}

// BenchmarkPurge reports the 99th percentile of a page, idle and while 500,000
// expired sessions are purged, in microseconds.
func BenchmarkPurge(b *testing.B) {
	db := openPostgres(b)
	fill(b, db, 100_000, time.Now().Add(time.Hour))
	backend := newSQL(b, db)
	store, visit := visitor(b, backend)
	for b.Loop() {
		idle := p99(func() bool { return true }, visit)
		execSQL(b, db, `INSERT INTO sessions SELECT substring(sha256(('expired' || i)::bytea) for 16), decode(repeat('ab', 150), 'hex'), 1 FROM generate_series(1, 500000) i`)
		execSQL(b, db, `ANALYZE sessions`)
		purging := make(chan bool)
		go func() {
			defer close(purging)
			if n, err := store.Purge(context.Background(), nil); err != nil || n != 500_000 {
				b.Errorf("%d purged: %v", n, err)
			}
		}()
		began := time.Now()
		busy := p99(func() bool {
			select {
			case <-purging:
				return false
			default:
				return true
			}
		}, visit)
		<-purging
		b.ReportMetric(float64(idle.Microseconds()), "idle-p99-µs")
		b.ReportMetric(float64(busy.Microseconds()), "purge-p99-µs")
		b.ReportMetric(time.Since(began).Seconds(), "purge-s")
	}
}

// BenchmarkOwners reports how long it takes to sign in, and to list and end the sessions of one owner
// who has 1, 100 or 10,000 of a million, in milliseconds.
//
//	go test -run '^$' -bench Owners -benchtime 3x .
func BenchmarkOwners(b *testing.B) {
	b.Run("redis", func(b *testing.B) {
		client := openRedis(b)
		fillRedis(b, client, 1_000_000)
		owners(b, redisstore.New(client, "heroes_bench:"))
	})
	b.Run("postgres", func(b *testing.B) {
		db := openPostgres(b)
		fill(b, db, 1_000_000, time.Now().Add(time.Hour))
		db.SetMaxOpenConns(20)
		db.SetMaxIdleConns(20)
		owners(b, newSQL(b, db))
	})
}

func owners(b *testing.B, backend session.Backend) {
	store, err := session.New([][]byte{[]byte(session.NewSecret())}, session.Options{Backend: backend})
	if err != nil {
		b.Fatal(err)
	}
	app := store.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, "s")
		if err := store.SignIn(r, s, "clark"); err != nil {
			b.Error(err)
		}
	}), nil)
	signIn := func() {
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
		if len(w.Result().Cookies()) != 1 {
			b.Error(w.Code)
		}
	}
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var signing, listing, ending time.Duration
			for b.Loop() {
				var wait sync.WaitGroup
				for range 8 {
					wait.Go(func() {
						for range (n - 1) / 8 {
							signIn()
						}
					})
				}
				wait.Wait()
				for range n - (n-1)/8*8 - 1 {
					signIn()
				}
				began := time.Now()
				signIn()
				signing += time.Since(began)
				began = time.Now()
				list, err := store.Sessions(b.Context(), "s", "clark")
				listing += time.Since(began)
				began = time.Now()
				ended, err2 := store.RevokeOwner(b.Context(), "s", "clark")
				ending += time.Since(began)
				if err != nil || err2 != nil || len(list) != n || ended != n {
					b.Fatal(len(list), ended, err, err2)
				}
			}
			for unit, took := range map[string]time.Duration{"sign-in-ms": signing, "list-ms": listing, "end-ms": ending} {
				b.ReportMetric(float64(took.Microseconds())/1000/float64(b.N), unit)
			}
		})
	}
}

// p99 visits 2000 times at least, and as long as more says.
func p99(more func() bool, visit func()) time.Duration {
	var took []time.Duration
	for len(took) < 2000 || (len(took) < 200_000 && more() && len(took) > 2000) {
		began := time.Now()
		visit()
		took = append(took, time.Since(began))
		if len(took) == 2000 && !more() {
			break
		}
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}

func page(b *testing.B, backend session.Backend) {
	_, visit := visitor(b, backend)
	for b.Loop() {
		visit()
	}
}

// visitor gives a store and a visit of its page.
func visitor(b *testing.B, backend session.Backend) (*session.Store, func()) {
	store, err := session.New([][]byte{[]byte(session.NewSecret())}, session.Options{Backend: backend})
	if err != nil {
		b.Fatal(err)
	}
	app := store.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, "s")
		s.Values["name"], s.Values["alter_ego"] = "Superman", "Clark Kent"
	}), nil)
	r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	app.ServeHTTP(w, r)
	r.AddCookie(w.Result().Cookies()[0])
	return store, func() {
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if w.Code != http.StatusOK || w.Header()["Set-Cookie"] != nil {
			b.Fatal(w.Code, w.Header())
		}
	}
}

func newSQL(b *testing.B, db *sql.DB) session.Backend {
	backend, err := sqlstore.New(db, "postgres", sqlstore.Options{})
	if err != nil {
		b.Fatal(err)
	}
	return backend
}

// openRedis connects to Redis, and removes what the benchmark has left in the end.
func openRedis(b *testing.B) *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379"})
	if err := client.Ping(b.Context()).Err(); err != nil {
		b.Skip("no Redis at 127.0.0.1:6379: start one")
	}
	b.Cleanup(func() {
		fillRedis(b, client, -1)
		client.Close()
	})
	return client
}

// openPostgres makes a database of its own.
func openPostgres(b *testing.B) *sql.DB {
	admin, err := sql.Open("pgx", growthURL)
	if err != nil {
		b.Fatal(err)
	}
	if admin.PingContext(b.Context()) != nil {
		b.Skip("no PostgreSQL at 127.0.0.1:5432 with trust for postgres: start one")
	}
	execSQL(b, admin, `DROP DATABASE IF EXISTS heroes_bench WITH (FORCE)`)
	execSQL(b, admin, `CREATE DATABASE heroes_bench`)
	db, err := sql.Open("pgx", "postgres://postgres@127.0.0.1:5432/heroes_bench?sslmode=disable")
	if err != nil {
		b.Fatal(err)
	}
	execSQL(b, db, `CREATE TABLE sessions (id bytea PRIMARY KEY, record bytea NOT NULL, expires_at bigint NOT NULL)`)
	execSQL(b, db, `CREATE INDEX ON sessions (expires_at)`)
	b.Cleanup(func() {
		db.Close()
		execSQL(b, admin, `DROP DATABASE heroes_bench WITH (FORCE)`)
		admin.Close()
	})
	return db
}

func execSQL(b *testing.B, db *sql.DB, query string, args ...any) {
	b.Helper()
	if _, err := db.ExecContext(context.Background(), query, args...); err != nil {
		b.Fatal(err)
	}
}

// fill has the table hold n sessions.
func fill(b *testing.B, db *sql.DB, n int, expires time.Time) {
	execSQL(b, db, `TRUNCATE sessions`)
	execSQL(b, db, `INSERT INTO sessions SELECT substring(sha256(i::text::bytea) for 16), decode(repeat('ab', 150), 'hex'), $2::bigint + i % 3600 FROM generate_series(1, $1::int) i`, n, expires.UnixMilli())
	execSQL(b, db, `VACUUM ANALYZE sessions`)
}

// fillRedis has Redis hold n sessions; below zero, none.
func fillRedis(b *testing.B, client *redis.Client, n int) {
	ctx := context.Background()
	if err := redisstore.New(client, "heroes_bench:").Clear(ctx); err != nil {
		b.Fatal(err)
	}
	record := make([]byte, 150)
	for i := 0; i < n; i += 1000 {
		pipe := client.Pipeline()
		for range 1000 {
			var key session.ID
			rand.Read(key[:])
			pipe.Set(ctx, fmt.Sprintf("heroes_bench:%s", key), record, time.Hour)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			b.Fatal(err)
		}
	}
}
