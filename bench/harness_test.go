package main

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"heroes/bench/peers/pages"
	"heroes/edge"
)

const printed = `Running 4s test @ http://127.0.0.1:1/success
  22 requests in 4.00s, 40KB read
Requests/sec:  5.50
load: requests 1000 bytes 1826500 us 4000000 p99 31250 errors 0 refused 0
`

func Test_harness_parseWrk_reads_what_the_script_prints(t *testing.T) {
	l, err := parseWrk(printed)
	if want := (load{1000, 1826500, 4, 31.25, 0, 0}); err != nil || l != want {
		t.Fatalf("%+v %v", l, err)
	}
	if l.rate() != 250 {
		t.Error(l.rate())
	}
	if _, err := parseWrk("unable to connect"); err == nil || !strings.Contains(err.Error(), "unable to connect") {
		t.Error(err)
	}
}

func Test_harness_load_check_refuses_answers_of_another_kind(t *testing.T) {
	right := load{requests: 1000, bytes: 1828000, seconds: 1}
	for why, l := range map[string]load{
		"some are redirects": {requests: 1000, bytes: 950*1828 + 50*300},
		"connections failed": {requests: 1000, bytes: 1828000, errors: 1},
		"statuses above 399": {requests: 1000, bytes: 1828000, refused: 1},
		"no answer at all":   {},
	} {
		if l.check(1828) == nil {
			t.Error(why)
		}
	}
	if err := right.check(1828); err != nil {
		t.Error(err)
	}
}

func Test_harness_lua_holds_the_request(t *testing.T) {
	script := lua(request{"POST", "/heroes", url.Values{"name": {`A "hero" & more`}}, map[string]string{"b": "2", "a": "1"}, 303})
	for _, want := range []string{`wrk.method = "POST"`, `wrk.headers["Cookie"] = "a=1; b=2"`, `wrk.body = "name=A+%22hero%22+%26+more"`, "function done"} {
		if !strings.Contains(script, want) {
			t.Errorf("%s is not in\n%s", want, script)
		}
	}
}

func Test_harness_median(t *testing.T) {
	for want, values := range map[float64][]float64{0: nil, 5: {5}, 2: {3, 1}, 3: {9, 1, 3}, 2.5: {4, 1, 3, 2}} {
		if got := median(values); got != want {
			t.Errorf("%v: %v", values, got)
		}
	}
}

func Test_harness_thousands(t *testing.T) {
	for want, n := range map[string]float64{"0": 0, "999": 999.4, "1,000": 999.6, "12,345": 12345, "1,234,567": 1234567} {
		if got := thousands(n); got != want {
			t.Errorf("%v: %v", n, got)
		}
	}
}

func Test_harness_parseStat_reads_group_and_pages_whatever_the_name(t *testing.T) {
	stat := "42 (a) b (c) S 1 7 7 0 -1 4194304 1 0 0 0 1 1 0 0 20 0 9 0 100 1000000 2500 18446744073709551615"
	if group, pages := parseStat([]byte(stat)); group != 7 || pages != 2500 {
		t.Error(group, pages)
	}
	if group, pages := parseStat(nil); group != 0 || pages != 0 {
		t.Error(group, pages)
	}
}

func Test_harness_databaseURL_names_the_database(t *testing.T) {
	for base, want := range map[string]string{
		"postgres://u:p%20w@h:1/%s?sslmode=disable": "postgres://u:p%20w@h:1/x?pool_max_conns=20&sslmode=disable",
		"postgres://u@h/other":                      "postgres://u@h/x?pool_max_conns=20",
	} {
		if got := databaseURL(base, "x", "pool_max_conns", "20"); got != want {
			t.Errorf("%s: %s", base, got)
		}
	}
}

func Test_harness_named(t *testing.T) {
	for parts, want := range map[string]bool{"": true, "scs": true, "flask, REDIS": true, "Flask": false} {
		if named("net/http + scs, Redis", parts) != want {
			t.Error(parts)
		}
	}
}

func Test_harness_choose_names_what_it_leaves_out(t *testing.T) {
	claims := 0
	gone := &store{claim: func(context.Context) string { claims++; return "no such server" }}
	peers, left := choose(t.Context(), []*peer{
		{name: "one"},
		{name: "two", store: gone},
		{name: "two, too", store: gone},
		{name: "three", needs: func(context.Context) string { return "no such program" }},
		{name: "other", store: gone},
	}, "one,two,three")
	want := "two: no such server|two, too: no such server|three: no such program"
	if len(peers) != 1 || peers[0].name != "one" || strings.Join(left, "|") != want || claims != 1 {
		t.Error(peers, left, claims)
	}
}

