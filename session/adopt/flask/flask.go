// Package flask reads the session cookies of Flask 1, 2 and 3. It only reads. Flask cannot read the
// sessions of this library.
//
// A cookie is a payload, a time and a signature, in base64url and separated by dots (itsdangerous'
// URLSafeTimedSerializer with the salt "cookie-session"). The signature is an HMAC-SHA-1 under a key
// derived from SECRET_KEY. Anyone who has the cookie can read it.
package flask

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"time"

	"heroes/session"
)

// Options configures New. The zero value matches Flask's defaults.
type Options struct {
	// MaxAge is the age from which cookies are refused: Flask's PERMANENT_SESSION_LIFETIME. Default:
	// 31 days.
	MaxAge time.Duration

	// Salt is the salt of an application whose session interface overrides it. Default:
	// "cookie-session".
	Salt string
}

const (
	maxCookie  = 4096     // bytes; browsers keep no larger one
	maxPayload = 64 << 10 // bytes, decompressed
	maxItems   = 2000     // in all lists and dicts
	maxDepth   = 30       // of lists and dicts

	maxSkew = time.Minute // between the clocks of Flask's host and this one
)

var errRefused = errors.New("flask: the cookie is not this application's, or is too old")

// A Reader reads the cookies of an application. It is a session.Reader.
type Reader struct {
	keys   [][]byte
	maxAge time.Duration
}

// New returns a Reader that accepts cookies signed with any of the secret keys: Flask's SECRET_KEY and its
// SECRET_KEY_FALLBACKS. Pass a key of bytes as a string of the same bytes. New returns an error if there
// is no key, or if a key is empty.
func New(secretKeys []string, options Options) (*Reader, error) {
	r := &Reader{maxAge: options.MaxAge}
	if r.maxAge == 0 {
		r.maxAge = 31 * 24 * time.Hour
	}
	salt := options.Salt
	if salt == "" {
		salt = "cookie-session"
	}
	for _, secret := range secretKeys {
		if secret == "" {
			return nil, errors.New("flask: a secret key is empty")
		}
		r.keys = append(r.keys, mac([]byte(secret), salt))
	}
	if len(r.keys) == 0 {
		return nil, errors.New("flask: there is no secret key")
	}
	return r, nil
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha1.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

var encoding = base64.RawURLEncoding.Strict()

// ReadCookie returns the values in a cookie, and how long Flask would still accept it. It ignores the
// cookie's name, because Flask does not sign it. Every failure returns the same error.
func (r *Reader) ReadCookie(_ context.Context, _, value string) (session.Contents, error) {
	values, left, err := r.open(value, time.Now())
	if err != nil {
		return session.Contents{}, errRefused
	}
	return session.Contents{Values: values, Left: left}, nil
}

func (r *Reader) open(cookie string, now time.Time) (values map[string]any, left time.Duration, err error) {
	signed, signature, ok := cutLast(cookie)
	if len(cookie) > maxCookie || !ok || !r.signed(signed, signature) {
		return nil, 0, errRefused
	}
	payload, at, err := parse(signed)
	if left = r.maxAge - now.Sub(at); err != nil || left <= 0 || at.Sub(now) > maxSkew {
		return nil, 0, errRefused
	}
	values, err = read(payload)
	return values, left, err
}

// Peek returns the values in a cookie, and when it was set. It needs no key, because it does not check the
// signature.
func Peek(cookie string) (values map[string]any, at time.Time, err error) {
	signed, _, ok := cutLast(cookie)
	if len(cookie) > maxCookie || !ok {
		return nil, at, errRefused
	}
	payload, at, err := parse(signed)
	if err == nil {
		values, err = read(payload)
	}
	return values, at, err
}

// parse splits the signed part of a cookie into the payload and the time.
func parse(signed string) (payload string, at time.Time, err error) {
	payload, stamp, _ := cutLast(signed)
	at, err = parseTime(stamp)
	return payload, at, err
}

// read returns the values in a payload.
func read(payload string) (values map[string]any, err error) {
	text, err := decompress(payload)
	if err == nil {
		values, err = decode(text)
	}
	if err != nil {
		return nil, errRefused
	}
	return values, nil
}

// cutLast cuts text at its last dot.
func cutLast(text string) (before, after string, ok bool) {
	i := strings.LastIndexByte(text, '.')
	if i < 0 {
		return "", "", false
	}
	return text[:i], text[i+1:], true
}

// signed reports whether any key made the signature. It always tries every key, so the time it takes does
// not tell which one matched.
func (r *Reader) signed(text, signature string) bool {
	got, err := encoding.DecodeString(signature)
	valid := false
	for _, key := range r.keys {
		valid = hmac.Equal(mac(key, text), got) || valid
	}
	return valid && err == nil && encoding.EncodeToString(got) == signature
}

// epoch is the start of 2011. Before its version 1.0, itsdangerous counted seconds from then. Such a time
// is a smaller number than epoch itself.
const epoch = 1293840000

// parseTime reads Unix seconds, big-endian, in at most five bytes.
func parseTime(text string) (time.Time, error) {
	b, err := encoding.DecodeString(text)
	if err != nil || len(b) == 0 || len(b) > 5 {
		return time.Time{}, errRefused
	}
	var seconds int64
	for _, c := range b {
		seconds = seconds<<8 | int64(c)
	}
	if seconds < epoch {
		seconds += epoch
	}
	return time.Unix(seconds, 0), nil
}

// decompress returns the JSON in a payload, which starts with a dot if it is compressed.
func decompress(payload string) ([]byte, error) {
	compressed := strings.HasPrefix(payload, ".")
	b, err := encoding.DecodeString(strings.TrimPrefix(payload, "."))
	if err != nil || !compressed {
		return b, err
	}
	z, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	text.Grow(maxPayload + bytes.MinRead)
	_, err = io.Copy(&text, io.LimitReader(z, maxPayload+1))
	if err == nil && text.Len() > maxPayload {
		err = errRefused
	}
	return text.Bytes(), err
}
