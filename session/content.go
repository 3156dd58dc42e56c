package session

import (
	"encoding/binary"
	"math"
	"time"

	"heroes/session/internal/values"
)

// A content is the part of a session that is sealed in a cookie, or in a record on a server. The
// application can reach only the values.
//
// The durations hold for the moment of writing. A reader subtracts what has elapsed since: on a
// server by the backend's clock, so that no two processes need clocks that agree. The times of
// creation and last use are by the writer's clock; on a server they are only for display.
type content struct {
	id         ID
	created    time.Time
	used       time.Time     // when it was last written; see stale for how exact that is
	idle       time.Duration // until the idle timeout, or forever
	lifetime   time.Duration // until the absolute lifetime ends
	grace      time.Duration // until the previous token is forgotten; on a server only
	ends       time.Time     // when the lifetime ends by the backend's clock; zero in the record that began it
	since      time.Time     // when the owner signed in by the backend's clock; zero in the record that the sign-in wrote
	verifier   verifierHash  // of the valid token; on a server only
	lastSignIn               // who signed in
	other      time.Duration // how long the cookie that it was adopted from can still be valid in the other system
	renewal    mark          // drawn again by each renewal; only if Options.Revoked can end the cookie
	binding                  // to a device
	values     string        // encoded
}

// lastSignIn describes the last sign-in. It is zero if nobody has signed in.
type lastSignIn struct {
	owner      string
	age        time.Duration // how long ago it was, rounded up; since has it by the backend's clock
	when       time.Time     // it was; for display
	note       string        // of the application
	keep       time.Duration // how long the session is to last; 0: as long as the options allow
	transient  bool          // the cookie is to last until the browser closes
	generation mark          // of the owner's sessions; only if Options.Revoked can end the cookie
}

// A mark is a random number that is compared for equality.
type mark [16]byte

const forever = time.Duration(math.MaxInt64)

// left returns the time until the session ends unless it is used.
func (c content) left() time.Duration {
	return min(c.idle, c.lifetime)
}

// ttl returns how long a server keeps the session's record. That of a session from another system's
// cookie stays until nobody can adopt that cookie again.
func (c content) ttl() time.Duration {
	return max(c.left(), c.other)
}

// after returns c as it is when d has elapsed. Durations are sealed in whole milliseconds.
func (c content) after(d time.Duration) content {
	if c.idle != forever {
		c.idle = (c.idle - d).Truncate(time.Millisecond)
	}
	c.lifetime = (c.lifetime - d).Truncate(time.Millisecond)
	c.grace = max(0, (c.grace - d).Truncate(time.Millisecond))
	c.other = max(0, (c.other - d).Truncate(time.Millisecond))
	c.optional = max(0, (c.optional - d).Truncate(time.Millisecond))
	c.offered = max(0, (c.offered - d).Truncate(time.Millisecond))
	if c.owner != "" {
		c.age = (c.age + d + time.Millisecond - 1).Truncate(time.Millisecond)
	}
	return c
}

// Optional fields follow the fixed ones, so that a session seals only those that it has. Each is
// a tag, a length and bytes; tag 0 ends them.
const (
	fieldEnd = iota
	fieldVerifier
	fieldGrace
	fieldEnds
	fieldOwner
	fieldAge
	fieldNote
	fieldTransient
	fieldRenewal
	fieldGeneration
	fieldKeep
	fieldSince
	fieldOther
	fieldKey
	fieldOptional
	fieldOffered
	fieldProofs
	fieldRequired
)

// maxContent is more than a content needs besides its values, its owner and its note.
const maxContent = 216

