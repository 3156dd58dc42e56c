package edge

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/gobuffalo/buffalo/render"
)

// A Problem is an error for a client that asks for JSON (RFC 9457). It is a Buffalo renderer.
type Problem struct {
	Status int               `json:"status"`
	Title  string            `json:"title"`
	Detail string            `json:"detail"`
	Fields map[string]string `json:"fields,omitempty"` // what is wrong with each field of a form
}

// ContentType returns the media type of a problem.
func (p Problem) ContentType() string { return "application/problem+json" }

// Render writes the problem as JSON.
func (p Problem) Render(w io.Writer, _ render.Data) error {
	return json.NewEncoder(w).Encode(p)
}

// WantsJSON reports whether a client asks for JSON and not for a page.
func WantsJSON(r *http.Request) bool {
	accept := strings.ToLower(r.Header.Get("Accept"))
	return strings.Contains(accept, "json") && !strings.Contains(accept, "text/html")
}
