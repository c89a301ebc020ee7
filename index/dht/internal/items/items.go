// Package items keeps to itself the rules of BEP 44: what makes an item valid,
// where it is stored, and when one may replace another. It stores the items that
// other nodes put here, in bounded memory.
package items

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha1"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/anacrolix/dht/v2/bep44"

	"github.com/shoalnet/shoal/index/dht/internal/fair"
	"github.com/shoalnet/shoal/index/dht/internal/krpc"
	"github.com/shoalnet/shoal/index/dht/internal/limit"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
)

const (
	// Life of an item without being put again.
	Life = 2 * time.Hour
	// Max items: about 6 MiB.
	Max = 4000

	valueMax = 1000
	saltMax  = 64
)

// Item is what is stored. V is one bencoded value. An immutable item has
// nothing else.
type Item struct {
	V    []byte
	K    []byte // ed25519 public key
	Salt []byte
	Sig  []byte
	Seq  int64
}

// Mutable tells which of the two kinds the item is.
func (it *Item) Mutable() bool { return it.K != nil }

// Clone copies the item and all it points to.
func (it *Item) Clone() *Item {
	return &Item{
		V: bytes.Clone(it.V), K: bytes.Clone(it.K), Salt: bytes.Clone(it.Salt),
		Sig: bytes.Clone(it.Sig), Seq: it.Seq,
	}
}

// Target is the key the item is stored under.
func (it *Item) Target() nodeid.ID {
	if it.Mutable() {
		return MutableTarget(it.K, it.Salt)
	}
	return sha1.Sum(it.V)
}

// MutableTarget is the key of the mutable items of a public key and salt.
func MutableTarget(k, salt []byte) nodeid.ID {
	h := sha1.New()
	h.Write(k)
	h.Write(salt)
	return nodeid.ID(h.Sum(nil))
}

// Check tells what is wrong with an item by the code BEP 44 gives it, 0 if
// nothing is.
func Check(it *Item) int {
	switch {
	case len(it.V) > valueMax:
		return krpc.CodeTooBig
	case len(it.Salt) > saltMax:
		return krpc.CodeSaltTooBig
	case !krpc.Valid(it.V):
		return krpc.CodeProtocol
	case !it.Mutable():
		return 0
	case len(it.K) != ed25519.PublicKeySize || len(it.Sig) != ed25519.SignatureSize || it.Seq < 0:
		return krpc.CodeProtocol
	case !bep44.Verify(it.K, it.Salt, it.Seq, it.V, it.Sig):
		return krpc.CodeSignature
	}
	return 0
}

// Store holds items. It is not safe for concurrent use.
type Store struct {
	all fair.Map[nodeid.ID, limit.Source, *Item]
}

// New makes an empty store for at most max items.
func New(r *rand.Rand, max int) *Store {
	s := &Store{}
	s.all.Max, s.all.Rand = max, r
	return s
}

// Len counts the items.
func (s *Store) Len() int { return s.all.Len() }

// Sweep forgets what has expired.
func (s *Store) Sweep(now time.Duration) { s.all.Sweep(now) }

// Get finds the item stored under target, nil if there is none.
func (s *Store) Get(now time.Duration, target nodeid.ID) *Item {
	it, _ := s.all.Get(now, target)
	return it
}

// Put stores a copy of it on behalf of the host at from, unless it is invalid,
// older than what is there, or cas is given and is not the sequence of what is
// there. It returns 0 or the code to answer with.
func (s *Store) Put(now time.Duration, it *Item, cas *int64, from netip.AddrPort) int {
	if code := Check(it); code != 0 {
		return code
	}
	target := it.Target()
	if old := s.Get(now, target); old != nil && it.Mutable() {
		if cas != nil && *cas != old.Seq {
			return krpc.CodeCAS
		}
		if it.Seq < old.Seq || it.Seq == old.Seq && !bytes.Equal(it.V, old.V) {
			return krpc.CodeStale
		}
	}
	if !s.all.Put(now, target, it.Clone(), limit.SourceOf(from), now+Life) {
		return krpc.CodeServer
	}
	return 0
}
