package session

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"heroes/session/internal/values"
)

// FuzzCookie sends foreign bytes as the cookie: whatever they are, the session is
// empty, unless the store made them itself.
func FuzzCookie(f *testing.F) {
	keys, err := newKeyring([][]byte{newSecret, oldSecret})
	if err != nil {
		f.Fatal(err)
	}
	store, err := New([][]byte{newSecret, oldSecret}, Options{IdleTimeout: -1, Lifetime: forever})
	if err != nil {
		f.Fatal(err)
	}
	encoded, err := values.Encode(nil, heroValues())
	if err != nil {
		f.Fatal(err)
	}
	c := heroContent()
	c.idle, c.lifetime, c.values = forever, forever, string(encoded)
	own := sealed(keys, name, c.encode())
	f.Add(own)
	f.Add(own[:len(own)-1])
	f.Add(sealed(keys[1:], name, c.encode()))
	f.Add("")
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, value string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Cookie", name+"="+value)
		s, err := store.Get(r, name)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := opened(keys, name, value)
		if err == nil && strict.EncodeToString([]byte(mustDecode(t, value))) != value {
			t.Fatalf("a second spelling of a valid cookie: %q", value)
		}
		if (err == nil) == s.IsNew && plain != "" {
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

// FuzzContent decodes foreign bytes as the content of a session. decodeContent refuses them, or
// the content that it returns survives being encoded and decoded again.
func FuzzContent(f *testing.F) {
	c := heroContent()
	f.Add(string(c.encode()))
	c.idle, c.grace, c.verifier = forever, time.Second, verifierHash{1}
	f.Add(string(c.encode()))
	c.lastSignIn = lastSignIn{owner: "clark", age: time.Minute, note: "Firefox", transient: true, generation: mark{2}}
	c.renewal = mark{3}
	f.Add(string(c.encode()))
	f.Fuzz(func(t *testing.T, plain string) {
		c, err := decodeContent(plain)
		if err != nil {
			return
		}
		again, err := decodeContent(string(c.encode()))
		if err != nil {
			t.Fatal(err)
		}
		if again.id != c.id || again.verifier != c.verifier || again.values != c.values || again.grace != c.grace || again.idle != c.idle ||
			again.owner != c.owner || again.age != c.age || again.note != c.note || again.transient != c.transient ||
			again.renewal != c.renewal || again.generation != c.generation {
			t.Fatalf("%+v, then %+v", c, again)
		}
	})
}

// FuzzToken parses foreign bytes as a token: only the stored token's own spelling leads to its
// identity.
func FuzzToken(f *testing.F) {
	as := newIdentity(nil)
	f.Add(as.token)
	f.Add(as.token[:63])
	f.Add(as.token[:21] + newIdentity(nil).token[21:])
	f.Fuzz(func(t *testing.T, value string) {
		b, err := decodeText(value)
		if err != nil || len(b) != selectorSize+verifierSize {
			return
		}
		if got := identityOf(b); got.token != value || (got == as) != (value == as.token) {
			t.Fatalf("%q is another spelling of %q", value, got.token)
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

// FuzzProof sends foreign bytes as a proof, a challenge and an identifier: neither of the first two opens.
func FuzzProof(f *testing.F) {
	store, err := New([][]byte{newSecret, oldSecret}, Options{DeviceProof: time.Hour})
	if err != nil {
		f.Fatal(err)
	}
	id := ID{1}
	f.Add(store.sealTimed(kindProof, name, ID{2}, "key"))
	f.Add(store.sealTimed(kindRecord, name, id, "key"))
	f.Add("")
	f.Fuzz(func(t *testing.T, value string) {
		for _, kind := range []byte{kindOffer, kindChallenge, kindProof} {
			if text, age := store.openTimed(kind, name, id, value); text != "" || age != forever {
				t.Fatalf("opened: %q", value)
			}
		}
		if id, key, seal := parseIdentifier(value); key != "" {
			if !store.registeredAt(name, id, key, seal).IsZero() {
				t.Fatalf("registered: %q", value)
			}
			again := id.String() + "." + encodeText([]byte(key))
			if strings.Count(value, ".") > 1 {
				again += "." + seal
			}
			if len(key) > maxKey || !strings.EqualFold(again[:32], value[:32]) || again[32:] != value[32:] {
				t.Fatalf("%q is %q", value, again)
			}
		}
	})
}
