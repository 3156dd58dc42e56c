package grifts

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"heroes/session/adopt/flask"
	"heroes/session/adopt/gorilla"

	"github.com/gobuffalo/grift/grift"
)

func init() {
	add("session:read", "Print what is in a cookie of Flask or stock Buffalo, which is read from standard input", func(*grift.Context) error {
		input, err := io.ReadAll(io.LimitReader(os.Stdin, 16<<10))
		if err != nil {
			return err
		}
		text, err := read(string(input))
		fmt.Print(text)
		return err
	})
}

// read returns what is in a cookie, as anybody can read it. The cookie is a value alone, or a line of
// Cookie or Set-Cookie.
func read(input string) (string, error) {
	line := strings.TrimSpace(input)
	for _, header := range []string{"Set-Cookie:", "Cookie:"} {
		line = strings.TrimPrefix(line, header)
	}
	for _, pair := range strings.Split(line, ";") {
		pair = strings.TrimSpace(pair)
		_, named, _ := strings.Cut(pair, "=") // gorilla's value can end with "="
		for _, value := range []string{pair, strings.Trim(named, `"`)} {
			if values, at, err := flask.Peek(value); err == nil {
				return contents("Flask", at, values), nil
			}
			if values, at, err := gorilla.Peek(value); err == nil {
				return contents("Stock Buffalo (gorilla/sessions)", at, values), nil
			}
		}
	}
	return "", errors.New("this is not a cookie that Flask or stock Buffalo has signed. If Heroes has set it, it is sealed: nobody can read it without SESSION_SECRET")
}

// contents prints the values, sorted by their keys.
func contents[K comparable](system string, at time.Time, values map[K]any) string {
	var lines []string
	for key, value := range values {
		lines = append(lines, fmt.Sprintf("  %s: %s\n", text(key), text(value)))
	}
	slices.Sort(lines)
	return fmt.Sprintf("%s signed this at %s. It contains, for anyone to read:\n%s", system, at.UTC().Format("2006-01-02 15:04:05 MST"), strings.Join(lines, ""))
}

// text returns a value as a person reads it. What others wrote is quoted, so that it cannot control the
// terminal.
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
	return fmt.Sprintf("%q", value)
}
