package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// An answer is what a peer has answered.
type answer struct {
	status   int
	location string
	header   http.Header
	cookies  []*http.Cookie
	page     string
	bytes    int64 // all of it, as sent
}

// request sends one request as wrk does, so that the answers are of the same size, and as a
// proxy does that speaks https to the visitor.
func (s *server) request(method, path string, form url.Values, cookies map[string]string) (a answer, err error) {
	r, err := http.NewRequest(method, fmt.Sprintf("http://127.0.0.1:%d%s", s.port, path), strings.NewReader(form.Encode()))
	if err != nil {
		return a, err
	}
	for name, value := range headers(form, cookies) {
		r.Header.Set(name, value)
	}
	var count atomic.Int64
	transport := &http.Transport{DisableCompression: true, DialContext: counted(&count)}
	defer transport.CloseIdleConnections()
	client := http.Client{Timeout: 10 * time.Second, Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	response, err := client.Do(r)
	if err != nil {
		return a, err
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header.Get("Location"), response.Header, response.Cookies(), string(page), count.Load()}, err
}

// headers are those of a request, for wrk and for the check.
func headers(form url.Values, cookies map[string]string) map[string]string {
	h := map[string]string{"X-Forwarded-Proto": "https"}
	if form != nil {
		h["Content-Type"] = "application/x-www-form-urlencoded"
	}
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(cookies)) {
		pairs = append(pairs, name+"="+cookies[name])
	}
	if pairs != nil {
		h["Cookie"] = strings.Join(pairs, "; ")
	}
	return h
}

// counted dials connections that count what is read.
func counted(count *atomic.Int64) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		return &countingConn{c, count}, err
	}
}

type countingConn struct {
	net.Conn
	count *atomic.Int64
}

func (c *countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.count.Add(int64(n))
	return n, err
}

// A browser is what a visitor has: its cookies, and the token of its form.
type browser struct {
	cookies map[string]string
	token   string
}

// visit sends a request with its cookies, and keeps those that come back.
func (v *browser) visit(s *server, method, path string, form url.Values) (answer, error) {
	a, err := s.request(method, path, form, v.cookies)
	for _, c := range a.cookies {
		if v.cookies == nil {
			v.cookies = map[string]string{}
		}
		v.cookies[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(v.cookies, c.Name)
		}
	}
	return a, err
}

func (v *browser) clone() browser {
	return browser{maps.Clone(v.cookies), v.token}
}

// form is the hero's, with name as it is given.
func (v *browser) form(name string) url.Values {
	form := url.Values{"name": {name}, "alter_ego": {heroAlterEgo}, "catch_phrase": {heroPhrase}}
	if v.token != "" {
		form.Set("authenticity_token", v.token)
	}
	return form
}
