package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	pathpkg "path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
)

// Random histories of what a user and a transfer do to the same files, with
// restarts, kills, power cuts, removals and upgrades from version 1. What must hold
// at each instant:
//
//   - a file that the user made, or changed after the transfer had made it, is
//     never changed, renamed or deleted: its bytes, its mtime and the file itself
//     are what the user left, until the user touches it again. A power cut may
//     lose or bring back what the user did to names and did not sync;
//   - a piece that is called durable is right, where the file of which it is a
//     part was not changed since it was last looked at;
//   - at the end everything can be fetched, and with data removed nothing of the
//     transfer's own is left.
//
// Cases that this covers: a browser's NAME.part and any other file that is there
// when the transfer is opened; a file of the right size with the user's edits;
// photos that share pieces with missing neighbours, removed with data; an edit
// after the fetch, with and without its mtime put back; kill -9 between any two
// steps; a power cut between any two changes of the disk.
func TestRandomHistories(t *testing.T) {
	n := 1000
	if os.Getenv("SOAK") != "" {
		n = 100_000
	}
	start := uint64(1)
	if s := os.Getenv("HISTORY"); s != "" { // the number of one that failed
		fmt.Sscan(s, &start)
		n = 1
	}
	for seed := start; seed < start+uint64(n); seed++ {
		h := &history{t: t, seed: seed, r: rand.New(rand.NewPCG(seed, 7))}
		if h.run(); t.Failed() {
			t.Fatalf("history %d:\n%s", seed, strings.Join(h.log, "\n"))
		}
	}
}

type history struct {
	t    *testing.T
	seed uint64
	r    *rand.Rand
	log  []string

	b    *bench
	sim  *simDisk
	info *metainfo.Info
	all  []byte
	tr   *Transfer
	// Of a torrent of BEP 52, what is known of its layers, and all of them.
	layers, whole *metainfo.Layers
	base          string // where the names are

	users   map[*simNode]userCopy // what the user has made or changed
	past    map[*simNode]userCopy // the same, and what a power cut may bring back
	saves   int                   // of the ledger
	saved   time.Time             // when it saved last
	since   time.Time             // when the record of version 1 was saved
	named   map[string]bool       // what he was told stays
	adopted bool
	chosen  []bool // files, see selectionStep; nil is all
}

// userCopy is a file as the user left it.
type userCopy struct {
	path  string
	data  []byte
	mtime int64
}

func (h *history) say(format string, args ...any) {
	h.log = append(h.log, fmt.Sprintf(format, args...))
}

func (h *history) errorf(format string, args ...any) {
	h.t.Helper()
	h.t.Errorf(format, args...)
}

func (h *history) run() {
	h.start()
	h.torrent()
	// What is there before.
	for range h.r.IntN(6) {
		h.userWrites()
	}
	h.adopted = h.r.IntN(8) == 0
	h.open()
	for range 5 + h.r.IntN(40) {
		h.step()
		h.noteSave()
		h.look()
		if h.t.Failed() {
			return
		}
	}
	h.finish()
}

// start makes the disk, and a store on it.
func (h *history) start() {
	h.sim, h.named = newSimDisk(), map[string]bool{}
	h.users, h.past = map[*simNode]userCopy{}, map[*simNode]userCopy{}
	h.b = &bench{t: h.t, ledger: newMemLedger(), clock: newClock(), dir: "/dl", disk: h.sim}
	h.b.cfg.MaxHandles = 1
	h.b.syncs = 1 // else histories do not repeat
	h.b.restart()
}

func (h *history) torrent() {
	name := "set"
	if h.seed%8 == 0 {
		h.torrentV2()
		return
	}
	if h.r.IntN(5) == 0 {
		h.info, h.all = torrentOf(h.t, "f.bin", 1024, entryOf{data: content(h.seed, 1+h.r.IntN(6000))})
		h.base = "/dl"
		return
	}
	var entries []entryOf
	for i := range 2 + h.r.IntN(5) {
		size := h.r.IntN(4000)
		if h.r.IntN(3) == 0 {
			size = h.r.IntN(600)
		}
		e := entryOf{path: string(rune('a' + i)), data: content(h.seed*10+uint64(i), size)}
		if h.r.IntN(4) == 0 {
			e.path = "sub/" + e.path
		}
		entries = append(entries, e)
	}
	if h.r.IntN(3) == 0 {
		entries = slices.Insert(entries, 1, entryOf{path: ".pad/1", data: make([]byte, 1+h.r.IntN(900)), attr: "p"})
	}
	h.info, h.all = torrentOf(h.t, name, 1024, entries...)
	h.base = "/dl/set"
}

