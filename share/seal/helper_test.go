package seal

import (
	"bytes"
	"encoding/hex"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
)

// memory is a file of tags, or a disk with contents.
type memory struct {
	mu sync.Mutex
	b  []byte
}

func (m *memory) ReadAt(p []byte, off int64) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return bytes.NewReader(m.b).ReadAt(p, off)
}

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if need := int(off) + len(p) - len(m.b); need > 0 {
		m.b = append(m.b, make([]byte, need)...)
	}
	return copy(m.b[off:], p), nil
}

// sealed is a share that was made, with its blob.
type sealed struct {
	cfg    Config
	tags   *memory
	sealer *Sealer
	blob   []byte
}

func key(b byte) share.Secret { return share.SecretOf([share.SecretSize]byte{0: b, 31: 1}) }

// oneFile is the manifest of a file.
func oneFile(t testing.TB, size int64) []byte {
	t.Helper()
	m := Manifest{Entries: []Entry{{Parent: -1, Name: "f", Mode: 0o644, Time: time.Unix(1, 2), Size: size}}}
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// makeShare seals contents with a manifest.
func makeShare(t testing.TB, secret share.Secret, manifest []byte, contents io.ReaderAt) *sealed {
	t.Helper()
	s := &sealed{cfg: Config{Secret: secret, Manifest: manifest, Contents: contents, Cache: NewCache(2)}, tags: new(memory)}
	m, err := NewMaker(s.cfg, s.tags)
	if err != nil {
		t.Fatal(err)
	}
	if s.blob, err = io.ReadAll(io.NewSectionReader(m, 0, m.Layout().Size())); err != nil {
		t.Fatal(err)
	}
	if s.sealer, err = m.Finish(); err != nil {
		t.Fatal(err)
	}
	return s
}

// text is n bytes that differ from place to place.
func text(seed, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(seed + 7*i + i/251)
	}
	return b
}

func unhex(t testing.TB, s string) string {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
