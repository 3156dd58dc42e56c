package session

import (
	"context"
	"encoding/binary"
	"time"
)

// Options.Revoked contains two kinds of records, for sessions in cookies:
//
//   - Under a session's ID is the renewal mark that its cookie must contain. Renew stores a new one, and
//     Destroy and Revoke one that no cookie contains.
//   - Under an owner's hash is the generation that the cookies of its sessions must contain.
//     Revoking the owner stores a new one.
//
// Without a record, every mark is valid. A record stays until the cookies with other marks have
// expired. It is not sealed: a mark is of no use without the cookie in which it is sealed, and
// records stay valid when secrets change.

// expiryMargin is how much longer a record stays than the cookies, whose time other clocks measure.
const expiryMargin = time.Hour

func encodeMark(m mark, ttl time.Duration) []byte {
	return binary.BigEndian.AppendUint64(m[:], uint64(ttl.Milliseconds()))
}

// loadMark returns the mark that cookies must contain, how long ago it was stored, and its record. The
// record is nil if there is none.
func (s *Store) loadMark(ctx context.Context, id ID) (m mark, age time.Duration, record []byte, err error) {
	ctx, cancel := limited(ctx, loadTime)
	defer cancel()
	record, expires, now, err := s.options.Revoked.Load(ctx, id)
	if err != nil {
		return m, 0, nil, unavailable(err)
	}
	if len(record) == len(m)+8 {
		ttl := time.Duration(binary.BigEndian.Uint64(record[len(m):])) * time.Millisecond
		age = ttl - expires.Sub(now)
	}
	copy(m[:], record)
	return m, age, record, nil
}

// storeMark replaces a session's renewal mark, or reports false if another request came first.
func (s *Store) storeMark(ctx context.Context, h held, next mark, lifetime time.Duration) (record []byte, ok bool, err error) {
	ttl := lifetime + expiryMargin
	record = encodeMark(next, ttl)
	ok, err = s.swap(ctx, h.id, h.record, record, ttl)
	return record, ok, err
}

// loadGeneration returns the generation that the owner's cookies must contain, and whether they
// must. The oldest secret counts: every process has it while secrets are exchanged.
func (s *Store) loadGeneration(ctx context.Context, name, owner string) (m mark, must bool, err error) {
	hashes := s.keys.owner(name, owner)
	for i := len(hashes) - 1; i >= 0 && !must && err == nil; i-- {
		var record []byte
		m, _, record, err = s.loadMark(ctx, ID(hashes[i]))
		must = record != nil
	}
	return m, must, err
}

// newGeneration ends all sessions of an owner.
func (s *Store) newGeneration(ctx context.Context, name, owner string) (mark, error) {
	if s.options.Revoked == nil {
		return mark{}, ErrNoBackend
	}
	m, ttl := newMark(), s.options.Lifetime+expiryMargin
	for _, hash := range s.keys.owner(name, owner) {
		if err := s.put(ctx, ID(hash), encodeMark(m, ttl), ttl); err != nil {
			return mark{}, err
		}
	}
	return m, nil
}

// revokeCookie ends the session in a cookie, whatever its renewal mark.
func (s *Store) revokeCookie(ctx context.Context, id ID) (bool, error) {
	if s.options.Revoked == nil {
		return false, ErrNoBackend
	}
	ttl := s.options.Lifetime + expiryMargin
	return true, s.put(ctx, id, encodeMark(newMark(), ttl), ttl)
}

// valid returns why a session that a cookie contains was revoked, or "" if it was not.
func (k inCookie) valid(ctx context.Context, name string, h held) (held, Reason, error) {
	renewal, age, record, err := k.loadMark(ctx, h.id)
	if err != nil {
		return held{}, "", err
	}
	if record != nil && renewal != h.renewal {
		if left := k.options.Grace - age; left > 0 {
			return held{content: content{id: h.id, grace: left}, at: h.at, value: h.value}, Replaced, nil
		}
		return held{}, Refused, nil
	}
	if h.owner != "" {
		if generation, must, err := k.loadGeneration(ctx, name, h.owner); err != nil || must && generation != h.generation {
			return held{}, Refused, err
		}
	}
	h.record = record
	return h, "", nil
}

// enter looks up the owner's generation, so that it ends this session, too, if it is replaced.
func (k inCookie) enter(ctx context.Context, v *visit) (err error) {
	if k.options.Revoked != nil {
		v.signIn.generation, _, err = k.loadGeneration(ctx, v.session.Name(), v.signIn.owner)
	}
	return err
}

// revoke makes copies of the cookie that the request brought useless if the plan ends or renews the
// session. Otherwise it makes sure that nobody has done so meanwhile. The next cookie contains h.
func (k inCookie) revoke(ctx context.Context, v *visit, p plan, h *held) (err error) {
	if k.options.Revoked == nil || v.brought != broughtLive {
		return nil
	}
	ok, reason := true, Reason("")
	switch {
	case p.end || h.id == (ID{}):
		_, _, err = k.storeMark(ctx, v.held, newMark(), v.held.lifetime) // if another request came first, this cookie is useless already
	case p.save == renew:
		h.record, ok, err = k.storeMark(ctx, v.held, h.renewal, h.lifetime)
	default:
		var now held
		now, reason, err = k.valid(ctx, v.session.Name(), v.held)
		h.record = now.record
	}
	switch {
	case err != nil || ok && reason == "":
		return err
	case v.signIn != nil: // the other request may have signed in as well: begin a session of its own
		h.id, h.renewal, h.record = v.fresh().id, mark{}, nil
		return nil
	}
	return ErrConflict
}
