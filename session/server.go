package session

import (
	"bytes"
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"heroes/session/internal/values"
)

const (
	loadTime   = time.Second // the longest that a page waits for its session
	commitTime = time.Second // the longest that it waits for a write, or for its turn to write

	// maxTries bounds how often a request retries while others change its session. The pauses
	// between tries double.
	maxTries   = 8
	firstPause = time.Millisecond
)

// onServer keeps sessions in a Backend, and a token in the cookie. A session is one record under
// one key for its whole life. Saving replaces the record that the request read. If another
// request came first, saving merges the changes and tries again. Ending a session puts an end
// mark in the record's place.
type onServer struct {
	*Store
	turns *[64]turns // one request of this process at a time retries; sessions share their turns by ID
}

// turns are taken by one request after another.
type turns struct {
	taken   chan struct{}
	waiting atomic.Int32
}

// maxWaiting is the most requests that wait for a turn. Any more fail at once, so that one session cannot tie up
// the server.
const maxWaiting = 16

func newOnServer(s *Store) onServer {
	k := onServer{s, new([64]turns)}
	for i := range k.turns {
		k.turns[i].taken = make(chan struct{}, 1)
	}
	return k
}

func unavailable(err error) error {
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// limited returns a context for one step. It ends after limit, but not when the visitor leaves.
func limited(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), limit)
}

func (k onServer) load(ctx context.Context, name, value string) (held, Reason, error) {
	token, err := decodeText(value)
	if err != nil || len(token) != selectorSize+verifierSize {
		return held{}, Refused, nil
	}
	return k.match(ctx, name, identityOf(token))
}

// match reads the session of these identities, which have the same ID.
func (k onServer) match(ctx context.Context, name string, as ...identity) (held, Reason, error) {
	h, reason, err := k.read(ctx, name, as[0].id)
	h.value = as[0].token
	if err != nil || reason != "" {
		return h, reason, err
	}
	for _, a := range as {
		if subtle.ConstantTimeCompare(h.verifier[:], a.verifier[:]) == 1 {
			h.value = a.token
			return h, "", nil
		}
	}
	if h.grace <= 0 {
		return held{record: h.record}, Refused, nil
	}
	h.values = "" // out of reach for this token
	return h, Replaced, nil
}

func (k onServer) findAdopted(ctx context.Context, name string, h held, as []identity) (held, Reason, error) {
	there, reason, err := k.match(ctx, name, as...)
	if err != nil || reason == "" || there.record != nil {
		return there, reason, err
	}
	if h.owner != "" {
		if refused, err := k.refusedSince(ctx, name, h); err != nil || refused {
			return held{}, Refused, err
		}
	}
	h.id, h.verifier, h.value = as[0].id, as[0].verifier, as[0].token
	return h, "", nil
}

// read loads and opens a session's record, whatever its verifier.
func (s *Store) read(ctx context.Context, name string, id ID) (held, Reason, error) {
	ctx, cancel := limited(ctx, loadTime)
	defer cancel()
	at := time.Now() // taken before the backend reads its clock, so that the session gains no time
	record, expires, now, err := s.options.Backend.Load(ctx, id)
	if err != nil {
		return held{}, "", unavailable(err)
	}
	h, reason := s.openRecord(name, id, record, expires, now)
	if latest := s.latest.Load(); reason == Refused && !h.over && latest != s { // another request may have sealed it under secrets that were set since
		h, reason = latest.openRecord(name, id, record, expires, now)
		h.newer = reason == ""
	}
	h.at = at
	return h, reason, nil
}

