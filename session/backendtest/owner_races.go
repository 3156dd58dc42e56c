package backendtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"heroes/session"

	"github.com/gorilla/sessions"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// clark is who signs in.
const clark = "clark"

// An interval is when something was asked for and acknowledged, in events of a round. It was not
// acknowledged if done is 0.
type interval struct{ asked, done int64 }

// before reports whether i was acknowledged before other was asked for.
func (i interval) before(other interval) bool { return i.done != 0 && i.done < other.asked }

// A login is a token with which the owner is signed in.
type login struct {
	cookie, id string
	signIn     interval
	end        *interval // of a renewal, or of what ends the session
	renewed    bool      // it is a renewal
}

// A sweep ends all sessions, or all but the one with that ID.
type sweep struct {
	except string
	interval
}

// A day is one round: what the owner's browsers and an operator do at once.
type day struct {
	*races
	clock  atomic.Int64
	mu     sync.Mutex
	logins []*login
	sweeps []sweep
}

// owners has one owner sign in, renew, sign out and revoke, 48 requests at once.
func (r *races) owners() {
	d := &day{races: r}
	for range 4 {
		d.signIn("")
	}
	clicked := r.begin().cookie
	var wait sync.WaitGroup
	for i := range 48 {
		wait.Go(func() {
			switch {
			case i < 20:
				d.signIn("")
			case i < 24:
				d.signIn(clicked) // twice and more
			case i < 32:
				d.renew()
			case i < 38:
				d.end(func(l *login) bool {
					status, _ := d.ask(l.cookie, destroying)
					return status == http.StatusOK
				})
			case i < 42:
				d.end(func(l *login) bool {
					ended, err := d.store().RevokeOwned(d.t.Context(), name, clark, l.id)
					return ended && err == nil
				})
			case i < 46:
				d.revokeOthers()
			case i < 48:
				d.revokeOwner()
			}
		})
	}
	wait.Wait()
	d.check()
}

func (d *day) store() *session.Store { return d.stores[rand.IntN(2)] }

func (d *day) add(l *login) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.logins = append(d.logins, l)
}

// take returns a login that nothing has been asked to end, or nil.
func (d *day) take(renew bool) *login {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, i := range rand.Perm(len(d.logins)) {
		if l := d.logins[i]; l.end == nil {
			l.end, l.renewed = &interval{asked: d.clock.Add(1)}, renew
			return l
		}
	}
	return nil
}

func (d *day) done(i *interval) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i.done = d.clock.Add(1)
}

func (d *day) signIn(cookie string) {
	l := &login{signIn: interval{asked: d.clock.Add(1)}}
	status, set := d.ask(cookie, func(_ http.ResponseWriter, req *http.Request, s *sessions.Session) {
		store := s.Store().(*session.Store)
		_ = store.SignIn(req, s, clark)
		l.id = store.Info(req, s).ID
	})
	if status == http.StatusOK && set != nil {
		l.cookie = set.Value
		d.done(&l.signIn)
		d.add(l)
	}
}

func (d *day) renew() {
	l := d.take(true)
	if l == nil {
		return
	}
	if _, set := d.ask(l.cookie, renewing); set != nil {
		d.done(l.end)
		d.add(&login{cookie: set.Value, id: l.id, signIn: l.signIn})
	}
}

func (d *day) end(do func(*login) bool) {
	if l := d.take(false); l != nil && do(l) {
		d.done(l.end)
	}
}

func (d *day) revokeOwner() {
	s := sweep{interval: interval{asked: d.clock.Add(1)}}
	_, err := d.store().RevokeOwner(d.t.Context(), name, clark)
	d.swept(s, err)
}

func (d *day) revokeOthers() {
	d.mu.Lock()
	l := d.logins[rand.IntN(len(d.logins))]
	d.mu.Unlock()
	s, err := sweep{except: l.id, interval: interval{asked: d.clock.Add(1)}}, error(nil)
	d.ask(l.cookie, func(_ http.ResponseWriter, req *http.Request, session *sessions.Session) {
		_, err = d.storeOf(session).RevokeOthers(req, session)
	})
	d.swept(s, err)
}

func (d *day) storeOf(s *sessions.Session) *session.Store { return s.Store().(*session.Store) }

func (d *day) swept(s sweep, err error) {
	if errors.Is(err, session.ErrNobody) || errors.Is(err, session.ErrConflict) { // the session had ended, so no other did
		return
	}
	assert.True(d.t, err == nil || d.lossy, "%v", err)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		s.done = d.clock.Add(1)
	}
	d.sweeps = append(d.sweeps, s)
}

// check compares what opens at the end with what was acknowledged.
func (d *day) check() {
	open, mayHaveEnded := map[string]bool{}, map[string]bool{}
	for _, l := range d.logins {
		opens := (&visitor{t: d.t, store: d.direct, cookie: l.cookie}).owner() == clark
		open[l.id] = open[l.id] || opens
		ended := l.end != nil && l.end.done != 0
		if l.end != nil && !l.renewed {
			mayHaveEnded[l.id] = true
		}
		for _, s := range d.sweeps {
			if s.except != l.id {
				ended = ended || s.done != 0 && l.signIn.before(s.interval)
				mayHaveEnded[l.id] = mayHaveEnded[l.id] || !s.before(l.signIn)
			}
		}
		assert.False(d.t, ended && opens, "a session opens that has ended: %+v", l)
	}
	var opened, listed []string
	for id, opens := range open {
		assert.True(d.t, opens || mayHaveEnded[id] || d.lossy, "a session is lost")
		if opens {
			opened = append(opened, id)
		}
	}
	list, err := d.direct.Sessions(d.t.Context(), name, clark)
	require.NoError(d.t, err)
	for _, e := range list {
		if open[e.ID] || !d.lossy { // the cookie of another one may have been lost
			listed = append(listed, e.ID)
		}
	}
	slices.Sort(opened)
	slices.Sort(listed)
	assert.Equal(d.t, fmt.Sprint(opened), fmt.Sprint(listed), "the list is exact")
}
