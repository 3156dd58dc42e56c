// Package redisstore keeps sessions in Redis: one node, with or without TLS, or a
// cluster. Each session is a string of its own, under the prefix and its ID, that Redis
// drops when it expires.
package redisstore

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"heroes/session"

	"github.com/redis/go-redis/v9"
)

// Backend is a session.Backend.
type Backend struct {
	client redis.UniversalClient
	prefix string
}

var _ session.Backend = (*Backend)(nil)

// New makes a Backend of the keys that start with prefix, such as "session:".
// Sessions of two applications in one Redis need two prefixes. A Redis that evicts
// keys when its memory is full (maxmemory-policy) ends sessions with them.
func New(client redis.UniversalClient, prefix string) *Backend {
	return &Backend{client: client, prefix: prefix}
}

func (b *Backend) name(key session.Key) string {
	return b.prefix + hex.EncodeToString(key[:])
}

func (b *Backend) Load(ctx context.Context, key session.Key) ([]byte, error) {
	record, err := b.client.Get(ctx, b.name(key)).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	return record, err
}

// swap compares and changes in one step: Redis runs a script alone. An empty
// argument stands for no record.
var swap = redis.NewScript(`
local record = redis.call("GET", KEYS[1]) or ""
if record ~= ARGV[1] then return 0 end
if ARGV[2] == "" then
  redis.call("DEL", KEYS[1])
else
  redis.call("SET", KEYS[1], ARGV[2], "PXAT", ARGV[3])
end
return 1`)

func (b *Backend) Swap(ctx context.Context, key session.Key, old, next []byte, expires time.Time) (bool, error) {
	n, err := swap.Run(ctx, b.client, []string{b.name(key)}, old, next, expires.UnixMilli()).Int()
	return n == 1, err
}

func (b *Backend) Each(ctx context.Context, f func(session.Key, []byte) error) error {
	return b.scan(ctx, func(ctx context.Context, node redis.UniversalClient, names []string) error {
		for _, name := range names {
			id, err := hex.DecodeString(strings.TrimPrefix(name, b.prefix))
			if err != nil || len(id) != len(session.Key{}) {
				continue // not ours
			}
			key := session.Key(id)
			record, err := b.Load(ctx, key)
			if err != nil {
				return err
			}
			if record == nil { // gone meanwhile
				continue
			}
			if err := f(key, record); err != nil {
				return err
			}
		}
		return nil
	})
}

// Purge has nothing to do: Redis drops what has expired.
func (b *Backend) Purge(context.Context, int) (int, error) {
	return 0, nil
}

func (b *Backend) Clear(ctx context.Context) error {
	return b.scan(ctx, func(ctx context.Context, node redis.UniversalClient, names []string) error {
		for _, name := range names { // one at a time: a cluster takes no keys of several slots
			if err := node.Unlink(ctx, name).Err(); err != nil {
				return err
			}
		}
		return nil
	})
}

// scan calls f with the names of the keys, some hundred at a time, of each node of
// a cluster in turn.
func (b *Backend) scan(ctx context.Context, f func(context.Context, redis.UniversalClient, []string) error) error {
	node := func(ctx context.Context, client redis.UniversalClient) error {
		var cursor uint64
		for {
			names, next, err := client.Scan(ctx, cursor, escape(b.prefix)+"*", 500).Result()
			if err != nil {
				return err
			}
			if err := f(ctx, client, names); err != nil {
				return err
			}
			if cursor = next; cursor == 0 {
				return nil
			}
		}
	}
	cluster, ok := b.client.(*redis.ClusterClient)
	if !ok {
		return node(ctx, b.client)
	}
	var mu sync.Mutex // all nodes at once is not what f expects
	return cluster.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		return node(ctx, c)
	})
}

// escape takes their meaning from the characters that a SCAN pattern has.
func escape(prefix string) string {
	var b []byte
	for i := range len(prefix) {
		switch c := prefix[i]; c {
		case '*', '?', '[', ']', '\\':
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

func (b *Backend) Ping(ctx context.Context) error {
	return b.client.Ping(ctx).Err()
}

// Open makes a Backend from a URL: redis://user:password@host:port/number,
// rediss:// for TLS, or the addresses host:port of a cluster's nodes, separated by
// commas. Its time limits let no page wait longer than two seconds for a Redis that
// is gone. It does not connect: Ping does. Redis must be 6.2 or later.
func Open(url, prefix string) (*Backend, error) {
	redis.SetLogger(silent{}) // each error comes back to us
	if !strings.Contains(url, "://") {
		addrs := strings.Split(url, ",")
		for i, addr := range addrs {
			addrs[i] = strings.TrimSpace(addr)
			_, port, err := net.SplitHostPort(addrs[i])
			if _, notNumber := strconv.ParseUint(port, 10, 16); err != nil || notNumber != nil {
				return nil, fmt.Errorf("redisstore: address %d of %d is none such as 127.0.0.1:6379", i+1, len(addrs)) // it may hold a password
			}
		}
		return New(redis.NewClusterClient(&redis.ClusterOptions{
			Addrs: addrs, MaxRedirects: 3, MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true,
			DialTimeout: timeout, ReadTimeout: timeout, WriteTimeout: timeout, PoolTimeout: timeout,
		}), prefix), nil
	}
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New("redisstore: no URL such as redis://user:password@127.0.0.1:6379/0") // the error holds the password
	}
	o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled = -1, 1, true // session.Store tries again, and knows how
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = timeout, timeout, timeout, timeout
	return New(redis.NewClient(o), prefix), nil
}

const timeout = time.Second

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}
