package views

import (
	"context"
	"fmt"
	"html/template"
	"regexp"
	"sync"
	"sync/atomic"

	"github.com/gobuffalo/plush/v4"
	"github.com/gobuffalo/plush/v4/ast"
)

// A helper such as form receives its block in a plush.HelperContext, which only plush can make. So
// plush makes it, in a small template whose block calls a function that runs the compiled one:
//
//	<%= take() { %><%= if (views_block_7) { %><%= views_block_7() %><% } else { %><%= views_block(7) %><% } %><% } %>
//
// The first is in the page's context. A helper may run the block in a context that it made from
// nothing; that has the helpers of plush, of which the second is one.

// A helperBlock is the block of a call.
type helperBlock struct {
	name  string // of the first function
	body  step   // nil: the call has no block
	small *plush.Template
}

var (
	blocks  sync.Map // of every compiled template, by ID; in development, also of those before a change
	last    atomic.Int64
	noBlock = smallTemplate(`<%= take() %>`)
)

func init() {
	plush.Helpers.Add("views_block", func(id int, h plush.HelperContext) (template.HTML, error) {
		b, ok := blocks.Load(id)
		if !ok {
			return "", fmt.Errorf("there is no block %d", id)
		}
		return b.(*helperBlock).run(&run{line: new(int), scope: scopeOf(h.Context.(*plush.Context))})
	})
}

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
	id := int(last.Add(1))
	b := &helperBlock{name: fmt.Sprintf("views_block_%d", id), body: c.block(node)}
	b.small = smallTemplate(fmt.Sprintf(`<%%= take() { %%><%%= if (%[1]s) { %%><%%= %[1]s() %%><%% } else { %%><%%= views_block(%[2]d) %%><%% } %%><%% } %%>`, b.name, id))
	blocks.Store(id, b)
	return b
}

func (b *helperBlock) run(r *run) (template.HTML, error) {
	if err := stopJumps(b.body, returns)(r); err != nil {
		return "", err
	}
	r.printLate(0)
	return template.HTML(r.out), nil
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
	line, own := r.line, r.scope
	return func(h plush.HelperContext) (template.HTML, error) {
		inner := &run{line: line, scope: own}
		if ctx := h.Context.(*plush.Context); ctx != own.context {
			inner.scope = scopeOf(ctx)
		}
		return b.run(inner)
	}
}

// withoutBlock removes from an error what plush adds when it calls the function of a block.
func withoutBlock(err error) error {
	if text := err.Error(); blockCall.MatchString(text) {
		return &blockError{err, blockCall.ReplaceAllString(text, "")}
	}
	return err
}

var blockCall = regexp.MustCompile(`could not call views_block(_\d+)? function: `)

type blockError struct {
	error
	text string
}

func (e *blockError) Error() string { return e.text }
func (e *blockError) Unwrap() error { return e.error }
