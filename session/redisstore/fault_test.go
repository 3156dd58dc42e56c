//go:build unix

package redisstore_test

import (
	"testing"
	"time"

	"heroes/session"
	"heroes/session/backendtest"
	"heroes/session/redisstore"

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

// lossy returns a Backend behind a proxy that loses replies.
func lossy(t *testing.T, addr string) (*redisstore.Backend, *backendtest.Proxy) {
	t.Helper()
	proxy := backendtest.NewProxy(t, func() string { return addr })
	backend, err := redisstore.Open("redis://"+proxy.Addr+"/0", "session:")
	require.NoError(t, err)
	require.NoError(t, backend.Ping(t.Context()))
	return backend, proxy
}

func Test_13_races_while_Redis_loses_replies(t *testing.T) {
	_, direct, addr := ownRedis(t)
	backend, proxy := lossy(t, addr)
	proxy.Lose(20)
	backendtest.Races(t, backend, direct)
	t.Logf("%d replies were lost", proxy.Lost())
	require.NotZero(t, proxy.Lost())
}

func Test_13_a_command_whose_reply_is_lost_is_not_sent_again(t *testing.T) {
	_, direct, addr := ownRedis(t)
	backend, proxy := lossy(t, addr)
	ctx := t.Context()
	_, err := backend.Swap(ctx, session.ID{1}, nil, []byte("the script is loaded"), time.Hour)
	require.NoError(t, err)

	proxy.Lose(1)
	ok, err := backend.Swap(ctx, session.ID{2}, nil, []byte("next"), time.Hour)
	require.Error(t, err)
	require.False(t, ok)
	require.EqualValues(t, 1, proxy.Lost())
	record, _, _, err := direct.Load(ctx, session.ID{2})
	require.NoError(t, err)
	require.Equal(t, "next", string(record), "it was carried out")
}
