package main

import (
	"sync"
	"sync/atomic"

	"github.com/gobuffalo/events"
)

// quietEvents is Buffalo's event manager, except that it emits nothing while nobody listens. Buffalo
// would start a goroutine for every event, and every request causes two.
type quietEvents struct {
	events.Manager
	listeners atomic.Int64
}

// Listen adds a listener, and returns a function that removes it.
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

// Emit passes an event to the listeners, if there are any.
func (q *quietEvents) Emit(e events.Event) error {
	if q.listeners.Load() == 0 {
		return nil
	}
	return q.Manager.Emit(e)
}
