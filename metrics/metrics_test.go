package metrics

import (
	"cmp"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"heroes/session"
	"heroes/session/backendtest"

	"github.com/stretchr/testify/require"
)

func (m *Metrics) text() string {
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

func Test_Requests_are_counted_by_route_and_status(t *testing.T) {
	m := New()
	h := m.Requests([]string{"/heroes/", "/"}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			w.WriteHeader(http.StatusSeeOther)
		}
		r.URL.Path = "/changed" // as a router may
	}))
	for _, request := range [][2]string{
		{"GET", "/"}, {"GET", "/heroes"}, {"POST", "/heroes/"}, {"GET", "/who/knows"}, {"GET", "/who/else"}, {"BREW", "/"},
	} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(request[0], request[1], nil))
	}
	text := m.text()
	for _, want := range []string{
		`heroes_http_request_duration_seconds_count{method="GET",route="/",status="200"} 1`,
		`heroes_http_request_duration_seconds_count{method="GET",route="/heroes",status="200"} 1`,
		`heroes_http_request_duration_seconds_count{method="POST",route="/heroes",status="303"} 1`,
		`heroes_http_request_duration_seconds_count{method="GET",route="other",status="200"} 2`,
		`heroes_http_request_duration_seconds_count{method="other",route="/",status="200"} 1`,
		"go_goroutines",
	} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, "who")
	require.NotContains(t, New().text(), "heroes_http_request", "each Metrics counts separately")
}

func Test_Session_counts_what_happens(t *testing.T) {
	(*Metrics)(nil).Session(session.Event{Kind: session.Created})
	m := New()
	require.Contains(t, m.text(), `heroes_session_events_total{kind="lost",reason=""} 0`, "before the first event")
	m.Session(session.Event{Kind: session.Created})
	m.Session(session.Event{Kind: session.Rejected, Reason: session.Idle})
	require.Contains(t, m.text(), `heroes_session_events_total{kind="created",reason=""} 1`)
	require.Contains(t, m.text(), `heroes_session_events_total{kind="rejected",reason="idle"} 1`)
}

func Test_Backend_measures_calls_and_passes_them_on(t *testing.T) {
	m, memory := New(), &backendtest.Memory{}
	b := m.Backend(memory)
	done, err := b.Swap(t.Context(), session.ID{1}, nil, []byte("record"), time.Minute)
	require.NoError(t, err)
	require.True(t, done)
	record, _, _, err := b.Load(t.Context(), session.ID{1})
	require.NoError(t, err)
	require.Equal(t, "record", string(record))
	require.NoError(t, b.Ping(t.Context()))
	_, err = b.Purge(t.Context(), 1)
	require.NoError(t, err)
	memory.SetDown(true)
	_, _, _, err = b.Load(t.Context(), session.ID{1})
	require.Error(t, err)
	for _, want := range []string{
		`heroes_session_store_duration_seconds_count{operation="load"} 2`,
		`heroes_session_store_duration_seconds_count{operation="swap"} 1`,
		`heroes_session_store_duration_seconds_count{operation="ping"} 1`,
		`heroes_session_store_duration_seconds_count{operation="purge"} 1`,
		`heroes_session_store_errors_total{operation="load"} 1`,
	} {
		require.Contains(t, m.text(), want)
	}
}

// line matches a line of Prometheus' text format. Its second group is a sample's name with its labels.
var line = regexp.MustCompile(strings.ReplaceAll(
	`^(# HELP \w+.*|# TYPE \w+ (?:counter|gauge|histogram|summary)|(\w+(?:{LABEL(?:, ?LABEL)*})?) -?\d[\d.e+-]*)$`,
	"LABEL", `\w+="(?:[^"\\]|\\["\\n])*"`))

func Test_Handler_writes_what_Prometheus_reads(t *testing.T) {
	m, r := New(), httptest.NewRequest("GET", "/", nil)
	r.URL.Path = `/"{id}\` + "\n,"
	m.Requests([]string{r.URL.Path}, http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), r)
	memory := &backendtest.Memory{}
	memory.SetDown(true)
	require.Error(t, m.Backend(memory).Put(t.Context(), session.ID{1}, nil, time.Minute))

	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	require.Equal(t, "text/plain; version=0.0.4; charset=utf-8", w.Header().Get("Content-Type"))
	lines, seen := strings.Split(strings.TrimSuffix(w.Body.String(), "\n"), "\n"), map[string]bool{}
	for _, text := range lines {
		parts := line.FindStringSubmatch(text)
		require.NotNil(t, parts, text)
		name := cmp.Or(parts[2], parts[1])
		require.False(t, seen[name], "a second time: %s", text)
		seen[name] = true
	}
	for _, want := range []string{
		"# HELP heroes_http_request_duration_seconds How long requests took, by route, method and status.",
		"# TYPE heroes_http_request_duration_seconds histogram",
		`heroes_http_request_duration_seconds_bucket{method="GET",route="/\"{id}\\\n,",status="404",le="0.0001"} `,
		`heroes_http_request_duration_seconds_bucket{method="GET",route="/\"{id}\\\n,",status="404",le="+Inf"} 1`,
		"# HELP heroes_session_events_total What happened to sessions, by kind and, of rejected cookies and devices, by reason.",
		"# TYPE heroes_session_events_total counter",
		"# HELP heroes_session_store_duration_seconds How long the server of the sessions took, by operation.",
		"# TYPE heroes_session_store_duration_seconds histogram",
		"# HELP heroes_session_store_errors_total How often the server of the sessions failed, by operation.",
		"# TYPE heroes_session_store_errors_total counter",
		"# TYPE process_cpu_seconds_total counter",
	} {
		require.Contains(t, w.Body.String(), want)
	}
}

func Test_Alerts_name_metrics_of_the_process_that_exist(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the library reports all metrics of the process only on Linux: run this test on Linux")
	}
	for _, document := range []string{"../deploy/alerts.yaml", "../docs/operations.md"} {
		text, err := os.ReadFile(document)
		require.NoError(t, err)
		names := regexp.MustCompile(`\b(process|go)_[a-z_]+`).FindAllString(string(text), -1)
		require.NotEmpty(t, names, document)
		for _, name := range names {
			require.Contains(t, New().text(), "\n"+name+" ", document)
		}
	}
}

func Benchmark_Requests(b *testing.B) {
	h := New().Requests([]string{"/"}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}