func Test_harness_limit_has_room_for_a_whole_run(t *testing.T) {
	s, err := read(nil)
	if err != nil {
		t.Fatal(err)
	}
	each := time.Second + 2*s.duration + 2*time.Second // warmed, GET and POST, started and checked
	if whole := 3*time.Minute + time.Duration(s.rounds*len(allPeers()))*each; whole > limit {
		t.Errorf("a whole run with its builds may take %s", whole)
	}
}

// What is said of the rows with and without GOGC, and of the plain page, is so for all.
func Test_harness_peers_have_a_row_for_each_way_to_run(t *testing.T) {
	peers, env := map[string]*peer{}, map[string]string{}
	for _, p := range allPeers() {
		if peers[p.name] != nil {
			t.Errorf("%s is there twice", p.name)
		}
		peers[p.name], env[p.name] = p, strings.Join(p.environment(), " ")
	}
	for _, name := range []string{stock, scsMemory, scsMemory + plainPage, fiber, "bare net/http", scsRedis, scsPostgres} {
		if peers[name] == nil || strings.Contains(env[name], gogc) || env[name+tuned] != env[name]+" "+gogc {
			t.Errorf("%s: %q, and with GOGC %q", name, env[name], env[name+tuned])
		}
	}
	for _, name := range []string{stock, scsMemory, fiber, flask} {
		p := peers[name+plainPage]
		if peers[name].plain || p == nil || !p.plain || !p.ownHeaders || env[p.name] != env[name]+" PLAIN=true" {
			t.Errorf("%s: %+v", name, p)
		}
	}
	for name, p := range peers {
		if own := p.plain || strings.HasPrefix(name, stock) || strings.HasPrefix(name, flask); p.ownHeaders != own {
			t.Errorf("%s has headers of its own: %v", name, p.ownHeaders)
		}
	}
}

func Test_harness_environment_later_settings_count(t *testing.T) {
	cmd := exec.Command("/usr/bin/env")
	cmd.Env = (&peer{env: []string{"LOG_LEVEL=info"}}).environment()
	if out, err := cmd.Output(); err != nil || strings.Count(string(out), "LOG_LEVEL=") != 1 || !strings.Contains(string(out), "LOG_LEVEL=info") {
		t.Errorf("%s %v", out, err)
	}
}

func measured() []*peer {
	return []*peer{
		{name: "Heroes", against: scsMemory, get: []float64{800, 1000, 1200}, post: []float64{500}, p99: []float64{2}, starts: []float64{50}, memGet: 20 << 20, memAt: 21 << 20},
		{name: "stock Buffalo", against: scsMemory, get: []float64{200}, post: []float64{250}},
		{name: scsMemory, against: scsMemory, get: []float64{2000}, post: []float64{1000}},
		{name: scsMemory + plainPage, against: scsMemory, get: []float64{4000}, post: []float64{1000}},
		{name: fiber, against: scsMemory, get: []float64{5000}, post: []float64{1000}},
		{name: "a & <b>", against: scsRedis, get: []float64{1}, post: []float64{1}},
		{name: scsPostgres, against: scsPostgres, get: []float64{10}, post: []float64{10}},
	}
}