// torrentV2 is torrent for BEP 52, where each file begins with a piece. Its layers
// may come while it is being fetched.
func (h *history) torrentV2() {
	var entries []entryOf
	for i := range 1 + h.r.IntN(4) {
		size := h.r.IntN(40_000)
		if h.r.IntN(3) == 0 {
			size = h.r.IntN(600)
		}
		entries = append(entries, entryOf{path: string(rune('a' + i)), data: content(h.seed*10+uint64(i), size)})
	}
	entries = append(entries, entryOf{path: "sub/z", data: content(h.seed, 1+h.r.IntN(50_000))})
	h.info, h.whole, h.all = torrentV2Of(h.t, "set", 16384, entries...)
	h.base, h.layers = "/dl/set", h.whole
	if h.r.IntN(2) == 0 {
		h.layers = metainfo.NewLayers(h.info)
	}
}

// layersCome has some of the layers that are missing come, or all.
func (h *history) layersCome(all bool) {
	missing := h.layers.Missing()
	for _, root := range missing {
		if all || h.r.IntN(2) == 0 {
			if err := h.layers.Set(root, h.whole.Layer(root)); err != nil {
				h.errorf("history %d: %v", h.seed, err)
			}
		}
	}
	h.say("layers come: %d of %d", len(missing)-len(h.layers.Missing()), len(missing))
	h.tr.Layered()
	h.hashUnknown()
}

// paths are where a user may have files that get in the way.
func (h *history) paths() []string {
	var list []string
	for i := range h.info.Files {
		f := &h.info.Files[i]
		if f.Pad {
			continue
		}
		p := strings.Join(f.Path, "/")
		if !h.info.Multi {
			p = h.info.Name
		}
		list = append(list, p, p, p, p+".part", p+" (2)", p+defaultPart("x", h.info.ID)[1:])
	}
	return list
}

// original is the content of the entry that a name is of.
func (h *history) original(name string) []byte {
	for i := range h.info.Files {
		f := &h.info.Files[i]
		p := strings.Join(f.Path, "/")
		if !h.info.Multi {
			p = h.info.Name
		}
		if strings.HasPrefix(name, p) {
			return h.all[f.Offset : f.Offset+f.Length]
		}
	}
	return nil
}

// userWrites makes, replaces or changes a file.
func (h *history) userWrites() {
	paths := h.paths()
	name := paths[h.r.IntN(len(paths))]
	path := h.base + "/" + name
	if h.tr != nil && h.isPart(path) {
		return // that is no name for a user once it may be recorded
	}
	right := h.original(name)
	var data []byte
	kind := h.r.IntN(6)
	switch kind {
	case 0, 1: // right
		data = bytes.Clone(right)
	case 2: // a few bytes differ
		data = bytes.Clone(right)
		for range 1 + h.r.IntN(3) {
			if len(data) > 0 {
				data[h.r.IntN(len(data))] ^= 1
			}
		}
	case 3: // the beginning
		data = bytes.Clone(right[:h.r.IntN(len(right)+1)])
	case 4: // and more
		data = append(bytes.Clone(right), "and more"...)
	case 5:
		data = content(h.r.Uint64(), h.r.IntN(3000))
	}
	h.sim.mu.Lock()
	defer h.sim.mu.Unlock()
	old := h.sim.names[path]
	if old != nil && old.dir || h.beingAdopted(path) {
		return
	}
	h.say("user writes %s: kind %d, %d bytes, old %v", name, kind, len(data), old != nil)
	h.userPut(path, data, old)
}

// noteSave notes when the ledger has saved.
func (h *history) noteSave() {
	if saves := h.b.ledger.saves; saves != h.saves {
		h.saves, h.saved = saves, time.Unix(0, h.sim.now)
	}
}

// userPut is userWrites with the data given. h.sim.mu is held.
func (h *history) userPut(path string, data []byte, old *simNode) {
	n := old
	if n == nil || h.r.IntN(2) == 0 {
		n = h.sim.newFile()
		if old != nil {
			delete(h.users, old)
		}
		var missing []string
		for dir := pathpkg.Dir(path); h.sim.names[dir] == nil; dir = pathpkg.Dir(dir) {
			missing = append(missing, dir)
		}
		for _, dir := range slices.Backward(missing) {
			h.sim.change(simChange{to: dir, node: &simNode{dir: true}})
		}
		h.sim.change(simChange{to: path, node: n})
		h.maySync(path)
	} else {
		h.sim.commit()
	}
	n.data, n.mtime = bytes.Clone(data), h.sim.now
	h.userHas(n, path, true)
}

