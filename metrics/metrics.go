// Package metrics counts what the application does, for Prometheus.
package metrics

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"heroes/session"

	"github.com/felixge/httpsnoop"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// buckets are in seconds. A page takes a tenth of a millisecond, and a store half of one.
var buckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}

// Metrics are those of one application.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	events   *prometheus.CounterVec
	calls    *prometheus.HistogramVec
	failed   *prometheus.CounterVec
}

// New makes Metrics that have counted nothing yet, and adds those of Go and the process.
func New() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "heroes_http_request_duration_seconds", Buckets: buckets,
			Help: "How long requests took, by route, method and status.",
		}, []string{"route", "method", "status"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "heroes_session_events_total",
			Help: "What happened to sessions, by kind and, of rejected cookies, by reason.",
		}, []string{"kind", "reason"}),
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "heroes_session_store_duration_seconds", Buckets: buckets,
			Help: "How long the server of the sessions took, by operation.",
		}, []string{"operation"}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "heroes_session_store_errors_total",
			Help: "What the server of the sessions could not do, by operation.",
		}, []string{"operation"}),
	}
	for _, kind := range []session.EventKind{session.Created, session.Renewed, session.Destroyed, session.Conflict, session.Lost, session.Unreachable} {
		m.events.WithLabelValues(string(kind), "") // from 0 on, or Prometheus would not see the first
	}
	for _, reason := range []session.Reason{session.Refused, session.Idle, session.Expired} {
		m.events.WithLabelValues(string(session.Rejected), string(reason))
	}
	m.registry.MustRegister(m.requests, m.events, m.calls, m.failed,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler answers with the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Requests measures what next answers. A path that is none of routes counts as "other", and
// a method that is unknown as well: a visitor cannot add to the metrics.
func (m *Metrics) Requests(routes []string, next http.Handler) http.Handler {
	known := map[string]bool{}
	for _, route := range routes {
		known[trim(route)] = true
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		route, method := trim(r.URL.Path), r.Method
		if !known[route] {
			route = "other"
		}
		switch method {
		case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete:
		default:
			method = "other"
		}
		answer := httpsnoop.CaptureMetrics(next, w, r)
		m.requests.WithLabelValues(route, method, strconv.Itoa(answer.Code)).Observe(answer.Duration.Seconds())
	})
}

func trim(path string) string {
	return "/" + strings.Trim(path, "/")
}

// Session counts an event of a session.Store. On nil it does nothing.
func (m *Metrics) Session(e session.Event) {
	if m == nil {
		return
	}
	m.events.WithLabelValues(string(e.Kind), string(e.Reason)).Inc()
}

// Backend measures b.
func (m *Metrics) Backend(b session.Backend) session.Backend {
	return backend{b, m}
}

type backend struct {
	session.Backend
	metrics *Metrics
}

func (b backend) observe(operation string, began time.Time, err error) {
	b.metrics.calls.WithLabelValues(operation).Observe(time.Since(began).Seconds())
	if err != nil {
		b.metrics.failed.WithLabelValues(operation).Inc()
	}
}

func (b backend) Load(ctx context.Context, key session.Key) (record []byte, expires, now time.Time, err error) {
	began := time.Now()
	record, expires, now, err = b.Backend.Load(ctx, key)
	b.observe("load", began, err)
	return record, expires, now, err
}

func (b backend) Swap(ctx context.Context, key session.Key, old, next []byte, ttl time.Duration) (bool, error) {
	began := time.Now()
	swapped, err := b.Backend.Swap(ctx, key, old, next, ttl)
	b.observe("swap", began, err)
	return swapped, err
}

func (b backend) Put(ctx context.Context, key session.Key, next []byte, ttl time.Duration) error {
	began := time.Now()
	err := b.Backend.Put(ctx, key, next, ttl)
	b.observe("put", began, err)
	return err
}

func (b backend) Purge(ctx context.Context, limit int) (int, error) {
	began := time.Now()
	n, err := b.Backend.Purge(ctx, limit)
	b.observe("purge", began, err)
	return n, err
}

func (b backend) Ping(ctx context.Context) error {
	began := time.Now()
	err := b.Backend.Ping(ctx)
	b.observe("ping", began, err)
	return err
}
