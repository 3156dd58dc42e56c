package views

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/gobuffalo/plush/v4"
	"github.com/gobuffalo/plush/v4/ast"
)

// identifier compiles a name, or a field or method of a value: hero.Name.
func (c *compiler) identifier(node *ast.Identifier) eval {
	name := node.Value
	if node.Callee == nil {
		return func(r *run) (any, error) {
			if v := r.scope.value(name); v != nil || name == "nil" {
				return v, nil
			}
			return nil, &plush.ErrUnknownIdentifier{ID: name}
		}
	}
	return boxed(c.member(node))
}

func (c *compiler) member(node *ast.Identifier) func(r *run) (text, error) {
	of, fields := c.eval(node.Callee), &fields{}
	return func(r *run) (text, error) {
		v, err := of(r)
		if err != nil {
			return text{}, err
		}
		return member(v, node, fields)
	}
}

// fields remembers where a field is in the type that was asked last.
type fields struct{ last atomic.Pointer[place] }

type place struct {
	of    reflect.Type
	index int // -1: there is no such field
}

// of returns the field of a struct, or the zero Value if there is none.
func (f *fields) of(rv reflect.Value, name string) reflect.Value {
	t := rv.Type()
	at := f.last.Load()
	if at == nil || at.of != t {
		field, _ := t.FieldByName(name)
		switch len(field.Index) {
		case 0:
			at = &place{t, -1}
		case 1:
			at = &place{t, field.Index[0]}
		default: // in an embedded struct, which may be nil
			return rv.FieldByName(name)
		}
		f.last.Store(at)
	}
	if at.index < 0 {
		return reflect.Value{}
	}
	return rv.Field(at.index)
}

var stringType = reflect.TypeFor[string]()

// member returns a field of v, or a method with v as its receiver.
func member(v any, node *ast.Identifier, fields *fields) (text, error) {
	rv := reflect.ValueOf(v)
	if !rv.IsValid() {
		return text{}, nil
	}
	if rv.Kind() == reflect.Pointer {
		rv = rv.Elem()
	}
	unknown := func() (text, error) {
		return text{}, fmt.Errorf("'%s' does not have a field or method named '%s' (%s)", node.Callee, node.Value, node)
	}
	if rv.Kind() != reflect.Struct {
		return unknown()
	}
	field := fields.of(rv, node.Value)
	if field.Kind() == reflect.Pointer {
		if field.IsNil() {
			return text{}, nil
		}
		field = field.Elem()
	}
	if !field.IsValid() {
		method := rv.MethodByName(node.Value)
		if !method.IsValid() {
			return unknown()
		}
		return text{other: method.Interface()}, nil
	}
	if !field.CanInterface() {
		return text{}, fmt.Errorf("'%s'cannot return value obtained from unexported field or method '%s' (%s)", node.Callee, node.Value, node)
	}
	if field.Type() == stringType {
		return text{string: field.String(), isString: true}, nil
	}
	return text{other: field.Interface()}, nil
}

// index compiles a value at an index: names[0], session["name"].
func (c *compiler) index(node *ast.IndexExpression) eval {
	index, left := c.eval(node.Index), c.eval(node.Left)
	operands := func(r *run) (v, i any, err error) {
		if i, err = index(r); err == nil {
			v, err = left(r)
		}
		return v, i, err
	}
	switch {
	case node.Value != nil:
		value := c.eval(node.Value)
		return func(r *run) (any, error) {
			v, i, err := operands(r)
			if err != nil {
				return nil, err
			}
			to, err := value(r)
			if err != nil {
				return nil, err
			}
			return nil, setAt(v, i, to)
		}
	case node.Callee != nil:
		rest := c.rest(calleeName(node), node.Callee)
		return func(r *run) (any, error) {
			v, i, err := operands(r)
			if err != nil {
				return nil, err
			}
			element, found, err := at(v, i)
			if err != nil || !found {
				return nil, err
			}
			return rest(r, element)
		}
	}
	return func(r *run) (any, error) {
		v, i, err := operands(r)
		if err != nil {
			return nil, err
		}
		element, _, err := at(v, i)
		return element, err
	}
}

