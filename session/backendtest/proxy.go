package backendtest

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"heroes/session"

	"github.com/stretchr/testify/require"
)

// A Proxy stands in front of a database server and loses replies: the server has carried out
// a command, and the connection breaks before the reply arrives.
type Proxy struct {
	Addr string

	every atomic.Int64 // lose each so-many-th reply; 0: none
	seen  atomic.Int64
	lost  atomic.Int64
}

// NewProxy returns a Proxy in front of addr that loses nothing yet.
func NewProxy(t *testing.T, addr func() string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	p := &Proxy{Addr: l.Addr().String()}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go p.relay(client, addr())
		}
	}()
	return p
}

// Lose makes the proxy lose every n-th reply from now on; none for 0.
func (p *Proxy) Lose(n int64) { p.every.Store(n) }

// Lost returns how many replies were lost.
func (p *Proxy) Lost() int64 { return p.lost.Load() }

func (p *Proxy) relay(client net.Conn, addr string) {
	defer client.Close()
	server, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(server, client)
		server.Close()
	}()
	for b := make([]byte, 1<<16); ; {
		n, err := server.Read(b)
		if err != nil {
			return
		}
		if every := p.every.Load(); every > 0 && p.seen.Add(1)%every == 0 {
			p.lost.Add(1)
			return
		}
		if _, err := client.Write(b[:n]); err != nil {
			return
		}
	}
}

// Lossy returns a backend that carries out each change in b and loses every n-th reply, for a
// database without a connection to break.
func Lossy(b session.Backend, n int64) session.Backend {
	return &lossy{Backend: b, every: n}
}

type lossy struct {
	session.Backend
	every int64
	seen  atomic.Int64
}

func (l *lossy) lose(err error) error {
	if err == nil && l.seen.Add(1)%l.every == 0 {
		return errors.New("the reply was lost")
	}
	return err
}

func (l *lossy) Swap(ctx context.Context, id session.ID, old, next []byte, ttl time.Duration) (bool, error) {
	ok, err := l.Backend.Swap(ctx, id, old, next, ttl)
	return ok && err == nil, l.lose(err)
}

func (l *lossy) Put(ctx context.Context, id session.ID, next []byte, ttl time.Duration) error {
	return l.lose(l.Backend.Put(ctx, id, next, ttl))
}

func (l *lossy) AddOwned(ctx context.Context, owner session.OwnerHash, id session.ID, ttl time.Duration) error {
	return l.lose(l.Backend.AddOwned(ctx, owner, id, ttl))
}

func (l *lossy) RemoveOwned(ctx context.Context, owner session.OwnerHash, id session.ID, expires time.Time) error {
	return l.lose(l.Backend.RemoveOwned(ctx, owner, id, expires))
}
