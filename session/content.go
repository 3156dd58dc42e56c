package session

import (
	"encoding/binary"
	"math"
	"time"

	"heroes/session/internal/values"
)

// A content is what a cookie, or a record on a server, seals of a session. The application can
// reach only the values.
//
// The durations hold for the moment of writing. A reader subtracts what has elapsed since: on a
// server by the backend's clock, so that no two processes need clocks that agree. The times of
// creation and last use are by the writer's clock; on a server they are only for display.
type content struct {
	id       Key
	created  time.Time
	used     time.Time     // when it was written, exact to half of the idle timeout
	idle     time.Duration // until the idle timeout, or forever
	lifetime time.Duration // until the absolute lifetime ends
	grace    time.Duration // until the previous token is forgotten; on a server only
	ends     time.Time     // when the lifetime ends by the backend's clock; zero in the first record
	verifier verifierHash  // of the valid token; on a server only
	values   string        // encoded
}

const forever = time.Duration(math.MaxInt64)

// left returns the time until the session ends unless it is used.
func (c content) left() time.Duration {
	return min(c.idle, c.lifetime)
}

// after returns c as it is when d has elapsed. Durations are sealed in whole milliseconds.
func (c content) after(d time.Duration) content {
	if c.idle != forever {
		c.idle = (c.idle - d).Truncate(time.Millisecond)
	}
	c.lifetime = (c.lifetime - d).Truncate(time.Millisecond)
	c.grace = max(0, (c.grace - d).Truncate(time.Millisecond))
	return c
}

// Optional fields follow the fixed ones, so that a session seals only those that it has. Each is
// a tag, a length and bytes; tag 0 ends them.
const (
	fieldEnd = iota
	fieldVerifier
	fieldGrace
	fieldEnds
)

// maxContent is more than a content needs besides its values.
const maxContent = 112

// encode returns the sealed form, which the documentation of the package describes.
func (c content) encode() []byte {
	b := append(make([]byte, 0, maxContent+len(c.values)), c.id[:]...)
	b = binary.AppendUvarint(b, uint64(c.created.UnixMilli()))
	b = binary.AppendUvarint(b, uint64(max(0, c.used.UnixMilli()-c.created.UnixMilli())))
	b = appendDuration(b, c.lifetime)
	if c.idle == forever {
		b = append(b, 0)
	} else {
		b = appendDuration(b, c.idle)
	}
	if c.verifier != (verifierHash{}) {
		b = append(append(b, fieldVerifier, byte(len(c.verifier))), c.verifier[:]...)
	}
	if c.grace > 0 {
		b = appendField(b, fieldGrace, c.grace.Milliseconds())
	}
	if !c.ends.IsZero() {
		b = appendField(b, fieldEnds, c.ends.UnixMilli())
	}
	return append(append(b, fieldEnd), c.values...)
}

func appendDuration(b []byte, d time.Duration) []byte {
	return binary.AppendUvarint(b, uint64(max(1, d.Milliseconds())))
}

func appendField(b []byte, tag byte, n int64) []byte {
	field := binary.AppendUvarint(nil, uint64(n))
	return append(append(b, tag, byte(len(field))), field...)
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
		}
	}
	c.values = r.Rest
	return c, r.Err
}

func readDuration(r *values.Reader) time.Duration {
	return time.Duration(min(r.Uvarint(), uint64(forever/time.Millisecond))) * time.Millisecond
}
