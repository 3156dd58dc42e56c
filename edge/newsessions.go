package edge

import (
	"hash/maphash"
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/time/rate"
)

// NewSessions limits how many sessions begin: each client's and all together. It is for session.Options.AllowNew.
//
// Clients share a fixed number of buckets, so that no number of them takes more memory. Which ones share a bucket
// nobody can choose.
type NewSessions struct {
	proxies Proxies
	seed    maphash.Seed
	clients []*rate.Limiter
	all     *rate.Limiter
}

// buckets is how many clients are told apart. It takes about a megabyte.
const buckets = 1 << 14

// LimitNewSessions lets each client begin as many sessions a minute, and all together that many. Zero means
// any number. At once, each can begin as many as in a minute.
func LimitNewSessions(perClient, total int, proxies Proxies) *NewSessions {
	l := &NewSessions{proxies: proxies, seed: maphash.MakeSeed()}
	if perClient > 0 {
		for range buckets {
			l.clients = append(l.clients, perMinute(perClient))
		}
	}
	if total > 0 {
		l.all = perMinute(total)
	}
	return l
}

func perMinute(n int) *rate.Limiter { return rate.NewLimiter(rate.Limit(n)/60, n) }

// Wait returns how long the client of the request has to wait until it may begin a session, or 0 if it may now.
func (l *NewSessions) Wait(r *http.Request) time.Duration {
	if client := l.proxies.Client(r); client.IsValid() && l.clients != nil {
		if wait := take(l.clients[l.bucket(client)]); wait > 0 {
			return wait
		}
	}
	if l.all == nil {
		return 0
	}
	return take(l.all)
}

// bucket returns the number of the client's bucket. A network of IPv6 addresses with the same first 64 bits is one
// client: whoever has one of them has them all.
func (l *NewSessions) bucket(client netip.Addr) uint64 {
	if client.Is6() {
		network, _ := client.Prefix(64)
		client = network.Addr()
	}
	return maphash.Comparable(l.seed, client) % uint64(len(l.clients))
}

// take returns how long to wait for a token, or takes one and returns 0.
func take(l *rate.Limiter) time.Duration {
	r := l.Reserve()
	wait := r.Delay()
	if wait > 0 {
		r.Cancel()
	}
	return wait
}
