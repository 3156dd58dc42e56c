package session

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	rand2 "math/rand/v2"
	"net/http"
	"slices"
	"time"
)

// With Options.Backend, the cookie holds a token and the server holds the rest: a
// record under the token's hash, sealed as a cookie would be and bound to its place.
// A record is changed by compare-and-swap alone. Who finds that another request
// came first takes the record that is there now, puts their own changes into it, key
// by key, and tries again.

const (
	tokenSize   = 32              // bytes; 43 characters in the cookie
	loadTime    = time.Second     // the longest that a page waits for its session
	commitTime  = time.Second     // and then to save it
	forwardTime = 1 * time.Minute // how long a request that is under way finds a renewed session
)

// A place is where a session lives on the server.
type place struct {
	token  string // in the visitor's cookie
	key    Key    // its hash, in the backend
	record []byte // what is there, as it was last seen
}

func newPlace() place {
	var token [tokenSize]byte
	rand.Read(token[:])
	return place{token: strict.EncodeToString(token[:]), key: sha256.Sum256(token[:])}
}

// placeOf is the place that a cookie's value names; false if it cannot be a token.
func placeOf(value string) (place, bool) {
	if len(value) != strict.EncodedLen(tokenSize) {
		return place{}, false
	}
	token, err := strict.DecodeString(value)
	if err != nil || len(token) != tokenSize {
		return place{}, false
	}
	return place{token: value, key: sha256.Sum256(token)}, true
}

// What a record is bound to: its kind, its place and the cookie's name. No cookie's
// name holds the NUL, so no cookie is a record.
const (
	kindSession byte = iota + 1
	kindForward      // holds the token that a renewed session has now
)

func recordData(kind byte, name string, key Key) []byte {
	data := append(cookieData(name), 0, kind)
	return append(data, key[:]...)
}

// entries are a session's values, each encoded.
type entries map[string]string

func entriesOf(values string) entries {
	r, e := &reader{s: values}, entries{}
	for r.s != "" {
		key := r.string()
		rest := r.s
		r.value(0)
		e[key] = rest[:len(rest)-len(r.s)]
	}
	return e
}

func (e entries) encode() string {
	var b []byte
	for _, key := range slices.Sorted(maps.Keys(e)) {
		b = append(appendString(b, key), e[key]...)
	}
	return string(b)
}

// merge puts into latest what changed from base to mine.
func merge(latest, base, mine entries) {
	for key, value := range mine {
		if old, ok := base[key]; !ok || old != value {
			latest[key] = value
		}
	}
	for key := range base {
		if _, ok := mine[key]; !ok {
			delete(latest, key)
		}
	}
}

func unavailable(err error) error {
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// fetch loads and opens the record that a cookie's value names. An outage is noted.
func (st *state) fetch(ctx context.Context, name, value string) (plain string, key int, err error) {
	at, ok := placeOf(value)
	switch {
	case !ok && st.store.options.FromCookies && !st.moved:
		return st.takeOver(ctx, name, value)
	case !ok:
		return "", 0, errRefused
	}
	if at.record, err = st.store.options.Backend.Load(ctx, at.key); err != nil {
		st.err = unavailable(err)
		return "", 0, st.err
	}
	st.place = at
	return st.store.keys.open(at.record, recordData(kindSession, name, at.key))
}

// put saves c on the server and gives the cookie that the response is to carry: nil
// when the browser has it already and needs no more time. A visitor who leaves does
// not stop it half way.
func (st *state) put(ctx context.Context, c content, now time.Time) (*http.Cookie, error) {
	if err := checkCookie(st.newCookie(c, now)); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTime)
	defer cancel()
	if st.loaded && !st.destroyed && st.session.Options.MaxAge >= 0 {
		return st.update(ctx, c, now)
	}
	if st.loaded {
		if _, err := st.store.end(ctx, st.session.Name(), st.place); err != nil {
			return nil, err
		}
	}
	if c.values == "" {
		return st.leave(now), nil
	}
	return st.create(ctx, newPlace(), c, now)
}

func (st *state) create(ctx context.Context, at place, c content, now time.Time) (*http.Cookie, error) {
	ok, err := st.swap(ctx, &at, c, now)
	if err == nil && !ok { // nobody knows the place yet, save who clears all
		err = ErrEnded
	}
	if err != nil {
		return nil, err
	}
	return st.arrive(at, c, now), nil
}

// update saves what changed, on top of what others have saved meanwhile.
func (st *state) update(ctx context.Context, c content, now time.Time) (*http.Cookie, error) {
	if st.renewed && st.followed {
		return nil, ErrEnded
	}
	base, mine := entriesOf(st.was.values), entriesOf(c.values)
	longer := st.halfIdle(now) // the browser is to keep the cookie for longer
	at, latest, renewed := st.place, st.was, place{}
	for {
		merged := entriesOf(latest.values)
		merge(merged, base, mine)
		next := latest
		if next.values = merged.encode(); len(next.values) > MaxValues {
			return nil, &TooLargeError{Size: len(next.values), Limit: MaxValues}
		}
		if longer {
			next.touched = now.Unix()
		}
		var ok bool
		var err error
		if st.renewed && next.values != "" {
			next.created, next.touched = now.Unix(), now.Unix()
			ok, err = st.move(ctx, at, &renewed, next, now)
		} else {
			ok, err = st.swap(ctx, &at, next, now)
		}
		if err != nil {
			return nil, err
		}
		if ok {
			if st.renewed {
				at = renewed
			}
			if next.values == "" {
				return st.leave(now), nil
			}
			if next.values != c.values { // the application goes on with what others have set
				st.session.Values, err = decode(next.values)
			}
			return st.arrive(at, next, now), err
		}

		// Another request came first.
		from := at.key
		at, latest, err = st.find(ctx, at)
		unchanged := c.values == st.was.values && !st.renewed
		switch {
		case errors.Is(err, ErrEnded):
			st.abandon(ctx, renewed)
			if c.values == "" {
				return st.leave(now), nil
			}
			if unchanged { // it was only to be used for longer
				return nil, nil
			}
			return nil, err
		case err != nil:
			return nil, err
		case at.key != from && st.renewed:
			// It was renewed by the other, who may be somebody else with a copy of
			// the cookie (fixation): this visitor gets a session of their own.
			st.abandon(ctx, renewed)
			return st.create(ctx, newPlace(), c, now)
		case at.key != from:
			// And this one may be the somebody: the change is kept, the token is not told.
			st.followed = true
		case unchanged && latest.touched > st.was.touched:
			return st.arrive(at, latest, now), nil // the other has pushed it back
		}
		select {
		case <-ctx.Done():
		case <-time.After(rand2.N(4 * time.Millisecond)): // not all at once again
		}
	}
}

