package session

import (
	"context"
	"time"
)

// A Key names a record in a Backend. A session's key is its ID: the first 16 bytes of the
// SHA-256 of the selector in the visitor's cookie. Someone who steals the records cannot
// make a cookie from it.
type Key [16]byte

// A Backend keeps the records of sessions on a server. A record is opaque, sealed and
// never empty, and no two records are alike. A record lives for a duration that the
// backend measures with its own clock, so processes whose clocks differ agree on it.
//
// Each method takes no longer than its context allows and may be called by any number of
// goroutines and processes at once. An error means that the server did not do what it was
// asked, or that its reply was lost; in the second case the change may have been made. A
// backend sends a command a second time only if the server has answered that it undid the first.
type Backend interface {
	// Load returns the record under key, when it expires and what time it is, both by the
	// backend's clock. The record is nil if there is none or it has expired.
	Load(ctx context.Context, key Key) (record []byte, expires, now time.Time, err error)

	// Swap replaces old by next, which lives for ttl, and reports true if old is what is
	// stored under key. A nil old stands for no record, or an expired one. Swap also reports
	// true if next itself is already there, as after a lost reply. Otherwise it changes
	// nothing and reports false. Comparing and replacing are one atomic step: of several
	// Swaps from the same old, one succeeds. A ttl of less than a millisecond counts as one.
	Swap(ctx context.Context, key Key, old, next []byte, ttl time.Duration) (bool, error)

	// Put stores next under key for ttl, whatever is there.
	Put(ctx context.Context, key Key, next []byte, ttl time.Duration) error

	// Each calls f with every record that has not expired, one after another in any order,
	// until f returns an error, which Each returns. Records that change during the walk may be
	// left out or come twice. The record belongs to f only during the call.
	Each(ctx context.Context, f func(key Key, record []byte) error) error

	// Purge deletes at most limit expired records and returns their number. A backend that
	// drops expired records by itself returns 0.
	Purge(ctx context.Context, limit int) (int, error)

	// Clear deletes every record.
	Clear(ctx context.Context) error

	// Ping returns an error while the server cannot be reached.
	Ping(ctx context.Context) error
}
