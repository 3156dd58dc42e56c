package boltstore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"heroes/session"
	"heroes/session/boltstore"
)

func Example() {
	folder, err := os.MkdirTemp("", "sessions")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)

	backend, err := boltstore.Open(filepath.Join(folder, "sessions.db"))
	if err != nil {
		panic(err)
	}
	store, err := session.New([][]byte{[]byte(session.NewSecret())}, session.Options{Backend: backend})
	if err != nil {
		panic(err)
	}
	defer store.Close()
	fmt.Println(store.Ping(context.Background()))
	// Output: <nil>
}
