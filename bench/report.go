package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// report is the table in Markdown, with what a reader has to know of the run.
func report(peers []*peer, left []string, s settings, machine string) string {
	var b strings.Builder
	b.WriteString("| | GET /success | to scs | to scs, plain page | 99 % within | POST /heroes | to scs | first page after | memory, GET | memory, at most |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, p := range peers {
		fmt.Fprintf(&b, "| %s | %s/s | %s | %s | %.1f ms | %s/s | %s | %.0f ms | %d MB | %d MB |\n", p.name,
			thousands(median(p.get)), ratio(peers, p, p.against, gets), plainRatio(peers, p), median(p.p99),
			thousands(median(p.post)), ratio(peers, p, p.against, posts), median(p.starts), megabytes(p.memGet), megabytes(p.memAt))
	}
	for _, sentence := range comparisons(peers) {
		fmt.Fprintf(&b, "\n%s\n", sentence)
	}
	for _, reason := range left {
		fmt.Fprintf(&b, "\nLeft out: %s.\n", reason)
	}
	fmt.Fprintf(&b, "\nMeasured on %s: %s.\n", time.Now().Format("2 January 2006"), machine)
	b.WriteString(conditions(s))
	return b.String()
}

// comparisons sets Heroes beside the applications that it could take the place of.
func comparisons(peers []*peer) (sentences []string) {
	heroes := find(peers, "Heroes")
	for _, name := range []string{stock, stock + tuned, scsMemory + tuned, scsMemory + plainPage, fiber, flask} {
		other := find(peers, name)
		if heroes == nil || other == nil {
			continue
		}
		sentences = append(sentences, fmt.Sprintf("Heroes beside %s: %.2g times the pages, %.2g times the posts.",
			name, median(heroes.get)/median(other.get), median(heroes.post)/median(other.post)))
	}
	return sentences
}

func conditions(s settings) string {
	return fmt.Sprintf("\n`go run . -rounds %d -duration %s -connections %d` in `bench/`. docs/performance.md says how it was measured.\n", s.rounds, s.duration, s.connections)
}

func gets(p *peer) []float64  { return p.get }
func posts(p *peer) []float64 { return p.post }

// plainRatio is to scs with the least that a page can be. It is empty for what has its sessions on
// another server: that costs more than the page.
func plainRatio(peers []*peer, p *peer) string {
	if p.against != scsMemory {
		return ""
	}
	return ratio(peers, p, scsMemory+plainPage, gets)
}

// ratio is empty when the peer to compare with was not measured.
func ratio(peers []*peer, p *peer, against string, of func(*peer) []float64) string {
	other := find(peers, against)
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

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[middle-1] + sorted[middle]) / 2
	}
	return sorted[middle]
}

// thousands writes 12345 as 12,345.
func thousands(n float64) string {
	s := fmt.Sprintf("%.0f", n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func megabytes(n int) int {
	return (n + 1<<19) >> 20
}
