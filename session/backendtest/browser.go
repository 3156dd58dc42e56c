package backendtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A BoundBrowser is a browser that binds sessions to its device, as Chromium does (the draft of DBSC). It refreshes the
// proof before a request if the proof is missing, and after one if it is about to expire.
type BoundBrowser struct {
	T       *testing.T
	Handler http.Handler
	Able    bool // it knows DBSC

	Cookies map[string]Kept
	Key     *ecdsa.PrivateKey
	Binding *Instructions // nil: it has none
	Next    string        // a challenge to answer, or ""

	OnShow func(*http.Response) // sees the answers to what the browser sends by itself
}

// Kept is a cookie in a browser.
type Kept struct {
	Value   string
	Expires time.Time
	Lax     bool // it is not sent if another site caused the request
}

// Instructions are the body of the response to a registration. They tell the browser when and where to refresh the proof.
type Instructions struct {
	ID          string `json:"session_identifier"`
	RefreshURL  string `json:"refresh_url"`
	Credentials []struct {
		Name       string `json:"name"`
		Attributes string `json:"attributes"`
	} `json:"credentials"`
}

// NewBoundBrowser returns a browser without cookies.
func NewBoundBrowser(t *testing.T, handler http.Handler) *BoundBrowser {
	return &BoundBrowser{T: t, Handler: handler, Able: true, Cookies: map[string]Kept{}}
}

// Copy returns another browser with the same cookies, and without the key: a thief's.
func (b *BoundBrowser) Copy() *BoundBrowser {
	other := NewBoundBrowser(b.T, b.Handler)
	for name, c := range b.Cookies {
		other.Cookies[name] = c
	}
	return other
}

// Get requests a page and returns the response and its body.
func (b *BoundBrowser) Get(path string) (*http.Response, string) { return b.Ask("GET", path) }

// Ask does what the browser does for a request: it refreshes the proof if necessary, and registers a key if it is asked to.
func (b *BoundBrowser) Ask(method, path string) (*http.Response, string) {
	if b.Binding != nil && !b.has(b.Binding.Credentials[0].Name) {
		b.Refresh(false)
	}
	res, body := b.Send(b.Request(method, path))
	if b.Binding != nil && time.Until(b.Cookies[b.Binding.Credentials[0].Name].Expires) < early {
		b.Refresh(false)
	}
	if offer := res.Header.Get("Secure-Session-Registration"); offer != "" && b.Able {
		b.Register(offer)
	}
	return res, body
}

// early is how long before the proof expires the browser refreshes it.
const early = 2 * time.Minute

// Request returns a request with the browser's cookies.
func (b *BoundBrowser) Request(method, path string) *http.Request {
	r := httptest.NewRequest(method, "https://example.com"+path, nil)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for name, c := range b.Cookies {
		if b.has(name) {
			r.AddCookie(&http.Cookie{Name: name, Value: c.Value})
		}
	}
	return r
}

func (b *BoundBrowser) has(name string) bool {
	c, ok := b.Cookies[name]
	return ok && (c.Expires.IsZero() || time.Now().Before(c.Expires))
}

// Send sends a request and keeps the cookies of the response.
func (b *BoundBrowser) Send(r *http.Request) (*http.Response, string) {
	w := httptest.NewRecorder()
	b.Handler.ServeHTTP(w, r)
	res := w.Result()
	b.Keep(res)
	body, err := io.ReadAll(res.Body)
	require.NoError(b.T, err)
	return res, string(body)
}

// Keep keeps the cookies of a response.
func (b *BoundBrowser) Keep(res *http.Response) {
	for _, c := range res.Cookies() {
		kept := Kept{Value: c.Value, Lax: c.SameSite != http.SameSiteNoneMode}
		if c.MaxAge > 0 {
			kept.Expires = time.Now().Add(time.Duration(c.MaxAge) * time.Second)
		}
		if b.Cookies[c.Name] = kept; c.MaxAge < 0 {
			delete(b.Cookies, c.Name)
		}
	}
}

var offered = regexp.MustCompile(`^\(ES256\);path="([^"]+)";challenge="([^"]+)"$`)

