//go:build unix

package redisstore_test

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"heroes/session"
	"heroes/session/backendtest"
	"heroes/session/redisstore"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func ownRedis(t *testing.T) (*backendtest.Server, *redisstore.Backend, string) {
	t.Helper()
	server, addr := backendtest.Redis(t)
	backend, err := redisstore.Open("redis://"+addr+"/0", "session:")
	require.NoError(t, err)
	return server, backend, addr
}

func Test_12_Redis_is_killed_and_started_again(t *testing.T) {
	server, backend, _ := ownRedis(t)
	backendtest.Outage(t, backend, server.Kill, func() { server.Start(t) })
}

func Test_12_Redis_hangs(t *testing.T) {
	server, backend, _ := ownRedis(t)
	backendtest.Outage(t, backend, server.Freeze, server.Thaw)
}

// loseReply stands before a Redis. When lose is set, the next command is run and the
// connection broken in place of the reply.
func loseReply(t *testing.T, redis string, lose *atomic.Bool) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	relay := func(client net.Conn) {
		defer client.Close()
		server, err := net.Dial("tcp", redis)
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
			if err != nil || lose.CompareAndSwap(true, false) {
				return
			}
			_, _ = client.Write(b[:n])
		}
	}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go relay(client)
		}
	}()
	return l.Addr().String()
}

func Test_13_a_swap_whose_reply_is_lost_is_no_conflict(t *testing.T) {
	_, _, address := ownRedis(t)
	var lose atomic.Bool
	backend, err := redisstore.Open("redis://"+loseReply(t, address, &lose)+"/0", "session:")
	require.NoError(t, err)
	require.NoError(t, backend.Ping(t.Context())) // it is connected

	swap := func(key session.Key, old, next []byte) (bool, error) {
		return backend.Swap(t.Context(), key, old, next, time.Now().Add(time.Hour))
	}
	_, err = swap(session.Key{}, nil, []byte("the script is loaded"))
	require.NoError(t, err)
	old, next := []byte("old"), []byte("next")
	for i, c := range []struct{ from, to []byte }{{nil, next}, {old, next}, {old, nil}} {
		key := session.Key{byte(i + 1)}
		if c.from != nil {
			_, err := swap(key, nil, c.from)
			require.NoError(t, err)
		}
		lose.Store(true)
		ok, err := swap(key, c.from, c.to)
		require.False(t, lose.Load(), "no reply was lost")
		assert.True(t, ok || err != nil, "the swap from %q to %q was done, and is said not to have been", c.from, c.to)
	}
}
