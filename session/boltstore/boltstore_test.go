package boltstore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"heroes/session"
	"heroes/session/backendtest"
	"heroes/session/boltstore"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
)

func open(t *testing.T, file string) *boltstore.Backend {
	t.Helper()
	b, err := boltstore.Open(file)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

func fresh(t *testing.T) (*boltstore.Backend, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sessions.bolt")
	return open(t, file), file
}

func reach(t *testing.T, file string) *boltstore.Client {
	t.Helper()
	c, err := boltstore.Reach(t.Context(), file)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// requireSound requires an intact file in which records and expiries belong together.
func requireSound(t *testing.T, b *boltstore.Backend) (records int) {
	t.Helper()
	problems, records, expiries, strays, err := b.Check()
	require.NoError(t, err)
	require.Empty(t, problems)
	require.Zero(t, strays, "records without an expiry")
	require.Equal(t, records, expiries)
	return records
}

func Test_Bolt(t *testing.T) {
	t.Parallel()
	b, _ := fresh(t)
	backendtest.Run(t, b)
	backendtest.Sessions(t, b)
	backendtest.Races(t, b, b)
	backendtest.Races(t, backendtest.Lossy(b, 20), b)
	requireSound(t, b)
}

func key(n int) (k session.ID) {
	copy(k[:], fmt.Sprintf("%016d", n))
	return k
}

func load(t *testing.T, b session.Backend, k session.ID) string {
	t.Helper()
	record, _, _, err := b.Load(t.Context(), k)
	require.NoError(t, err)
	return string(record)
}

func Test_records_are_there_after_the_file_is_closed_and_opened_again(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sessions.bolt")
	b, err := boltstore.Open(file)
	require.NoError(t, err)
	require.NoError(t, b.Put(t.Context(), key(1), []byte("record"), time.Hour))
	require.NoError(t, b.Close())
	require.NoError(t, b.Close(), "closing twice does no harm")
	require.Equal(t, "record", load(t, open(t, file), key(1)))
}

func Test_12_a_closed_or_deleted_file_is_an_error_of_Ping(t *testing.T) {
	b, file := fresh(t)
	require.NoError(t, b.Ping(t.Context()))
	require.NoError(t, os.Rename(file, file+".away"))
	require.ErrorContains(t, b.Ping(t.Context()), "restart")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.ErrorContains(t, b.Ping(t.Context()), "restart", "another file")
	require.NoError(t, os.Rename(file+".away", file))
	require.NoError(t, b.Ping(t.Context()))

	require.NoError(t, b.Close())
	require.Error(t, b.Ping(t.Context()))
	_, _, _, err := b.Load(t.Context(), key(1))
	require.Error(t, err)
	require.Error(t, b.Put(t.Context(), key(1), []byte("record"), time.Hour))
}

func Test_12_no_method_waits_longer_for_the_disk_than_its_context_allows(t *testing.T) {
	b, _ := fresh(t)
	require.NoError(t, b.Put(t.Context(), key(1), []byte("before"), time.Hour))
	thaw, err := b.Hang()
	require.NoError(t, err)
	record := []byte("during")
	for what, change := range map[string]func(context.Context) error{
		"Swap": func(ctx context.Context) error {
			ok, err := b.Swap(ctx, key(1), []byte("before"), record, time.Hour)
			require.False(t, ok)
			return err
		},
		"Put":   func(ctx context.Context) error { return b.Put(ctx, key(1), record, time.Hour) },
		"Purge": func(ctx context.Context) error { _, err := b.Purge(ctx, 10); return err },
		"Clear": b.Clear,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		start := time.Now()
		require.ErrorIs(t, change(ctx), context.DeadlineExceeded, what)
		require.Less(t, time.Since(start), time.Second, what)
		cancel()
	}
	clear(record) // the caller may use it again
	require.Equal(t, "before", load(t, b, key(1)), "reading does not wait for writing")
	thaw()
	require.NoError(t, b.Put(t.Context(), key(2), []byte("after"), time.Hour))
	require.Equal(t, "before", load(t, b, key(1)), "a change that nobody waits for is not made")
}

func Test_a_context_that_has_ended_is_an_error_of_every_method(t *testing.T) {
	b, file := fresh(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := boltstore.Reach(ctx, file)
	require.Error(t, err)
	for _, b := range []session.Backend{b, reach(t, file)} {
		_, err := b.Purge(ctx, 1)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, b.Clear(ctx), context.Canceled)
		require.ErrorIs(t, b.Each(ctx, nil), context.Canceled)

		require.NoError(t, b.Put(t.Context(), key(1), []byte("a"), time.Hour))
		require.NoError(t, b.Put(t.Context(), key(2), []byte("b"), time.Hour))
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		require.ErrorIs(t, b.Each(ctx, func(session.ID, []byte) error { calls++; cancel(); return nil }), context.Canceled)
		require.Equal(t, 1, calls)
	}
}

func Test_a_walk_may_change_records(t *testing.T) {
	b, file := fresh(t)
	record := make([]byte, 4096) // several pages, by their size and by their number
	for _, b := range []session.Backend{b, reach(t, file)} {
		var wait sync.WaitGroup
		for n := range 1200 {
			wait.Go(func() {
				if err := b.Put(t.Context(), key(n), record, time.Hour); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		seen := map[session.ID]bool{}
		require.NoError(t, b.Each(t.Context(), func(k session.ID, _ []byte) error {
			seen[k] = true
			if len(seen)%100 != 0 {
				return nil
			}
			return b.Put(t.Context(), k, []byte("seen"), time.Hour)
		}))
		require.Len(t, seen, 1200)
	}
	requireSound(t, b)
}

func Test_a_purge_deletes_records_and_their_expiries(t *testing.T) {
	b, _ := fresh(t)
	for n := range 250 {
		ttl := time.Millisecond
		if n%2 == 0 {
			ttl = time.Hour
		}
		_, err := b.Swap(t.Context(), key(n%200), nil, fmt.Append(nil, "record ", n), ttl)
		require.NoError(t, err)
		if n < 20 {
			require.NoError(t, b.Put(t.Context(), key(n), []byte("record"), time.Hour+ttl), "a record has one expiry")
		}
	}
	time.Sleep(5 * time.Millisecond)
	require.Equal(t, 200, requireSound(t, b))
	n, err := b.Purge(t.Context(), 10)
	require.NoError(t, err)
	require.Equal(t, 10, n)
	require.Equal(t, 190, requireSound(t, b))
	n, err = b.Purge(t.Context(), 1_000_000)
	require.NoError(t, err)
	require.Equal(t, 80, n)
	require.Equal(t, 110, requireSound(t, b))
}

func Test_the_file_stops_growing_if_expired_records_are_purged(t *testing.T) {
	b, file := fresh(t)
	size := func() int64 {
		info, err := os.Stat(file)
		require.NoError(t, err)
		return info.Size()
	}
	var after []int64
	for round := range 8 {
		var wait sync.WaitGroup
		for n := range 1000 {
			wait.Go(func() {
				if err := b.Put(t.Context(), key(10_000*round+n), make([]byte, 1000), time.Millisecond); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		time.Sleep(2 * time.Millisecond)
		n, err := b.Purge(t.Context(), 1_000_000)
		require.NoError(t, err)
		require.Equal(t, 1000, n)
		after = append(after, size())
	}
	t.Log(after)
	require.LessOrEqual(t, after[7], 2*after[0], "bbolt doubles a small file")
}

func Test_clearing_while_others_write_keeps_the_file_sound(t *testing.T) {
	b, _ := fresh(t)
	var wait sync.WaitGroup
	for g := range 8 {
		wait.Go(func() {
			for n := range 50 {
				err := b.Put(t.Context(), key(100*g+n), make([]byte, 500), time.Hour)
				if g == 0 && n%10 == 0 {
					err = errors.Join(err, b.Clear(t.Context()))
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	requireSound(t, b)
	require.NoError(t, b.Clear(t.Context()))
	require.Zero(t, requireSound(t, b))
}

func Test_an_expiry_without_its_record_is_purged(t *testing.T) {
	b, _ := fresh(t)
	require.NoError(t, b.Put(t.Context(), key(1), []byte("record"), time.Hour))
	require.NoError(t, b.Change(func(_, expiries *bbolt.Bucket) error {
		for _, k := range []string{"x", "\x00\x00\x00\x00\x00\x00\x00\x01", "\x00\x00\x00\x00\x00\x00\x00\x010000000000000001", "\x00\x00\x00\x00\x00\x00\x00\x01gone"} {
			if err := expiries.Put([]byte(k), nil); err != nil {
				return err
			}
		}
		return nil
	}))
	for range 2 {
		n, err := b.Purge(t.Context(), 10)
		require.NoError(t, err)
		require.Zero(t, n)
	}
	require.Equal(t, "record", load(t, b, key(1)))
	require.NoError(t, b.Change(func(_, expiries *bbolt.Bucket) error { return expiries.Delete([]byte("x")) }))
	require.Equal(t, 1, requireSound(t, b))
}

func Test_a_damaged_record_is_an_error(t *testing.T) {
	b, file := fresh(t)
	require.NoError(t, b.Put(t.Context(), key(2), []byte("record"), time.Hour))
	require.NoError(t, b.Change(func(records, _ *bbolt.Bucket) error {
		k := key(1)
		return records.Put(k[:], []byte("secret"))
	}))
	for _, b := range []session.Backend{b, reach(t, file)} {
		_, _, _, err := b.Load(t.Context(), key(1))
		requireClear(t, err, "damaged")
		_, err = b.Swap(t.Context(), key(1), nil, []byte("next"), time.Hour)
		requireClear(t, err, "damaged")
		requireClear(t, b.Each(t.Context(), func(session.ID, []byte) error { return nil }), "damaged")
		require.Equal(t, "record", load(t, b, key(2)))
	}
}

// requireClear requires an error of one line that contains nothing of a record.
func requireClear(t *testing.T, err error, part string) {
	t.Helper()
	require.ErrorContains(t, err, part)
	require.NotContains(t, err.Error(), "\n")
	require.NotContains(t, err.Error(), "secret")
	require.Equal(t, 1, strings.Count(err.Error(), "boltstore: "))
}

func Test_a_file_that_is_none_of_sessions_is_an_error(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sessions.bolt")
	for _, size := range []int{1, 100, 4095, 4096, 8192, 100_000} {
		content := make([]byte, size)
		rand.Read(content)
		require.NoError(t, os.WriteFile(file, content, 0o600))
		_, err := boltstore.Open(file)
		requireClear(t, err, "move it away")
		_, err = boltstore.Reach(t.Context(), file)
		requireClear(t, err, "move it away")
		after, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, content, after)
	}

	require.NoError(t, os.Remove(file))
	db, err := bbolt.Open(file, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("heroes")); return err }))
	require.NoError(t, db.Close())
	_, err = boltstore.Open(file)
	requireClear(t, err, "of another program")

	db, err = bbolt.Open(file, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte("records"))
		return errors.Join(err, tx.DeleteBucket([]byte("heroes")))
	}))
	require.NoError(t, db.Close())
	_, err = boltstore.Open(file)
	requireClear(t, err, "one of its two buckets is missing")

	_, err = boltstore.Open(t.TempDir())
	requireClear(t, err, "directory")
	_, err = boltstore.Open(filepath.Join(file, "below a file"))
	requireClear(t, err, "not a directory")
}

func Test_a_damaged_file_is_an_error_and_not_a_panic(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "sessions.bolt")
	b, err := boltstore.Open(file)
	require.NoError(t, err)
	for n := range 100 {
		require.NoError(t, b.Put(t.Context(), key(n), make([]byte, 1000), time.Hour))
	}
	require.NoError(t, b.Close())
	intact, err := os.ReadFile(file)
	require.NoError(t, err)
	page := os.Getpagesize()
	refused := 0
	try := func(what string, content []byte) {
		file := filepath.Join(folder, what)
		require.NoError(t, os.WriteFile(file, content, 0o600))
		b, err := boltstore.Open(file)
		if err == nil {
			_ = b.Each(t.Context(), func(session.ID, []byte) error { return nil })
			_, _, _, _ = b.Load(t.Context(), key(50))
			if err := b.Close(); err != nil { // the damage was met, and bbolt keeps its locks
				requireClear(t, err, "damaged")
			}
			return
		}
		requireClear(t, err, file)
		refused++
	}
	for n := 0; n*page < len(intact); n++ {
		content := append([]byte{}, intact...)
		for i := range page {
			content[n*page+i] = 0xa5
		}
		try(fmt.Sprint("page ", n), content)
	}
	for _, size := range []int{page, 2*page - 1, 2 * page, 3 * page, 5 * page} {
		try(fmt.Sprint("the first bytes ", size), intact[:size])
	}
	t.Logf("%d of %d refused", refused, len(intact)/page+5)
	require.NotZero(t, refused)
	require.Len(t, load(t, open(t, file), key(1)), 1000)
}

func Test_13_a_change_that_fails_takes_no_other_with_it(t *testing.T) {
	b, _ := fresh(t)
	require.NoError(t, b.Change(func(records, _ *bbolt.Bucket) error {
		k := key(0)
		return records.Put(k[:], []byte("damaged"))
	}))
	thaw, err := b.Hang()
	require.NoError(t, err)
	var wait sync.WaitGroup
	wait.Go(func() { _ = b.Put(t.Context(), key(100), []byte("the first is alone"), time.Hour) })
	time.Sleep(50 * time.Millisecond)
	errs := make([]error, 20)
	for n := range errs {
		wait.Go(func() { errs[n] = b.Put(t.Context(), key(n), []byte("record"), time.Hour) })
	}
	time.Sleep(100 * time.Millisecond) // they wait for the disk, and then share a transaction
	thaw()
	wait.Wait()
	requireClear(t, errs[0], "damaged")
	for n := 1; n < len(errs); n++ {
		require.NoError(t, errs[n])
		require.Equal(t, "record", load(t, b, key(n)))
	}
}
