// Package metrics counts what the application does, for Prometheus.
package metrics

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"heroes/session"
	"heroes/session/devicebound"

	"github.com/VictoriaMetrics/metrics"
	"github.com/felixge/httpsnoop"
)

const (
	requests = "heroes_http_request_duration_seconds"
	events   = "heroes_session_events_total"
	calls    = "heroes_session_store_duration_seconds"
	failed   = "heroes_session_store_errors_total"
)

// help adds the texts of the HELP lines, which the library leaves empty.
var help = strings.NewReplacer(
	requests+"\n", requests+" How long requests took, by route, method and status.\n",
	events+"\n", events+" What happened to sessions, by kind and, of rejected cookies and devices, by reason.\n",
	calls+"\n", calls+" How long the server of the sessions took, by operation.\n",
	failed+"\n", failed+" How often the server of the sessions failed, by operation.\n",
)

// escape escapes a text for the value of a label.
var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// buckets are in seconds. A page takes a tenth of a millisecond, and a store half of one.
var buckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}

// Metrics counts and measures what one application does.
type Metrics struct {
	set *metrics.Set
}

// New returns Metrics that have counted nothing yet.
func New() *Metrics {
	metrics.ExposeMetadata(true) // a global setting of the library
	m := &Metrics{metrics.NewSet()}
	for _, kind := range []session.EventKind{session.Created, session.Adopted, session.Bound, session.Proven, session.SignedIn, session.Renewed, session.Destroyed, session.Conflict, session.Limited, session.Lost, session.NotAdopted, session.Unreachable} {
		m.event(kind, "") // start at 0, or Prometheus would miss the first event
	}
	for _, reason := range []session.Reason{session.Refused, session.Idle, session.Expired, session.Replaced,
		session.Unproven, session.SkippedQuota, session.SkippedUnreachable, session.SkippedError} {
		m.event(session.Rejected, reason)
	}
	for _, reason := range devicebound.Reasons {
		m.event(session.DeviceRefused, reason)
	}
	return m
}

// Handler serves the metrics, including those of Go and of the process.
func (m *Metrics) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		var text strings.Builder
		m.set.WritePrometheus(&text)
		_, _ = help.WriteString(w, text.String())
		metrics.WriteProcessMetrics(w)
		metrics.WriteFDMetrics(w)
	})
}

// Requests measures the requests to next, by route, method and status. A path that is not in routes
// counts as "other", and so does an unknown method: visitors cannot add series.
func (m *Metrics) Requests(routes []string, next http.Handler) http.Handler {
	known := map[string]string{}
	for _, route := range routes {
		known[trim(route)] = escape.Replace(trim(route))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		route, method := cmp.Or(known[trim(r.URL.Path)], "other"), r.Method
		switch method {
		case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete:
		default:
			method = "other"
		}
		answer := httpsnoop.CaptureMetrics(next, w, r)
		m.durations(requests + `{method="` + method + `",route="` + route + `",status="` + strconv.Itoa(answer.Code) + `"}`).
			Update(answer.Duration.Seconds())
	})
}

func trim(path string) string {
	return "/" + strings.Trim(path, "/")
}

// durations returns the histogram of a series: a metric's name with its labels.
func (m *Metrics) durations(series string) *metrics.PrometheusHistogram {
	return m.set.GetOrCreatePrometheusHistogramExt(series, buckets)
}

// Session counts an event of a session.Store. On a nil *Metrics it does nothing.
func (m *Metrics) Session(e session.Event) {
	if m == nil {
		return
	}
	m.event(e.Kind, e.Reason).Inc()
}

func (m *Metrics) event(kind session.EventKind, reason session.Reason) *metrics.Counter {
	return m.set.GetOrCreateCounter(events + `{kind="` + string(kind) + `",reason="` + string(reason) + `"}`)
}

// Backend returns b, and measures all calls except Each and Clear.
func (m *Metrics) Backend(b session.Backend) session.Backend {
	for _, operation := range []string{"load", "swap", "put", "purge", "ping"} {
		m.set.GetOrCreateCounter(failed + `{operation="` + operation + `"}`) // from 0 on
	}
	return backend{b, m}
}

type backend struct {
	session.Backend
	metrics *Metrics
}

// Close closes the backend that is measured, if it can be closed.
func (b backend) Close() error {
	if closer, ok := b.Backend.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

func (b backend) observe(operation string, began time.Time, err *error) {
	labels := `{operation="` + operation + `"}`
	b.metrics.durations(calls + labels).UpdateDuration(began)
	if *err != nil {
		b.metrics.set.GetOrCreateCounter(failed + labels).Inc()
	}
}

func (b backend) Load(ctx context.Context, id session.ID) (record []byte, expires, now time.Time, err error) {
	defer b.observe("load", time.Now(), &err)
	return b.Backend.Load(ctx, id)
}

func (b backend) Swap(ctx context.Context, id session.ID, old, next []byte, ttl time.Duration) (swapped bool, err error) {
	defer b.observe("swap", time.Now(), &err)
	return b.Backend.Swap(ctx, id, old, next, ttl)
}

func (b backend) Put(ctx context.Context, id session.ID, next []byte, ttl time.Duration) (err error) {
	defer b.observe("put", time.Now(), &err)
	return b.Backend.Put(ctx, id, next, ttl)
}

func (b backend) AddOwned(ctx context.Context, owner session.OwnerHash, id session.ID, ttl time.Duration) (err error) {
	defer b.observe("add_owned", time.Now(), &err)
	return b.Backend.AddOwned(ctx, owner, id, ttl)
}

func (b backend) Owned(ctx context.Context, owner session.OwnerHash) (owned []session.Owned, now time.Time, err error) {
	defer b.observe("owned", time.Now(), &err)
	return b.Backend.Owned(ctx, owner)
}

func (b backend) RemoveOwned(ctx context.Context, owner session.OwnerHash, id session.ID, expires time.Time) (err error) {
	defer b.observe("remove_owned", time.Now(), &err)
	return b.Backend.RemoveOwned(ctx, owner, id, expires)
}

func (b backend) Purge(ctx context.Context, limit int) (n int, err error) {
	defer b.observe("purge", time.Now(), &err)
	return b.Backend.Purge(ctx, limit)
}

func (b backend) Ping(ctx context.Context) (err error) {
	defer b.observe("ping", time.Now(), &err)
	return b.Backend.Ping(ctx)
}
