package backendtest

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"heroes/session"

	"github.com/gorilla/sessions"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	patience = 2 * time.Second        // the longest that an answer takes, and the service to be back
	slack    = 500 * time.Millisecond // what a busy machine may add
)

// Outage tests what becomes of sessions when the server of a backend fails while it
// is busy. Fault returns when it cannot be reached any more, mend when it answers
// again.
func Outage(t *testing.T, b session.Backend, fault, mend func()) {
	store := open(t, b, session.Options{}).store
	o := &outage{t: t, answers: map[int]int{}}
	regulars := make([]*regular, 8)
	for i := range regulars {
		regulars[i] = &regular{visitor: visitor{t: t, store: store}}
	}

	var wait sync.WaitGroup
	o.expect.Store(http.StatusOK)
	for _, r := range regulars {
		wait.Go(func() { o.crowd(r) })
	}
	defer wait.Wait()
	defer o.over.Store(true)
	time.Sleep(time.Second)

	o.expect.Store(either)
	fault()
	o.expect.Store(http.StatusServiceUnavailable)
	require.ErrorIs(t, store.Ping(t.Context()), session.ErrUnavailable)
	time.Sleep(patience)
	o.expect.Store(either)
	mend()
	time.Sleep(patience)
	o.expect.Store(http.StatusOK)
	require.NoError(t, store.Ping(t.Context()))
	time.Sleep(time.Second)

	o.over.Store(true)
	wait.Wait()
	acked, ended := 0, 0
	for _, r := range regulars {
		acked, ended = acked+r.acked, ended+len(r.ended)
		require.Equal(t, r.first, r.cookie, "no outage changes a cookie")
		n, _ := r.values()["n"].(int)
		require.GreaterOrEqual(t, n, r.seen, "what was acknowledged is there")
		require.LessOrEqual(t, n, r.tried)
		for _, cookie := range r.ended {
			r.cookie = cookie
			require.Empty(t, r.values(), "a session that was ended stays so")
		}
	}
	require.NotZero(t, acked)
	require.NotZero(t, ended)
	require.NotZero(t, o.answers[http.StatusServiceUnavailable])
	t.Logf("%d increments and %d sign-outs acknowledged, none lost; answers by status: %v; the slowest took %v",
		acked, ended, o.answers, o.slowest)
}

// either is what to expect while the server fails or comes back.
const either = 0

type outage struct {
	t      *testing.T
	expect atomic.Int32 // the status of each answer
	over   atomic.Bool

	mu      sync.Mutex
	answers map[int]int // by status
	slowest time.Duration
}

// A regular is a visitor with a session that lasts, and what they know of it.
type regular struct {
	visitor
	first string // their cookie
	tried int    // how many increments
	acked int    // how many of them were acknowledged
	seen  int    // the highest number that was
	ended []string
}

// crowd has a visitor count, look, and sign in and out with a session of its own.
func (o *outage) crowd(r *regular) {
	for !o.over.Load() && !o.t.Failed() {
		var n int
		r.tried++
		if o.request(&r.visitor, increment("n", &n)) {
			assert.Greater(o.t, n, r.seen, "an acknowledged increment is gone")
			r.acked, r.seen = r.acked+1, n
		}
		if r.first == "" {
			r.first = r.cookie
		}
		if o.request(&r.visitor, func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) {
			n, _ = s.Values["n"].(int)
		}) {
			assert.GreaterOrEqual(o.t, n, r.seen, "a page shows less than was acknowledged")
		}
		brief := &visitor{t: r.t, store: r.store}
		if o.request(brief, increment("n", &n)) {
			cookie := brief.cookie
			if o.request(brief, func(_ http.ResponseWriter, req *http.Request, s *sessions.Session) {
				_ = brief.store.Destroy(req, s)
			}) {
				r.ended = append(r.ended, cookie)
			}
		}
		time.Sleep(time.Millisecond)
	}
}

// request is one request, with what holds for its answer at any time and at this one. It
// is true if the answer is 200.
func (o *outage) request(v *visitor, handle app) bool {
	expected, start := o.expect.Load(), time.Now()
	res := v.visit(handle)
	took := time.Since(start)
	if status := int32(res.StatusCode); expected != either && expected == o.expect.Load() {
		assert.Equal(o.t, expected, status)
	} else {
		assert.Contains(o.t, []int32{http.StatusOK, http.StatusServiceUnavailable}, status)
	}
	if res.StatusCode != http.StatusOK {
		assert.NotEmpty(o.t, res.Header.Get("Retry-After"))
		assert.Empty(o.t, res.Header["Set-Cookie"])
	}
	assert.Less(o.t, took, patience+slack, "an answer takes too long")

	o.mu.Lock()
	defer o.mu.Unlock()
	o.answers[res.StatusCode]++
	o.slowest = max(o.slowest, took)
	return res.StatusCode == http.StatusOK
}

// increment adds one to the number under key and puts it into n.
func increment(key string, n *int) app {
	return func(_ http.ResponseWriter, _ *http.Request, s *sessions.Session) {
		*n, _ = s.Values[key].(int)
		*n++
		s.Values[key] = *n
	}
}

// Increment adds one to the number under key in the session of that cookie, or of a
// new one for "", in one request. It is true if that was acknowledged.
func Increment(t *testing.T, b session.Backend, cookie *string, key string) (n int, ok bool) {
	t.Helper()
	v := open(t, b, session.Options{})
	v.cookie = *cookie
	res := v.visit(increment(key, &n))
	*cookie = v.cookie
	return n, res.StatusCode == http.StatusOK
}
