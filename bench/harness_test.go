package main

import (
	"encoding/xml"
	"strings"
	"testing"
	"time"
)

const printed = `Running 4s test @ http://127.0.0.1:1/success
  2 threads and 32 connections
  Latency Distribution
     50%    1.20ms
     99%   15.31ms
  60226 requests in 4.00s, 120.11MB read
Requests/sec:  15056.48
Transfer/sec:     30.02MB
`

func Test_the_harness_reads_what_wrk_prints(t *testing.T) {
	l, err := parseWrk(printed)
	if err != nil || l.rate != 15056.48 || l.p99 != 15.31 {
		t.Fatal(l, err)
	}
	for unit, want := range map[string]float64{"us": 0.01531, "s": 15310} {
		if l, err = parseWrk(strings.Replace(printed, "15.31ms", "15.31"+unit, 1)); err != nil || l.p99 < want*0.999 || l.p99 > want*1.001 {
			t.Fatal(l, err)
		}
	}
}

func Test_the_harness_takes_no_errors_for_answers(t *testing.T) {
	for _, bad := range []string{"  Non-2xx or 3xx responses: 3\n", "  Socket errors: connect 0, read 1, write 0, timeout 0\n"} {
		if _, err := parseWrk(printed + bad); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(bad)) {
			t.Fatal(err)
		}
	}
	if _, err := parseWrk("unable to connect"); err == nil {
		t.Fatal("no figures are figures")
	}
}

func Test_the_harness_reports_medians_and_ratios(t *testing.T) {
	if m := median([]float64{9, 1, 5}); m != 5 {
		t.Fatal(m)
	}
	peers := []*peer{
		{name: "Heroes", against: "net/http + scs", get: []float64{9000, 12000, 15000}, post: []float64{500}, starts: []float64{70}, memory: 35 << 20},
		{name: "net/http + scs", against: "net/http + scs", get: []float64{24000}, post: []float64{1000}},
		{name: "Flask, gunicorn", against: "net/http + scs", get: []float64{3000}, post: []float64{100}},
		{name: "alone", against: "nobody", get: []float64{1}},
	}
	table := report(peers, []string{"R: no Redis"}, settings{rounds: 3, duration: time.Second}, "2 cores")
	for _, line := range []string{
		"| Heroes | 12,000/s | 0.50 | 0.0 ms | 500/s | 0.50 | 70 ms | 35 MB |",
		"| alone | 1/s |  |",
		"Beside Flask, gunicorn, Heroes serves 4.0 times the pages and 5.0 times the posts.",
		"Left out: R: no Redis.",
	} {
		if !strings.Contains(table, line) {
			t.Fatalf("no %q in\n%s", line, table)
		}
	}
	if strings.Contains(table, "Beside stock") {
		t.Fatal("a peer that was left out is compared with")
	}
	if err := xml.Unmarshal([]byte(chart(peers)), new(struct{})); err != nil {
		t.Fatal("the chart is no XML: ", err)
	}
}

func Test_the_harness_leaves_out_what_is_missing(t *testing.T) {
	present, missing := &peer{name: "a Heroes"}, &peer{name: "b Heroes", needs: func() string { return "it is missing" }}
	peers, left := choose([]*peer{present, missing, {name: "other"}}, "Heroes")
	if len(peers) != 1 || peers[0] != present || len(left) != 1 || left[0] != "b Heroes: it is missing" {
		t.Fatal(peers, left)
	}
}
