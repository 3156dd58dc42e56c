// Package sessiontest helps to test an application with sessions. Put and Read do what Flask's
// session_transaction does.
package sessiontest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"heroes/session"

	"github.com/gorilla/sessions"
)

// Put sets values in the session of r's cookie of that name, and adds to r the cookie that a
// browser would have afterwards. A nil value deletes its key. The errors are those of Save.
func Put(store *session.Store, r *http.Request, name string, values map[string]any) error {
	return change(store, r, name, func(_ *http.Request, s *sessions.Session) error {
		for key, value := range values {
			s.Values[key] = value
			if value == nil {
				delete(s.Values, key)
			}
		}
		return nil
	})
}

// SignIn signs an owner in to the session of r's cookie of that name, and adds to r the cookie that
// a browser would have afterwards. The errors are those of Store.SignIn and Save.
func SignIn(store *session.Store, r *http.Request, name, owner string, options ...session.SignInOption) error {
	return change(store, r, name, func(visit *http.Request, s *sessions.Session) error {
		return store.SignIn(visit, s, owner, options...)
	})
}

func change(store *session.Store, r *http.Request, name string, f func(*http.Request, *sessions.Session) error) error {
	visit, w := r.Clone(context.Background()), httptest.NewRecorder()
	s, err := store.Get(visit, name)
	if err == nil {
		err = f(visit, s)
	}
	if err == nil {
		err = store.Save(visit, w, s)
	}
	if err != nil {
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

// Browser returns a handler that keeps the cookies of next's responses and sends all of them with
// each request, whatever their paths and domains. The package gobuffalo/httptest alone sends those
// of the last response only:
//
//	browser := httptest.New(sessiontest.Browser(app))
func Browser(next http.Handler) http.Handler {
	cookies := map[string]string{}
	var mu sync.Mutex
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		r.Header.Del("Cookie")
		for name, value := range cookies {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		mu.Unlock()
		next.ServeHTTP(w, r)
		mu.Lock()
		defer mu.Unlock()
		for _, c := range (&http.Response{Header: w.Header()}).Cookies() {
			if c.MaxAge < 0 || !c.Expires.IsZero() && c.Expires.Before(time.Now()) {
				delete(cookies, c.Name)
			} else {
				cookies[c.Name] = c.Value
			}
		}
	})
}
