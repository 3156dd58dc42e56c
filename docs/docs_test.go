// Package docs has tests alone: what the documents name is there.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// requirements are those of OWASP ASVS 5.0 that asvs.md answers.
const requirements = `
	3.2.1 3.2.2 3.3.1 3.3.2 3.3.3 3.3.4 3.3.5 3.4.1 3.4.2 3.4.3 3.4.4 3.4.5 3.4.6 3.4.7 3.4.8
	3.5.1 3.5.3 3.5.6 3.5.7 3.5.8 3.6.1 3.7.1 3.7.2 3.7.5
	7.1.1 7.1.2 7.2.1 7.2.2 7.2.3 7.2.4 7.3.1 7.3.2 7.4.1 7.4.2 7.4.3 7.4.4 7.4.5 7.5.1 7.5.2
	9.1.1 9.1.2 9.1.3 9.2.1 9.2.2 9.2.3 9.2.4
	11.2.2 11.2.3 11.2.4 11.2.5 11.3.2 11.3.3 11.3.4 11.4.1 11.5.1 13.3.1 13.4.2 13.4.4
	14.2.1 14.3.1 14.3.2 14.3.3 16.2.5 16.3.3 16.4.1 16.5.1 16.5.2 16.5.3`

var quoted = regexp.MustCompile("`([^`]+)`")

func Test_ASVS_each_requirement_is_answered_and_each_test_that_it_names_is_there(t *testing.T) {
	tests := testNames(t)
	var answered []string
	for line := range strings.Lines(read(t, "asvs.md")) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 5 || !regexp.MustCompile(`^ \d+\.\d+\.\d+ $`).MatchString(cells[0]) {
			continue
		}
		row := strings.TrimSpace(cells[0])
		answered = append(answered, row)
		met, shown := strings.TrimSpace(cells[2]), cells[4]
		require.Contains(t, []string{"yes", "in part", "no", "n/a"}, met, row)
		if met == "yes" || met == "in part" {
			require.NotEmpty(t, strings.TrimSpace(shown), row)
		}
		withoutLinks := link.ReplaceAllString(shown, "")
		for _, name := range quoted.FindAllStringSubmatch(withoutLinks, -1) {
			require.True(t, tests[name[1]], "%s names a test that is not there: %s", row, name[1])
		}
	}
	require.Equal(t, strings.Fields(requirements), answered)
}

// testNames are those of Go's tests, of their parts, and of the browser's.
func testNames(t *testing.T) map[string]bool {
	name := regexp.MustCompile("(?m)^func (?:\\(as \\*ActionSuite\\) )?((?:Test|Fuzz)\\w+)\\(t? ?|\\bt\\.Run\\(\"([^\"]+)\"|^\\s*test\\(\"([^\"]+)\"")
	names := map[string]bool{}
	require.NoError(t, filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == "node_modules" || d.Name() == ".git" {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, "_test.go") && !strings.HasSuffix(path, ".test.mjs") && !strings.Contains(path, "backendtest") {
			return nil
		}
		for _, found := range name.FindAllStringSubmatch(read(t, path), -1) {
			names[found[1]+found[2]+found[3]] = true
		}
		return nil
	}))
	return names
}

// documents returns the paths of all documents except those of generated applications.
func documents(t *testing.T) (paths []string) {
	for _, pattern := range []string{"*.md", "../*.md", "../examples/accounts/*.md"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		paths = append(paths, found...)
	}
	return paths
}

var link = regexp.MustCompile(`\[[^\]]*\]\(([^)\s]+)\)`)

func Test_Documents_link_to_what_is_there(t *testing.T) {
	for _, document := range documents(t) {
		for _, to := range link.FindAllStringSubmatch(quoted.ReplaceAllString(fence.ReplaceAllString(read(t, document), ""), ""), -1) {
			if strings.Contains(to[1], "://") {
				continue
			}
			path, heading, _ := strings.Cut(to[1], "#")
			target := document
			if path != "" {
				target = filepath.Join(filepath.Dir(document), path)
			}
			_, err := os.Stat(target)
			require.NoError(t, err, document)
			if heading != "" {
				require.Contains(t, headings(read(t, target)), heading, "%s links to it in %s", document, target)
			}
		}
	}
}

var unnamed = regexp.MustCompile(`[^\w -]`)

// headings are a document's, as links name them.
func headings(document string) (names []string) {
	for line := range strings.Lines(document) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && line[0] == '#' {
			title = unnamed.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
			names = append(names, strings.ReplaceAll(title, " ", "-"))
		}
	}
	return names
}

func Test_Alerts_ask_for_metrics_that_there_are(t *testing.T) {
	metric, code := regexp.MustCompile(`heroes_[a-z_]+`), read(t, "../metrics/metrics.go")
	for _, document := range []string{"operations.md", "../deploy/alerts.yaml"} {
		found := metric.FindAllString(read(t, document), -1)
		require.NotEmpty(t, found)
		for _, name := range found {
			if name == "heroes_owner" { // a role of PostgreSQL
				continue
			}
			name = strings.TrimSuffix(strings.TrimSuffix(name, "_count"), "_bucket")
			require.Contains(t, code, `"`+name+`"`, document)
		}
	}
	for _, rule := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(read(t, "../deploy/alerts.yaml"), -1) {
		require.Contains(t, read(t, "operations.md"), "| `"+rule[1]+"` |", "what to do about it")
	}
}

func Test_CONTRIBUTING_has_a_reason_for_each_direct_dependency(t *testing.T) {
	_, reasons, ok := strings.Cut(read(t, "../CONTRIBUTING.md"), "Each direct dependency of the application and its libraries is there for a reason")
	require.True(t, ok)
	var required string
	for _, pattern := range []string{"../go.mod", "../views/go.mod", "../session/go.mod", "../session/*/go.mod"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			required += read(t, file)
		}
	}
	own := strings.TrimSpace(strings.TrimPrefix(strings.SplitAfter(required, "\n")[0], "module ")) + "/"
	for line := range strings.Lines(required) {
		fields := strings.Fields(line)
		if len(fields) > 0 && strings.HasPrefix(fields[0], own) {
			continue
		}
		if len(fields) != 2 || !strings.Contains(fields[0], ".") { // an indirect one has a comment
			if len(fields) != 2 || fields[0] != "tool" {
				continue
			}
			fields = fields[1:]
		}
		path := strings.Split(regexp.MustCompile(`/v\d+$`).ReplaceAllString(fields[0], ""), "/")
		require.Contains(t, reasons, path[len(path)-1], fields[0])
	}
}

func Test_Dockerfile_builds_with_the_Go_of_go_mod_and_all_of_its_packages(t *testing.T) {
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, "../go.mod"))[1]
	require.Contains(t, read(t, "../Dockerfile"), "golang:"+version+"-")
	sent := strings.Split(read(t, "../.dockerignore"), "\n")
	for _, pattern := range []string{"../*/*.go", "../*/*/*.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			folder := strings.Split(file, string(filepath.Separator))[1]
			if strings.HasSuffix(file, "_test.go") || slices.Contains([]string{"bench", "e2e", "examples", "tmp"}, folder) {
				continue
			}
			require.Contains(t, sent, "!"+folder, file)
		}
	}
}

func read(t *testing.T, path string) string {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}
