package session

import (
	"bytes"
	"cmp"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"heroes/session/internal/values"

	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/crypto/hkdf"
)

// MinSecret is the shortest secret allowed, in bytes: the size of the key that is derived
// from it (OWASP ASVS 5.0, 11.2.3 asks for 128 bits of security).
const MinSecret = 32

// NewSecret returns a new secret: 32 bytes of the system's random source, written as 43
// letters, digits, '-' and '_'.
func NewSecret() string {
	b := make([]byte, MinSecret)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// ParseSecrets reads one or more secrets, newest first, separated by commas. Space around
// a secret is not part of it; space, quotes and control characters inside one are errors, for
// they come from a list without commas or from a shell's quotes. The error says which secret is
// wrong and how to fix it, and never repeats one.
func ParseSecrets(list string) ([][]byte, error) {
	var secrets [][]byte
	for _, s := range strings.Split(list, ",") {
		secrets = append(secrets, []byte(strings.TrimSpace(s)))
	}
	for i, s := range secrets {
		if bytes.ContainsFunc(s, misplaced) {
			return nil, fmt.Errorf("secret %d of %d contains a space, a quote or a line break: separate secrets by commas and write them without quotes", i+1, len(secrets))
		}
	}
	return secrets, checkSecrets(secrets)
}

func misplaced(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || r == '"' || r == '\''
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

// version is the first byte of everything sealed. A change of the format, the cipher or
// the derivation of keys gets a new one.
const version = 1

const (
	headerSize = 1 + chacha20poly1305.NonceSizeX // version and nonce
	overhead   = headerSize + chacha20poly1305.Overhead
)

// Each kind of sealed text is good for its own purpose only.
const (
	kindCookie     byte = iota + 1 // a session in a cookie
	kindRecord                     // a session on a server
	kindEnd                        // an end mark on a server
	kindLimit                      // the sessions that Options.MaxPerOwner counts
	kindOffer                      // a challenge with which registration of a device's key is offered
	kindChallenge                  // a challenge to prove possession of the key
	kindProof                      // the proof of that
	kindRegistered                 // that a key was registered
)

// strict refuses what other decoders accept: padding, and bits after the last byte that
// are not zero.
var strict = base64.RawURLEncoding.Strict()

var errRefused = errors.New("session: refused")

// A keyring seals with its first secret and opens with any of them.
type keyring []keys

// keys are what is derived from a secret.
type keys struct {
	cipher.AEAD        // seals
	owners      []byte // hashes the owners of sessions
	adopted     []byte // derives the tokens of sessions that were adopted
}

func newKeyring(secrets [][]byte) (keyring, error) {
	if err := checkSecrets(secrets); err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	ring := make(keyring, len(secrets))
	for i, secret := range secrets {
		key, err1 := derive(secret, "session v1 XChaCha20-Poly1305")
		owners, err2 := derive(secret, "session v1 owner")
		adopted, err3 := derive(secret, "session v1 adopt")
		aead, err4 := chacha20poly1305.NewX(key)
		if err := cmp.Or(err1, err2, err3, err4); err != nil {
			return nil, fmt.Errorf("session: deriving the keys: %w", err)
		}
		ring[i] = keys{aead, owners, adopted}
	}
	return ring, nil
}

// derive returns a key for one purpose (RFC 5869).
func derive(secret []byte, info string) ([]byte, error) {
	key := make([]byte, chacha20poly1305.KeySize)
	_, err := io.ReadFull(hkdf.New(sha256.New, secret, nil, []byte(info)), key)
	return key, err
}

// purpose returns the additional data that bind a sealed text to its kind, the version,
// the cookie's name and, on a server, the session's ID. No cookie's name contains a NUL.
func purpose(kind byte, name string, id []byte) []byte {
	data := append(make([]byte, 0, 64), kind, version)
	data = append(append(data, name...), 0)
	return append(data, id...)
}

// seal encrypts and authenticates plain, and authenticates data with it.
func (k keyring) seal(plain, data []byte) []byte {
	box := make([]byte, headerSize, overhead+len(plain))
	box[0] = version
	rand.Read(box[1:]) // the nonce; it never fails (crypto/rand, since Go 1.24)
	return k[0].Seal(box, box[1:headerSize], plain, data)
}

// open returns what was sealed with the same data, and the index of the secret that opened
// it. The error is the same whatever is wrong.
func (k keyring) open(box, data []byte) (plain string, secret int, err error) {
	if len(box) < overhead || box[0] != version {
		return "", 0, errRefused
	}
	err = errRefused
	for i, aead := range k { // all of them, so that the time does not tell which one opens it
		if opened, failed := aead.Open(nil, box[1:headerSize], box[headerSize:], data); failed == nil {
			plain, secret, err = string(opened), i, nil
		}
	}
	return plain, secret, err
}

// ours reports whether a record that is not a session still belongs to the application: an end
// mark, or one that counts an owner's sessions.
func (k keyring) ours(name string, id ID, record []byte) bool {
	_, _, notLimit := k.open(record, purpose(kindLimit, name, id[:]))
	_, ended := k.ended(name, id, record)
	return notLimit == nil || ended
}

// ended reports whether a record is what an ended session leaves behind, and how much longer than
// Options.Grace it is stored.
func (k keyring) ended(name string, id ID, record []byte) (longer time.Duration, ended bool) {
	plain, _, err := k.open(record, purpose(kindEnd, name, id[:]))
	return readDuration(&values.Reader{Rest: plain}), err == nil
}

// ownerHashes returns the hashes of an owner, under each secret.
func (k keyring) ownerHashes(name, owner string) []OwnerHash {
	hashes := make([]OwnerHash, len(k))
	for i, keys := range k {
		mac := hmac.New(sha256.New, keys.owners)
		mac.Write([]byte(name + "\x00" + owner))
		hashes[i] = OwnerHash(mac.Sum(nil))
	}
	return hashes
}

// decodeText decodes base64url strictly: each sequence of bytes has exactly one spelling.
func decodeText(text string) ([]byte, error) {
	if len(text) > MaxCookie {
		return nil, errRefused
	}
	b, err := strict.DecodeString(text)
	if err != nil || strict.EncodedLen(len(b)) != len(text) { // the decoder skips line ends
		return nil, errRefused
	}
	return b, nil
}

func encodeText(b []byte) string {
	var text [512]byte // on the stack, as long as it is enough
	return string(strict.AppendEncode(text[:0], b))
}
