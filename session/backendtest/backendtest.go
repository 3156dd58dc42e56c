// Package backendtest states what every session.Backend does, as tests. It needs Go 1.25.
package backendtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"heroes/session"

	"github.com/stretchr/testify/require"
)

// Run tests a backend, which it may clear.
func Run(t *testing.T, b session.Backend) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, b.Clear(ctx))
	const later = time.Hour
	always := time.UnixMilli(math.MaxInt64)

	load := func(t *testing.T, key session.ID) []byte {
		t.Helper()
		record, expires, now, err := b.Load(ctx, key)
		require.NoError(t, err)
		require.True(t, record == nil || now.Before(expires), "a record lives for some time")
		return record
	}
	swap := func(t *testing.T, key session.ID, old, next []byte, ttl time.Duration) bool {
		t.Helper()
		ok, err := b.Swap(ctx, key, old, next, ttl)
		require.NoError(t, err)
		return ok
	}
	count := func(t *testing.T) (n int) {
		t.Helper()
		require.NoError(t, b.Each(ctx, func(session.ID, []byte) error { n++; return nil }))
		return n
	}

	t.Run("no record is nil and no error", func(t *testing.T) {
		require.Nil(t, load(t, newKey()))
	})

	t.Run("a swap replaces what is there and nothing else", func(t *testing.T) {
		key, a, b := newKey(), newRecord(100), newRecord(200)
		require.False(t, swap(t, key, a, b, later), "there is none")
		require.True(t, swap(t, key, nil, a, later))
		require.Equal(t, a, load(t, key))
		require.False(t, swap(t, key, nil, b, later), "there is one")
		require.False(t, swap(t, key, b, newRecord(10), later), "there is another")
		require.Equal(t, a, load(t, key))
		require.True(t, swap(t, key, a, b, later))
		require.Equal(t, b, load(t, key))
	})

	t.Run("a swap whose reply was lost can be repeated", func(t *testing.T) {
		key, a, b := newKey(), newRecord(100), newRecord(100)
		require.True(t, swap(t, key, nil, a, later))
		require.True(t, swap(t, key, nil, a, later))
		require.True(t, swap(t, key, a, b, later))
		require.True(t, swap(t, key, a, b, later))
		require.False(t, swap(t, key, nil, a, later), "but it undoes nothing")
		require.Equal(t, b, load(t, key))
	})

	t.Run("a put replaces whatever is there", func(t *testing.T) {
		key := newKey()
		for range 3 {
			record := newRecord(50)
			require.NoError(t, b.Put(ctx, key, record, later))
			require.Equal(t, record, load(t, key))
		}
	})

	t.Run("a record is any bytes, many of them too", func(t *testing.T) {
		for _, record := range [][]byte{{0}, []byte("\xff\x00'\"\r\n%s$1"), newRecord(1 << 20)} {
			key := newKey()
			require.True(t, swap(t, key, nil, record, later))
			require.Equal(t, record, load(t, key))
		}
	})

	t.Run("a load reports when a record expires", func(t *testing.T) {
		const slack = 50 * time.Millisecond // a backend may round, or keep another pace
		key, began := newKey(), time.Now()
		require.True(t, swap(t, key, nil, newRecord(10), 10*time.Second))
		written := time.Now()
		time.Sleep(300 * time.Millisecond)
		_, expires, now, err := b.Load(ctx, key)
		require.NoError(t, err)
		left := expires.Sub(now)
		require.LessOrEqual(t, left, 10*time.Second-300*time.Millisecond+slack)
		require.GreaterOrEqual(t, left, 10*time.Second-time.Since(began)-slack)
		time.Sleep(100 * time.Millisecond)
		_, again, later, err := b.Load(ctx, key)
		require.NoError(t, err)
		require.GreaterOrEqual(t, later.Sub(now), 100*time.Millisecond-slack, "the backend's clock advances")
		require.LessOrEqual(t, later.Sub(now), time.Since(written)+slack)
		require.WithinDuration(t, expires, again, 5*time.Millisecond, "and the record still expires at the same time")
	})

	t.Run("an expired record is not there", func(t *testing.T) {
		key, a, b := newKey(), newRecord(10), newRecord(10)
		require.True(t, swap(t, key, nil, a, time.Second))
		require.Equal(t, a, load(t, key))
		before := count(t)
		require.Eventually(t, func() bool { return load(t, key) == nil }, 5*time.Second, 50*time.Millisecond)
		require.Equal(t, before-1, count(t))
		require.False(t, swap(t, key, a, b, later))
		require.True(t, swap(t, key, nil, b, later), "its place is free")
		require.Equal(t, b, load(t, key))
		require.True(t, swap(t, newKey(), nil, a, 0), "the shortest life is a millisecond")
	})

	t.Run("of several swaps from one record one succeeds", func(t *testing.T) {
		key, old := newKey(), []byte(nil)
		for range 10 {
			var wait sync.WaitGroup
			var won atomic.Int32
			next := make([][]byte, 8)
			for i := range next {
				next[i] = newRecord(50)
				wait.Go(func() {
					ok, err := b.Swap(ctx, key, old, next[i], later)
					if err != nil {
						t.Error(err)
					}
					if ok {
						won.Add(1)
					}
				})
			}
			wait.Wait()
			require.EqualValues(t, 1, won.Load())
			old = load(t, key)
		}
	})

	t.Run("each record is seen once, until an error", func(t *testing.T) {
		require.NoError(t, b.Clear(ctx))
		want := map[session.ID][]byte{}
		for range 1200 {
			key, record := newKey(), newRecord(20)
			want[key] = record
			require.True(t, swap(t, key, nil, record, later))
		}
		got := map[session.ID][]byte{}
		require.NoError(t, b.Each(ctx, func(key session.ID, record []byte) error {
			got[key] = bytes.Clone(record)
			return nil
		}))
		require.Equal(t, want, got)
		stop := errors.New("stop")
		require.ErrorIs(t, b.Each(ctx, func(session.ID, []byte) error { return stop }), stop)
	})

	owned := func(t *testing.T, owner session.OwnerHash) map[session.ID]time.Duration {
		t.Helper()
		list, now, err := b.Owned(ctx, owner)
		require.NoError(t, err)
		all := map[session.ID]time.Duration{}
		for _, e := range list {
			all[e.ID] = e.Expires.Sub(now)
		}
		require.Len(t, all, len(list), "each is listed once")
		return all
	}

	t.Run("the index lists each owner's sessions", func(t *testing.T) {
		require.NoError(t, b.Clear(ctx))
		one, two, shared := newOwner(), newOwner(), newKey()
		require.Empty(t, owned(t, one))
		require.NoError(t, b.RemoveOwned(ctx, one, shared, always), "there is none")
		ids := []session.ID{newKey(), newKey(), shared, {}}
		for range 2 { // a reply may be lost
			for _, id := range ids {
				require.NoError(t, b.AddOwned(ctx, one, id, later))
			}
		}
		require.NoError(t, b.AddOwned(ctx, two, shared, later))
		require.Len(t, owned(t, one), len(ids))
		for id, left := range owned(t, one) {
			require.Contains(t, ids, id)
			require.InDelta(t, later.Seconds(), left.Seconds(), 2)
		}
		has := func(owner session.OwnerHash, id session.ID) bool {
			_, there := owned(t, owner)[id]
			return there
		}
		require.True(t, has(one, shared))
		require.False(t, has(one, newKey()))
		require.False(t, has(two, ids[0]))
		require.Nil(t, load(t, shared), "an entry is not a record")
		require.Zero(t, count(t))
		expires := func(id session.ID) (expires time.Time) {
			list, _, err := b.Owned(ctx, one)
			require.NoError(t, err)
			for _, e := range list {
				if e.ID == id {
					expires = e.Expires
				}
			}
			return expires
		}
		before := expires(shared)
		require.False(t, before.IsZero())
		time.Sleep(5 * time.Millisecond)
		require.NoError(t, b.AddOwned(ctx, one, shared, later))
		require.NoError(t, b.RemoveOwned(ctx, one, shared, before))
		require.True(t, has(one, shared), "it was added again")
		require.NoError(t, b.RemoveOwned(ctx, one, shared, expires(shared)))
		require.False(t, has(one, shared))
		require.True(t, has(two, shared))
		require.Len(t, owned(t, one), len(ids)-1)
		require.NoError(t, b.Clear(ctx))
		require.Empty(t, owned(t, one))
		require.False(t, has(two, shared))
	})

	t.Run("an entry of the index expires by itself", func(t *testing.T) {
		owner, brief, long := newOwner(), newKey(), newKey()
		require.NoError(t, b.AddOwned(ctx, owner, long, 500*time.Millisecond))
		require.NoError(t, b.AddOwned(ctx, owner, long, later))
		require.NoError(t, b.AddOwned(ctx, owner, brief, 500*time.Millisecond))
		require.Len(t, owned(t, owner), 2)
		require.Eventually(t, func() bool { return len(owned(t, owner)) == 1 }, 5*time.Second, 50*time.Millisecond)
		require.Contains(t, owned(t, owner), long)
		for n, err := 1, error(nil); n > 0; {
			n, err = b.Purge(ctx, 100)
			require.NoError(t, err)
		}
		require.Contains(t, owned(t, owner), long)
		require.NoError(t, b.AddOwned(ctx, owner, brief, later))
		require.Len(t, owned(t, owner), 2)
	})

	t.Run("an owner can have many sessions, added and removed at once", func(t *testing.T) {
		owner := newOwner()
		var wait sync.WaitGroup
		kept := make([][]session.ID, 8)
		for i := range kept {
			wait.Go(func() {
				for n := range 150 {
					id := newKey()
					err := b.AddOwned(ctx, owner, id, later)
					if n%3 == 0 {
						err = errors.Join(err, b.RemoveOwned(ctx, owner, id, always))
					} else {
						kept[i] = append(kept[i], id)
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wait.Wait()
		all := owned(t, owner)
		require.Len(t, all, 800)
		for _, ids := range kept {
			for _, id := range ids {
				require.Contains(t, all, id)
			}
		}
	})

	t.Run("a purge deletes expired records, up to a limit", func(t *testing.T) {
		require.NoError(t, b.Clear(ctx))
		kept := newKey()
		require.True(t, swap(t, kept, nil, newRecord(20), later))
		for range 5 {
			swap(t, newKey(), nil, newRecord(20), time.Millisecond)
		}
		time.Sleep(100 * time.Millisecond)
		for {
			n, err := b.Purge(ctx, 2)
			require.NoError(t, err)
			require.LessOrEqual(t, n, 2)
			if n == 0 {
				break
			}
		}
		require.Equal(t, 1, count(t))
		require.NotNil(t, load(t, kept))
	})

	t.Run("clear deletes all", func(t *testing.T) {
		require.NoError(t, b.Clear(ctx))
		require.Equal(t, 0, count(t))
	})

	t.Run("a context that has ended is an error", func(t *testing.T) {
		ended, cancel := context.WithCancel(ctx)
		cancel()
		_, _, _, err := b.Load(ended, newKey())
		require.Error(t, err)
		_, err = b.Swap(ended, newKey(), nil, newRecord(10), later)
		require.Error(t, err)
		require.Error(t, b.Put(ended, newKey(), newRecord(10), later))
		require.Error(t, b.AddOwned(ended, newOwner(), newKey(), later))
		require.Error(t, b.RemoveOwned(ended, newOwner(), newKey(), always))
		_, _, err = b.Owned(ended, newOwner())
		require.Error(t, err)
		require.Error(t, b.Ping(ended))
		require.NoError(t, b.Ping(ctx))
	})
}

func newKey() (id session.ID) {
	rand.Read(id[:])
	return id
}

func newOwner() (owner session.OwnerHash) {
	rand.Read(owner[:])
	return owner
}

func newRecord(size int) []byte {
	record := make([]byte, size)
	rand.Read(record)
	return record
}
