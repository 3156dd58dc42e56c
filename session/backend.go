package session

import (
	"context"
	"encoding/hex"
	"time"
)

// An ID names a record in a Backend. On a server, a session's ID is the first 16 bytes of the SHA-256 of
// the selector in the visitor's cookie. Someone who steals the records cannot make a cookie from it.
// Options.MaxPerOwner and Options.Revoked also store a record under an owner's hash.
type ID [16]byte

// String returns the ID as 32 hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// An OwnerHash stands for the owner of sessions in a Backend: 16 bytes of an HMAC-SHA-256 of the
// cookie's name and the owner. Without a secret, nobody can tell whether it is a certain owner's.
type OwnerHash [16]byte

// A Backend keeps the records of sessions on a server. A record is opaque and
// never empty. A record lives for a duration that the
// backend measures with its own clock, so processes whose clocks differ agree on it.
//
// A Backend also keeps an index of the sessions by owner. Each entry expires on its own, whether or not
// its session does.
//
// Each method takes no longer than its context allows and may be called by any number of
// goroutines and processes at once. An error means that the server did not do what it was
// asked, or that its reply was lost; in the second case the change may have been made. A
// backend sends a command a second time only if the server has answered that it undid the first.
type Backend interface {
	// Load returns the record under id, when it expires and what time it is, both by the
	// backend's clock. The record is nil if there is none or it has expired.
	Load(ctx context.Context, id ID) (record []byte, expires, now time.Time, err error)

	// Swap replaces old by next, which lives for ttl, and reports true if old is what is
	// stored under id. A nil old stands for no record, or an expired one. Swap also reports
	// true if next itself is already there, as after a lost reply. Otherwise it changes
	// nothing and reports false. Comparing and replacing are one atomic step: of several
	// Swaps from the same old, one succeeds. A ttl of less than a millisecond counts as one.
	Swap(ctx context.Context, id ID, old, next []byte, ttl time.Duration) (bool, error)

	// Put stores next under id for ttl, whatever is there.
	Put(ctx context.Context, id ID, next []byte, ttl time.Duration) error

	// Each calls f with every record that has not expired, one after another in any order,
	// until f returns an error, which Each returns. Records that change during the walk may be
	// left out or come twice. The record belongs to f only during the call.
	Each(ctx context.Context, f func(id ID, record []byte) error) error

	// AddOwned adds the session id to the owner's entries for ttl, or sets the entry's ttl again.
	AddOwned(ctx context.Context, owner OwnerHash, id ID, ttl time.Duration) error

	// Owned returns the owner's entries, in any order, and what time it is by the backend's clock. If
	// there are no entries, the time may be zero.
	Owned(ctx context.Context, owner OwnerHash) (owned []Owned, now time.Time, err error)

	// RemoveOwned removes the session id from the owner's entries if its entry expires at that time or
	// earlier, and so was not added again since Owned returned it.
	RemoveOwned(ctx context.Context, owner OwnerHash, id ID, expires time.Time) error

	// Purge deletes at most limit expired records and returns their number. A backend that
	// drops expired records by itself returns 0. An expired index entry counts as a record.
	Purge(ctx context.Context, limit int) (int, error)

	// Clear deletes every record, and the index.
	Clear(ctx context.Context) error

	// Ping returns an error while the server cannot be reached.
	Ping(ctx context.Context) error
}

// Owned is an entry of a Backend's index by owner.
type Owned struct {
	ID      ID        // of the session
	Expires time.Time // by the backend's clock, in whole milliseconds
}