// Register makes a key and registers it. A lost response leaves the browser without a binding.
func (b *BoundBrowser) Register(offer string) *http.Response {
	parts := offered.FindStringSubmatch(offer)
	require.NotNil(b.T, parts, offer)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(b.T, err)
	r := b.showing(parts[1], false)
	r.Header.Set("Secure-Session-Response", Sign(key, JWK(key), parts[2]))
	res, body := b.Send(r)
	b.shown(res)
	if res.StatusCode == http.StatusOK {
		b.Key, b.Binding, b.Next = key, &Instructions{}, ""
		require.NoError(b.T, json.Unmarshal([]byte(body), b.Binding))
	}
	return res
}

// Refresh refreshes the proof. If another site causes that, the browser sends no cookie with SameSite=Lax.
func (b *BoundBrowser) Refresh(crossSite bool) *http.Response {
	r := b.RefreshRequest(crossSite)
	if b.Next != "" {
		r.Header.Set("Secure-Session-Response", Sign(b.Key, nil, b.Next))
	}
	res, _ := b.Send(r)
	b.shown(res)
	if challenge := challengeOf(res); res.StatusCode == http.StatusForbidden && challenge != "" {
		r := b.RefreshRequest(crossSite)
		r.Header.Set("Secure-Session-Response", Sign(b.Key, nil, challenge))
		res, _ = b.Send(r)
		b.shown(res)
	}
	if status := res.StatusCode; status >= 400 && status < 500 && status != http.StatusForbidden {
		b.Binding = nil
	}
	return res
}

// Show refreshes the proof of another browser, with its key and identifier.
func (b *BoundBrowser) Show(other *BoundBrowser, crossSite bool) *http.Response {
	b.Key, b.Binding = other.Key, other.Binding
	return b.Refresh(crossSite)
}

// RefreshRequest returns the request with which the browser asks for a challenge.
func (b *BoundBrowser) RefreshRequest(crossSite bool) *http.Request {
	r := b.showing(b.Binding.RefreshURL, crossSite)
	r.Header.Set("Sec-Secure-Session-Id", b.Binding.ID)
	return r
}

func (b *BoundBrowser) showing(path string, crossSite bool) *http.Request {
	r := b.Request("POST", path)
	r.Header.Set("Origin", "https://example.com")
	r.Header.Set("Sec-Fetch-Mode", "no-cors")
	if crossSite {
		r.Header.Del("Cookie")
		for name, c := range b.Cookies {
			if b.has(name) && !c.Lax {
				r.AddCookie(&http.Cookie{Name: name, Value: c.Value})
			}
		}
	}
	return r
}

func (b *BoundBrowser) shown(res *http.Response) {
	if next := challengeOf(res); next != "" {
		b.Next = next
	}
	if b.OnShow != nil {
		b.OnShow(res)
	}
}

var asked = regexp.MustCompile(`^"([^"]+)";id="[^"]+"$`)

// challengeOf returns the challenge in a response, or "".
func challengeOf(res *http.Response) string {
	if parts := asked.FindStringSubmatch(res.Header.Get("Secure-Session-Challenge")); parts != nil {
		return parts[1]
	}
	return ""
}

// JWK returns the public key as a browser sends it.
func JWK(key *ecdsa.PrivateKey) map[string]any {
	x, y := make([]byte, 32), make([]byte, 32)
	key.X.FillBytes(x)
	key.Y.FillBytes(y)
	return map[string]any{"kty": "EC", "crv": "P-256", "x": Base64(x), "y": Base64(y)}
}

// Base64 encodes as tokens do.
func Base64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Sign returns the token with which a browser answers a challenge.
func Sign(key *ecdsa.PrivateKey, jwk map[string]any, challenge string) string {
	header := map[string]any{"alg": "ES256", "typ": "dbsc+jwt"}
	if jwk != nil {
		header["jwk"] = jwk
	}
	return SignParts(key, header, map[string]any{"jti": challenge})
}

// SignParts returns a token with that header and payload.
func SignParts(key *ecdsa.PrivateKey, header, payload any) string {
	var parts []string
	for _, part := range []any{header, payload} {
		text, isText := part.(string)
		if !isText {
			b, _ := json.Marshal(part)
			text = string(b)
		}
		parts = append(parts, Base64([]byte(text)))
	}
	signed := strings.Join(parts, ".")
	hash := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, key, hash[:])
	if err != nil {
		panic(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signed + "." + Base64(signature)
}
