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
	Bound     EventKind = "bound"     // it was bound to a device; see Options.DeviceProof
	Proven    EventKind = "proven"    // its browser has proved that it has the key
	SignedIn  EventKind = "signed_in" // its owner signed in, and it has a new token
	Renewed   EventKind = "renewed"   // it has a new token
	Destroyed EventKind = "destroyed" // it was ended, or emptied
	Rejected  EventKind = "rejected"  // a cookie did not open a session; see Reason
	Conflict  EventKind = "conflict"  // a change was refused with 409; see Err

	Limited EventKind = "limited" // a new session was refused with 429; see Options.AllowNew

	// DeviceRefused means that the registration of a key, or the refresh of a proof, was refused; see Reason. Package
	// devicebound lists the reasons.
	DeviceRefused EventKind = "device_refused"

	// Lost means that a change could not be saved; see Err. It is a fault of the program or of
	// the server that keeps the sessions.
	Lost EventKind = "lost"

	// NotAdopted means that the session in another system's cookie cannot be stored; see Err. The cookie
	// stays in the browser, so the next request reports the same.
	NotAdopted EventKind = "not_adopted"

	// Unreachable means that a session could not be loaded, or a purge failed; see Err.
	Unreachable EventKind = "unreachable"
)

// A Reason says why a cookie was rejected, or a device refused. It is for logs and metrics: visitors can tell apart
// only Replaced, the reasons of a bound session, and the rest.
type Reason string

const (
	Refused  Reason = "refused"  // not ours, damaged, ended, or sealed under another secret or name
	Idle     Reason = "idle"     // unused for longer than Options.IdleTimeout
	Expired  Reason = "expired"  // older than Options.Lifetime
	Replaced Reason = "replaced" // its token was replaced, or its session ended, within Options.Grace
	Unproven Reason = "unproven" // its session is bound to a device, and the request has no valid proof

	// The same, and the browser says why it has not refreshed the proof.
	SkippedQuota       Reason = "skipped_quota"       // it has signed too often
	SkippedUnreachable Reason = "skipped_unreachable" // it received no answer
	SkippedError       Reason = "skipped_error"       // the answer was an error

	// Uncertain is a reason of DeviceRefused: it is uncertain whether the session has ended. The browser tries again.
	Uncertain Reason = "uncertain"
)

// An Event reports what happened to a session, for logs and metrics (OWASP ASVS 5.0,
// 16.3.3). It contains no value and nothing that could open a session.
type Event struct {
	Kind   EventKind
	Name   string // the cookie's name
	ID     string // the session's ID, as in Info; "" if it is not known
	Reason Reason // of Rejected and DeviceRefused
	Err    error  // of Conflict, Limited, Lost, NotAdopted and Unreachable
}

// logFaults is the default of Options.OnEvent.
func logFaults(ctx context.Context, e Event) {
	if e.Kind == Lost || e.Kind == NotAdopted || e.Kind == Unreachable {
		slog.ErrorContext(ctx, "session", "event", string(e.Kind), "session_id", e.ID, "error", e.Err)
	}
}