// userHas notes that the user has changed a file and synced its content. h.sim.mu
// is held.
func (h *history) userHas(n *simNode, path string, newTime bool) {
	h.sim.touched(n, newTime)
	n.disk, n.dirty = bytes.Clone(n.data), nil
	n.saved = [2]int64{n.mtime, n.ctime}
	h.users[n] = userCopy{path, bytes.Clone(n.data), n.mtime}
	h.past[n] = h.users[n]
}

// maySync has the user sync a change of a name, or not: then a power cut may bring
// back a file that the transfer has seen go. A journal keeps the order of changes.
// h.sim.mu is held.
func (h *history) maySync(path string) {
	if h.r.IntN(2) == 0 {
		h.sim.commit()
	} else {
		h.named[path] = true
	}
}

// isPart tells whether a path is that of a part file of the transfer.
func (h *history) isPart(p string) bool {
	if strings.Contains(p, ".shoal-") {
		return true
	}
	for i := range h.tr.files { // those of version 1
		u := h.tr.users.of(i)
		if h.base+"/"+h.tr.layout.names[i].part == p && (h.tr.files[i].state == partial && h.tr.files[i].created || u != nil && u.spill) {
			return true
		}
	}
	return false
}

// userEdits changes a byte of any finished file, and may put its mtime back.
func (h *history) userEdits() {
	h.sim.mu.Lock()
	defer h.sim.mu.Unlock()
	var list []string
	for _, p := range slices.Sorted(maps.Keys(h.sim.names)) {
		if n := h.sim.names[p]; !n.dir && len(n.data) > 0 && !h.isPart(p) && !h.beingAdopted(p) {
			list = append(list, p)
		}
	}
	if len(list) == 0 {
		return
	}
	p := list[h.r.IntN(len(list))]
	n := h.sim.names[p]
	at, was := h.r.IntN(len(n.data)), n.mtime
	n.data[at] ^= 1
	back := h.r.IntN(4) == 0
	if back { // see mayAdopt
		h.sim.now += 2 * int64(time.Minute)
	}
	h.sim.commit()
	h.say("user edits %s at %d, mtime put back: %v (%d)", p, at, back, was)
	h.userHas(n, p, !back)
}

func (h *history) userDeletes() {
	h.sim.mu.Lock()
	defer h.sim.mu.Unlock()
	var list []string
	for _, p := range slices.Sorted(maps.Keys(h.sim.names)) {
		if n := h.sim.names[p]; !n.dir && !h.isPart(p) {
			list = append(list, p)
		}
	}
	if len(list) == 0 {
		return
	}
	p := list[h.r.IntN(len(list))]
	h.say("user deletes %s", p)
	delete(h.users, h.sim.names[p])
	h.sim.change(simChange{from: p, node: h.sim.names[p]})
	h.maySync(p)
}

// powerCut cuts the power, in two of three cases while the transfer does something.
func (h *history) powerCut() {
	ctx := context.Background()
	h.say("power cut")
	if h.r.IntN(3) > 0 {
		h.sim.left = 1 + h.r.IntN(30)
		h.sim.out = func() { h.b.ledger.breakWith(diskError("the power is out")) }
		switch h.r.IntN(4) {
		case 0:
			h.ok("recheck", h.tr.Recheck(ctx))
			h.hashUnknown()
		case 1:
			h.remove()
		}
		for p := range h.info.NumPieces {
			h.fetch(p)
		}
		h.ok("sync", h.tr.sync(ctx))
	}
	h.sim.cut(func() bool { return h.r.IntN(2) == 0 })
	h.b.ledger.breakWith(nil)
	h.b.crash()
	h.users = map[*simNode]userCopy{}
	for p, n := range h.sim.names {
		if u, ok := h.past[n]; ok && u.path == p {
			h.users[n] = u
		}
	}
	h.open()
}

