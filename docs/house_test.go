package docs

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"html"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "draw docs/images/house.svg again")

// The picture of the house shows the imports as they are. To draw it again: go test ./docs -update
func Test_House_is_drawn_as_the_packages_import_each_other(t *testing.T) {
	const picture = "images/house.svg"
	drawn := draw(imports(t))
	if *update {
		require.NoError(t, os.WriteFile(picture, []byte(drawn), 0o644))
	}
	require.Equal(t, drawn, read(t, picture), "the imports have changed: draw the picture again with go test ./docs -update")
}

// A graph contains, for each package of the workspace, those that it imports.
type graph map[string][]string

// imports returns the graph of the packages, except those for tests. A package's internal folders belong to it.
func imports(t *testing.T) graph {
	list := exec.Command("go", "list", "-json=ImportPath,Module,Imports", "work")
	list.Dir, list.Env = "..", append(os.Environ(), "GOWORK=")
	out, err := list.Output()
	require.NoError(t, err)
	type listed struct {
		ImportPath string
		Module     struct{ Path string }
		Imports    []string
	}
	var all []listed
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var l listed
		err := decoder.Decode(&l)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		all = append(all, l)
	}
	root := all[0].Module.Path
	for _, l := range all {
		if len(l.Module.Path) < len(root) {
			root = l.Module.Path
		}
	}
	name := func(importPath string) string {
		folder, inside := strings.CutPrefix(importPath, root+"/")
		folder, _, _ = strings.Cut(folder, "/internal")
		if !inside || folder == "docs" || strings.HasSuffix(folder, "test") {
			return ""
		}
		return folder
	}
	g := graph{}
	for _, l := range all {
		from := name(l.ImportPath)
		if from == "" {
			continue
		}
		g[from] = append(g[from], nil...)
		for _, imported := range l.Imports {
			if to := name(imported); to != "" && to != from && !slices.Contains(g[from], to) {
				g[from] = append(g[from], to)
			}
		}
		slices.Sort(g[from])
	}
	return g
}

// reaches reports whether from imports to, directly or not.
func (g graph) reaches(from, to string) bool {
	return slices.ContainsFunc(g[from], func(next string) bool { return next == to || g.reaches(next, to) })
}

// rows arranges the packages so that each is above those that it imports.
func (g graph) rows() (rows [][]string) {
	depth := map[string]int{}
	var sink func(name string, to int)
	sink = func(name string, to int) {
		if to < depth[name] {
			return
		}
		depth[name] = to
		for _, next := range g[name] {
			sink(next, to+1)
		}
	}
	names := slices.Sorted(maps.Keys(g))
	for _, name := range names {
		sink(name, 0)
	}
	for _, name := range names {
		for len(rows) <= depth[name] {
			rows = append(rows, nil)
		}
		rows[depth[name]] = append(rows[depth[name]], name)
	}
	return rows
}

const (
	boxWidth, boxHeight = 132, 30
	gapAcross, gapDown  = 16, 44
)

// draw returns the picture. An import that follows from others has no arrow.
func draw(g graph) string {
	rows, widest := g.rows(), 0
	for _, row := range rows {
		widest = max(widest, len(row))
	}
	width, height := widest*(boxWidth+gapAcross)+gapAcross, len(rows)*(boxHeight+gapDown)
	middle := map[string][2]int{}
	for y, row := range rows {
		left := (width - len(row)*(boxWidth+gapAcross) + gapAcross) / 2
		for x, name := range row {
			middle[name] = [2]int{left + x*(boxWidth+gapAcross) + boxWidth/2, y*(boxHeight+gapDown) + gapDown/2}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" font-family="sans-serif" font-size="13" role="img" aria-label="Which package imports which">
<style>rect{fill:#fff;stroke:#4a31a3}.library{fill:#ffe9b0}path{fill:none;stroke:#8a86a0}text{text-anchor:middle}</style>
<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8"/></marker></defs>
`, width, height, width)
	for _, from := range slices.Sorted(maps.Keys(g)) {
		for _, to := range g[from] {
			if slices.ContainsFunc(g[from], func(other string) bool { return g.reaches(other, to) }) {
				continue
			}
			a, z := middle[from], middle[to]
			fmt.Fprintf(&b, "<path d=\"M%d %d C%d %d %d %d %d %d\" marker-end=\"url(#arrow)\"/>\n",
				a[0], a[1]+boxHeight, a[0], a[1]+boxHeight+gapDown, z[0], z[1]-gapDown, z[0], z[1])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(g)) {
		class := ""
		if first, _, _ := strings.Cut(name, "/"); first == "session" || first == "views" {
			class = ` class="library"`
		}
		at, label := middle[name], name
		if strings.HasPrefix(name, "session/") {
			label = strings.TrimPrefix(name, "session/")
		}
		fmt.Fprintf(&b, "<rect%s x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"6\"/><text x=\"%d\" y=\"%d\">%s</text>\n",
			class, at[0]-boxWidth/2, at[1], boxWidth, boxHeight, at[0], at[1]+20, html.EscapeString(path.Clean(label)))
	}
	b.WriteString("</svg>\n")
	return b.String()
}
