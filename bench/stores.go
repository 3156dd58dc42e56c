package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

// A store is a server that keeps the sessions of some peers.
type store struct {
	claim func(context.Context) (missing string) // makes room, or says what is missing
	clean func(context.Context) error            // takes away what was made
	// version asks the server itself: its program may be on another machine.
	version func(context.Context) string
}

var (
	redisStore    = &store{claimRedis, cleanRedis, redisVersion}
	postgresStore = &store{claimPostgres, cleanPostgres, postgresVersion}

	redisURL    = setting("REDIS_URL", "redis://127.0.0.1:6379/9")
	postgresURL = setting("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/%s?sslmode=disable")
)

func setting(name, standard string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return standard
}

// cleanStores works after the end of the run, however that came.
func cleanStores(peers []*peer) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	done := map[*store]bool{}
	for _, p := range peers {
		if p.store == nil || done[p.store] {
			continue
		}
		done[p.store] = true
		if err := p.store.clean(ctx); err != nil {
			fmt.Fprintf(os.Stderr, "what %s has stored is still there: %v\n", p.name, err)
		}
	}
}

// redisOwner marks a Redis database as this program's: REDIS_URL may be that of an
// application, whose sessions must stay.
const redisOwner = "heroes:bench"

func claimRedis(ctx context.Context) (missing string) {
	o, err := redis.ParseURL(redisURL)
	if err != nil {
		return "REDIS_URL is no URL such as redis://127.0.0.1:6379/9"
	}
	client := redis.NewClient(o)
	defer client.Close()
	keys, err := client.DBSize(ctx).Result()
	if err != nil {
		return "no Redis answers at REDIS_URL"
	}
	if ours := client.Exists(ctx, redisOwner).Val() == 1; keys > 0 && !ours {
		return "the database of REDIS_URL is not empty: name one that is, such as redis://127.0.0.1:6379/9"
	}
	if err := cleanRedis(ctx); err != nil { // an earlier run may have been killed
		return "the database of REDIS_URL cannot be emptied"
	}
	if client.Set(ctx, redisOwner, "", 0).Err() != nil {
		return "the database of REDIS_URL cannot be written"
	}
	return ""
}

func cleanRedis(ctx context.Context) error {
	o, err := redis.ParseURL(redisURL)
	if err != nil {
		return err
	}
	client := redis.NewClient(o)
	defer client.Close()
	for _, pattern := range []string{"heroes:session:*", "scs:session:*", redisOwner} {
		for cursor := uint64(0); ; {
			keys, next, err := client.Scan(ctx, cursor, pattern, 1000).Result()
			if err != nil {
				return err
			}
			if len(keys) > 0 {
				if err := client.Unlink(ctx, keys...).Err(); err != nil {
					return err
				}
			}
			if cursor = next; cursor == 0 {
				break
			}
		}
	}
	return nil
}

func redisVersion(ctx context.Context) string {
	o, err := redis.ParseURL(redisURL)
	if err != nil {
		return ""
	}
	client := redis.NewClient(o)
	defer client.Close()
	_, after, _ := strings.Cut(client.Info(ctx, "server").Val(), "redis_version:")
	number, _, _ := strings.Cut(after, "\r\n")
	return "Redis " + number
}

// Both applications call their table "sessions", so each has a database.
const (
	heroesDB = "heroes_bench"
	scsDB    = "heroes_bench_scs"
)

func claimPostgres(ctx context.Context) (missing string) {
	err := postgres(ctx, func(db *pgx.Conn) error {
		return execute(ctx, db,
			"DROP DATABASE IF EXISTS "+heroesDB, "CREATE DATABASE "+heroesDB,
			"DROP DATABASE IF EXISTS "+scsDB, "CREATE DATABASE "+scsDB)
	})
	if err != nil {
		return "no PostgreSQL answers at TEST_POSTGRES_URL, or it may not make a database"
	}
	return ""
}

func cleanPostgres(ctx context.Context) error {
	return postgres(ctx, func(db *pgx.Conn) error {
		return execute(ctx, db, "DROP DATABASE IF EXISTS "+heroesDB+" WITH (FORCE)", "DROP DATABASE IF EXISTS "+scsDB+" WITH (FORCE)")
	})
}

func postgresVersion(ctx context.Context) (version string) {
	_ = postgres(ctx, func(db *pgx.Conn) error {
		number, _, _ := strings.Cut(db.PgConn().ParameterStatus("server_version"), " ")
		version = "PostgreSQL " + number
		return nil
	})
	return version
}

// postgres calls f with a connection to the database that is always there.
func postgres(ctx context.Context, f func(*pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	db, err := pgx.Connect(ctx, databaseURL(postgresURL, "postgres"))
	if err != nil {
		return err
	}
	defer db.Close(ctx)
	return f(db)
}

func execute(ctx context.Context, db *pgx.Conn, statements ...string) error {
	for _, s := range statements {
		if _, err := db.Exec(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// databaseURL names a database in base, which has %s for its name or any other name, with
// further settings. What is no URL stays as it is, and does not connect.
func databaseURL(base, name string, settings ...string) string {
	u, err := url.Parse(strings.ReplaceAll(base, "%s", name))
	if err != nil {
		return base
	}
	u.Path = "/" + name
	query := u.Query()
	for i := 0; i+1 < len(settings); i += 2 {
		query.Set(settings[i], settings[i+1])
	}
	u.RawQuery = query.Encode()
	return u.String()
}
