package values

import (
	"encoding"
	"encoding/binary"
	"reflect"
	"time"
)

// Decode reads what Encode wrote. The strings it returns share memory with s.
func Decode(s string) (map[any]any, error) {
	r, values := Reader{Rest: s}, make(map[any]any)
	for r.Rest != "" {
		key := r.string()
		values[key] = r.value(0)
	}
	return values, r.Err
}

// A Reader reads from the front of Rest. After an error it reads zeros.
type Reader struct {
	Rest string
	Err  error
}

func (r *Reader) fail() {
	r.Rest, r.Err = "", errMalformed
}

// Take reads n bytes.
func (r *Reader) Take(n uint64) string {
	if n > uint64(len(r.Rest)) {
		r.fail()
		return ""
	}
	s := r.Rest[:n]
	r.Rest = r.Rest[n:]
	return s
}

func (r *Reader) byte() byte {
	if r.Rest == "" {
		r.fail()
		return 0
	}
	b := r.Rest[0]
	r.Rest = r.Rest[1:]
	return b
}

// Uvarint reads an unsigned varint.
func (r *Reader) Uvarint() (n uint64) {
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

func (r *Reader) varint() int64 {
	n := r.Uvarint()
	return int64(n>>1) ^ -int64(n&1)
}

func (r *Reader) string() string {
	return r.Take(r.Uvarint())
}

// length reads the length of a slice or map; ok is false for a nil one. Each element
// takes at least a byte, so a larger claim is refused before memory is allocated for it.
func (r *Reader) length() (n int, ok bool) {
	l := r.Uvarint()
	if l == 0 {
		return 0, false
	}
	if l-1 > uint64(len(r.Rest)) {
		r.fail()
		return 0, false
	}
	return int(l - 1), true
}

func (r *Reader) bytes() []byte {
	n, ok := r.length()
	if !ok {
		return nil
	}
	return []byte(r.Take(uint64(n)))
}

func (r *Reader) value(depth int) any {
	tag := r.byte()
	switch tag {
	case tagString:
		return r.string()
	case tagBytes:
		return r.bytes()
	case tagAny: // only elements have it
		r.fail()
	}
	t := r.typ(tag, depth)
	if r.Err != nil {
		return nil
	}
	v := reflect.New(t).Elem()
	r.body(v, depth)
	return v.Interface()
}

func (r *Reader) typ(tag byte, depth int) reflect.Type {
	switch {
	case depth > maxDepth:
	case tag == tagSlice:
		elem := r.typ(r.byte(), depth+1)
		if r.Err == nil && elem != typeOf[byte(reflect.Uint8)] { // []byte has a tag of its own
			return reflect.SliceOf(elem)
		}
	case tag == tagMap:
		elem := r.typ(r.byte(), depth+1)
		if r.Err == nil {
			return reflect.MapOf(typeOf[tagString], elem)
		}
	case tag == tagNamed:
		if t, ok := typeByName.Load(r.string()); ok {
			return t.(reflect.Type)
		}
	case typeOf[tag] != nil:
		return typeOf[tag]
	}
	r.fail()
	return nil
}

func (r *Reader) body(v reflect.Value, depth int) {
	if depth > maxDepth {
		r.fail()
		return
	}
	if _, ok := nameOf(v.Type()); ok {
		r.named(v)
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(r.string())
	case reflect.Int:
		n := r.varint()
		if v.SetInt(n); v.Int() != n { // written where an int is larger
			r.fail()
		}
	case reflect.Uint:
		n := r.Uvarint()
		if v.SetUint(n); v.Uint() != n {
			r.fail()
		}
	case reflect.Interface:
		if elem := r.value(depth); r.Err == nil {
			v.Set(reflect.ValueOf(elem))
		}
	case reflect.Slice, reflect.Map:
		r.elements(v, depth)
	default: // a bool or a number of a fixed size
		size := uint64(v.Type().Size())
		if _, err := binary.Decode([]byte(r.Take(size)), binary.BigEndian, v.Addr().Interface()); err != nil {
			r.fail()
		}
	}
}

// named reads a registered type's own binary form.
func (r *Reader) named(v reflect.Value) {
	text := []byte(r.string())
	if r.Err != nil || v.Addr().Interface().(encoding.BinaryUnmarshaler).UnmarshalBinary(text) != nil {
		r.fail()
		return
	}
	// time.Time reads the odd seconds of a historic zone's offset (version 2 of its form) as
	// positive. Uncorrected, the time would drift with each page.
	if t, ok := v.Interface().(time.Time); ok && text[0] == 2 && int8(text[len(text)-1]) < 0 {
		_, offset := t.Zone()
		v.Set(reflect.ValueOf(t.In(time.FixedZone("", offset-256))))
	}
}

// elements reads the elements of a slice or a map.
func (r *Reader) elements(v reflect.Value, depth int) {
	t := v.Type()
	if t == typeOf[tagBytes] {
		v.SetBytes(r.bytes())
		return
	}
	n, ok := r.length()
	if !ok {
		return
	}
	isMap := t.Kind() == reflect.Map
	if isMap {
		v.Set(reflect.MakeMap(t))
	} else {
		v.Set(reflect.MakeSlice(t, 0, min(n, 64)))
	}
	for range n {
		key, elem := "", reflect.New(t.Elem()).Elem()
		if isMap {
			key = r.string()
		}
		if r.body(elem, depth+1); r.Err != nil {
			return
		}
		if isMap {
			v.SetMapIndex(reflect.ValueOf(key), elem)
		} else {
			v.Set(reflect.Append(v, elem))
		}
	}
}
