package session

import "context"

// An EventKind names what happened to a session.
type EventKind string

const (
	Created   EventKind = "created"   // a visitor has a session for the first time
	Renewed   EventKind = "renewed"   // it has a new identity and keeps its values
	Destroyed EventKind = "destroyed" // it was ended, or emptied
	Rejected  EventKind = "rejected"  // a cookie did not become a session; see Reason
	Lost      EventKind = "lost"      // a change could not be saved; see Err

	// Unreachable says that a session could not be loaded; see Err.
	Unreachable EventKind = "unreachable"
)

// A Reason says why a cookie was rejected. The visitor is answered alike
// whatever the reason; it is for logs and metrics.
type Reason string

const (
	Refused Reason = "refused" // not ours, damaged, or sealed under another secret or name
	Idle    Reason = "idle"    // not used for longer than Options.IdleTimeout
	Expired Reason = "expired" // older than Options.Lifetime
)

// An Event tells what happened to a session, for logs and metrics (OWASP ASVS
// 5.0, 16.3.3). It holds no value and nothing that could open a session.
type Event struct {
	Kind   EventKind
	Name   string // the cookie's name
	Reason Reason // of Rejected
	Err    error  // of Lost and Unreachable
}

func (s *Store) emit(ctx context.Context, e Event) {
	if s.options.OnEvent != nil {
		s.options.OnEvent(ctx, e)
	}
}
