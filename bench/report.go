package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report is the table in Markdown, with what a reader has to know of the run.
func report(peers []*peer, left []string, s settings, machine string) string {
	var b strings.Builder
	b.WriteString("| | GET /success | to scs | 99 % within | POST /heroes | to scs | first page after | memory |\n|---|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, p := range peers {
		fmt.Fprintf(&b, "| %s | %s/s | %s | %.1f ms | %s/s | %s | %.0f ms | %d MB |\n", p.name,
			thousands(median(p.get)), ratio(peers, p, get), median(p.p99),
			thousands(median(p.post)), ratio(peers, p, post), median(p.starts), p.memory>>20)
	}
	if heroes := find(peers, "Heroes"); heroes != nil {
		for _, name := range []string{"stock Buffalo", "Flask, gunicorn"} {
			if other := find(peers, name); other != nil {
				fmt.Fprintf(&b, "\nBeside %s, Heroes serves %.1f times the pages and %.1f times the posts.\n", name,
					median(heroes.get)/median(other.get), median(heroes.post)/median(other.post))
			}
		}
	}
	fmt.Fprintf(&b, "\n%s; %s. Medians of %d rounds of %s each, `wrk -t 2 -c %d` on the same machine. \"To scs\" is the ratio to net/http + scs with the same store. A post is a first visit's, without a session (stock Buffalo's brings the token that its form asks for). Memory is what was resident under the first load of GET /success.\n",
		time.Now().Format("2 January 2006"), machine, s.rounds, s.duration, s.connections)
	for _, reason := range left {
		fmt.Fprintf(&b, "\nLeft out: %s.\n", reason)
	}
	return b.String()
}

func get(p *peer) []float64  { return p.get }
func post(p *peer) []float64 { return p.post }

func ratio(peers []*peer, p *peer, of func(*peer) []float64) string {
	other := find(peers, p.against)
	if other == nil || median(of(other)) == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", median(of(p))/median(of(other)))
}

func find(peers []*peer, name string) *peer {
	if i := slices.IndexFunc(peers, func(p *peer) bool { return p.name == name }); i >= 0 {
		return peers[i]
	}
	return nil
}

// thousands writes 12345 as 12,345.
func thousands(n float64) string {
	s := fmt.Sprintf("%.0f", n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// machine names what the figures depend on.
func machine(ctx context.Context) string {
	version := func(pattern string, command ...string) string {
		out, _ := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput()
		return regexp.MustCompile(pattern).FindString(string(out))
	}
	parts := []string{fmt.Sprintf("%d cores", runtime.NumCPU())}
	if cpu, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if m := regexp.MustCompile(`model name\s*: (.*)`).FindStringSubmatch(string(cpu)); m != nil {
			parts[0] += " of " + strings.Join(strings.Fields(m[1]), " ")
		}
	}
	parts = append(parts, strings.Replace(runtime.Version(), "go", "Go ", 1))
	number := `\d+(\.\d+)+`
	for _, program := range []struct {
		name    string
		command []string
	}{
		{"Buffalo", []string{"go", "list", "-m", "github.com/gobuffalo/buffalo"}},
		{"plush", []string{"go", "list", "-m", "github.com/gobuffalo/plush/v4"}},
		{"scs", []string{"go", "list", "-m", "github.com/alexedwards/scs/v2"}},
		{"Flask", []string{"/usr/bin/python3", "-c", "import flask; print(flask.__version__)"}},
		{"Python", []string{"/usr/bin/python3", "--version"}},
		{"gunicorn", []string{"/usr/bin/gunicorn", "--version"}},
		{"Redis", []string{"redis-server", "--version"}},
		{"PostgreSQL", []string{"psql", "--version"}},
		{"wrk", []string{"wrk", "--version"}},
	} {
		if v := version(number, program.command...); v != "" {
			parts = append(parts, program.name+" "+v)
		}
	}
	return strings.Join(parts, ", ")
}

// chart draws both rates of each peer as bars.
func chart(peers []*peer) string {
	const row, left, width = 46, 230, 760
	most := 1.0
	for _, p := range peers {
		most = max(most, median(p.get), median(p.post))
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="t" font-family="system-ui, sans-serif" font-size="14">
<title id="t">Requests per second of Heroes and its peers</title>
<style>text { fill: #24242f } .get { fill: #5b3fd6 } .post { fill: #c9498f } @media (prefers-color-scheme: dark) { text { fill: #e8e6f3 } .get { fill: #a493ff } .post { fill: #f08fc0 } }</style>
<rect class="get" x="%d" y="8" width="12" height="12"/><text x="%d" y="19">GET /success</text><rect class="post" x="%d" y="8" width="12" height="12"/><text x="%d" y="19">POST /heroes</text>
`, width+90, len(peers)*row+40, left, left+18, left+130, left+148)
	for i, p := range peers {
		y := 36 + i*row
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, left-10, y+21, strings.ReplaceAll(p.name, "&", "&amp;"))
		for j, bar := range []struct {
			class string
			value float64
		}{{"get", median(p.get)}, {"post", median(p.post)}} {
			length := bar.value / most * (width - left)
			fmt.Fprintf(&b, `<rect class="%s" x="%d" y="%d" width="%.0f" height="15" rx="2"/><text x="%.0f" y="%d" font-size="12">%s</text>`,
				bar.class, left, y+j*17, max(1, length), left+length+6, y+j*17+12, thousands(bar.value))
		}
		b.WriteString("\n")
	}
	b.WriteString("</svg>\n")
	return b.String()
}
