package locales

import "context"

// T translates in actions, as t does in pages. It has the name and the method of Buffalo's own
// translator, which generated actions use.
var T Translator

// A TranslateFunc is Language.Translate: t in pages.
type TranslateFunc = func(id string, arguments ...any) string

// A Translator translates into the language of a request. Its context must have the key "t" with
// a Language's Translate.
type Translator struct{}

// Translate returns the translation of an ID in the language of the request. The arguments are
// those of Language.Translate.
func (Translator) Translate(c context.Context, id string, arguments ...any) string {
	return c.Value("t").(TranslateFunc)(id, arguments...)
}
