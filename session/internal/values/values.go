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

// A tag is part of the format. That of a type without a name of its own is its reflect.Kind.
const (
	tagString = byte(reflect.String)
	tagAny    = byte(reflect.Interface) // of elements that each bring their own type
	tagSlice  = byte(reflect.Slice)
	tagMap    = byte(reflect.Map)
	tagBytes  = 100
	tagNamed  = 101 // a type that Register knows under the name that follows
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

// typeOf and tagOf translate between tags and the types that need no more than a tag.
var typeOf, tagOf = func() (map[byte]reflect.Type, map[reflect.Type]byte) {
	types, tags := map[byte]reflect.Type{}, map[reflect.Type]byte{}
	for _, v := range []any{"", false, 0, int8(0), int16(0), int32(0), int64(0), uint(0), uint8(0), uint16(0),
		uint32(0), uint64(0), float32(0), float64(0)} {
		types[byte(reflect.TypeOf(v).Kind())] = reflect.TypeOf(v)
	}
	types[tagAny], types[tagBytes] = reflect.TypeFor[any](), reflect.TypeFor[[]byte]()
	for tag, t := range types {
		tags[t] = tag
	}
	return types, tags
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
