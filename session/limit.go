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

// A limit is a record that names an owner's sessions, the oldest first. A session that is not
// named must have ended before another one takes its place. Each sign-in replaces the record in
// one atomic step, so that two cannot take the same place.
type limit struct {
	id     ID
	record []byte // what the backend stores; nil: nothing
	ids    []ID
}

// admit adds the session to those that the owner is allowed. If there are too many, it ends the
// oldest or, unless the owner signs in again in the same session, returns ErrTooMany.
func (k onServer) admit(ctx context.Context, name, owner string, id ID, again bool) error {
	hashes := k.keys.owner(name, owner)
	at := ID(hashes[0])
	release, err := k.turn(ctx, at)
	if err != nil {
		return err
	}
	defer release()
	for end := time.Now().Add(commitTime); time.Now().Before(end); {
		l, err := k.loadLimit(ctx, name, owner, at)
		if err != nil {
			return err
		}
		l.ids = slices.DeleteFunc(l.ids, func(other ID) bool { return other == id })
		if len(l.ids) >= k.options.MaxPerOwner && l.record != nil {
			if l.ids, err = k.living(ctx, name, owner, l.ids, true); err != nil {
				return err
			}
		}
		for len(l.ids) >= k.options.MaxPerOwner && !(again && k.options.KeepOldest) {
			if k.options.KeepOldest {
				return ErrTooMany
			}
			if _, err := k.revoke(ctx, name, owner, l.ids[0]); err != nil {
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

// loadLimit returns the owner's limit. If there is none yet, all of the owner's sessions count.
func (k onServer) loadLimit(ctx context.Context, name, owner string, at ID) (limit, error) {
	step, cancel := limited(ctx, loadTime)
	defer cancel()
	record, _, _, err := k.options.Backend.Load(step, at)
	if err != nil {
		return limit{}, unavailable(err)
	}
	l := limit{id: at, record: record}
	if plain, _, err := k.keys.open(record, purpose(kindLimit, name, at[:])); err == nil {
		for ; len(plain) >= len(ID{}); plain = plain[len(ID{}):] {
			l.ids = append(l.ids, ID([]byte(plain)))
		}
		return l, nil
	}
	owned, err := k.owned(ctx, name, owner)
	if err != nil {
		return l, err
	}
	slices.SortFunc(owned, func(a, b Owned) int { return cmp.Compare(a.Left, b.Left) })
	for _, e := range owned {
		l.ids = append(l.ids, e.ID)
	}
	l.ids, err = k.living(ctx, name, owner, l.ids, false)
	return l, err
}

// storeLimit replaces the limit by one that names the session as the newest. It reports false if
// another request came first.
func (k onServer) storeLimit(ctx context.Context, name string, l limit, id ID) (bool, error) {
	var plain []byte
	for _, id := range append(l.ids, id) {
		plain = append(plain, id[:]...)
	}
	next := k.keys.seal(plain, purpose(kindLimit, name, l.id[:]))
	ok, err := k.swap(ctx, l.id, l.record, next, k.options.entryTime())
	if _, lost := err.(lostReply); lost {
		return false, nil // the next try shows whether it was stored
	}
	return ok, err
}

// living returns those of the sessions that have not ended. A session that is about to be saved
// counts only if it was admitted.
func (k onServer) living(ctx context.Context, name, owner string, ids []ID, admitted bool) ([]ID, error) {
	owned, err := k.owned(ctx, name, owner)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	alive := map[ID]bool{}
	err = atOnce(ctx, slices.DeleteFunc(owned, func(e Owned) bool { return !slices.Contains(ids, e.ID) }), func(e Owned) error {
		h, reason, err := k.read(ctx, name, e.ID)
		if reason == "" && h.owner == owner || admitted && !k.orphan(e, h, reason) {
			mu.Lock()
			defer mu.Unlock()
			alive[e.ID] = true
		}
		return err
	})
	return slices.DeleteFunc(ids, func(id ID) bool { return !alive[id] }), err
}