// rest compiles what is asked of a value: the .Name of people[0].Name or of person().Name. As in
// plush, the value has a name in a scope of its own, and the rest begins with that name.
func (c *compiler) rest(name string, node ast.Expression) func(r *run, of any) (any, error) {
	value := c.eval(node)
	return func(r *run, of any) (any, error) {
		outer := r.scope
		defer func() { r.scope = outer }()
		r.scope = outer.child(true)
		r.scope.set(name, of)
		return value(r)
	}
}

// calleeName is the name that plush gives to an element: what stands before the index, without the
// names in front that the rest does not repeat.
func calleeName(node *ast.IndexExpression) string {
	name, rest := node.Left.String(), node.Callee.String()
	for !strings.Contains(rest, name) {
		_, after, more := strings.Cut(name, ".")
		if !more {
			break
		}
		name = after
	}
	return name
}

var anyMap = reflect.TypeFor[map[string]any]()

// at returns v[index]. Found is false if a map has no such key.
func at(v, index any) (element any, found bool, err error) {
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.Map:
		if key, ok := index.(string); ok && rv.Type().ConvertibleTo(anyMap) {
			element, found = rv.Convert(anyMap).Interface().(map[string]any)[key]
			return element, found, nil
		}
		keyKind, kind := rv.Type().Key().Kind(), reflect.TypeOf(index).Kind()
		if keyKind != reflect.Interface && kind != keyKind {
			return nil, false, fmt.Errorf("cannot use %v (%s constant) as %s value in map index", index, kind, keyKind)
		}
		value := rv.MapIndex(reflect.ValueOf(index))
		if !value.IsValid() {
			return nil, false, nil
		}
		return value.Interface(), true, nil
	case reflect.Slice, reflect.Array:
		i, ok := index.(int)
		if !ok {
			return nil, false, fmt.Errorf("can't access Slice/Array with a non int Index (%v)", index)
		}
		if i > rv.Len()-1 {
			return nil, false, fmt.Errorf("array index out of bounds, got index %d, while array size is %d", index, rv.Len())
		}
		return rv.Index(i).Interface(), true, nil
	}
	return nil, false, fmt.Errorf("could not index %T with %T", v, index)
}

// setAt does v[index] = value.
func setAt(v, index, value any) error {
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.Map:
		rv.SetMapIndex(reflect.ValueOf(index), reflect.ValueOf(value))
		return nil
	case reflect.Slice, reflect.Array:
		i, ok := index.(int)
		if !ok {
			return fmt.Errorf("can't access Slice/Array with a non int Index (%v)", index)
		}
		if i > rv.Len()-1 {
			return fmt.Errorf("array index out of bounds, got index %d, while array size is %v", i, rv.Len())
		}
		rv.Index(i).Set(reflect.ValueOf(value))
		return nil
	}
	return fmt.Errorf("could not index %T with %T", v, index)
}

// infix compiles an operator between two values.
func (c *compiler) infix(node *ast.InfixExpression) eval {
	if node.Operator == "==" || node.Operator == "!=" {
		return c.equality(node)
	}
	left, right, op := c.eval(node.Left), c.eval(node.Right), node.Operator
	forgives := op == "||" || op == "&&" // errors, which count as nil
	return func(r *run) (any, error) {
		a, err := left(r)
		if err != nil && !forgives {
			return nil, err
		}
		switch {
		case op == "&&" && !truthy(a):
			return false, nil
		case op == "||" && truthy(a):
			return true, nil
		}
		b, err := right(r)
		if err != nil && !forgives {
			return nil, err
		}
		if op == "&&" || op == "||" {
			return truthy(b), nil
		}
		return operate(a, b, op)
	}
}

// equality compiles == and !=, which forgive errors: they count as nil.
func (c *compiler) equality(node *ast.InfixExpression) eval {
	left, right := c.text(node.Left), c.text(node.Right)
	return func(r *run) (any, error) {
		a, _ := left(r)
		b, _ := right(r)
		if a.isString && b.isString {
			return (a.string == b.string) == (node.Operator == "=="), nil
		}
		return operate(a.value(), b.value(), node.Operator)
	}
}

