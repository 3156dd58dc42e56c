package buffalosession_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"heroes/session"
	"heroes/session/backendtest"

	"github.com/gofrs/uuid"
	"github.com/stretchr/testify/require"
)

// serve starts the program with this environment and returns its address.
func serve(t *testing.T, program string, env ...string) (address string) {
	t.Helper()
	address = "127.0.0.1:" + backendtest.FreePort(t)
	cmd := exec.Command(program)
	cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), append(env, "ADDR="+address)...)
	backendtest.Serve(t, cmd, address)
	return address
}

func Test_22_stock_Buffalo_and_its_successor_behind_one_address_sign_nobody_out(t *testing.T) {
	program := filepath.Join(t.TempDir(), "stock")
	out, err := exec.Command("go", "build", "-o", program, "./testdata/stock").CombinedOutput()
	require.NoError(t, err, string(out))
	ids := map[string]string{}
	for i := range 40 {
		for hour := range 24 {
			ids[fmt.Sprintf("visitor %d of hour %d", i, hour)] = uuid.Must(uuid.NewV4()).String()
		}
	}
	names := map[string]string{uuid.Nil.String(): ""}
	for name, id := range ids {
		names[id] = name
	}
	backendtest.Move{
		Old:    serve(t, program, "SESSION_SECRET=the secret of the stock application"),
		New:    serve(t, program, "SESSION_SECRET=the secret of the stock application", "NEW_SECRET="+session.NewSecret()),
		Cookie: "_new_session",
		SignIn: func(b *backendtest.Browser, name string) error {
			status, body, err := b.Do("POST", "/sign-in", url.Values{"id": {ids[name]}})
			if err == nil && status != http.StatusSeeOther {
				err = fmt.Errorf("%d: %s", status, body)
			}
			return err
		},
		Knows: func(b *backendtest.Browser) (string, error) {
			_, id, err := b.Do("GET", "/", nil)
			name, known := names[id]
			if err == nil && !known {
				err = fmt.Errorf("%q", id)
			}
			return name, err
		},
	}.Day(t, 40)
}
