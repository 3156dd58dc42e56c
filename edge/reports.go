package edge

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/gobuffalo/buffalo"
)

// reportsPath is where browsers report what the Content-Security-Policy has blocked (OWASP ASVS 5.0, 3.4.7).
const reportsPath = "/csp-reports"

// maxReports is how many bytes, and how many reports, one request may bring.
const (
	maxReportBytes = 16 << 10
	maxReports     = 10
)

// A violation is what a report says, in the spelling of the Reporting API or of the older report-uri.
type violation struct {
	Directive  string `json:"effectiveDirective"`
	Directive1 string `json:"effective-directive"`
	Blocked    string `json:"blockedURL"`
	Blocked1   string `json:"blocked-uri"`
	Page       string `json:"documentURL"`
	Page1      string `json:"document-uri"`
}

// RouteReports adds POST /csp-reports, which logs what browsers report there. Of addresses, it logs neither the query nor
// the fragment.
func RouteReports(mux *http.ServeMux, l buffalo.Logger) {
	out := l.(logger).slog
	mux.HandleFunc("POST "+reportsPath, func(w http.ResponseWriter, r *http.Request) {
		violations, err := readReports(http.MaxBytesReader(w, r.Body, maxReportBytes))
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		for _, v := range violations {
			out.LogAttrs(r.Context(), slog.LevelWarn, "a browser has blocked what the Content-Security-Policy forbids",
				slog.String("request_id", RequestID(r.Context())),
				slog.String("directive", v.Directive+v.Directive1),
				slog.String("blocked", withoutQuery(v.Blocked+v.Blocked1)),
				slog.String("page", withoutQuery(v.Page+v.Page1)))
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

func readReports(body io.Reader) (violations []violation, err error) {
	text, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	var old struct {
		Report *violation `json:"csp-report"`
	}
	if json.Unmarshal(text, &old) == nil && old.Report != nil {
		return []violation{*old.Report}, nil
	}
	var reports []struct {
		Type string    `json:"type"`
		Body violation `json:"body"`
	}
	if err := json.Unmarshal(text, &reports); err != nil {
		return nil, err
	}
	for _, r := range reports[:min(len(reports), maxReports)] {
		if r.Type == "csp-violation" {
			violations = append(violations, r.Body)
		}
	}
	return violations, nil
}

func withoutQuery(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "not an address"
	}
	if u.Opaque != "" { // such as data:
		return u.Scheme
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}
