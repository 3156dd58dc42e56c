//go:build !unix

package boltstore

import (
	"context"
	"errors"
	"net"
)

func (b *Backend) listen() (stop func(), err error) { return func() {}, nil }

func checkFolder(string) error { return nil }

func connect(context.Context, string) (net.Conn, error) {
	return nil, errors.New("there are no sockets on this system")
}
