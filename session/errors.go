package session

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
)

var (
	// ErrUnavailable reports that the sessions could not be read or written because the server
	// that keeps them cannot be reached. The answer is 503, and the request can be repeated. If
	// the server's reply was lost, the change may have been saved; after a lost renewal, the
	// visitor has to sign in again. Sessions in cookies are always available.
	ErrUnavailable = errors.New("session: the server that keeps the sessions cannot be reached")

	// ErrConflict reports that the session's token was replaced by Renew, or that the session
	// was ended, before this request could save its change. The change was not saved, and the
	// browser's cookie was left alone. The answer is 409; a repeated request carries the browser's
	// new cookie. Another session that the same request changed may have been saved.
	ErrConflict = errors.New("session: another request renewed or ended the session, so nothing was saved: repeat the request")

	// ErrContended reports that so many requests changed the session at once that this one gave
	// up. Nothing of it was saved. The answer is 409, and the request can be repeated.
	ErrContended = errors.New("session: too many requests change the session at once, so nothing was saved: repeat the request")

	// ErrTooManyNew reports that Options.AllowNew does not let the client begin another session now. Nothing was saved.
	// The answer is 429.
	ErrTooManyNew = errors.New("session: too many sessions begin at the moment, so this one was not saved: repeat the request later")

	// ErrTooLate reports that the response had begun before the session was asked for or
	// changed, so no cookie can be sent any more. Do both before the first byte.
	ErrTooLate = errors.New("session: asked for or changed after the response had begun")
)

// A TooLargeError is the error of Save when the cookie would exceed the MaxCookie bytes that
// a browser keeps, or the values Options.MaxValues. Nothing is
// written; the browser keeps the session it had.
type TooLargeError struct {
	Size  int // bytes of the cookie, with its name and attributes; 0 if the values are too large
	Limit int // MaxCookie or Options.MaxValues
}

func (e *TooLargeError) Error() string {
	if e.Size == 0 {
		return fmt.Sprintf("session: the values take more than %d bytes: store less", e.Limit)
	}
	return fmt.Sprintf("session: the cookie would take %d bytes and browsers keep at most %d: store less, or keep the sessions on a server", e.Size, e.Limit)
}

// A TypeError is the error of Save when a value's type cannot be stored, or a key is not a
// string. Nothing is written.
type TypeError struct {
	Key  string // the key of the value that is, or contains, the type
	Type string // the type as Go prints it, such as "actions.Hero"
}

func (e *TypeError) Error() string {
	return fmt.Sprintf("session: cannot store %s under %q: store strings, []byte, bools, numbers, time.Time, types passed to session.Register, and slices and string-keyed maps of these",
		e.Type, e.Key)
}

// A delayed error says when the request may be repeated.
type delayed struct {
	error
	after time.Duration
}

func (d delayed) Unwrap() error { return d.error }

// Status returns the status that answers an error of this package: 503 for ErrUnavailable, 429 for ErrTooManyNew,
// 409 for ErrConflict, ErrContended and ErrUnproven, 403 for ErrNobody and ErrTooMany (401 would ask for HTTP
// authentication), and 500 for any other. With 503, 429 and 409 it sets
// Retry-After in header (RFC 9110, section 10.2.3).
func Status(header http.Header, err error) int {
	status, after := statusOf(err), time.Second
	var d delayed
	switch {
	case status == http.StatusInternalServerError, status == http.StatusForbidden:
		return status
	case status == http.StatusServiceUnavailable:
		after = 5 * time.Second
	case errors.As(err, &d):
		after = max(after, d.after)
	}
	header.Set("Retry-After", strconv.Itoa(int(math.Ceil(after.Seconds()))))
	return status
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, ErrUnavailable):
		return http.StatusServiceUnavailable
	case errors.Is(err, ErrTooManyNew):
		return http.StatusTooManyRequests
	case errors.Is(err, ErrConflict), errors.Is(err, ErrContended), errors.Is(err, ErrUnproven):
		return http.StatusConflict
	case errors.Is(err, ErrNobody), errors.Is(err, ErrTooMany):
		return http.StatusForbidden
	}
	return http.StatusInternalServerError
}
