package inspector

import (
	"bytes"
	"compress/zlib"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"heroes/session"
	"heroes/session/adopt/gorilla"

	"github.com/gorilla/sessions"
)

// The cookies of Flask and of stock Buffalo are signed, so nobody can change them, but not
// encrypted, so anybody can read them. The inspector makes both for the values of a session. The
// keys that sign them are made for one page and thrown away.

// A readable is such a cookie, and what can be read in it without a key.
type readable struct {
	Of    string // flask or buffalo
	Value string // of the cookie
	Read  string
	Wrong string // why there can be no such cookie
}

func readables(name string, values session.View) []readable {
	key := make([]byte, 32)
	rand.Read(key)
	flask := flaskCookie(values, key, time.Now())
	stock, err := stockCookie(name, values, key)
	if err != nil {
		return []readable{{"flask", flask, readFlask(flask), ""}, {Of: "buffalo", Wrong: err.Error()}}
	}
	return []readable{{"flask", flask, readFlask(flask), ""}, {"buffalo", stock, readStock(stock), ""}}
}

var base64url = base64.RawURLEncoding

// flaskCookie returns the value of Flask's cookie: JSON, the time and a signature (itsdangerous,
// URLSafeTimedSerializer; the JSON is compressed if that is shorter).
func flaskCookie(values session.View, key []byte, now time.Time) string {
	text := flaskJSON(values)
	cookie := base64url.EncodeToString(text)
	if compressed := compress(text); len(compressed) < len(text)-1 {
		cookie = "." + base64url.EncodeToString(compressed)
	}
	cookie += "." + base64url.EncodeToString(binary.BigEndian.AppendUint32(nil, uint32(now.Unix())))
	return cookie + "." + base64url.EncodeToString(sign(sign(key, "cookie-session"), cookie))
}

func sign(key []byte, text string) []byte {
	mac := hmac.New(sha1.New, key)
	io.WriteString(mac, text)
	return mac.Sum(nil)
}

func compress(text []byte) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write(text) // a buffer takes everything
	_ = w.Close()
	return b.Bytes()
}

// flaskJSON writes the values as Flask does: bytes and times have a tag, and only ASCII is not
// escaped. A type that JSON does not have is written as text.
func flaskJSON(values session.View) []byte {
	tagged := make(map[string]any, len(values))
	for key, value := range values {
		switch v := value.(type) {
		case []byte:
			value = map[string]any{" b": base64.StdEncoding.EncodeToString(v)}
		case time.Time:
			value = map[string]any{" d": v.UTC().Format(http.TimeFormat)}
		}
		if _, err := json.Marshal(value); err != nil {
			value = fmt.Sprint(value)
		}
		tagged[key] = value
	}
	var ascii []byte
	for _, r := range writeJSON(tagged, "") {
		if r < utf8.RuneSelf {
			ascii = append(ascii, byte(r))
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			ascii = fmt.Appendf(ascii, `\u%04x`, unit)
		}
	}
	return ascii
}

func writeJSON(value any, indent string) string {
	var b strings.Builder
	w := json.NewEncoder(&b)
	w.SetEscapeHTML(false)
	w.SetIndent("", indent)
	_ = w.Encode(value) // flaskJSON has replaced what JSON cannot write
	return strings.TrimSuffix(b.String(), "\n")
}

// readFlask reads Flask's cookie, as anybody can.
func readFlask(cookie string) string {
	text, compressed := strings.CutPrefix(cookie, ".")
	text, _, _ = strings.Cut(text, ".")
	var from io.Reader = base64.NewDecoder(base64url, strings.NewReader(text))
	if compressed {
		r, err := zlib.NewReader(from)
		if err != nil {
			return err.Error()
		}
		from = r
	}
	var values any
	r := json.NewDecoder(from)
	r.UseNumber()
	if err := r.Decode(&values); err != nil {
		return err.Error()
	}
	return writeJSON(values, "  ")
}

// stockCookie returns the value of the cookie of an application that `buffalo new` made:
// gorilla's, of gob. gob refuses types that were not registered, and gorilla long values.
func stockCookie(name string, values session.View, key []byte) (string, error) {
	stored := make(map[any]any, len(values))
	for key, value := range values {
		stored[key] = value
	}
	return sessions.NewCookieStore(key).Codecs[0].Encode(name, stored)
}

// readStock reads stock Buffalo's cookie, as anybody can.
func readStock(cookie string) string {
	values, _, err := gorilla.Peek(cookie)
	if err != nil {
		return err.Error()
	}
	var lines []string
	for key, value := range values {
		lines = append(lines, fmt.Sprintf("%v: %s", key, text(value)))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
