package session

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// A keeper keeps the sessions: in cookies, or on a server.
type keeper interface {
	// load opens the session that a cookie's value leads to. The reason is "" for a live one.
	// The error is ErrUnavailable.
	load(ctx context.Context, name, value string) (held, Reason, error)

	// findAdopted returns the session that was stored under one of these identities, which have the same
	// ID, or the reason why it does not open. If there is none yet, it returns h with the first of them.
	findAdopted(ctx context.Context, name string, h held, as []identity) (held, Reason, error)

	// check reports why a plan cannot be carried out, as far as that shows without I/O.
	check(v *visit, p plan, encoded string) error

	// enter prepares a sign-in, before anything is saved: from then on, whoever ends the owner's
	// sessions also ends this one.
	enter(ctx context.Context, v *visit) error

	// admit makes room for it among the owner's sessions.
	admit(ctx context.Context, v *visit) error

	// save carries out a plan with the encoded values. It returns the session as it is stored
	// afterwards, or the zero held if there is none. The error is errDropped if a plan that may be
	// dropped lost a race.
	save(ctx context.Context, v *visit, p plan, encoded string) (held, error)
}

var errDropped = errors.New("session: dropped")

// content returns what the plan seals of the session, apart from its values.
func (v *visit) content(p plan, now time.Time) content {
	o := v.store.options
	if p.end || v.brought != broughtLive {
		idle := o.idle()
		if o.Backend != nil && v.signIn == nil {
			idle = min(idle, o.ReturnTimeout)
		}
		return v.updated(content{id: v.fresh().id, created: now, used: now, idle: idle, lifetime: o.Lifetime})
	}
	return v.updated(v.held.touched(o, now))
}

// updated returns c with what the request changes in it besides the values.
func (v *visit) updated(c content) content { return v.withSignIn(v.withBinding(c)) }

// touched returns the content as it is after a use at that time.
func (h held) touched(o Options, now time.Time) content {
	c := h.after(now.Sub(h.at))
	c.used, c.idle = now, o.idle()
	if soonest := c.created.Add(time.Millisecond); o.Backend != nil && now.Before(soonest) {
		c.used = soonest // it must differ from created in milliseconds: see returned
	}
	if o.Backend == nil && c.owner != "" { // no write moves the time of the sign-in
		c.age = max(0, now.Truncate(time.Millisecond).Sub(c.when))
	}
	return c
}

// idle returns the idle timeout, or forever.
func (o Options) idle() time.Duration {
	if o.IdleTimeout < 0 {
		return forever
	}
	return o.IdleTimeout
}

// cap limits the time that the session has left to what the options allow.
func (h *held) cap(o Options) {
	h.longer = h.idle > o.idle() || h.lifetime > o.Lifetime
	h.idle, h.lifetime = min(h.idle, o.idle()), min(h.lifetime, o.Lifetime)
}

// reason returns why the session has ended, or "" if it has not.
func (c content) reason() Reason {
	switch {
	case c.lifetime <= 0:
		return Expired
	case c.idle <= 0:
		return Idle
	}
	return ""
}

// inCookie keeps sessions in the visitors' cookies.
type inCookie struct{ *Store }

func (k inCookie) load(ctx context.Context, name, value string) (held, Reason, error) {
	box, err := decodeText(value)
	if err != nil {
		return held{}, Refused, nil
	}
	data := purpose(kindCookie, name, nil)
	plain, secret, err := k.keys.open(box, data)
	newer := err != nil
	if newer {
		plain, secret, err = k.latest.Load().keys.open(box, data) // the request may have begun before the secrets were set
	}
	if err != nil {
		return held{}, Refused, nil
	}
	c, err := decodeContent(plain)
	if err != nil {
		return held{}, Refused, nil
	}
	now := time.Now()
	h := held{content: c.after(max(0, now.Sub(c.used))), at: now, value: value, secret: secret, newer: newer}
	h.lifetime = min(h.lifetime, k.options.Lifetime-h.began(now)) // also for a copy from before it was shortened
	h.cap(k.options)
	if k.options.Revoked == nil || h.reason() != "" {
		return h, h.reason(), nil
	}
	return k.checkRevoked(ctx, name, h)
}

