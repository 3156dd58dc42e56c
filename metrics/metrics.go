// Package metrics counts what the application does, for Prometheus.
package metrics

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"heroes/session"

	"github.com/VictoriaMetrics/metrics"
	"github.com/felixge/httpsnoop"
)

const (
	requests = "heroes_http_request_duration_seconds"
	events   = "heroes_session_events_total"
	calls    = "heroes_session_store_duration_seconds"
	failed   = "heroes_session_store_errors_total"
)

// help completes the lines in which the library leaves it blank.
var help = strings.NewReplacer(
	requests+"\n", requests+" How long requests took, by route, method and status.\n",
	events+"\n", events+" What happened to sessions, by kind and, of rejected cookies, by reason.\n",
	calls+"\n", calls+" How long the server of the sessions took, by operation.\n",
	failed+"\n", failed+" What the server of the sessions could not do, by operation.\n",
)

// escape makes any text the value of a label.
var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// buckets are in seconds. A page takes a tenth of a millisecond, and a store half of one.
var buckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}

// Metrics are those of one application.
type Metrics struct {
	set *metrics.Set
}

// New makes Metrics that have counted nothing yet.
func New() *Metrics {
	metrics.ExposeMetadata(true) // the library keeps this for the whole program
	m := &Metrics{metrics.NewSet()}
	for _, kind := range []session.EventKind{session.Created, session.Renewed, session.Destroyed, session.Conflict, session.Lost, session.Unreachable} {
		m.event(kind, "") // from 0 on, or Prometheus would not see the first
	}
	for _, reason := range []session.Reason{session.Refused, session.Idle, session.Expired} {
		m.event(session.Rejected, reason)
	}
	return m
}

// Handler answers with the metrics, and with those of Go and the process.
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

// Requests measures what next answers. A path that is none of routes counts as "other", and
// a method that is unknown as well: a visitor cannot add to the metrics. Statuses are next's own.
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

// durations returns the histogram of a series, which is a metric's name with its labels.
func (m *Metrics) durations(series string) *metrics.PrometheusHistogram {
	return m.set.GetOrCreatePrometheusHistogramExt(series, buckets)
}

// Session counts an event of a session.Store. On nil it does nothing.
func (m *Metrics) Session(e session.Event) {
	if m == nil {
		return
	}
	m.event(e.Kind, e.Reason).Inc()
}

func (m *Metrics) event(kind session.EventKind, reason session.Reason) *metrics.Counter {
	return m.set.GetOrCreateCounter(events + `{kind="` + string(kind) + `",reason="` + string(reason) + `"}`)
}

// Backend measures b.
func (m *Metrics) Backend(b session.Backend) session.Backend {
	return backend{b, m}
}

type backend struct {
	session.Backend
	metrics *Metrics
}

func (b backend) observe(operation string, began time.Time, err *error) {
	labels := `{operation="` + operation + `"}`
	b.metrics.durations(calls + labels).UpdateDuration(began)
	if *err != nil {
		b.metrics.set.GetOrCreateCounter(failed + labels).Inc()
	}
}

func (b backend) Load(ctx context.Context, key session.Key) (record []byte, expires, now time.Time, err error) {
	defer b.observe("load", time.Now(), &err)
	return b.Backend.Load(ctx, key)
}

func (b backend) Swap(ctx context.Context, key session.Key, old, next []byte, ttl time.Duration) (swapped bool, err error) {
	defer b.observe("swap", time.Now(), &err)
	return b.Backend.Swap(ctx, key, old, next, ttl)
}

func (b backend) Put(ctx context.Context, key session.Key, next []byte, ttl time.Duration) (err error) {
	defer b.observe("put", time.Now(), &err)
	return b.Backend.Put(ctx, key, next, ttl)
}

func (b backend) Purge(ctx context.Context, limit int) (n int, err error) {
	defer b.observe("purge", time.Now(), &err)
	return b.Backend.Purge(ctx, limit)
}

func (b backend) Ping(ctx context.Context) (err error) {
	defer b.observe("ping", time.Now(), &err)
	return b.Backend.Ping(ctx)
}
