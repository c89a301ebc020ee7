package share

import (
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"unique"
)

// SecretSize is the number of bytes of a Secret.
const SecretSize = 32

// Secret is the key of a sealed share, see docs/protocol/sealed.md. Whoever has it can
// read the share. The zero Secret means that there is none.
//
// It hides its value: package fmt, slog and every encoder print only that there is
// one, even in a field whose methods they cannot call. Reveal and Bytes return the
// value. Secrets are comparable.
type Secret struct {
	// Package fmt prints the pointer in a handle and not what it points to, but for a
	// verb that suits no pointer it follows the first one.
	key unique.Handle[hiddenKey]
}

// The padding keeps handles from being many in one span of the runtime, which finds that
// of a value by looking at all that lie before it: with a hundred thousand secrets, that
// was 80 microseconds for each.
type (
	hiddenKey struct {
		key unique.Handle[rawKey]
		_   [224]byte
	}
	rawKey struct {
		bytes [SecretSize]byte
		_     [224]byte
	}
)

// hidden is what is printed of a Secret.
const hidden = "(secret)"

// SecretOf makes a Secret of b; it is zero if all bytes are zeros.
func SecretOf(key [SecretSize]byte) Secret {
	if key == [SecretSize]byte{} {
		return Secret{}
	}
	return Secret{unique.Make(hiddenKey{key: unique.Make(rawKey{bytes: key})})}
}

// ParseSecret reads what Reveal printed: 64 hex digits in either case, not all zeros.
// Its error, of kind Refused, does not quote s.
func ParseSecret(s string) (Secret, error) {
	var key [SecretSize]byte
	if n, err := hex.Decode(key[:], []byte(s[:min(len(s), 2*SecretSize)])); len(s) != 2*SecretSize || n != SecretSize || err != nil {
		return Secret{}, Errorf(Refused, "the key of a sealed share has %d hex digits, and this one is damaged", 2*SecretSize)
	}
	if secret := SecretOf(key); !secret.IsZero() {
		return secret, nil
	}
	return Secret{}, Errorf(Refused, "the key of a sealed share is not all zeros")
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s == Secret{} }

// Equal reports whether s and o are the same.
func (s Secret) Equal(o Secret) bool { return s == o }

// Bytes returns the key, zeros if there is none.
func (s Secret) Bytes() [SecretSize]byte {
	if s.IsZero() {
		return [SecretSize]byte{}
	}
	return s.key.Value().key.Value().bytes
}

// Reveal returns the key as 64 hex digits, for the links of readers of the share.
func (s Secret) Reveal() string {
	key := s.Bytes()
	return hex.EncodeToString(key[:])
}

// String, Format, LogValue and MarshalText hide the key from fmt, log, slog and the
// encoders.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return hidden
}

// Format implements fmt.Formatter for every verb; see String.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue implements slog.LogValuer; see String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText implements encoding.TextMarshaler, which JSON and others use; see String.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
