package views

import (
	"context"
	"fmt"
	"html/template"
	"regexp"
	"sync/atomic"

	"github.com/gobuffalo/plush/v4"
	"github.com/gobuffalo/plush/v4/ast"
)

// A helper such as form receives its block in a plush.HelperContext, which only plush can make. So
// plush makes it, in a small template whose block calls a function that runs the compiled one:
//
//	<%= take() { %><%= views_block_7() %><% } %>

// A helperBlock is the block of a call.
type helperBlock struct {
	name  string // of the function that the small template calls
	body  step   // nil: the call has no block
	small *plush.Template
}

var (
	blocks  atomic.Int64 // every block in this process has a name of its own
	noBlock = smallTemplate(`<%= take() %>`)
)

func smallTemplate(source string) *plush.Template {
	t, err := plush.NewTemplate(source)
	if err != nil {
		panic(err)
	}
	return t
}

func (c *compiler) helperBlock(node *ast.BlockStatement) *helperBlock {
	if node == nil {
		return &helperBlock{small: noBlock}
	}
	name := fmt.Sprintf("views_block_%d", blocks.Add(1))
	return &helperBlock{name, c.block(node), smallTemplate(`<%= take() { %><%= ` + name + `() %><% } %>`)}
}

// helperContext returns the context of a helper.
func (r *run) helperContext(b *helperBlock) (made plush.HelperContext) {
	take := func(h plush.HelperContext) string { made = h; return "" }
	_, _ = b.small.Exec(&plush.Context{Context: helperScope{context.Background(), map[string]any{"take": take}}})
	ctx := r.scope.plushContext()
	if b.body != nil {
		ctx.Set(b.name, r.runner(b))
	}
	made.Context = ctx
	return made
}

// runner returns the function that runs a block. The helper may call it when r has ended: contentFor
// does.
func (r *run) runner(b *helperBlock) func(plush.HelperContext) (template.HTML, error) {
	r.kept = true
	engine, line, own := r.engine, r.line, r.scope
	return func(h plush.HelperContext) (template.HTML, error) {
		inner := &run{engine: engine, line: line, scope: own}
		if ctx := h.Context.(*plush.Context); ctx != own.context {
			inner.scope = scopeOf(ctx)
		}
		if err := stopJumps(b.body, returns)(inner); err != nil {
			return "", err
		}
		inner.printLate(0)
		return template.HTML(inner.out), nil
	}
}

// withoutBlock removes from an error what plush adds when it calls the function of a block.
func withoutBlock(err error) error {
	if text := err.Error(); blockCall.MatchString(text) {
		return &blockError{err, blockCall.ReplaceAllString(text, "")}
	}
	return err
}

var blockCall = regexp.MustCompile(`could not call views_block_\d+ function: `)

type blockError struct {
	error
	text string
}

func (e *blockError) Error() string { return e.text }
func (e *blockError) Unwrap() error { return e.error }
