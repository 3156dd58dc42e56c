package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"heroes/session"

	"github.com/gobuffalo/envy"
)

// secretFile keeps the secret in development, so that visitors keep their session when the
// server restarts.
const secretFile = "tmp/session_secret"

// howToMakeOne works with the source and with the program alone.
const howToMakeOne = "make one with `go run ./cmd/app task secret`, or this program's `task secret`"

func (c *Config) readSecrets() (err error) {
	list, from := envy.Get("SESSION_SECRET", ""), "SESSION_SECRET"
	switch {
	case list != "":
	case c.Env == "development":
		from = secretFile
		list, err = developmentSecret(secretFile)
	case c.Env == "test":
		list = session.NewSecret()
	default:
		return errors.New("SESSION_SECRET is not set and sessions cannot be sealed without one: " + howToMakeOne)
	}
	if err != nil {
		return fmt.Errorf("%s: cannot be read or made (%w): let this user write to tmp/, or set SESSION_SECRET; %s", from, err, howToMakeOne)
	}
	if c.Secrets, err = session.ParseSecrets(list); err != nil {
		return fmt.Errorf("%s: %w; %s", from, err, howToMakeOne)
	}
	return nil
}

// developmentSecret reads the secret from path, or makes it. Two servers that start at the same
// time agree on one.
func developmentSecret(path string) (string, error) {
	if secret, err := os.ReadFile(path); !errors.Is(err, fs.ErrNotExist) {
		return strings.TrimSpace(string(secret)), err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	draft, err := os.CreateTemp(filepath.Dir(path), "session_secret-*") // mode 0600
	if err != nil {
		return "", err
	}
	defer os.Remove(draft.Name())
	_, err = fmt.Fprintln(draft, session.NewSecret())
	if err := errors.Join(err, draft.Close()); err != nil {
		return "", err
	}
	if err := os.Link(draft.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	secret, err := os.ReadFile(path)
	return strings.TrimSpace(string(secret)), err
}
