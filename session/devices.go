package session

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/sessions"
)

// ErrNobody reports that nobody is signed in.
var ErrNobody = errors.New("session: nobody is signed in")

// Sessions returns the sessions of an owner with a cookie of that name, the one that was used last
// first (OWASP ASVS 5.0, 7.5.2). It takes one round trip per session, some of them at once.
// Sessions in cookies are not known to the server: the list is empty, and the error ErrNoBackend.
func (s *Store) Sessions(ctx context.Context, name, owner string) ([]Entry, error) {
	owned, err := s.owned(ctx, name, owner)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var list []Entry
	err = atOnce(ctx, owned, func(e entry) error {
		h, reason, err := s.read(ctx, name, e.ID)
		switch {
		case err != nil:
			return err
		case reason == "" && h.owner == owner:
			mu.Lock()
			defer mu.Unlock()
			list = append(list, h.entry(len(h.record)))
		case e.orphan(h, reason):
			_ = s.remove(ctx, name, owner, e.ID, e.Expires)
		}
		return nil
	})
	slices.SortFunc(list, func(a, b Entry) int {
		return cmp.Or(b.LastUse.Compare(a.LastUse), cmp.Compare(a.ID, b.ID))
	})
	return list, err
}

// An entry is an Owned that the index had at a moment.
type entry struct {
	Owned
	age time.Duration // since it was added
}

// orphan reports whether the entry belongs to no session and is too old to belong to one
// that is about to be saved. A record that this process cannot open may be a session.
func (e entry) orphan(h held, reason Reason) bool {
	unreadable := reason == Refused && h.record != nil
	return !unreadable && e.age > enterTime
}

// RevokeOwned ends one of the owner's sessions, by its ID, and reports whether the owner has such a
// session. It is for handlers: an ID alone is not a permission to end a session.
func (s *Store) RevokeOwned(ctx context.Context, name, owner, id string) (bool, error) {
	if s.options.Backend == nil {
		return false, ErrNoBackend
	}
	key, err := parseID(id)
	if err != nil {
		return false, nil
	}
	h, reason, err := s.read(ctx, name, key)
	if err != nil || reason != "" || owner == "" || h.owner != owner {
		return false, err
	}
	if err := s.end(ctx, name, key); err != nil {
		return false, err
	}
	s.disown(ctx, name, owner, key)
	return true, nil
}

// RevokeOwner ends all sessions of the owner with a cookie of that name, also those that are
// being renewed or signed in at that moment (OWASP ASVS 5.0, 7.4.2 and 7.4.5). It returns how many it
// has ended, or 0 for sessions in cookies, which nobody counts. For these it needs Options.Revoked;
// otherwise the error is ErrNoBackend. After any other error some sessions may not have ended: call
// it again.
func (s *Store) RevokeOwner(ctx context.Context, name, owner string) (ended int, err error) {
	if s.options.Backend == nil {
		return 0, s.newGeneration(ctx, name, owner)
	}
	owned, err := s.owned(ctx, name, owner)
	if err != nil {
		return 0, err
	}
	return s.revokeAll(ctx, name, owner, owned)
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
	ctx, name, owner := context.WithoutCancel(r.Context()), session.Name(), own.owner() // a visitor who leaves does not stop it
	switch {
	case owner == "" && own.brought == broughtReplaced:
		return 0, ErrConflict
	case owner == "":
		return 0, ErrNobody
	case s.options.Backend == nil:
		next, err := s.replaceGeneration(ctx, name, own)
		if err != nil {
			return 0, err
		}
		return 0, s.change(r, session, func(v *visit) error { // this session needs a new cookie, too
			v.others, v.intent = next, max(v.intent, wantRenew)
			return nil
		})
	}
	owned, err := s.owned(ctx, name, owner)
	if err == nil {
		err = s.stillOpen(ctx, name, own) // after the list was read: what it contains is older than any end of this session
	}
	if err != nil {
		return 0, err
	}
	return s.revokeAll(ctx, name, owner, slices.DeleteFunc(owned, func(e entry) bool { return e.ID == own.id() }))
}

// stillOpen returns ErrConflict if the visitor's session has ended or was renewed since it was read, or if its
// sign-in was overtaken by a revocation.
func (s *Store) stillOpen(ctx context.Context, name string, own visit) error {
	there, err := false, error(nil)
	if own.signIn != nil {
		there, err = s.owns(ctx, name, own.signIn.owner, own.id())
	} else {
		var h held
		h, _, err = s.read(ctx, name, own.held.id)
		there = h.verifier == own.held.verifier
	}
	if err == nil && !there {
		err = ErrConflict
	}
	return err
}

// revokeAll ends these sessions of the owner, and returns how many there were.
func (s *Store) revokeAll(ctx context.Context, name, owner string, owned []entry) (ended int, err error) {
	var mu sync.Mutex
	err = atOnce(ctx, owned, func(e entry) error {
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

// revoke ends one of the owner's sessions and then removes it from the index. It reports whether
// there was one. A session that nobody has signed in to yet may be about to become the owner's, so
// it ends as well, unless its entry is too old for that; another owner's does not end. While the end
// mark is there, such a session cannot be saved, and afterwards it is not in the index any more, which
// its sign-in notices.
//
// The session ends first: if this process dies in between, the index still has it.
func (s *Store) revoke(ctx context.Context, name, owner string, e entry) (was bool, err error) {
	for again := true; again; {
		start := time.Now()
		h, reason, err := s.read(ctx, name, e.ID)
		if err != nil {
			return was, err
		}
		theirs := reason == "" && h.owner == owner
		was = was || theirs
		if !theirs && e.orphan(h, reason) {
			return was, s.remove(ctx, name, owner, e.ID, e.Expires)
		}
		if h.owner == "" || h.owner == owner {
			if err := s.end(ctx, name, e.ID); err != nil {
				return was, err
			}
		}
		if err := s.remove(ctx, name, owner, e.ID, always); err != nil {
			return was, err
		}
		again = time.Since(start) > s.options.Grace // the mark may have expired before the entry was removed
	}
	return was, nil
}

// owned returns the entries of the owner's sessions, under every secret.
func (s *Store) owned(ctx context.Context, name, owner string) ([]entry, error) {
	if s.options.Backend == nil {
		return nil, ErrNoBackend
	}
	ctx, cancel := limited(ctx, loadTime)
	defer cancel()
	all := map[ID]entry{}
	for _, hash := range s.keys.owner(name, owner) {
		owned, now, err := s.options.Backend.Owned(ctx, hash)
		if err != nil {
			return nil, unavailable(err)
		}
		for _, o := range owned {
			if o.Expires.After(all[o.ID].Expires) {
				all[o.ID] = entry{o, s.options.entryTime() - o.Expires.Sub(now)}
			}
		}
	}
	return slices.Collect(maps.Values(all)), nil
}

// workers is how many sessions of an owner are read or ended at once.
const workers = 8

// atOnce calls f for each entry, some at once, until one returns an error or ctx ends.
func atOnce(ctx context.Context, entries []entry, f func(entry) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	next := make(chan entry)
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

// newMark draws a mark.
func newMark() (m mark) {
	rand.Read(m[:])
	return m
}
