package edge

import (
	"encoding/json"
	"net/http"
	"strings"
)

// ProblemType is the media type of a Problem.
const ProblemType = "application/problem+json"

// A Problem is an error for a client that asks for JSON (RFC 9457).
type Problem struct {
	Status int               `json:"status"`
	Title  string            `json:"title"`
	Detail string            `json:"detail"`
	Fields map[string]string `json:"fields,omitempty"` // what is wrong with each field of a form
}

// Write answers with the problem.
func (p Problem) Write(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", ProblemType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	return json.NewEncoder(w).Encode(p)
}

// WantsJSON reports whether a client asks for JSON and not for a page.
func WantsJSON(r *http.Request) bool {
	accept := strings.ToLower(strings.Join(r.Header["Accept"], ","))
	return strings.Contains(accept, "json") && !strings.Contains(accept, "text/html")
}
