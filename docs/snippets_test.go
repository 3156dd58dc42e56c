package docs

import (
	"bufio"
	"context"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A block is a fenced piece of a document.
type block struct {
	document, language, text string
	tried                    string // what a comment above it says: where it is tried instead, or why it cannot be
}

var fence = regexp.MustCompile("(?ms)(?:^ *<!-- tried: ([^\n]*) -->\n)?^ *```(\\w*)\n(.*?)^ *```$")

func blocks(t *testing.T, languages ...string) (found []block) {
	for _, document := range documents(t) {
		for _, b := range fence.FindAllStringSubmatch(read(t, document), -1) {
			for _, language := range languages {
				if b[2] == language {
					found = append(found, block{document, b[2], b[3], b[1]})
				}
			}
		}
	}
	require.NotEmpty(t, found)
	return found
}

// Each piece of Go is a program that compiles, or it occurs in one that is tested.
func Test_Documents_each_piece_of_Go_compiles(t *testing.T) {
	indent := regexp.MustCompile(`(?m)^[ \t]+`)
	var programs strings.Builder
	for _, pattern := range []string{"../examples/*/*.go", "../examples/*/*/*.go", "../session/adopt/*/example_test.go", "../session/buffalosession/testdata/*/*.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			programs.WriteString(indent.ReplaceAllString(read(t, file), ""))
		}
	}
	for _, b := range blocks(t, "go") {
		switch {
		case b.tried != "":
		case strings.HasPrefix(b.text, "package main"):
			file := filepath.Join(t.TempDir(), "main.go")
			require.NoError(t, os.WriteFile(file, []byte(b.text), 0o600))
			build := exec.Command("go", "build", "-o", os.DevNull, file)
			build.Dir, build.Env = "..", append(os.Environ(), "GOWORK=")
			out, err := build.CombinedOutput()
			require.NoError(t, err, "%s: %s", b.document, out)
		default:
			require.True(t, strings.Contains(programs.String(), indent.ReplaceAllString(b.text, "")), "%s has Go that no tested program contains:\n%s", b.document, b.text)
		}
	}
}

// withSQLite is set with -tags sqlite. Compiling SQLite takes a minute.
var withSQLite bool

// serves matches a command that serves until it is stopped.
var serves = regexp.MustCompile(`go run (-tags sqlite )?\./cmd/app *(#.*)?$|go tool refresh`)

// Each command is run as it stands, and prints what the next block says, if that is its output. examples/adoption
// applies the diffs.
func Test_Documents_each_command_works(t *testing.T) {
	folder := copied(t)
	for _, b := range blocks(t, "sh", "sql", "nginx") {
		if b.tried != "" {
			continue
		}
		require.Equal(t, "sh", b.language, "%s: a comment says where this is tried:\n%s", b.document, b.text)
		for line := range strings.Lines(b.text) {
			runsThis := strings.HasPrefix(line, "go test work ")
			if runsThis || strings.Contains(line, "-tags sqlite") && !withSQLite {
				continue
			}
			t.Run(strings.TrimSpace(line), func(t *testing.T) {
				if serves.MatchString(strings.TrimSpace(line)) {
					serve(t, folder, line)
					return
				}
				out := command(t, folder, line)
				if _, output, ok := strings.Cut(read(t, b.document), b.text+"```\n\n```json\n"); ok {
					output, _, _ = strings.Cut(output, "```")
					require.Equal(t, strings.TrimSpace(output), strings.TrimSpace(out))
				}
			})
		}
	}
}

// copied returns a copy of the repository, because some commands write files.
func copied(t *testing.T) string {
	to := t.TempDir()
	require.NoError(t, filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", "node_modules", "tmp"}, d.Name()):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, path[2:]), 0o755)
		case d.Type().IsRegular():
			return os.WriteFile(filepath.Join(to, path[2:]), []byte(read(t, path)), 0o755)
		}
		return nil
	}))
	return to
}

