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

// TooLargeError is the error of Save when the cookie would be longer than the
// MaxCookie bytes a browser keeps. Nothing is written: the browser keeps the
// session it had.
type TooLargeError struct {
	Size int // bytes of the cookie: name, value and attributes
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("session: the cookie would be %d bytes long and a browser keeps %d: store less in it, or keep the sessions on a server",
		e.Size, MaxCookie)
}

// TypeError is the error of Save when a value has a type that a session does
// not hold (the package's documentation lists those it does). Nothing is written.
type TypeError struct {
	Key  string // the key whose value, or a part of it, has the type
	Type string // the type as Go prints it, such as "actions.Hero"
}

func (e *TypeError) Error() string {
	return fmt.Sprintf("session: the value of %q holds a %s: store strings, []byte, bool, numbers, time.Time, and slices and string-keyed maps of these",
		e.Key, e.Type)
}
