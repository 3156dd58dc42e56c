// Package sessiontest puts values into the session of a test's request and reads what a
// response leaves in it, as Flask's session_transaction does.
package sessiontest

import (
	"context"
	"net/http"
	"net/http/httptest"

	"heroes/session"
)

// Put sets values in the session of r's cookie of that name, and gives r the cookie that a
// browser would have afterwards. A nil value deletes its key. The errors are those of Save.
func Put(store *session.Store, r *http.Request, name string, values map[string]any) error {
	visit, w := r.Clone(context.Background()), httptest.NewRecorder()
	s, err := store.Get(visit, name)
	if err != nil {
		return err
	}
	for key, value := range values {
		s.Values[key] = value
		if value == nil {
			delete(s.Values, key)
		}
	}
	if err := store.Save(visit, w, s); err != nil {
		return err
	}
	set := w.Result().Cookies()
	if len(set) == 0 { // nothing changed
		return nil
	}
	cookies := r.Cookies()
	r.Header.Del("Cookie")
	for _, c := range cookies {
		if c.Name != name {
			r.AddCookie(c)
		}
	}
	if set[0].MaxAge >= 0 {
		r.AddCookie(&http.Cookie{Name: name, Value: set[0].Value})
	}
	return nil
}

// Read returns the values of the session that res leaves in a browser: nil if res sets no
// cookie of that name, and an empty View if it removes it.
func Read(store *session.Store, res *http.Response, name string) session.View {
	for _, c := range res.Cookies() {
		if c.Name == name {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.AddCookie(&http.Cookie{Name: name, Value: c.Value})
			s, err := store.Get(r, name)
			if err != nil {
				return nil
			}
			return session.ViewOf(s)
		}
	}
	return nil
}
