package backendtest

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"heroes/session"

	"github.com/gorilla/sessions"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// rounds is how often each race is run: RACES in the environment, or a few.
func rounds() int {
	if n, err := strconv.Atoi(os.Getenv("RACES")); err == nil {
		return n
	}
	return 25
}

// Races tests what sessions promise to overlapping requests of two processes that share a
// backend. The backend b may lose replies; direct is the same one and loses none.
func Races(t *testing.T, b, direct session.Backend) {
	options := session.Options{OnEvent: quiet, Adopt: from(readable{left: time.Hour})}
	r := &races{
		t:      t,
		stores: []*session.Store{open(t, b, options).store, open(t, b, options).store},
		direct: open(t, direct, options).store,
		lossy:  b != direct,
	}
	for what, race := range map[string]func(){
		"11: of 40 renewals at once one wins, and one session is left":  r.renewals,
		"11: an acknowledged end is one, whatever overlaps":             r.ends,
		"13: a browser keeps every change that was acknowledged":        r.jar,
		"11: a planted token is dead once Renew is acknowledged":        r.fixation,
		"22: requests with another system's cookie lead to one session": r.adoptions,
		"19: an owner's sessions are those that were not ended":         r.owners,
	} {
		t.Run(what, func(t *testing.T) {
			r.t, r.answers = t, map[int]int{}
			for i := 0; i < rounds() && !t.Failed(); i++ {
				require.NoError(t, r.direct.RevokeAll(t.Context()))
				race()
			}
			t.Logf("%d rounds, answers by status: %v", rounds(), r.answers)
		})
	}
}

type races struct {
	t      *testing.T
	stores []*session.Store // two processes
	direct *session.Store
	lossy  bool

	mu      sync.Mutex
	answers map[int]int // by status
}

// begin returns a browser with a session that has the value "a".
func (r *races) begin() *visitor {
	v := &visitor{t: r.t, store: r.direct}
	v.set("a", 1)
	return v
}

// ask sends a request with that cookie to one of the processes. It returns the status and
// the cookie that the response sets.
func (r *races) ask(cookie string, handle app) (int, *http.Cookie) {
	v := &visitor{t: r.t, store: r.stores[rand.IntN(2)], cookie: cookie}
	res := v.ask("POST", handle)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers[res.StatusCode]++
	if res.StatusCode != http.StatusOK {
		assert.Empty(r.t, res.Cookies(), "a refused request touches no cookie")
		assert.Contains(r.t, []int{http.StatusConflict, http.StatusServiceUnavailable}, res.StatusCode)
		assert.True(r.t, r.lossy || res.StatusCode == http.StatusConflict, "no outage without one")
		return res.StatusCode, nil
	}
	if len(res.Cookies()) == 0 {
		return res.StatusCode, nil
	}
	return res.StatusCode, res.Cookies()[0]
}

// values returns what a cookie reads.
func (r *races) values(cookie string) session.View {
	return (&visitor{t: r.t, store: r.direct, cookie: cookie}).values()
}

func renewing(_ http.ResponseWriter, req *http.Request, s *sessions.Session) {
	_ = s.Store().(*session.Store).Renew(req, s)
}

func destroying(_ http.ResponseWriter, req *http.Request, s *sessions.Session) {
	_ = s.Store().(*session.Store).Destroy(req, s)
}

func (r *races) renewals() {
	v := r.begin()
	var wait sync.WaitGroup
	var mu sync.Mutex
	var won []string
	for range 40 {
		wait.Go(func() {
			if _, c := r.ask(v.cookie, renewing); c != nil {
				mu.Lock()
				defer mu.Unlock()
				won = append(won, c.Value)
			}
		})
	}
	wait.Wait()
	assert.Equal(r.t, 1, count(r.t, r.direct), "sessions")
	assert.True(r.t, len(won) == 1 || r.lossy && len(won) == 0, "%d renewals won", len(won))
	assert.Empty(r.t, r.values(v.cookie), "the old token")
	for _, cookie := range won {
		assert.Equal(r.t, session.View{"a": 1}, r.values(cookie))
	}
}

