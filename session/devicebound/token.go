package devicebound

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
)

// maxToken is the longest token that is read, in bytes. A browser's has about 500.
const maxToken = 4096

// size is that of a coordinate, and of each half of a signature, in bytes.
const size = 32

var errToken = errors.New("devicebound: not a token that a browser makes")

// A token is what a browser has signed: a JSON Web Signature (RFC 7515) with ES256 (RFC 7518, section 3.4).
type token struct {
	challenge string
	key       string // as package session stores it; "" if the token has none
	signed    string
	signature []byte
}

// parse reads a token. It does not verify the signature.
func parse(text string) (t token, err error) {
	text = strings.Trim(text, `"`) // the draft quotes it, browsers do not
	parts := strings.Split(text, ".")
	if len(text) > maxToken || len(parts) != 3 {
		return t, errToken
	}
	var header struct {
		Algorithm string          `json:"alg"`
		Type      string          `json:"typ"`
		Key       json.RawMessage `json:"jwk"`
		Critical  json.RawMessage `json:"crit"`
	}
	var payload struct {
		Challenge string `json:"jti"`
	}
	t.signature, err = decode(parts[2])
	if err := errors.Join(err, read(parts[0], &header), read(parts[1], &payload)); err != nil {
		return t, errToken
	}
	if header.Algorithm != "ES256" || header.Type != "dbsc+jwt" || header.Critical != nil || payload.Challenge == "" || len(t.signature) != 2*size {
		return t, errToken
	}
	if header.Key != nil {
		if t.key, err = parseKey(header.Key); err != nil {
			return t, err
		}
	}
	t.challenge, t.signed = payload.Challenge, parts[0]+"."+parts[1]
	return t, nil
}

// parseKey reads a public key (RFC 7517, and RFC 7518, section 6.2.1), and returns the point in its compressed form.
func parseKey(text []byte) (string, error) {
	var key struct {
		Type  string `json:"kty"`
		Curve string `json:"crv"`
		X     string `json:"x"`
		Y     string `json:"y"`
	}
	if err := json.Unmarshal(text, &key); err != nil || key.Type != "EC" || key.Curve != "P-256" {
		return "", errToken
	}
	x, err1 := decode(key.X)
	y, err2 := decode(key.Y)
	if err1 != nil || err2 != nil || len(x) != size || len(y) != size {
		return "", errToken
	}
	point := bytes.Join([][]byte{{4}, x, y}, nil)
	if _, err := ecdh.P256().NewPublicKey(point); err != nil { // it is not on the curve
		return "", errToken
	}
	return string(elliptic.MarshalCompressed(elliptic.P256(), new(big.Int).SetBytes(x), new(big.Int).SetBytes(y))), nil
}

// signedBy reports whether the token was signed with that key.
func (t token) signedBy(key string) bool {
	x, y := elliptic.UnmarshalCompressed(elliptic.P256(), []byte(key))
	if x == nil {
		return false
	}
	hash := sha256.Sum256([]byte(t.signed))
	r, s := new(big.Int).SetBytes(t.signature[:size]), new(big.Int).SetBytes(t.signature[size:])
	return ecdsa.Verify(&ecdsa.PublicKey{Curve: elliptic.P256(), X: x, Y: y}, hash[:], r, s)
}

// read decodes a part of a token.
func read(part string, into any) error {
	text, err := decode(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// decode accepts one spelling of each sequence of bytes (RFC 4648, section 5, without padding).
func decode(text string) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err == nil && strings.ContainsAny(text, "\r\n") {
		err = errToken
	}
	return b, err
}
