package devicebound_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"heroes/session"
	"heroes/session/devicebound"
)

// A response that saves a session asks the browser to register a key.
func Example() {
	store, err := session.New([][]byte{[]byte(session.NewSecret())}, session.Options{DeviceProof: 8 * time.Minute})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle(session.DevicePath, devicebound.Handler(store, "/assets"))
	mux.HandleFunc("POST /sign-in", func(w http.ResponseWriter, r *http.Request) {
		s, err := store.Get(r, "_app_session")
		if err == nil {
			err = store.SignIn(r, s, "clark")
		}
		if err != nil {
			http.Error(w, err.Error(), session.Status(w.Header(), err))
		}
	})
	app := store.Handler(mux, nil)

	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("POST", "/sign-in", nil))
	offer, _, _ := strings.Cut(w.Header().Get("Secure-Session-Registration"), ";challenge")
	fmt.Println(offer)
	// Output: (ES256);path="/dbsc/_app_session/register"
}
