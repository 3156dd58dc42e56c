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

// A compiler compiles a template. If the template contains something that the compiler does not
// support, lacks names it, and plush renders the template.
type compiler struct {
	lacks    string
	partials []partialCall
}

// functionLiteral is what a template with a function lacks. Its functions are plush's, and any
// template may call them.
const functionLiteral = "a function literal"

// compile compiles a template. The program is not usable if the compiler lacks something for it.
func compile(tree *ast.Program) (p program, lacks string, partials []partialCall) {
	c := &compiler{}
	p = make(program, 0, len(tree.Statements))
	for _, node := range joinText(tree.Statements) {
		p = append(p, statement{node.T().LineNumber, c.statement(node)})
	}
	return p, c.lacks, c.partials
}

// joinText makes one statement of text that follows text, with nothing but comments between. Of the two
// lines the later one counts.
func joinText(statements []ast.Statement) (joined []ast.Statement) {
	var last *ast.HTMLLiteral
	for _, node := range statements {
		s, ok := node.(*ast.ExpressionStatement)
		if !ok {
			joined, last = append(joined, node), nil
			continue
		}
		switch e := s.Expression.(type) {
		case *ast.HTMLLiteral:
			text := &ast.HTMLLiteral{TokenAble: e.TokenAble, Value: e.Value}
			if last != nil {
				text.Value = last.Value + text.Value
				joined = joined[:len(joined)-1]
			}
			joined, last = append(joined, &ast.ExpressionStatement{TokenAble: s.TokenAble, Expression: text}), text
		case *ast.StringLiteral: // a comment
			if last == nil {
				joined = append(joined, node)
			} else {
				joined[len(joined)-1].(*ast.ExpressionStatement).TokenAble = s.TokenAble
			}
		default:
			joined, last = append(joined, node), nil
		}
	}
	return joined
}

func (c *compiler) unsupported(what string) {
	if c.lacks == "" || what == functionLiteral {
		c.lacks = what
	}
}

// statement compiles a statement outside of blocks. Only <%= and text print there.
func (c *compiler) statement(node ast.Statement) step {
	switch s := node.(type) {
	case *ast.ReturnStatement:
		return outside(s.ReturnValue, c.output(s.ReturnValue), returns)
	case *ast.ExpressionStatement:
		if text, ok := s.Expression.(*ast.HTMLLiteral); ok {
			return write(text.Value)
		}
		return outside(s.Expression, c.effect(s.Expression), none)
	case *ast.LetStatement:
		return c.let(s)
	}
	return func(*run) error { return nil }
}

// A jump ends a block. It goes up through the steps as an error does.
type jump string

const (
	none      jump = ""
	breaks    jump = "break"
	continues jump = "continue"
	returns   jump = "return"
)

func (j jump) Error() string { return string(j) + " outside of a block" }

// outside stops the jumps of a step that is in no block. As in plush, what the step printed before the
// jump is dropped, unless the jump is keeps.
func outside(node ast.Expression, do step, keeps jump) step {
	switch node.(type) {
	case *ast.IfExpression, *ast.ForExpression, *ast.BreakExpression, *ast.ContinueExpression:
		return stopJumps(do, keeps)
	}
	return do
}

func stopJumps(do step, keeps jump) step {
	return func(r *run) error {
		before := r.mark()
		err := do(r)
		if to, ok := err.(jump); ok {
			if err = nil; to != keeps {
				r.reset(before)
			}
		}
		return err
	}
}

// block compiles the statements of a block. A statement <% … %> in it prints its value if it is
// HTML. The line of each is noted as it begins, because plush reports the last one with an error, even
// if the error is behind the block.
func (c *compiler) block(node *ast.BlockStatement) step {
	var steps []step
	for _, statement := range joinText(node.Statements) {
		line, do := statement.T().LineNumber, c.inBlock(statement)
		steps = append(steps, func(r *run) error {
			*r.line = line
			return do(r)
		})
	}
	return func(r *run) (err error) {
		r.depth++
		for i := 0; i < len(steps) && err == nil; i++ {
			err = steps[i](r)
		}
		r.depth--
		return err
	}
}