// swap puts c where at.record is, or deletes it if c has no values.
func (st *state) swap(ctx context.Context, at *place, c content, now time.Time) (bool, error) {
	var next []byte
	expires := now
	if c.values != "" {
		idle, lifetime := st.store.left(c, now)
		expires = now.Add(min(idle, lifetime))
		next = st.store.keys.seal(c.encode(), recordData(kindSession, st.session.Name(), at.key))
	}
	ok, err := st.store.swap(ctx, at.key, at.record, next, expires)
	if ok {
		at.record = next
	}
	return ok, err
}

// swap is the backend's, tried once more after an error. If the first try was
// carried out and only its answer was lost, what is there is ours: no two records
// are alike.
func (s *Store) swap(ctx context.Context, key Key, old, next []byte, expires time.Time) (bool, error) {
	ok, err := s.options.Backend.Swap(ctx, key, old, next, expires)
	if err == nil {
		return ok, nil
	}
	if ok, err = s.options.Backend.Swap(ctx, key, old, next, expires); err == nil && !ok && next != nil {
		var there []byte
		there, err = s.options.Backend.Load(ctx, key)
		ok = bytes.Equal(there, next)
	}
	if err != nil {
		return false, unavailable(err)
	}
	return ok, nil
}

// move gives a session a new place. It is written there first, so that a crash in
// between ends no session; then what is at the old place becomes a forward. That
// opens nothing: a page that comes with the old token has no session. But a request
// that had read the session before finds its way, and its change is not lost.
func (st *state) move(ctx context.Context, from place, to *place, c content, now time.Time) (bool, error) {
	if to.token == "" {
		*to = newPlace()
	}
	if ok, err := st.swap(ctx, to, c, now); err != nil || !ok {
		return ok, err
	}
	forward := st.store.keys.seal([]byte(to.token), recordData(kindForward, st.session.Name(), from.key))
	return st.store.swap(ctx, from.key, from.record, forward, now.Add(forwardTime))
}

// abandon deletes what a renewal wrote that did not come about.
func (st *state) abandon(ctx context.Context, renewed place) {
	if renewed.record != nil {
		_, _ = st.swap(ctx, &renewed, content{}, time.Now()) // it expires anyway
	}
}

// find reads what is now at a place, or where it has moved to; ErrEnded if the
// session is no more.
func (st *state) find(ctx context.Context, at place) (place, content, error) {
	name, keys := st.session.Name(), st.store.keys
	for {
		record, err := st.store.options.Backend.Load(ctx, at.key)
		if err != nil {
			return at, content{}, unavailable(err)
		}
		at.record = record
		if plain, _, err := keys.open(record, recordData(kindSession, name, at.key)); err == nil {
			c, err := decodeContent(plain)
			return at, c, err
		}
		token, _, err := keys.open(record, recordData(kindForward, name, at.key))
		if err != nil {
			return at, content{}, ErrEnded
		}
		at, _ = placeOf(token)
	}
}

// end deletes the session that is at a place, or has moved from there, whatever
// others make of it meanwhile. It is false if there is none.
func (s *Store) end(ctx context.Context, name string, at place) (ended bool, err error) {
	for {
		ok, err := s.swap(ctx, at.key, at.record, nil, time.Time{})
		if ok || err != nil {
			return at.record != nil, err
		}
		if at.record, err = s.options.Backend.Load(ctx, at.key); err != nil {
			return false, unavailable(err)
		}
		if token, _, err := s.keys.open(at.record, recordData(kindForward, name, at.key)); err == nil {
			at, _ = placeOf(token)
		}
	}
}

// arrive notes where the session is now and makes the cookie that leads there, if
// the browser has another or needs it for longer.
func (st *state) arrive(at place, c content, now time.Time) *http.Cookie {
	same := st.loaded && st.place.token == at.token && !st.moved && !st.halfIdle(now)
	st.settle(at, c)
	if same || st.followed {
		return nil
	}
	cookie := st.newCookie(c, now)
	cookie.Value = at.token
	return cookie
}

// leave notes that there is no session any more and makes the cookie that says so.
func (st *state) leave(now time.Time) *http.Cookie {
	st.settle(place{}, content{})
	return st.newCookie(content{}, now)
}

// settle takes what was saved for what was loaded, for a Save after this one.
func (st *state) settle(at place, c content) {
	st.place, st.was, st.loaded, st.key = at, c, c.values != "", 0
	st.renewed, st.destroyed, st.moved = false, false, false
}
