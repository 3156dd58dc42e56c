package main

import (
	"testing"
	"time"

	"github.com/gobuffalo/events"
	"github.com/stretchr/testify/require"
)

func Test_events_reach_who_listens(t *testing.T) {
	q := &quietEvents{Manager: events.DefaultManager()}
	require.NoError(t, q.Emit(events.Event{Kind: "route:started"}))

	heard := make(chan string, 8)
	remove, err := q.Listen("test", func(e events.Event) { heard <- e.Kind })
	require.NoError(t, err)
	require.NoError(t, q.Emit(events.Event{Kind: "route:finished"}))
	select {
	case kind := <-heard:
		require.Equal(t, "route:finished", kind, "what was emitted before is not heard")
	case <-time.After(10 * time.Second):
		t.Fatal("the event is lost")
	}

	_, err = q.Listen("test", func(events.Event) {})
	require.Error(t, err, "the name is taken")
	remove()
	remove()
	require.Zero(t, q.listeners.Load())
}
