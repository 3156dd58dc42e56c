package main

import (
	"net"
	"path/filepath"
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
	require.NoError(t, run([]string{"migrate", "--help"}), "which migrates nothing")
}

func Test_Listen_at_the_socket_of_a_process_that_was_killed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	_, err = listen("unix:" + path)
	require.Error(t, err, "somebody listens")
	require.NoError(t, l.Close())
	l, err = listen("unix:" + path)
	require.NoError(t, err)
	require.NoError(t, l.Close())
}
