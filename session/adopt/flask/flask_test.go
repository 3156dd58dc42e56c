package flask

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"heroes/session/backendtest"

	"github.com/stretchr/testify/require"
)

const secret = "only for the lesson"

type made struct {
	Cookie string
	Values map[string]any
}

func generate(t *testing.T, n int) (all []made) {
	t.Helper()
	out, err := exec.Command(backendtest.Python(t), "testdata/sessions.py", secret, "1", strconv.Itoa(n)).Output()
	require.NoError(t, err)
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var m made
		require.NoError(t, json.Unmarshal(lines.Bytes(), &m))
		all = append(all, m)
	}
	require.Len(t, all, n)
	return all
}

func open(t *testing.T, cookie string, secrets ...string) (map[string]any, error) {
	t.Helper()
	if secrets == nil {
		secrets = []string{secret}
	}
	r, err := New(secrets, Options{})
	require.NoError(t, err)
	values, _, err := r.open(cookie, time.Now())
	return values, err
}

// typed returns v as sessions.py prints it.
func typed(v any) any {
	name := fmt.Sprintf("%T", v)
	switch v := v.(type) {
	case int:
		return map[string]any{name: strconv.Itoa(v)}
	case float64:
		return map[string]any{name: v}
	case []byte:
		return map[string]any{name: base64.StdEncoding.EncodeToString(v)}
	case time.Time:
		return map[string]any{name: float64(v.Unix())}
	case []any:
		list := []any{}
		for _, item := range v {
			list = append(list, typed(item))
		}
		return map[string]any{name: list}
	case map[string]any:
		dict := map[string]any{}
		for key, item := range v {
			dict[key] = typed(item)
		}
		return map[string]any{name: dict}
	}
	return map[string]any{name: v}
}

// parsed replaces the spelling of Python's floats by their values.
func parsed(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if text, ok := v["float64"].(string); ok && len(v) == 1 {
			f, _ := strconv.ParseFloat(text, 64)
			return map[string]any{"float64": f}
		}
		for key, item := range v {
			v[key] = parsed(item)
		}
	case []any:
		for i, item := range v {
			v[i] = parsed(item)
		}
	}
	return v
}

func Test_a_thousand_sessions_of_Flask_are_read_type_by_type(t *testing.T) {
	compressed := 0
	for _, m := range generate(t, 1000) {
		if len(m.Cookie) > maxCookie { // which no browser would keep
			continue
		}
		if strings.HasPrefix(m.Cookie, ".") {
			compressed++
		}
		values, err := open(t, m.Cookie)
		require.NoError(t, err, m.Cookie)
		require.Equal(t, parsed(m.Values), typed(values), m.Cookie)
	}
	require.Positive(t, compressed)
}

func Test_a_cookie_that_is_not_of_the_application_is_refused(t *testing.T) {
	cookie := generate(t, 1)[0].Cookie
	_, err := open(t, cookie, "another", secret)
	require.NoError(t, err, "a fallback key")
	_, err = open(t, cookie, "another")
	require.ErrorIs(t, err, errRefused)
	for i := range len(cookie) {
		for _, c := range []string{"A", "B", ".", "-", "=", ""} {
			changed := cookie[:i] + c + cookie[i+1:]
			if changed == cookie {
				continue
			}
			values, err := open(t, changed)
			require.ErrorIs(t, err, errRefused, changed)
			require.Nil(t, values)
		}
	}
	other, err := New([]string{secret}, Options{Salt: "another"})
	require.NoError(t, err)
	_, _, err = other.open(cookie, time.Now())
	require.ErrorIs(t, err, errRefused, "another salt")
	r, err := New([]string{secret}, Options{MaxAge: time.Hour})
	require.NoError(t, err)
	_, left, err := r.open(cookie, time.Now().Add(50*time.Minute))
	require.NoError(t, err)
	require.InDelta(t, 10*time.Minute, left, float64(time.Minute))
	_, _, err = r.open(cookie, time.Now().Add(61*time.Minute))
	require.ErrorIs(t, err, errRefused, "too old")
}

