package gorilla

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"heroes/session"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"
	"github.com/stretchr/testify/require"
)

const name = "_app_session"

var key = []byte("a secret of the old application")

func init() {
	for _, v := range []any{time.Time{}, []any{}, []string{}, hero{}} {
		gob.Register(v)
	}
}

type hero struct{ Name string }

// set returns the cookie of a session that gorilla's own store has saved.
func set(t *testing.T, store *sessions.CookieStore, values map[any]any) string {
	t.Helper()
	r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	s, err := store.Get(r, name)
	require.NoError(t, err)
	maps.Copy(s.Values, values)
	require.NoError(t, s.Save(r, w))
	return w.Result().Cookies()[0].Value
}

func newReader(t *testing.T, options Options, keyPairs ...[]byte) *Reader {
	t.Helper()
	r, err := New(keyPairs, options)
	require.NoError(t, err)
	return r
}

func Test_the_values_are_those_that_gorilla_has_stored(t *testing.T) {
	want := map[any]any{
		"name": "Superman", "n": 3, "n8": int8(-8), "u": uint64(1 << 63), "f": 0.5, "yes": true, "empty": "",
		"_flash_": []byte(`{"info":["hello"]}`), "_flash": []any{"a", 1}, "when": time.Now().UTC().Truncate(time.Millisecond),
		"list": []string{"a", "b"},
	}
	for how, pairs := range map[string][][]byte{
		"signed":    {key},
		"encrypted": {key, []byte("0123456789abcdef")},
	} {
		cookie := set(t, sessions.NewCookieStore(pairs...), want)
		found, err := newReader(t, Options{}, pairs...).ReadCookie(t.Context(), name, cookie)
		require.NoError(t, err, how)
		require.Len(t, found.Values, len(want))
		for key, value := range want {
			require.Equal(t, value, found.Values[key.(string)], "%s: %v", how, key)
		}
		require.InDelta(t, 30*24*time.Hour, found.Left, float64(3*time.Second))
	}
}

func Test_each_codec_of_the_old_application_is_tried(t *testing.T) {
	cookie := set(t, sessions.NewCookieStore(key), map[any]any{"n": 1})
	_, err := newReader(t, Options{}, []byte("a newer secret"), nil, key, nil).ReadCookie(t.Context(), name, cookie)
	require.NoError(t, err)
}

func Test_what_the_old_application_would_refuse_is_refused(t *testing.T) {
	cookie := set(t, sessions.NewCookieStore(key), map[any]any{"name": "Superman"})
	r := newReader(t, Options{}, key)
	signed, err := base64.URLEncoding.DecodeString(cookie)
	require.NoError(t, err)
	last := strings.TrimRight(cookie, "=")
	for why, value := range map[string]string{
		"tampered":           strings.Replace(cookie, "M", "N", 1),
		"cut":                cookie[:len(cookie)-4],
		"empty":              "",
		"nothing but base64": base64.URLEncoding.EncodeToString([]byte("||")),
		"another key":        set(t, sessions.NewCookieStore([]byte("another")), map[any]any{"n": 1}),
		"no padding":         last,
		"standard base64":    base64.StdEncoding.EncodeToString(signed) + "+",
		"too long":           strings.Repeat("A", 5000),
	} {
		_, err := r.ReadCookie(t.Context(), name, value)
		require.Equal(t, errRefused, err, why)
	}
	_, err = r.ReadCookie(t.Context(), "another_name", cookie)
	require.Equal(t, errRefused, err)
	_, err = newReader(t, Options{MaxAge: time.Nanosecond}, key).ReadCookie(t.Context(), name, cookie)
	require.Equal(t, errRefused, err)
}

// Each spelling of a cookie would lead to another session.
func Test_only_one_spelling_is_accepted(t *testing.T) {
	r := newReader(t, Options{}, key)
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_="
	for _, text := range []string{"a", "ab", "abc"} { // each length of padding
		cookie := set(t, sessions.NewCookieStore(key), map[any]any{"text": text})
		accepted := 0
		for i := len(cookie) - 4; i < len(cookie); i++ {
			for _, c := range alphabet {
				other := cookie[:i] + string(c) + cookie[i+1:]
				if _, err := r.ReadCookie(t.Context(), name, other); err == nil && other != cookie {
					accepted++
				}
			}
		}
		require.Zero(t, accepted)
		_, err := r.ReadCookie(t.Context(), name, cookie)
		require.NoError(t, err)
	}
}

