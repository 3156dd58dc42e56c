package session

import (
	"net/http/httptest"
	"reflect"
	"testing"
)

// FuzzCookie sends foreign bytes as the cookie: whatever they are, the session is
// empty, unless the store made them itself.
func FuzzCookie(f *testing.F) {
	keys, err := newKeyring([][]byte{newSecret, oldSecret})
	if err != nil {
		f.Fatal(err)
	}
	store := &Store{keys: keys, options: Options{IdleTimeout: -1, Lifetime: 1 << 62}}
	plain, err := encode([]byte{0, 0}, everyType)
	if err != nil {
		f.Fatal(err)
	}
	sealed := keys.sealText(name, plain)
	f.Add(sealed)
	f.Add(sealed[:len(sealed)-1])
	f.Add(keys[1:].sealText(name, plain))
	f.Add("")
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, value string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Cookie", name+"="+value)
		s, err := store.Get(r, name)
		if err != nil {
			t.Fatal(err)
		}
		opened, _, err := keys.openText(name, value)
		if err == nil && strict.EncodeToString([]byte(mustDecode(t, value))) != value {
			t.Fatalf("a second spelling of a valid cookie: %q", value)
		}
		if (err == nil) == s.IsNew && opened != "" {
			t.Fatalf("opened: %v, new: %v", err == nil, s.IsNew)
		}
		if err != nil && len(s.Values) > 0 {
			t.Fatalf("values from a cookie that does not open: %v", s.Values)
		}
	})
}

func mustDecode(t *testing.T, value string) string {
	b, err := strict.DecodeString(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// FuzzValues decodes foreign bytes as values: they are refused or, encoded again,
// give the same values.
func FuzzValues(f *testing.F) {
	b, err := encode(nil, everyType)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(b))
	for key, value := range everyType {
		b, err := encode(nil, map[any]any{key: value})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	f.Fuzz(func(t *testing.T, s string) {
		values, err := decode(s)
		if err != nil {
			return
		}
		b, err := encode(nil, values)
		if err != nil {
			t.Fatalf("decoded and not encoded: %v", err)
		}
		again, err := decode(string(b))
		if err != nil {
			t.Fatal(err)
		}
		b2, err := encode(nil, again)
		if err != nil || string(b) != string(b2) || len(values) != len(again) {
			t.Fatalf("%v, then %v (%v)", values, again, err)
		}
		for k := range values {
			if reflect.TypeOf(values[k]) != reflect.TypeOf(again[k]) {
				t.Fatalf("%v is a %T, then a %T", k, values[k], again[k])
			}
		}
	})
}

// FuzzSecrets reads foreign configuration: an error never repeats a secret.
func FuzzSecrets(f *testing.F) {
	f.Add("")
	f.Add(NewSecret())
	f.Add(NewSecret() + ", " + NewSecret())
	f.Add("short,," + NewSecret())
	f.Fuzz(func(t *testing.T, list string) {
		secrets, err := ParseSecrets(list)
		if err != nil {
			return
		}
		if _, err := New(secrets, Options{}); err != nil {
			t.Fatalf("%q is parsed and then refused: %v", list, err)
		}
	})
}
