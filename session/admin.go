package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// What an operator does with the sessions on a server. In cookies there is nothing
// to list or revoke: each of these is then ErrNoBackend.

// ErrNoBackend says that the sessions are in cookies, where a server has no hand
// on them. New secrets end them all.
var ErrNoBackend = errors.New("session: the sessions are in the visitors' cookies; to end them all, change the secret")

// An Entry describes a session on a server. Nothing in it opens one.
type Entry struct {
	ID      string    // the hash of its token, 64 hexadecimal digits
	Created time.Time // when it began, or was renewed
	LastUse time.Time // exact to half of the idle timeout
	Size    int       // bytes of its record
}

// Each calls f for every session with a cookie of that name, in any order, until f
// gives an error. Records of other names and under unknown secrets are passed over.
func (s *Store) Each(ctx context.Context, name string, f func(Entry) error) error {
	if s.options.Backend == nil {
		return ErrNoBackend
	}
	return s.options.Backend.Each(ctx, func(key Key, record []byte) error {
		plain, _, err := s.keys.open(record, recordData(kindSession, name, key))
		if err != nil {
			return nil
		}
		c, err := decodeContent(plain)
		if err != nil {
			return nil
		}
		return f(Entry{
			ID:      hex.EncodeToString(key[:]),
			Created: time.Unix(c.created, 0),
			LastUse: time.Unix(c.touched, 0),
			Size:    len(record),
		})
	})
}

// Revoke ends the session with that ID and a cookie of that name, at once and
// everywhere, also if it was renewed a moment ago; false if there is none.
func (s *Store) Revoke(ctx context.Context, name, id string) (bool, error) {
	if s.options.Backend == nil {
		return false, ErrNoBackend
	}
	key, err := hex.DecodeString(id)
	if err != nil || len(key) != len(Key{}) {
		return false, fmt.Errorf("session: %q is no ID: it has %d hexadecimal digits", id, 2*len(Key{}))
	}
	return s.end(ctx, name, place{key: Key(key)})
}

// RevokeAll ends every session in the backend, of every name. A session that is
// renewed at that moment can escape it, and with Options.FromCookies a cookie can come
// back; new secrets end these too.
func (s *Store) RevokeAll(ctx context.Context) error {
	if s.options.Backend == nil {
		return ErrNoBackend
	}
	return s.options.Backend.Clear(ctx)
}

// purgeBatch is how many records one step of a purge deletes, and purgePause how
// long it rests after it, so that pages are served as if there were none.
const (
	purgeBatch = 500
	purgePause = 20 * time.Millisecond
)

// Purge deletes what has expired and gives its number. It calls progress, which may
// be nil, with the number so far.
func (s *Store) Purge(ctx context.Context, progress func(deleted int)) (deleted int, err error) {
	if s.options.Backend == nil {
		return 0, ErrNoBackend
	}
	for {
		n, err := s.options.Backend.Purge(ctx, purgeBatch)
		deleted += n
		if err != nil || n < purgeBatch {
			return deleted, err
		}
		if progress != nil {
			progress(deleted)
		}
		select {
		case <-ctx.Done():
			return deleted, ctx.Err()
		case <-time.After(purgePause):
		}
	}
}

// leaseKey is where the processes agree on who purges.
var leaseKey = Key(sha256.Sum256([]byte("session: lease of the purge")))

// PurgeEvery purges until ctx ends. Of all processes that share the backend one
// purges in each interval: the one that takes the lease.
func (s *Store) PurgeEvery(ctx context.Context, interval time.Duration) {
	if s.options.Backend == nil {
		return
	}
	lease := make([]byte, 32)
	rand.Read(lease)
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		err := s.purgeOnce(ctx, lease, interval)
		if err != nil && ctx.Err() == nil {
			s.emit(ctx, Event{Kind: Unreachable, Err: err})
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Store) purgeOnce(ctx context.Context, lease []byte, interval time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, interval) // a database that hangs is tried again
	defer cancel()
	taken, err := s.options.Backend.Swap(ctx, leaseKey, nil, lease, time.Now().Add(interval*9/10))
	if err == nil && taken {
		_, err = s.Purge(ctx, nil)
	}
	return err
}
