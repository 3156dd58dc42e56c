package edge

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	// maxText is how many bytes of a text get into a line of the log. In JSON, a byte can take six.
	maxText = 512
	// maxKinds is how many kinds of lines are told apart in a second.
	maxKinds = 100
)

// A bounded handler bounds the log: it cuts long texts, and of each kind of line it writes only so many a second. The
// others it counts, and writes their number at the end of the second.
type bounded struct {
	slog.Handler
	flood *flood
}

// newBounded returns a handler that writes at most that many lines of a kind in a second. Zero means all.
func newBounded(h slog.Handler, perSecond int) bounded {
	return bounded{h, &flood{perSecond: perSecond, kinds: map[string]*kind{}}}
}

func (b bounded) WithAttrs(attrs []slog.Attr) slog.Handler {
	return bounded{b.Handler.WithAttrs(attrs), b.flood}
}
func (b bounded) WithGroup(name string) slog.Handler {
	return bounded{b.Handler.WithGroup(name), b.flood}
}

func (b bounded) Handle(ctx context.Context, record slog.Record) error {
	record = shortened(record)
	if b.flood.perSecond > 0 && !b.flood.allows(record, b.Handler) {
		return nil
	}
	return b.Handler.Handle(ctx, record)
}

// shortened returns the record with texts of at most maxText bytes.
func shortened(record slog.Record) slog.Record {
	next := slog.NewRecord(record.Time, record.Level, shortenedText(record.Message), record.PC)
	record.Attrs(func(a slog.Attr) bool {
		if a.Value.Kind() == slog.KindAny {
			a.Value = slog.StringValue(fmt.Sprint(a.Value.Any()))
		}
		if a.Value.Kind() == slog.KindString {
			a.Value = slog.StringValue(shortenedText(a.Value.String()))
		}
		next.AddAttrs(a)
		return true
	})
	return next
}

func shortenedText(text string) string {
	if len(text) <= maxText {
		return text
	}
	end := maxText
	for end > maxText-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return fmt.Sprintf("%s… (%d bytes)", text[:end], len(text))
}

// A flood counts the lines of the present second by their kind.
type flood struct {
	perSecond int
	mu        sync.Mutex
	ends      time.Time
	kinds     map[string]*kind
}

type kind struct {
	lines int
	like  slog.Record // the first that was left out
}

// allows counts a line, and reports whether it is to be written.
func (f *flood) allows(record slog.Record, out slog.Handler) bool {
	name := kindOf(record)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.report(out) {
		f.ends = time.Now().Add(time.Second)
	}
	k := f.kinds[name]
	if k == nil && len(f.kinds) >= maxKinds {
		name = fmt.Sprint(record.Level, " other")
		k = f.kinds[name]
	}
	if k == nil {
		k = &kind{}
		f.kinds[name] = k
	}
	k.lines++
	if k.lines == f.perSecond+1 {
		k.like = record
		time.AfterFunc(time.Until(f.ends), func() { // perhaps nothing else is logged afterwards
			f.mu.Lock()
			defer f.mu.Unlock()
			f.report(out)
		})
	}
	return k.lines <= f.perSecond
}

// report writes how many lines were left out, and begins to count again. While the second lasts, it reports false.
func (f *flood) report(out slog.Handler) bool {
	if time.Now().Before(f.ends) {
		return false
	}
	for _, k := range f.kinds {
		left := k.lines - f.perSecond
		if left <= 0 {
			continue
		}
		record := slog.NewRecord(time.Now(), k.like.Level, "lines like this one were left out", 0)
		record.AddAttrs(slog.Int("lines", left), slog.String("like", k.like.Message))
		k.like.Attrs(func(a slog.Attr) bool {
			if kindFields[a.Key] {
				record.AddAttrs(a)
			}
			return true
		})
		_ = out.Handle(context.Background(), record)
	}
	clear(f.kinds)
	return true
}

// kindFields are the fields by which kinds of lines differ, besides the level and the message.
var kindFields = map[string]bool{"status": true, "session": true, "reason": true}

func kindOf(record slog.Record) string {
	var name strings.Builder
	fmt.Fprint(&name, record.Level, " ", record.Message)
	record.Attrs(func(a slog.Attr) bool {
		if kindFields[a.Key] {
			fmt.Fprint(&name, " ", a.Value)
		}
		return true
	})
	return name.String()
}
