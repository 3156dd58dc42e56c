package session

import (
	"errors"
	"fmt"
)

// ErrUnavailable says that the sessions could not be read or written because
// their store cannot be reached. Nothing is lost: the request is to be answered
// with 503 and tried again. A cookie store is never unavailable.
var ErrUnavailable = errors.New("session: the store cannot be reached")

// ErrTooLate says that a session was changed after the response had begun, when
// no cookie can be sent any more. Change it before the first byte.
var ErrTooLate = errors.New("session: changed after the response had begun")

// ErrEnded says that a session was ended, here or elsewhere, while a request that
// had read it was under way: its change is not saved. A session in a cookie is
// never ended elsewhere.
var ErrEnded = errors.New("session: ended while the request was under way")

// TooLargeError is the error of Save when the cookie would be longer than the
// MaxCookie bytes a browser keeps, or the values longer than the MaxValues bytes
// that a session holds anywhere. Nothing is written: the browser keeps the session
// it had.
type TooLargeError struct {
	Size  int // bytes of the cookie (name, value and attributes) or of the values
	Limit int // MaxCookie or MaxValues
}

func (e *TooLargeError) Error() string {
	if e.Limit == MaxValues {
		return fmt.Sprintf("session: the values are more than %d bytes: store less", e.Limit)
	}
	return fmt.Sprintf("session: the cookie would be %d bytes long and a browser keeps %d: store less in it, or keep the sessions on a server",
		e.Size, e.Limit)
}

// TypeError is the error of Save when a value has a type that a session does
// not hold (the package's documentation lists those it does), or its key is no
// string. Nothing is written.
type TypeError struct {
	Key  string // the key whose value, or a part of it, has the type
	Type string // the type as Go prints it, such as "actions.Hero"
}

func (e *TypeError) Error() string {
	return fmt.Sprintf("session: cannot keep %s under %q: store strings, []byte, bool, numbers, time.Time, and slices and string-keyed maps of these",
		e.Type, e.Key)
}
