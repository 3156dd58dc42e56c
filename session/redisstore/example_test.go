package redisstore_test

import (
	"log"
	"os"

	"heroes/session"
	"heroes/session/redisstore"
)

func Example() {
	backend, err := redisstore.Open("redis://127.0.0.1:6379/0", "myapp:session:")
	if err != nil {
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
}