// openRecord opens a record and computes what time the session has left by the backend's clock.
// The record that begins a lifetime, with the session or a sign-in, contains only how long it is; its
// expiry shows when it was written. Later records contain when the lifetime ends, when the owner signed in
// and from when on a bound session needs a proof, so that even slow writes change none of these.
func (s *Store) openRecord(name string, id ID, record []byte, expires, now time.Time) (held, Reason) {
	plain, secret, err := s.keys.open(record, purpose(kindRecord, name, id[:]))
	if err != nil {
		return s.openEndMark(name, id, record, expires, now)
	}
	c, err := decodeContent(plain)
	if err != nil {
		return held{record: record}, Refused
	}
	written := expires.Add(-c.ttl())
	if c.ends.IsZero() {
		c.ends = written.Add(c.lifetime)
	}
	if c.owner != "" && c.since.IsZero() {
		c.since = written.Add(-c.age)
	}
	h := held{content: c.after(max(0, now.Sub(written))), record: record, secret: secret}
	h.lifetime, h.unused = c.ends.Sub(now), now.Sub(written)
	if c.key == "" {
		h.required = now.Add(s.options.Grace) // counted from the request that binds it
	} else if !c.required.IsZero() {
		h.optional = max(0, c.required.Sub(now))
	}
	if c.owner != "" {
		h.age = now.Sub(c.since)
	}
	h.cap(s.options)
	h.ends = now.Add(h.lifetime)
	return h, h.reason()
}

// openEndMark opens a record that contains no session.
func (s *Store) openEndMark(name string, id ID, record []byte, expires, now time.Time) (held, Reason) {
	longer, ended := s.keys.ended(name, id, record)
	if !ended {
		return held{record: record}, Refused
	}
	h := held{content: content{id: id, other: expires.Sub(now)}, record: record, over: true}
	if h.grace = h.other - longer; h.grace > 0 {
		return h, Replaced
	}
	return h, Refused
}

func (k onServer) check(v *visit, _ plan, _ string) error {
	return checkCookie(v.newCookie(held{}))
}

func (k onServer) save(ctx context.Context, v *visit, p plan, encoded string) (h held, err error) {
	if err := k.check(v, p, encoded); err != nil {
		return held{}, err
	}
	if v.signIn.late() {
		return held{}, ErrConflict
	}
	name := v.session.Name()
	if p.end {
		if err := k.end(ctx, name, v.held); err != nil {
			return held{}, err
		}
		k.dropFromIndex(ctx, name, v.held.owner, v.held.id)
	}
	switch {
	case p.save == none:
		return held{}, nil
	case p.end || v.brought != broughtLive && p.save != renew:
		h, err = k.create(ctx, v, p, encoded)
	default:
		h, err = k.update(ctx, v, p, encoded)
	}
	if err != nil && p.end {
		v.emit(ctx, Event{Kind: Destroyed, ID: v.held.id.String()})
	}
	return h, err
}

// create writes the first record of a session. If the reply is lost, create does not send the
// record again: a second copy could arrive after the session has ended, and bring it back.
func (k onServer) create(ctx context.Context, v *visit, p plan, encoded string) (held, error) {
	now, as := time.Now(), v.fresh()
	h := held{content: v.content(p, now), at: now, value: as.token}
	h.verifier, h.values = as.verifier, encoded
	v.offerIfDue(&h)
	if v.signIn != nil {
		if err := k.addAgain(ctx, v, h.id); err != nil {
			return held{}, err
		}
	}
	k.sealRecord(v.session.Name(), &h)

	step, cancel := limited(ctx, commitTime)
	defer cancel()
	created, err := k.options.Backend.Swap(step, h.id, nil, h.record, h.ttl())
	if err != nil {
		there, _, _, lost := k.options.Backend.Load(step, h.id)
		if created = bytes.Equal(there, h.record); !created || lost != nil {
			v.next = identity{} // the record may still arrive, so the next try needs a new identity
			if v.signIn != nil {
				v.signIn.began = time.Time{} // only the old one is in the index, so the visitor has to sign in again
			}
			return held{}, unavailable(err)
		}
	}
	if !created { // it was revoked before its first save
		return held{}, ErrConflict
	}
	return h, nil
}

