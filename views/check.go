package views

import (
	"fmt"
	"reflect"

	"github.com/gobuffalo/plush/v4/ast"
	"github.com/gobuffalo/plush/v4/parser"
)

// checkPartials looks for partials that are asked for by name and are not there.
func (t *templates) checkPartials() {
	for _, f := range t.files {
		if f.template == nil || f.err != nil {
			continue
		}
		program, err := parser.Parse(f.source)
		if err != nil {
			continue
		}
		walk(reflect.ValueOf(program), func(call *ast.CallExpression) {
			for _, name := range partialsOf(call) {
				if f.err == nil && !t.hasPartial(name) {
					f.err = fmt.Errorf("%s: line %d: there is no partial %q", f.path, call.T().LineNumber, name)
				}
			}
		})
	}
}

// hasPartial is true when there is such a partial for any kind of page.
func (t *templates) hasPartial(name string) bool {
	for _, kind := range []string{"", "html", "javascript", "markdown"} {
		if f, _ := t.partial(name, kind); f != nil {
			return true
		}
	}
	return false
}

// partialsOf gives the names in partial("name") and partial("name", {layout: "name"}),
// where they are written out.
func partialsOf(call *ast.CallExpression) (names []string) {
	function, ok := call.Function.(*ast.Identifier)
	if !ok || function.Value != "partial" || function.Callee != nil || call.Callee != nil {
		return nil
	}
	for i, argument := range call.Arguments {
		switch a := argument.(type) {
		case *ast.StringLiteral:
			if i == 0 {
				names = append(names, a.Value)
			}
		case *ast.HashLiteral:
			for key, value := range a.Pairs {
				if layout, ok := value.(*ast.StringLiteral); ok && key.TokenLiteral() == "layout" {
					names = append(names, layout.Value)
				}
			}
		}
	}
	return names
}

// walk visits every call in a parsed template.
func walk(v reflect.Value, visit func(*ast.CallExpression)) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return
		}
		switch node := v.Interface().(type) {
		case *ast.Identifier: // it has no calls in it, and may point to itself
			return
		case *ast.CallExpression:
			if v.Kind() == reflect.Pointer {
				visit(node)
			}
		}
		walk(v.Elem(), visit)
	case reflect.Struct:
		for i := range v.NumField() {
			walk(v.Field(i), visit)
		}
	case reflect.Slice:
		for i := range v.Len() {
			walk(v.Index(i), visit)
		}
	case reflect.Map:
		for key, value := range v.Seq2() {
			walk(key, visit)
			walk(value, visit)
		}
	}
}
