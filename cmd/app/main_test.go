package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func Test_Listen_says_what_to_do_when_the_port_is_taken(t *testing.T) {
	l, err := listen("127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	require.Contains(t, address(l), "http://127.0.0.1:")
	_, err = listen(l.Addr().String())
	require.ErrorContains(t, err, "set ADDR and PORT")
}

func Test_Run_names_what_it_can_do(t *testing.T) {
	require.ErrorContains(t, run([]string{"serve-me"}), "app --help")
	require.NoError(t, run([]string{"--help"}))
}
