package session

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"
)

// The encoding keeps Go types, which JSON does not, and needs no registration,
// which gob does. It is canonical: equal values give equal bytes, so that a
// change inside a slice or a map is seen by comparing what it is encoded to.
//
//	values = { key value }              keys in ascending order
//	key    = length, bytes
//	value  = type body
//	type   = tag | tagSlice type | tagMap type
//
// A length is an unsigned varint. In a body, a slice or a map starts with one
// more than its length, and 0 is nil. The tags are part of the format: a new one
// goes to the end.
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
	tagTime
	tagAny // as the element of a slice or map: each one brings its own type
	tagSlice
	tagMap
)

// maxDepth bounds how deep slices and maps nest; a map that holds itself ends there.
const maxDepth = 32

// MaxValues is the most bytes that a session's values take, encoded.
const MaxValues = 256 << 10

var errDepth = fmt.Errorf("it nests slices or maps more than %d deep", maxDepth)

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
	tagTime:    reflect.TypeFor[time.Time](),
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

// flashKey is where Buffalo keeps the flash, as JSON. Buffalo stores an empty
// one with every page; it means "nothing" and is left out.
const flashKey = "_flash_"

func emptyFlash(key string, value any) bool {
	flash, ok := value.([]byte)
	return ok && key == flashKey && (string(flash) == "{}" || string(flash) == "null")
}

// encode appends the values to b.
func encode(b []byte, values map[any]any) ([]byte, error) {
	keys := make([]string, 0, 8) // on the stack, as long as it lasts
	for k, v := range values {
		key, ok := k.(string)
		if !ok {
			return nil, &TypeError{Key: fmt.Sprint(k), Type: fmt.Sprintf("a key of type %T", k)}
		}
		if !emptyFlash(key, v) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	var err error
	for _, key := range keys {
		b = appendString(b, key)
		if b, err = appendValue(b, values[key], 0); err != nil {
			if e, ok := errors.AsType[*TypeError](err); ok {
				e.Key = key
				return nil, e
			}
			if _, ok := errors.AsType[*TooLargeError](err); ok {
				return nil, err
			}
			return nil, fmt.Errorf("session: the value of %q: %w", key, err)
		}
	}
	return b, checkSize(b)
}

func checkSize(b []byte) error {
	if len(b) > MaxValues {
		return &TooLargeError{Size: len(b), Limit: MaxValues}
	}
	return nil
}

func appendValue(b []byte, v any, depth int) ([]byte, error) {
	switch v := v.(type) { // what most sessions hold, without reflection
	case string:
		return appendString(append(b, tagString), v), nil
	case []byte:
		return appendBytes(append(b, tagBytes), v), nil
	case nil:
		return nil, &TypeError{Type: "nil"}
	}
	value := reflect.ValueOf(v)
	b, err := appendType(b, value.Type(), depth)
	if err != nil {
		return nil, err
	}
	return appendBody(b, value, depth)
}

func appendType(b []byte, t reflect.Type, depth int) ([]byte, error) {
	if tag, ok := tagOf[t]; ok {
		return append(b, tag), nil
	}
	if t.Name() == "" {
		switch {
		case depth == maxDepth:
			return nil, errDepth
		case t.Kind() == reflect.Slice:
			return appendType(append(b, tagSlice), t.Elem(), depth+1)
		case t.Kind() == reflect.Map && t.Key() == typeOf[tagString]:
			return appendType(append(b, tagMap), t.Elem(), depth+1)
		}
	}
	return nil, &TypeError{Type: t.String()}
}

func appendBody(b []byte, v reflect.Value, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, errDepth
	}
	err := checkSize(b)
	if err != nil {
		return nil, err
	}
	switch v.Kind() {
	case reflect.String:
		return appendString(b, v.String()), nil
	case reflect.Bool:
		if v.Bool() {
			return append(b, 1), nil
		}
		return append(b, 0), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return binary.AppendVarint(b, v.Int()), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return binary.AppendUvarint(b, v.Uint()), nil
	case reflect.Float32:
		return binary.BigEndian.AppendUint32(b, math.Float32bits(float32(v.Float()))), nil
	case reflect.Float64:
		return binary.BigEndian.AppendUint64(b, math.Float64bits(v.Float())), nil
	case reflect.Struct: // time.Time
		t, err := v.Interface().(time.Time).MarshalBinary()
		return appendString(b, string(t)), err
	case reflect.Interface:
		return appendValue(b, v.Interface(), depth)
	case reflect.Slice:
		if v.Type() == typeOf[tagBytes] {
			return appendBytes(b, v.Bytes()), nil
		}
		if v.IsNil() {
			return append(b, 0), nil
		}
		b = binary.AppendUvarint(b, uint64(v.Len())+1)
		for i := range v.Len() {
			if b, err = appendBody(b, v.Index(i), depth+1); err != nil {
				return nil, err
			}
		}
		return b, nil
	default: // reflect.Map
		if v.IsNil() {
			return append(b, 0), nil
		}
		b = binary.AppendUvarint(b, uint64(v.Len())+1)
		keys := v.MapKeys()
		slices.SortFunc(keys, func(x, y reflect.Value) int { return strings.Compare(x.String(), y.String()) })
		for _, key := range keys {
			b = appendString(b, key.String())
			if b, err = appendBody(b, v.MapIndex(key), depth+1); err != nil {
				return nil, err
			}
		}
		return b, nil
	}
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendBytes(b, v []byte) []byte {
	if v == nil {
		return append(b, 0)
	}
	return append(binary.AppendUvarint(b, uint64(len(v))+1), v...)
}

// decode reads what encode wrote. Strings share memory with s.
func decode(s string) (map[any]any, error) {
	r := &reader{s: s}
	return r.values(), r.err
}

var errMalformed = errors.New("session: malformed values")

// reader reads from the front of s; after an error it reads zero values.
type reader struct {
	s   string
	err error
}

func (r *reader) values() map[any]any {
	values := make(map[any]any)
	for r.s != "" {
		key := r.string()
		values[key] = r.value(0)
	}
	return values
}

func (r *reader) fail() {
	r.s, r.err = "", errMalformed
}

func (r *reader) take(n uint64) string {
	if n > uint64(len(r.s)) {
		r.fail()
		return ""
	}
	s := r.s[:n]
	r.s = r.s[n:]
	return s
}

func (r *reader) byte() byte {
	if r.s == "" {
		r.fail()
		return 0
	}
	b := r.s[0]
	r.s = r.s[1:]
	return b
}

func (r *reader) uvarint() (n uint64) {
	for shift := 0; shift < 64; shift += 7 {
		b := r.byte()
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return n
		}
	}
	r.fail()
	return 0
}