// upgrade turns the record and the part files into those of version 1, which has
// just looked at everything. What version 1 could not record is not changed.
func (h *history) upgrade() {
	ctx := context.Background()
	h.ok("look", h.tr.Look(ctx))
	h.hashUnknown()
	checkDoubtful(h.t, h.tr)
	h.ok("close", h.tr.Close(ctx))
	h.look()
	h.noteSave()
	h.sim.mu.Lock()
	h.sim.commit()
	rec := h.b.ledger.records[h.info.ID]
	if l, p := decoded(h.t, rec, h.info); asVersion1(l, p) {
		for _, f := range p.files {
			part, old := h.base+"/"+l.names[f.index].part, h.base+"/"+l.names[f.index].final+partSuffix
			if n := h.sim.names[part]; f.state == partial && n != nil && h.sim.names[old] == nil {
				h.sim.change(simChange{from: part, to: old, node: n})
				h.sim.commit()
				l.names[f.index].part = l.names[f.index].final + partSuffix
			}
		}
		h.b.ledger.records[h.info.ID] = Record{ID: h.info.ID, Layout: encodeLayout1(l, h.info), Progress: encodeProgress1(p, h.info)}
		h.since = h.saved
		h.say("upgrade")
	}
	h.sim.mu.Unlock()
	h.b.restart()
	h.open()
}

// beingAdopted tells whether a path is a user's file that is completed in place.
func (h *history) beingAdopted(p string) bool {
	if h.tr == nil || h.tr.layout == nil || !h.adopted {
		return false
	}
	for i := range h.tr.files {
		if h.tr.files[i].state == partial && h.base+"/"+h.tr.layout.names[i].part == p {
			return true
		}
	}
	return false
}

func (h *history) open() {
	h.tr = h.b.openSpec(Spec{Info: h.info, Layers: h.layers, Dir: "/dl", Adopt: h.adopted, Since: h.since})
	h.base = "/dl"
	if h.info.Multi {
		h.base = h.tr.Path()
	}
	h.say("open (adopt %v) at %s: %+v, fault %v,%s", h.adopted, h.tr.Path(), h.tr.Progress(), h.tr.Fault(), h.states())
	h.truth()
}

func (h *history) ok(what string, err error) {
	if err != nil {
		h.say("%s: %v", what, err)
	}
}

func (h *history) hashUnknown() {
	for i := range h.tr.numPieces() {
		if completion(h.tr, i) == "unknown" {
			_, err := h.tr.HashPiece(context.Background(), i)
			h.ok("hashing", err)
		}
	}
}

func (h *history) fetch(p int) {
	if completion(h.tr, p) != "missing" {
		return
	}
	h.ok(fmt.Sprintf("fetching %d", p), tryPut(h.tr, h.all, p))
}

func (h *history) step() {
	ctx := context.Background()
	if !h.layers.Complete() && h.r.IntN(10) == 0 {
		h.layersCome(false)
	}
	switch h.r.IntN(20) {
	case 0:
		h.userWrites()
	case 1:
		h.userEdits()
	case 2:
		h.userDeletes()
	case 3, 4, 5, 6:
		p := h.r.IntN(h.info.NumPieces)
		h.say("fetch %d", p)
		h.fetch(p)
	case 7:
		h.say("fetch all")
		for p := range h.info.NumPieces {
			h.fetch(p)
		}
	case 8, 9:
		h.say("hash")
		h.hashUnknown()
	case 10:
		h.say("sync")
		h.ok("sync", h.tr.sync(ctx))
	case 11:
		h.say("kill")
		if h.r.IntN(2) == 0 { // in the middle of something
			h.b.ledger.failAt = h.b.ledger.saves + 1 + h.r.IntN(3)
			for p := range h.info.NumPieces {
				h.fetch(p)
			}
			h.ok("sync", h.tr.sync(ctx))
			h.b.ledger.failAt = 0
		}
		h.b.crash()
		h.open()
	case 12:
		h.say("close")
		h.ok("close", h.tr.Close(ctx))
		h.b.restart()
		h.open()
	case 13:
		if h.r.IntN(2) > 0 {
			h.say("mend")
			h.ok("mend", h.tr.Mend(ctx))
		} else {
			h.say("recheck")
			h.ok("recheck", h.tr.Recheck(ctx))
		}
		h.hashUnknown()
	case 14:
		h.b.clock.add(time.Second)
		h.tr.probe(ctx)
	case 15:
		if h.r.IntN(3) > 0 {
			return
		}
		if h.remove() {
			h.open()
		}
	case 16, 17, 18:
		h.powerCut()
	case 19:
		h.upgrade()
	}
}

// remove tells whether the transfer was removed.
func (h *history) remove() bool {
	data := h.r.IntN(2) == 0
	kept, err := h.tr.Remove(context.Background(), data)
	h.say("remove, data %v: %v, kept %+v", data, err, kept)
	h.told(kept)
	if !data { // what is complete is the user's from now on
		for i := range h.tr.files {
			if h.tr.files[i].state >= final {
				h.named[h.base+"/"+h.tr.name(i)] = true
			}
			if user := h.tr.layout.names[i].user; user != "" {
				h.named[h.base+"/"+user] = true
			}
		}
	}
	return err == nil
}

