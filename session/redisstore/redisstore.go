// Package redisstore keeps sessions in Redis: one node, with or without TLS, or a cluster.
// Each session is a string under the prefix and its ID, which Redis drops when it expires. The
// sessions of an owner are a sorted set of their IDs, each with the time at which it expires, under
// the prefix, "owner:" and the owner's hash.
//
// If Redis loses acknowledged writes, a session that had ended can come back. That can happen after
// a crash without an append-only file, or after a failover to a replica that lags behind.
package redisstore

import (
	"context"
	"crypto/sha1"
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

// New returns a Backend whose keys start with prefix, such as "session:". Two applications that
// share a Redis need two prefixes. A Redis that evicts keys when its memory is full
// (maxmemory-policy) ends sessions.
func New(client redis.UniversalClient, prefix string) *Backend {
	return &Backend{client: client, prefix: prefix}
}

func (b *Backend) key(id session.ID) string {
	return b.prefix + hex.EncodeToString(id[:])
}

func (b *Backend) ownerKey(owner session.OwnerHash) string {
	return b.prefix + ownerPrefix + hex.EncodeToString(owner[:])
}

const ownerPrefix = "owner:"

// idOf returns the ID of a key, if it is a session's.
func (b *Backend) idOf(key string) (session.ID, bool) {
	id, err := hex.DecodeString(strings.TrimPrefix(key, b.prefix))
	if err != nil || len(id) != len(session.ID{}) {
		return session.ID{}, false
	}
	return session.ID(id), true
}

// load returns the record, its remaining milliseconds, and the time in seconds and
// microseconds, in one step: Redis runs nothing else at the same time.
var load = newScript(`
local record, time = redis.call("GET", KEYS[1]), redis.call("TIME")
return record and {record, redis.call("PTTL", KEYS[1]), tonumber(time[1]), tonumber(time[2])}`)

func (b *Backend) Load(ctx context.Context, id session.ID) (record []byte, expires, now time.Time, err error) {
	found, err := b.run(ctx, load, b.key(id)).Slice()
	if errors.Is(err, redis.Nil) {
		return nil, expires, now, nil
	}
	if err != nil {
		return nil, expires, now, err
	}
	n := func(i int) int64 { return found[i].(int64) }
	now = time.Unix(n(2), n(3)*1000)
	return []byte(found[0].(string)), now.Add(time.Duration(n(1)) * time.Millisecond), now, nil
}

// swap compares and replaces. An empty first argument stands for no record.
var swap = newScript(`
local record = redis.call("GET", KEYS[1]) or ""
if record ~= ARGV[1] and record ~= ARGV[2] then return 0 end
redis.call("SET", KEYS[1], ARGV[2], "PX", ARGV[3])
return 1`)

func (b *Backend) Swap(ctx context.Context, id session.ID, old, next []byte, ttl time.Duration) (bool, error) {
	n, err := b.run(ctx, swap, b.key(id), old, next, milliseconds(ttl)).Int()
	return n == 1, err
}

func (b *Backend) Put(ctx context.Context, id session.ID, next []byte, ttl time.Duration) error {
	return b.do(ctx, "set", b.key(id), next, "px", milliseconds(ttl)).Err()
}

// addOwned adds an entry that expires in ARGV[2] milliseconds, and drops those that have expired. The
// key lives as long as its last entry.
var addOwned = newScript(`
local time = redis.call("TIME")
local now, ttl = time[1] * 1000 + math.floor(time[2] / 1000), tonumber(ARGV[2])
redis.call("ZREMRANGEBYSCORE", KEYS[1], "-inf", now)
redis.call("ZADD", KEYS[1], now + ttl, ARGV[1])
if redis.call("PTTL", KEYS[1]) < ttl then redis.call("PEXPIRE", KEYS[1], ttl) end
return 1`)

func (b *Backend) AddOwned(ctx context.Context, owner session.OwnerHash, id session.ID, ttl time.Duration) error {
	return b.run(ctx, addOwned, b.ownerKey(owner), id[:], milliseconds(ttl)).Err()
}

// owned returns the time in milliseconds, and the entries with the time at which each expires.
var owned = newScript(`
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local entries = redis.call("ZRANGEBYSCORE", KEYS[1], "(" .. string.format("%d", now), "+inf", "WITHSCORES")
return {now, entries}`)

func (b *Backend) Owned(ctx context.Context, owner session.OwnerHash) (list []session.Owned, now time.Time, err error) {
	found, err := b.run(ctx, owned, b.ownerKey(owner)).Slice()
	if err != nil {
		return nil, now, err
	}
	entries := found[1].([]any)
	for i := 0; i+1 < len(entries); i += 2 {
		expires, err := strconv.ParseInt(entries[i+1].(string), 10, 64)
		if err != nil {
			return nil, now, err
		}
		list = append(list, session.Owned{ID: session.ID([]byte(entries[i].(string))), Expires: time.UnixMilli(expires)})
	}
	return list, time.UnixMilli(found[0].(int64)), nil
}

// removeOwned removes an entry that expires at ARGV[2] or earlier.
var removeOwned = newScript(`
local expires = redis.call("ZSCORE", KEYS[1], ARGV[1])
if expires and tonumber(expires) <= tonumber(ARGV[2]) then redis.call("ZREM", KEYS[1], ARGV[1]) end
return 1`)

func (b *Backend) RemoveOwned(ctx context.Context, owner session.OwnerHash, id session.ID, expires time.Time) error {
	return b.run(ctx, removeOwned, b.ownerKey(owner), id[:], expires.UnixMilli()).Err()
}

func milliseconds(ttl time.Duration) int64 { return max(1, ttl.Milliseconds()) }

// A script runs in Redis as one step.
type script struct{ source, hash string }

func newScript(source string) script {
	return script{source, fmt.Sprintf("%x", sha1.Sum([]byte(source)))}
}

// run runs a script, which Redis knows by its hash once it has received it.
func (b *Backend) run(ctx context.Context, s script, key string, args ...any) *redis.Cmd {
	args = append([]any{"evalsha", s.hash, 1, key}, args...)
	cmd := b.do(ctx, args...)
	if redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") {
		args[0], args[1] = "eval", s.source
		cmd = b.do(ctx, args...)
	}
	return cmd
}

