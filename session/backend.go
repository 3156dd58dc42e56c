package session

import (
	"context"
	"time"
)

// A Key names a session's record: the SHA-256 of the token in the visitor's
// cookie, so that who steals the records cannot make a cookie of them.
type Key [32]byte

// A Backend keeps the records of sessions on a server. A record is opaque, sealed,
// and never empty; no two are alike. Each method takes no longer than its context,
// is safe for use by any number of goroutines and processes, and gives an error
// only when the server could not do what was asked for.
type Backend interface {
	// Load gives the record under key: nil, without an error, if there is none
	// or it has expired.
	Load(ctx context.Context, key Key) ([]byte, error)

	// Swap puts next in the place of old and reports true, if old is what is
	// there; if it is not, Swap changes nothing and reports false. An old of nil
	// stands for no record, or one that has expired; a next of nil deletes the
	// record. From expires on, next counts as no record. The comparison and the
	// change are one step: of several Swaps from the same old one succeeds.
	Swap(ctx context.Context, key Key, old, next []byte, expires time.Time) (bool, error)

	// Each calls f with every record that has not expired, one after another, in
	// any order, until f gives an error, which it returns. What is stored or
	// deleted meanwhile may be left out, or come twice. A record is f's only
	// during the call.
	Each(ctx context.Context, f func(key Key, record []byte) error) error

	// Purge deletes at most limit expired records and gives their number. A
	// backend that drops them by itself has nothing to do and gives 0.
	Purge(ctx context.Context, limit int) (int, error)

	// Clear deletes every record.
	Clear(ctx context.Context) error

	// Ping gives an error while the server cannot be reached.
	Ping(ctx context.Context) error
}