// look checks what must hold now.
func (h *history) look() {
	for i := range h.tr.files { // what he has asked to have completed is as it is then
		if h.tr.layout.names[i].final == "" || h.tr.files[i].created || !h.adopted {
			continue
		}
		if f := &h.tr.files[i]; f.state == partial || f.state == final {
			n := h.sim.names[h.base+"/"+h.tr.name(i)]
			delete(h.users, n)
			delete(h.past, n)
		}
	}
	for n, u := range h.users {
		switch {
		case h.sim.names[u.path] != n:
			h.errorf("history %d: %s, which is the user's, was renamed or deleted", h.seed, u.path)
		case !bytes.Equal(n.data, u.data) || n.mtime != u.mtime:
			h.errorf("history %d: %s, which is the user's, was changed", h.seed, u.path)
		}
	}
}

// truth checks that each piece that is called durable is right. All files were
// looked at.
func (h *history) truth() {
	for _, s := range h.tr.DurablePieces() {
		for p := s.From; p < s.To; p++ {
			off := int64(p) * h.info.PieceLength
			got := make([]byte, h.info.PieceSize(p))
			_, err := h.tr.ReadAt(got, off)
			if errors.Is(err, errAbsent) && h.tr.known.clipped.has(p) {
				continue
			}
			if err != nil || !bytes.Equal(got, h.all[off:off+int64(len(got))]) {
				h.errorf("history %d: piece %d is called durable, and is not right: %v", h.seed, p, err)
			}
		}
	}
}

// finish has everything fetched, checked, and removed.
func (h *history) finish() {
	ctx := context.Background()
	h.say("finish")
	h.layersCome(true)
	for range 6 {
		h.b.clock.add(time.Minute)
		h.tr.probe(ctx)
		h.ok("recheck", h.tr.Recheck(ctx))
		h.hashUnknown()
		for p := range h.info.NumPieces {
			h.fetch(p)
		}
		h.ok("sync", h.tr.sync(ctx))
		h.say("%s", h.states())
		h.look()
	}
	if p := h.tr.Progress(); p.Pieces != h.info.NumPieces || h.tr.Fault() != nil {
		h.errorf("history %d: at the end %+v of %d pieces, fault %v", h.seed, p, h.info.NumPieces, h.tr.Fault())
		for p := range h.info.NumPieces {
			h.say("piece %d: %s, durable %v", p, completion(h.tr, p), h.tr.Durable(p))
		}
		return
	}
	h.truth()
	for i := range h.info.Files {
		if f := &h.info.Files[i]; !f.Pad && f.Length > 0 {
			n := h.sim.names[h.base+"/"+h.tr.layout.names[i].final]
			if n == nil || !bytes.Equal(n.data, h.all[f.Offset:f.Offset+f.Length]) {
				h.errorf("history %d: %q is not there, or not right", h.seed, f.Path)
			}
		}
	}
	if h.t.Failed() {
		return
	}
	kept, err := h.tr.Remove(ctx, true)
	h.say("removed: %v, kept %+v", err, kept)
	h.look()
	h.told(kept)
	for p, n := range h.sim.names {
		if _, his := h.users[n]; !n.dir && !his && !h.named[p] && !h.adopted {
			h.errorf("history %d: %s was left", h.seed, p)
		}
	}
}

// told notes which files the user was told stay.
func (h *history) told(kept []share.Kept) {
	for _, k := range kept {
		h.named[k.Path] = true
	}
}

// states describes what the transfer takes its files for.
func (h *history) states() string {
	var b strings.Builder
	for i := range h.tr.files {
		f := &h.tr.files[i]
		if !h.tr.onDisk(i) {
			continue
		}
		fmt.Fprintf(&b, " %s:%s", h.tr.layout.names[i].final, [...]string{"absent", "partial", "final", "users"}[f.state])
		if f.created {
			b.WriteByte('+')
		}
		if f.naming {
			b.WriteByte('n')
		}
		if f.suspect {
			b.WriteByte('s')
		}
		if u := h.tr.users.of(i); u != nil {
			fmt.Fprintf(&b, "(%s spill %v made %v head %v tail %v lost %v settled %v)", h.tr.layout.names[i].user, u.spill, u.made, u.head, u.tail, u.lost, u.settled)
		}
	}
	return b.String()
}
