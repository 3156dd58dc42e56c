package session

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func Test_23_a_proof_is_for_one_session_and_one_key_and_for_a_time(t *testing.T) {
	soon := time.Now().Add(time.Minute)
	bound := held{at: time.Now()}
	bound.id, bound.key = ID{1}, "key"
	inGrace := bound
	inGrace.optional = time.Second
	for what, c := range map[string]struct {
		proof proof
		held  held
		want  bool
	}{
		"its own":                {proof{ID{1}, "key", soon}, bound, true},
		"of another session":     {proof{ID{2}, "key", soon}, bound, false},
		"of another key":         {proof{ID{1}, "other", soon}, bound, false},
		"that has expired":       {proof{ID{1}, "key", time.Now().Add(-time.Second)}, bound, false},
		"none":                   {proof{}, bound, false},
		"none, but in the grace": {proof{}, inGrace, true},
	} {
		v := visit{store: newStore(t, Options{DeviceProof: time.Minute}), proof: c.proof}
		require.Equal(t, c.want, v.deviceAllows(c.held), what)
		v.store = newStore(t, Options{})
		require.True(t, v.deviceAllows(c.held), what)
	}
}
