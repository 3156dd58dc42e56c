package session

import (
	"context"
	"net/http"
	"time"

	"github.com/gorilla/sessions"
)

// RevokeOwner and RevokeOthers also apply to sessions that can still be adopted. Such sessions are not in the
// Backend. So the Backend remembers when the owner's sessions were revoked: it stores an end mark for each
// secret, under an ID that no session has. For sessions in cookies, the age of the owner's generation shows
// when.

// refusalIDs returns the IDs of an owner's end marks. No cookie's name begins with a NUL.
func (s *Store) refusalIDs(name, owner string) []OwnerHash {
	return s.keys.ownerHashes("\x00"+name, owner)
}

// refuseEarlier prevents the adoption of any session that the owner signed in to before this call.
func (s *Store) refuseEarlier(ctx context.Context, name, owner string) error {
	if len(s.options.Adopt) == 0 {
		return nil
	}
	for _, id := range s.refusalIDs(name, owner) {
		if err := s.end(ctx, name, held{content: content{id: ID(id), other: longestCookie}}); err != nil {
			return err
		}
	}
	return nil
}

// refusedSince reports whether refuseEarlier was called after the session's owner had signed in.
func (s *Store) refusedSince(ctx context.Context, name string, h held) (bool, error) {
	for _, id := range s.refusalIDs(name, h.owner) {
		end, _, err := s.read(ctx, name, ID(id))
		if err != nil {
			return false, err
		}
		if since := max(longestCookie, s.options.Grace) - end.other; end.over && since <= h.after(time.Since(h.at)).age {
			return true, nil
		}
	}
	return false, nil
}

// enterAdopted adds an adopted session to its owner's index, under the secrets of this process. If the
// session is not stored yet, a concurrent revocation either finds the entry, or has called refuseEarlier
// before. It reports false in the second case. A stored session needs no check: a revocation would have
// ended it, or has spared it.
func (s *Store) enterAdopted(ctx context.Context, v *visit, latest held) (bool, error) {
	name := v.session.Name()
	if err := s.addToIndex(ctx, name, v.held.owner, v.held.id); err != nil || latest.record != nil || !v.adopting() {
		return err == nil, err
	}
	refused, err := s.refusedSince(ctx, name, v.held)
	return !refused, err
}

// prepareRevokeOthers calls refuseEarlier for the owner of the visitor's session, unless that session has
// ended. A session that is still being adopted is stored first: otherwise refuseEarlier would refuse it, too.
// It returns v as it is afterwards.
func (s *Store) prepareRevokeOthers(ctx context.Context, r *http.Request, own *sessions.Session, v visit) (visit, error) {
	if len(s.options.Adopt) == 0 {
		return v, nil
	}
	if v.adopting() && v.owner() == v.held.owner {
		adopted := v
		adopted.signIn, adopted.intent = nil, wantKeep
		stored, err := s.keeper.save(ctx, &adopted, plan{save: write}, v.held.values)
		if err != nil {
			return v, err
		}
		if stored.values != v.held.values { // merged with another request's: saving this one merges again
			stored.values, stored.record = v.held.values, nil
		}
		v.held, v.adoption.candidates = stored, nil
		if err := s.change(r, own, func(v *visit) error {
			v.held, v.adoption.candidates = stored, nil
			v.emit(ctx, Event{Kind: Adopted})
			return nil
		}); err != nil {
			return v, err
		}
	}
	if err := s.stillOpen(ctx, own.Name(), v); err != nil {
		return v, err
	}
	return v, s.refuseEarlier(ctx, own.Name(), v.owner())
}
