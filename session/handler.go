package session

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
)

// An Exchange is one request and its response, and the sessions that were read in it.
// Applications do not need it; it is for the middleware of a framework.
type Exchange struct {
	ctx     context.Context // of the request when it arrived
	safe    bool            // it is a GET or HEAD
	handled bool            // Handler saves with the first byte; without it, Save does

	mu     sync.Mutex // a handler may run on after http.TimeoutHandler has answered
	visits []*visit
	answer int    // the status of what Respond writes; 0: nothing
	begun  bool   // the first byte has left
	over   bool   // Handler has returned
	failed error  // why a commit failed
	before func() // called before the sessions are committed or compared

	refused func(status int) // called after onError has answered
}

type exchangeKey struct{}

// Of returns the exchange that the request belongs to.
func Of(r *http.Request) *Exchange {
	x, with := exchangeOf(r)
	if with != r {
		*r = *with // as gorilla/sessions does
	}
	return x
}

// exchangeOf returns the request's exchange, and the request with it in its context.
func exchangeOf(r *http.Request) (*Exchange, *http.Request) {
	if x, ok := r.Context().Value(exchangeKey{}).(*Exchange); ok {
		return x, r
	}
	return newExchange(r)
}

func newExchange(r *http.Request) (*Exchange, *http.Request) {
	x := &Exchange{ctx: r.Context(), safe: r.Method == http.MethodGet || r.Method == http.MethodHead}
	return x, r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
}

// Err returns why a session of the exchange could not be loaded or saved, or nil.
func (x *Exchange) Err() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.err()
}

func (x *Exchange) err() error {
	for _, v := range x.visits {
		if v.err != nil {
			return v.err
		}
	}
	return x.failed
}

func (x *Exchange) isOver() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.over
}

// BeforeCommit registers f to be called before the sessions are committed, or compared with what
// was stored. In f, a framework can put into a session what it keeps elsewhere. Like
// Options.OnEvent, f must not call the Store.
func (x *Exchange) BeforeCommit(f func()) { x.before = f }

// OnRefusal registers f. It is called with 409, 429, 500 or 503 after a session could not be saved
// and Handler's onError has answered instead of the application. The status that a framework took
// from the application's own answer is then wrong.
func (x *Exchange) OnRefusal(f func(status int)) { x.refused = f }

// Respond runs write, which saves the session and then answers with status. Within it, Save
// commits the session at once and returns the error, so that write can answer differently.
// With a status of 500 or above Save does nothing. If the request's deadline was set inside
// Handler, as by http.TimeoutHandler, Save commits nothing: only the first byte that Handler
// sees tells whether the answer is in time.
func (x *Exchange) Respond(r *http.Request, status int, write func() error) error {
	_, limited := r.Context().Deadline()
	if x.handled && (!limited || r.Context().Done() == x.ctx.Done() || status >= http.StatusInternalServerError) {
		x.setAnswer(status)
		defer x.setAnswer(0)
	}
	return write()
}

func (x *Exchange) setAnswer(status int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.answer = status
}

func (x *Exchange) find(name string) *visit {
	for _, v := range x.visits {
		if v.session.Name() == name {
			return v
		}
	}
	return nil
}

// save implements Store.Save behind Handler.
func (x *Exchange) save(ctx context.Context, v *visit, header http.Header) (err error) {
	switch {
	case x.failed != nil && x.answer == 0, x.answer >= http.StatusInternalServerError: // an error page
		return nil
	case x.begun && v.pending():
		return ErrTooLate
	case x.begun:
		return nil
	case x.answer == 0:
		err = v.fitting(func() error { return v.check(x.safe) }, false)
	default:
		err = x.commit(ctx, header)
	}
	if err != nil && (x.failed != nil || statusOf(err) != http.StatusInternalServerError) {
		x.strip(header)
	}
	return err
}

// commit first checks, without I/O, that every session of the exchange can be saved, and then
// saves them one by one. If one fails, those before it stay saved, and their cookies leave with
// the answer. After an error nothing more is saved.
func (x *Exchange) commit(ctx context.Context, header http.Header) error {
	if x.before != nil {
		x.before()
	}
	for i := 0; i < len(x.visits) && len(x.visits) > 1 && x.failed == nil; i++ {
		v := x.visits[i]
		x.failed = x.fault(v, v.fitting(func() error { return v.check(x.safe) }, false))
	}
	for i := 0; i < len(x.visits) && x.failed == nil; i++ {
		v := x.visits[i]
		x.failed = x.fault(v, v.fitting(func() error { return v.commit(ctx, header, x.safe) }, true))
	}
	return x.failed
}

// fault emits the event for err, and returns err.
func (x *Exchange) fault(v *visit, err error) error {
	switch {
	case err == nil:
	case statusOf(err) == http.StatusConflict:
		v.emit(x.ctx, Event{Kind: Conflict, Err: err})
	case statusOf(err) == http.StatusTooManyRequests:
		v.emit(x.ctx, Event{Kind: Limited, Err: err})
	default:
		v.emit(x.ctx, Event{Kind: Lost, Err: err})
	}
	return err
}

// pending returns a session with a change that the response does not reflect, or nil.
func (x *Exchange) pending() *visit {
	if x.before != nil && !x.begun {
		x.before()
	}
	for _, v := range x.visits {
		if v.pending() {
			return v
		}
	}
	return nil
}

