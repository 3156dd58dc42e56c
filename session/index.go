package session

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/sessions"
)

// ErrNobody reports that nobody is signed in.
var ErrNobody = errors.New("session: nobody is signed in")

// Sessions returns the owner's sessions with a cookie of that name, the most recently used first (OWASP
// ASVS 5.0, 7.5.2). It reads up to eight of them at a time.
// Sessions in cookies are not known to the server: the list is empty, and the error ErrNoBackend.
func (s *Store) Sessions(ctx context.Context, name, owner string) ([]Entry, error) {
	s = s.latest.Load()
	owned, err := s.indexEntries(ctx, name, owner)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var list []Entry
	err = atOnce(ctx, owned, func(e indexEntry) error {
		h, reason, err := s.read(ctx, name, e.ID)
		switch {
		case err != nil:
			return err
		case reason == "" && h.owner == owner:
			mu.Lock()
			defer mu.Unlock()
			list = append(list, h.describe(len(h.record)))
		case e.orphan(h, reason):
			_ = s.removeFromIndex(ctx, name, owner, e.ID, e.Expires)
		}
		return nil
	})
	slices.SortFunc(list, func(a, b Entry) int {
		return cmp.Or(b.LastUse.Compare(a.LastUse), cmp.Compare(a.ID, b.ID))
	})
	return list, err
}

// An indexEntry is an entry of the index, with its age.
type indexEntry struct {
	Owned
	age time.Duration // since it was added
}

// orphan reports whether the entry belongs to a session that has ended, or to none and is too old to
// belong to one that is about to be saved. A record that this process cannot open may be a session.
func (e indexEntry) orphan(h held, reason Reason) bool {
	unreadable := reason == Refused && h.record != nil
	return h.over || !unreadable && e.age > pendingTime
}

// RevokeOwned ends one of the owner's sessions, by its ID, and reports whether the owner has such a
// session. It is for handlers: an ID alone is not a permission to end a session. The error is
// ErrNoBackend for sessions in cookies, because the server cannot tell whose an ID is.
func (s *Store) RevokeOwned(ctx context.Context, name, owner, id string) (bool, error) {
	s = s.latest.Load()
	if s.options.Backend == nil {
		return false, ErrNoBackend
	}
	sessionID, err := parseID(id)
	if err != nil {
		return false, nil
	}
	h, reason, err := s.read(ctx, name, sessionID)
	if err != nil || reason != "" || owner == "" || h.owner != owner {
		return false, err
	}
	if err := s.end(ctx, name, h); err != nil {
		return false, err
	}
	s.dropFromIndex(ctx, name, owner, sessionID)
	return true, nil
}

// RevokeOwner ends all sessions of the owner with a cookie of that name, also those that are
// being renewed or signed in at that moment (OWASP ASVS 5.0, 7.4.2 and 7.4.5). It returns how many it
// has ended. For sessions in cookies that is 0, because they cannot be counted, and it needs
// Options.Revoked: otherwise the error is ErrNoBackend. After any other error some sessions may not have
// ended: call it again.
func (s *Store) RevokeOwner(ctx context.Context, name, owner string) (ended int, err error) {
	s = s.latest.Load()
	if s.options.Backend == nil {
		return 0, s.newGeneration(ctx, name, owner)
	}
	if err := s.refuseEarlier(ctx, name, owner); err != nil {
		return 0, err
	}
	owned, err := s.indexEntries(ctx, name, owner)
	if err != nil {
		return 0, err
	}
	return s.revokeEach(ctx, name, owner, owned)
}

// RevokeOthers ends all sessions of the session's owner except for this one (OWASP ASVS 5.0, 7.4.3).
// It does so at once, even if the request fails later; a session in a cookie then ends with the
// others. See RevokeOwner for the result. The error is also ErrNobody if nobody is signed in, and
// ErrConflict if this session has ended or was renewed meanwhile: then no other has ended.
func (s *Store) RevokeOthers(r *http.Request, session *sessions.Session) (ended int, err error) {
	var own visit // as it is now: others may use the request's sessions while this one waits
	if err := s.change(r, session, func(v *visit) error {
		own = *v
		return v.err
	}); err != nil {
		return 0, err
	}
	s = own.store                                                                       // with the secrets that the request began with
	ctx, name, owner := context.WithoutCancel(r.Context()), session.Name(), own.owner() // a visitor who leaves does not stop it
	switch {
	case owner == "" && own.brought == broughtReplaced:
		return 0, ErrConflict
	case owner == "" && own.brought == broughtUnproven, own.brought == broughtLive && !own.deviceAllows(own.held):
		return 0, ErrUnproven
	case owner == "":
		return 0, ErrNobody
	case s.options.Backend == nil:
		next, err := s.replaceGeneration(ctx, name, own)
		if err != nil {
			return 0, err
		}
		return 0, s.change(r, session, func(v *visit) error { // this session needs a new cookie, too
			v.nextGeneration, v.intent = next, max(v.intent, wantRenew)
			return nil
		})
	}
	if own, err = s.prepareRevokeOthers(ctx, r, session, own); err != nil {
		return 0, err
	}
	owned, err := s.indexEntries(ctx, name, owner)
	if err == nil {
		err = s.stillOpen(ctx, name, own) // after the list was read: what it contains is older than any end of this session
	}
	if err != nil {
		return 0, err
	}
	return s.revokeEach(ctx, name, owner, slices.DeleteFunc(owned, func(e indexEntry) bool { return e.ID == own.id() }))
}

