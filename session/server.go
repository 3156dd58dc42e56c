package session

import (
	"bytes"
	"context"
	"crypto/subtle"
	"fmt"
	"math/rand/v2"
	"time"

	"heroes/session/internal/values"
)

const (
	loadTime   = time.Second // the longest that a page waits for its session
	commitTime = time.Second // and then for a round trip that saves it; or for its turn

	// maxTries and firstPause bound what a session that many requests change at once costs one of
	// them. The pauses double, up to half a second in all.
	maxTries   = 9
	firstPause = 2 * time.Millisecond
)

// onServer keeps sessions in a Backend, and a token in the cookie. A session is one record
// under one key from its first save to its end. Saving replaces the record that was read; if
// another request came first, the changes are merged and saving starts again. Ending it puts
// an end mark in the record's place.
type onServer struct{ *Store }

func unavailable(err error) error {
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// within limits a step's time. A visitor who leaves does not stop it halfway.
func within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), limit)
}

func (k onServer) load(ctx context.Context, name, value string) (held, Reason, error) {
	token, err := decodeText(value)
	if err != nil || len(token) != selectorSize+verifierSize {
		return held{}, Refused, nil
	}
	as := identityOf(token)
	h, reason, err := k.read(ctx, name, as.id)
	if err != nil || reason != "" {
		return h, reason, err
	}
	if subtle.ConstantTimeCompare(h.verifier[:], as.verifier[:]) == 0 {
		if h.grace <= 0 {
			return held{}, Refused, nil
		}
		return held{content: content{id: as.id, grace: h.grace}, at: h.at}, Replaced, nil
	}
	h.value = value
	return h, "", nil
}

// read loads and opens a session's record, whatever its verifier.
func (k onServer) read(ctx context.Context, name string, id Key) (held, Reason, error) {
	ctx, cancel := within(ctx, loadTime)
	defer cancel()
	at := time.Now() // before the backend measures what is left, so that no time is gained
	record, left, err := k.options.Backend.Load(ctx, id)
	if err != nil {
		return held{}, "", unavailable(err)
	}
	h, reason := k.open(name, id, record, left)
	h.at = at
	return h, reason, nil
}

func (k onServer) open(name string, id Key, record []byte, left time.Duration) (held, Reason) {
	plain, secret, err := k.keys.open(record, purpose(kindRecord, name, id[:]))
	if err != nil {
		if _, _, err := k.keys.open(record, purpose(kindEnd, name, id[:])); err == nil {
			return held{content: content{id: id, grace: left}}, Replaced
		}
		return held{}, Refused
	}
	c, err := decodeContent(plain)
	if err != nil {
		return held{}, Refused
	}
	c = c.after(max(0, c.left()-left)).within(k.options)
	return held{content: c, record: record, secret: secret, size: len(record)}, c.reason()
}

func (k onServer) check(v *visit, _ plan, _ string) error {
	return checkCookie(v.newCookie(held{}))
}

func (k onServer) save(ctx context.Context, v *visit, p plan, now string) (held, error) {
	if err := k.check(v, p, now); err != nil {
		return held{}, err
	}
	if p.end {
		if err := k.end(ctx, v.session.Name(), v.held.id); err != nil {
			return held{}, err
		}
	}
	switch {
	case p.save == none:
		return held{}, nil
	case p.save == touch:
		return k.touch(ctx, v)
	case p.end || v.brought != broughtLive:
		return k.create(ctx, v, p, now)
	}
	return k.update(ctx, v, p, now)
}

// create writes the first record of a session. If the reply is lost, it is not sent again:
// it could arrive after the session has ended, and bring it back.
func (k onServer) create(ctx context.Context, v *visit, p plan, now string) (held, error) {
	h := held{content: v.content(p, time.Now()), at: time.Now(), value: v.fresh().token}
	h.verifier, h.values = v.fresh().verifier, now
	k.seal(v.session.Name(), &h)

	step, cancel := within(ctx, commitTime)
	defer cancel()
	created, err := k.options.Backend.Swap(step, h.id, nil, h.record, h.left())
	if err != nil {
		there, _, lost := k.options.Backend.Load(step, h.id)
		if created = bytes.Equal(there, h.record); !created || lost != nil {
			return held{}, unavailable(err)
		}
	}
	if !created { // it was revoked, or all sessions were, before it was there
		return held{}, ErrConflict
	}
	return h, nil
}

