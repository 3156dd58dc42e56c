// Package values encodes the values of a session.
//
// The encoding keeps Go types, which JSON does not, and it needs no registration for the
// types that most sessions hold, which gob does. It is canonical: equal values have equal
// encodings, so a change inside a slice or a map shows when two encodings differ.
//
//	values = { key value }              keys in ascending order
//	key    = length, bytes
//	value  = type body
//	type   = tag | tagSlice type | tagMap type | tagNamed name
//
// A length is an unsigned varint. In a body, a slice or a map starts with one more than
// its length, and 0 stands for nil.
package values

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"
)

// The tags are part of the format.
const (
	tagString byte = iota + 1
	tagBytes
	tagBool
	tagInt
	tagInt8
	tagInt16
	tagInt32
	tagInt64
	tagUint
	tagUint8
	tagUint16
	tagUint32
	tagUint64
	tagFloat32
	tagFloat64
	tagAny // the element type of a slice or map whose elements each bring their own
	tagSlice
	tagMap
	tagNamed // a type that Register knows under the name that follows
)

// Max is the largest encoding of a session's values, in bytes.
const Max = 256 << 10

// maxDepth bounds how deep slices and maps nest, so that a map that contains itself ends.
const maxDepth = 32

var (
	// ErrTooLarge reports that an encoding would exceed Max.
	ErrTooLarge = fmt.Errorf("more than %d bytes", Max)

	errDepth     = fmt.Errorf("it nests slices or maps more than %d deep", maxDepth)
	errMalformed = errors.New("malformed values")
)

// A TypeError names a type that cannot be encoded, and the key it was found under.
type TypeError struct{ Key, Type string }

func (e *TypeError) Error() string { return e.Type + " under " + e.Key }

var typeOf = [...]reflect.Type{
	tagString:  reflect.TypeFor[string](),
	tagBytes:   reflect.TypeFor[[]byte](),
	tagBool:    reflect.TypeFor[bool](),
	tagInt:     reflect.TypeFor[int](),
	tagInt8:    reflect.TypeFor[int8](),
	tagInt16:   reflect.TypeFor[int16](),
	tagInt32:   reflect.TypeFor[int32](),
	tagInt64:   reflect.TypeFor[int64](),
	tagUint:    reflect.TypeFor[uint](),
	tagUint8:   reflect.TypeFor[uint8](),
	tagUint16:  reflect.TypeFor[uint16](),
	tagUint32:  reflect.TypeFor[uint32](),
	tagUint64:  reflect.TypeFor[uint64](),
	tagFloat32: reflect.TypeFor[float32](),
	tagFloat64: reflect.TypeFor[float64](),
	tagAny:     reflect.TypeFor[any](),
}

var tagOf = func() map[reflect.Type]byte {
	tags := make(map[reflect.Type]byte, len(typeOf))
	for tag, t := range typeOf {
		if t != nil {
			tags[t] = byte(tag)
		}
	}
	return tags
}()

// The types that were registered, by name and by type.
var typeByName, nameByType sync.Map

func init() { Register("time", time.Time{}) }

// Register lets values of v's type be encoded under name. The type must implement
// encoding.BinaryMarshaler, and a pointer to it encoding.BinaryUnmarshaler. Register panics if
// it does not, or if the name or the type is registered otherwise.
func Register(name string, v encoding.BinaryMarshaler) {
	t := reflect.TypeOf(v)
	if !reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.BinaryUnmarshaler]()) {
		panic(fmt.Sprintf("session: Register %q: *%v does not implement encoding.BinaryUnmarshaler", name, t))
	}
	if known, ok := typeByName.LoadOrStore(name, t); ok && known != t {
		panic(fmt.Sprintf("session: Register %q: the name already belongs to %v", name, known))
	}
	if known, ok := nameByType.LoadOrStore(t, name); ok && known != name {
		panic(fmt.Sprintf("session: Register %q: %v is already registered as %q", name, t, known))
	}
}

// nameOf returns the name under which a type was registered.
func nameOf(t reflect.Type) (string, bool) {
	if t.PkgPath() == "" { // most of them: a predeclared type, a slice or a map
		return "", false
	}
	name, ok := nameByType.Load(t)
	if !ok {
		return "", false
	}
	return name.(string), true
}