// stillOpen returns ErrConflict if the visitor's session has ended or was renewed since it was read, or if its
// sign-in was overtaken by a revocation.
func (s *Store) stillOpen(ctx context.Context, name string, own visit) error {
	id := own.id()
	h, _, err := s.read(ctx, name, id)
	switch {
	case err != nil:
		return err
	case h.over, own.signIn.late():
		return ErrConflict
	case h.record == nil && (id != own.held.id || own.held.record == nil): // it is not saved yet
		return nil
	case h.verifier != own.held.verifier && !own.continues(h), !own.deviceAllows(h):
		return ErrConflict
	}
	return nil
}

// revokeEach ends these sessions of the owner, and returns how many there were.
func (s *Store) revokeEach(ctx context.Context, name, owner string, owned []indexEntry) (ended int, err error) {
	var mu sync.Mutex
	err = atOnce(ctx, owned, func(e indexEntry) error {
		was, err := s.revoke(ctx, name, owner, e)
		if was {
			mu.Lock()
			defer mu.Unlock()
			ended++
		}
		return err
	})
	return ended, err
}

// revoke ends one of the owner's sessions and then removes it from the index. It reports whether there was one. A sign-in to
// the session may still be in progress. So revoke also ends a session that is not saved yet, or that nobody has signed in to
// yet: the end mark stays until it is too late to save it. A session of another owner is left alone, and so is one whose
// sign-in would be too late by now.
//
// The session ends first: if this process dies in between, the index still has it.
func (s *Store) revoke(ctx context.Context, name, owner string, e indexEntry) (was bool, err error) {
	h, reason, err := s.read(ctx, name, e.ID)
	if err != nil {
		return false, err
	}
	if reason == "" && h.owner != owner && (h.owner != "" || e.age > pendingTime) {
		return false, s.removeFromIndex(ctx, name, owner, e.ID, e.Expires)
	}
	h.id = e.ID
	if err := s.end(ctx, name, h); err != nil {
		return false, err
	}
	return reason == "" && h.owner == owner, s.removeFromIndex(ctx, name, owner, e.ID, always)
}

// indexEntries returns the entries of the owner's sessions, under every secret.
func (s *Store) indexEntries(ctx context.Context, name, owner string) ([]indexEntry, error) {
	if s.options.Backend == nil {
		return nil, ErrNoBackend
	}
	ctx, cancel := limited(ctx, loadTime)
	defer cancel()
	all := map[ID]indexEntry{}
	for _, hash := range s.keys.ownerHashes(name, owner) {
		owned, now, err := s.options.Backend.Owned(ctx, hash)
		if err != nil {
			return nil, unavailable(err)
		}
		for _, o := range owned {
			if o.Expires.After(all[o.ID].Expires) {
				all[o.ID] = indexEntry{o, s.options.indexTTL() - o.Expires.Sub(now)}
			}
		}
	}
	return slices.Collect(maps.Values(all)), nil
}

// workers is how many sessions of an owner are read or ended at once.
const workers = 8

// atOnce calls f for each entry, some at once, until one returns an error or ctx ends.
func atOnce(ctx context.Context, entries []indexEntry, f func(indexEntry) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	next := make(chan indexEntry)
	var wait sync.WaitGroup
	for range min(workers, len(entries)) {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for e := range next {
				if err := f(e); err != nil {
					stop(err)
				}
			}
		}()
	}
	for _, e := range entries {
		select {
		case next <- e:
		case <-ctx.Done():
		}
	}
	close(next)
	wait.Wait()
	return context.Cause(ctx)
}

// pendingTime is how long the index keeps an entry without a session, which may be about to be
// saved. It is much longer than a commit takes.
const pendingTime = time.Minute

// indexTTL is how long an entry stays in the index: longer than any session, whose lifetime begins
// somewhat later.
func (o Options) indexTTL() time.Duration { return o.Lifetime + expiryMargin }

// addToIndex adds the session to its owner's, under each secret, so that a process that does not have the
// newest secret yet finds it.
func (s *Store) addToIndex(ctx context.Context, name, owner string, id ID) error {
	for _, hash := range s.keys.ownerHashes(name, owner) {
		if err := twice(ctx, func(ctx context.Context) error {
			return s.options.Backend.AddOwned(ctx, hash, id, s.options.indexTTL())
		}); err != nil {
			return err
		}
	}
	return nil
}

// addAgain adds a session to its owner's once more, directly before its sign-in is saved: a process with a longer
// Options.Lifetime may have taken the entry for an old one, or the secrets may have changed.
func (s *Store) addAgain(ctx context.Context, v *visit, id ID) error {
	return s.addToIndex(ctx, v.session.Name(), v.signIn.owner, id)
}

// always is later than any entry expires.
var always = time.UnixMilli(math.MaxInt64)

// removeFromIndex removes the session from its owner's if its entries expire at that time or earlier.
func (s *Store) removeFromIndex(ctx context.Context, name, owner string, id ID, expires time.Time) error {
	for _, hash := range s.keys.ownerHashes(name, owner) {
		if err := twice(ctx, func(ctx context.Context) error { return s.options.Backend.RemoveOwned(ctx, hash, id, expires) }); err != nil {
			return err
		}
	}
	return nil
}

// dropFromIndex removes a session that has ended from its owner's. If that fails, the entry is found
// later to belong to no session.
func (s *Store) dropFromIndex(ctx context.Context, name, owner string, id ID) {
	if owner != "" {
		_ = s.removeFromIndex(ctx, name, owner, id, always)
	}
}
