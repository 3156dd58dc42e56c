package main

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// round starts the peer anew, checks it and drives it once with each request. What an
// earlier round has left in its memory is gone, and the others are not there.
func (p *peer) round(ctx context.Context, s settings, dir string, first *example) (err error) {
	if _, err := p.start(ctx, dir); err != nil {
		return err
	}
	defer func() {
		if printed := p.stop(); err != nil && printed != "" {
			err = fmt.Errorf("%w\nit printed:\n%s", err, printed)
		}
	}()
	if err := p.check(first); err != nil {
		return fmt.Errorf("does not answer rightly: %w", err)
	}
	warm, page := s, request{"GET", "/success", nil, p.visitor.cookies, http.StatusOK}
	warm.duration = time.Second
	if _, err := p.drive(ctx, warm, dir, page); err != nil {
		return err
	}
	memory := p.server.watchMemory()
	get, err := p.drive(ctx, s, dir, page)
	p.memGet = memory()
	if err != nil {
		return err
	}
	memory = p.server.watchMemory()
	post, err := p.drive(ctx, s, dir, request{"POST", "/heroes", p.first.form(heroName), p.first.cookies, http.StatusSeeOther})
	p.memAt = max(p.memGet, memory())
	if err != nil {
		return err
	}
	p.get, p.p99, p.post = append(p.get, get.rate()), append(p.p99, get.p99), append(p.post, post.rate())
	fmt.Printf("  %-36s GET %7.0f/s  POST %7.0f/s\n", p.name, get.rate(), post.rate())
	return nil
}

// A request is what wrk sends again and again, and the status that it has to get.
type request struct {
	method, path string
	form         url.Values
	cookies      map[string]string
	status       int
}

// drive has wrk send the request, and fails unless every answer was the right one. To have
// wrk look at each would cost the peers its time; so one answer is looked at before and one
// after, and the load must have as many bytes for each request.
func (p *peer) drive(ctx context.Context, s settings, dir string, r request) (l load, err error) {
	size, err := p.server.look(r)
	if err != nil {
		return l, err
	}
	script := filepath.Join(dir, "request.lua")
	if err := os.WriteFile(script, []byte(lua(r)), 0o600); err != nil {
		return l, err
	}
	cmd := command(ctx, "wrk", "--threads", "2", "--connections", strconv.Itoa(s.connections), "--timeout", "10s",
		"--duration", fmt.Sprintf("%.0fs", s.duration.Seconds()), "--script", script, fmt.Sprintf("http://127.0.0.1:%d%s", p.server.port, r.path))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return l, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	if l, err = parseWrk(string(out)); err != nil {
		return l, err
	}
	if err := l.check(size); err != nil {
		return l, fmt.Errorf("%s %s under load: %w", r.method, r.path, err)
	}
	_, err = p.server.look(r)
	return l, err
}

// look gives the size of the answer, with its headers.
func (s *server) look(r request) (size int64, err error) {
	a, err := s.request(r.method, r.path, r.form, r.cookies)
	if err == nil && a.status != r.status {
		err = fmt.Errorf("%s %s is answered with %d, and not with %d", r.method, r.path, a.status, r.status)
	}
	return a.bytes, err
}

// lua is wrk's script: the request, and what to print at the end.
func lua(r request) string {
	var b strings.Builder
	fmt.Fprintf(&b, "wrk.method = %q\n", r.method)
	h := headers(r.form, r.cookies)
	for _, name := range slices.Sorted(maps.Keys(h)) {
		fmt.Fprintf(&b, "wrk.headers[%q] = %q\n", name, h[name])
	}
	if r.form != nil {
		fmt.Fprintf(&b, "wrk.body = %q\n", r.form.Encode())
	}
	b.WriteString(`function done(summary, latency)
  local e = summary.errors
  print(string.format("load: requests %d bytes %d us %d p99 %d errors %d refused %d",
    summary.requests, summary.bytes, summary.duration, latency:percentile(99),
    e.connect + e.read + e.write + e.timeout, e.status))
end
`)
	return b.String()
}

// A load is what wrk has counted.
type load struct {
	requests, bytes int64
	seconds         float64
	p99             float64 // milliseconds
	errors          int64   // connections that failed, and answers that did not come
	refused         int64   // answers of 400 and above
}

var loadLine = regexp.MustCompile(`(?m)^load: requests (\d+) bytes (\d+) us (\d+) p99 (\d+) errors (\d+) refused (\d+)$`)

// parseWrk reads the line that the script has printed.
func parseWrk(out string) (l load, err error) {
	m := loadLine.FindStringSubmatch(out)
	if m == nil {
		return l, fmt.Errorf("wrk printed no figures:\n%s", out)
	}
	var n [6]int64
	for i := range n {
		if n[i], err = strconv.ParseInt(m[i+1], 10, 64); err != nil {
			return l, err
		}
	}
	return load{n[0], n[1], float64(n[2]) / 1e6, float64(n[3]) / 1e3, n[4], n[5]}, nil
}

func (l load) rate() float64 {
	return float64(l.requests) / l.seconds
}

// check says what was wrong with the answers. An answer of another kind is of another size;
// one percent is for those that were under way at the end.
func (l load) check(size int64) error {
	switch {
	case l.requests == 0:
		return fmt.Errorf("no answer")
	case l.errors > 0 || l.refused > 0:
		return fmt.Errorf("%d of %d requests failed and %d were refused", l.errors, l.requests, l.refused)
	}
	mean := float64(l.bytes) / float64(l.requests)
	if math.Abs(mean-float64(size)) > 0.01*float64(size) {
		return fmt.Errorf("an answer has %.1f bytes on average, and %d when it is right", mean, size)
	}
	return nil
}
