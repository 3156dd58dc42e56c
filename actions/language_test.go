package actions

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func Test_Language_is_the_one_chosen_or_the_best_that_the_browser_asks_for(t *testing.T) {
	d := newDictionary([]string{"ar-eg", "de-de", "en-us"})
	for _, asked := range []struct{ chosen, accepted, want string }{
		{"", "", "en-us"},
		{"", "de", "de-de"},
		{"", "de-AT, en;q=0.9", "de-de"},
		{"", "fr, en;q=0.3, ar;q=0.8", "ar-eg"},
		{"", "en-GB", "en-us"},
		{"", "ja", "en-us"},
		{"", "*", "en-us"},
		{"", "\x00;;q=,,-", "en-us"},
		{"", strings.Repeat("xx-", 9999), "en-us"},
		{"ar", "de", "ar-eg"},
		{"nonsense!", "de", "de-de"},
	} {
		require.Equal(t, asked.want, d.speaker(asked.chosen, asked.accepted).names[0], "%+v", asked)
	}
	require.Equal(t, []string{"de-de", "en-us"}, d.speaker("de", "").names, "and then the application's own")
	require.Equal(t, []string{"en-us"}, d.speaker("", "").names)
}

func Test_Language_what_has_no_words_is_said_in_the_application_s_own(t *testing.T) {
	s := &speaker{names: []string{"de-de", "en-us"}}
	for range 2 {
		require.Equal(t, "Heroes", s.say("app.name"))
		require.Equal(t, "no.such.words", s.say("no.such.words"))
	}
	require.Equal(t, "Zoë is registered.", s.say("heroes.created", map[string]any{"Name": "Zoë"}))
	require.Equal(t, "Lois is registered.", s.say("heroes.created", map[string]any{"Name": "Lois"}), "what has arguments is said anew")
}
