package session

import "github.com/gorilla/sessions"

// A Key reads and sets the session's value of that name as a T:
//
//	var Cart = session.Key[[]string]("cart")
//
//	items, ok := Cart.Get(s)
//	Cart.Set(s, append(items, "cape"))
type Key[T any] string

// Get returns the value, and whether there is one and it is a T. Otherwise the value is T's zero
// value.
func (k Key[T]) Get(s *sessions.Session) (T, bool) {
	v, ok := s.Values[string(k)].(T)
	return v, ok
}

// Set sets the value. Save reports an error if sessions cannot store a T.
func (k Key[T]) Set(s *sessions.Session, v T) { s.Values[string(k)] = v }

// Delete removes the value.
func (k Key[T]) Delete(s *sessions.Session) { delete(s.Values, string(k)) }
