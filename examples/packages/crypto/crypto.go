// Package crypto uses golang.org/x/crypto beside the standard library's own: nearly all of it is assembly.
package crypto

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/crypto/curve25519"
	"golang.org/x/crypto/sha3"
)

// Password stretches a password with Argon2id: three passes over one MiB, in six lanes.
func Password(password, salt string) string {
	return hex.EncodeToString(argon2.IDKey([]byte(password), []byte(salt), 3, 1024, 6, 24))
}

// Blake2b is the 512 bit hash.
func Blake2b(data []byte) string {
	sum := blake2b.Sum512(data)
	return hex.EncodeToString(sum[:])
}

// Sha3 is the 256 bit hash.
func Sha3(data []byte) string {
	sum := sha3.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Seal encrypts and authenticates; key and nonce are hexadecimal.
func Seal(key, nonce string, plain, extra []byte) (string, error) {
	k, err := hex.DecodeString(key)
	if err != nil {
		return "", err
	}
	n, err := hex.DecodeString(nonce)
	if err != nil {
		return "", err
	}
	aead, err := chacha20poly1305.New(k)
	if err != nil {
		return "", err
	}
	if len(n) != aead.NonceSize() {
		return "", errors.New("nonce: 12 bytes expected")
	}
	return hex.EncodeToString(aead.Seal(nil, n, plain, extra)), nil
}

// Open undoes Seal.
func Open(key, nonce, sealed string, extra []byte) ([]byte, error) {
	var parts [3][]byte
	for i, text := range []string{key, nonce, sealed} {
		part, err := hex.DecodeString(text)
		if err != nil {
			return nil, err
		}
		parts[i] = part
	}
	aead, err := chacha20poly1305.New(parts[0])
	if err != nil {
		return nil, err
	}
	return aead.Open(nil, parts[1], parts[2], extra)
}

// Agree is X25519: a secret from one's private and the other's public key.
func Agree(scalar, point string) (string, error) {
	s, err := hex.DecodeString(scalar)
	if err != nil {
		return "", err
	}
	p, err := hex.DecodeString(point)
	if err != nil {
		return "", err
	}
	shared, err := curve25519.X25519(s, p)
	return hex.EncodeToString(shared), err
}

// Sign signs with Ed25519 and checks its own signature.
func Sign(seed string, message []byte) (string, error) {
	s, err := hex.DecodeString(seed)
	if err != nil || len(s) != ed25519.SeedSize {
		return "", errors.New("seed: 32 bytes in hexadecimal expected")
	}
	key := ed25519.NewKeyFromSeed(s)
	signature := ed25519.Sign(key, message)
	if !ed25519.Verify(key.Public().(ed25519.PublicKey), message, signature) {
		return "", errors.New("signature does not verify")
	}
	return hex.EncodeToString(signature), nil
}
