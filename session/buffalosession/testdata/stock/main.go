// Command stock is a Buffalo application in which people sign in as Buffalo's recipes have it. With
// NEW_SECRET in its environment, it keeps its sessions in package session, and adopts those that it
// had before.
package main

import (
	"encoding/gob"
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

func main() {
	app := buffalo.New(buffalo.Options{Env: "development", Addr: os.Getenv("ADDR"), SessionName: "_stock_session", LogLvl: 2})
	if secret := os.Getenv("NEW_SECRET"); secret != "" {
		app.SessionName = "_new_session"
		reader, err := gorilla.New([][]byte{[]byte(os.Getenv("SESSION_SECRET"))}, gorilla.Options{})
		if err != nil {
			log.Fatal(err)
		}
		store, err := session.New([][]byte{[]byte(secret)}, session.Options{
			Insecure: true,
			Adopt:    []session.Source{{Session: "_new_session", Cookie: "_stock_session", Reader: reader}},
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
		c.Session().Set("current_user_id", id)
		c.Flash().Add("success", "Welcome back")
		return c.Redirect(http.StatusSeeOther, "/")
	})
	app.GET("/", func(c buffalo.Context) error {
		id, _ := c.Session().Get("current_user_id").(uuid.UUID)
		return c.Render(http.StatusOK, render.String(id.String()))
	})
	log.Fatal(app.Serve())
}
