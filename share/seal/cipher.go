package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"sync"

	"github.com/shoalnet/shoal/share"
)

// NewSecret makes a random key for one share. Content that differs in any byte needs
// another key.
func NewSecret() share.Secret {
	var key [share.SecretSize]byte
	rand.Read(key[:]) // never fails
	return share.SecretOf(key)
}

// nameSize is the bytes of the name of a blob, which is printed as hex digits.
const nameSize = 16

// Name is the name of a share's blob: 32 hex digits that are derived from the key
// and do not reveal it.
func Name(s share.Secret) (string, error) {
	b, err := derive(s, "name", nameSize)
	return hex.EncodeToString(b), err
}

// errNoKey is returned where a key is needed and there is none.
var errNoKey = errors.New("a sealed share needs its key")

// derive is HKDF-SHA-256 (RFC 5869) of the key without salt.
func derive(s share.Secret, what string, length int) ([]byte, error) {
	if s.IsZero() {
		return nil, errNoKey
	}
	key := s.Bytes()
	return hkdf.Key(sha256.New, key[:], nil, "shoal sealed share 1 "+what, length)
}

// record is a record of a blob, or its plaintext behind the room for the tag.
type record = [RecordSize]byte

// recordCipher seals and opens single records under the keys of one share. Its methods
// are safe for concurrent use.
type recordCipher struct {
	block cipher.Block
	tools sync.Pool // of *tool
}

// tool is what a computation needs and would otherwise allocate.
type tool struct {
	mac    hash.Hash
	header [16]byte
	sum    [TagSize]byte
	kept   [TagSize]byte
}

func newCipher(s share.Secret) (*recordCipher, error) {
	macKey, err := derive(s, "tag", 32)
	if err != nil {
		return nil, err
	}
	key, err := derive(s, "encryption", 32)
	if err != nil {
		return nil, err
	}
	c := &recordCipher{}
	if c.block, err = aes.NewCipher(key); err != nil {
		return nil, err
	}
	c.tools.New = func() any { return &tool{mac: hmac.New(sha256.New, macKey)} }
	return c, nil
}

// tag computes in t.sum the tag of the plaintext in rec.
func (c *recordCipher) tag(t *tool, n int64, kind Kind, rec *record) {
	t.header = [16]byte{0: Version, 1: byte(kind)}
	binary.BigEndian.PutUint64(t.header[8:], uint64(n))
	t.mac.Reset()
	t.mac.Write(t.header[:])
	t.mac.Write(rec[TagSize:])
	t.mac.Sum(t.sum[:0])
}

// crypt encrypts or decrypts rec in place, with the IV of its tag.
func (c *recordCipher) crypt(rec *record) {
	cipher.NewCTR(c.block, rec[:aes.BlockSize]).XORKeyStream(rec[TagSize:], rec[TagSize:])
}

// approve puts before the plaintext in rec its tag, if keep agrees to it. If not, rec
// is zeros.
func (c *recordCipher) approve(n int64, kind Kind, rec *record, keep keeper) error {
	t := c.tools.Get().(*tool)
	defer c.tools.Put(t)
	c.tag(t, n, kind, rec)
	if err := keep.admit(n, t); err != nil {
		clear(rec[:])
		return &RecordError{n, err}
	}
	copy(rec[:], t.sum[:])
	return nil
}

// open decrypts rec in place. If its tag is not that of its plaintext, rec is zeros.
func (c *recordCipher) open(n int64, kind Kind, rec *record) error {
	t := c.tools.Get().(*tool)
	defer c.tools.Put(t)
	c.crypt(rec)
	c.tag(t, n, kind, rec)
	if subtle.ConstantTimeCompare(t.sum[:], rec[:TagSize]) != 1 {
		clear(rec[:])
		return &RecordError{n, ErrForged}
	}
	return nil
}

// Errors that a RecordError wraps.
var (
	// ErrForged: with this key, the record is not one that was sealed for this place.
	ErrForged = errors.New("not sealed with this key, or changed since")
	// ErrChanged: the data that a record was made of has changed.
	ErrChanged = errors.New("the content has changed since it was sealed")
)

// RecordError says which record could not be sealed or opened.
type RecordError struct {
	Record int64
	Err    error
}

func (e *RecordError) Error() string {
	return fmt.Sprintf("record %d of a sealed share: %v", e.Record, e.Err)
}
func (e *RecordError) Unwrap() error { return e.Err }
