package edge

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
)

const (
	// MaxBody is the largest body of a request, in bytes. A hero needs 3 KB.
	MaxBody = 64 << 10
	// maxFields is the largest number of fields in a form, including those of the query.
	maxFields = 100
)

var (
	errType   = errors.New("the body is not a form")
	errFields = fmt.Errorf("the form has more than %d fields", maxFields)
)

// Limit refuses requests that the application should not see, and answers them with fail: 421 if the host is not
// one of ours, 403 if a page of another origin asks for a change (OWASP ASVS 5.0, 3.5.1), and what readForm returns.
// The check of the origin needs no token, and so no session.
func Limit(next http.Handler, hosts Hosts, fail func(http.ResponseWriter, *http.Request, int, error)) http.Handler {
	protection := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, err := http.StatusMisdirectedRequest, hosts.check(r)
		if err == nil {
			status, err = http.StatusForbidden, protection.Check(r)
		}
		if err == nil {
			status, err = readForm(w, r)
		}
		if err != nil {
			fail(w, r, status, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// readForm reads the form of a request. If it refuses it, it returns an error and a status: 413
// over MaxBody, without reading a body that announces its size; 415 for anything but a form; 400
// for one that is broken or has too many fields.
func readForm(w http.ResponseWriter, r *http.Request) (status int, err error) {
	switch {
	case r.ContentLength > MaxBody:
		w.Header().Set("Connection", "close") // do not wait for the rest of it
		return http.StatusRequestEntityTooLarge, &http.MaxBytesError{Limit: MaxBody}
	case r.ContentLength == 0 || r.Body == nil: // nil only in tests
		r.Body = http.NoBody
		return 0, nil
	}
	r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return http.StatusUnsupportedMediaType, errType
	}
	err = r.ParseForm()
	if err == nil {
		_, err = io.Copy(io.Discard, r.Body) // ParseForm reads the body of POST, PUT and PATCH
	}
	if err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return http.StatusRequestEntityTooLarge, err
		}
		return http.StatusBadRequest, err
	}
	count := 0
	for _, values := range r.Form {
		count += len(values)
	}
	if count > maxFields {
		return http.StatusBadRequest, errFields
	}
	return 0, nil
}

// MethodOverride lets a form, which can only POST, ask for another method by its field _method.
// A query cannot.
func MethodOverride(_ http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		return
	}
	switch method := r.PostFormValue("_method"); method {
	case http.MethodPut, http.MethodPatch, http.MethodDelete:
		r.Method = method
	}
}
