// Package gorilla reads the session cookies of gorilla/sessions, in which stock Buffalo keeps its
// sessions. An application can then change to package session without signing anybody out. It only reads.
//
//	reader, err := gorilla.New([][]byte{[]byte(os.Getenv("OLD_SECRET"))}, gorilla.Options{})
//
// A cookie is a time, the values in gob and a signature, in base64 (gorilla/securecookie). Unless the
// application has set an encryption key, anyone who has the cookie can read it.
//
// The signature is checked before gob decodes anything. Package gob is not designed for untrusted input: if the
// program has registered a map type, someone who knows the key can make a cookie that makes gob use up all
// memory, here as in the other application.
package gorilla

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/gob"
	"errors"
	"fmt"
	"strconv"
	"time"

	"heroes/session"

	"github.com/gorilla/securecookie"
)

// Options configures New. The zero value is right for stock Buffalo.
type Options struct {
	// MaxAge is the age from which cookies are refused: what the other application has passed to
	// the method MaxAge of its sessions.CookieStore. Setting the field Options.MaxAge of that store does
	// not change it. Default: 30 days, as in gorilla/sessions.
	MaxAge time.Duration

	// Convert changes the values in place before they are checked. It can replace keys that are not
	// strings, and values of types that promise 9 of package session does not list. If any remain,
	// the session is not adopted. Default: nothing is changed.
	Convert func(values map[any]any)
}

var errRefused = errors.New("gorilla: the cookie is not this application's, or is too old")

// A Reader reads the cookies of an application. It is a session.Reader.
type Reader struct {
	codecs  []securecookie.Codec
	maxAge  time.Duration
	convert func(map[any]any)
}

// New returns a Reader that accepts cookies made with any of the key pairs. They are the arguments of
// sessions.NewCookieStore: a signing key and an encryption key, which may be nil or, at the end, missing.
// New returns an error if a key has a wrong length, or if a signing key is empty: then anybody can forge
// cookies. Register the same types with gob as the other application does.
func New(keyPairs [][]byte, options Options) (*Reader, error) {
	if len(keyPairs) == 0 {
		return nil, errors.New("gorilla: no keys were passed: use the keys that the application passes to sessions.NewCookieStore")
	}
	r := &Reader{maxAge: options.MaxAge, convert: options.Convert}
	if r.maxAge == 0 {
		r.maxAge = 30 * 24 * time.Hour
	}
	for i := 0; i < len(keyPairs); i += 2 {
		if len(keyPairs[i]) == 0 {
			return nil, fmt.Errorf("gorilla: key pair %d has an empty signing key, so anybody could forge cookies: leave the pair out", i/2+1)
		}
		var encrypts []byte
		if i+1 < len(keyPairs) {
			encrypts = keyPairs[i+1]
		}
		codec := securecookie.New(keyPairs[i], encrypts).MaxAge(0).SetSerializer(boundedGob{})
		if _, err := codec.Encode("probe", 1); err != nil {
			return nil, fmt.Errorf("gorilla: key pair %d: %w", i/2+1, err)
		}
		r.codecs = append(r.codecs, codec)
	}
	return r, nil
}

// ReadCookie returns the values in a cookie, and how long gorilla/sessions would still accept it. The
// error is the same whatever is wrong, except for a *session.TypeError about a key that cannot be stored.
func (r *Reader) ReadCookie(_ context.Context, name, value string) (session.Contents, error) {
	all := map[any]any{} // for a nil map, gob would allocate as many entries as the cookie claims
	at, _, err := parse(value)
	left := r.maxAge - time.Since(at)
	if err != nil || left <= 0 || securecookie.DecodeMulti(name, value, &all, r.codecs...) != nil {
		return session.Contents{}, errRefused
	}
	if r.convert != nil {
		r.convert(all)
	}
	values := make(map[string]any, len(all))
	for key, value := range all {
		text, ok := key.(string)
		if !ok {
			return session.Contents{}, &session.TypeError{Key: fmt.Sprint(key), Type: fmt.Sprintf("a key of type %T", key)}
		}
		values[text] = value
	}
	return session.Contents{Values: values, Left: left}, nil
}

// Peek returns the values in a cookie that is not encrypted, and when it was set. It needs no key, because it
// does not check the signature. Use it only for cookies that you trust: see above.
func Peek(cookie string) (values map[any]any, at time.Time, err error) {
	at, payload, err := parse(cookie)
	values = map[any]any{} // see ReadCookie
	if err == nil {
		err = boundedGob{}.Deserialize(payload, &values)
	}
	return values, at, err
}

// boundedGob is securecookie's gob serializer. It refuses a message that claims more bytes than there are,
// because gob would allocate them.
type boundedGob struct{}

func (boundedGob) Serialize(v any) ([]byte, error) { return securecookie.GobEncoder{}.Serialize(v) }

func (boundedGob) Deserialize(b []byte, v any) error {
	for rest := b; len(rest) > 0; {
		size, width := uint64(rest[0]), 1
		if rest[0] >= 0x80 { // the negated number of length bytes, which are big-endian
			width = 1 - int(int8(rest[0]))
			if width > 9 || width > len(rest) {
				return errRefused
			}
			size = 0
			for _, c := range rest[1:width] {
				size = size<<8 | uint64(c)
			}
		}
		rest = rest[width:]
		if size > uint64(len(rest)) {
			return errRefused
		}
		rest = rest[size:]
	}
	return gob.NewDecoder(bytes.NewReader(b)).Decode(v)
}

// maxCookie is the size of the largest cookie that browsers keep, in bytes.
const maxCookie = 4096

// parse returns the parts of a cookie. It accepts only the spelling that securecookie uses.
func parse(cookie string) (at time.Time, payload []byte, err error) {
	signed, err := base64.URLEncoding.DecodeString(cookie)
	if err != nil || len(cookie) > maxCookie || base64.URLEncoding.EncodeToString(signed) != cookie {
		return at, nil, errRefused
	}
	stamp, rest, _ := bytes.Cut(signed, []byte("|"))
	encoded, _, ok := bytes.Cut(rest, []byte("|"))
	seconds, err := strconv.ParseInt(string(stamp), 10, 64)
	if !ok || err != nil {
		return at, nil, errRefused
	}
	payload, err = base64.URLEncoding.DecodeString(string(encoded))
	return time.Unix(seconds, 0), payload, err
}
