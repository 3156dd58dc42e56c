package views

import (
	"fmt"
	"html/template"
	"reflect"
	"strconv"
	"sync"
	"time"

	"github.com/gobuffalo/plush/v4"
	"github.com/gobuffalo/plush/v4/ast"
)

// A run is a program as it renders a page or a partial.
type run struct {
	out   []byte
	late  []late // values that are printed when the statement around them ends
	scope *scope
	line  *int // of the last statement in a block, 0 if there was none
	depth int  // of blocks
	kept  bool // a helper may run a block when the run has ended, and then sets the line
}

// runs are used again. What a run printed is gone when the next one begins.
var runs = sync.Pool{New: func() any { return &run{line: new(int)} }}

func newRun(s *scope) *run {
	r := runs.Get().(*run)
	r.scope = s
	return r
}

// restart begins the next template of a page.
func (r *run) restart() {
	r.out = r.out[:0]
	if *r.line = 0; r.kept {
		r.line, r.kept = new(int), false
	}
}

func (r *run) free() {
	if cap(r.out) > 1<<20 {
		return // a page that large is rare
	}
	r.restart()
	clear(r.late[:cap(r.late)])
	*r = run{out: r.out[:0], late: r.late[:0], line: r.line}
	runs.Put(r)
}

// A late is a value in a block that plush prints when the statement around the block has ended: by
// then it may have changed, or it depends on what is set there.
type late struct {
	at    int // in the output
	value any
}

// A mark is a place in the output.
type mark struct{ out, late int }

func (r *run) mark() mark { return mark{len(r.out), len(r.late)} }

// reset takes back what was printed since a mark.
func (r *run) reset(m mark) { r.out, r.late = r.out[:m.out], r.late[:m.late] }

// exec runs a program.
func (p program) exec(r *run) error {
	for _, s := range p {
		start := len(r.out)
		if err := s.run(r); err != nil {
			line := s.line
			if *r.line != 0 {
				line = *r.line
			}
			return fmt.Errorf("line %d: %w", line, err)
		}
		if len(r.late) > 0 {
			r.printLate(start)
		}
	}
	return nil
}

// printLate prints the late values of a statement whose output begins at start.
func (r *run) printLate(start int) {
	rest := append([]byte(nil), r.out[start:]...)
	values := r.late
	r.out, r.late = r.out[:start], nil
	from := start
	for _, l := range values {
		r.out = append(r.out, rest[from-start:l.at-start]...)
		from = l.at
		r.print(l.value)
	}
	r.out = append(r.out, rest[from-start:]...)
	r.late = values[:0]
}

// write prints a value, at once or when the statement ends.
func (r *run) write(v any) {
	switch t := v.(type) {
	case nil:
	case string:
		r.escape(t)
	case template.HTML:
		r.out = append(r.out, t...)
	case int:
		r.out = strconv.AppendInt(r.out, int64(t), 10)
	case bool:
		r.out = strconv.AppendBool(r.out, t)
	default:
		if r.depth > 0 {
			r.late = append(r.late, late{len(r.out), v})
			return
		}
		r.print(v)
	}
}

type interfaceable interface{ Interface() any }

// print prints a value of any type, as plush does. Types that plush does not know print nothing.
func (r *run) print(v any) {
	switch t := v.(type) {
	case time.Time:
		format, ok := r.scope.value("TIME_FORMAT").(string)
		if !ok {
			format = plush.DefaultTimeFormat
		}
		r.out = t.AppendFormat(r.out, format)
	case *time.Time:
		r.print(*t)
	case interfaceable:
		r.print(t.Interface())
	case string:
		r.escape(t)
	case ast.Printable, bool:
		r.out = append(r.out, template.HTMLEscaper(t)...)
	case template.HTML:
		r.out = append(r.out, t...)
	case plush.HTMLer:
		r.out = append(r.out, t.HTML()...)
	case uint, uint8, uint16, uint32, uint64, int, int8, int16, int32, int64, float32, float64:
		r.out = fmt.Append(r.out, t)
	case fmt.Stringer:
		r.out = append(r.out, t.String()...)
	case []string:
		for _, each := range t {
			r.escape(each)
		}
	case []any:
		for _, each := range t {
			r.print(each)
		}
	}
}

// escaped has what html/template writes for a byte; "" is the byte itself.
var escaped = [256]string{'&': "&amp;", '<': "&lt;", '>': "&gt;", '"': "&#34;", '\'': "&#39;", 0: "\uFFFD"}

// escape prints a string as html/template escapes it.
func (r *run) escape(s string) {
	from := 0
	for i := 0; i < len(s); i++ {
		if e := escaped[s[i]]; e != "" {
			r.out = append(append(r.out, s[from:i]...), e...)
			from = i + 1
		}
	}
	r.out = append(r.out, s[from:]...)
}

// truthy reports whether a condition with this value holds.
func truthy(v any) bool {
	switch t := v.(type) {
	case nil:
		return false
	case bool:
		return t
	case string:
		return t != ""
	case template.HTML:
		return t != ""
	}
	rv := reflect.ValueOf(v)
	return rv.Kind() != reflect.Pointer || !rv.IsNil()
}