// update saves this request's changes on top of those that other requests have saved. If the
// plan says so, it also replaces the token.
func (k onServer) update(ctx context.Context, v *visit, p plan, encoded string) (held, error) {
	as := identity{token: v.held.value, verifier: v.held.verifier}
	if p.save == renew {
		selector, _ := strict.DecodeString(v.held.value)
		as = newIdentity(selector[:selectorSize])
	}
	latest := k.latest.Load().keeper.(onServer) // what came first may be sealed under secrets that were set meanwhile
	if v.brought == broughtReplaced {
		return latest.tryAgain(ctx, v, as, encoded, nil)
	}
	first := k
	if v.held.newer {
		first = latest
	}
	h, ok, err := first.try(ctx, v, v.held, as, encoded)
	if p.save == touch && !ok { // the request that came first has touched it, and an outage will show in the next request
		return held{}, errDropped
	}
	if _, lost := err.(lostReply); !ok && (err == nil || lost) {
		h, err = latest.tryAgain(ctx, v, as, encoded, err)
	}
	if p.drop && statusOf(err) == http.StatusConflict {
		err = errDropped
	}
	return h, err
}

// tryAgain retries after another request came first. The requests of one process take turns, so
// that only processes contend. If a reply was lost, the change may have been saved even though a
// conflict follows; tryAgain then returns the lost reply instead of the conflict.
func (k onServer) tryAgain(ctx context.Context, v *visit, as identity, encoded string, lost error) (held, error) {
	release, err := k.turn(ctx, v.held.id)
	if err != nil {
		return held{}, cmp.Or(lost, err)
	}
	defer release()
	for n := range maxTries {
		time.Sleep(rand.N(firstPause << n))
		latest, reason, err := k.read(ctx, v.session.Name(), v.held.id)
		if err != nil {
			return held{}, err
		}
		for _, d := range v.adoption.candidates { // a process whose newest secret is another one has stored it
			if latest.verifier == d.verifier {
				if as.verifier == v.held.verifier { // no renewal
					as = d
				}
				v.held.verifier = d.verifier
			}
		}
		same := latest.verifier == v.held.verifier || latest.verifier == as.verifier
		if reason != "" || !same && !v.continues(latest) {
			return held{}, cmp.Or(lost, ErrConflict)
		}
		if !v.deviceAllows(latest) { // it was bound while this request was in progress
			return held{}, cmp.Or(lost, ErrUnproven)
		}
		h, ok, err := k.try(ctx, v, latest, as, encoded)
		if reply, again := err.(lostReply); again {
			lost, err = reply, nil
		}
		if ok || err != nil {
			return h, err
		}
	}
	return held{}, cmp.Or(lost, ErrContended)
}

// try replaces latest with its successor, which has this request's changes and the token of as.
// It returns the zero held if nothing is left.
func (k onServer) try(ctx context.Context, v *visit, latest held, as identity, encoded string) (held, bool, error) {
	h, now := latest, time.Now()
	if latest.key == "" {
		latest.required = v.held.required // also after other requests came first
	}
	h.content, h.at, h.value = v.updated(latest.touched(k.options, now)), now, as.token
	if as.verifier != latest.verifier {
		h.verifier, h.grace = as.verifier, k.options.Grace
	}
	h.values = values.Merge(latest.values, v.held.values, encoded)
	if len(h.values) > k.options.MaxValues { // another request may have added a flash
		h.values = values.WithoutFlash(h.values)
	}
	if len(h.values) > k.options.MaxValues {
		return held{}, false, &TooLargeError{Limit: k.options.MaxValues}
	}
	if h.values != encoded { // merged
		if _, err := values.Decode(h.values); err != nil {
			return held{}, false, fmt.Errorf("session: another process has stored a type that this one does not know: %w", err)
		}
	}
	if h.values == "" && h.owner == "" {
		mark, ttl := k.endMark(v.session.Name(), h)
		ok, err := k.swap(ctx, h.id, latest.record, mark, ttl)
		return held{}, ok, err
	}
	v.offerIfDue(&h)
	if v.adoption.cookieDue && v.signIn == nil && h.owner != "" {
		if entered, err := k.enterAdopted(ctx, v, latest); err != nil || !entered {
			return held{}, false, err
		}
	}
	if v.signIn != nil {
		if err := k.addAgain(ctx, v, h.id); err != nil {
			return held{}, false, err
		}
	} else if latest.secret > 0 && latest.owner != "" { // before it is sealed under the newest secret
		if err := k.addToIndex(ctx, v.session.Name(), h.owner, h.id); err != nil {
			return held{}, false, err
		}
	}
	k.sealRecord(v.session.Name(), &h)
	ok, err := k.swap(ctx, h.id, latest.record, h.record, h.ttl())
	return h, ok, err
}

