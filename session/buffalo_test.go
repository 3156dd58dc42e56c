package session

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gobuffalo/buffalo"
	"github.com/stretchr/testify/require"
)

// The quick look at Buffalo's flash and the detour see the same.
func Test_16_the_flash_is_seen_as_buffalo_stores_it(t *testing.T) {
	store, err := New([][]byte{[]byte(NewSecret())}, Options{})
	require.NoError(t, err)
	app := buffalo.New(buffalo.Options{Env: "test", SessionStore: store, SessionName: "s"})
	app.GET("/", func(c buffalo.Context) error {
		require.JSONEq(t, `{}`, string(flashOf(c)))
		require.Equal(t, renderedFlash(c), flashOf(c))
		c.Flash().Add("success", `<"Zoë">`)
		c.Flash().Add("success", "twice")
		c.Flash().Add("danger", "")
		require.Equal(t, renderedFlash(c), flashOf(c))
		return c.Render(http.StatusOK, nil)
	})
	w := httptest.NewRecorder()
	store.Handler(app).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	require.Equal(t, http.StatusOK, w.Code)
}
