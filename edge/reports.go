package edge

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/gobuffalo/buffalo"
)

// reportsPath is where browsers report what the Content-Security-Policy has blocked (OWASP ASVS 5.0, 3.4.7). The policy names
// it with report-uri: every browser knows that, also without https, but not yet its successor report-to.
const reportsPath = "/csp-reports"

// maxReport is how many bytes a report has at most.
const maxReport = 16 << 10

// RouteReports adds POST /csp-reports, which logs what browsers report there. Of addresses, it logs neither the query nor
// the fragment.
func RouteReports(mux *http.ServeMux, l buffalo.Logger) {
	out := l.(logger).slog
	mux.HandleFunc("POST "+reportsPath, func(w http.ResponseWriter, r *http.Request) {
		var report struct {
			Violation *struct {
				Directive string `json:"effective-directive"`
				Blocked   string `json:"blocked-uri"`
				Page      string `json:"document-uri"`
			} `json:"csp-report"`
		}
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxReport)).Decode(&report)
		v := report.Violation
		if err != nil || v == nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		out.LogAttrs(r.Context(), slog.LevelWarn, "a browser blocked what the Content-Security-Policy forbids",
			slog.String("request_id", RequestID(r.Context())),
			slog.String("directive", v.Directive),
			slog.String("blocked", withoutQuery(v.Blocked)),
			slog.String("page", withoutQuery(v.Page)))
		w.WriteHeader(http.StatusNoContent)
	})
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