func (c *compiler) inBlock(node ast.Statement) step {
	switch s := node.(type) {
	case *ast.ReturnStatement:
		if s.Type == token.RETURN {
			return c.end(s)
		}
		return c.output(s.ReturnValue)
	case *ast.LetStatement:
		return c.let(s)
	case *ast.ExpressionStatement:
		switch e := s.Expression.(type) {
		case *ast.HTMLLiteral:
			return write(e.Value)
		case *ast.IfExpression, *ast.ForExpression, *ast.BreakExpression, *ast.ContinueExpression:
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

// end compiles return, which prints its value and ends the block.
func (c *compiler) end(s *ast.ReturnStatement) step {
	print := c.output(s.ReturnValue)
	return func(r *run) error {
		if err := print(r); err != nil {
			return err
		}
		return returns
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

// assign compiles name = value. As in plush, the name must be known, and the value is set in the
// innermost scope: inside a loop, it is gone after the loop.
func (c *compiler) assign(node *ast.AssignExpression) eval {
	name, value := node.Name.Value, c.eval(node.Value)
	return func(r *run) (any, error) {
		v, err := value(r)
		if err != nil {
			return nil, err
		}
		if r.scope.value(name) == nil {
			return nil, &plush.ErrUnknownIdentifier{ID: name}
		}
		r.scope.set(name, v)
		return nil, nil
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
	case *ast.BreakExpression:
		return func(*run) error { return breaks }
	case *ast.ContinueExpression:
		return func(*run) error { return continues }
	}
	value := c.text(node)
	return func(r *run) error {
		v, err := value(r)
		switch {
		case err != nil:
		case v.isString:
			r.escape(v.string)
		default:
			r.write(v.other)
		}
		return err
	}
}

// A text is a value that is often a string: as an interface, each string would be allocated.
type text struct {
	string   string
	isString bool
	other    any
}

func (t text) value() any {
	if t.isString {
		return t.string
	}
	return t.other
}

// text compiles an expression that is often a string.
func (c *compiler) text(node ast.Expression) func(r *run) (text, error) {
	switch e := node.(type) {
	case *ast.Identifier:
		if e.Callee != nil {
			return c.member(e)
		}
	case *ast.CallExpression:
		return c.call(e)
	case *ast.StringLiteral:
		return func(*run) (text, error) { return text{string: e.Value, isString: true}, nil }
	}
	value := c.eval(node)
	return func(r *run) (text, error) {
		v, err := value(r)
		return textOf(v), err
	}
}

func textOf(v any) text {
	if s, ok := v.(string); ok {
		return text{string: s, isString: true}
	}
	return text{other: v}
}

// effect compiles an expression whose value is not printed, unless it ends the block around it.
func (c *compiler) effect(node ast.Expression) step {
	switch node.(type) {
	case *ast.IfExpression, *ast.ForExpression, *ast.BreakExpression, *ast.ContinueExpression:
		print := c.output(node)
		return func(r *run) error {
			before := r.mark()
			err := print(r)
			if _, ends := err.(jump); !ends {
				r.reset(before)
			}
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

// isUnknown reports whether the error is an unknown identifier, which a condition forgives.
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
		return boxed(c.call(e))
	case *ast.AssignExpression:
		return c.assign(e)
	case *ast.FunctionLiteral:
		c.block(e.Block) // for the partials in it
		c.unsupported(functionLiteral)
		return nil
	case *ast.IfExpression:
		c.conditional(e)
		c.unsupported("an if whose value is used")
		return nil
	case *ast.ForExpression:
		c.loop(e)
		c.unsupported("a for whose value is used")
		return nil
	}
	c.unsupported(fmt.Sprintf("%T in an expression", node))
	return nil
}

// boxed returns the value of a text as an eval does.
func boxed(value func(r *run) (text, error)) eval {
	return func(r *run) (any, error) {
		v, err := value(r)
		return v.value(), err
	}
}

func constant(v any) eval {
	return func(*run) (any, error) { return v, nil }
}

func (c *compiler) array(node *ast.ArrayLiteral) eval {
	elements := make([]eval, len(node.Elements))
	for i, element := range node.Elements {
		elements[i] = c.eval(element)
	}
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
	keys, values := []string{}, []eval{}
	for _, key := range node.Order {
		if slices.Contains(keys, key.TokenLiteral()) {
			c.unsupported("a hash with a key twice") // which one counts is left to chance
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
