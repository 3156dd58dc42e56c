package session

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// ErrTooMany reports that the owner has as many sessions as Options.MaxPerOwner allows, and that
// Options.KeepOldest refuses another one.
var ErrTooMany = errors.New("session: the owner is signed in with as many sessions as are allowed: sign out of one first")

// A limit is a record that names an owner's sessions, the oldest first. A new session takes a place only
// after the session that held it has ended. Each sign-in replaces the record in one atomic step, so
// that two cannot take the same place.
type limit struct {
	id     ID
	record []byte // what the backend stores; nil: nothing
	ids    []ID
}

// admit adds the session to those that the owner is allowed. If there are too many, it ends the
// oldest or, unless the owner signs in again in the same session, returns ErrTooMany.
func (k onServer) admit(ctx context.Context, v *visit) error {
	if k.options.MaxPerOwner == 0 || v.refused() {
		return nil
	}
	name, owner, id := v.session.Name(), v.signIn.owner, v.id()
	again := v.held.owner == owner && v.held.id == id
	hashes := k.keys.ownerHashes(name, owner)
	release, err := k.turn(ctx, ID(hashes[0]))
	if err != nil {
		return err
	}
	defer release()
	for end := time.Now().Add(commitTime); time.Now().Before(end); {
		l, err := k.loadLimit(ctx, name, hashes)
		if err == nil {
			l.ids, err = k.living(ctx, name, owner, l.ids)
		}
		if err != nil {
			return err
		}
		l.ids = slices.DeleteFunc(l.ids, func(other ID) bool { return other == id })
		for len(l.ids) >= k.options.MaxPerOwner && !(again && k.options.KeepOldest) {
			if k.options.KeepOldest {
				return ErrTooMany
			}
			if _, err := k.revoke(ctx, name, owner, indexEntry{Owned: Owned{ID: l.ids[0]}}); err != nil {
				return err
			}
			l.ids = l.ids[1:]
		}
		if ok, err := k.storeLimit(ctx, name, l, id); ok || err != nil {
			return err
		}
	}
	return ErrContended
}

// loadLimit returns the owner's limit, which is empty if there is none yet. It is stored under the owner's first hash, which no
// session has. It also names the sessions of the limits under the other hashes, from before the secrets were rotated.
func (k onServer) loadLimit(ctx context.Context, name string, hashes []OwnerHash) (l limit, err error) {
	ctx, cancel := limited(ctx, loadTime)
	defer cancel()
	for _, hash := range slices.Backward(hashes) {
		l.id = ID(hash)
		if l.record, _, _, err = k.options.Backend.Load(ctx, l.id); err != nil {
			return limit{}, unavailable(err)
		}
		plain, _, _ := k.keys.open(l.record, purpose(kindLimit, name, l.id[:]))
		for ; len(plain) >= len(ID{}); plain = plain[len(ID{}):] {
			if id := ID([]byte(plain)); !slices.Contains(l.ids, id) {
				l.ids = append(l.ids, id)
			}
		}
	}
	return l, nil
}

// storeLimit replaces the limit by one that names the session as the newest. It reports false if
// another request came first.
func (k onServer) storeLimit(ctx context.Context, name string, l limit, id ID) (bool, error) {
	var plain []byte
	for _, id := range append(l.ids, id) {
		plain = append(plain, id[:]...)
	}
	next := k.keys.seal(plain, purpose(kindLimit, name, l.id[:]))
	ok, err := k.swap(ctx, l.id, l.record, next, k.options.indexTTL())
	if _, lost := err.(lostReply); lost {
		return false, nil // the next try shows whether it was stored
	}
	return ok, err
}

// living returns the owner's sessions, the oldest first: those that the limit names, unless they have
// ended, and others, such as from before there was a limit. A session that is about to be saved counts
// if the limit names it. If both lists are shorter than MaxPerOwner, living reads no session and returns
// those that the limit names.
func (k onServer) living(ctx context.Context, name, owner string, named []ID) ([]ID, error) {
	owned, err := k.indexEntries(ctx, name, owner)
	if err != nil || len(owned) < k.options.MaxPerOwner && len(named) < k.options.MaxPerOwner {
		return named, err
	}
	var mu sync.Mutex
	var alive []indexEntry
	err = atOnce(ctx, owned, func(e indexEntry) error {
		h, reason, err := k.read(ctx, name, e.ID)
		switch theirs := reason == "" && h.owner == owner; {
		case err != nil:
			return err
		case theirs || slices.Contains(named, e.ID) && !e.orphan(h, reason):
			mu.Lock()
			defer mu.Unlock()
			alive = append(alive, e)
		case e.orphan(h, reason):
			_ = k.removeFromIndex(ctx, name, owner, e.ID, e.Expires)
		}
		return nil
	})
	slices.SortFunc(alive, func(a, b indexEntry) int {
		return cmp.Or(cmp.Compare(slices.Index(named, a.ID), slices.Index(named, b.ID)), a.Expires.Compare(b.Expires))
	})
	ids := make([]ID, len(alive))
	for i, e := range alive {
		ids[i] = e.ID
	}
	return ids, err
}