func Test_Convert_replaces_what_sessions_cannot_store(t *testing.T) {
	cookie := set(t, sessions.NewCookieStore(key), map[any]any{"hero": hero{"Superman"}, 7: "seven"})
	_, err := newReader(t, Options{}, key).ReadCookie(t.Context(), name, cookie)
	require.Equal(t, &session.TypeError{Key: "7", Type: "a key of type int"}, err)
	convert := func(values map[any]any) {
		values["hero"] = values["hero"].(hero).Name
		values["seven"] = values[7]
		delete(values, 7)
	}
	found, err := newReader(t, Options{Convert: convert}, key).ReadCookie(t.Context(), name, cookie)
	require.NoError(t, err)
	require.Equal(t, map[string]any{"hero": "Superman", "seven": "seven"}, found.Values)
}

func Test_a_reader_needs_a_secret(t *testing.T) {
	_, err := New(nil, Options{})
	require.ErrorContains(t, err, "no key")
	_, err = New([][]byte{key, nil, []byte("")}, Options{})
	require.ErrorContains(t, err, "key pair 2 has an empty signing key", "stock Buffalo starts without a secret")
}

func Test_Peek_reads_a_cookie_without_the_secret(t *testing.T) {
	values, at, err := Peek(set(t, sessions.NewCookieStore(key), map[any]any{"alter_ego": "Clark Kent"}))
	require.NoError(t, err)
	require.Equal(t, map[any]any{"alter_ego": "Clark Kent"}, values)
	require.WithinDuration(t, time.Now(), at, 3*time.Second)
}

// What somebody who knows the old secret could send.
func Test_a_hostile_cookie_costs_little(t *testing.T) {
	codec := securecookie.New(key, nil)
	codec.SetSerializer(raw{})
	r := newReader(t, Options{}, key)
	var deep any = "a"
	for range 60 {
		deep = []any{deep}
	}
	var nested bytes.Buffer
	require.NoError(t, gob.NewEncoder(&nested).Encode(map[any]any{"deep": deep}))
	for what, payload := range map[string][]byte{
		"a length of 2^60":  {0xf8, 0x10, 0, 0, 0, 0, 0, 0, 0},
		"a huge message":    append([]byte{0xfc, 0x3f, 0xff, 0xff, 0xff}, make([]byte, 100)...),
		"a map of billions": []byte("\x0e\xff\x81\x04\x01\x02\xff\x82\x00\x01\x10\x01\x10\x00\x00\x09\xff\x82\x00\xfc\x3f\xff\xff\xff\x00"),
		"nested":            nested.Bytes(),
		"no gob":            []byte("{}"),
	} {
		cookie, err := codec.Encode(name, payload)
		require.NoError(t, err, what)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		_, _ = r.ReadCookie(t.Context(), name, cookie)
		elapsed := time.Since(start)
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20), what)
		t.Log(what, elapsed, after.TotalAlloc-before.TotalAlloc)
	}
}

// raw serializes nothing.
type raw struct{}

func (raw) Serialize(v any) ([]byte, error)   { return v.([]byte), nil }
func (raw) Deserialize(b []byte, v any) error { return json.Unmarshal(b, v) }

func Test_an_application_of_gorilla_moves_without_signing_anyone_out(t *testing.T) {
	old := sessions.NewCookieStore(key)
	cookie := set(t, old, map[any]any{"user": "clark"})
	store, err := session.New([][]byte{[]byte(session.NewSecret())}, session.Options{Adopt: []session.Source{{Session: name, Reader: newReader(t, Options{}, key)}}})
	require.NoError(t, err)
	r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	r.AddCookie(&http.Cookie{Name: name, Value: cookie})
	s, err := store.Get(r, name)
	require.NoError(t, err)
	require.Equal(t, "clark", s.Values["user"])
	require.NoError(t, s.Save(r, w))
	require.Len(t, w.Result().Cookies(), 1)
}

func FuzzReadCookie(f *testing.F) {
	codec := securecookie.New(key, nil)
	codec.SetSerializer(raw{})
	var seed bytes.Buffer
	_ = gob.NewEncoder(&seed).Encode(map[any]any{"name": "Superman", "n": 1, "list": []any{1, "a"}})
	f.Add(seed.Bytes(), "")
	f.Add([]byte{0x80}, "") // the longest number
	f.Add([]byte{}, base64.URLEncoding.EncodeToString([]byte("1700000000|YQ==|mac")))
	reader, err := New([][]byte{key}, Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, payload []byte, cookie string) {
		_, _, _ = Peek(cookie)
		if _, err := reader.ReadCookie(t.Context(), name, cookie); err == nil {
			t.Fatalf("%q was accepted", cookie)
		}
		signed, err := codec.Encode(name, payload)
		if err != nil {
			return
		}
		if found, err := reader.ReadCookie(t.Context(), name, signed); err == nil && found.Values == nil {
			t.Fatal("no values and no error")
		}
	})
}
