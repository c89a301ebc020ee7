package seal

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// disk is contents that another program edits, even while they are read.
type disk struct {
	mu     sync.Mutex
	b      []byte
	during func(b []byte) []byte // if set, the edit in the middle of the next read
	fail   error
}

func (d *disk) ReadAt(p []byte, off int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail != nil {
		return 0, d.fail
	}
	half := len(p)
	if d.during != nil {
		half /= 2
	}
	n, err := bytes.NewReader(d.b).ReadAt(p[:half], off)
	if d.during == nil || err != nil {
		return n, err
	}
	d.b, d.during = d.during(d.b), nil
	more, err := bytes.NewReader(d.b).ReadAt(p[half:], off+int64(half))
	return n + more, err
}

// ledger is everything that left for the swarm: of one key, which plaintext was
// encrypted under which IV.
type ledger map[string]string

// send checks blob bytes that left as whole records.
func (l ledger) send(t rapid.TB, c *recordCipher, n int64, rec record) {
	iv := string(rec[:16])
	c.crypt(&rec)
	plain := string(rec[TagSize:])
	if before, used := l[iv]; used && before != plain {
		t.Fatalf("record %d: an IV was used for two plaintexts", n)
	}
	l[iv] = plain
}

// Over any history of edits while a share is made and seeded, also made again with the
// same key as it should not be: each byte that leaves a Sealer is that of the blob in
// the torrent, no IV serves two plaintexts, and what changed fails and is named.
func TestHistoriesOfEdits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 4*DataSize).Draw(t, "size")
		d := &disk{b: text(0, size)}
		original := bytes.Clone(d.b)
		m := Manifest{Entries: []Entry{{Parent: -1, Name: "f", Size: int64(size)}}}
		manifest, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		cache := NewCache(rapid.IntRange(1, 4).Draw(t, "cache"))
		cfg := Config{Secret: key(1), Manifest: manifest, Contents: d, Cache: cache}
		keys, err := newCipher(cfg.Secret)
		if err != nil {
			t.Fatal(err)
		}
		sent := ledger{}
		// publish makes the blob, unless the contents change meanwhile.
		publish := func() (*Sealer, []byte) {
			maker, err := NewMaker(cfg, new(memory))
			if err != nil {
				t.Fatal(err)
			}
			blob := make([]byte, maker.Layout().Size())
			for n := range maker.Layout().Count() {
				part := blob[n*RecordSize:][:RecordSize]
				if _, err := maker.ReadAt(part, n*RecordSize); err != nil {
					if !errors.Is(err, ErrChanged) {
						t.Fatal(err)
					}
					return nil, nil
				}
				sent.send(t, keys, n, record(part))
			}
			s, err := maker.Finish()
			if err != nil {
				t.Fatal(err)
			}
			return s, blob
		}
		s, blob := publish()
		if s == nil {
			t.Fatal("an unchanged file cannot be shared")
		}
		l := s.Layout()
		edit := func(b []byte) []byte {
			b = bytes.Clone(b)
			switch rapid.SampledFrom([]string{"write", "restore", "truncate", "append"}).Draw(t, "edit") {
			case "write":
				if len(b) > 0 {
					b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] ^= rapid.ByteMin(1).Draw(t, "by")
				}
			case "restore":
				return bytes.Clone(original)
			case "truncate":
				return b[:rapid.IntRange(0, len(b)).Draw(t, "to")]
			case "append":
				return append(b, 1, 2, 3)
			}
			return b
		}
		t.Repeat(map[string]func(*rapid.T){
			"edit":   func(*rapid.T) { d.b = edit(d.b) },
			"during": func(*rapid.T) { d.during = edit },
			"publish again": func(*rapid.T) {
				publish()
			},
			"read": func(t *rapid.T) {
				off := rapid.IntRange(0, len(blob)-1).Draw(t, "off")
				p := make([]byte, rapid.IntRange(1, 3*RecordSize).Draw(t, "length"))
				n, err := s.ReadAt(p, int64(off))
				if !bytes.Equal(p[:n], blob[off:off+n]) || !zeros(p[n:]) {
					t.Fatalf("%d bytes at %d are not those of the torrent", n, off)
				}
				failed, is := errors.AsType[*RecordError](err)
				if err != nil && err != io.EOF && (!is || !errors.Is(err, ErrChanged) || failed.Record != int64(off+n)/RecordSize) {
					t.Fatalf("after %d bytes at %d: %v", n, off, err)
				}
			},
			"check": func(t *rapid.T) {
				d.during = nil
				differ, err := s.Check(context.Background(), Span{0, l.Count()})
				if err != nil {
					t.Fatal(err)
				}
				for n := range l.Count() {
					off, length := l.within(n)
					now := d.b[min(off, int64(len(d.b))):min(off+length, int64(len(d.b)))]
					changed := !bytes.Equal(now, original[off:off+length])
					if slices.ContainsFunc(differ, func(s Span) bool { return s.From <= n && n < s.To }) != changed {
						t.Fatalf("record %d changed: %v, but %v differ", n, changed, differ)
					}
					if got, err := s.ReadAt(make([]byte, 1), n*RecordSize); (got == 1) == changed {
						t.Fatalf("record %d changed: %v, and after a check it reads %d, %v", n, changed, got, err)
					}
				}
			},
		})
	})
}