// turn waits until it is this request's turn to change the session again.
func (k onServer) turn(ctx context.Context, id ID) (release func(), err error) {
	ctx, cancel := limited(ctx, commitTime)
	defer cancel()
	turn := &k.turns[int(id[0])%len(k.turns)]
	defer turn.waiting.Add(-1)
	if turn.waiting.Add(1) > maxWaiting {
		return nil, ErrContended
	}
	select {
	case turn.taken <- struct{}{}:
		return func() { <-turn.taken }, nil
	case <-ctx.Done():
		return nil, ErrContended
	}
}

// sealRecord sets h's record. It rounds h's durations to whole milliseconds, as they are sealed.
func (s *Store) sealRecord(name string, h *held) {
	h.content = h.after(0)
	h.record = s.keys.seal(h.encode(), purpose(kindRecord, name, h.id[:]))
	h.secret, h.longer, h.unused, h.newer = 0, false, 0, false
}

// A lostReply is the error of a swap that may have succeeded before another request replaced
// its record.
type lostReply struct{ error }

func (l lostReply) Unwrap() error { return l.error }

// swap replaces a session's record. After an error it tries once more: if only the reply was
// lost, the backend finds the new record already there.
func (s *Store) swap(ctx context.Context, id ID, old, next []byte, ttl time.Duration) (bool, error) {
	ctx, cancel := limited(ctx, commitTime)
	defer cancel()
	ok, err := s.server().Swap(ctx, id, old, next, ttl)
	if err == nil {
		return ok, nil
	}
	lost := err
	if ok, err = s.server().Swap(ctx, id, old, next, ttl); err != nil {
		return false, unavailable(err)
	}
	if !ok {
		return false, lostReply{unavailable(lost)}
	}
	return true, nil
}

// twice calls f, and once more after an error. The change that f makes can be repeated.
func twice(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := limited(ctx, commitTime)
	defer cancel()
	if f(ctx) == nil {
		return nil
	}
	if err := f(ctx); err != nil {
		return unavailable(err)
	}
	return nil
}

// put stores a record, whatever is there.
func (s *Store) put(ctx context.Context, id ID, next []byte, ttl time.Duration) error {
	return twice(ctx, func(ctx context.Context) error { return s.server().Put(ctx, id, next, ttl) })
}

// end puts an end mark in the session's place, regardless of concurrent changes. It can be
// repeated: no ID is ever used again.
func (s *Store) end(ctx context.Context, name string, h held) error {
	mark, ttl := s.endMark(name, h)
	return s.put(ctx, h.id, mark, ttl)
}

// endMark returns the record that stands for a session that has ended, and how long it is stored: for
// Options.Grace, until a sign-in that is in progress is too late and, if the session was adopted from another
// system's cookie, until nobody can adopt that cookie again. It contains only how much longer than Grace that is. Of a
// session that was not opened, the last of these times is not known.
func (s *Store) endMark(name string, h held) (record []byte, ttl time.Duration) {
	ttl = max(s.options.Grace, pendingTime, h.other)
	if len(s.options.Adopt) > 0 && h.verifier == (verifierHash{}) && h.other == 0 {
		ttl = max(ttl, longestCookie)
	}
	plain := binary.AppendUvarint(nil, uint64((ttl - s.options.Grace).Milliseconds()))
	return s.keys.seal(plain, purpose(kindEnd, name, h.id[:])), ttl
}