// command runs a line in a folder, and returns what it prints.
func command(t *testing.T, folder, line string) string {
	c := exec.Command("bash", "-euo", "pipefail", "-c", line)
	c.Dir, c.Env = folder, append(os.Environ(), "GOWORK=")
	out, err := c.CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

// serve runs a line, in a folder, that starts the application, and asks it for its first page.
func serve(t *testing.T, folder, line string) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "bash", "-c", line)
	c.Dir, c.Env = folder, append(os.Environ(), "GOWORK=", "PORT=0", "GO_ENV=development")
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stop := func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGTERM) }
	c.Cancel = stop
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	var problem strings.Builder
	c.Stderr = &problem
	require.NoError(t, c.Start())
	defer func() { _, _ = stop(), c.Wait() }()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if address, ok := strings.CutPrefix(lines.Text(), "Heroes is at "); ok {
			res, err := http.Get(address)
			require.NoError(t, err)
			defer res.Body.Close()
			page, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, res.StatusCode)
			require.Contains(t, string(page), `name="catch_phrase"`)
			return
		}
	}
	_ = c.Wait()
	if strings.Contains(problem.String(), "no Redis answers") {
		t.Skip("no Redis answers: start one at 127.0.0.1:6379, or set REDIS_URL to one")
	}
	require.Fail(t, "it did not start", problem.String())
}

// The table of the lesson shows lines of both programs as they are.
func Test_README_the_lesson_is_in_both_programs(t *testing.T) {
	_, lesson, _ := strings.Cut(read(t, "../README.md"), "| step | Flask | Buffalo | in |\n")
	lesson, _, _ = strings.Cut(lesson, "\n\n")
	contents := func(patterns ...string) (all string) {
		for _, pattern := range patterns {
			files, err := filepath.Glob(pattern)
			require.NoError(t, err)
			for _, file := range files {
				all += read(t, file)
			}
		}
		return all
	}
	flask := contents("../examples/flask/lesson.py", "../examples/flask/templates/*")
	here := contents("../actions/*.go", "../config/*.go", "../templates/heroes/*")
	rows := 0
	for line := range strings.Lines(lesson) {
		cells := cellsOf(line)
		for i, program := range []string{flask, here} {
			for _, code := range quoted.FindAllStringSubmatch(cells[1+i], -1) {
				require.True(t, strings.Contains(program, code[1]), code[1])
				rows++
			}
		}
	}
	require.Greater(t, rows, 15)
}

// The README's comparison is a part of the whole one, which has the sources.
func Test_README_compares_as_the_whole_table_does(t *testing.T) {
	all := read(t, "compare.md")
	_, rows, _ := strings.Cut(read(t, "../README.md"), "## How it compares\n\n")
	rows, _, _ = strings.Cut(rows, "\n\n")
	require.Greater(t, strings.Count(rows, "\n"), 5)
	for _, row := range strings.Split(rows, "\n")[2:] {
		require.Contains(t, all, " "+row+"\n")
	}
}

// The README's figures are those of the last measurement.
func Test_README_the_figures_are_those_that_were_measured(t *testing.T) {
	measured := map[string][]string{}
	for line := range strings.Lines(read(t, "../bench/results/latest.md")) {
		if cells := cellsOf(line); len(cells) > 3 {
			measured[cells[0]] = cells[1:]
		}
	}
	_, speed, ok := strings.Cut(read(t, "../README.md"), "## How fast\n")
	require.True(t, ok)
	speed, _, _ = strings.Cut(speed, "\n## ")
	rows := 0
	for line := range strings.Lines(speed) {
		cells := cellsOf(line)
		if len(cells) < 2 || cells[0] == "" || strings.HasPrefix(cells[0], "-") {
			continue
		}
		for _, cell := range cells[1:] {
			require.Contains(t, measured[cells[0]], cell, "%s: %s is not in bench/results/latest.md", cells[0], cell)
		}
		rows++
	}
	require.Greater(t, rows, 3)
}

// cellsOf returns the cells of a table's row.
func cellsOf(line string) (cells []string) {
	if line = strings.TrimSpace(line); !strings.HasPrefix(line, "|") {
		return nil
	}
	for _, cell := range strings.Split(strings.Trim(line, "|"), "|") {
		cells = append(cells, strings.TrimSpace(cell))
	}
	return cells
}
