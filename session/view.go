package session

import "github.com/gorilla/sessions"

// View is what a page may read of a session. Both spellings of the lesson work
// in a template, session["name"] and session.Get("name"); a missing key prints
// nothing. It is a copy, through which a page sets and deletes nothing; only what lies
// inside a slice or a map is the session's own.
type View map[string]any

// Get returns the value of key, or nil.
func (v View) Get(key string) any {
	return v[key]
}

// ViewOf copies the values of s. Buffalo's flash is not one of them: a page has it
// as flash.
func ViewOf(s *sessions.Session) View {
	view := make(View, len(s.Values))
	for k, v := range s.Values {
		if key, ok := k.(string); ok && key != flashKey {
			view[key] = v
		}
	}
	return view
}
