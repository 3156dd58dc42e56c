package values

import (
	"iter"
	"maps"
	"slices"
	"strings"
)

// Same reports whether values has the encoding s. It compares strings and bytes in
// place, so that an unchanged page encodes next to nothing.
func Same(s string, values map[any]any) bool {
	n, r := 0, Reader{Rest: s}
	for ; r.Rest != ""; n++ {
		value, ok := values[r.string()]
		if !ok || r.Err != nil || !r.equals(value) {
			return false
		}
	}
	for key, value := range values {
		if emptyFlash(key, value) {
			n++
		}
	}
	return n == len(values)
}

// equals reads the next value and reports whether it is v.
func (r *Reader) equals(v any) bool {
	switch v := v.(type) {
	case string:
		return r.byte() == tagString && r.string() == v && r.Err == nil
	case []byte:
		if r.byte() != tagBytes {
			return false
		}
		n, ok := r.length()
		return ok == (v != nil) && r.Take(uint64(n)) == string(v) && r.Err == nil
	}
	b, err := appendValue(nil, v, 0)
	rest, ok := strings.CutPrefix(r.Rest, string(b))
	r.Rest = rest
	return ok && err == nil
}

// next reads the next key, and its value's own encoding.
func (r *Reader) next() (key, value string) {
	key = r.string()
	rest := r.Rest
	switch r.byte() {
	case tagString:
		r.string()
	case tagBytes:
		n, _ := r.length()
		r.Take(uint64(n))
	default:
		r.Rest = rest
		r.value(0)
	}
	return key, rest[:len(rest)-len(r.Rest)]
}

// split returns each value's own encoding, by key.
func split(s string) map[string]string {
	r, all := Reader{Rest: s}, map[string]string{}
	for r.Rest != "" {
		key, value := r.next()
		all[key] = value
	}
	return all
}

// Changed yields the keys whose values differ in the two encodings.
func Changed(base, mine string) iter.Seq[string] {
	return func(yield func(string) bool) {
		was := split(base)
		for r := (Reader{Rest: mine}); r.Rest != ""; {
			key, value := r.next()
			old, ok := was[key]
			delete(was, key)
			if (!ok || old != value) && !yield(key) {
				return
			}
		}
		for key := range was { // they were deleted
			if !yield(key) {
				return
			}
		}
	}
}

// Merge returns latest with the changes that lead from base to mine.
func Merge(latest, base, mine string) string {
	if latest == base {
		return mine
	}
	merged, is := split(latest), split(mine)
	for key := range Changed(base, mine) {
		if value, ok := is[key]; ok {
			merged[key] = value
		} else {
			delete(merged, key)
		}
	}
	return join(merged)
}

// WithoutFlash returns the encoding of the same values without Buffalo's flash.
func WithoutFlash(s string) string {
	all := split(s)
	delete(all, FlashKey)
	return join(all)
}

func join(all map[string]string) string {
	var b []byte
	for _, key := range slices.Sorted(maps.Keys(all)) {
		b = append(appendString(b, key), all[key]...)
	}
	return string(b)
}