// sign returns a cookie with that payload.
func sign(payload string, at time.Time) string {
	b := []byte{}
	for seconds := at.Unix(); seconds > 0; seconds >>= 8 {
		b = append([]byte{byte(seconds)}, b...)
	}
	text := payload + "." + encoding.EncodeToString(b)
	return text + "." + encoding.EncodeToString(mac(mac([]byte(secret), "cookie-session"), text))
}

func deflated(text string) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return "." + encoding.EncodeToString(b.Bytes())
}

// Cookie returns a cookie that contains that JSON, for the example.
func Cookie(text string) string { return sign(plain(text), time.Now()) }

func plain(text string) string { return encoding.EncodeToString([]byte(text)) }

func Test_a_hostile_payload_costs_little(t *testing.T) {
	bomb := deflated(`{"x":"` + strings.Repeat("a", 2<<20) + `"}`)
	require.Less(t, len(bomb), maxCookie-50)
	deep := strings.Repeat("[", 1500) + strings.Repeat("]", 1500)
	for what, payload := range map[string]string{
		"an endless stream":       bomb,
		"a cut stream":            deflated(`{"x":"y"}`)[:12],
		"deep lists":              plain(`{"x":` + deep[:1400] + deep[1600:] + `}`),
		"deep lists, compressed":  deflated(`{"x":` + strings.Repeat("[", 60_000) + strings.Repeat("]", 60_000) + `}`),
		"deep dicts":              deflated(strings.Repeat(`{"a":`, 40_000) + "1" + strings.Repeat("}", 40_000)),
		"many brackets in a text": plain(`{"x":"` + strings.Repeat("[", 2000) + `"`),
		"no dict":                 plain(`[1]`),
		"two values":              plain(`{}{}`),
		"a tag without its value": plain(`{"x":{" b":7}}`),
		"a dict tag of two":       plain(`{"x":{" di":{"a__":1,"b__":2}}}`),
		"not base64":              plain(`{"x":{" b":"*"}}`),
		"not a UUID":              plain(`{"x":{" u":"12"}}`),
		"not a time":              plain(`{"x":{" d":"yesterday"}}`),
		"nothing":                 "",
		"many NaN":                deflated(`{"x":[` + strings.Repeat("NaN,", 30_000) + `1]}`),
		"many numbers":            deflated(`{"x":[` + strings.Repeat("1,", 60_000) + `1]}`),
		"many lists":              deflated(`{"x":[` + strings.Repeat("[],", 40_000) + `1]}`),
		"many dicts":              deflated(`{"x":[` + strings.Repeat("{},", 40_000) + `1]}`),
		"an error at the end":     deflated(`{"x":[` + strings.Repeat("1,", maxItems-10) + `{" b":7}]}`),
		"an error after a text":   deflated(`{"x":"` + strings.Repeat("a", maxPayload-100) + `","y":{" b":7}}`),
		"invalid UTF-8":           deflated(`{"x":"` + strings.Repeat("\xff", maxPayload-100) + `"}`),
		"a bracket too many":      plain(`{"a":1}]`),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		values, err := open(t, sign(payload, time.Now()))
		took := time.Since(began)
		runtime.ReadMemStats(&after)
		require.ErrorIs(t, err, errRefused, what)
		require.Nil(t, values)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20), what)
		require.Less(t, took, time.Second, what)
	}
}

func Test_what_Flask_keeps_of_its_own_is_translated(t *testing.T) {
	values, err := open(t, sign(plain(`{"_permanent":true,"_flashes":[{" t":["info","hello"]},{" t":["message","a"]},{" t":["info","b"]}],"name":"Clark","none":null,"list":[null,1,NaN]}`), time.Now()))
	require.NoError(t, err)
	require.JSONEq(t, `{"info":["hello","b"],"message":["a"]}`, string(values["_flash_"].([]byte)))
	list := values["list"].([]any)
	require.Equal(t, []any{"", 1}, list[:2])
	require.True(t, math.IsNaN(list[2].(float64)))
	delete(values, "_flash_")
	delete(values, "list")
	require.Equal(t, map[string]any{"name": "Clark"}, values)
}

