package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"heroes/config"
)

// health reports whether the application at ADDR and PORT is healthy. It is for containers, which
// have no other program to ask with.
func health() error {
	addr, err := config.Addr()
	if err != nil {
		return err
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		network, address := config.Network(addr)
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	client := http.Client{Transport: &http.Transport{DialContext: dial}, Timeout: 3 * time.Second}
	res, err := client.Get("http://heroes/healthz")
	if err != nil {
		return fmt.Errorf("nothing answers at %s (%w): start the application there, or set ADDR and PORT to where it is", addr, errors.Unwrap(err))
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers /healthz with %s: look at its log, or set ADDR and PORT to where Heroes is", addr, res.Status)
	}
	return nil
}
