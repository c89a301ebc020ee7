package storage

import (
	"context"
	"log/slog"
	"path"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// notedClaims has the paths of other transfers in taken, and notes what is claimed.
type notedClaims struct {
	taken []string
	more  []string
}

func (c *notedClaims) claimed(path string) bool { return slices.Contains(c.taken, path) }
func (c *notedClaims) claimMore(path string)    { c.more = append(c.more, path) }

// notedFlusher notes which entries it was asked to sync.
type notedFlusher struct{ synced []int }

func (f *notedFlusher) syncOpen(h *handle) error { f.synced = append(f.synced, h.index); return nil }

// notedSaver keeps what was saved last.
type notedSaver struct {
	saves int
	names []byte
	last  Record
	fail  error
	check func() // called by each save
}

func (s *notedSaver) save(_ context.Context, r Record) error {
	if s.check != nil {
		s.check()
	}
	if s.fail != nil {
		return s.fail
	}
	s.saves++
	s.last = r
	if r.Layout != nil {
		s.names = r.Layout
	}
	return nil
}

// rig is the parts of a transfer over a disk in memory, without a Transfer.
type rig struct {
	*memory
	parts
	t      *testing.T
	sim    *simDisk
	asked  *notedAgenda
	claims *notedClaims
	saved  *notedSaver

	all   []byte // the content
	clock time.Duration
}

// newRig makes the parts of a transfer of which nothing is on disk.
func newRig(t *testing.T, entries ...entryOf) *rig {
	m, asked := memoryOf(t, nil, entries...)
	p := &rig{memory: m, t: t, sim: newSimDisk(), asked: asked, claims: &notedClaims{}, saved: &notedSaver{}, clock: time.Hour}
	m.disk = p.sim
	for i := range m.files {
		m.files[i].state, m.files[i].created, m.files[i].stamp = absent, false, stamp{}
	}
	m.known = newPieces(m.numPieces())
	p.join(m, supplies{
		cache: newHandles(minHandles), claims: p.claims, saver: p.saved, clock: func() time.Duration { return p.clock },
		log: slog.New(slog.DiscardHandler), width: 2,
	})
	for _, e := range entries {
		p.all = append(p.all, e.data...)
	}
	return p
}

// complete puts entry i on the disk, complete under its final name.
func (p *rig) complete(i int) *simNode {
	f := &p.info.Files[i]
	n := p.put(p.layout.names[i].final, p.all[f.Offset:f.Offset+f.Length])
	p.files[i].state, p.files[i].created, p.files[i].stamp = final, true, stampOf(n.info(""))
	p.made = true
	return n
}

// hash hashes piece i. The test fails if the piece cannot be read.
func (p *rig) hash(i int) bool {
	p.t.Helper()
	good, err := p.verifier.HashPiece(p.t.Context(), i)
	if err != nil {
		p.t.Fatalf("hashing piece %d: %v", i, err)
	}
	return good
}

// path is a path on the disk below the own folder.
func (p *rig) path(name string) string { return path.Join(p.dir, p.layout.base, name) }

// put makes a file as another program does.
func (p *rig) put(name string, data []byte) *simNode {
	p.sim.mu.Lock()
	defer p.sim.mu.Unlock()
	if dir := path.Dir(p.path(name)); p.sim.names[dir] == nil {
		p.sim.change(simChange{to: dir, node: &simNode{dir: true}})
	}
	n := p.sim.newFile()
	n.data = slices.Clone(data)
	p.sim.change(simChange{to: p.path(name), node: n})
	return n
}

// edit changes a file as another program does.
func (p *rig) edit(n *simNode) {
	p.sim.mu.Lock()
	defer p.sim.mu.Unlock()
	n.data[0] ^= 0x55
	p.sim.touched(n, true)
}

// write writes to entry i as a block from a peer is written.
func (p *rig) write(i int, data []byte) {
	p.t.Helper()
	h, err := p.opened.acquire(i, true)
	if err != nil {
		p.t.Fatalf("opening entry %d: %v", i, err)
	}
	defer h.unpin()
	if _, err := h.file.WriteAt(data, 0); err != nil {
		p.t.Fatal(err)
	}
	p.wrote(i)
	if err := p.opened.noteStamp(i, h.file); err != nil {
		p.t.Fatal(err)
	}
}

// fetchPiece writes piece i as it comes from peers, and hashes it.
func (p *rig) fetchPiece(i int) {
	p.t.Helper()
	off := int64(i) * p.info.PieceLength
	if _, err := p.fetch.writer.write(p.all[off:off+p.info.PieceSize(i)], off); err != nil {
		p.t.Fatalf("writing piece %d: %v", i, err)
	}
	if !p.hash(i) {
		p.t.Fatalf("piece %d is wrong", i)
	}
}

// batch syncs and records what is complete, and returns what was pending.
func (p *rig) batch() *batch {
	p.t.Helper()
	b := p.startBatch(nil, p.unsynced.failures)
	if b == nil {
		p.t.Fatal("there is nothing to sync")
	}
	err := p.syncs.syncFiles(b.dirty)
	p.endSyncs(b, err)
	if err = cmpErr(err, p.syncs.syncDirs()); err != nil {
		p.t.Fatal(err)
	}
	p.watch.stampFiles(b.dirty)
	if err := p.records.record(p.t.Context(), b); err != nil {
		p.t.Fatal(err)
	}
	return b
}

// progress is what was saved last.
func (p *rig) progress() *progress {
	p.t.Helper()
	got, err := decodeProgress(p.saved.last.Progress, p.info)
	if err != nil {
		p.t.Fatal(err)
	}
	return got
}

// fileOn is the content of a file, or nil.
func (p *rig) fileOn(name string) []byte {
	p.sim.mu.Lock()
	defer p.sim.mu.Unlock()
	if n := p.sim.names[p.path(name)]; n != nil {
		return append([]byte{}, n.data...)
	}
	return nil
}

// notedAgenda counts what is asked of it, also from several goroutines.
type notedAgenda struct{ probes, posts atomic.Int64 }

func (*notedAgenda) wantSync(int64) {}

func (*notedAgenda) wantSyncNow() {}

func (a *notedAgenda) wantProbe(time.Duration) { a.probes.Add(1) }

func (a *notedAgenda) post() { a.posts.Add(1) }
