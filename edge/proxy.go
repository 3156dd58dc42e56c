package edge

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the trusted proxies in front of the application. Only their X-Forwarded-For and
// X-Forwarded-Proto are read.
type Proxies struct {
	addresses []netip.Prefix
	socket    bool // what connects to a Unix socket is one
}

// ParseProxies reads addresses such as 10.0.0.2, networks such as 10.0.0.0/8, and "unix" for a Unix socket.
func ParseProxies(list []string) (p Proxies, err error) {
	for _, item := range list {
		if item == "unix" {
			p.socket = true
			continue
		}
		network, err := netip.ParsePrefix(item)
		if err != nil {
			address, notAddress := netip.ParseAddr(item)
			if notAddress != nil {
				return p, fmt.Errorf("%q is neither an address nor a network", item)
			}
			network = netip.PrefixFrom(address, address.BitLen())
		}
		p.addresses = append(p.addresses, network.Masked())
	}
	return p, nil
}

// None reports whether no proxy is trusted.
func (p Proxies) None() bool { return len(p.addresses) == 0 && !p.socket }

func (p Proxies) trusts(address netip.Addr) bool {
	if !address.IsValid() {
		return p.socket
	}
	return slices.ContainsFunc(p.addresses, func(network netip.Prefix) bool { return network.Contains(address) })
}

// Client returns the address of the client: that of the peer or, if the peer is one of the proxies, the last address in
// X-Forwarded-For that is not a proxy's. It is invalid if the client is not known, or if the peer has a private address
// that is not listed: it is probably a proxy that all visitors share.
func (p Proxies) Client(r *http.Request) netip.Addr {
	address := peer(r)
	if !p.trusts(address) {
		if !address.IsGlobalUnicast() || address.IsPrivate() {
			return netip.Addr{}
		}
		return address
	}
	var hops []string
	for _, line := range r.Header["X-Forwarded-For"] {
		hops = append(hops, strings.Split(line, ",")...)
	}
	for _, hop := range slices.Backward(hops) {
		address, err := parseHop(strings.TrimSpace(hop))
		if err != nil {
			return netip.Addr{}
		}
		if address = address.Unmap(); !p.trusts(address) {
			return address.WithZone("")
		}
	}
	return netip.Addr{}
}

// parseHop reads an address as proxies write it: some add a port, or brackets.
func parseHop(hop string) (netip.Addr, error) {
	if withPort, err := netip.ParseAddrPort(hop); err == nil {
		return withPort.Addr(), nil
	}
	return netip.ParseAddr(strings.Trim(hop, "[]"))
}

// peer returns the address that has connected. It is invalid for a Unix socket.
func peer(r *http.Request) netip.Addr {
	address, _ := netip.ParseAddrPort(r.RemoteAddr)
	return address.Addr().Unmap().WithZone("")
}

// RedirectToHTTPS redirects a request that a proxy says was sent over http to the same address over https, if its host is
// one of ours. Health checks are not redirected.
func (p Proxies) RedirectToHTTPS(next http.Handler, hosts Hosts) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimSuffix(r.URL.Path, "/")
		ours := r.Host != "" && hosts.check(r) == nil && r.URL.Host == "" && strings.HasPrefix(r.RequestURI, "/")
		if !p.overHTTP(r) || !ours || path == "/healthz" || path == "/readyz" {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Location", "https://"+hostname(r)+r.RequestURI)
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusPermanentRedirect) // 308 keeps the method and the form
	})
}

// overHTTP reports whether a proxy says that the client has sent the request without encryption.
func (p Proxies) overHTTP(r *http.Request) bool {
	return p.trusts(peer(r)) && strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "http")
}
