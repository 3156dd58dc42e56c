package edge

import (
	"hash/maphash"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// clients limits what each client does in a period. There is a fixed number of buckets, so memory does not grow with the
// number of clients. Nobody can choose which clients share a bucket.
type clients struct {
	proxies Proxies
	seed    maphash.Seed
	n       int
	period  time.Duration
	buckets []atomic.Pointer[rate.Limiter] // made when they are first needed
}

// buckets is how many clients can be told apart. All of them take about a megabyte.
const buckets = 1 << 14

// newClients lets each client do n things in a period, or all n at once. Zero means any number.
func newClients(n int, period time.Duration, proxies Proxies) *clients {
	return &clients{proxies, maphash.MakeSeed(), n, period, make([]atomic.Pointer[rate.Limiter], min(n, 1)*buckets)}
}

func newBucket(n int, period time.Duration) *rate.Limiter {
	return rate.NewLimiter(rate.Limit(float64(n)/period.Seconds()), n)
}

// oneClient returns the address that stands for a client. A network of IPv6 addresses with the same first 56 bits is one
// client: whoever has one of them usually has them all.
func oneClient(address netip.Addr) netip.Addr {
	if !address.Is6() {
		return address
	}
	network, _ := address.Prefix(56)
	return network.Addr()
}

// bucket returns that of the request's client, or nil if there is no limit or the client is not known.
func (c *clients) bucket(r *http.Request) *rate.Limiter {
	if len(c.buckets) == 0 {
		return nil
	}
	client := oneClient(c.proxies.Client(r))
	if !client.IsValid() {
		return nil
	}
	bucket := &c.buckets[maphash.Comparable(c.seed, client)%buckets]
	if bucket.Load() == nil {
		bucket.CompareAndSwap(nil, newBucket(c.n, c.period))
	}
	return bucket.Load()
}

// reserve returns how long the request has to wait. If that is longer than longestWait, nothing is reserved.
func (c *clients) reserve(r *http.Request) time.Duration {
	bucket := c.bucket(r)
	if bucket == nil {
		return 0
	}
	reservation := bucket.Reserve()
	wait := reservation.Delay()
	if wait > longestWait {
		reservation.Cancel()
	}
	return wait
}

// SessionLimit limits how many sessions begin: each client's and all together. It is for session.Options.AllowNew.
type SessionLimit struct {
	each *clients
	all  *rate.Limiter
}

// LimitNewSessions lets each client begin perClient sessions a minute, and all clients together total. They can also begin
// that many at once. Zero means any number.
func LimitNewSessions(perClient, total int, proxies Proxies) SessionLimit {
	l := SessionLimit{each: newClients(perClient, time.Minute, proxies)}
	if total > 0 {
		l.all = newBucket(total, time.Minute)
	}
	return l
}

// Wait returns how long the client of the request has to wait until it may begin a session, or 0 if it may now.
func (l SessionLimit) Wait(r *http.Request) time.Duration {
	now := time.Now()
	var reserved []*rate.Reservation
	for _, bucket := range []*rate.Limiter{l.each.bucket(r), l.all} {
		if bucket == nil {
			continue
		}
		reserved = append(reserved, bucket.ReserveN(now, 1))
		if wait := reserved[len(reserved)-1].DelayFrom(now); wait > 0 {
			for _, reservation := range reserved {
				reservation.CancelAt(now)
			}
			return wait
		}
	}
	return 0
}
