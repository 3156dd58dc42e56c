package session

import (
	"heroes/session/internal/values"

	"github.com/gorilla/sessions"
)

// A View is what a page may read of a session. In a template, both session["name"] and
// session.Get("name") work; a missing key prints nothing. A View is a copy: setting or
// deleting its keys does not change the session, but its slices and maps are the session's
// own.
type View map[string]any

// Get returns the value of key, or nil.
func (v View) Get(key string) any {
	return v[key]
}

// ViewOf returns a copy of the values of s, without Buffalo's flash.
func ViewOf(s *sessions.Session) View {
	view := make(View, len(s.Values))
	for k, v := range s.Values {
		if key, ok := k.(string); ok && key != values.FlashKey {
			view[key] = v
		}
	}
	return view
}
