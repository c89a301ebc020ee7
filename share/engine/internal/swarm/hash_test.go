package swarm

import (
	"bytes"
	"crypto/sha1"
	"testing"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

func always(c *Content) func() *Content { return func() *Content { return c } }

// However the blocks of a piece come, and come again, the verdict is about what
// is on disk, and memory is given back.
func TestAHasherJudgesWhatIsOnDisk(t *testing.T) {
	m := makeContent(5*wire.BlockSize-100, 5*wire.BlockSize)
	for _, c := range []struct {
		name   string
		blocks []int
		back   int64 // pieces that are read again
	}{
		{"in order", []int{0, 1, 2, 3, 4}, 0},
		{"backwards", []int{4, 3, 2, 1, 0}, 0},
		{"one is missing", []int{0, 1, 3, 4}, 1},
		{"one comes again", []int{0, 1, 0, 2, 3, 4}, 1},
		{"one that waits comes again", []int{0, 3, 3, 1, 2, 4}, 1},
		{"none", nil, 1},
	} {
		content, disk := m.content(true)
		h := &hasher{content: always(&content), pieces: make(map[int]*hashing)}
		for i, n := range c.blocks {
			b := append(make([]byte, 0, wire.BlockSize), m.data[n*wire.BlockSize:][:m.layout.BlockLen(0, n)]...)
			if c.name == "one comes again" && i == 0 {
				b[0]++ // it was wrong, and is not on disk any more
			}
			h.feed(0, n, b)
		}
		v, each, err := h.judge(0, false)
		if v != right || each != nil || err != nil || disk.readBacks.Load() != c.back {
			t.Errorf("%s: %v, %v, read back %d times", c.name, v, err, disk.readBacks.Load())
		}
		if h.held != 0 || len(h.pieces) != 0 {
			t.Errorf("%s: %d bytes are held of %d pieces", c.name, h.held, len(h.pieces))
		}
	}
}

func TestAHasherTellsTheSumsOfAWrongPiece(t *testing.T) {
	m := makeContent(3*wire.BlockSize, 3*wire.BlockSize)
	content, disk := m.content(true)
	disk.data[wire.BlockSize]++
	h := &hasher{content: always(&content), pieces: make(map[int]*hashing)}
	v, each, err := h.judge(0, false)
	if v != wrong || err != nil || len(each) != 3 || each[0] != sha1.Sum(m.data[:wire.BlockSize]) || each[1] == sha1.Sum(m.data[wire.BlockSize:2*wire.BlockSize]) {
		t.Errorf("%v, %x, %v", v, each, err)
	}
}

func TestWhatIsBehind(t *testing.T) {
	var b bytes.Buffer
	w := &behind{&b, 5}
	for _, s := range []string{"abc", "defg", "", "hi"} {
		if n, err := w.Write([]byte(s)); n != len(s) || err != nil {
			t.Error(n, err)
		}
	}
	if b.String() != "fghi" {
		t.Errorf("%q", b.String())
	}
}
