package values

import (
	"reflect"
	"slices"
	"testing"
)

// FuzzValues decodes foreign bytes as values. Decode refuses them, or the values that it returns
// survive being encoded and decoded again.
func FuzzValues(f *testing.F) {
	b, err := Encode(nil, everyType)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(b))
	for key, value := range everyType {
		b, err := Encode(nil, map[any]any{key: value})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	f.Fuzz(func(t *testing.T, s string) {
		_ = slices.Collect(Changed(s, ""))
		values, err := Decode(s)
		if err != nil {
			return
		}
		b, err := Encode(nil, values)
		if err != nil {
			t.Fatalf("decoded and not encoded: %v", err)
		}
		again, err := Decode(string(b))
		if err != nil {
			t.Fatal(err)
		}
		b2, err := Encode(nil, again)
		if err != nil || string(b) != string(b2) || len(values) != len(again) {
			t.Fatalf("%v, then %v (%v)", values, again, err)
		}
		if !Same(string(b), values) || Merge("", "", string(b)) != string(b) {
			t.Fatalf("%v differs from its own encoding", values)
		}
		for k := range values {
			if reflect.TypeOf(values[k]) != reflect.TypeOf(again[k]) {
				t.Fatalf("%v is a %T, then a %T", k, values[k], again[k])
			}
		}
	})
}
