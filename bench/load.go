package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// measure drives the peer once with each request.
func (p *peer) measure(ctx context.Context, s settings, dir string) error {
	get, err := p.drive(ctx, s, dir, "/success", "GET", "", p.cookie)
	if err != nil {
		return err
	}
	if status, _, _, err := p.visit("GET", "/success", nil, p.cookie); err != nil || status != http.StatusOK {
		return fmt.Errorf("after the load, GET /success is answered with %d %v", status, err)
	}
	post, err := p.drive(ctx, s, dir, "/heroes", "POST", p.form().Encode(), p.anyone)
	if err != nil {
		return err
	}
	if status, _, _, err := p.visit("POST", "/heroes", p.form(), p.anyone); err != nil || status != http.StatusSeeOther {
		return fmt.Errorf("after the load, POST /heroes is answered with %d %v", status, err)
	}
	p.get, p.p99, p.post = append(p.get, get.rate), append(p.p99, get.p99), append(p.post, post.rate)
	fmt.Printf("  %-30s GET %7.0f/s  POST %7.0f/s\n", p.name, get.rate, post.rate)
	return nil
}

// A load is what wrk has measured.
type load struct {
	rate float64 // requests per second
	p99  float64 // milliseconds
}

func (p *peer) drive(ctx context.Context, s settings, dir, path, method, body, cookie string) (load, error) {
	script := filepath.Join(dir, "request.lua")
	lua := fmt.Sprintf("wrk.method=%q\nwrk.headers[\"X-Forwarded-Proto\"]=\"https\"\n", method)
	if cookie != "" {
		lua += fmt.Sprintf("wrk.headers[\"Cookie\"]=%q\n", cookie)
	}
	if body != "" {
		lua += fmt.Sprintf("wrk.headers[\"Content-Type\"]=\"application/x-www-form-urlencoded\"\nwrk.body=%q\n", body)
	}
	if err := os.WriteFile(script, []byte(lua), 0o600); err != nil {
		return load{}, err
	}
	if p.memory == 0 { // sessions that POST leaves behind are not counted
		watch, done := context.WithCancel(ctx)
		defer done()
		go p.watchMemory(watch)
	}
	cmd := exec.CommandContext(ctx, "wrk", "--latency", "-t", "2", "-c", strconv.Itoa(s.connections),
		"-d", fmt.Sprintf("%.0fs", s.duration.Seconds()), "-s", script, fmt.Sprintf("http://127.0.0.1:%d%s", p.port, path))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return load{}, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	return parseWrk(string(out))
}

var (
	rateLine = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	p99Line  = regexp.MustCompile(`99%\s+([\d.]+)(us|ms|s)`)
	badLine  = regexp.MustCompile(`(?m)^\s*(Non-2xx or 3xx responses|Socket errors):.*$`)
)

// parseWrk reads what wrk prints. An answer that is an error is one of the run, too.
func parseWrk(out string) (l load, err error) {
	if bad := badLine.FindString(out); bad != "" {
		return l, fmt.Errorf("under load: %s", strings.TrimSpace(bad))
	}
	rate, p99 := rateLine.FindStringSubmatch(out), p99Line.FindStringSubmatch(out)
	if rate == nil || p99 == nil {
		return l, fmt.Errorf("wrk printed no figures:\n%s", out)
	}
	l.rate, _ = strconv.ParseFloat(rate[1], 64)
	l.p99, _ = strconv.ParseFloat(p99[1], 64)
	l.p99 *= map[string]float64{"us": 0.001, "ms": 1, "s": 1000}[p99[2]]
	return l, nil
}

// watchMemory notes the most memory that the peer's processes have together.
func (p *peer) watchMemory(ctx context.Context) {
	group := p.process.Process.Pid
	for ctx.Err() == nil {
		p.memory = max(p.memory, residentMemory(group))
		time.Sleep(200 * time.Millisecond)
	}
}

// residentMemory adds up VmRSS, in bytes, of a process group.
func residentMemory(group int) (sum int) {
	processes, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range processes {
		b, err := os.ReadFile(stat)
		if err != nil {
			continue
		}
		fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:])) // state, parent, group, …
		if len(fields) < 22 || fields[2] != strconv.Itoa(group) {
			continue
		}
		pages, _ := strconv.Atoi(fields[21])
		sum += pages * os.Getpagesize()
	}
	return sum
}
