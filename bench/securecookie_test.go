// Package bench measures Heroes side by side with its peers. It is a module of its
// own, so that the peers are no dependencies of Heroes.
//
//	go test -run '^$' -bench SealOpen -count 6 heroes/session .
package main

import (
	"testing"

	_ "heroes/session" // whose BenchmarkSealOpen runs in the same command

	"github.com/gorilla/securecookie"
)

// BenchmarkSealOpenSecurecookie is the peer of heroes/session's BenchmarkSealOpen:
// the same hero with the same flash, encrypted and authenticated by securecookie.
func BenchmarkSealOpenSecurecookie(b *testing.B) {
	codec := securecookie.New(securecookie.GenerateRandomKey(32), securecookie.GenerateRandomKey(32))
	hero := map[any]any{
		"name":         "Superman",
		"alter_ego":    "Clark Kent",
		"catch_phrase": "Up, up and away!",
		"_flash_":      []byte(`{"success":["Superman is registered."]}`),
	}
	var size int
	b.ReportAllocs()
	for b.Loop() {
		sealed, err := codec.Encode("_heroes_session", hero)
		if err != nil {
			b.Fatal(err)
		}
		var opened map[any]any
		if err := codec.Decode("_heroes_session", sealed, &opened); err != nil {
			b.Fatal(err)
		}
		size = len(sealed)
	}
	b.ReportMetric(float64(size), "cookie-bytes")
}
