package devicebound

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What Chromium 156 has signed, to register a key and to show it again.
const (
	registration = "eyJhbGciOiJFUzI1NiIsImp3ayI6eyJjcnYiOiJQLTI1NiIsImt0eSI6IkVDIiwieCI6Il91anVXSUlLa0J2N0w5bEJBWVVpZk9kR3JEem55QUpaUl8xRHd1bnZXVFUiLCJ5IjoiallfQWVodzgxRW9IYTVFdDdyVktWLThvY2hzN0VaVlJxSWtuZm1JM20tUSJ9LCJ0eXAiOiJkYnNjK2p3dCJ9.eyJqdGkiOiJBWUxWbUFLaDFYZzUzSFotQi04eGhKYnVhSzJ3LXd3dE5MNUMwNmdwekllakJBNkxrdklONWE1QWtRSmpIdEkifQ.imGw5iKQmbiPWDts7AOLGVzYHiSYNRpmnmYYDz64gRElEPZ_Y_JaeTxQeX_DVspJUr-bXMK3SW7d1-YIi3RnQg"
	refresh      = "eyJhbGciOiJFUzI1NiIsInR5cCI6ImRic2Mrand0In0.eyJqdGkiOiJBWDNmMzFVekVpRVFCU2NyQU95ZTR5OGpEMUJMRUVNdi1hYUhJclRiWkVEQWhqd1hYQTA0M1hweTh1bUR2UVZMIn0.hHJNqHhSn2vUA88GqP_I8HAG4dVyv-7huU7qMV5SLrALpA8NFJ55orGYqLdWrfYLIOeiwVk7K8N46BWc4MwUAA"
)

func Test_Token_of_a_browser_is_verified(t *testing.T) {
	first, err := parse(registration)
	require.NoError(t, err)
	require.Equal(t, "AYLVmAKh1Xg53HZ-B-8xhJbuaK2w-wwtNL5C06gpzIejBA6LkvIN5a5AkQJjHtI", first.challenge)
	require.Len(t, first.key, 1+size)
	require.True(t, first.signedBy(first.key))

	next, err := parse(refresh)
	require.NoError(t, err)
	require.Empty(t, next.key)
	require.True(t, next.signedBy(first.key))
	next.signed += "x"
	require.False(t, next.signedBy(first.key))
}

func FuzzToken(f *testing.F) {
	f.Add(registration)
	f.Add(refresh)
	f.Add("e30.e30.e30")
	f.Add(strings.Repeat("A", maxToken+1))
	f.Add("eyJhbGciOiJFUzI1NiIsInR5cCI6ImRic2Mrand0In0.eyJqdGkiOiJ4In0." + strings.Repeat("A", 86))
	f.Add("eyJhbGciOiJFUzI1NiIsImp3ayI6eyJjcnYiOiJQLTI1NiIsImt0eSI6IkVDIiwieCI6IiIsInkiOiIifSwidHlwIjoiZGJzYytqd3QifQ.eyJqdGkiOiJ4In0." + strings.Repeat("A", 86))
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := parse(text)
		if err != nil {
			return
		}
		require.NotEmpty(t, parsed.challenge)
		require.Len(t, parsed.signature, 2*size)
		require.LessOrEqual(t, len(text), maxToken+2)
		if parsed.key != "" {
			require.Len(t, parsed.key, 1+size)
			_ = parsed.signedBy(parsed.key)
		}
		require.False(t, parsed.signedBy(""))
		require.False(t, parsed.signedBy("another key"))
	})
}
