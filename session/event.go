package session

import (
	"context"
	"log/slog"
)

// An EventKind names what happened to a session.
type EventKind string

const (
	Created   EventKind = "created"   // a session began
	Adopted   EventKind = "adopted"   // it was adopted from another system; see Options.Adopt
	SignedIn  EventKind = "signed_in" // its owner signed in, and it has a new token
	Renewed   EventKind = "renewed"   // it has a new token
	Destroyed EventKind = "destroyed" // it was ended, or emptied
	Rejected  EventKind = "rejected"  // a cookie did not open a session; see Reason
	Conflict  EventKind = "conflict"  // a change was refused with 409; see Err

	// Lost means that a change could not be saved; see Err. It is a fault of the program or of
	// the server that keeps the sessions.
	Lost EventKind = "lost"

	// NotAdopted means that the session in another system's cookie cannot be stored; see Err. The cookie
	// stays in the browser, so the next request reports the same.
	NotAdopted EventKind = "not_adopted"

	// Unreachable means that a session could not be loaded, or a purge failed; see Err.
	Unreachable EventKind = "unreachable"
)

// A Reason says why a cookie was rejected. It is for logs and metrics: apart from Replaced,
// visitors cannot tell the reasons apart.
type Reason string

const (
	Refused  Reason = "refused"  // not ours, damaged, ended, or sealed under another secret or name
	Idle     Reason = "idle"     // unused for longer than Options.IdleTimeout
	Expired  Reason = "expired"  // older than Options.Lifetime
	Replaced Reason = "replaced" // its token was replaced, or its session ended, within Options.Grace
)

// An Event reports what happened to a session, for logs and metrics (OWASP ASVS 5.0,
// 16.3.3). It contains no value and nothing that could open a session.
type Event struct {
	Kind   EventKind
	Name   string // the cookie's name
	ID     string // the session's ID, as in Info; "" if it is not known
	Reason Reason // of Rejected
	Err    error  // of Conflict, Lost, NotAdopted and Unreachable
}

// logFaults is the default of Options.OnEvent.
func logFaults(ctx context.Context, e Event) {
	if e.Kind == Lost || e.Kind == NotAdopted || e.Kind == Unreachable {
		slog.ErrorContext(ctx, "session", "event", string(e.Kind), "session_id", e.ID, "error", e.Err)
	}
}
