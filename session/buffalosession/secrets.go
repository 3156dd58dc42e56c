package buffalosession

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"heroes/session"

	"github.com/gobuffalo/envy"
)

// developmentSecret is the file that keeps the secret in development, so that visitors keep their
// sessions when the server restarts.
const developmentSecret = "tmp/session_secret"

// NewStore returns a Store for an environment, as GO_ENV names it. Its secrets are those of
// Secrets. In "development" and "test", which have no https, it sets options.Insecure, unless
// SameSite is http.SameSiteNoneMode: browsers take such a cookie only with Secure, which some accept
// from localhost.
func NewStore(env string, options session.Options) (*session.Store, error) {
	secrets, err := Secrets(env)
	if err != nil {
		return nil, err
	}
	if (env == "development" || env == "test") && options.SameSite != http.SameSiteNoneMode {
		options.Insecure = true
	}
	return session.New(secrets, options)
}

// Secrets returns the secrets of SESSION_SECRET, which session.ParseSecrets reads, or of the file that
// SESSION_SECRET_FILE names, which can also have one in each line. One of the two is required,
// except in "development", where the file tmp/session_secret keeps one, and in "test", where each
// program makes its own. An error says in one line how to fix it, and contains no secret.
//
// After the file has changed, a program can call Secrets again, and session.Store.SetSecrets.
func Secrets(env string) ([][]byte, error) {
	list, from := envy.Get("SESSION_SECRET", ""), "SESSION_SECRET"
	file := envy.Get("SESSION_SECRET_FILE", "")
	switch {
	case list != "" && file != "":
		return nil, errors.New("SESSION_SECRET and SESSION_SECRET_FILE are both set: unset one of them")
	case file != "":
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("SESSION_SECRET_FILE: %w: let this user read it, or correct the path", err)
		}
		from, list = "SESSION_SECRET_FILE", strings.Join(strings.FieldsFunc(string(text), func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }), ",")
	case list != "":
	case env == "test":
		list = session.NewSecret()
	case env == "development":
		var err error
		from = developmentSecret
		if list, err = readOrMake(from); err != nil {
			return nil, fmt.Errorf("%s: cannot be read or made (%w): let this user write to tmp/, or set SESSION_SECRET", from, err)
		}
	default:
		return nil, errors.New("SESSION_SECRET is not set, and sessions cannot be sealed without one: " + howToMakeOne)
	}
	secrets, err := session.ParseSecrets(list)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; %s", from, err, howToMakeOne)
	}
	return secrets, nil
}

const howToMakeOne = "make one, for example with `openssl rand -hex 32`"

// readOrMake reads the secret in a file, or makes it. Two programs that start at the same time
// agree on one.
func readOrMake(path string) (string, error) {
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