// began returns how long ago the lifetime began: when the session did, or its owner signed in. A session
// that was adopted may have begun later than that.
func (c content) began(now time.Time) time.Duration {
	if c.owner != "" {
		return min(c.age, now.Sub(c.created))
	}
	return now.Sub(c.created)
}

// bindingGrowth is how many characters a binding can add to a cookie.
const bindingGrowth = 60

// attributes is more than a cookie's attributes need besides its name, path and domain.
const attributes = 200

func (k inCookie) check(v *visit, p plan, encoded string) error {
	if c := v.newCookie(held{}); fits(c, len(encoded)+2*MaxOwner) {
		return checkCookie(c)
	}
	_, err := k.prepare(v, p, encoded)
	return err
}

// fits reports whether a cookie with values of that size is certainly small enough, so that its exact
// size need not be known.
func fits(c *http.Cookie, size int) bool {
	most := strict.EncodedLen(overhead+maxContent+size) + len(c.Name) + len(c.Path) + len(c.Domain) + attributes
	return most <= MaxCookie
}

func (k inCookie) save(ctx context.Context, v *visit, p plan, encoded string) (held, error) {
	h, err := k.prepare(v, p, encoded)
	if err == nil {
		err = k.endCopies(ctx, v, p, &h)
	}
	if err != nil && err != errDropped && p.save == touch { // the page does not depend on it
		if statusOf(err) == http.StatusInternalServerError { // the cookie's attributes have changed
			v.emit(ctx, Event{Kind: Lost, Err: err})
		}
		return held{}, errDropped
	}
	if err != nil && p.drop && statusOf(err) == http.StatusConflict {
		err = errDropped
	}
	if err != nil || h.id == (ID{}) {
		return held{}, err
	}
	keys := k.keys
	if v.held.newer {
		keys = k.latest.Load().keys
	}
	h.value = encodeText(keys.seal(h.encode(), purpose(kindCookie, v.session.Name(), nil)))
	return h, nil
}

// prepare returns the session for the cookie, or the zero held if there is none left. The error says
// why browsers would not keep the cookie.
func (k inCookie) prepare(v *visit, p plan, encoded string) (h held, err error) {
	if p.save != none && (encoded != "" || v.owner() != "") {
		h.at = time.Now()
		h.content = v.content(p, h.at)
		h.values = encoded
		if p.save == renew && k.options.Revoked != nil {
			h.renewal = newMark()
		}
	}
	cookie := v.newCookie(h)
	if err := checkCookie(cookie); err != nil {
		return held{}, err
	}
	if h.id == (ID{}) {
		return h, nil
	}
	if fits(cookie, len(h.owner)+len(h.note)+len(encoded)) {
		v.offerIfDue(&h)
		return h, nil
	}
	size := v.grownSize(h)
	if size > MaxCookie && v.held.key == "" { // there is no room to bind it
		if h.key != "" && p.save == touch && !v.stale() {
			return held{}, errDropped
		}
		h.binding = binding{}
		size = v.grownSize(h)
	}
	if size > MaxCookie && (p.save >= write || v.sizeOf(h) > MaxCookie) {
		return held{}, &TooLargeError{Size: size, Limit: MaxCookie}
	}
	if size+bindingGrowth <= MaxCookie {
		v.offerIfDue(&h)
	}
	return h, nil
}

// grownSize returns the bytes that the cookie with h can have after later touches, which only move its times.
func (v *visit) grownSize(h held) int {
	h.used, h.idle = h.used.Add(h.lifetime), longestLeft
	if h.owner != "" {
		h.age += h.lifetime
	}
	return v.sizeOf(h)
}

// sizeOf returns the bytes of the cookie with h.
func (v *visit) sizeOf(h held) int {
	return len(v.newCookie(h).String()) + strict.EncodedLen(overhead+len(h.encode()))
}
