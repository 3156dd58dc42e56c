package session

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
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

// expiryMargin is how much longer a record stays than the cookies, because their clocks may differ.
const expiryMargin = time.Hour

// newMark draws a mark.
func newMark() (m mark) {
	rand.Read(m[:])
	return m
}

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

// ended is the renewal mark of a session that has ended. No cookie contains it.
var ended = mark(bytes.Repeat([]byte{0xff}, len(mark{})))

// markTime is how long a mark stays: until the last cookie that was set before it has expired.
func (o Options) markTime() time.Duration { return o.Lifetime + expiryMargin }

// storeMark replaces a session's renewal mark, or reports false if another request came first.
func (s *Store) storeMark(ctx context.Context, h held, next mark) (record []byte, ok bool, err error) {
	record = encodeMark(next, s.options.markTime())
	ok, err = s.swap(ctx, h.id, h.record, record, s.options.markTime())
	return record, ok, err
}

// A generation is the mark that an owner's cookies must contain, in the record that was stored last.
// Every secret has its own; while secrets are exchanged, processes store different ones.
type generation struct {
	mark
	index   int      // which secret's hash it is under
	records [][]byte // under each
	ages    []time.Duration
}

// exists reports whether cookies must contain the mark.
func (g generation) exists() bool { return g.records[g.index] != nil }

func (s *Store) loadGeneration(ctx context.Context, name, owner string) (g generation, err error) {
	for i, hash := range s.keys.ownerHashes(name, owner) {
		m, age, record, err := s.loadMark(ctx, ID(hash))
		if err != nil {
			return g, err
		}
		g.records, g.ages = append(g.records, record), append(g.ages, age)
		if record == nil {
			continue
		}
		sameTime := age == g.ages[g.index] // then every process must choose the same one
		if !g.exists() || age < g.ages[g.index] || sameTime && bytes.Compare(m[:], g.mark[:]) > 0 {
			g.mark, g.index = m, i
		}
	}
	return g, nil
}

// spread stores the generation under each secret, so that it stays when a secret goes. If another
// one was stored meanwhile, spread leaves that alone.
func (s *Store) spread(ctx context.Context, name, owner string, g generation) error {
	for i, hash := range s.keys.ownerHashes(name, owner) {
		if record := g.records[g.index]; !bytes.Equal(g.records[i], record) {
			if _, err := s.swap(ctx, ID(hash), g.records[i], record, s.options.markTime()-g.ages[g.index]); err != nil {
				return err
			}
		}
	}
	return nil
}

// newGeneration ends all sessions of an owner.
func (s *Store) newGeneration(ctx context.Context, name, owner string) error {
	if s.options.Revoked == nil {
		return ErrNoBackend
	}
	record := encodeMark(newMark(), s.options.markTime())
	for _, hash := range s.keys.ownerHashes(name, owner) {
		if err := s.put(ctx, ID(hash), record, s.options.markTime()); err != nil {
			return err
		}
	}
	return nil
}

// replaceGeneration ends all sessions of an owner and returns the mark for the session that stays. The
// error is ErrConflict if that one has ended.
func (s *Store) replaceGeneration(ctx context.Context, name string, own visit) (next mark, err error) {
	if s.options.Revoked == nil {
		return next, ErrNoBackend
	}
	owner, has := own.held.owner, own.held.generation
	if own.signIn != nil {
		owner, has = own.signIn.owner, own.signIn.generation
	}
	if own.nextGeneration != (mark{}) {
		has = own.nextGeneration
	}
	g, err := s.loadGeneration(ctx, name, owner)
	if err != nil || g.exists() && g.mark != has {
		return next, cmp.Or(err, ErrConflict)
	}
	next = newMark()
	record := encodeMark(next, s.options.markTime())
	for i, hash := range s.keys.ownerHashes(name, owner) {
		ok, err := s.swap(ctx, ID(hash), g.records[i], record, s.options.markTime())
		if err != nil || !ok {
			return next, cmp.Or(err, ErrConflict)
		}
	}
	return next, nil
}

// revokeCookie ends the session in a cookie, whatever its renewal mark.
func (s *Store) revokeCookie(ctx context.Context, id ID) (bool, error) {
	if s.options.Revoked == nil {
		return false, ErrNoBackend
	}
	return true, s.put(ctx, id, encodeMark(ended, s.options.markTime()), s.options.markTime())
}

// checkRevoked returns h, or the reason why a cookie with h does not open. While secrets are exchanged,
// it also copies the owner's generation to the other secret.
func (k inCookie) checkRevoked(ctx context.Context, name string, h held) (held, Reason, error) {
	renewal, age, record, err := k.loadMark(ctx, h.id)
	if err != nil {
		return held{}, "", err
	}
	if record != nil && renewal != h.renewal {
		return k.replaced(h, age)
	}
	h.record = record
	if h.owner == "" {
		return h, "", nil
	}
	g, err := k.loadGeneration(ctx, name, h.owner)
	switch {
	case err != nil:
		return held{}, "", err
	case g.exists() && g.mark != h.generation:
		return k.replaced(h, g.ages[g.index])
	case g.exists():
		err = k.spread(ctx, name, h.owner, g)
	}
	return h, "", err
}

// replaced returns the result for a cookie whose mark was replaced that long ago.
func (k inCookie) replaced(h held, age time.Duration) (held, Reason, error) {
	if left := k.options.Grace - age; left > 0 {
		return held{content: content{id: h.id, grace: left}, at: h.at, value: h.value}, Replaced, nil
	}
	return held{}, Refused, nil
}

// enter looks up the owner's generation, so that it ends this session, too, if it is replaced.
func (k inCookie) enter(ctx context.Context, v *visit) error {
	if k.options.Revoked == nil {
		return nil
	}
	g, err := k.loadGeneration(ctx, v.session.Name(), v.signIn.owner)
	v.signIn.generation = g.mark
	return err
}

// endCopies makes copies of the cookie that the request brought useless if the plan ends or renews the
// session. Otherwise it checks that no other request has. The next cookie contains h.
func (k inCookie) endCopies(ctx context.Context, v *visit, p plan, h *held) (err error) {
	if k.options.Revoked == nil || v.brought != broughtLive {
		return nil
	}
	ok, reason := true, Reason("")
	switch {
	case p.end || h.id == (ID{}):
		_, ok, err = k.storeMark(ctx, v.held, ended) // true for each of two requests that end it: equal records may be swapped
	case p.save == renew:
		h.record, ok, err = k.storeMark(ctx, v.held, h.renewal)
	default:
		var now held
		now, reason, err = k.checkRevoked(ctx, v.session.Name(), v.held)
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
