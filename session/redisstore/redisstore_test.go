package redisstore_test

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"heroes/session/backendtest"
	"heroes/session/redisstore"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

func Test_Redis(t *testing.T) {
	url := cmp.Or(os.Getenv("TEST_REDIS_URL"), "redis://127.0.0.1:6379/0")
	options, err := redis.ParseURL(url)
	require.NoError(t, err)
	client := redis.NewClient(options)
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := client.Ping(ctx).Err(); err != nil {
		t.Skipf("no Redis at %s (%v): start it, or set TEST_REDIS_URL to one", url, err)
	}

	// A prefix of this run, with characters that mean something in a pattern.
	prefix := fmt.Sprintf("heroes_test[%d]*:", os.Getpid())
	stranger := "heroes_testx" + prefix
	require.NoError(t, client.Set(t.Context(), stranger, "not ours", time.Hour).Err())
	backend := redisstore.New(client, prefix)
	backendtest.Run(t, backend)
	backendtest.Sessions(t, backend)
	backendtest.Races(t, backend, backend)
	require.NoError(t, backend.Clear(t.Context()))
	require.Equal(t, "not ours", client.GetDel(t.Context(), stranger).Val())
}
