package channel

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"math/bits"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

// The sealed list of a channel, docs/protocol/channels.md: a frame that zstd decoders
// skip, at the beginning of the catalogue.
//
//	magic (4) | size of the rest (4, little-endian) | mark and version (8) |
//	key check (16) | tag (32) | ciphertext
//
// The IV is the beginning of the tag, which is an HMAC of the plaintext: no counter and
// no random number has to be remembered or restored for two lists never to share one.
const (
	sealedMagic   = 0x184D2A5E // a skippable frame, RFC 8878
	sealedMark    = "shoalsl"
	sealedVersion = 1
	markSize      = len(sealedMark) + 1
	checkSize     = 16
	sealedHead    = 8 + markSize + checkSize + sha256.Size
	// minSealed is the smallest plaintext: all short lists have one size.
	minSealed  = 4 << 10
	lengthSize = 8
)

// sealer seals and opens the lists of one sealed channel.
type sealer struct {
	tagKey, encryptionKey []byte
	check                 []byte // shows which secret a list was sealed with
	channel               [sha256.Size]byte
}

func newSealer(l index.ChannelLink) (*sealer, error) {
	secret := l.Secret.Bytes()
	s := &sealer{channel: sha256.Sum256(append(l.ID[:len(l.ID):len(l.ID)], l.Salt...))}
	for _, k := range []struct {
		to   *[]byte
		info string
		size int
	}{
		{&s.tagKey, "shoal sealed channel 1 tag", 32},
		{&s.encryptionKey, "shoal sealed channel 1 encryption", 32},
		{&s.check, "shoal sealed channel 1 check", checkSize},
	} {
		var err error
		if *k.to, err = hkdf.Key(sha256.New, secret[:], nil, k.info, k.size); err != nil {
			return nil, fmt.Errorf("deriving the keys of a sealed channel: %w", err)
		}
	}
	return s, nil
}

// padme rounds up to a number of which only the leading bits are not zero, which adds
// at most 12 % (Nikitin et al., 2019; as for sealed shares).
func padme(n int) int {
	e := bits.Len(uint(n)) - 1
	low := 1<<max(0, e-bits.Len(uint(e))) - 1
	return (n + low) &^ low
}

// tag computes the tag of a plaintext.
func (s *sealer) tag(plain []byte) []byte {
	var head [8]byte
	head[0] = sealedVersion
	h := hmac.New(sha256.New, s.tagKey)
	for _, b := range [][]byte{head[:], s.channel[:], plain} {
		_, _ = hash.Hash.Write(h, b) // never fails
	}
	return h.Sum(nil)
}

// crypt encrypts or decrypts b in place.
func (s *sealer) crypt(tag, b []byte) error {
	block, err := aes.NewCipher(s.encryptionKey)
	if err != nil {
		return err
	}
	cipher.NewCTR(block, tag[:aes.BlockSize]).XORKeyStream(b, b)
	return nil
}

// seal makes the frame of a compressed list.
func (s *sealer) seal(packed []byte) ([]byte, error) {
	if len(packed) > MaxBytes {
		return nil, tooLarge(len(packed))
	}
	padded := padme(max(minSealed, lengthSize+len(packed)))
	frame := make([]byte, sealedHead+padded)
	plain := frame[sealedHead:]
	binary.BigEndian.PutUint64(plain, uint64(len(packed)))
	copy(plain[lengthSize:], packed)
	tag := s.tag(plain)

	binary.LittleEndian.PutUint32(frame, sealedMagic)
	binary.LittleEndian.PutUint32(frame[4:], uint32(len(frame)-8))
	head := append(frame[:8], sealedMark...)
	head = append(head, sealedVersion)
	head = append(head, s.check...)
	copy(frame[len(head):], tag)
	if err := s.crypt(tag, plain); err != nil {
		return nil, fmt.Errorf("sealing the list of a channel: %w", err)
	}
	return frame, nil
}

func tooLarge(n int) error {
	return share.Errorf(share.Failed, "the sealed list of the channel is too large: %d bytes, and at most %d are possible", n, MaxBytes)
}

// errOtherSecret is wrapped by the error for a list that was sealed with another secret.
var errOtherSecret = share.Wrapf("the secret in the link is not the one that opens it: get the full link from the publisher again and follow that")

// open returns the compressed list in a frame, whose memory it uses.
func (s *sealer) open(frame []byte) ([]byte, error) {
	h, ok := readSealedHead(frame)
	switch {
	case !ok || h.size != len(frame):
		return nil, errDamagedList
	case h.version != sealedVersion:
		return nil, share.Errorf(share.Refused, "the sealed list of the channel has version %d, but this version of shoal reads only %d: a newer version of shoal is needed", h.version, sealedVersion)
	case !hmac.Equal(h.check, s.check):
		return nil, share.Errorf(share.Refused, "the list of the channel is sealed: %w", errOtherSecret)
	}
	plain := frame[sealedHead:]
	if len(plain) < minSealed || padme(len(plain)) != len(plain) {
		return nil, errDamagedList
	}
	if err := s.crypt(h.tag, plain); err != nil {
		return nil, share.Wrapf("opening the list of a channel: %w", err)
	}
	if !hmac.Equal(h.tag, s.tag(plain)) {
		clear(plain)
		return nil, errDamagedList
	}
	n := binary.BigEndian.Uint64(plain)
	if n > uint64(len(plain)-lengthSize) || padme(max(minSealed, lengthSize+int(n))) != len(plain) ||
		len(bytes.Trim(plain[lengthSize+n:], "\x00")) > 0 {
		return nil, errDamagedList
	}
	return plain[lengthSize:][:n], nil
}

var errDamagedList = share.Errorf(share.Refused, "the sealed list of the channel is damaged or forged")

// sealedListHead is what everyone can read of a sealed list.
type sealedListHead struct {
	size    int // of the whole frame
	version byte
	check   []byte
	tag     []byte
}

// readSealedHead returns false if b does not begin with a sealed list. Of other versions
// only the size is known.
func readSealedHead(b []byte) (sealedListHead, bool) {
	if len(b) < sealedHead || binary.LittleEndian.Uint32(b) != sealedMagic || string(b[8:][:len(sealedMark)]) != sealedMark {
		return sealedListHead{}, false
	}
	h := sealedListHead{size: 8 + int(binary.LittleEndian.Uint32(b[4:])), version: b[8+len(sealedMark)]}
	rest := b[8+markSize:]
	h.check, h.tag = rest[:checkSize], rest[checkSize:][:sha256.Size]
	return h, h.size >= sealedHead
}

// takeSealed reads the frame of the sealed list that r begins with; nil if there is none.
// Without keep it is only skipped, and the result is its head. size bounds it.
func takeSealed(r peeker, size int64, keep bool) ([]byte, error) {
	b, err := r.Peek(sealedHead)
	if err != nil && err != io.EOF {
		return nil, err
	}
	h, ok := readSealedHead(b)
	if !ok {
		return nil, nil
	}
	if int64(h.size) > size {
		return nil, errDamagedList
	}
	if !keep {
		head := bytes.Clone(b)
		_, err = r.Discard(h.size)
		return head, cutShort(err)
	}
	frame := make([]byte, h.size)
	_, err = io.ReadFull(r, frame)
	return frame, cutShort(err)
}

// cutShort is the error for a file that ends within the sealed list.
func cutShort(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errDamagedList
	}
	return err
}

// peeker is a bufio.Reader.
type peeker interface {
	io.Reader
	Peek(n int) ([]byte, error)
	Discard(n int) (int, error)
}