// strip removes the header fields that describe or accompany an answer that will not be sent.
func (x *Exchange) strip(header http.Header) {
	for _, field := range []string{"Location", "Refresh", "Set-Cookie", "Clear-Site-Data", "Etag", "Last-Modified", "Accept-Ranges",
		"Content-Type", "Content-Length", "Content-Encoding", "Content-Language", "Content-Range", "Content-Location", "Content-Disposition"} {
		header.Del(field)
	}
	for _, v := range x.visits {
		if v.cookie != "" {
			header.Add("Set-Cookie", v.cookie)
		}
		for _, line := range v.adoption.removed {
			header.Add("Set-Cookie", line)
		}
	}
	header.Set("Cache-Control", "no-store")
}

// Handler wraps an application. It saves the sessions with the first byte of the response,
// whether the application renders, redirects, writes directly or reports an error. A response
// with a status of 500 or above saves nothing. If a session cannot be saved, onError answers
// instead of the application. A nil onError answers in plain text, with the status that Status
// returns. A change after the first byte cuts the connection, so that the visitor does not
// mistake the response for a success.
//
// Handler belongs outside an http.TimeoutHandler, whose answer it must see, and outside
// middleware that recovers panics, which would hide that the connection was cut.
func (s *Store) Handler(next http.Handler, onError func(http.ResponseWriter, *http.Request, error)) http.Handler {
	if onError == nil {
		onError = answerError
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x, r := exchangeOf(r)
		if x.isOver() { // another Handler has answered the same request
			x, r = newExchange(r)
		}
		if x.handled { // there is a Handler around this one
			next.ServeHTTP(w, r)
			return
		}
		x.handled = true
		rw := &writer{ResponseWriter: w, request: r, exchange: x, onError: onError}
		next.ServeHTTP(rw, r)
		rw.finish()
	})
}

func answerError(w http.ResponseWriter, _ *http.Request, err error) {
	status := Status(w.Header(), err)
	http.Error(w, http.StatusText(status), status)
}

// writer is the ResponseWriter that Handler passes on.
type writer struct {
	http.ResponseWriter
	request  *http.Request
	exchange *Exchange
	onError  func(http.ResponseWriter, *http.Request, error)
	done     bool // the sessions are not to be saved any more
	replaced bool // onError has answered; what the application writes is discarded
}

// begin commits the sessions if nothing has left yet. It reports whether the application's
// answer may leave. It may if its status already reports the error.
func (w *writer) begin(status int) bool {
	err, first := w.commit(status)
	if !first {
		return !w.replaced
	}
	if err == nil {
		return true
	}
	own := statusOf(err)
	if status == own && w.Header().Get("Retry-After") == "" {
		Status(w.Header(), err)
	}
	if status == own || status > own && own == http.StatusInternalServerError {
		return true
	}
	w.replaced = true
	w.exchange.strip(w.Header())
	w.onError(w.ResponseWriter, w.request, err)
	if w.exchange.refused != nil {
		w.exchange.refused(own)
	}
	return false
}

// commit commits the sessions with the first byte, unless the status is 500 or above. It returns
// why that failed, or why a session could not be loaded, and whether this was the first byte.
func (w *writer) commit(status int) (err error, first bool) {
	x := w.exchange
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.begun {
		return nil, false
	}
	for _, v := range x.visits {
		v.keepFromCaches(w.Header())
	}
	if err = x.err(); err == nil && status < http.StatusInternalServerError {
		err = x.commit(x.ctx, w.Header())
	}
	x.begun = true
	w.done = err != nil || status >= http.StatusInternalServerError
	return err, true
}

// finish runs after the application.
func (w *writer) finish() {
	w.begin(http.StatusOK)
	x := w.exchange
	x.mu.Lock()
	defer x.mu.Unlock()
	x.over = true
	if w.done {
		return
	}
	if v := x.pending(); v != nil {
		_ = x.fault(v, ErrTooLate)
		panic(http.ErrAbortHandler)
	}
}

func (w *writer) WriteHeader(status int) {
	informational := status >= 100 && status < 200 && status != http.StatusSwitchingProtocols
	if informational || w.begin(status) {
		w.ResponseWriter.WriteHeader(status)
	}
}

func (w *writer) Write(b []byte) (int, error) {
	if !w.begin(http.StatusOK) {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

// ReadFrom lets the server send a file without copying it.
func (w *writer) ReadFrom(src io.Reader) (int64, error) {
	if !w.begin(http.StatusOK) {
		return io.Copy(io.Discard, src)
	}
	return io.Copy(w.ResponseWriter, src)
}

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// FlushError flushes, and returns the error, for http.ResponseController.
func (w *writer) FlushError() error {
	w.begin(http.StatusOK) // what onError has answered is to leave, too
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// CloseNotify is for frameworks that do not use the request's context.
func (w *writer) CloseNotify() <-chan bool {
	gone := make(chan bool, 1)
	context.AfterFunc(w.request.Context(), func() { gone <- true })
	return gone
}

// Flush makes the writer an http.Flusher.
func (w *writer) Flush() { _ = w.FlushError() }

// Hijack hands over the connection. It returns an error if that would lose a change that cannot
// wait.
func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	x := w.exchange
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.err(); err != nil {
		return nil, nil, err
	}
	if !w.done && !x.begun {
		for _, v := range x.visits {
			if p, _, err := v.plan(true, false); err != nil || p != (plan{}) && !p.drop {
				return nil, nil, errors.New("session: a change must be saved before the connection is hijacked: save it in an earlier request")
			}
		}
	}
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		x.begun, w.done = true, true
	}
	return conn, rw, err
}
