package views

import (
	"context"
	"maps"

	"github.com/gobuffalo/plush/v4"
)

// A scope holds the values that a template sees. It has the rules of plush.Context, and costs nothing
// until something is set in it: a context of plush looks for sixty helpers when it is made.
type scope struct {
	values  map[string]any // nil until something is set
	outer   *scope         // nil: the page's
	page    *page          // of the page's scope
	context *plush.Context // made for a helper that needs one, or by a helper
	nilled  bool           // a value was set to nil, which can hide a helper
	loop    bool

	// The names of a loop, until a context is made.
	keyName, valueName string
	key, each          any
}

// value returns the value of a name, or nil.
func (s *scope) value(name string) any {
	for ; ; s = s.outer {
		if s.valueName != "" {
			switch name {
			case s.valueName:
				return s.each
			case s.keyName:
				return s.key
			}
		}
		if v, ok := s.values[name]; ok && (v != nil || s.page == nil || s.nilled || s.context != nil) {
			return v
		}
		if s.outer == nil {
			if s.page == nil {
				return s.context.Value(name)
			}
			return s.page.value(name)
		}
	}
}

func (s *scope) set(name string, v any) {
	if v == nil && !s.nilled {
		s.dropNils()
		s.nilled = true
	}
	if s.context != nil {
		s.context.Set(name, v)
		return
	}
	if s.valueName != "" {
		switch name {
		case s.valueName:
			s.each = v
			return
		case s.keyName:
			s.key = v
			return
		}
	}
	if s.values == nil {
		s.values = map[string]any{}
	}
	s.values[name] = v
}

// dropNils takes those nils out of a page's data that would hide one of plush's helpers. Only a nil that
// a template sets hides one.
func (s *scope) dropNils() {
	if s.page == nil {
		return
	}
	for name, v := range s.values {
		if v == nil && s.page.helpers.all[name] != nil {
			delete(s.values, name)
		}
	}
}

// turn sets the key and the value of a loop's next turn.
func (s *scope) turn(keyName string, key any, valueName string, value any) {
	if s.context != nil || keyName == valueName {
		s.set(keyName, key)
		s.set(valueName, value)
		return
	}
	s.keyName, s.key, s.valueName, s.each = keyName, key, valueName, value
	s.nilled = s.nilled || key == nil || value == nil
}

// child returns a scope in s. As in plush, it has those of plush's helpers that a nil hides. A loop's
// scope has not, where the nil was set in the loops around it or in what they are in: plush copies
// that into it.
func (s *scope) child(loop bool) *scope {
	c := &scope{outer: s, loop: loop}
	if s.hidesHelpers() {
		for name, helper := range plush.Helpers.Helpers() {
			if s.value(name) == nil && !(loop && s.setsNil(name)) {
				c.set(name, helper)
			}
		}
	}
	return c
}

// hidesHelpers reports whether a nil may hide one of plush's helpers. A helper of the application can
// set one in the context that it got.
func (s *scope) hidesHelpers() bool {
	for ; s != nil; s = s.outer {
		if s.nilled {
			return true
		}
		if s.context == nil {
			continue
		}
		for name, v := range s.values {
			if v == nil && plush.Helpers.Helpers()[name] != nil {
				return true
			}
		}
	}
	return false
}

// overridesFeeder reports whether a template, a helper or the data has replaced the page's partialFeeder.
func (s *scope) overridesFeeder() bool {
	for ; ; s = s.outer {
		if v, ok := s.values["partialFeeder"]; ok && !same(v, (*page)(nil).feed) {
			return true
		}
		if s.outer == nil {
			return s.page == nil && !same(s.context.Value("partialFeeder"), (*page)(nil).feed)
		}
	}
}

// A helperSet has the helpers of every page: plush's, and the application's.
type helperSet struct {
	all     map[string]any
	context *plush.Context // with the same, for helpers that need a context
}

func newHelperSet(all map[string]any) *helperSet {
	return &helperSet{all, &plush.Context{Context: helperScope{context.Background(), all}}}
}

// A helperScope is asked last for a name, and keeps plush from copying each helper into each context.
type helperScope struct {
	context.Context
	helpers map[string]any
}

func (s helperScope) Value(key any) any {
	if name, ok := key.(string); ok {
		return s.helpers[name]
	}
	return nil
}

// setsNil reports whether a name is nil in s or in the loops around it.
func (s *scope) setsNil(name string) bool {
	for ; s != nil; s = s.outer {
		v, ok := s.values[name]
		if ok || s.valueName != "" && (name == s.valueName || name == s.keyName) {
			return v == nil
		}
		if !s.loop {
			return s.outer == nil && s.page == nil // its values cannot be told from those around it
		}
	}
	return false
}

// plushContext returns the scope as a helper receives it. The template sees what the helper sets
// there.
func (s *scope) plushContext() *plush.Context {
	if s.context == nil {
		if s.values == nil {
			s.values = map[string]any{}
		}
		if s.valueName != "" {
			s.values[s.keyName], s.values[s.valueName] = s.key, s.each
			s.keyName, s.valueName = "", ""
		}
		outer := s.outerContext()
		own := maps.Clone(s.values)
		s.context = plush.NewContextWithOuter(s.values, outer) // it puts helpers in place of nils
		for x := s; x.loop && x.outer != nil; x = x.outer {
			x.outer.copyTo(s.values, own)
		}
		maps.Copy(s.values, own)
	}
	return s.context
}

func (s *scope) outerContext() *plush.Context {
	if s.outer != nil {
		return s.outer.plushContext()
	}
	if !s.nilled {
		s.dropNils()
	}
	s.page.give(s.values)
	return s.page.helpers.context
}

// copyTo copies the values around a loop into it, but for its own, as plush does: who keeps the loop's
// context does not see what changes around it later.
func (s *scope) copyTo(loop, own map[string]any) {
	for name, v := range s.values {
		if _, isOwn := own[name]; !isOwn {
			loop[name], own[name] = v, v
		}
	}
}

// scopeOf returns the scope of a context that a helper made.
func scopeOf(ctx *plush.Context) *scope {
	return &scope{context: ctx, nilled: true}
}
