package views

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/gobuffalo/plush/v4"
	"github.com/gobuffalo/plush/v4/ast"
)

// call compiles a call of a helper, t("app.name"), or of a method, session.Get("name").
func (c *compiler) call(node *ast.CallExpression) eval {
	to := &callee{node: node, arguments: c.evals(node.Arguments), block: c.helperBlock(node.Block)}
	c.notePartials(node)
	if node.ChainCallee != nil {
		to.rest = c.rest(node.Function.String(), node.ChainCallee)
	}
	if node.Callee != nil {
		of := c.eval(node.Callee)
		return func(r *run) (any, error) {
			v, err := of(r)
			if err != nil {
				return nil, err
			}
			method, result, err := method(v, node)
			if err != nil || !method.IsValid() {
				return result, err
			}
			return to.invoke(r, method, to.arguments)
		}
	}
	function := c.eval(node.Function)
	return func(r *run) (any, error) {
		f, err := function(r)
		if err != nil {
			return nil, err
		}
		return to.call(r, f)
	}
}

// notePartials notes the names in partial("name") and partial("name", {layout: "name"}), where they are
// written out.
func (c *compiler) notePartials(node *ast.CallExpression) {
	function, ok := node.Function.(*ast.Identifier)
	if !ok || function.Value != "partial" || function.Callee != nil || node.Callee != nil {
		return
	}
	note := func(name ast.Expression) {
		if literal, ok := name.(*ast.StringLiteral); ok {
			c.partials = append(c.partials, partialCall{literal.Value, node.T().LineNumber})
		}
	}
	for i, argument := range node.Arguments {
		hash, ok := argument.(*ast.HashLiteral)
		switch {
		case i == 0:
			note(argument)
		case ok:
			for key, value := range hash.Pairs {
				if key.TokenLiteral() == "layout" {
					note(value)
				}
			}
		}
	}
}

// A callee is what a call names, and what it is given.
type callee struct {
	node      *ast.CallExpression
	arguments []eval
	block     *helperBlock
	rest      func(r *run, of any) (any, error) // what is asked of the result; nil: nothing
}

// call calls a helper. The types that pages use most are called without reflection.
func (c *callee) call(r *run, f any) (any, error) {
	arguments, most := c.arguments, 1
	switch f.(type) {
	case func(string, ...any) string, func(string) string, func(any) int:
	case partialHelper:
		most = 2
	default:
		most = 0
	}
	if len(arguments) == 0 || len(arguments) > most || c.rest != nil {
		return c.invoke(r, reflect.ValueOf(f), arguments)
	}
	values, evaluated := [2]any{}, [2]eval{}
	for i, argument := range arguments {
		v, err := argument(r)
		if err != nil {
			return nil, err
		}
		values[i] = v
	}
	result, called, err := callKnown(r, f, values[:len(arguments)])
	switch {
	case err != nil:
		return nil, c.failed(err)
	case called:
		return result, nil
	}
	for i, v := range values {
		evaluated[i] = constant(v)
	}
	return c.invoke(r, reflect.ValueOf(f), evaluated[:len(arguments)])
}

// callKnown calls a helper with one argument, or a partial with its data, if they are of the right
// types.
func callKnown(r *run, f any, values []any) (result any, called bool, err error) {
	text, isText := values[0].(string)
	switch f := f.(type) {
	case func(string, ...any) string:
		if isText {
			return f(text), true, nil
		}
	case func(string) string:
		if isText {
			return f(text), true, nil
		}
	case func(any) int:
		return f(values[0]), true, nil
	case partialHelper:
		if data, ok := partialData(values); ok && isText && !strings.HasSuffix(text, ".md") {
			part, err := r.engine.partialIn(r.scope, text, data)
			return part, true, err
		}
	}
	return nil, false, nil
}

// partialData returns the second argument of a partial, and whether it is one.
func partialData(values []any) (data map[string]any, ok bool) {
	switch len(values) {
	case 1:
		return nil, true
	case 2:
		data, ok = values[1].(map[string]any)
	}
	return data, ok
}

