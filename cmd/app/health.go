package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"heroes/config"
)

// health reports whether the application at ADDR and PORT is well. It is for a container that has
// no other program.
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
		return fmt.Errorf("%s: %w", addr, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers /healthz with %s", addr, res.Status)
	}
	return nil
}
