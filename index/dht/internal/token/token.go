// Package token keeps to itself how the write tokens of BEP 5 are made and checked:
// proof that whoever shows one receives what is sent to the address it was made
// for.
package token

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"net/netip"
	"time"
)

// Size of a token in bytes.
const Size = 8

// Period after which a new secret is in force. A token is valid for one to two
// periods.
const Period = 5 * time.Minute

// Mint makes tokens. It does not store them.
type Mint struct {
	secret [32]byte
}

// New makes a mint from 32 random bytes.
func New(secret [32]byte) *Mint { return &Mint{secret: secret} }

// Make returns the token of addr now.
func (m *Mint) Make(now time.Duration, addr netip.Addr) [Size]byte {
	return m.at(uint64(now/Period), addr)
}

// Valid reports whether tok was made for addr in this period or the last.
func (m *Mint) Valid(now time.Duration, addr netip.Addr, tok []byte) bool {
	period := uint64(now / Period)
	this, last := m.at(period, addr), m.at(period-1, addr)
	return subtle.ConstantTimeCompare(tok, this[:])|subtle.ConstantTimeCompare(tok, last[:]) == 1
}

func (m *Mint) at(period uint64, addr netip.Addr) [Size]byte {
	var in [32 + 8 + 16]byte
	copy(in[:], m.secret[:])
	binary.BigEndian.PutUint64(in[32:], period)
	ip := addr.As16()
	copy(in[40:], ip[:])
	sum := sha256.Sum256(in[:])
	return [Size]byte(sum[:Size])
}
