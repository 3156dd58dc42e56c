package inspector

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"heroes/locales"
	"heroes/session"
	"heroes/session/sessiontest"

	"github.com/gobuffalo/buffalo"
	"github.com/stretchr/testify/require"
)

// A fake is a context with only what the inspector asks for.
type fake struct {
	buffalo.Context
	values map[string]any
}

func (f fake) Value(key any) any { return f.values[key.(string)] }

// The answer is the store's own.
func Test_Inspector_tells_a_cookie_that_opens_from_one_that_does_not(t *testing.T) {
	store, err := session.New([][]byte{[]byte(session.NewSecret())}, session.Options{})
	require.NoError(t, err)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	require.NoError(t, sessiontest.Put(store, r, "_s", map[string]any{"name": "Superman"}))
	for value, want := range map[string]bool{r.CookiesNamed("_s")[0].Value: true, "other": false} {
		ok, err := opens(store, r, "_s", value)
		require.NoError(t, err)
		require.Equal(t, want, ok)
	}
}

// What Flask 3.1.3 writes for the same values.

func Test_Inspector_Flask_s_cookie_is_Flask_s(t *testing.T) {
	values := session.View{
		"name": "Zoë 🦸\u2028", "alter_ego": "<a&b>", "b": []byte{0xff}, "n": 3, "f": 1.5,
		"d": time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	want := `{"alter_ego":"<a&b>","b":{" b":"/w=="},"d":{" d":"Fri, 02 Jan 2026 03:04:05 GMT"},"f":1.5,"n":3,"name":"Zo\u00eb \ud83e\uddb8\u2028"}`
	require.Equal(t, want, string(flaskJSON(values)))
	// URLSafeTimedSerializer("k", salt="cookie-session", signer_kwargs={"key_derivation": "hmac"})
	require.Equal(t, "eyJuIjozfQ.ZVPxAA.DtrVuf7p7mb_K7Y-EKXn2HMWN9k", flaskCookie(session.View{"n": 3}, []byte("k"), time.Unix(1700000000, 0)))
	long := session.View{"x": strings.Repeat("a", 100)}
	cookie := flaskCookie(long, []byte("k"), time.Now())
	require.Less(t, len(cookie), 80, "it is compressed")
	require.Contains(t, readFlask(cookie), long["x"])
}

func Test_Inspector_durations_are_words(t *testing.T) {
	words, err := locales.Load(locales.Embedded(), nil)
	require.NoError(t, err)
	c := fake{values: map[string]any{"t": words.Match("en", "").Translate}}
	for d, want := range map[time.Duration]string{
		0:                                    "0 seconds",
		time.Second:                          "1 second",
		61 * time.Second:                     "1 minute 1 second",
		time.Hour:                            "1 hour",
		24*time.Hour - 1:                     "23 hours 59 minutes",
		25*time.Hour + 59*time.Minute:        "1 day 1 hour",
		30 * 24 * time.Hour:                  "30 days",
		48*time.Hour + 2*time.Hour + 1:       "2 days 2 hours",
		2*time.Minute + 999*time.Millisecond: "2 minutes",
	} {
		require.Equal(t, want, duration(c, d))
	}
}

func Test_Inspector_stock_Buffalo_s_cookie_is_read_with_each_key_and_value(t *testing.T) {
	values := session.View{"name": "X", "alter_ego": "Renée <Kent>", "raw": []byte{0}, "n": 3}
	cookie, err := stockCookie("_app_session", values, []byte("0123456789abcdef0123456789abcdef"))
	require.NoError(t, err)
	require.Equal(t, "alter_ego: Renée <Kent>\nn: 3\nname: X\nraw: \"\\x00\"", readStock(cookie))
	require.NotPanics(t, func() { readStock("nonsense") })
}
