package views

import (
	"fmt"
	"reflect"

	"github.com/gobuffalo/helpers/hctx"
	"github.com/gobuffalo/plush/v4"
	"github.com/gobuffalo/plush/v4/ast"
)

// call compiles a call of a helper, t("app.name"), or of a method, session.Get("name").
func (c *compiler) call(node *ast.CallExpression) func(r *run) (text, error) {
	to := &callee{node: node, block: c.helperBlock(node.Block)}
	for _, argument := range node.Arguments {
		to.arguments = append(to.arguments, c.text(argument))
	}
	c.notePartials(node)
	if node.ChainCallee != nil {
		to.rest = c.rest(node.Function.String(), node.ChainCallee)
	}
	if node.Callee != nil {
		of := c.eval(node.Callee)
		return func(r *run) (text, error) {
			v, err := of(r)
			if err != nil {
				return text{}, err
			}
			method, result, err := method(v, node)
			if err != nil || !method.IsValid() {
				return text{other: result}, err
			}
			return to.invoke(r, method)
		}
	}
	function := c.eval(node.Function)
	return func(r *run) (text, error) {
		f, err := function(r)
		if err != nil {
			return text{}, err
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
	arguments []func(r *run) (text, error)
	block     *helperBlock
	rest      func(r *run, of any) (any, error) // what is asked of the result; nil: nothing
}

// call calls a helper. The types that pages use most are called without reflection.
func (c *callee) call(r *run, f any) (text, error) {
	if n := len(c.arguments); n == 0 || n > mostArguments(f) || c.rest != nil {
		return c.invoke(r, reflect.ValueOf(f))
	}
	first, err := c.arguments[0](r)
	if err != nil {
		return text{}, err
	}
	if f, ok := f.(func(any) int); ok {
		return text{other: f(first.value())}, nil
	}
	if first.isString {
		switch f := f.(type) {
		case func(string, ...any) string:
			return text{string: f(first.string), isString: true}, nil
		case func(string) string:
			return text{string: f(first.string), isString: true}, nil
		case partialHelper:
			return c.partial(r, f, first.string)
		}
	}
	return c.invoke(r, reflect.ValueOf(f), first.value())
}

// mostArguments returns the most arguments with which a helper can be called without reflection, or
// 0.
func mostArguments(f any) int {
	isNil := true
	switch f := f.(type) {
	case func(string, ...any) string:
		isNil = f == nil
	case func(string) string:
		isNil = f == nil
	case func(any) int:
		isNil = f == nil
	case partialHelper:
		if same(f, (*Engine)(nil).partial) {
			return 2
		}
	}
	if isNil {
		return 0
	}
	return 1
}

// partial renders a partial.
func (c *callee) partial(r *run, f partialHelper, name string) (text, error) {
	given := []any{name}
	var data map[string]any
	if len(c.arguments) == 2 {
		v, err := c.arguments[1](r)
		if err != nil {
			return text{}, err
		}
		given = append(given, v.value())
		data, _ = v.other.(map[string]any)
	}
	if len(given) == 2 && data == nil || plushPartial(r.scope, name, data) {
		return c.invoke(r, reflect.ValueOf(f), given...)
	}
	part, err := partialIn(r.scope, name, data)
	if err != nil {
		return text{}, c.failed(err)
	}
	return text{other: part}, nil
}

// method returns the method that a call names. If v has none, it returns what plush does: an error
// or, for a pointer, the value itself.
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

// invoke calls a function by reflection, with plush's rules for the arguments that are missing. given
// holds the values of its first arguments, if they are known.
func (c *callee) invoke(r *run, f reflect.Value, given ...any) (text, error) {
	if f.Kind() == reflect.Pointer {
		f = f.Elem()
	}
	if !f.IsValid() {
		return text{}, fmt.Errorf("%+v (%T) is an invalid function", c.node.String(), f)
	}
	t := f.Type()
	if t.Kind() != reflect.Func {
		return text{}, fmt.Errorf("%+v (%T) is an invalid function", c.node.String(), t)
	}
	in, err := c.inputs(r, t, given)
	if err != nil {
		return text{}, err
	}
	out := f.Call(in)
	if len(out) == 0 {
		return text{}, nil
	}
	if err, ok := out[len(out)-1].Interface().(error); ok {
		return text{}, c.failed(err)
	}
	if c.rest != nil {
		v, err := c.rest(r, out[0].Interface())
		return textOf(v), err
	}
	if out[0].Type() == stringType {
		return text{string: out[0].String(), isString: true}, nil
	}
	return textOf(out[0].Interface()), nil
}

func (c *callee) failed(err error) error {
	return withoutBlock(fmt.Errorf("could not call %s function: %w", c.node.Function, err))
}

func (c *callee) inputs(r *run, t reflect.Type, given []any) (in []reflect.Value, err error) {
	n, arguments := t.NumIn(), c.arguments
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
		var v any
		if i < len(given) {
			v = given[i]
		} else {
			t, err := argument(r)
			if err != nil {
				return nil, err
			}
			v = t.value()
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
	helperContexts = reflect.TypeFor[hctx.HelperContext]()
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