func Test_harness_report(t *testing.T) {
	got := report(measured(), []string{"Flask, gunicorn: missing"}, settings{rounds: 3, duration: 4 * time.Second, connections: 32}, "2 cores")
	for _, want := range []string{
		"| Heroes | 1,000/s | 0.50 | 0.25 | 2.0 ms | 500/s | 0.50 | 50 ms | 20 MB | 21 MB |",
		"| net/http + scs, plain page | 4,000/s | 2.00 | 1.00 |",
		"| a & <b> | 1/s |  |  |",                         // without its scs there is no ratio
		"| net/http + scs, PostgreSQL | 10/s | 1.00 |  |", // a plain page has its sessions in memory
		"Heroes beside stock Buffalo: 5 times the pages, 2 times the posts.",
		"Heroes beside net/http + scs, plain page: 0.25 times the pages, 0.5 times the posts.",
		"Heroes beside fiber: 0.2 times the pages, 0.5 times the posts.",
		"Left out: Flask, gunicorn: missing.",
		"2 cores",
		"-duration 4s -connections 32",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if strings.Contains(got, "beside Flask") {
		t.Error("Flask was left out")
	}
}

func Test_harness_report_without_the_plain_page_has_no_ratio_to_it(t *testing.T) {
	got := report(measured()[:3], nil, settings{rounds: 3, duration: 4 * time.Second, connections: 32}, "2 cores")
	if want := "| Heroes | 1,000/s | 0.50 |  | 2.0 ms |"; !strings.Contains(got, want) {
		t.Errorf("%q is not in\n%s", want, got)
	}
}

func Test_harness_chart_has_room_for_each_name(t *testing.T) {
	for _, p := range allPeers() {
		if width := 8 * len(p.name); width > labels { // 8 is that of a wide font
			t.Errorf("%s: about %d of %d", p.name, width, labels)
		}
	}
}

func Test_harness_chart_is_XML_with_a_bar_for_each_figure(t *testing.T) {
	svg := chart(measured())
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(svg, "<rect "); n != 2+2*len(measured()) {
		t.Error(n)
	}
	for _, want := range []string{`role="img"`, "<title", "a &amp; &lt;b&gt;", `width="530"`, ">1,000<"} {
		if !strings.Contains(svg, want) {
			t.Errorf("%s is not in %s", want, svg)
		}
	}
}

// Some peers give every visitor a session. The POST that is measured is a first visit's, which has none.
func Test_harness_check_keeps_a_visitor_with_a_hero_and_one_without_a_cookie(t *testing.T) {
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Method + " " + r.URL.Path {
		case "GET /":
			http.SetCookie(w, &http.Cookie{Name: "visit", Value: "1"})
			_ = pages.Form(w, http.StatusOK, pages.Page{})
		case "POST /heroes":
			if hero, wrong := pages.Read(r.PostFormValue); len(wrong) > 0 {
				_ = pages.Form(w, http.StatusUnprocessableEntity, pages.Page{Hero: hero, Wrong: wrong})
				return
			}
			http.SetCookie(w, &http.Cookie{Name: "hero", Value: "new"})
			http.Redirect(w, r, "/success", http.StatusSeeOther)
		case "GET /success":
			cookie, err := r.Cookie("hero")
			if err != nil {
				http.Redirect(w, r, "/", http.StatusSeeOther)
				return
			}
			p := pages.Page{Hero: pages.Hero{Name: heroName, AlterEgo: heroAlterEgo, CatchPhrase: heroPhrase}}
			if cookie.Value == "new" {
				p.Flash = heroName + " is registered."
			}
			http.SetCookie(w, &http.Cookie{Name: "hero", Value: "seen"})
			_ = pages.Success(w, p)
		}
	})
	p := &peer{server: at}
	if err := p.check(&example{}); err != nil {
		t.Fatal(err)
	}
	if p.first.cookies != nil || p.visitor.cookies["hero"] != "seen" {
		t.Error(p.first, p.visitor)
	}
	if err := p.check(&example{headers: "of another"}); err == nil {
		t.Error("it has other headers")
	}
	p.ownHeaders = true
	if err := p.check(&example{headers: "of another"}); err != nil {
		t.Error(err)
	}
}

func Test_harness_shown_wants_the_values_trimmed_and_escaped(t *testing.T) {
	good := "<h1><bdi>Superman</bdi></h1> Clark &lt;Kent&gt; Up, up &amp; away!"
	if err := shown(good); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", strings.Replace(good, "<bdi>S", "<bdi> S", 1), good + heroAlterEgo, strings.Replace(good, "&amp;", "&", 1)} {
		if shown(bad) == nil {
			t.Error(bad)
		}
	}
}

func Test_harness_alike_allows_15_percent(t *testing.T) {
	first := &sizes{}
	for _, s := range []struct {
		sizes
		ok bool
	}{{sizes{1000, 2000}, true}, {sizes{1150, 1700}, true}, {sizes{1151, 2000}, false}, {sizes{1000, 1699}, false}} {
		if err := alike(first, s.sizes); (err == nil) != s.ok {
			t.Error(s.sizes, err)
		}
	}
}

func Test_harness_sameHeaders_compares_all_but_a_server_s_own(t *testing.T) {
	first := ""
	for _, c := range []struct {
		h  http.Header
		ok bool
	}{
		{http.Header{"Vary": {"A", "B"}, "X-Request-Id": {"1234"}, "Date": {"now"}}, true},
		{http.Header{"Vary": {"A, B"}, "X-Request-Id": {"5678"}, "Content-Length": {"9"}, "Set-Cookie": {"a=1"}}, true},
		{http.Header{"Vary": {"A, B"}, "X-Request-Id": {"567"}}, false},
		{http.Header{"Vary": {"A"}, "X-Request-Id": {"1234"}}, false},
		{http.Header{"Vary": {"A, B"}, "X-Request-Id": {"1234"}, "Server": {"x"}}, false},
		{http.Header{}, false},
	} {
		if err := sameHeaders(&first, c.h); (err == nil) != c.ok {
			t.Error(c.h, err)
		}
	}
}

