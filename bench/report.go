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
	return fmt.Sprintf(`
How it was measured:

- %[1]sgo run . -rounds %[2]d -duration %[3]s -connections %[4]d%[1]s in %[1]sbench/%[1]s. The figures are the medians of the rounds.
- In each round each server is started anew, checked, warmed for a second and driven on the same machine with
  %[1]swrk --threads 2 --connections %[4]d --duration %[3]s%[1]s, first with GET, then with POST. The others are not running.
- "To scs" is the ratio to net/http + scs with the same store. "To scs, plain page" is that of GET to net/http + scs,
  plain page.
- The page has the same markup everywhere. net/http and fiber send it with the headers of Heroes: a new X-Request-Id, a
  Content-Security-Policy and eight more. Stock Buffalo and Flask send their own, as they come. scs adds another
  Cache-Control where it sets a cookie.
- "Plain page" is the same lesson with the least HTML that shows it: about 230 bytes for GET /success, without a layout and
  without those headers. Heroes has no such page, and is compared with it all the same.
- GET has the cookie of a visitor with a hero. POST is a first visit's, without a cookie; stock Buffalo's brings the
  token, and the cookie, that its form asks for.
- The servers log warnings alone, and Flask, scs and fiber nothing of a request. "Every request logged" is Heroes
  with %[1]sLOG_LEVEL=info%[1]s, into a file.
- Each server runs as it comes. Heroes sets %[1]sGOGC%[1]s to 300 by itself, where Go's own is 100; the rows that say so
  show its peers in Go with the same.
- Heroes limits the age and the idle time of a session, and seals it in each store. scs limits the age alone and seals
  nothing. fiber limits the idle time alone and seals nothing. Flask and stock Buffalo sign. fiber and stock Buffalo give
  every visitor a session, and save it and send its cookie with every answer.
- Flask runs as %[1]sgunicorn --workers 2%[1]s with its standard workers, which end the connection after each answer.
- The first page's time is the median of 5 starts, from the start of the program to the first answer to GET /.
- Memory is the most that was resident in the last round: under GET, and in the whole round. scs in memory and fiber
  keep the sessions that POST makes. gunicorn's is the sum of its three processes, and what they share counts three times.
`, "`", s.rounds, s.duration, s.connections)
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