func operate(a, b any, op string) (any, error) {
	if a == nil || b == nil {
		switch op {
		case "!=":
			return a != b, nil
		case "==":
			return a == b, nil
		}
		return nil, fmt.Errorf("unknown operator '%s' on '%T' and '%T' ", op, a, b)
	}
	switch l := a.(type) {
	case string:
		return operateStrings(l, fmt.Sprint(b), op)
	case int:
		if r, ok := b.(int); ok {
			return operateNumbers(l, r, op, "integer")
		}
	case int64:
		if r, ok := b.(int64); ok {
			return operateNumbers(int(l), int(r), op, "integer")
		}
	case float64:
		if r, ok := b.(float64); ok {
			return operateNumbers(l, r, op, "float")
		}
	case bool:
		return operateBools(l, truthy(b), op)
	}
	return nil, fmt.Errorf("unable to operate (%s) on %T and %T ", op, a, b)
}

func operateBools(l, r bool, op string) (any, error) {
	switch op {
	case "+":
		return l && r, nil
	case "!=":
		return l != r, nil
	case "==":
		return l == r, nil
	}
	return nil, fmt.Errorf("unknown operator (%s) on %T and %T ", op, l, r)
}

func operateNumbers[T int | float64](l, r T, op, kind string) (any, error) {
	switch op {
	case "+":
		return l + r, nil
	case "-":
		return l - r, nil
	case "*":
		return l * r, nil
	case "/":
		if r == 0 {
			return nil, fmt.Errorf("division by zero %v %s %v", l, op, r)
		}
		return l / r, nil
	}
	return compare(l, r, op, kind)
}

func compare[T int | float64 | string](l, r T, op, kind string) (any, error) {
	switch op {
	case "<":
		return l < r, nil
	case ">":
		return l > r, nil
	case "<=":
		return l <= r, nil
	case ">=":
		return l >= r, nil
	case "==":
		return l == r, nil
	case "!=":
		return l != r, nil
	}
	return nil, fmt.Errorf("unknown operator for %s %s", kind, op)
}

func operateStrings(l, r, op string) (any, error) {
	switch op {
	case "+":
		return l + r, nil
	case "~=":
		pattern, err := regexp.Compile(r)
		if err != nil {
			return nil, fmt.Errorf("couldn't compile regex %s", r)
		}
		return pattern.MatchString(l), nil
	}
	return compare(l, r, op, "string")
}

// loop compiles for. Its values are in a scope of its own, and so is what its block sets.
func (c *compiler) loop(node *ast.ForExpression) step {
	iterable, block := c.eval(node.Iterable), c.block(node.Block)
	return func(r *run) error {
		outer := r.scope
		r.scope = outer.child(true)
		defer func() { r.scope = outer }()
		over, err := iterable(r)
		if err != nil {
			return err
		}
		each := func(key, value any) error {
			r.scope.turn(node.KeyName, key, node.ValueName, value)
			err := block(r)
			if err == continues || err == returns {
				return nil
			}
			return err
		}
		if err := iterate(over, each); err != breaks {
			return err
		}
		return nil
	}
}

func iterate(over any, each func(key, value any) error) error {
	rv := reflect.ValueOf(over)
	if rv.Kind() == reflect.Pointer {
		rv = rv.Elem()
	}
	switch rv.Kind() {
	case reflect.Map:
		for _, key := range rv.MapKeys() {
			if err := each(key.Interface(), rv.MapIndex(key).Interface()); err != nil {
				return err
			}
		}
		return nil
	case reflect.Slice, reflect.Array:
		for i := 0; i < rv.Len(); i++ { // the block may change it
			if err := each(i, rv.Index(i).Interface()); err != nil {
				return err
			}
		}
		return nil
	}
	if over == nil {
		return nil
	}
	iterator, ok := over.(plush.Iterator)
	if !ok {
		return fmt.Errorf("could not iterate over %T", over)
	}
	i := 0
	for value := iterator.Next(); value != nil; value = iterator.Next() {
		if err := each(i, value); err != nil {
			return err
		}
		i++
	}
	return nil
}
