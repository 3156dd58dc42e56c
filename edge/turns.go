package edge

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// longestTurn is how long a request waits for its turn.
const longestTurn = 5 * time.Second

// TakeTurns has next answer at most n requests at a time. Of those that wait, the newest is next: so the requests that
// a flood keeps waiting do not delay everybody. A request that has waited for five seconds is answered with 503.
func TakeTurns(next http.Handler, n int) http.Handler {
	t := &turns{free: n}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !t.take(r.Context()) {
			w.Header().Set("Retry-After", "5")
			text(w, http.StatusServiceUnavailable, "too many requests are waiting")
			return
		}
		defer t.release()
		next.ServeHTTP(w, r)
	})
}

type turns struct {
	mu      sync.Mutex
	free    int
	waiting []chan struct{} // the newest last
}

func (t *turns) take(ctx context.Context) bool {
	t.mu.Lock()
	if t.free > 0 {
		t.free--
		t.mu.Unlock()
		return true
	}
	mine := make(chan struct{})
	t.waiting = append(t.waiting, mine)
	t.mu.Unlock()

	timer := time.NewTimer(longestTurn)
	defer timer.Stop()
	select {
	case <-mine:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, c := range t.waiting {
		if c == mine {
			t.waiting = append(t.waiting[:i], t.waiting[i+1:]...)
			return false
		}
	}
	return true // it was given the turn just now
}

func (t *turns) release() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if last := len(t.waiting) - 1; last >= 0 {
		close(t.waiting[last])
		t.waiting = t.waiting[:last]
		return
	}
	t.free++
}
