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
// Cookie or Set-Cookie with its name.
func read(input string) (string, error) {
	value := strings.TrimSpace(input)
	for _, header := range []string{"Set-Cookie:", "Cookie:"} {
		value = strings.TrimSpace(strings.TrimPrefix(value, header))
	}
	value, _, _ = strings.Cut(value, ";")
	_, named, _ := strings.Cut(value, "=") // gorilla's value can end with "="
	for _, value := range []string{value, named} {
		if values, at, err := flask.Peek(value); err == nil {
			return contents("Flask", at, values), nil
		}
		if values, at, err := gorilla.Peek(value); err == nil {
			return contents("Stock Buffalo (gorilla/sessions)", at, values), nil
		}
	}
	return "", errors.New("this is not a cookie that Flask or stock Buffalo has signed. If Heroes has set it, it is sealed: nobody can read it without SESSION_SECRET")
}

// contents returns the values, sorted by their keys.
func contents[K comparable](system string, at time.Time, values map[K]any) string {
	var lines []string
	for key, value := range values {
		lines = append(lines, fmt.Sprintf("  %v: %s\n", key, text(value)))
	}
	slices.Sort(lines)
	return fmt.Sprintf("%s signed this %s ago. It contains, for anyone to read:\n%s", system, ago(at), strings.Join(lines, ""))
}

// text returns a value as a person reads it.
func text(value any) string {
	switch value := value.(type) {
	case string:
		return strconv.Quote(value)
	case []byte:
		return strconv.Quote(string(value))
	}
	return fmt.Sprint(value)
}
