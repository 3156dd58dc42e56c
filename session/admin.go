package session

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// ErrNoBackend reports that the sessions are in the visitors' cookies, where the server can
// neither list nor end them. New secrets end them all.
var ErrNoBackend = errors.New("session: the sessions are in the visitors' cookies; to end them all, change the secret")

// An Entry describes a session on a server. Nothing in it opens the session.
type Entry struct {
	ID      string    // as in Info
	Created time.Time // when it began
	LastUse time.Time // when it was last used, exact to half of the idle timeout
	Size    int       // bytes of its record
}

// Each calls f for every session with a cookie of that name, in any order, until f returns an
// error. It skips the records that it cannot open and returns their number: they are of another
// application or name, or under a secret that is not listed.
func (s *Store) Each(ctx context.Context, name string, f func(Entry) error) (unreadable int, err error) {
	if s.options.Backend == nil {
		return 0, ErrNoBackend
	}
	err = s.options.Backend.Each(ctx, func(key Key, record []byte) error {
		entry, ok := s.entry(name, key, record)
		switch {
		case ok:
			return f(entry)
		case !s.keys.ended(name, key, record):
			unreadable++
		}
		return nil
	})
	return unreadable, err
}

// entry describes a record, if it can be opened.
func (s *Store) entry(name string, key Key, record []byte) (e Entry, ok bool) {
	plain, _, err := s.keys.open(record, purpose(kindRecord, name, key[:]))
	if err != nil {
		return e, false
	}
	c, err := decodeContent(plain)
	return Entry{ID: key.String(), Created: c.created, LastUse: c.used, Size: len(record)}, err == nil
}

// Revoke ends the session with that ID and a cookie of that name, at once, in every process and
// regardless of requests in progress. It reports whether there was one. If the session has not
// been saved yet, Revoke keeps it from beginning for Options.Grace.
func (s *Store) Revoke(ctx context.Context, name, id string) (bool, error) {
	if s.options.Backend == nil {
		return false, ErrNoBackend
	}
	b, err := hex.DecodeString(id)
	if err != nil || len(b) != len(Key{}) {
		return false, fmt.Errorf("session: %q is not an ID, which has %d hexadecimal digits", id, 2*len(Key{}))
	}
	key := Key(b)
	record, expires, now, err := s.options.Backend.Load(ctx, key)
	if err != nil {
		return false, unavailable(err)
	}
	_, reason := s.openRecord(name, key, record, expires, now)
	if reason == Refused && record != nil { // another application's
		return false, nil
	}
	return reason == "", s.end(ctx, name, key) // also if its first save is still to come
}

// RevokeAll ends every session in the backend, of every name. A session that begins at that
// moment can survive.
func (s *Store) RevokeAll(ctx context.Context) error {
	if s.options.Backend == nil {
		return ErrNoBackend
	}
	return s.options.Backend.Clear(ctx)
}

// purgeBatch is how many records one step of a purge deletes, and purgePause how long the
// purge rests afterwards, so that it does not slow down pages.
const (
	purgeBatch = 500
	purgePause = 20 * time.Millisecond
)

// Purge deletes the expired records and returns their number. It calls progress, unless it is
// nil, with the number so far.
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

// PurgeEvery purges in each interval until ctx ends. Any number of processes may do so. In one
// that does so already, PurgeEvery returns at once.
func (s *Store) PurgeEvery(ctx context.Context, interval time.Duration) {
	if s.options.Backend == nil || !s.purging.CompareAndSwap(false, true) {
		return
	}
	defer s.purging.Store(false)
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		step, cancel := context.WithTimeout(ctx, interval) // if the server hangs, the next interval tries again
		if n, err := s.Purge(step, nil); err != nil && n == 0 && ctx.Err() == nil {
			s.options.OnEvent(ctx, Event{Kind: Unreachable, Err: err})
		}
		cancel()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
