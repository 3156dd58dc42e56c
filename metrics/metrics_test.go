package metrics

import (
	"net/http"
	"net/http/httptest"
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
}

func Test_Session_counts_what_happens(t *testing.T) {
	(*Metrics)(nil).Session(session.Event{Kind: session.Created})
	m := New()
	require.Contains(t, m.text(), `heroes_session_events_total{kind="lost",reason=""} 0`, "from the start")
	m.Session(session.Event{Kind: session.Created})
	m.Session(session.Event{Kind: session.Rejected, Reason: session.Idle})
	require.Contains(t, m.text(), `heroes_session_events_total{kind="created",reason=""} 1`)
	require.Contains(t, m.text(), `heroes_session_events_total{kind="rejected",reason="idle"} 1`)
}

func Test_Backend_measures_and_stays_what_it_was(t *testing.T) {
	m, memory := New(), &backendtest.Memory{}
	b := m.Backend(memory)
	done, err := b.Swap(t.Context(), session.Key{1}, nil, []byte("record"), time.Minute)
	require.NoError(t, err)
	require.True(t, done)
	record, _, _, err := b.Load(t.Context(), session.Key{1})
	require.NoError(t, err)
	require.Equal(t, "record", string(record))
	require.NoError(t, b.Ping(t.Context()))
	_, err = b.Purge(t.Context(), 1)
	require.NoError(t, err)
	memory.SetDown(true)
	_, _, _, err = b.Load(t.Context(), session.Key{1})
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
