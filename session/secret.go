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

// sealedLen is the length of what seal makes of a plaintext of n bytes.
func sealedLen(n int) int {
	return strict.EncodedLen(overhead + n)
}

// seal encrypts and authenticates plain, bound to name and version.
func (k keyring) seal(name string, plain []byte) string {
	boxLen := overhead + len(plain)
	buf := make([]byte, 0, boxLen+1+len(name)+sealedLen(len(plain))) // the box, the additional data, the text
	box, ad := buf[:headerSize], additionalData(buf[boxLen:boxLen], name)
	box[0] = version
	nonce := box[1:]
	rand.Read(nonce) // never fails (crypto/rand, since Go 1.24)
	box = k[0].Seal(box, nonce, plain, ad)
	return string(strict.AppendEncode(buf[boxLen+len(ad):boxLen+len(ad)], box))
}

// open gives back what seal was given under the same name, and which key opened
// it. Whatever is wrong with sealed, the error is the same.
func (k keyring) open(name, sealed string) (plain string, key int, err error) {
	boxLen := strict.DecodedLen(len(sealed))
	if boxLen < overhead || len(sealed) > MaxCookie {
		return "", 0, errRefused
	}
	buf := make([]byte, 0, len(sealed)+boxLen+1+len(name)) // the text, then the plaintext; the box; the additional data
	text := append(buf, sealed...)
	box, err := strict.AppendDecode(buf[len(text):len(text)], text)
	if err != nil || len(box) != boxLen || box[0] != version { // shorter: the decoder passed over line ends
		return "", 0, errRefused
	}
	ad := additionalData(buf[len(text)+boxLen:len(text)+boxLen], name)
	for i, aead := range k {
		if opened, err := aead.Open(buf, box[1:headerSize], box[headerSize:], ad); err == nil {
			return string(opened), i, nil
		}
	}
	return "", 0, errRefused
}

func additionalData(buf []byte, name string) []byte {
	return append(append(buf, version), name...)
}
