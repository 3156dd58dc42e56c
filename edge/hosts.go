package edge

import (
	"errors"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// Hosts are the names by which browsers may ask for the application. Otherwise another site could let its own name lead here,
// and its pages would be of the same origin as ours (DNS rebinding).
type Hosts struct {
	names    []string // lower case; ".example.com" stands for every name below it, too
	loopback bool     // the names of this machine
}

// NewHosts returns Hosts with these names and, in development, those of this machine.
func NewHosts(names []string, development bool) Hosts {
	h := Hosts{loopback: development}
	for _, name := range names {
		h.names = append(h.names, strings.ToLower(name))
	}
	return h
}

var errHost = errors.New("the name of the host is not one of ALLOWED_HOSTS: add it there if it is yours")

// check returns errHost unless the request's host is one of the names. Without names, any host is allowed. Every
// browser names a host; other programs may not.
func (h Hosts) check(r *http.Request) error {
	if r.Host == "" || len(h.names) == 0 && !h.loopback {
		return nil
	}
	host := strings.ToLower(strings.TrimSuffix(strings.Trim(hostname(r), "[]"), "."))
	if h.loopback && isLoopback(host) || slices.ContainsFunc(h.names, func(name string) bool { return matches(name, host) }) {
		return nil
	}
	return errHost
}

// host matches the name of a host or its address, and its port (RFC 3986, section 3.2).
var host = regexp.MustCompile(`^(?i)([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]*)?$`)

// hostname returns the request's host without a port, or "" if it is malformed.
func hostname(r *http.Request) string {
	if found := host.FindStringSubmatch(r.Host); found != nil {
		return found[1]
	}
	return ""
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback() || host == "localhost" || strings.HasSuffix(host, ".localhost")
}

func matches(name, host string) bool {
	if domain, below := strings.CutPrefix(name, "."); below {
		return host == domain || strings.HasSuffix(host, name)
	}
	return host == name
}