func (r *reader) varint() int64 {
	n := r.uvarint()
	return int64(n>>1) ^ -int64(n&1)
}

func (r *reader) string() string {
	return r.take(r.uvarint())
}

// length reads the length of a slice or map; ok is false for a nil one. Each
// element takes at least a byte, so what claims more is refused before memory
// is made for it.
func (r *reader) length() (n int, ok bool) {
	l := r.uvarint()
	if l == 0 {
		return 0, false
	}
	if l-1 > uint64(len(r.s)) {
		r.fail()
		return 0, false
	}
	return int(l - 1), true
}

func (r *reader) bytes() []byte {
	n, ok := r.length()
	if !ok {
		return nil
	}
	return []byte(r.take(uint64(n)))
}

func (r *reader) time() (t time.Time) {
	b := []byte(r.string())
	if r.err != nil || t.UnmarshalBinary(b) != nil {
		r.fail()
		return t
	}
	// UnmarshalBinary takes the odd seconds of an offset for positive (version 2
	// of its format, which historic zones have); the time would drift with each page.
	if b[0] == 2 && int8(b[len(b)-1]) < 0 {
		_, offset := t.Zone()
		t = t.In(time.FixedZone("", offset-256))
	}
	return t
}

func (r *reader) value(depth int) any {
	tag := r.byte()
	switch tag {
	case tagString:
		return r.string()
	case tagBytes:
		return r.bytes()
	case tagAny: // only the element of something
		r.fail()
	}
	t := r.typ(tag, depth)
	if r.err != nil {
		return nil
	}
	v := reflect.New(t).Elem()
	r.body(v, depth)
	return v.Interface()
}

func (r *reader) typ(tag byte, depth int) reflect.Type {
	switch {
	case depth > maxDepth:
	case tag == tagSlice:
		elem := r.typ(r.byte(), depth+1)
		if r.err == nil && elem != typeOf[tagUint8] { // []byte has a tag of its own
			return reflect.SliceOf(elem)
		}
	case tag == tagMap:
		elem := r.typ(r.byte(), depth+1)
		if r.err == nil {
			return reflect.MapOf(typeOf[tagString], elem)
		}
	case int(tag) < len(typeOf) && typeOf[tag] != nil:
		return typeOf[tag]
	}
	r.fail()
	return nil
}

func (r *reader) body(v reflect.Value, depth int) {
	if depth > maxDepth {
		r.fail()
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(r.string())
	case reflect.Bool:
		v.SetBool(r.byte() == 1)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n := r.varint()
		if v.OverflowInt(n) {
			r.fail()
		}
		v.SetInt(n)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n := r.uvarint()
		if v.OverflowUint(n) {
			r.fail()
		}
		v.SetUint(n)
	case reflect.Float32:
		if s := r.take(4); r.err == nil {
			v.SetFloat(float64(math.Float32frombits(binary.BigEndian.Uint32([]byte(s)))))
		}
	case reflect.Float64:
		if s := r.take(8); r.err == nil {
			v.SetFloat(math.Float64frombits(binary.BigEndian.Uint64([]byte(s))))
		}
	case reflect.Struct:
		v.Set(reflect.ValueOf(r.time()))
	case reflect.Interface:
		if elem := r.value(depth); r.err == nil {
			v.Set(reflect.ValueOf(elem))
		}
	case reflect.Slice:
		r.slice(v, depth)
	case reflect.Map:
		r.table(v, depth)
	}
}

func (r *reader) slice(v reflect.Value, depth int) {
	if v.Type() == typeOf[tagBytes] {
		v.SetBytes(r.bytes())
		return
	}
	n, ok := r.length()
	if !ok {
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, min(n, 64)))
	for range n {
		elem := reflect.New(v.Type().Elem()).Elem()
		if r.body(elem, depth+1); r.err != nil {
			return
		}
		v.Set(reflect.Append(v, elem))
	}
}

func (r *reader) table(v reflect.Value, depth int) {
	n, ok := r.length()
	if !ok {
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for range n {
		key := reflect.ValueOf(r.string())
		elem := reflect.New(v.Type().Elem()).Elem()
		if r.body(elem, depth+1); r.err != nil {
			return
		}
		v.SetMapIndex(key, elem)
	}
}