func (r *races) ends() {
	v := r.begin()
	id := ""
	v.visit(func(_ http.ResponseWriter, req *http.Request, s *sessions.Session) { id = v.store.Info(req, s).ID })
	var mu sync.Mutex
	known := []string{v.cookie}
	latest := func() string {
		mu.Lock()
		defer mu.Unlock()
		return known[len(known)-1]
	}
	var wait sync.WaitGroup
	for i := range 12 {
		wait.Go(func() {
			for n := range 3 {
				do := setting(fmt.Sprint(i, n), n)
				if i%3 == 0 {
					do = renewing
				}
				if _, c := r.ask(latest(), do); c != nil && c.MaxAge >= 0 {
					mu.Lock()
					known = append(known, c.Value)
					mu.Unlock()
				}
			}
		})
	}
	acknowledged := false
	wait.Go(func() {
		time.Sleep(rand.N(4 * time.Millisecond))
		switch rand.IntN(3) {
		case 0: // revoked by an operator
			_, err := r.stores[0].Revoke(r.t.Context(), name, id)
			acknowledged = err == nil
		case 1: // signed out in the newest tab
			status, _ := r.ask(latest(), destroying)
			acknowledged = status == http.StatusOK
		case 2: // signed out in the oldest
			status, _ := r.ask(v.cookie, destroying)
			acknowledged = status == http.StatusOK
		}
	})
	wait.Wait()
	if !acknowledged {
		assert.True(r.t, r.lossy, "an end was refused")
		return
	}
	assert.Zero(r.t, count(r.t, r.direct), "sessions")
	for _, cookie := range known {
		assert.Empty(r.t, r.values(cookie))
	}
}

// jar is a browser with several requests in progress. Each request carries the cookie that the
// browser has at that moment, and each response replaces it on arrival.
func (r *races) jar() {
	v := r.begin()
	var mu sync.Mutex
	cookie, acked, unsure := v.cookie, session.View{"a": 1}, false
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for n := range 6 {
				mu.Lock()
				sent := cookie
				mu.Unlock()
				key, do := fmt.Sprintf("key %d", i), app(nil)
				renews := rand.IntN(6) == 0
				do = func(w http.ResponseWriter, req *http.Request, s *sessions.Session) {
					s.Values[key] = n
					if renews {
						renewing(w, req, s)
					}
				}
				status, set := r.ask(sent, do)
				mu.Lock()
				if status == http.StatusOK {
					acked[key] = n
				}
				unsure = unsure || status == http.StatusServiceUnavailable // it may have been done
				if set != nil {
					cookie = set.Value
				}
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	assert.Equal(r.t, 1, count(r.t, r.direct), "sessions")
	if !unsure {
		assert.Equal(r.t, acked, r.values(cookie))
	}
}

func (r *races) fixation() {
	planted := r.begin().cookie
	var signedIn atomic.Bool
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 6 {
				after := signedIn.Load()
				var read session.View
				status, c := r.ask(planted, func(w http.ResponseWriter, req *http.Request, s *sessions.Session) {
					read = session.ViewOf(s)
					s.Values["evil"] = after
				})
				if after {
					assert.Empty(r.t, read, "a planted token reads nothing")
					assert.NotEqual(r.t, http.StatusOK, status, "and writes nothing")
				}
				assert.Nil(r.t, c)
			}
		})
	}
	cookie := ""
	wait.Go(func() {
		for cookie == "" { // until it wins against the attacker's writes
			status, c := r.ask(planted, func(w http.ResponseWriter, req *http.Request, s *sessions.Session) {
				s.Values["user"] = "victim"
				renewing(w, req, s)
			})
			if c != nil {
				cookie = c.Value
				signedIn.Store(true)
			}
			if status == http.StatusServiceUnavailable {
				return // whether it was done is not known
			}
		}
	})
	wait.Wait()
	if cookie != "" {
		values := r.values(cookie)
		assert.Equal(r.t, "victim", values["user"])
		assert.NotEqual(r.t, true, values["evil"], "written after the renewal")
	}
}
