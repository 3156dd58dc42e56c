package actions

import (
	"log"

	"heroes/session"
	"heroes/session/buffalosession"
	"heroes/session/sqlstore"

	"example/models"
)

// sessions returns the store of the visitors' sessions: sealed, in a table of the application's
// database, through connections of its own. Each transaction of popmw keeps one of the others.
func sessions() *session.Store {
	backend, err := sqlstore.Open(models.DB.Dialect.Name(), models.DB.URL(), sqlstore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	store, err := buffalosession.NewStore(ENV, session.Options{Backend: backend})
	if err != nil {
		log.Fatal(err)
	}
	return store
}
