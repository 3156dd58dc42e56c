package session

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"heroes/session/internal/values"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/chacha20poly1305"
)

// The lesson's hero, with the flash that says it was saved.
func heroValues() map[any]any {
	return map[any]any{
		"name":          "Superman",
		"alter_ego":     "Clark Kent",
		"catch_phrase":  "Up, up and away!",
		values.FlashKey: []byte(`{"success":["Superman is registered."]}`),
	}
}

// roundTrip seals a hero as a cookie does and opens it again.
func roundTrip(keys keyring, c content, hero map[any]any) (sealed string, err error) {
	encoded, err := values.Encode(make([]byte, 0, 256), hero)
	if err != nil {
		return "", err
	}
	c.values = string(encoded)
	sealed = encodeText(keys.seal(c.encode(), purpose(kindCookie, "_heroes_session", nil)))
	box, err := decodeText(sealed)
	if err != nil {
		return "", err
	}
	plain, _, err := keys.open(box, purpose(kindCookie, "_heroes_session", nil))
	if err != nil {
		return "", err
	}
	if c, err = decodeContent(plain); err == nil {
		_, err = values.Decode(c.values)
	}
	return sealed, err
}

func heroContent() content {
	return content{id: newIdentity(nil).id, created: time.Now(), used: time.Now(), idle: 24 * time.Hour, lifetime: 720 * time.Hour}
}

// BenchmarkSealOpen is one hero on the way to the browser and back: encoded and
// sealed, opened and decoded. The peer, securecookie with encryption, and the
// floor, the cipher and base64 alone, are measured beside it.
func BenchmarkSealOpen(b *testing.B) {
	keys, err := newKeyring([][]byte{[]byte(NewSecret())})
	if err != nil {
		b.Fatal(err)
	}
	hero, c := heroValues(), heroContent()
	size := 0
	b.ReportAllocs()
	for b.Loop() {
		sealed, err := roundTrip(keys, c, hero)
		if err != nil {
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
	encoded, err := values.Encode(nil, heroValues())
	if err != nil {
		b.Fatal(err)
	}
	c := heroContent()
	c.values = string(encoded)
	plain := c.encode()
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
	}), nil)
	r := httptest.NewRequest("GET", "/", nil)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}

// bareWriter is a ResponseWriter that costs next to nothing.
type bareWriter struct{ header http.Header }

func (w *bareWriter) Header() http.Header         { return w.header }
func (w *bareWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w *bareWriter) WriteHeader(int)             {}

// BenchmarkUnchanged is a page of a visitor whose session does not change: opened, compared
// and marked for caches.
func BenchmarkUnchanged(b *testing.B) {
	store, err := New([][]byte{[]byte(NewSecret())}, Options{})
	if err != nil {
		b.Fatal(err)
	}
	set := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/", nil)
	s, _ := store.Get(r, "_heroes_session")
	for k, v := range heroValues() {
		s.Values[k] = v
	}
	if err := s.Save(r, set); err != nil {
		b.Fatal(err)
	}
	page := store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, "_heroes_session")
		if s.Values["name"] != "Superman" {
			b.Fatal("no hero")
		}
		_ = s.Save(r, w)
		w.WriteHeader(http.StatusOK)
	}), nil)
	r = httptest.NewRequest("GET", "/", nil)
	r.AddCookie(set.Result().Cookies()[0])
	b.ReportAllocs()
	for b.Loop() {
		page.ServeHTTP(&bareWriter{http.Header{}}, r)
	}
}

// BenchmarkBound is BenchmarkUnchanged with a session that is bound to a device.
func BenchmarkBound(b *testing.B) {
	store, err := New([][]byte{[]byte(NewSecret())}, Options{DeviceProof: 8 * time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	encoded, err := values.Encode(nil, heroValues())
	if err != nil {
		b.Fatal(err)
	}
	c := heroContent()
	c.values, c.key = string(encoded), string(make([]byte, 33))
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(&http.Cookie{Name: name, Value: sealed(store.keys, name, c.encode())})
	r.AddCookie(proofCookie(name, c.id, c.key, store.sealTimed(kindProof, name, c.id, c.key), 480))
	page := store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, name)
		if s.Values["name"] != "Superman" {
			b.Fatal("no hero")
		}
		_ = s.Save(r, w)
		w.WriteHeader(http.StatusOK)
	}), nil)
	b.ReportAllocs()
	for b.Loop() {
		page.ServeHTTP(&bareWriter{http.Header{}}, r)
	}
}

// BenchmarkFirstVisit is a response that begins a session, saved twice as Buffalo does.
func BenchmarkFirstVisit(b *testing.B) {
	store, err := New([][]byte{[]byte(NewSecret())}, Options{})
	if err != nil {
		b.Fatal(err)
	}
	h := store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, "_heroes_session")
		for k, v := range heroValues() {
			s.Values[k] = v
		}
		_ = s.Save(r, w)
		_ = s.Save(r, w)
		w.WriteHeader(http.StatusSeeOther)
	}), nil)
	r := httptest.NewRequest("POST", "/", nil)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(&bareWriter{http.Header{}}, r)
	}
}

// The budgets of the design, which a benchmark would only show.
func Test_a_hero_takes_at_most_22_allocations_and_260_bytes(t *testing.T) {
	keys, err := newKeyring([][]byte{newSecret})
	require.NoError(t, err)
	hero, c := heroValues(), heroContent()
	var sealed string
	var failed error
	allocs := testing.AllocsPerRun(100, func() { // nothing of the test's own in here: it would count
		if sealed, err = roundTrip(keys, c, hero); err != nil {
			failed = err
		}
	})
	require.NoError(t, failed)
	require.LessOrEqual(t, len(sealed), 260)
	require.LessOrEqual(t, allocs, 22.0)
}
