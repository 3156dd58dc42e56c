package grifts

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"heroes/session/adopt/flask"
	"heroes/session/adopt/gorilla"

	"github.com/gobuffalo/grift/grift"
)

func init() {
	add("session:read", "Print the contents of a Flask or stock Buffalo cookie, read from standard input", func(*grift.Context) error {
		input, err := io.ReadAll(io.LimitReader(os.Stdin, 16<<10))
		if err != nil {
			return err
		}
		text, err := read(string(input))
		fmt.Print(text)
		return err
	})
}

// read returns the contents of a cookie: of a value alone, or of the first readable one in a Cookie or
// Set-Cookie header line.
func read(input string) (string, error) {
	for _, pair := range strings.Split(input, ";") {
		pair = strings.TrimSpace(pair)
		_, afterName, _ := strings.Cut(pair, "=") // a value alone can end with "="
		for _, value := range []string{pair, strings.Trim(afterName, `"`)} {
			if values, at, err := flask.Peek(value); err == nil {
				return contents("Flask", at, values), nil
			}
			if values, at, err := gorilla.Peek(value); err == nil {
				return contents("stock Buffalo (gorilla/sessions)", at, values), nil
			}
		}
	}
	return "", errors.New("this does not look like a cookie of Flask or stock Buffalo. If Heroes has set it, it is sealed: nobody can read it without SESSION_SECRET")
}

// contents returns the values as text, sorted by their keys.
func contents[K comparable](system string, at time.Time, values map[K]any) string {
	var lines []string
	for key, value := range values {
		lines = append(lines, fmt.Sprintf("  %s: %s\n", text(key), text(value)))
	}
	slices.Sort(lines)
	return fmt.Sprintf("This looks like a cookie of %s, dated %s. Its signature was not checked. Anyone can read:\n%s", system, at.UTC().Format("2006-01-02 15:04:05 MST"), strings.Join(lines, ""))
}

// text returns a value as a person reads it. Strings are quoted, so that they cannot send control sequences
// to the terminal.
func text(value any) string {
	switch v := value.(type) {
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = text(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case map[string]any:
		items := make([]string, 0, len(v))
		for key, item := range v {
			items = append(items, text(key)+": "+text(item))
		}
		slices.Sort(items)
		return "{" + strings.Join(items, ", ") + "}"
	case bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, float32, float64:
		return fmt.Sprint(v)
	}
	return strconv.Quote(fmt.Sprint(value))
}
