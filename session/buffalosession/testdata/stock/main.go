// Command stock is a Buffalo application in which people sign in as Buffalo's recipes have it. With
// NEW_SECRET in its environment, it keeps its sessions in package session, and adopts those that it
// had before.
package main

import (
	"encoding/gob"
	"errors"
	"log"
	"net/http"
	"os"

	"heroes/session"
	"heroes/session/adopt/gorilla"
	"heroes/session/buffalosession"

	"github.com/gobuffalo/buffalo"
	"github.com/gobuffalo/buffalo/render"
	"github.com/gofrs/uuid"
)

func init() { gob.Register(uuid.UUID{}) }

// signedIn returns the user that the application has stored.
func signedIn(values map[string]any) string {
	id, _ := values["current_user_id"].(uuid.UUID)
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

func main() {
	app := buffalo.New(buffalo.Options{Env: "development", Addr: os.Getenv("ADDR"), SessionName: "_stock_session", LogLvl: 2})
	secret, adopts := os.LookupEnv("NEW_SECRET")
	if adopts {
		app.SessionName = "_new_session"
		reader, err := gorilla.New([][]byte{[]byte(os.Getenv("SESSION_SECRET"))}, gorilla.Options{})
		if err != nil {
			log.Fatal(err)
		}
		store, err := session.New([][]byte{[]byte(secret)}, session.Options{
			Insecure: true,
			Adopt:    []session.Source{{Session: "_new_session", Cookie: "_stock_session", Reader: reader, Owner: signedIn}},
		})
		if err != nil {
			log.Fatal(err)
		}
		buffalosession.Install(app, store, nil)
	}
	app.POST("/sign-in", func(c buffalo.Context) error {
		id, err := uuid.FromString(c.Param("id"))
		if err != nil {
			return c.Error(http.StatusBadRequest, err)
		}
		if adopts {
			if err := buffalosession.SignIn(c, id.String()); err != nil {
				return err
			}
		}
		c.Session().Set("current_user_id", id)
		c.Flash().Add("success", "Welcome back")
		return c.Redirect(http.StatusSeeOther, "/")
	})
	app.GET("/", func(c buffalo.Context) error {
		id, _ := c.Session().Get("current_user_id").(uuid.UUID)
		if owner := buffalosession.Owner(c); owner != "" && owner != id.String() {
			return c.Error(http.StatusInternalServerError, errors.New("the owner is "+owner))
		}
		return c.Render(http.StatusOK, render.String(id.String()))
	})
	log.Fatal(app.Serve())
}
