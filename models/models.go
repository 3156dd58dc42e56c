// Package models holds the database connection, where Buffalo's commands look for it.
package models

import (
	"github.com/gobuffalo/envy"
	"github.com/gobuffalo/pop/v6"
)

// DB is the connection that database.yml names for GO_ENV. It is nil, and Err
// says why, when there is none: sessions in cookies need no database.
var DB, Err = pop.Connect(envy.Get("GO_ENV", "development"))
