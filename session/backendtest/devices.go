package backendtest

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"heroes/session"
	"heroes/session/devicebound"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// BoundApp is an application for a BoundBrowser. Each of its pages shows the session: its value, its owner, and whether
// it is bound.
func BoundApp(store *session.Store) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(session.DevicePath, devicebound.Handler(store, "/assets"))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s, err := store.Get(r, name)
		if err == nil {
			switch query := r.URL.Query(); r.URL.Path {
			case "/set":
				s.Values["name"] = query.Get("name")
			case "/renew":
				err = store.Renew(r, s)
			case "/sign-in":
				err = store.SignIn(r, s, query.Get("owner"))
			case "/sign-out":
				err = store.SignOut(r, s)
			case "/revoke-others":
				_, err = store.RevokeOthers(r, s)
			case "/emptied":
				s.Options.MaxAge = -1
			}
		}
		if err == nil { // before the page shows what became of it
			err = session.Of(r).Respond(r, http.StatusOK, func() error { return store.Save(r, w, s) })
		}
		if err != nil {
			http.Error(w, err.Error(), session.Status(w.Header(), err))
			return
		}
		value, _ := s.Values["name"].(string)
		fmt.Fprintf(w, "%s/%s/%t", value, store.Owner(r, s), store.Info(r, s).Bound)
	})
	return store.Handler(mux, nil)
}

// Devices tests sessions that are bound to a device: in cookies if b is nil. It runs in real time.
func Devices(t *testing.T, b session.Backend) {
	t.Run("23: devices", func(t *testing.T) { devices(t, b) })
}

func devices(t *testing.T, b session.Backend) {
	const valid = 2 * time.Second
	options := session.Options{DeviceProof: valid, Grace: time.Second, OnEvent: quiet}
	process := func(t *testing.T, secrets ...[]byte) (*session.Store, http.Handler) {
		store := open(t, b, options, secrets...).store
		return store, BoundApp(store)
	}
	// bound returns a browser whose session is bound, a second after that.
	bound := func(t *testing.T, app http.Handler) *BoundBrowser {
		browser := NewBoundBrowser(t, app)
		browser.Ask("POST", "/set?name=Superman")
		browser.Get("/")
		_, body := browser.Get("/")
		require.Equal(t, "Superman//true", body)
		return browser
	}

	t.Run("a copy works until its proof expires, and never again", func(t *testing.T) {
		t.Parallel()
		_, app := process(t)
		visitor := bound(t, app)
		thief := visitor.Copy()
		_, body := thief.Get("/")
		require.Equal(t, "Superman//true", body)
		time.Sleep(valid + 100*time.Millisecond)
		for range 3 {
			_, body = thief.Get("/")
			require.Equal(t, "//false", body)
			res, body := thief.Ask("POST", "/set?name=Thief")
			require.Equal(t, http.StatusConflict, res.StatusCode, body)
			require.Empty(t, res.Header["Set-Cookie"])
			_, body = visitor.Get("/")
			require.Equal(t, "Superman//true", body, "the visitor is not disturbed")
		}
	})

	t.Run("two processes, and a rotation of secrets between each two steps", func(t *testing.T) {
		t.Parallel()
		_, before := process(t, oldSecret)
		_, during := process(t, oldSecret, newSecret)
		_, during2 := process(t, newSecret, oldSecret)
		_, after := process(t, newSecret)
		visitor := NewBoundBrowser(t, before)
		visitor.Ask("POST", "/set?name=Superman")
		visitor.Get("/")
		for _, app := range []http.Handler{before, during, before, during, during2, during, during2} {
			visitor.Handler = app
			_, body := visitor.Get("/")
			require.Equal(t, "Superman//true", body)
			require.Equal(t, http.StatusOK, visitor.Refresh(false).StatusCode)
		}
		visitor.Handler = during2
		_, body := visitor.Get("/") // which seals the session under the newest secret
		require.Equal(t, "Superman//true", body)
		visitor.Refresh(false)
		thief := visitor.Copy()
		time.Sleep(valid + 100*time.Millisecond)
		visitor.Handler, thief.Handler = after, after
		_, body = visitor.Get("/")
		require.Equal(t, "Superman//true", body)
		_, body = thief.Get("/")
		require.Equal(t, "//false", body)
	})

	t.Run("whatever overlaps, the visitor stays bound and keeps each acknowledged change", func(t *testing.T) {
		t.Parallel()
		_, app := process(t)
		for range 5 {
			visitor := NewBoundBrowser(t, app)
			visitor.Ask("POST", "/set?name=First")
			visitor.Get("/") // it shows its key
			var wait sync.WaitGroup
			var mu sync.Mutex
			latest := ""
			requests := make([]*http.Request, 8)
			for i := range requests {
				requests[i] = visitor.Request("POST", fmt.Sprintf("/set?name=%d", i))
			}
			for i, r := range requests { // any of which may bind it
				wait.Go(func() {
					res, body := (&BoundBrowser{T: t, Handler: app, Cookies: map[string]Kept{}}).Send(r)
					assert.Equal(t, http.StatusOK, res.StatusCode, body)
					mu.Lock()
					defer mu.Unlock()
					visitor.Keep(res)
					latest = fmt.Sprint(i)
				})
			}
			wait.Wait()
			_, body := visitor.Get("/")
			require.Contains(t, body, "//true")
			if b == nil {
				require.Equal(t, latest+"//true", body, "of cookies, the last one that arrived counts")
			}
			thief := visitor.Copy()
			delete(thief.Cookies, visitor.Binding.Credentials[0].Name)
			time.Sleep(options.Grace + 50*time.Millisecond)
			_, body = thief.Get("/")
			require.Equal(t, "//false", body)
			_, body = visitor.Get("/")
			require.Contains(t, body, "//true")
		}
	})

	if b == nil {
		return
	}
	t.Run("each challenge can be answered once, however many answers overlap", func(t *testing.T) {
		t.Parallel()
		_, app := process(t)
		visitor := bound(t, app)
		for range 5 {
			res, _ := visitor.Send(visitor.RefreshRequest(false))
			token := Sign(visitor.Key, nil, challengeOf(res))
			var proven atomic.Int32
			var wait sync.WaitGroup
			for range 6 {
				r := visitor.RefreshRequest(false)
				r.Header.Set("Secure-Session-Response", token)
				wait.Go(func() {
					res, body := (&BoundBrowser{T: t, Handler: app, Cookies: map[string]Kept{}}).Send(r)
					if res.StatusCode == http.StatusOK {
						proven.Add(1)
					} else {
						assert.Equal(t, http.StatusForbidden, res.StatusCode, body)
						assert.NotEmpty(t, challengeOf(res))
					}
				})
			}
			wait.Wait()
			require.EqualValues(t, 1, proven.Load())
			require.Equal(t, http.StatusOK, visitor.Refresh(false).StatusCode, "the browser answers the new one")
		}
	})

	t.Run("a session that ends takes its binding along", func(t *testing.T) {
		t.Parallel()
		store, app := process(t)
		visitor := bound(t, app)
		id := visitor.Binding.ID[:32]
		_, err := store.Revoke(t.Context(), name, id)
		require.NoError(t, err)
		for _, crossSite := range []bool{true, false} {
			require.Equal(t, http.StatusBadRequest, (&BoundBrowser{T: t, Handler: app, Cookies: visitor.Cookies, Key: visitor.Key, Binding: visitor.Binding}).Refresh(crossSite).StatusCode)
		}
		_, body := visitor.Get("/")
		require.Equal(t, "//false", body)
	})
}
