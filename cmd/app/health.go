package main

import (
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/gobuffalo/envy"
)

// health reports whether the application at ADDR and PORT is well. It is for a container that has
// no other program.
func health() error {
	address := net.JoinHostPort(envy.Get("ADDR", "127.0.0.1"), envy.Get("PORT", "3000"))
	client := http.Client{Transport: &http.Transport{}, Timeout: 3 * time.Second} // no proxy
	res, err := client.Get("http://" + address + "/healthz")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("http://%s/healthz answers %s", address, res.Status)
	}
	return nil
}
