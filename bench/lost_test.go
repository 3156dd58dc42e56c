package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"heroes/session"
	"heroes/session/redisstore"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/redis/go-redis/v9"
)

// Test_lost_changes has 20 requests at once each set a key of its own in one session,
// 50 times over, and counts the changes that were answered with 200 and are not
// there afterwards. It states what Heroes loses and shows what the peer does.
//
//	go test -run lost -v .
func Test_lost_changes(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:6379"})
	defer client.Close()
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Skip("no Redis at 127.0.0.1:6379: start one")
	}

	store, err := session.New([][]byte{[]byte(session.NewSecret())},
		session.Options{Backend: redisstore.New(client, "heroes_bench:")})
	if err != nil {
		t.Fatal(err)
	}
	heroes := lost(t, "_heroes_session", store.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, "_heroes_session")
		if key := r.FormValue("key"); key != "" {
			s.Values[key] = true
			return
		}
		fmt.Fprint(w, len(s.Values))
	}), nil))

	manager := scs.New()
	manager.Store = goredisstore.NewWithPrefix(client, "scs_bench:")
	peer := lost(t, "session", manager.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if key := r.FormValue("key"); key != "" {
			manager.Put(r.Context(), key, true)
			return
		}
		fmt.Fprint(w, len(manager.Keys(r.Context())))
	})))

	t.Logf("of 1000 changes, Heroes lost %d and scs lost %d", heroes, peer)
	if heroes > 0 {
		t.Errorf("%d changes were lost", heroes)
	}
	for _, pattern := range []string{"heroes_bench:*", "scs_bench:*"} {
		keys := client.Scan(context.Background(), 0, pattern, 1000).Iterator()
		for keys.Next(context.Background()) {
			client.Del(context.Background(), keys.Val())
		}
	}
}

func lost(t *testing.T, name string, app http.Handler) int {
	visit := func(cookie, key string) *httptest.ResponseRecorder {
		r, w := httptest.NewRequest("GET", "/?key="+key, nil), httptest.NewRecorder()
		r.Header.Set("Cookie", name+"="+cookie)
		app.ServeHTTP(w, r)
		return w
	}
	cookie := visit("", "first").Result().Cookies()[0].Value
	acknowledged := 1
	for round := range 50 {
		var wait sync.WaitGroup
		var mu sync.Mutex
		for g := range 20 {
			wait.Go(func() {
				if visit(cookie, fmt.Sprintf("%d-%d", round, g)).Code == http.StatusOK {
					mu.Lock()
					defer mu.Unlock()
					acknowledged++
				}
			})
		}
		wait.Wait()
	}
	var kept int
	if _, err := fmt.Sscan(visit(cookie, "").Body.String(), &kept); err != nil {
		t.Fatal(err)
	}
	return acknowledged - kept
}
