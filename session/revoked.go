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

// longestCookie is how long browsers keep a cookie at most (RFC 6265bis, section 5.5).
const longestCookie = 400 * 24 * time.Hour

// newMark draws a mark.
func newMark() (m mark) {
	rand.Read(m[:])
	return m
}

// A stamp is a mark in a record. Of two stamps for an owner, the one with the greater number counts.
type stamp struct {
	number uint64 // 0 for a session
	mark
}

// less reports whether t takes precedence over s.
func (s stamp) less(t stamp) bool {
	return s.number < t.number || s.number == t.number && bytes.Compare(s.mark[:], t.mark[:]) < 0
}

// encode returns the record, which is stored for ttl.
func (s stamp) encode(ttl time.Duration) []byte {
	b := append(binary.BigEndian.AppendUint64(nil, s.number), s.mark[:]...)
	return binary.BigEndian.AppendUint64(b, uint64(ttl.Milliseconds()))
}

// loadStamp returns what is stored, how long ago it was, and its record, which is nil if there is none.
func (s *Store) loadStamp(ctx context.Context, id ID) (t stamp, age time.Duration, record []byte, err error) {
	ctx, cancel := limited(ctx, loadTime)
	defer cancel()
	record, expires, now, err := s.options.Revoked.Load(ctx, id)
	if err != nil {
		return t, 0, nil, unavailable(err)
	}
	if len(record) == len(t.encode(0)) {
		t.number = binary.BigEndian.Uint64(record)
		copy(t.mark[:], record[8:])
		ttl := time.Duration(binary.BigEndian.Uint64(record[8+len(t.mark):])) * time.Millisecond
		age = ttl - expires.Sub(now)
	}
	return t, age, record, nil
}

// ended is the renewal mark of a session that has ended. No cookie contains it.
var ended = mark(bytes.Repeat([]byte{0xff}, len(mark{})))

// markTime is how long a mark stays: until the last cookie that was set before it, here or by a system
// whose sessions are adopted, has expired.
func (o Options) markTime() time.Duration {
	if len(o.Adopt) > 0 {
		return max(o.Lifetime, longestCookie) + expiryMargin
	}
	return o.Lifetime + expiryMargin
}

// storeMark replaces a session's renewal mark, or reports false if another request came first.
func (s *Store) storeMark(ctx context.Context, h held, next mark) (record []byte, ok bool, err error) {
	ttl := max(s.options.Lifetime+expiryMargin, h.other)
	record = stamp{mark: next}.encode(ttl)
	ok, err = s.swap(ctx, h.id, h.record, record, ttl)
	return record, ok, err
}

// A generation is the stamp whose mark an owner's cookies must contain. There is a record of it under
// each secret. While secrets are exchanged, processes that have different ones store different stamps.
type generation struct {
	stamp
	exists  bool
	age     time.Duration
	stamps  []stamp  // under each secret
	records [][]byte // nil: there is none
}

func (s *Store) loadGeneration(ctx context.Context, name, owner string) (g generation, err error) {
	for _, hash := range s.keys.ownerHashes(name, owner) {
		t, age, record, err := s.loadStamp(ctx, ID(hash))
		if err != nil {
			return g, err
		}
		g.stamps, g.records = append(g.stamps, t), append(g.records, record)
		if record != nil && (!g.exists || g.stamp.less(t)) {
			g.stamp, g.age, g.exists = t, age, true
		}
	}
	return g, nil
}

// raise makes sure that t, or a stamp that takes precedence over it, is stored. age is that of t.
func (s *Store) raise(ctx context.Context, id ID, t stamp, age time.Duration) error {
	if age >= s.options.markTime() {
		return nil
	}
	for range maxTries {
		there, _, record, err := s.loadStamp(ctx, id)
		if err != nil || record != nil && !there.less(t) {
			return err
		}
		ttl := s.options.markTime()
		ok, err := s.swap(ctx, id, record, t.encode(ttl), ttl-age)
		if _, lost := err.(lostReply); ok || err != nil && !lost {
			return err
		}
	}
	return ErrContended
}

// spread stores the generation under the secrets that have an older one, so that it survives when
// the others are removed.
func (s *Store) spread(ctx context.Context, name, owner string, g generation) error {
	for i, hash := range s.keys.ownerHashes(name, owner) {
		if g.stamps[i] != g.stamp {
			if err := s.raise(ctx, ID(hash), g.stamp, g.age); err != nil {
				return err
			}
		}
	}
	return nil
}

// newGeneration ends all sessions of an owner. It counts rather than what replaceGeneration stores at the
// same time.
func (s *Store) newGeneration(ctx context.Context, name, owner string) error {
	if s.options.Revoked == nil {
		return ErrNoBackend
	}
	g, err := s.loadGeneration(ctx, name, owner)
	if err != nil {
		return err
	}
	g.stamp, g.age = stamp{g.number + 2, newMark()}, 0
	return s.spread(ctx, name, owner, g)
}

