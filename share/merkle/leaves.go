package merkle

import (
	"crypto/sha256"
	"hash"
)

// cutter hashes the blocks of bytes that arrive in order, in chunks of any size.
type cutter struct {
	part hash.Hash // of the block that has begun
	n    int       // bytes in part
	sum  Hash      // of the last block: not allocated for each
}

// cut takes bytes of p. It returns the others and, where a block ends, its hash,
// which is valid until the next call.
func (c *cutter) cut(p []byte) (rest []byte, h *Hash) {
	if c.n == 0 && len(p) >= BlockSize {
		c.sum = sha256.Sum256(p[:BlockSize])
		return p[BlockSize:], &c.sum
	}
	if c.part == nil {
		c.part = sha256.New()
	}
	n := min(len(p), BlockSize-c.n)
	c.part.Write(p[:n])
	if c.n += n; c.n == BlockSize {
		return p[n:], c.end()
	}
	return p[n:], nil
}

// end ends the block that has begun, and returns its hash; nil if there is none.
func (c *cutter) end() *Hash {
	if c.n == 0 {
		return nil
	}
	c.part.Sum(c.sum[:0])
	c.reset()
	return &c.sum
}

func (c *cutter) reset() {
	if c.n > 0 {
		c.part.Reset()
	}
	c.n = 0
}

// Leaves hashes the blocks of bytes that arrive in order, in chunks of any size,
// and keeps their hashes. The zero Leaves is ready for use.
type Leaves struct {
	cutter
	hashes []Hash
}

// Write adds bytes. It never fails.
func (l *Leaves) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		var h *Hash
		if rest, h = l.cut(rest); h != nil {
			l.hashes = append(l.hashes, *h)
		}
	}
	return len(p), nil
}

// Hashes ends the last block, and returns all hashes. They are valid until the next
// Reset.
func (l *Leaves) Hashes() []Hash {
	if h := l.end(); h != nil {
		l.hashes = append(l.hashes, *h)
	}
	return l.hashes
}

// Reset forgets what was written.
func (l *Leaves) Reset() {
	l.hashes = l.hashes[:0]
	l.reset()
}
