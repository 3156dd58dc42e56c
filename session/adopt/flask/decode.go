package flask

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// decode reads Flask's tagged JSON:
//
//	dict       map[string]any
//	list       []any
//	tuple      []any                          " t"
//	str        string
//	Markup     string                         " m"
//	bytes      []byte                         " b"
//	UUID       string, as uuid.UUID prints it " u"
//	datetime   time.Time, in UTC              " d"
//	int        int, or float64 if it is too large
//	float      float64
//	bool       bool
//	None       nothing in a dict, "" in a list or a tuple
//
// A dict whose only key looks like a tag has the tag " di" around it. What flash() has stored becomes
// Buffalo's flash. The keys _permanent, and _flash and _flash_, which Buffalo uses itself, are left out.
func decode(text []byte) (map[string]any, error) {
	if !utf8.Valid(text) || tooLarge(text) {
		return nil, errRefused
	}
	d := json.NewDecoder(bytes.NewReader(replaceNamedNumbers(text)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, errRefused
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errRefused
	}
	v, err := untag(v)
	if err != nil {
		return nil, err
	}
	values, ok := v.(map[string]any)
	if !ok {
		return nil, errRefused
	}
	for _, key := range []string{"_permanent", "_flash_", "_flash"} {
		delete(values, key)
	}
	if flashes, ok := values["_flashes"].([]any); ok {
		delete(values, "_flashes")
		if flash := buffaloFlash(flashes); flash != nil {
			values["_flash_"] = flash
		}
	}
	return values, nil
}

// tooLarge reports whether lists and dicts nest too deeply or have too many items. It runs before they
// are decoded.
func tooLarge(text []byte) bool {
	depth, items, quoted := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			if depth++; depth > 2*maxDepth { // a tag takes one more
				return true
			}
			items++
		case c == ']' || c == '}':
			depth--
		case c == ',':
			items++
		}
	}
	return items > maxItems
}

// namedNumbers maps NaN and the infinities, which Python writes and JSON lacks, to numbers that Python never
// writes: it uses no capital E.
var namedNumbers = []struct{ name, number string }{{"NaN", "0E0"}, {"Infinity", "1E999"}, {"-Infinity", "-1E999"}}

// replaceNamedNumbers replaces them in JSON.
func replaceNamedNumbers(text []byte) []byte {
	if !bytes.ContainsAny(text, "NI") {
		return text
	}
	out := make([]byte, 0, len(text)+len(text)/2)
	quoted := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		if quoted && c == '\\' && i+1 < len(text) {
			out = append(out, c, text[i+1])
			i++
			continue
		}
		if c == '"' {
			quoted = !quoted
		}
		if name, number := namedNumber(text[i:]); !quoted && name != "" {
			out = append(out, number...)
			i += len(name) - 1
			continue
		}
		out = append(out, c)
	}
	return out
}

// namedNumber returns the pair of namedNumbers whose name text begins with, if there is one.
func namedNumber(text []byte) (name, number string) {
	for _, n := range namedNumbers {
		if bytes.HasPrefix(text, []byte(n.name)) {
			return n.name, n.number
		}
	}
	return "", ""
}

// untag replaces tagged values in v by Go's values.
func untag(v any) (any, error) {
	switch v := v.(type) {
	case json.Number:
		return number(v)
	case nil:
		return "", nil
	case []any:
		for i, item := range v {
			item, err := untag(item)
			if err != nil {
				return nil, err
			}
			v[i] = item
		}
		return v, nil
	case map[string]any:
		if len(v) == 1 {
			for key, item := range v {
				if out, tagged, err := untagOne(key, item); tagged || err != nil {
					return out, err
				}
			}
		}
		return untagDict(v)
	}
	return v, nil
}

func untagDict(dict map[string]any) (map[string]any, error) {
	for key, item := range dict {
		if item == nil {
			delete(dict, key)
			continue
		}
		item, err := untag(item)
		if err != nil {
			return nil, err
		}
		dict[key] = item
	}
	return dict, nil
}

// untagOne returns the value of a dict of one key, if the key is a tag.
func untagOne(key string, item any) (v any, tagged bool, err error) {
	text, isText := item.(string)
	switch key {
	case " di":
		dict, ok := item.(map[string]any)
		if !ok || len(dict) != 1 {
			return nil, true, errRefused
		}
		for key, item := range dict {
			name, ok := strings.CutSuffix(key, "__")
			if !ok {
				return nil, true, errRefused
			}
			v, err = untagDict(map[string]any{name: item})
		}
		return v, true, err
	case " t":
		if _, ok := item.([]any); !ok {
			return nil, true, errRefused
		}
		v, err = untag(item)
		return v, true, err
	case " b", " m", " u", " d":
		if !isText {
			return nil, true, errRefused
		}
		v, err = untagText(key, text)
		return v, true, err
	}
	return nil, false, nil
}

func untagText(key, text string) (any, error) {
	switch key {
	case " m":
		return text, nil
	case " b":
		return base64.StdEncoding.DecodeString(text)
	case " d":
		return http.ParseTime(text)
	}
	if b, err := hex.DecodeString(text); err != nil || len(b) != 16 {
		return nil, errRefused
	}
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:], nil
}

// number returns an int, or a float64 for a number with a fraction or an exponent and for one that an
// int cannot hold.
func number(n json.Number) (any, error) {
	if i, err := strconv.Atoi(n.String()); err == nil {
		return i, nil
	}
	if n == "0E0" {
		return math.NaN(), nil
	}
	f, err := n.Float64()
	if err != nil && !math.IsInf(f, 0) {
		return nil, errRefused
	}
	return f, nil
}

// buffaloFlash returns what Buffalo stores for pairs of a category and a message, or nil.
func buffaloFlash(flashes []any) []byte {
	flash := map[string][]string{}
	for _, pair := range flashes {
		if pair, ok := pair.([]any); ok && len(pair) == 2 {
			category, ok1 := pair[0].(string)
			message, ok2 := pair[1].(string)
			if ok1 && ok2 {
				flash[category] = append(flash[category], message)
			}
		}
	}
	if len(flash) == 0 {
		return nil
	}
	var b bytes.Buffer
	w := json.NewEncoder(&b)
	w.SetEscapeHTML(false) // which would make a text six times as long
	_ = w.Encode(flash)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
