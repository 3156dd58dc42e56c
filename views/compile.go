package views

import (
	"fmt"
	"html/template"
	"slices"

	"github.com/gobuffalo/plush/v4"
	"github.com/gobuffalo/plush/v4/ast"
	"github.com/gobuffalo/plush/v4/token"
)

// A program is a template, compiled from plush's syntax tree into functions. It renders the bytes
// that plush renders, and fails with the errors with which plush fails.
type program []statement

// A statement is one of a template's own, outside of blocks.
type statement struct {
	line int
	run  step
}

// A step writes what it renders to r, and an eval returns a value.
type (
	step func(r *run) error
	eval func(r *run) (any, error)
)

// A compiler compiles a template. Why is the first thing in it that it does not support: plush then
// renders the template.
type compiler struct{ why string }

// compile compiles a template, or returns what it does not support.
func compile(tree *ast.Program) (p program, why string) {
	c := &compiler{}
	for _, node := range tree.Statements {
		p = append(p, statement{node.T().LineNumber, c.statement(node)})
	}
	return p, c.why
}

func (c *compiler) unsupported(what string) {
	if c.why == "" {
		c.why = what
	}
}

// statement compiles a statement outside of blocks. Only <%= and text print there.
func (c *compiler) statement(node ast.Statement) step {
	switch s := node.(type) {
	case *ast.ReturnStatement:
		c.checkReturn(s)
		return c.output(s.ReturnValue)
	case *ast.ExpressionStatement:
		if text, ok := s.Expression.(*ast.HTMLLiteral); ok {
			return write(text.Value)
		}
		return c.effect(s.Expression)
	case *ast.LetStatement:
		return c.let(s)
	}
	return func(*run) error { return nil }
}

// block compiles the statements of a block. A statement <% … %> in it prints its value if it is
// HTML. The line of each is noted as it begins, for plush reports the last one with an error, even
// if the error is behind the block.
func (c *compiler) block(node *ast.BlockStatement) step {
	var steps []step
	for _, statement := range node.Statements {
		line, do := statement.T().LineNumber, c.inBlock(statement)
		steps = append(steps, func(r *run) error {
			r.line = line
			return do(r)
		})
	}
	return func(r *run) error {
		r.depth++
		defer func() { r.depth-- }()
		for _, step := range steps {
			if err := step(r); err != nil {
				return err
			}
		}
		return nil
	}
}

func (c *compiler) inBlock(node ast.Statement) step {
	switch s := node.(type) {
	case *ast.ReturnStatement:
		c.checkReturn(s)
		return c.output(s.ReturnValue)
	case *ast.LetStatement:
		return c.let(s)
	case *ast.ExpressionStatement:
		switch e := s.Expression.(type) {
		case *ast.HTMLLiteral:
			return write(e.Value)
		case *ast.IfExpression, *ast.ForExpression:
			return c.effect(e)
		}
		value := c.eval(s.Expression)
		return func(r *run) error {
			v, err := value(r)
			if err != nil {
				return err
			}
			switch v.(type) {
			case ast.Printable, template.HTML:
				r.write(v)
			}
			return nil
		}
	}
	c.unsupported(fmt.Sprintf("%T", node))
	return nil
}

// checkReturn refuses the keyword return, which ends a block.
func (c *compiler) checkReturn(s *ast.ReturnStatement) {
	if s.Type == token.RETURN {
		c.unsupported("return")
	}
}

func (c *compiler) let(s *ast.LetStatement) step {
	name, value := s.Name.Value, c.eval(s.Value)
	return func(r *run) error {
		v, err := value(r)
		if err == nil {
			r.scope.set(name, v)
		}
		return err
	}
}

// output compiles an expression whose value is printed.
func (c *compiler) output(node ast.Expression) step {
	switch e := node.(type) {
	case *ast.HTMLLiteral:
		return write(e.Value)
	case *ast.IfExpression:
		return c.conditional(e)
	case *ast.ForExpression:
		return c.loop(e)
	}
	value := c.eval(node)
	return func(r *run) error {
		v, err := value(r)
		if err == nil {
			r.write(v)
		}
		return err
	}
}

