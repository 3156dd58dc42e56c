package session

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func Test_06_secrets_are_read_newest_first_without_the_space_around_them(t *testing.T) {
	secrets, err := ParseSecrets(" " + string(newSecret) + " ,\n" + string(oldSecret))
	require.NoError(t, err)
	require.Equal(t, [][]byte{newSecret, oldSecret}, secrets)
}

func Test_06_a_secret_that_is_too_short_is_an_error_that_does_not_repeat_it(t *testing.T) {
	_, err := ParseSecrets(string(newSecret) + ",only-31-bytes-are-not-enough-ok")
	require.ErrorContains(t, err, "secret 2 of 2 is 31 bytes long")
	require.NotContains(t, err.Error(), "enough-ok")
}

func Test_06_a_new_secret_is_good_and_never_the_same(t *testing.T) {
	a, b := NewSecret(), NewSecret()
	require.NotEqual(t, a, b)
	require.Regexp(t, `^[A-Za-z0-9_-]{43}$`, a)
	_, err := ParseSecrets(a)
	require.NoError(t, err)
}

func Test_06_secrets_that_are_not_separated_by_commas_or_are_quoted_are_an_error(t *testing.T) {
	for _, list := range []string{
		string(newSecret) + " " + string(oldSecret), string(newSecret) + "\n" + string(oldSecret), `"` + string(newSecret) + `"`,
		"'" + string(newSecret) + "'", string(oldSecret) + ",a secret of words that is certainly long enough",
	} {
		_, err := ParseSecrets(list)
		require.ErrorContains(t, err, "separate secrets by commas and write them without quotes", list)
		require.NotContains(t, err.Error(), string(newSecret))
	}
}
