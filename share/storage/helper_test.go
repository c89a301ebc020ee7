package storage

import (
	"bytes"
	"context"
	"crypto/sha1"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/merkle"
	"github.com/shoalnet/shoal/share/metainfo"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// skip skips a test that cannot run here. In CI it fails.
func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// entryOf is a file of a torrent made for a test.
type entryOf struct {
	path string // with slashes
	data []byte
	attr string // BEP 47
}

// content makes bytes that are not all the same.
func content(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), 1})
	r.Read(b)
	return b
}

// torrentOf makes an info dictionary and the content in one piece; a single
// entry with an empty path makes a torrent of one file.
func torrentOf(t testing.TB, name string, pieceLength int, entries ...entryOf) (*metainfo.Info, []byte) {
	t.Helper()
	var all []byte
	for _, e := range entries {
		all = append(all, e.data...)
	}
	var pieces []byte
	for off := 0; off < len(all); off += pieceLength {
		sum := sha1.Sum(all[off:min(off+pieceLength, len(all))])
		pieces = append(pieces, sum[:]...)
	}
	str := func(s string) string { return fmt.Sprintf("%d:%s", len(s), s) }
	var b strings.Builder
	b.WriteString("d")
	if len(entries) > 1 || entries[0].path != "" {
		b.WriteString("5:filesl")
		for _, e := range entries {
			b.WriteString("d")
			if e.attr != "" {
				b.WriteString(str("attr") + str(e.attr))
			}
			fmt.Fprintf(&b, "6:lengthi%de4:pathl", len(e.data))
			for _, p := range strings.Split(e.path, "/") {
				b.WriteString(str(p))
			}
			b.WriteString("ee")
		}
		b.WriteString("e")
	} else {
		fmt.Fprintf(&b, "6:lengthi%de", len(all))
	}
	fmt.Fprintf(&b, "4:name%s12:piece lengthi%de6:pieces%se", str(name), pieceLength, str(string(pieces)))
	info, err := metainfo.ParseInfo([]byte(b.String()))
	if err != nil {
		t.Fatalf("making a torrent: %v", err)
	}
	return info, all
}

// torrentV2Of makes a torrent that is described for BEP 52 only. The entries are in
// the order of the file tree, below one folder at most. The content has the padding
// that is in no torrent.
func torrentV2Of(t testing.TB, name string, pieceLength int, entries ...entryOf) (*metainfo.Info, *metainfo.Layers, []byte) {
	t.Helper()
	str := func(s string) string { return fmt.Sprintf("%d:%s", len(s), s) }
	height := merkle.Height(merkle.Blocks(int64(pieceLength)))
	var all []byte
	var b, folder strings.Builder
	layers := map[merkle.Hash][]merkle.Hash{}
	inFolder := ""
	for _, e := range entries {
		var root string
		if n := len(e.data); n > 0 {
			all = append(all, make([]byte, (pieceLength-len(all)%pieceLength)%pieceLength)...)
			all = append(all, e.data...)
			var sum merkle.Sum
			var layer []merkle.Hash
			for p := 0; p < n && n > pieceLength; p += pieceLength {
				sum.Write(e.data[p:min(p+pieceLength, n)])
				layer = append(layer, sum.Root(height))
			}
			sum.Write(e.data)
			h := sum.Root(0)
			if len(layer) > 0 {
				layers[h] = layer
			}
			root = str("pieces root") + str(string(h[:]))
		}
		to := &b
		if dir, file, below := strings.Cut(e.path, "/"); below {
			e.path, inFolder, to = file, dir, &folder
		}
		fmt.Fprintf(to, "%sd0:d6:lengthi%de%see", str(e.path), len(e.data), root)
	}
	if inFolder != "" {
		b.WriteString(str(inFolder) + "d" + folder.String() + "e")
	}
	info, err := metainfo.ParseInfo([]byte("d" + str("file tree") + "d" + b.String() + "e12:meta versioni2e" + str("name") + str(name) +
		fmt.Sprintf("12:piece lengthi%dee", pieceLength)))
	if err != nil {
		t.Fatalf("making a torrent: %v", err)
	}
	l := metainfo.NewLayers(info)
	for root, layer := range layers {
		if err := l.Set(root, layer); err != nil {
			t.Fatal(err)
		}
	}
	if len(all) != int(info.Total) || !l.Complete() {
		t.Fatalf("the content has %d bytes, the torrent %d", len(all), info.Total)
	}
	return info, l, all
}

// memLedger is a Ledger that survives a crash of the rest.
type memLedger struct {
	mu      sync.Mutex
	records map[share.ID]Record
	saves   int
	fail    error
	failAt  int // the number of the save from which on they fail; 0 is never
}

func newMemLedger() *memLedger { return &memLedger{records: map[share.ID]Record{}} }

func (l *memLedger) Load(_ context.Context, id share.ID) (*Record, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r, ok := l.records[id]; ok {
		return &r, nil
	}
	return nil, nil
}

func (l *memLedger) Save(_ context.Context, records []Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return l.fail
	}
	if l.saves++; l.failAt > 0 && l.saves >= l.failAt {
		return diskError("the power is out")
	}
	for _, r := range records {
		old := l.records[r.ID]
		if r.Layout == nil {
			r.Layout = old.Layout
		}
		if r.Progress == nil {
			r.Progress = old.Progress
		}
		l.records[r.ID] = r
	}
	return nil
}

// breakWith makes every Save fail from now on, or work again.
func (l *memLedger) breakWith(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail = err
}

func (l *memLedger) Delete(_ context.Context, id share.ID) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return l.fail
	}
	delete(l.records, id)
	return nil
}