func Test_a_cookie_from_before_itsdangerous_1_counts_from_2011(t *testing.T) {
	r, err := New([]string{secret}, Options{})
	require.NoError(t, err)
	_, left, err := r.open(sign(plain(`{"a":1}`), time.Now().Add(-epoch*time.Second)), time.Now())
	require.NoError(t, err)
	require.InDelta(t, 31*24*time.Hour, left, float64(time.Minute))
}

func Test_a_cookie_from_the_future_is_refused(t *testing.T) {
	for ahead, want := range map[time.Duration]error{maxSkew / 2: nil, 2 * maxSkew: errRefused} {
		_, err := open(t, sign(plain(`{"a":1}`), time.Now().Add(ahead)))
		require.Equal(t, want, err, ahead)
	}
}

func Test_New_needs_a_secret_key(t *testing.T) {
	for _, keys := range [][]string{nil, {""}, {secret, ""}} {
		_, err := New(keys, Options{})
		require.Error(t, err)
	}
}

// FuzzReadCookie signs foreign bytes as Flask does: whatever they are, ReadCookie refuses them or returns values.
func FuzzReadCookie(f *testing.F) {
	r, err := New([]string{secret}, Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plain(`{"a":{" t":[1,2.5,{" b":"AA=="}]}}`))
	f.Add(deflated(`{"a":{" di":{" t__":{" d":"Sat, 28 Nov 2026 00:00:00 GMT"}}}}`))
	f.Add(plain(`{"_flashes":[{" t":["a","b"]}],"x":NaN,"y":-Infinity,"z":null}`))
	f.Fuzz(func(t *testing.T, payload string) {
		values, _, err := r.open(sign(payload, time.Now()), time.Now())
		if (err == nil) == (values == nil) {
			t.Fatalf("%v and %v", values, err)
		}
	})
}

func Test_a_large_session_costs_little(t *testing.T) {
	for what, payload := range map[string]string{
		"numbers":        deflated(`{"x":[` + strings.Repeat("1,", maxItems-10) + `1]}`),
		"NaN":            deflated(`{"x":[` + strings.Repeat("NaN,", maxItems-10) + `1]}`),
		"a text":         deflated(`{"x":"` + strings.Repeat("a", maxPayload-100) + `"}`),
		"a flash":        deflated(`{"_flashes":[{" t":["info","` + strings.Repeat("<", maxPayload-100) + `"]}]}`),
		"flashes":        deflated(`{"_flashes":[` + strings.Repeat(`{" t":["info","<"]},`, maxItems/5) + `{" t":["info","<"]}]}`),
		"dicts":          deflated(`{"x":[` + strings.Repeat(`{"a":1},`, maxItems/2-10) + `1]}`),
		"dicts of a tag": deflated(`{"x":[` + strings.Repeat(`{" di":{"a__":1}},`, maxItems/3-10) + `1]}`),
		"times":          deflated(`{"x":[` + strings.Repeat(`{" d":"Thu, 01 Jan 1970 00:00:00 GMT"},`, maxItems/2-400) + `1]}`),
		"UUIDs":          deflated(`{"x":[` + strings.Repeat(`{" u":"0123456789abcdef0123456789abcdef"},`, maxItems/2-400) + `1]}`),
		"NaN and a text": deflated(`{"x":NaN,"y":"` + strings.Repeat("a", maxPayload-100) + `"}`),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := open(t, sign(payload, time.Now()))
		runtime.ReadMemStats(&after)
		require.NoError(t, err, what)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20), what)
	}
}

func Test_keys_that_mean_something_here_are_left_out(t *testing.T) {
	values, err := open(t, sign(plain(`{"_flash_":"text","_flash":1,"_permanent":true,"x":{" f":"1.5"}}`), time.Now()))
	require.NoError(t, err)
	require.Equal(t, map[string]any{"x": map[string]any{" f": "1.5"}}, values)
}
