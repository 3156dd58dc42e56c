package session

import (
	"context"
	"crypto/sha256"
	"time"
)

// With Options.FromCookies, a session that is sealed in a cookie moves to the server when
// it is next used. The server keeps under which token; a cookie that comes again, from a
// page that was under way or from a copy, leads there, until the session is ended or
// renewed. Then it is as dead as its token.

const kindTaken = kindForward + 1 // holds the token of the session that was taken over

// takeOver opens the session that is sealed in a cookie's value, on the server.
func (st *state) takeOver(ctx context.Context, name, value string) (plain string, key int, err error) {
	keys := st.store.keys
	plain, _, err = keys.openText(name, value)
	if err != nil {
		return "", 0, err
	}
	c, err := decodeContent(plain)
	now := time.Now()
	idle, lifetime := st.store.left(c, now)
	if err != nil || min(idle, lifetime) <= 0 {
		return plain, 0, err // open says which it is
	}
	was := Key(sha256.Sum256([]byte(value)))
	data := recordData(kindTaken, name, was)
	for {
		taken, err := st.store.options.Backend.Load(ctx, was)
		if err != nil {
			st.err = unavailable(err)
			return "", 0, st.err
		}
		if taken != nil {
			token, _, err := keys.open(taken, data)
			if err != nil {
				return "", 0, errRefused
			}
			st.moved = true
			return st.fetch(ctx, name, token)
		}
		to := newPlace() // it is written first, so that a crash in between ends no session
		if _, err = st.swap(ctx, &to, c, now); err == nil {
			var first bool
			first, err = st.store.swap(ctx, was, nil, keys.seal([]byte(to.token), data), now.Add(lifetime))
			if first {
				st.place, st.moved = to, true
				return plain, 0, nil
			}
			st.abandon(ctx, to) // another request came first
		}
		if err != nil {
			st.err = err
			return "", 0, err
		}
	}
}