// replaceGeneration ends all sessions of an owner and returns the mark for the session that stays. The
// error is ErrConflict if that one has ended or was renewed; then nothing is stored.
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
	if err != nil || g.exists && g.mark != has {
		return next, cmp.Or(err, ErrConflict)
	}
	if own.brought == broughtLive {
		if t, _, record, err := s.loadStamp(ctx, own.held.id); err != nil || record != nil && t.mark != own.held.renewal {
			return next, cmp.Or(err, ErrConflict)
		}
	}
	g.stamp, g.age = stamp{g.number + 1, newMark()}, 0
	first := ID(s.keys.ownerHashes(name, owner)[0])
	ok, err := s.swap(ctx, first, g.records[0], g.encode(s.options.markTime()), s.options.markTime())
	if err != nil || !ok {
		return next, cmp.Or(err, ErrConflict)
	}
	return g.mark, s.spread(ctx, name, owner, g)
}

// revokeCookie ends the session in a cookie, whatever its renewal mark.
func (s *Store) revokeCookie(ctx context.Context, id ID) (bool, error) {
	if s.options.Revoked == nil {
		return false, ErrNoBackend
	}
	return true, s.put(ctx, id, stamp{mark: ended}.encode(s.options.markTime()), s.options.markTime())
}

func (k inCookie) findAdopted(ctx context.Context, name string, h held, as []identity) (held, Reason, error) {
	h.id = as[0].id
	if k.options.Revoked == nil {
		return h, "", nil
	}
	t, age, record, err := k.loadStamp(ctx, h.id)
	if err != nil {
		return held{}, "", err
	}
	if record != nil {
		return k.replaced(h, record, age, t.mark == ended)
	}
	if h.owner == "" {
		return h, "", nil
	}
	g, err := k.loadGeneration(ctx, name, h.owner)
	if err == nil && g.exists && g.age <= h.after(time.Since(h.at)).age { // the owner's sessions were revoked after they signed in
		return held{}, Refused, nil
	}
	h.generation = g.mark
	return h, "", err
}

// checkRevoked returns h, or the reason why a cookie with h does not open. While secrets are exchanged,
// it also copies the owner's generation to the other secret.
func (k inCookie) checkRevoked(ctx context.Context, name string, h held) (held, Reason, error) {
	t, age, record, err := k.loadStamp(ctx, h.id)
	if err != nil {
		return held{}, "", err
	}
	if record != nil && t.mark != h.renewal {
		return k.replaced(h, record, age, t.mark == ended)
	}
	h.record = record
	if h.owner == "" {
		return h, "", nil
	}
	g, err := k.loadGeneration(ctx, name, h.owner)
	switch {
	case err != nil:
		return held{}, "", err
	case g.exists && g.mark != h.generation:
		return k.replaced(h, record, g.age, true)
	case g.exists:
		err = k.spread(ctx, name, h.owner, g)
	}
	return h, "", err
}

// replaced returns the result for a cookie whose mark was replaced that long ago, because the session was
// renewed or is over.
func (k inCookie) replaced(h held, record []byte, age time.Duration, over bool) (held, Reason, error) {
	if left := k.options.Grace - age; left > 0 {
		return held{content: content{id: h.id, grace: left, other: h.other}, at: h.at, value: h.value, record: record, over: over}, Replaced, nil
	}
	return held{}, Refused, nil
}

// enter looks up the owner's generation, so that replacing it also ends this session.
func (k inCookie) enter(ctx context.Context, v *visit) error {
	if k.options.Revoked == nil {
		return nil
	}
	g, err := k.loadGeneration(ctx, v.session.Name(), v.signIn.owner)
	v.signIn.generation = g.mark
	return err
}

// admit has nothing to do: nobody counts sessions in cookies.
func (inCookie) admit(context.Context, *visit) error { return nil }

// endCopies invalidates copies of the request's cookie if the plan ends or renews the session.
// Otherwise it checks that no other request has done so. h is the content of the next cookie.
func (k inCookie) endCopies(ctx context.Context, v *visit, p plan, h *held) (err error) {
	switch {
	case k.options.Revoked == nil:
		return nil
	case v.brought == broughtReplaced && p.end && !v.held.over:
		return ErrConflict // this cookie cannot end the session that it was renewed to
	case v.brought != broughtLive && !(p.end && (v.brought == broughtReplaced || v.brought == broughtUnproven)):
		return nil
	}
	ok, reason := true, Reason("")
	switch {
	case p.end || h.id == (ID{}):
		if _, ok, err = k.storeMark(ctx, v.held, ended); !ok && err == nil { // another request may have ended it, too
			var t stamp
			t, _, _, err = k.loadStamp(ctx, v.held.id)
			ok = t.mark == ended
		}
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
	case v.signIn != nil && h.key == "": // the other request may have signed in as well: begin a session of its own
		h.id, h.renewal, h.record = v.fresh().id, mark{}, nil
		return nil
	}
	return ErrConflict
}