// A record that was sealed once while the share is made cannot become another.
func TestMakerKeepsTheFirstTag(t *testing.T) {
	d := &disk{b: text(0, 100_000)}
	m, err := NewMaker(Config{Secret: key(1), Manifest: oneFile(t, 100_000), Contents: d}, new(memory))
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 100)
	if _, err := m.ReadAt(p, RecordSize); err != nil {
		t.Fatal(err)
	}
	if _, err := m.ReadAt(p, 2*RecordSize); err != nil { // the cache holds another
		t.Fatal(err)
	}
	if s, err := m.Finish(); err == nil {
		t.Errorf("made before every record was sealed: %v", s)
	}
	d.b[5] ^= 1
	if _, err := m.ReadAt(p, RecordSize); !errors.Is(err, ErrChanged) {
		t.Errorf("a second version was sealed: %v", err)
	}
}

// A reader seeds what it has. The tags of the rest are zeros, or not there at all.
func TestSealerWithoutAllTags(t *testing.T) {
	contents := text(1, 3*DataSize)
	full := makeShare(t, key(1), oneFile(t, int64(len(contents))), bytes.NewReader(contents))
	tags := &memory{b: make([]byte, 3*TagSize)}
	copy(tags.b[TagSize:], full.tags.b[TagSize:2*TagSize])
	s, err := NewSealer(full.cfg, tags)
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range []bool{false, true, false, false} {
		p := make([]byte, RecordSize)
		got, err := s.ReadAt(p, int64(n)*RecordSize)
		if (err == nil) != want || !bytes.Equal(p[:got], full.blob[n*RecordSize:][:got]) {
			t.Errorf("record %d: %d bytes, %v", n, got, err)
		}
	}
}

func TestDiskErrorsAreNoChanges(t *testing.T) {
	d := &disk{b: text(0, 100_000)}
	s := makeShare(t, key(1), oneFile(t, 100_000), d)
	d.fail = errors.New("the disk is gone")
	got, err := s.sealer.ReadAt(make([]byte, len(s.blob)), 0)
	if failed, ok := errors.AsType[*RecordError](err); got != RecordSize || !ok || failed.Record != 1 || !errors.Is(err, d.fail) {
		t.Errorf("%d bytes, %v", got, err)
	}
	if differ, err := s.sealer.Check(context.Background(), Span{0, 3}); !errors.Is(err, d.fail) || differ != nil {
		t.Errorf("%v, %v", differ, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.sealer.Check(ctx, Span{0, 3}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	d.fail = nil
	p := make([]byte, len(s.blob))
	if _, err := s.sealer.ReadAt(p, 0); err != nil || !bytes.Equal(p, s.blob) {
		t.Errorf("after the disk came back: %v", err)
	}
}

func TestReadAtKeepsItsContract(t *testing.T) {
	contents := text(1, 100_000)
	s := makeShare(t, key(1), oneFile(t, 100_000), bytes.NewReader(contents))
	o := opened(t, s)
	rapid.Check(t, func(t *rapid.T) {
		for _, x := range []struct {
			r    io.ReaderAt
			want []byte
		}{{s.sealer, s.blob}, {o, contents}} {
			off, length := rapid.IntRange(0, len(x.want)+10).Draw(t, "off"), rapid.IntRange(0, 2*RecordSize).Draw(t, "length")
			p, want := make([]byte, length), make([]byte, length)
			n, err := x.r.ReadAt(p, int64(off))
			m, wantErr := bytes.NewReader(x.want).ReadAt(want, int64(off))
			if length == 0 {
				wantErr = nil
			}
			if n != m || err != wantErr || !bytes.Equal(p, want) {
				t.Fatalf("%d bytes at %d: %d, %v, want %d, %v", length, off, n, err, m, wantErr)
			}
		}
	})
	if _, err := s.sealer.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("there is something before the beginning")
	}
}

// Many peers ask at once, of more records than the cache holds.
func TestManyReaders(t *testing.T) {
	contents := text(1, 8*DataSize)
	s := makeShare(t, key(1), oneFile(t, int64(len(contents))), bytes.NewReader(contents))
	o, err := NewOpener(key(1), s.sealer, int64(len(s.blob)), s.cfg.Cache)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			p := make([]byte, 16<<10)
			for j := range 100 {
				r, want := io.ReaderAt(s.sealer), s.blob
				if i%2 == 1 {
					r, want = o, contents
				}
				off := (i*7 + j*5) * len(p) % (len(want) - len(p))
				if n, err := r.ReadAt(p, int64(off)); err != nil || !bytes.Equal(p, want[off:off+n]) {
					t.Errorf("%d bytes at %d, %v", n, off, err)
				}
				if j%10 == 0 {
					if differ, err := s.sealer.Check(context.Background(), Span{int64(j % 8), int64(j%8) + 1}); len(differ) > 0 || err != nil {
						t.Error(differ, err)
					}
				}
			}
		})
	}
	all.Wait()
	if got := len(s.cfg.Cache.slots); got > 2 {
		t.Errorf("the cache keeps %d records, and 2 are allowed", got)
	}
}