// clock is a time of day that moves only when it is told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Unix(1_700_000_000, 0)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// bench is a Store with what it stands on.
type bench struct {
	t      testing.TB
	ledger *memLedger
	clock  *clock
	disk   disk
	store  *Store
	dir    string
	cfg    Config
	syncs  int // Store.syncs, where not 0
}

func newBench(t testing.TB) *bench {
	b := &bench{t: t, ledger: newMemLedger(), clock: newClock(), disk: system{}, dir: t.TempDir()}
	b.restart()
	return b
}

// restart makes a new Store over the same ledger and disk, as after a crash.
func (b *bench) restart() {
	b.t.Helper()
	cfg := b.cfg
	cfg.Ledger, cfg.Now = b.ledger, b.clock.Now
	s, err := newStore(cfg, b.disk)
	if err != nil {
		b.t.Fatal(err)
	}
	if b.syncs > 0 {
		s.syncs = b.syncs
	}
	b.store = s
}

// crash closes every handle without a sync or a record, and restarts.
func (b *bench) crash() {
	b.t.Helper()
	for _, t := range b.store.transfers {
		t.mu.Lock()
		t.closed = true
		t.mu.Unlock()
		for i := range t.files {
			if h := t.opened.entries[i].Swap(nil); h != nil {
				b.store.handles.retire(h)
			}
			if u := t.userOf(i); u != nil {
				if h := u.open.Swap(nil); h != nil {
					b.store.handles.retire(h)
				}
			}
		}
		if h := t.opened.folder.Swap(nil); h != nil {
			b.store.handles.retire(h)
		}
		t.closeSealed()
	}
	b.restart()
}

// run starts Run, which needs a real clock. It ends with the test.
func (b *bench) run() {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	s := b.store
	go func() { done <- s.Run(ctx) }()
	b.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Errorf("Run: %v", err)
		}
	})
}

func (b *bench) open(info *metainfo.Info) *Transfer {
	b.t.Helper()
	return b.openSpec(Spec{Info: info, Dir: b.dir})
}

func (b *bench) openSpec(spec Spec) *Transfer {
	b.t.Helper()
	tr, err := b.store.Open(context.Background(), spec)
	if err != nil {
		b.t.Fatalf("opening %q: %v", spec.Info.Name, err)
	}
	return tr
}

// put writes piece i as a client would that got it from peers.
func put(t testing.TB, tr *Transfer, all []byte, i int) {
	t.Helper()
	if err := tryPut(tr, all, i); err != nil {
		t.Fatalf("piece %d: %v", i, err)
	}
}

func tryPut(tr *Transfer, all []byte, i int) error {
	const block = 16 << 10
	off, end := i*int(tr.info.PieceLength), min((i+1)*int(tr.info.PieceLength), len(all))
	for ; off < end; off += block {
		if _, err := tr.WriteAt(all[off:min(off+block, end)], int64(off)); err != nil {
			return err
		}
	}
	good, err := tr.HashPiece(context.Background(), i)
	if err != nil {
		return err
	}
	if !good {
		return fmt.Errorf("piece %d is not right", i)
	}
	return nil
}

func putAll(t testing.TB, tr *Transfer, all []byte) {
	t.Helper()
	for i := range tr.numPieces() {
		put(t, tr, all, i)
	}
}

func flush(t testing.TB, tr *Transfer) {
	t.Helper()
	if err := tr.Flush(context.Background()); err != nil {
		t.Fatalf("flushing: %v", err)
	}
}

// checkUnknown does what the client does with unknown pieces.
func checkUnknown(t testing.TB, tr *Transfer) (hashed int) {
	t.Helper()
	for i := range tr.numPieces() {
		tr.mu.Lock()
		unknown := tr.known.unknown.has(i)
		tr.mu.Unlock()
		if !unknown {
			continue
		}
		hashed++
		if _, err := tr.HashPiece(context.Background(), i); err != nil {
			t.Fatalf("hashing piece %d: %v", i, err)
		}
	}
	return hashed
}

// checkDoubtful does what the engine does with doubtful pieces.
func checkDoubtful(t testing.TB, tr *Transfer) (hashed int) {
	t.Helper()
	for _, i := range tr.Doubtful() {
		hashed++
		if _, err := tr.HashPiece(context.Background(), i); err != nil {
			t.Fatalf("hashing piece %d: %v", i, err)
		}
	}
	return hashed
}

// completion is what the client would be told of piece i.
func completion(tr *Transfer, i int) string {
	known, complete := tr.Completion(i)
	switch {
	case !known:
		return "unknown"
	case complete:
		return "complete"
	}
	return "missing"
}

func wantFile(t testing.TB, path string, data []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, data) {
		t.Fatalf("%s has %d bytes that are not the %d expected", path, len(got), len(data))
	}
}

// tree lists the files below dir, with slashes; folders end in one, and of the
// part files of transfers "~" stands for the ending.
func tree(t testing.TB, dir string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			rel += "/"
		}
		rel = ourPart.ReplaceAllString(rel, "~")
		list = append(list, rel)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

var ourPart = regexp.MustCompile(`\.shoal-[0-9a-f]{6}\.part$`)

// partPath is the path of the part file of entry i.
func partPath(tr *Transfer, i int) string { return tr.full(tr.layout.names[i].part) }

func remove(t testing.TB, tr *Transfer, data bool) []share.Kept {
	t.Helper()
	kept, err := tr.Remove(context.Background(), data)
	if err != nil {
		t.Fatalf("removing: %v", err)
	}
	return kept
}

func wantTree(t testing.TB, dir string, want ...string) {
	t.Helper()
	got := tree(t, dir)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Fatalf("on disk are %q, not %q", got, want)
	}
}

func writeFile(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// eventually waits for a condition that another goroutine brings about.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("in vain waited until %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
