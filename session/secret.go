package session

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

// MinSecret is the least length of a secret in bytes: the size of the key that
// is derived from it (OWASP ASVS 5.0, 11.2.3 asks for 128 bits of security).
const MinSecret = 32

// NewSecret makes a secret: 32 bytes of the system's random source, written as
// 43 letters, digits, '-' and '_'.
func NewSecret() string {
	b := make([]byte, MinSecret)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// ParseSecrets reads one or more secrets, newest first, separated by commas.
// Space around a secret is not part of it. An error says which secret is wrong
// and how to mend it, and never repeats one.
func ParseSecrets(list string) ([][]byte, error) {
	var secrets [][]byte
	for s := range strings.SplitSeq(list, ",") {
		secrets = append(secrets, []byte(strings.TrimSpace(s)))
	}
	return secrets, checkSecrets(secrets)
}

func checkSecrets(secrets [][]byte) error {
	if len(secrets) == 0 {
		return errors.New("there is no secret")
	}
	for i, s := range secrets {
		if len(s) < MinSecret {
			return fmt.Errorf("secret %d of %d is %d bytes long and must be at least %d", i+1, len(secrets), len(s), MinSecret)
		}
	}
	return nil
}

// version is the first byte of what is sealed. A change of the format, of the
// cipher or of the derivation is another version; the ones before stay readable.
const version = 1

const (
	headerSize = 1 + chacha20poly1305.NonceSizeX // version and nonce
	overhead   = headerSize + chacha20poly1305.Overhead
)

// strict refuses what other decoders let pass: padding, and bits after the last
// byte that are not zero.
var strict = base64.RawURLEncoding.Strict()

var errRefused = errors.New("session: refused")

// keyring seals with its first key and opens with every one.
type keyring []cipher.AEAD

func newKeyring(secrets [][]byte) (keyring, error) {
	if err := checkSecrets(secrets); err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	keys := make(keyring, len(secrets))
	for i, secret := range secrets {
		key, err := hkdf.Key(sha256.New, secret, nil, "session v1 XChaCha20-Poly1305", chacha20poly1305.KeySize)
		if err != nil {
			return nil, fmt.Errorf("session: deriving a key: %w", err)
		}
		if keys[i], err = chacha20poly1305.NewX(key); err != nil {
			return nil, fmt.Errorf("session: making a cipher: %w", err)
		}
	}
	return keys, nil
}

// sealedLen is the length of the cookie's value for a plaintext of n bytes.
func sealedLen(n int) int {
	return strict.EncodedLen(overhead + n)
}

// sealText seals plain for the cookie of that name.
func (k keyring) sealText(name string, plain []byte) string {
	var text [512]byte // on the stack, as long as it lasts
	return string(strict.AppendEncode(text[:0], k.seal(plain, cookieData(name))))
}

// openText gives back what sealText was given under the same name, and which key
// opened it. Whatever is wrong with text, the error is the same.
func (k keyring) openText(name, text string) (plain string, key int, err error) {
	if len(text) > MaxCookie {
		return "", 0, errRefused
	}
	box, err := strict.DecodeString(text)
	if err != nil || len(box) != strict.DecodedLen(len(text)) { // shorter: the decoder passed over line ends
		return "", 0, errRefused
	}
	return k.open(box, cookieData(name))
}

// seal encrypts and authenticates plain, and authenticates data with it.
func (k keyring) seal(plain, data []byte) []byte {
	box := make([]byte, headerSize, overhead+len(plain))
	box[0] = version
	rand.Read(box[1:]) // the nonce; it never fails (crypto/rand, since Go 1.24)
	return k[0].Seal(box, box[1:headerSize], plain, data)
}

func (k keyring) open(box, data []byte) (plain string, key int, err error) {
	if len(box) < overhead || box[0] != version {
		return "", 0, errRefused
	}
	for i, aead := range k {
		if plain, err := aead.Open(nil, box[1:headerSize], box[headerSize:], data); err == nil {
			return string(plain), i, nil
		}
	}
	return "", 0, errRefused
}

// cookieData binds a cookie to its name and to the version of the format.
func cookieData(name string) []byte {
	return append(append(make([]byte, 0, 64), version), name...)
}
