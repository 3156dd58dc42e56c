package redisstore_test

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"heroes/session/backendtest"
	"heroes/session/redisstore"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// A cluster of two nodes, each with half of the slots, and each behind a proxy.
func Test_Redis_cluster(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("no redis-server in PATH: install Redis")
	}
	ctx := t.Context()
	slots := []struct{ from, to int }{{0, 8191}, {8192, 16383}}
	var addrs []string
	var proxies []*backendtest.Proxy // clients of the cluster know its nodes by them
	behind := map[string]string{}
	var nodes []*redis.Client
	for _, s := range slots {
		port, bus := backendtest.FreePort(t), backendtest.FreePort(t)
		proxy := backendtest.NewProxy(t, func() string { return "127.0.0.1:" + port })
		_, announced, err := net.SplitHostPort(proxy.Addr)
		require.NoError(t, err)
		proxies = append(proxies, proxy)
		behind[proxy.Addr] = "127.0.0.1:" + port
		server := exec.CommandContext(ctx, "redis-server", "--port", port, "--bind", "127.0.0.1",
			"--cluster-enabled", "yes", "--cluster-node-timeout", "60000", "--cluster-port", bus, "--cluster-announce-ip", "127.0.0.1", "--cluster-announce-port", announced,
			"--cluster-announce-bus-port", bus, "--save", "", "--dir", t.TempDir())
		require.NoError(t, server.Start())
		t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
		addrs = append(addrs, proxy.Addr)
		node := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + port})
		t.Cleanup(func() { _ = node.Close() })
		require.Eventually(t, func() bool { return node.Ping(ctx).Err() == nil }, 5*time.Second, 20*time.Millisecond)
		require.NoError(t, node.ClusterAddSlotsRange(ctx, s.from, s.to).Err())
		nodes = append(nodes, node)
	}
	info, err := nodes[1].Do(ctx, "CLUSTER", "NODES").Text()
	require.NoError(t, err)
	var id, at string
	_, err = fmt.Sscan(info, &id, &at) // ID 127.0.0.1:port@busport and more
	require.NoError(t, err)
	at, bus, _ := strings.Cut(at, "@")
	_, port, err := net.SplitHostPort(at)
	require.NoError(t, err, info)
	require.NoError(t, nodes[0].Do(ctx, "CLUSTER", "MEET", "127.0.0.1", port, bus).Err())

	backend, err := redisstore.Open(addrs[0]+", "+addrs[1], "heroes_test:")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		for _, node := range nodes { // each comes to its own opinion
			if state, err := node.ClusterInfo(ctx).Result(); err != nil || !strings.HasPrefix(state, "cluster_state:ok") {
				return false
			}
		}
		return backend.Ping(ctx) == nil
	}, 20*time.Second, 50*time.Millisecond)
	backendtest.Run(t, backend)
	backendtest.Sessions(t, backend)
	for range 20 {
		cookie := ""
		_, ok := backendtest.Increment(t, backend, &cookie, "n")
		require.True(t, ok)
	}
	n, err := nodes[0].DBSize(ctx).Result()
	require.NoError(t, err)
	m, err := nodes[1].DBSize(ctx).Result()
	require.NoError(t, err)
	require.Positive(t, n, "both hold sessions")
	require.Positive(t, m, "both hold sessions")

	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs, Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, behind[addr])
	}})
	t.Cleanup(func() { _ = client.Close() })
	direct := redisstore.New(client, "heroes_test:")
	for _, proxy := range proxies {
		proxy.Lose(20)
	}
	backendtest.Races(t, backend, direct)
	for _, proxy := range proxies {
		t.Logf("%d replies were lost", proxy.Lost())
		require.NotZero(t, proxy.Lost())
	}
}
