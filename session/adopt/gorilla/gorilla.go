// Package gorilla reads the session cookies of gorilla/sessions, in which stock Buffalo keeps its
// sessions, so that an application can change to package session without signing anybody out. It
// only reads.
//
//	codecs := securecookie.CodecsFromPairs([]byte(os.Getenv("OLD_SECRET"))) // as sessions.NewCookieStore has them
//	reader, err := gorilla.New(codecs, gorilla.Options{})
//
// A cookie is a time, the values in gob and a signature, in base64 (gorilla/securecookie). Unless the
// application has set a second key, anyone who has the cookie can read it.
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

// Options of New. The zero value is right for stock Buffalo.
type Options struct {
	// MaxAge refuses older cookies: the MaxAge of the other application's sessions.CookieStore.
	// The codecs check their own as well. Default: 30 days, as in gorilla/sessions.
	MaxAge time.Duration

	// Convert replaces in place what this library cannot store: keys that are not strings, and
	// values of other types than session.Store's documentation lists. A session that has some of
	// these afterwards is not taken over. Default: nothing is replaced.
	Convert func(values map[any]any)
}

var errRefused = errors.New("gorilla: the cookie is not one of this application, or too old")

// A Reader reads the cookies of an application. It is a session.Reader.
type Reader struct {
	codecs  []securecookie.Codec
	maxAge  time.Duration
	convert func(map[any]any)
}

// New returns a Reader that accepts what any of the codecs does. It returns an error if there is none, or
// if one has an empty key: then anybody can make cookies. The program must pass the types that it
// stores to gob.Register, as the other application does.
func New(codecs []securecookie.Codec, options Options) (*Reader, error) {
	if len(codecs) == 0 {
		return nil, errors.New("gorilla: there is no codec: pass those that securecookie.CodecsFromPairs returns for the application's secret")
	}
	forged, err := securecookie.New([]byte{}, nil).Encode("forged", 1)
	for i, codec := range codecs {
		if n := 0; err != nil || codec.Decode("forged", forged, &n) == nil {
			return nil, fmt.Errorf("gorilla: the key of codec %d of %d is empty, so anybody can make cookies for it: leave it out", i+1, len(codecs))
		}
	}
	r := &Reader{codecs, options.MaxAge, options.Convert}
	if r.maxAge == 0 {
		r.maxAge = 30 * 24 * time.Hour
	}
	return r, nil
}

// ReadCookie returns the values in a cookie, and how long gorilla/sessions would still accept it. The
// error is the same whatever is wrong, except that it says which key cannot be stored.
func (r *Reader) ReadCookie(_ context.Context, name, value string) (session.Contents, error) {
	var all map[any]any
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
			return session.Contents{}, fmt.Errorf("gorilla: the session has the key %v, which is not a string: replace it in Options.Convert", key)
		}
		values[text] = value
	}
	return session.Contents{Values: values, Left: left}, nil
}

// Peek returns what is in a cookie without a second key, and when it was set, without checking the
// signature: anybody can.
func Peek(cookie string) (values map[any]any, at time.Time, err error) {
	at, payload, err := parse(cookie)
	if err == nil {
		err = gob.NewDecoder(bytes.NewReader(payload)).Decode(&values)
	}
	return values, at, err
}

// maxCookie is more than a cookie has, in bytes; browsers keep no larger one.
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
