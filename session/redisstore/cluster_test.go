package redisstore_test

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"testing"
	"time"

	"heroes/session/backendtest"
	"heroes/session/redisstore"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// A cluster of two nodes, each with half of the slots.
func Test_Redis_cluster(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("no redis-server in PATH: install Redis")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	slots := []struct{ from, to int }{{0, 8191}, {8192, 16383}}
	var addrs []string
	var nodes []*redis.Client
	for _, s := range slots {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		server := exec.CommandContext(ctx, "redis-server", "--port", fmt.Sprint(port), "--bind", "127.0.0.1",
			"--cluster-enabled", "yes", "--cluster-port", fmt.Sprint(clusterPort(t)), "--save", "", "--dir", t.TempDir())
		require.NoError(t, server.Start())
		t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
		addrs = append(addrs, fmt.Sprintf("127.0.0.1:%d", port))
		node := redis.NewClient(&redis.Options{Addr: addrs[len(addrs)-1]})
		t.Cleanup(func() { _ = node.Close() })
		require.Eventually(t, func() bool { return node.Ping(ctx).Err() == nil }, 5*time.Second, 20*time.Millisecond)
		require.NoError(t, node.ClusterAddSlotsRange(ctx, s.from, s.to).Err())
		nodes = append(nodes, node)
	}
	info, err := nodes[1].Do(ctx, "CLUSTER", "NODES").Text()
	require.NoError(t, err)
	var id, host string
	_, err = fmt.Sscan(info, &id, &host) // ID 127.0.0.1:port@clusterport
	require.NoError(t, err)
	var port, bus int
	_, err = fmt.Sscanf(host[len(hostOf(host)):], ":%d@%d", &port, &bus)
	require.NoError(t, err, host)
	require.NoError(t, nodes[0].Do(ctx, "CLUSTER", "MEET", "127.0.0.1", port, bus).Err())

	backend, err := redisstore.Open(addrs[0]+", "+addrs[1], "heroes_test:")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		state, err := nodes[0].ClusterInfo(ctx).Result()
		return err == nil && len(state) > 16 && state[:16] == "cluster_state:ok" && backend.Ping(ctx) == nil
	}, 20*time.Second, 50*time.Millisecond)
	backendtest.Run(t, backend)
	backendtest.Sessions(t, backend) // and leaves some
	n, err := nodes[0].DBSize(ctx).Result()
	require.NoError(t, err)
	m, err := nodes[1].DBSize(ctx).Result()
	require.NoError(t, err)
	require.Positive(t, n, "both hold sessions")
	require.Positive(t, m, "both hold sessions")
}

func hostOf(address string) string {
	for i, c := range address {
		if c == ':' {
			return address[:i]
		}
	}
	return address
}

func clusterPort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
