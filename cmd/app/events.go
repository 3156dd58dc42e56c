package main

import (
	"sync"
	"sync/atomic"

	"github.com/gobuffalo/events"
)

// quietEvents is Buffalo's event manager, without the goroutine that it starts for every
// event, two with each request, while nobody listens.
type quietEvents struct {
	events.Manager
	listeners atomic.Int64
}

// Listen adds a listener; what it returns takes it away.
func (q *quietEvents) Listen(name string, l events.Listener) (events.DeleteFn, error) {
	remove, err := q.Manager.Listen(name, l)
	if err != nil {
		return nil, err
	}
	q.listeners.Add(1)
	return sync.OnceFunc(func() {
		remove()
		q.listeners.Add(-1)
	}), nil
}

// Emit tells the listeners, if there are any.
func (q *quietEvents) Emit(e events.Event) error {
	if q.listeners.Load() == 0 {
		return nil
	}
	return q.Manager.Emit(e)
}