func (b *Backend) do(ctx context.Context, args ...any) *redis.Cmd {
	cmd := redis.NewCmd(ctx, args...)
	_ = b.client.Process(ctx, once{cmd}) // cmd has the error
	return cmd
}

// once is a command that the client does not repeat when its reply is lost. Otherwise a cluster's
// client repeats it, regardless of its options.
type once struct{ *redis.Cmd }

func (once) NoRetry() bool { return true }

func (b *Backend) Each(ctx context.Context, f func(session.ID, []byte) error) error {
	return b.scan(ctx, func(ctx context.Context, node redis.UniversalClient, keys []string) error {
		for _, key := range keys {
			id, ok := b.idOf(key)
			if !ok {
				continue
			}
			record, _, _, err := b.Load(ctx, id)
			if err != nil {
				return err
			}
			if record == nil { // gone meanwhile
				continue
			}
			if err := f(id, record); err != nil {
				return err
			}
		}
		return nil
	})
}

// Purge has nothing to do: Redis drops expired records.
func (b *Backend) Purge(context.Context, int) (int, error) {
	return 0, nil
}

func (b *Backend) Clear(ctx context.Context) error {
	return b.scan(ctx, func(ctx context.Context, node redis.UniversalClient, keys []string) error {
		pipe := node.Pipeline()
		for _, key := range keys { // a command for each: a cluster does not accept keys of different slots in one command
			if hash, err := hex.DecodeString(strings.TrimPrefix(strings.TrimPrefix(key, b.prefix), ownerPrefix)); err == nil && len(hash) == len(session.ID{}) {
				pipe.Unlink(ctx, key)
			}
		}
		_, err := pipe.Exec(ctx)
		return err
	})
}

// scan calls f with the keys, several hundred at a time, of each node of a cluster in turn.
func (b *Backend) scan(ctx context.Context, f func(context.Context, redis.UniversalClient, []string) error) error {
	node := func(ctx context.Context, client redis.UniversalClient) error {
		var cursor uint64
		for {
			keys, next, err := client.Scan(ctx, cursor, escape(b.prefix)+"*", 500).Result()
			if err != nil {
				return err
			}
			if err := f(ctx, client, keys); err != nil {
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
	var mu sync.Mutex // ForEachMaster calls f for all nodes at once
	return cluster.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		return node(ctx, c)
	})
}

// escape escapes the characters that have a meaning in a SCAN pattern.
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

// Open returns a Backend for a URL, redis://user:password@host:port/number or rediss:// for
// TLS, or for the addresses host:port of a cluster's nodes, separated by commas. With its time
// limits no page waits longer than two seconds for a Redis that is gone. It does not connect;
// Ping does.
func Open(url, prefix string) (*Backend, error) {
	redis.SetLogger(silent{}) // every error is returned
	if !strings.Contains(url, "://") {
		addrs := strings.Split(url, ",")
		for i, addr := range addrs {
			addrs[i] = strings.TrimSpace(addr)
			_, port, err := net.SplitHostPort(addrs[i])
			if _, notNumber := strconv.ParseUint(port, 10, 16); err != nil || notNumber != nil || strings.Contains(addr, "@") {
				return nil, fmt.Errorf("redisstore: address %d of %d does not look like 127.0.0.1:6379", i+1, len(addrs)) // it may contain a password
			}
		}
		return New(redis.NewClusterClient(&redis.ClusterOptions{
			Addrs: addrs, MaxRedirects: 3, MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true,
			DialTimeout: timeout, ReadTimeout: timeout, WriteTimeout: timeout, PoolTimeout: timeout,
		}), prefix), nil
	}
	o, err := redis.ParseURL(url)
	if err != nil || strings.Contains(url, "#") { // after it, a part of the password would become the host
		return nil, errors.New("redisstore: the URL does not look like redis://user:password@127.0.0.1:6379/0") // the error contains the password
	}
	o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled = -1, 1, true
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = timeout, timeout, timeout, timeout
	return New(redis.NewClient(o), prefix), nil
}

const timeout = time.Second

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}
