package session

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
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

// timestamps are as long as those of a session that was just created.
const timestamps = "\xc0\xfd\xf5\xd7\x06\x00"

// BenchmarkSealOpen is one hero on the way to the browser and back: encoded and
// sealed, opened and decoded. The peer, securecookie with encryption, and the
// floor, the cipher and base64 alone, are measured beside it.
func BenchmarkSealOpen(b *testing.B) {
	keys, err := newKeyring([][]byte{[]byte(NewSecret())})
	if err != nil {
		b.Fatal(err)
	}
	hero := heroValues()
	size := 0
	b.ReportAllocs()
	for b.Loop() {
		plain, err := encode(append(make([]byte, 0, 256), timestamps...), hero)
		if err != nil {
			b.Fatal(err)
		}
		sealed := keys.sealText("_heroes_session", plain)
		opened, _, err := keys.openText("_heroes_session", sealed)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := decode(opened[len(timestamps):]); err != nil {
			b.Fatal(err)
		}
		size = len(sealed)
	}
	b.ReportMetric(float64(size), "cookie-bytes")
}

func BenchmarkSealOpenFloor(b *testing.B) {
	aead, err := chacha20poly1305.NewX(make([]byte, chacha20poly1305.KeySize))
	if err != nil {
		b.Fatal(err)
	}
	plain, err := encode([]byte(timestamps), heroValues())
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

// The budgets of the design, which a benchmark would only show.
func Test_a_hero_takes_at_most_20_allocations_and_260_bytes(t *testing.T) {
	keys, err := newKeyring([][]byte{newSecret})
	require.NoError(t, err)
	hero := heroValues()
	var sealed string
	var failed error
	allocs := testing.AllocsPerRun(100, func() { // nothing of the test's own in here: it would count
		plain, err := encode(append(make([]byte, 0, 256), timestamps...), hero)
		sealed = keys.sealText(name, plain)
		opened, _, errOpen := keys.openText(name, sealed)
		_, errDecode := decode(opened[len(timestamps):])
		if err != nil || errOpen != nil || errDecode != nil {
			failed = errors.Join(err, errOpen, errDecode)
		}
	})
	require.NoError(t, failed)
	require.LessOrEqual(t, len(sealed), 260)
	require.LessOrEqual(t, allocs, 20.0)
}
