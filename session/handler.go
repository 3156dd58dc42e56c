package session

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"

	"github.com/gorilla/sessions"
)

// An exchange is one request and its response: the sessions that were read in it.
// It travels in the request's context.
type exchange struct {
	context.Context
	states   []*state
	before   func() // called before the sessions are saved or compared
	deferred bool   // Handler saves with the first byte; without it, Save does
	begun    bool   // the first byte has left
}

type exchangeKey struct{}

func (x *exchange) Value(key any) any {
	if key == (exchangeKey{}) {
		return x
	}
	return x.Context.Value(key)
}

// exchangeOf finds the request's exchange, or starts one without a Handler.
func exchangeOf(r *http.Request) *exchange {
	x, ok := r.Context().Value(exchangeKey{}).(*exchange)
	if !ok {
		x = &exchange{Context: r.Context(), before: func() {}}
		*r = *r.WithContext(x) // as gorilla/sessions does with its registry
	}
	return x
}

func (x *exchange) add(st *state) {
	x.states = append(x.states, st)
}

func (x *exchange) find(s *sessions.Session) *state {
	for _, st := range x.states {
		if st.session == s {
			return st
		}
	}
	return nil
}

// loadError is why a session of the exchange could not be loaded, nil if all were.
func (x *exchange) loadError() error {
	for _, st := range x.states {
		if st.err != nil {
			return st.err
		}
	}
	return nil
}

// commit saves every session of the exchange; none if one of them cannot be saved, as
// far as that is known before.
func (x *exchange) commit(header http.Header, status int) error {
	for _, st := range x.states {
		st.mark(header)
	}
	if status >= http.StatusInternalServerError { // what failed is not half remembered
		return nil
	}
	x.before()
	if err := x.loadError(); err != nil {
		return err
	}
	for _, st := range x.states {
		if len(x.states) == 1 {
			break // commit checks for itself
		}
		if err := st.check(); err != nil {
			return err
		}
	}
	for _, st := range x.states {
		if err := st.commit(x.Context, header); err != nil {
			return err
		}
	}
	return nil
}

// changed is true when a session holds something that the response does not.
func (x *exchange) changed() bool {
	x.before()
	return slices.ContainsFunc(x.states, (*state).changed)
}

// Handler stands around an application and saves its sessions with the first
// byte of the response, however that is written: rendered, redirected, written
// bare, or as an error. A response of 500 and above saves nothing. A change that
// comes too late, or cannot be saved, fails the request: a change is never
// dropped in silence.
//
// It goes inside an http.TimeoutHandler, which answers while the application still
// runs, and outside a middleware that recovers panics, which would hide that the
// connection was cut.
func (s *Store) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x, ok := r.Context().Value(exchangeKey{}).(*exchange) // a session was read outside
		if !ok {
			x = &exchange{Context: r.Context(), before: func() {}}
			r = r.WithContext(x)
		}
		if x.deferred { // by another Handler around this one
			next.ServeHTTP(w, r)
			return
		}
		x.deferred = true
		rw := &writer{ResponseWriter: w, store: s, request: r, exchange: x}
		next.ServeHTTP(rw, r)
		rw.finish()
	})
}

// writer is the ResponseWriter that Handler hands on.
type writer struct {
	http.ResponseWriter
	store    *Store
	request  *http.Request
	exchange *exchange
	done     bool // the sessions are out of our hands: failed, dropped or hijacked
	failed   bool // OnError has answered; what the application writes is swallowed
}

// begin saves the sessions if nothing has left yet. It is false when the
// application's answer must not leave.
func (w *writer) begin(status int) bool {
	if w.exchange.begun {
		return !w.failed
	}
	w.exchange.begun = true
	w.done = status >= http.StatusInternalServerError
	if err := w.exchange.commit(w.Header(), status); err != nil {
		w.fail(err)
	}
	return !w.failed
}

func (w *writer) fail(err error) {
	w.done, w.failed = true, true
	w.store.emit(w.request.Context(), Event{Kind: Lost, Err: err})
	for field := range w.Header() { // what described or redirected the answer that does not leave
		switch field {
		case "Location", "Refresh", "Set-Cookie", "Etag", "Last-Modified", "Accept-Ranges",
			"Content-Type", "Content-Length", "Content-Encoding", "Content-Language", "Content-Range",
			"Content-Location", "Content-Disposition":
			w.Header().Del(field)
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	w.store.options.OnError(w.ResponseWriter, w.request, err)
}

// finish runs after the application. If a session was changed after the first
// byte, the connection is cut, so that the visitor does not take the answer for
// a success.
func (w *writer) finish() {
	if !w.exchange.begun {
		w.begin(http.StatusOK)
		return
	}
	if !w.done && w.exchange.changed() {
		w.store.emit(w.request.Context(), Event{Kind: Lost, Err: ErrTooLate})
		panic(http.ErrAbortHandler)
	}
}

func (w *writer) WriteHeader(status int) {
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	if w.begin(status) {
		w.ResponseWriter.WriteHeader(status)
	}
}

func (w *writer) Write(b []byte) (int, error) {
	if !w.begin(http.StatusOK) {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

// ReadFrom keeps the server's way of sending a file without copying it.
func (w *writer) ReadFrom(src io.Reader) (int64, error) {
	if !w.begin(http.StatusOK) {
		return io.Copy(io.Discard, src)
	}
	return io.Copy(w.ResponseWriter, src)
}

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter {
	return w.ResponseWriter
}

// FlushError is Flush with its error, for http.ResponseController.
func (w *writer) FlushError() error {
	if !w.begin(http.StatusOK) {
		return nil
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush is for those who ask for an http.Flusher.
func (w *writer) Flush() {
	_ = w.FlushError()
}

// Hijack hands over the connection. A session that was changed cannot be saved
// any more and is an error.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if !w.done && w.exchange.changed() {
		return nil, nil, errors.New("session: changed, and the connection is to be hijacked before it is saved")
	}
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.exchange.begun, w.done = true, true
	}
	return conn, rw, err
}

// RetryAfter is how many seconds a visitor is asked to wait while the store
// cannot be reached, as the value of the header.
const RetryAfter = "5"

func answerError(w http.ResponseWriter, _ *http.Request, err error) {
	status := http.StatusInternalServerError
	switch {
	case errors.Is(err, ErrUnavailable):
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", RetryAfter)
	case errors.Is(err, ErrEnded):
		status = http.StatusConflict
	}
	http.Error(w, http.StatusText(status), status)
}