// method returns the method that a call names. If v has none, plush's oddities are the result.
func method(v any, node *ast.CallExpression) (method reflect.Value, result any, err error) {
	rv := reflect.ValueOf(v)
	name := node.Function.String()
	if identifier, ok := node.Function.(*ast.Identifier); ok {
		name = identifier.Value
	}
	method = rv.MethodByName(name)
	if method.IsValid() {
		return method, nil, nil
	}
	if rv.Type().Kind() != reflect.Pointer {
		pointer := reflect.New(rv.Type())
		pointer.Elem().Set(rv)
		if method = pointer.MethodByName(name); !method.IsValid() {
			return method, nil, fmt.Errorf("'%s' does not have a method named '%s' (%s.%s)", node.Callee, name, node.Callee, name)
		}
		return method, nil, nil
	}
	return reflect.Value{}, rv.Interface(), nil
}

// invoke calls a function by reflection, with plush's rules for the arguments that are missing.
func (c *callee) invoke(r *run, f reflect.Value, arguments []eval) (any, error) {
	if f.Kind() == reflect.Pointer {
		f = f.Elem()
	}
	if !f.IsValid() {
		return nil, fmt.Errorf("%+v (%T) is an invalid function", c.node.String(), f)
	}
	t := f.Type()
	if t.Kind() != reflect.Func {
		return nil, fmt.Errorf("%+v (%T) is an invalid function", c.node.String(), t)
	}
	in, err := c.inputs(r, t, arguments)
	if err != nil {
		return nil, err
	}
	out := f.Call(in)
	if len(out) == 0 {
		return nil, nil
	}
	if err, ok := out[len(out)-1].Interface().(error); ok {
		return nil, c.failed(err)
	}
	if c.rest != nil {
		return c.rest(r, out[0].Interface())
	}
	return out[0].Interface(), nil
}

func (c *callee) failed(err error) error {
	return withoutBlock(fmt.Errorf("could not call %s function: %w", c.node.Function, err))
}

func (c *callee) inputs(r *run, t reflect.Type, arguments []eval) (in []reflect.Value, err error) {
	n := t.NumIn()
	fixed := n
	switch {
	case t.IsVariadic():
		if fixed = n - 1; len(arguments) < fixed {
			return nil, fmt.Errorf("%s too few arguments (%d for %d) - %+v", c.node.String(), 0, n, in)
		}
	case len(arguments) > n:
		return nil, fmt.Errorf("%s too many arguments (%d for %d)", c.node.String(), len(arguments), n)
	}
	for i, argument := range arguments {
		v, err := argument(r)
		if err != nil {
			return nil, err
		}
		var value reflect.Value
		wanted := t.In(min(i, n-1))
		switch {
		case i >= fixed:
			wanted = t.In(n - 1).Elem()
			value = reflect.New(wanted) // plush passes this pointer for a nil
		default:
			value = reflect.New(wanted).Elem()
		}
		if v != nil {
			value = reflect.ValueOf(v)
		}
		if !value.Type().AssignableTo(wanted) {
			return nil, fmt.Errorf("%+v (%T) is an invalid argument for %s at pos %d: expected (%s)", v, v, c.node.Function.String(), i, wanted)
		}
		in = append(in, value)
	}
	if t.IsVariadic() {
		return in, nil
	}
	if missing := n - len(in); missing == 1 || missing == 2 {
		for i := len(in); i < n; i++ {
			in = append(in, r.fill(t.In(i), c.block))
		}
	}
	if len(in) < n {
		return nil, fmt.Errorf("%s too few arguments (%d for %d) - %+v", c.node.String(), len(in), n, in)
	}
	return in, nil
}

var (
	helperContext  = reflect.TypeFor[plush.HelperContext]()
	helperContexts = reflect.TypeFor[interface { // the interface of Buffalo's helpers, as far as it names them
		HasBlock() bool
		Block() (string, error)
		Render(string) (string, error)
	}]()
)

// fill returns what plush passes for a missing argument at the end: the context, or an empty map.
func (r *run) fill(t reflect.Type, block *helperBlock) reflect.Value {
	switch {
	case t.ConvertibleTo(helperContext) || t.Implements(helperContexts):
		return reflect.ValueOf(r.helperContext(block))
	case t.ConvertibleTo(anyMap):
		return reflect.ValueOf(map[string]any{})
	}
	return reflect.Zero(t)
}
