package values

import (
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// FlashKey is the key under which Buffalo stores the flash, as JSON. Buffalo stores an
// empty flash with every page. It means nothing and is not encoded.
const FlashKey = "_flash_"

func emptyFlash(key, value any) bool {
	flash, ok := value.([]byte)
	return ok && key == FlashKey && (string(flash) == "{}" || string(flash) == "null")
}

// Encode appends the encoding of values to b. The errors are *TypeError, ErrTooLarge,
// and those of a value's own MarshalBinary.
func Encode(b []byte, values map[any]any) ([]byte, error) {
	keys := make([]string, 0, 8) // on the stack for up to eight values
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
			var e *TypeError
			if errors.As(err, &e) {
				e.Key = key
				return nil, e
			}
			return nil, fmt.Errorf("the value of %q: %w", key, err)
		}
	}
	return b, checkSize(b)
}

func checkSize(b []byte) error {
	if len(b) > Max {
		return ErrTooLarge
	}
	return nil
}

func appendValue(b []byte, v any, depth int) ([]byte, error) {
	switch v := v.(type) { // the types that most sessions hold need no reflection
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
	if name, ok := nameOf(t); ok {
		return appendString(append(b, tagNamed), name), nil
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
	if _, ok := nameOf(v.Type()); ok {
		text, err := v.Interface().(encoding.BinaryMarshaler).MarshalBinary()
		return appendString(b, string(text)), err
	}
	switch v.Kind() {
	case reflect.String:
		return appendString(b, v.String()), nil
	case reflect.Int:
		return binary.AppendVarint(b, v.Int()), nil
	case reflect.Uint:
		return binary.AppendUvarint(b, v.Uint()), nil
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
	case reflect.Map:
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
	return binary.Append(b, binary.BigEndian, v.Interface()) // bools and numbers of a fixed size
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
