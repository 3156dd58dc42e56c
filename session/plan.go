package session

import "heroes/session/internal/values"

// facts contains everything that a plan depends on.
type facts struct {
	brought brought
	intent  intent
	change  change // from the stored values, or from nothing if the session ends
	empty   bool   // the session contains no value, and nobody is signed in
	safe    bool   // the request is a GET or HEAD
	needs   step   // what needs to happen to the stored session anyway
	signing signing
}

// signing is whether somebody signs in.
type signing int

const (
	nobody   signing = iota
	somebody         // to this session or a new one
	again            // to the session whose token was replaced when they signed in
)

// change is how the session differs from the one that was stored.
type change int

const (
	same     change = iota
	optional        // only in keys that can wait
	changed
)

// canWait lists the keys whose changes a page can do without: the flash of Buffalo and of
// gorilla, and what Buffalo's csrf middleware and request logger store.
var canWait = map[string]bool{values.FlashKey: true, "_flash": true, "authenticity_token": true, "requestor_id": true}

func changeOf(base, now string) change {
	if base == now {
		return same
	}
	for key := range values.Changed(base, now) {
		if !canWait[key] {
			return changed
		}
	}
	return optional
}

// step is what happens to the stored session.
type step int

const (
	none  step = iota
	touch      // written again, to extend the idle timeout or under the newest secret
	write      // written with its changes, or for the first time
	renew      // written with a new token
)

// A plan is what a request does to the stored session, and to the browser's cookie. The zero
// plan does nothing.
type plan struct {
	end    bool // end the session that the request brought
	remove bool // remove the cookie, unless save sets one
	save   step
	drop   bool // a save that loses a race is dropped instead of refused
}

// plan decides what a request does. It is pure: every row of its table is a test.
func (f facts) plan() (plan, error) {
	switch f.brought {
	case broughtUnknown:
		if f.change == same && f.intent == wantKeep {
			return plan{}, nil
		}
		return plan{}, ErrUnavailable
	case broughtReplaced:
		return f.planReplaced()
	case broughtUnproven:
		return f.planUnproven()
	case broughtLive:
		return f.planLive(), nil
	}
	if f.empty {
		return plan{remove: f.intent == wantEnd && f.brought == broughtDead}, nil
	}
	return plan{save: write, drop: f.change == optional && f.safe && f.signing == nobody}, nil
}

// planReplaced decides for a token that is no longer valid. It can end the session and do
// nothing else. The browser may have a newer cookie, so the response sets none. But a second click
// on "sign in" continues the session that the first began.
func (f facts) planReplaced() (p plan, err error) {
	if f.signing == again {
		return plan{save: renew}, nil
	}
	p.end = f.intent == wantEnd
	if f.change == changed || f.intent == wantRenew || f.change == optional && !f.safe && !p.end {
		err = ErrConflict
	}
	return p, err
}

// planUnproven decides for a session that is bound to a device, if the request has no valid proof, as far
// as that is known. It can be ended, and nothing else can be done with it.
func (f facts) planUnproven() (plan, error) {
	switch {
	case f.intent == wantEnd:
		return f.planLive(), nil
	case f.change == changed, f.change == optional && !f.safe, f.intent == wantRenew:
		return plan{}, ErrUnproven
	}
	return plan{}, nil
}

func (f facts) planLive() plan {
	switch {
	case f.intent == wantEnd && f.empty:
		return plan{end: true, remove: true}
	case f.intent == wantEnd:
		return plan{end: true, save: write}
	case f.intent == wantRenew && !f.empty:
		return plan{save: renew}
	case f.change != same:
		return plan{save: write, drop: f.change == optional && f.safe}
	case f.needs != none:
		return plan{save: f.needs, drop: true}
	}
	return plan{}
}
