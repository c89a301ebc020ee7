package webui

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// The parameters of argon2id that OWASP recommends for interactive use: 19 MiB, two
// passes.
const (
	argonMemory = 19 * 1024
	argonPasses = 2
)

// Passwords hashes passwords with argon2id, at most two at once: each takes 19 MiB, and
// strangers can ask for it.
type Passwords chan struct{}

// NewPasswords makes a limit of its own.
func NewPasswords() Passwords { return make(Passwords, 2) }

// Hash returns the PHC string of a password.
func (p Passwords) Hash(password string) string {
	p <- struct{}{}
	defer func() { <-p }()
	var salt [16]byte
	rand.Read(salt[:])
	key := argon2.IDKey([]byte(password), salt[:], argonPasses, argonMemory, 1, 32)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, argonMemory, argonPasses,
		base64.RawStdEncoding.EncodeToString(salt[:]), base64.RawStdEncoding.EncodeToString(key))
}

// Matches compares a password with the PHC string that Hash wrote. A string of another
// form matches nothing.
func (p Passwords) Matches(phc, password string) bool {
	var version, memory, passes uint32
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false
	}
	if _, err := fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=1", &version, &memory, &passes); err != nil {
		return false
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	key, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || version != argon2.Version || len(key) < 16 ||
		memory == 0 || memory > 1<<20 || passes == 0 || passes > 16 {
		return false
	}
	p <- struct{}{}
	defer func() { <-p }()
	got := argon2.IDKey([]byte(password), salt, passes, memory, 1, uint32(len(key)))
	return subtle.ConstantTimeCompare(got, key) == 1
}
