package values

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var everyType = map[any]any{
	"string":     "Superman",
	"empty":      "",
	"bytes":      []byte{0, 1, 255},
	"no bytes":   []byte{},
	"nil bytes":  []byte(nil),
	"true":       true,
	"false":      false,
	"int":        math.MinInt,
	"int8":       int8(-128),
	"int16":      int16(32767),
	"int32":      int32('🦸'),
	"int64":      int64(math.MaxInt64),
	"uint":       uint(math.MaxUint),
	"uint8":      uint8(255),
	"uint16":     uint16(65535),
	"uint32":     uint32(math.MaxUint32),
	"uint64":     uint64(math.MaxUint64),
	"float32":    float32(1.5),
	"float64":    math.Inf(-1),
	"time":       time.Date(1938, 4, 18, 12, 0, 0, 123456789, time.UTC),
	"strings":    []string{"a", ""},
	"no strings": []string{},
	"nil slice":  []string(nil),
	"bools":      []bool{true, false},
	"times":      []time.Time{time.Unix(0, 0).UTC()},
	"nested":     [][][]int{{{1, 2}, nil}, {}},
	"byteses":    [][]byte{{1}, nil},
	"any":        []any{"a", 1, []any{uint8(2), map[string]any{"b": 1.5}}},
	"map":        map[string]string{"b": "2", "a": "1"},
	"nil map":    map[string]int(nil),
	"no map":     map[string]int{},
	"maps":       map[string]map[string][]int16{"a": {"b": {1}}},
	"anys":       map[string]any{"a": time.Unix(1, 0).UTC(), "b": []string{"c"}},
}

func Test_09_values_keep_their_types(t *testing.T) {
	b, err := Encode(nil, everyType)
	require.NoError(t, err)
	values, err := Decode(string(b))
	require.NoError(t, err)
	for key, want := range everyType {
		require.True(t, reflect.DeepEqual(want, values[key]), "%s: %#v is not %#v", key, values[key], want)
	}
	require.Len(t, values, len(everyType))
}

func Test_09_a_time_keeps_its_zone_and_its_nanoseconds(t *testing.T) {
	now := time.Now().In(time.FixedZone("", 5*3600+1800))
	b, err := Encode(nil, map[any]any{"t": now})
	require.NoError(t, err)
	values, err := Decode(string(b))
	require.NoError(t, err)
	require.Equal(t, now.Format(time.RFC3339Nano), values["t"].(time.Time).Format(time.RFC3339Nano))

	monrovia := time.Date(1960, 1, 1, 0, 0, 0, 0, time.FixedZone("", -2670)) // 44 minutes 30 seconds behind
	b, err = Encode(nil, map[any]any{"t": monrovia})
	require.NoError(t, err)
	values, err = Decode(string(b))
	require.NoError(t, err)
	_, offset := values["t"].(time.Time).Zone()
	require.Equal(t, -2670, offset)

	_, err = Encode(nil, map[any]any{"t": time.Now().In(time.FixedZone("", 1<<30))})
	require.ErrorContains(t, err, `"t"`)
}

func Test_17_equal_values_are_encoded_alike(t *testing.T) {
	first, err := Encode(nil, everyType)
	require.NoError(t, err)
	for range 50 {
		values, err := Decode(string(first))
		require.NoError(t, err)
		again, err := Encode(nil, values)
		require.NoError(t, err)
		require.Equal(t, first, again)
	}
}

func Test_09_a_map_that_holds_itself_is_an_error(t *testing.T) {
	m := map[string]any{}
	m["m"], m["n"] = []any{m, m}, m
	_, err := Encode(nil, map[any]any{"loop": m})
	require.ErrorContains(t, err, `"loop"`)
	require.ErrorContains(t, err, "32")
}

func Test_05_malformed_values_are_an_error_and_take_no_memory(t *testing.T) {
	b, err := Encode(nil, everyType)
	require.NoError(t, err)
	for i := range b {
		_, _ = Decode(string(b[:i])) // some prefixes are whole values; none may panic
		for c := range 256 {
			_, _ = Decode(string(b[:i]) + string([]byte{byte(c)}) + string(b[i+1:]))
		}
	}
	huge := "\x01k" + string([]byte{tagSlice, tagString}) + "\xff\xff\xff\xff\xff\xff\xff\xff\x7f"
	require.Less(t, testing.AllocsPerRun(10, func() { _, err = Decode(huge) }), 20.0)
	require.ErrorIs(t, err, errMalformed)
}

func Test_05_values_that_do_not_fit_their_type_are_malformed(t *testing.T) {
	for _, value := range []string{
		string([]byte{byte(reflect.Int8), 0x80, 0x02}),   // 128
		string([]byte{byte(reflect.Uint8), 0x80, 0x02}),  // 256
		string([]byte{tagAny, tagString, 0}),             // any is only an element
		string([]byte{tagSlice, byte(reflect.Uint8), 1}), // []byte has a tag of its own
		string([]byte{tagNamed}) + "\x04time\x01\x00",    // no time
		string([]byte{tagNamed}) + "\x04nope\x01\x00",    // no such name
		string([]byte{byte(reflect.Uint64)}) + strings.Repeat("\xff", 10) + "\x00",
		strings.Repeat(string([]byte{tagSlice}), 40) + string([]byte{tagString, 0}),
		string([]byte{0}), string([]byte{99, 0}),
	} {
		_, err := Decode("\x01k" + value)
		require.ErrorIs(t, err, errMalformed, "%q", value)
	}
}

func Test_13_changes_are_found_and_merged_key_by_key(t *testing.T) {
	encode := func(keys string) string { // "a1 b2": each a key and its value
		values := map[any]any{}
		for _, pair := range strings.Fields(keys) {
			values[pair[:1]] = pair[1:]
		}
		b, err := Encode(nil, values)
		require.NoError(t, err)
		return string(b)
	}
	for _, row := range []struct{ latest, base, mine, changed, merged string }{
		{"a1", "a1", "a1", "", "a1"},
		{"a1", "a1", "a2", "a", "a2"},
		{"a1 z9", "a1", "a2", "a", "a2 z9"},
		{"a1 b1 z9", "a1 b1", "b1", "a", "b1 z9"},
		{"a1 b1 z9", "a1 b1", "a1", "b", "a1 z9"},
		{"b1 c1", "b1", "a1 b1 c2", "ac", "a1 b1 c2"},
		{"", "b1", "a1 c1", "abc", "a1 c1"},
		{"a1 b2", "", "b1 d1", "bd", "a1 b1 d1"},
		{"z9", "a1 b1 c1", "", "abc", "z9"},
		{"", "", "", "", ""},
	} {
		changed := strings.Join(slices.Sorted(Changed(encode(row.base), encode(row.mine))), "")
		require.Equal(t, row.changed, changed, "%v", row)
		require.Equal(t, encode(row.merged), Merge(encode(row.latest), encode(row.base), encode(row.mine)), "%v", row)
	}
}
