package values

import (
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
		if !ok || r.Err != nil || !r.next(value) {
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

// next reads the next value and reports whether it is v.
func (r *Reader) next(v any) bool {
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

// split returns each value's own encoding, by key.
func split(s string) map[string]string {
	r, all := &Reader{Rest: s}, map[string]string{}
	for r.Rest != "" {
		key := r.string()
		rest := r.Rest
		r.value(0)
		all[key] = rest[:len(rest)-len(r.Rest)]
	}
	return all
}

// Changed returns the keys whose values differ in the two encodings.
func Changed(base, mine string) (keys []string) {
	was, is := split(base), split(mine)
	for key, value := range is {
		if old, ok := was[key]; !ok || old != value {
			keys = append(keys, key)
		}
	}
	for key := range was {
		if _, ok := is[key]; !ok {
			keys = append(keys, key)
		}
	}
	return keys
}

// Merge returns latest with the changes that lead from base to mine.
func Merge(latest, base, mine string) string {
	if latest == base {
		return mine
	}
	merged, is := split(latest), split(mine)
	for _, key := range Changed(base, mine) {
		if value, ok := is[key]; ok {
			merged[key] = value
		} else {
			delete(merged, key)
		}
	}
	var b []byte
	for _, key := range slices.Sorted(maps.Keys(merged)) {
		b = append(appendString(b, key), merged[key]...)
	}
	return string(b)
}
