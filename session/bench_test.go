package session

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"
)

// The lesson's hero, with the flash that says it was saved.
func heroValues() map[any]any {
	return map[any]any{
		"name":         "Superman",
		"alter_ego":    "Clark Kent",
		"catch_phrase": "Up, up and away!",
		flashKey:       []byte(`{"success":["Superman is registered."]}`),
	}
}

// BenchmarkSealOpen is one hero on the way to the browser and back: encoded and
// sealed, opened and decoded. The peer, securecookie with encryption, and the
// floor, the cipher and base64 alone, are measured beside it.
func BenchmarkSealOpen(b *testing.B) {
	keys, err := newKeyring([][]byte{[]byte(NewSecret())})
	if err != nil {
		b.Fatal(err)
	}
	hero := heroValues()
	b.ReportAllocs()
	for b.Loop() {
		plain, err := encode(make([]byte, 0, 256), hero)
		if err != nil {
			b.Fatal(err)
		}
		sealed := keys.seal("_heroes_session", plain)
		opened, _, err := keys.open("_heroes_session", sealed)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := decode(opened); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFloor(b *testing.B) {
	aead, err := chacha20poly1305.NewX(make([]byte, chacha20poly1305.KeySize))
	if err != nil {
		b.Fatal(err)
	}
	plain, err := encode(nil, heroValues())
	if err != nil {
		b.Fatal(err)
	}
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	b.ReportAllocs()
	for b.Loop() {
		box := aead.Seal(nil, nonce, plain, nil)
		text := strict.EncodeToString(box)
		box, err := strict.DecodeString(text)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := aead.Open(nil, nonce, box, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAnonymous is a page for a visitor without a session.
func BenchmarkAnonymous(b *testing.B) {
	store, err := New([][]byte{[]byte(NewSecret())}, Options{})
	if err != nil {
		b.Fatal(err)
	}
	h := store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, "s")
		_ = s.Save(r, w)
		w.WriteHeader(http.StatusOK)
	}))
	r := httptest.NewRequest("GET", "/", nil)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}