// effect compiles an expression whose value is not printed.
func (c *compiler) effect(node ast.Expression) step {
	switch node.(type) {
	case *ast.IfExpression, *ast.ForExpression:
		print := c.output(node)
		return func(r *run) error {
			before := r.mark()
			err := print(r)
			r.reset(before)
			return err
		}
	}
	value := c.eval(node)
	return func(r *run) error {
		_, err := value(r)
		return err
	}
}

func write(text string) step {
	return func(r *run) error {
		r.out = append(r.out, text...)
		return nil
	}
}

// conditional compiles if, else if and else.
func (c *compiler) conditional(node *ast.IfExpression) step {
	type branch struct {
		condition eval
		block     step
	}
	branches := []branch{{c.eval(node.Condition), c.block(node.Block)}}
	for _, other := range node.ElseIf {
		branches = append(branches, branch{c.eval(other.Condition), c.block(other.Block)})
	}
	var otherwise step
	if node.ElseBlock != nil {
		otherwise = c.block(node.ElseBlock)
	}
	return func(r *run) error {
		for _, b := range branches {
			v, err := b.condition(r)
			if err != nil && !isUnknown(err) {
				return err
			}
			if truthy(v) {
				return b.block(r)
			}
		}
		if otherwise != nil {
			return otherwise(r)
		}
		return nil
	}
}

// isUnknown reports whether an identifier is not known, which a condition forgives.
func isUnknown(err error) bool {
	_, ok := err.(*plush.ErrUnknownIdentifier)
	return ok
}

// eval compiles an expression whose value is needed.
func (c *compiler) eval(node ast.Expression) eval {
	switch e := node.(type) {
	case nil:
		return constant(nil)
	case *ast.HTMLLiteral:
		return constant(template.HTML(e.Value))
	case *ast.StringLiteral:
		return constant(e.Value)
	case *ast.IntegerLiteral:
		return constant(e.Value)
	case *ast.FloatLiteral:
		return constant(e.Value)
	case *ast.Boolean:
		return constant(e.Value)
	case *ast.Identifier:
		return c.identifier(e)
	case *ast.IndexExpression:
		return c.index(e)
	case *ast.PrefixExpression:
		return c.prefix(e)
	case *ast.InfixExpression:
		return c.infix(e)
	case *ast.ArrayLiteral:
		return c.array(e)
	case *ast.HashLiteral:
		return c.hash(e)
	case *ast.CallExpression:
		return c.call(e)
	}
	c.unsupported(fmt.Sprintf("%T in an expression", node))
	return nil
}

func constant(v any) eval {
	return func(*run) (any, error) { return v, nil }
}

func (c *compiler) evals(nodes []ast.Expression) []eval {
	all := make([]eval, len(nodes))
	for i, node := range nodes {
		all[i] = c.eval(node)
	}
	return all
}

func (c *compiler) array(node *ast.ArrayLiteral) eval {
	elements := c.evals(node.Elements)
	return func(r *run) (any, error) {
		values := make([]any, 0, len(elements))
		for _, element := range elements {
			v, err := element(r)
			if err != nil {
				return nil, err
			}
			values = append(values, v)
		}
		return values, nil
	}
}

func (c *compiler) hash(node *ast.HashLiteral) eval {
	if len(node.Order) != len(node.Pairs) {
		c.unsupported("a hash in disorder")
		return nil
	}
	keys, values := []string{}, []eval{}
	for _, key := range node.Order {
		if slices.Contains(keys, key.TokenLiteral()) {
			c.unsupported("a hash with a key twice")
			return nil
		}
		keys = append(keys, key.TokenLiteral())
		values = append(values, c.eval(node.Pairs[key]))
	}
	return func(r *run) (any, error) {
		hash := make(map[string]any, len(keys))
		for i, key := range keys {
			v, err := values[i](r)
			if err != nil {
				return nil, err
			}
			hash[key] = v
		}
		return hash, nil
	}
}

func (c *compiler) prefix(node *ast.PrefixExpression) eval {
	right := c.eval(node.Right)
	return func(r *run) (any, error) {
		v, err := right(r)
		if err != nil && !isUnknown(err) {
			return nil, err
		}
		if node.Operator != "!" {
			return nil, fmt.Errorf("unknown operator %s", node.Operator)
		}
		return !truthy(v), nil
	}
}
