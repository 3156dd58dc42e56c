package session

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// ErrNoBackend reports that the sessions are in the visitors' cookies. The server cannot list them,
// and can end them only with Options.Revoked. New secrets end them all.
var ErrNoBackend = errors.New("session: the sessions are in the visitors' cookies: to list them, keep them on a server; to end some, set Options.Revoked and call Revoke or RevokeOwner; to end them all, change the secret")

// An Entry describes a session on a server. Nothing in it opens the session.
type Entry struct {
	ID            string    // as in Info
	Created       time.Time // when it began
	LastUse       time.Time // when it was last used, exact to an hour, or to half of a shorter idle timeout
	Size          int       // bytes of its record
	Owner         string    // who is signed in; "" for nobody
	Authenticated time.Time // when the owner signed in; zero for nobody
	Note          string    // what the application noted at the sign-in
	Bound         bool      // to a device; see Options.DeviceProof
}

// describe describes a session whose record has that size.
func (c content) describe(size int) Entry {
	return Entry{ID: c.id.String(), Created: c.created, LastUse: c.used, Size: size, Owner: c.owner, Authenticated: c.when, Note: c.note, Bound: c.key != ""}
}

// Each calls f for every session with a cookie of that name, in any order, until f returns an
// error. It skips the records that it cannot open and returns their number: they belong to another
// application or cookie name, or were sealed with a secret that is not listed.
func (s *Store) Each(ctx context.Context, name string, f func(Entry) error) (unreadable int, err error) {
	s = s.latest.Load()
	if s.options.Backend == nil {
		return 0, ErrNoBackend
	}
	err = s.options.Backend.Each(ctx, func(id ID, record []byte) error {
		if len(record) > 0 && record[0] == 0 { // not sealed: Ping has tried whether it can write
			return nil
		}
		plain, _, err := s.keys.open(record, purpose(kindRecord, name, id[:]))
		c, damaged := decodeContent(plain)
		switch {
		case err == nil && damaged == nil && c.other > 0 && time.Since(c.used) > c.left():
			return nil // it has expired, but is kept because of the cookie that it was adopted from
		case err == nil && damaged == nil:
			return f(c.describe(len(record)))
		case !s.keys.ours(name, id, record):
			unreadable++
		}
		return nil
	})
	return unreadable, err
}

// Revoke ends the session with that ID and a cookie of that name, at once, in every process and
// regardless of requests in progress. It reports whether there was one. If the session has not been
// saved yet, Revoke prevents that for Options.Grace, and for a minute at least. With Options.Adopt,
// it prevents it for 400 days at least.
//
// It ends a session in a cookie if there is Options.Revoked, and then reports true for any ID,
// because the server does not know which IDs there are.
//
// An ID is not a permission. A handler in which visitors end sessions calls RevokeOwned.
func (s *Store) Revoke(ctx context.Context, name, id string) (bool, error) {
	s = s.latest.Load()
	sessionID, err := parseID(id)
	if err != nil {
		return false, err
	}
	if s.options.Backend == nil {
		return s.revokeCookie(ctx, sessionID)
	}
	h, reason, err := s.read(ctx, name, sessionID)
	if err != nil || reason == Refused && h.record != nil { // another application's
		return false, err
	}
	h.id = sessionID
	if err := s.end(ctx, name, h); err != nil { // also if its first save is still to come
		return false, err
	}
	s.dropFromIndex(ctx, name, h.owner, sessionID)
	return reason == "", nil
}

// parseID reads what ID.String returns.
func parseID(text string) (id ID, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(id) {
		return id, fmt.Errorf("session: %q is not an ID, which has %d hexadecimal digits", text, 2*len(id))
	}
	return ID(b), nil
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
	if s.server() == nil {
		return 0, ErrNoBackend
	}
	for {
		n, err := s.server().Purge(ctx, purgeBatch)
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

// PurgeEvery purges once in each interval until ctx ends. Any number of processes may do so. In one
// that does so already, PurgeEvery returns at once.
func (s *Store) PurgeEvery(ctx context.Context, interval time.Duration) {
	if s.server() == nil || !s.purging.CompareAndSwap(false, true) {
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
