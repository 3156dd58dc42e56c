package session

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
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
	err = atOnce(ctx, owned, func(e Owned) error {
		h, reason, err := s.read(ctx, name, e.ID)
		switch {
		case err != nil:
			return err
		case reason == "" && h.owner == owner:
			mu.Lock()
			defer mu.Unlock()
			list = append(list, h.entry(len(h.record)))
		case s.orphan(e, h, reason):
			_ = s.remove(ctx, name, owner, e.ID, e.Left)
		}
		return nil
	})
	slices.SortFunc(list, func(a, b Entry) int {
		return cmp.Or(b.LastUse.Compare(a.LastUse), cmp.Compare(a.ID, b.ID))
	})
	return list, err
}

// orphan reports whether an entry of the index belongs to no session and is too old to belong to one
// that is about to be saved. A record that this process cannot open may be a session.
func (s *Store) orphan(e Owned, h held, reason Reason) bool {
	unreadable := reason == Refused && h.record != nil
	return !unreadable && s.options.entryTime()-e.Left > enterTime
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
		_, err := s.newGeneration(ctx, name, owner)
		return 0, err
	}
	return s.revokeOwned(ctx, name, owner, ID{})
}

// RevokeOthers ends all sessions of the session's owner except for this one (OWASP ASVS 5.0, 7.4.3).
// It does so at once, even if the request fails later. See RevokeOwner for the result. The error is
// ErrNobody if nobody is signed in.
func (s *Store) RevokeOthers(r *http.Request, session *sessions.Session) (ended int, err error) {
	err = s.change(r, session, func(v *visit) error {
		owner, name := v.owner(), session.Name()
		ctx := context.WithoutCancel(r.Context()) // a visitor who leaves does not stop it
		switch {
		case v.err != nil:
			return v.err
		case v.brought == broughtReplaced && owner == "":
			return ErrConflict
		case owner == "":
			return ErrNobody
		case s.options.Backend == nil: // this session, too, needs a new cookie
			v.others, err = s.newGeneration(ctx, name, owner)
			v.intent = max(v.intent, wantRenew)
		default:
			ended, err = s.revokeOwned(ctx, name, owner, v.id())
		}
		return err
	})
	return ended, err
}

// revokeOwned ends the owner's sessions except for one.
func (s *Store) revokeOwned(ctx context.Context, name, owner string, except ID) (ended int, err error) {
	owned, err := s.owned(ctx, name, owner)
	if err != nil {
		return 0, err
	}
	var mu sync.Mutex
	err = atOnce(ctx, owned, func(e Owned) error {
		if e.ID == except {
			return nil
		}
		was, err := s.revoke(ctx, name, owner, e.ID)
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
// it ends as well; another owner's does not. While the end mark is there, such a session cannot be
// saved, and afterwards it is not in the index any more, which its sign-in notices.
//
// The session ends first: if this process dies in between, the index still has it.
func (s *Store) revoke(ctx context.Context, name, owner string, id ID) (was bool, err error) {
	for again := true; again; {
		start := time.Now()
		h, reason, err := s.read(ctx, name, id)
		if err != nil {
			return was, err
		}
		if h.owner == "" || h.owner == owner {
			was = was || reason == "" && h.owner == owner
			if err := s.end(ctx, name, id); err != nil {
				return was, err
			}
		}
		if err := s.remove(ctx, name, owner, id, forever); err != nil {
			return was, err
		}
		again = time.Since(start) > s.options.Grace // the mark may have expired before the entry was removed
	}
	return was, nil
}

// owned returns the entries of the owner's sessions, under every secret.
func (s *Store) owned(ctx context.Context, name, owner string) ([]Owned, error) {
	if s.options.Backend == nil {
		return nil, ErrNoBackend
	}
	ctx, cancel := limited(ctx, loadTime)
	defer cancel()
	all := map[ID]Owned{}
	for _, hash := range s.keys.owner(name, owner) {
		entries, err := s.options.Backend.Owned(ctx, hash)
		if err != nil {
			return nil, unavailable(err)
		}
		for _, e := range entries {
			e.Left = max(e.Left, all[e.ID].Left)
			all[e.ID] = e
		}
	}
	list := make([]Owned, 0, len(all))
	for _, e := range all {
		list = append(list, e)
	}
	return list, nil
}

// workers is how many sessions of an owner are read or ended at once.
const workers = 8

// atOnce calls f for each entry, some at once, until one returns an error or ctx ends.
func atOnce(ctx context.Context, entries []Owned, f func(Owned) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	next := make(chan Owned)
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
