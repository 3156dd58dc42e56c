package models

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"

	"golang.org/x/crypto/argon2"
)

// Cost is how much work it is to hash a password with argon2id (RFC 9106).
type Cost struct {
	Passes uint32
	Memory uint32 // in KiB
}

// Recommended is what OWASP's Password Storage Cheat Sheet asks for at least.
var Recommended = Cost{Passes: 2, Memory: 19 << 10}

// A Password is what is stored of one: its hash, and how that was made.
type Password struct {
	Cost
	Salt, Hash []byte
}

// NewPassword hashes a password under a new salt.
func NewPassword(text string, cost Cost) Password {
	p := Password{Cost: cost, Salt: make([]byte, 16)}
	rand.Read(p.Salt)
	p.Hash = p.hash(text)
	return p
}

// Matches reports whether text is the password.
func (p Password) Matches(text string) bool {
	return subtle.ConstantTimeCompare(p.Hash, p.hash(text)) == 1
}

// Same reports whether nobody has set the password again, not even to the same text.
func (p Password) Same(other Password) bool { return bytes.Equal(p.Hash, other.Hash) }

func (p Password) hash(text string) []byte {
	return argon2.IDKey([]byte(text), p.Salt, p.Passes, p.Memory, 1, 32)
}
