package sqlstore_test

import (
	"context"
	"log"
	"os"
	"time"

	"heroes/session"
	"heroes/session/sqlstore"
)

func Example() {
	backend, err := sqlstore.Open("postgres", os.Getenv("DATABASE_URL"), sqlstore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if err := backend.CreateTable(context.Background()); err != nil { // or a migration with the SQL of Schema
		log.Fatal(err)
	}
	secrets, err := session.ParseSecrets(os.Getenv("SESSION_SECRET"))
	if err != nil {
		log.Fatal("SESSION_SECRET: ", err)
	}
	store, err := session.New(secrets, session.Options{Backend: backend})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	go store.PurgeEvery(context.Background(), 5*time.Minute) // deletes expired sessions
}

// A migration takes its SQL from Schema.
func ExampleSchema() {
	up, _, err := sqlstore.Schema("postgres", "sessions")
	if err != nil {
		log.Fatal(err)
	}
	os.Stdout.WriteString(up)
	// Output:
	// CREATE TABLE "sessions" (
	//   id bytea PRIMARY KEY,
	//   record bytea NOT NULL,
	//   expires_at bigint NOT NULL
	// );
	// CREATE INDEX "sessions_expires_at" ON "sessions" (expires_at);
}