// touch writes the session again, to extend its idle timeout. Whatever prevents that has
// done it too, or shows in the next request.
func (k onServer) touch(ctx context.Context, v *visit) (held, error) {
	h := v.held
	h.content, h.at = v.content(plan{}, time.Now()), time.Now()
	k.seal(v.session.Name(), &h)
	ok, err := k.swap(ctx, v.held, h)
	if err != nil {
		v.emit(ctx, Event{Kind: Unreachable, Err: err})
	}
	if !ok {
		return v.held, nil
	}
	return h, nil
}

// update saves what changed on top of what other requests have saved meanwhile, and gives
// the session a new token if the plan says so.
func (k onServer) update(ctx context.Context, v *visit, p plan, now string) (held, error) {
	name, base, latest := v.session.Name(), v.held, v.held
	as := identity{id: base.id, token: base.value, verifier: base.verifier}
	if p.save == renew {
		token, _ := strict.DecodeString(base.value)
		as = newIdentity(token[:selectorSize])
	}
	start := time.Now()
	for try := 1; ; try++ {
		h, err := k.merged(name, v, latest, as, now)
		if err != nil {
			return held{}, err
		}
		switch ok, err := k.swap(ctx, latest, h); {
		case err != nil:
			return held{}, err
		case ok && h.values == "":
			return held{}, nil
		case ok:
			return h, nil
		}

		// Another request came first.
		var reason Reason
		if latest, reason, err = k.read(ctx, name, base.id); err != nil {
			return held{}, err
		}
		switch {
		case reason == "" && latest.verifier == as.verifier && p.save == renew: // ours, whose reply was lost
			latest.value = as.token
			return latest, nil
		case reason != "" || latest.verifier != base.verifier:
			return k.lose(v, p, ErrConflict)
		case try == maxTries || time.Since(start) > commitTime:
			return k.lose(v, p, ErrContended)
		}
		time.Sleep(rand.N(firstPause << try)) // not all at once again
	}
}

// lose returns err, or the session as it was for a plan that may be dropped.
func (k onServer) lose(v *visit, p plan, err error) (held, error) {
	if p.drop {
		return v.held, nil
	}
	return held{}, err
}

// merged returns what the session is to be: latest with the changes that lead from what the
// request loaded to now.
func (k onServer) merged(name string, v *visit, latest held, as identity, now string) (held, error) {
	h := latest
	h.content, h.at, h.value = latest.touched(k.options, time.Now()), time.Now(), as.token
	if h.values = values.Merge(latest.values, v.held.values, now); len(h.values) > MaxValues {
		return held{}, &TooLargeError{Limit: MaxValues}
	}
	if as.verifier != latest.verifier {
		h.verifier, h.grace = as.verifier, k.options.Grace
	}
	if h.values == "" {
		h.content = content{id: h.id, idle: forever, lifetime: k.options.Grace}
		h.record = k.endMark(name, h.id)
		return h, nil
	}
	k.seal(name, &h)
	return h, nil
}

// seal sets h's record. The durations sealed are exact: in whole milliseconds.
func (k onServer) seal(name string, h *held) {
	h.content = h.after(0)
	h.record = k.keys.seal(h.encode(), purpose(kindRecord, name, h.id[:]))
	h.secret, h.size = 0, len(h.record)
}

// swap replaces one record of a session by another. After an error it tries once more: the
// backend recognises a change whose reply was lost.
func (k onServer) swap(ctx context.Context, from, to held) (bool, error) {
	ctx, cancel := within(ctx, commitTime)
	defer cancel()
	b := k.options.Backend
	ok, err := b.Swap(ctx, to.id, from.record, to.record, to.left())
	if err != nil {
		ok, err = b.Swap(ctx, to.id, from.record, to.record, to.left())
	}
	if err != nil {
		return false, unavailable(err)
	}
	return ok, nil
}

// end puts an end mark in the session's place, regardless of concurrent changes. It can be
// repeated: no ID is ever used again.
func (s *Store) end(ctx context.Context, name string, id Key) error {
	ctx, cancel := within(ctx, commitTime)
	defer cancel()
	b, mark := s.options.Backend, s.endMark(name, id)
	err := b.Put(ctx, id, mark, s.options.Grace)
	if err != nil {
		err = b.Put(ctx, id, mark, s.options.Grace)
	}
	if err != nil {
		return unavailable(err)
	}
	return nil
}

// endMark returns the record that stands for a session that has ended. It contains nothing.
func (s *Store) endMark(name string, id Key) []byte {
	return s.keys.seal(nil, purpose(kindEnd, name, id[:]))
}
