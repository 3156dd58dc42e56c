package session

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// testdata/v1.cookie was sealed once under newSecret and is never written again:
// what a version of the package has sealed, every later one opens.
func Test_06_what_version_1_sealed_stays_readable(t *testing.T) {
	sealed, err := os.ReadFile("testdata/v1.cookie")
	require.NoError(t, err)
	keys, err := newKeyring([][]byte{oldSecret, newSecret})
	require.NoError(t, err)
	plain, key, err := keys.openText(name, strings.TrimSpace(string(sealed)))
	require.NoError(t, err)
	require.Equal(t, 1, key)

	r := &reader{s: plain}
	require.EqualValues(t, 1_795_000_000, r.uvarint(), "created")
	require.EqualValues(t, 3600, r.uvarint(), "last used so much later")
	values := r.values()
	require.NoError(t, r.err)
	require.Len(t, values, len(everyType))
	for key, want := range everyType {
		require.True(t, reflect.DeepEqual(want, values[key]), "%s: %#v is not %#v", key, values[key], want)
	}
}
