package models_test

import (
	"testing"

	"github.com/gobuffalo/pop/v6"
	"github.com/stretchr/testify/require"
)

// A connection for each request that is busy at once, kept open: to make one costs more
// than a page. pop passes over a setting that it does not know.
func Test_connections_are_kept(t *testing.T) {
	require.NoError(t, pop.LoadConfigFile())
	for env, c := range pop.Connections {
		require.Equal(t, 20, c.Dialect.Details().Pool, env)
		require.Equal(t, 20, c.Dialect.Details().IdlePool, env)
	}
	require.Contains(t, pop.Connections, "production")
}
