package buffalosession

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/gobuffalo/buffalo"
)

// RequestLogger logs each request, as Buffalo's RequestLogger does: its method, path, status, size in
// bytes and duration, and a random request_id, which the context has under that name. It leaves out
// the query, which can contain a secret, such as the code of an OAuth callback. Install adds it. To
// leave out a handler, name it: app.Middleware.Skip(buffalosession.RequestLogger, Health).
func RequestLogger(next buffalo.Handler) buffalo.Handler {
	return func(c buffalo.Context) error {
		random := make([]byte, 10)
		if _, err := rand.Read(random); err != nil {
			return err
		}
		id := hex.EncodeToString(random)
		c.Set("request_id", id)
		c.LogField("request_id", id)
		began := time.Now()
		defer func() {
			sent, path := sentTo(c), c.Request().URL.Path
			c.LogFields(map[string]any{
				"method": c.Request().Method, "path": path,
				"status": cmp.Or(sent.Status, http.StatusOK), "size": sent.Size, "duration": time.Since(began),
			})
			c.Logger().Info(path)
		}()
		return next(c)
	}
}

// sentTo returns the response that the visitor gets. The context's own is the one that the
// application wrote, which is another if the session could not be saved.
func sentTo(c buffalo.Context) *buffalo.Response {
	sent := &buffalo.Response{}
	for w := c.Response(); w != nil; {
		switch each := w.(type) {
		case *buffalo.Response:
			sent, w = each, each.ResponseWriter
		case interface{ Unwrap() http.ResponseWriter }:
			w = each.Unwrap()
		default:
			w = nil
		}
	}
	return sent
}