// The check of a run sees what the session adds, too.
func Test_harness_pages_have_the_headers_of_edge(t *testing.T) {
	send := func(h http.Handler) string {
		w, headers := httptest.NewRecorder(), ""
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		w.Header().Del("Vary") // edge has none: the language's and the session's
		if err := sameHeaders(&headers, w.Header()); err != nil {
			t.Error(err)
		}
		return headers
	}
	nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	heroes := send(edge.Wrap(nothing, edge.NewLogger(io.Discard, slog.LevelWarn, 0, true), true))
	if peers := send(pages.WithHeaders(nothing)); peers != heroes {
		t.Errorf("the peers send\n%s\nand Heroes\n%s", peers, heroes)
	}
}

func Test_harness_browser_keeps_the_cookies_of_each_name(t *testing.T) {
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/set":
			http.SetCookie(w, &http.Cookie{Name: "a", Value: "1"})
			http.SetCookie(w, &http.Cookie{Name: "b", Value: "2", Secure: true})
			http.SetCookie(w, &http.Cookie{Name: "b", Value: "3", Secure: true})
		case "/end":
			http.SetCookie(w, &http.Cookie{Name: "a", MaxAge: -1})
		}
		fmt.Fprint(w, r.Header.Get("Cookie"))
	})
	v := browser{}
	for _, step := range []struct{ path, page string }{{"/set", ""}, {"/", "a=1; b=3"}, {"/end", "a=1; b=3"}, {"/", "b=3"}} {
		if a, err := v.visit(at, "GET", step.path, nil); err != nil || a.page != step.page {
			t.Errorf("%s: %q %v", step.path, a.page, err)
		}
	}
}

func Test_harness_request_counts_all_bytes_of_an_answer(t *testing.T) {
	at := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Date"] = nil
		fmt.Fprint(w, "12345")
	})
	a, err := at.request("GET", "/", nil, nil)
	if want := "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n12345"; err != nil || a.bytes != int64(len(want)) {
		t.Error(a.bytes, len(want), err)
	}
}

func Test_harness_drive_fails_when_an_answer_changes_under_load(t *testing.T) {
	if _, err := exec.LookPath("wrk"); err != nil {
		t.Skip("no wrk in PATH: install it (apt-get install wrk)")
	}
	n := 0
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n++; n > 1 { // the one that is looked at before is right
			http.Redirect(w, r, "/", http.StatusSeeOther)
		}
	})
	_, err := (&peer{server: at}).drive(t.Context(), settings{connections: 2, duration: time.Second}, t.TempDir(), request{"GET", "/success", nil, nil, 200})
	if err == nil || !strings.Contains(err.Error(), "bytes on average") {
		t.Error(err)
	}
}

// What a peer has started ends with it, and with the run.
func Test_harness_stop_ends_the_whole_group(t *testing.T) {
	for name, end := range map[string]func(*peer, context.CancelFunc){
		"stop":     func(p *peer, _ context.CancelFunc) { p.stop() },
		"deadline": func(p *peer, cancel context.CancelFunc) { cancel(); <-p.server.ended },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		cmd := command(ctx, "/bin/sh", "-c", "sleep 60 & sleep 60")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		p := &peer{server: &server{cmd: cmd, ended: make(chan struct{})}}
		go func(s *server) { _ = s.cmd.Wait(); close(s.ended) }(p.server)
		time.Sleep(50 * time.Millisecond)
		group := cmd.Process.Pid
		end(p, cancel)
		cancel()
		for range 100 { // the last one is reaped by another
			if residentMemory(group) == 0 {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		if residentMemory(group) != 0 {
			t.Errorf("%s: a process is left", name)
			_ = syscall.Kill(-group, syscall.SIGKILL)
		}
	}
}

// serve serves at a port of its own until the test is over, one request at a time.
func serve(t *testing.T, handle http.HandlerFunc) *server {
	t.Helper()
	turn := make(chan struct{}, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		turn <- struct{}{}
		defer func() { <-turn }()
		handle(w, r)
	}))
	t.Cleanup(s.Close)
	return &server{port: s.Listener.Addr().(*net.TCPAddr).Port}
}
