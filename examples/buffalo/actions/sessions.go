package actions

import (
	"log"

	"heroes/session"
	"heroes/session/buffalosession"
	"heroes/session/sqlstore"

	"example/models"
)

// The visitors' sessions are sealed, in a table of the application's database.
var (
	backend = newBackend()
	store   = newStore(session.Options{Backend: backend})
)

// newBackend has connections of its own, because each transaction of popmw keeps one of the others.
func newBackend() session.Backend {
	backend, err := sqlstore.Open(models.DB.Dialect.Name(), models.DB.URL(), sqlstore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	return backend
}

func newStore(options session.Options) *session.Store {
	store, err := buffalosession.NewStore(ENV, options)
	if err != nil {
		log.Fatal(err)
	}
	return store
}
