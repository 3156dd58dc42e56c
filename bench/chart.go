package main

import (
	"fmt"
	"html"
	"strings"
)

const (
	rowHeight = 46
	labels    = 300 // the width of the names
	bars      = 530 // the width of the longest bar
)

// chart draws both rates of each peer as bars, for a page in light or dark.
func chart(peers []*peer) string {
	most := 1.0
	for _, p := range peers {
		most = max(most, median(p.get), median(p.post))
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="t" font-family="system-ui, sans-serif" font-size="14">
<title id="t">Requests per second of Heroes and its peers</title>
<style>text { fill: #24242f } .get { fill: #5b3fd6 } .post { fill: #c9498f } @media (prefers-color-scheme: dark) { text { fill: #e8e6f3 } .get { fill: #a493ff } .post { fill: #f08fc0 } }</style>
<rect class="get" x="%d" y="8" width="12" height="12"/><text x="%d" y="19">GET /success</text><rect class="post" x="%d" y="8" width="12" height="12"/><text x="%d" y="19">POST /heroes</text>
`, labels+bars+90, len(peers)*rowHeight+40, labels, labels+18, labels+130, labels+148)
	for i, p := range peers {
		y := 36 + i*rowHeight
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, labels-10, y+21, html.EscapeString(p.name))
		b.WriteString(bar("get", y, median(p.get), most))
		b.WriteString(bar("post", y+17, median(p.post), most))
		b.WriteString("\n")
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// bar is one bar with its figure, in requests per second.
func bar(class string, y int, value, most float64) string {
	length := value / most * bars
	return fmt.Sprintf(`<rect class="%s" x="%d" y="%d" width="%.0f" height="15" rx="2"/><text x="%.0f" y="%d" font-size="12">%s</text>`,
		class, labels, y, max(1, length), labels+length+6, y+12, thousands(value))
}