// encode returns the bytes to seal. The file docs/session.md describes them.
func (c content) encode() []byte {
	b := append(make([]byte, 0, maxContent+len(c.owner)+len(c.note)+len(c.values)), c.id[:]...)
	b = binary.AppendUvarint(b, uint64(c.created.UnixMilli()))
	b = binary.AppendUvarint(b, uint64(max(0, c.used.UnixMilli()-c.created.UnixMilli())))
	b = appendDuration(b, c.lifetime)
	if c.idle == forever {
		b = append(b, 0)
	} else {
		b = appendDuration(b, c.idle)
	}
	if c.verifier != (verifierHash{}) {
		b = appendField(b, fieldVerifier, c.verifier[:])
	}
	b = appendNumber(b, fieldGrace, c.grace.Milliseconds())
	if !c.ends.IsZero() {
		b = appendNumber(b, fieldEnds, c.ends.UnixMilli())
	}
	b = appendField(b, fieldOwner, c.owner)
	b = appendNumber(b, fieldAge, c.age.Milliseconds())
	b = appendField(b, fieldNote, c.note)
	if c.transient {
		b = append(b, fieldTransient, 0)
	}
	b = appendMark(b, fieldRenewal, c.renewal)
	b = appendMark(b, fieldGeneration, c.generation)
	b = appendNumber(b, fieldKeep, c.keep.Milliseconds())
	if !c.since.IsZero() {
		b = appendNumber(b, fieldSince, c.since.UnixMilli())
	}
	b = appendNumber(b, fieldOther, c.other.Milliseconds())
	b = appendField(b, fieldKey, c.key)
	if c.required.IsZero() {
		b = appendNumber(b, fieldOptional, c.optional.Milliseconds())
	} else if c.optional > 0 {
		b = appendNumber(b, fieldRequired, c.required.UnixMilli())
	}
	b = appendNumber(b, fieldOffered, c.offered.Milliseconds())
	b = appendNumber(b, fieldProofs, int64(c.proofs))
	return append(append(b, fieldEnd), c.values...)
}

func appendDuration(b []byte, d time.Duration) []byte {
	return binary.AppendUvarint(b, uint64(max(1, d.Milliseconds())))
}

// appendField appends a field, unless it is empty.
func appendField[T string | []byte](b []byte, tag byte, field T) []byte {
	if len(field) == 0 {
		return b
	}
	return append(binary.AppendUvarint(append(b, tag), uint64(len(field))), field...)
}

// appendNumber appends a field with a number, unless it is zero.
func appendNumber(b []byte, tag byte, n int64) []byte {
	if n == 0 {
		return b
	}
	var field [binary.MaxVarintLen64]byte
	return appendField(b, tag, field[:binary.PutUvarint(field[:], uint64(n))])
}

func appendMark(b []byte, tag byte, m mark) []byte {
	if m == (mark{}) {
		return b
	}
	return appendField(b, tag, m[:])
}

// decodeContent reads what encode wrote. The values are not decoded yet.
func decodeContent(plain string) (c content, err error) {
	r := values.Reader{Rest: plain}
	copy(c.id[:], r.Take(uint64(len(c.id))))
	c.created = time.UnixMilli(int64(r.Uvarint()))
	c.used = c.created.Add(readDuration(&r))
	c.lifetime = readDuration(&r)
	if c.idle = readDuration(&r); c.idle == 0 {
		c.idle = forever
	}
	for tag := r.Uvarint(); tag != fieldEnd; tag = r.Uvarint() {
		field := values.Reader{Rest: r.Take(r.Uvarint())}
		switch tag {
		case fieldVerifier:
			copy(c.verifier[:], field.Rest)
		case fieldGrace:
			c.grace = readDuration(&field)
		case fieldEnds:
			c.ends = time.UnixMilli(int64(field.Uvarint()))
		case fieldOwner:
			c.owner = field.Rest
		case fieldAge:
			c.age = readDuration(&field)
		case fieldNote:
			c.note = field.Rest
		case fieldTransient:
			c.transient = true
		case fieldRenewal:
			copy(c.renewal[:], field.Rest)
		case fieldGeneration:
			copy(c.generation[:], field.Rest)
		case fieldKeep:
			c.keep = readDuration(&field)
		case fieldSince:
			c.since = time.UnixMilli(int64(field.Uvarint()))
		case fieldOther:
			c.other = readDuration(&field)
		case fieldKey:
			c.key = field.Rest
		case fieldOptional:
			c.optional = readDuration(&field)
		case fieldOffered:
			c.offered = readDuration(&field)
		case fieldProofs:
			c.proofs = field.Uvarint()
		case fieldRequired:
			c.required = time.UnixMilli(int64(field.Uvarint()))
		}
	}
	if c.owner != "" {
		c.when = c.used.Add(-c.age)
	}
	c.values = r.Rest
	return c, r.Err
}

func readDuration(r *values.Reader) time.Duration {
	return time.Duration(min(r.Uvarint(), uint64(forever/time.Millisecond))) * time.Millisecond
}
