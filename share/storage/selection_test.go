package storage

import (
	"bytes"
	"context"
	"math/rand/v2"
	"path"
	"strings"
	"testing"
	"time"
)

// Files that share a piece with others are selected in turn. The piece that film ends in has
// the beginning of notes, and the piece of notes' end was clipped.
func TestSelectionDoesNotPublishClippedFiles(t *testing.T) {
	h := &history{t: t, seed: 1, r: rand.New(rand.NewPCG(1, 8))}
	h.start()
	h.info, h.all = torrentOf(t, "set", 1024, entryOf{path: "film", data: content(1, 1500)},
		entryOf{path: "notes", data: content(2, 1500)}, entryOf{path: "readme", data: content(3, 30)})
	h.open()
	h.choose(false, false, true)
	h.fetchChosen()
	h.choose(true, false, true)
	h.fetchChosen()
	h.onlyRight()
	if names := h.names(); len(names) != 2 {
		t.Errorf("film and readme are selected, and there is %q", names)
	}
	if n := h.tr.FileBytes(); n[1] != 0 {
		t.Errorf("%d bytes of notes are said to be there", n[1])
	}
	h.choose(true, true, true)
	h.fetchChosen()
	h.onlyRight()
	if names := h.names(); len(names) != 3 {
		t.Errorf("all are selected, and there is %q", names)
	}
}

// Random histories of selections, with restarts and kills. What has the name of a file of
// the torrent is that file, whole and right; in the end everything that is selected is there.
func TestRandomSelections(t *testing.T) {
	for seed := uint64(1); seed <= 300; seed++ {
		h := &history{t: t, seed: seed, r: rand.New(rand.NewPCG(seed, 9))}
		h.start()
		h.torrent()
		h.open()
		for range 3 + h.r.IntN(20) {
			h.selectionStep()
			h.onlyRight()
		}
		for range h.info.Files {
			h.chosen = append(h.chosen[:0:0], make([]bool, len(h.info.Files))...)
			for i := range h.chosen {
				h.chosen[i] = true
			}
		}
		h.tr.Select(h.isChosen)
		h.layersCome(true)
		h.fetchChosen()
		h.onlyRight()
		h.allThere()
		if t.Failed() {
			t.Fatalf("selections %d:\n%s", seed, strings.Join(h.log, "\n"))
		}
	}
}

func (h *history) isChosen(i int) bool { return h.chosen == nil || h.chosen[i] }

func (h *history) choose(files ...bool) {
	h.say("select %v", files)
	h.chosen = files
	h.tr.Select(h.isChosen)
}

// fetchChosen fetches what the chosen files need, and ends the transfer.
func (h *history) fetchChosen() {
	h.hashUnknown()
	for p := range h.info.NumPieces {
		for i := range h.tr.filesOf(p) {
			if h.isChosen(i) {
				h.fetch(p)
				break
			}
		}
	}
	h.ok("finish", h.tr.Finish(context.Background(), h.isChosen))
	h.say("finished:%s", h.states())
}

func (h *history) selectionStep() {
	switch h.r.IntN(6) {
	case 0, 1:
		files := make([]bool, len(h.info.Files))
		for i := range files {
			files[i] = h.r.IntN(2) == 0
		}
		h.choose(files...)
	case 2, 3:
		h.fetchChosen()
	case 4:
		p := h.r.IntN(h.info.NumPieces)
		h.say("fetch %d", p)
		h.fetch(p)
	case 5:
		h.say("restart")
		if h.r.IntN(2) == 0 {
			h.ok("close", h.tr.Close(context.Background()))
			h.b.restart()
		} else {
			h.b.crash()
		}
		h.open()
		h.tr.Select(h.isChosen)
	}
}

// names are those of files on disk that are not unfinished.
func (h *history) names() (list []string) {
	for name, n := range h.sim.names {
		if !n.dir && !strings.Contains(name, ".shoal-") {
			list = append(list, name)
		}
	}
	return list
}

// onlyRight checks that whatever has the name of a file is that file.
func (h *history) onlyRight() {
	for _, name := range h.names() {
		right := h.original(strings.TrimPrefix(strings.TrimPrefix(name, h.base), "/"))
		if data := h.sim.names[name].data; !bytes.Equal(data, right) {
			h.errorf("%s has %d bytes, which are not those of the file of %d", path.Base(name), len(data), len(right))
		}
	}
}

// allThere checks that every file has its name.
func (h *history) allThere() {
	for i := range h.info.Files {
		f := &h.info.Files[i]
		if n := h.sim.names[h.base+"/"+h.tr.layout.names[i].final]; !f.Pad && n == nil {
			h.errorf("%q is not there", f.Path)
		}
	}
}

// What was selected is verified: nothing counts as lost that is right, also of pieces of which
// only a part is there, and everything that is damaged does, wherever it is, seen by its times
// or not. What is lost can be fetched again.
func TestSelectionsAreVerified(t *testing.T) {
	ctx := context.Background()
	clipped, caught := 0, 0
	for seed := uint64(1); seed <= 400; seed++ {
		h := &history{t: t, seed: seed, r: rand.New(rand.NewPCG(seed, 10))}
		h.start()
		h.torrent()
		h.adopted = h.r.IntN(3) == 0
		h.open()
		h.layersCome(true)
		for range 1 + h.r.IntN(3) {
			files := make([]bool, len(h.info.Files))
			for i := range files {
				files[i] = h.r.IntN(2) == 0
			}
			h.choose(files...)
			h.fetchChosen()
		}
		if h.r.IntN(2) == 0 {
			h.say("restart")
			h.b.crash()
			h.open()
			h.tr.Select(h.isChosen)
		}
		for range 3 {
			before := h.durable()
			for p := range h.info.NumPieces {
				if h.tr.known.clipped.has(p) {
					clipped++
				}
			}
			damaged, clips := map[int]bool{}, h.tr.known.clipped.clone()
			edited := newBitmap(h.info.NumPieces) // of files that are put beside, which needs them whole
			for h.r.IntN(3) == 0 {
				if i, p := h.damage(); i >= 0 {
					damaged[p] = true
					edited.setSpan(h.tr.pieces(i))
				}
			}
			if h.r.IntN(4) == 0 {
				if i := h.userAdds(); i >= 0 {
					edited.setSpan(h.tr.pieces(i))
				}
			}
			verify := h.tr.Recheck
			if edited.empty() && h.r.IntN(3) == 0 {
				if i := h.deletes(); i >= 0 {
					edited.setSpan(h.tr.pieces(i))
					for p := h.tr.pieces(i).From; p < h.tr.pieces(i).To; p++ {
						damaged[p] = true
					}
				}
				h.ok("look", h.tr.Look(ctx))
				verify = h.tr.Mend
			}
			h.say("verify")
			h.ok("verify", verify(ctx))
			if h.r.IntN(3) == 0 {
				h.ok("sync", h.tr.sync(ctx))
				h.say("killed while verifying")
				h.b.crash()
				h.open()
				h.tr.Select(h.isChosen)
			}
			h.hashUnknown()
			h.ok("sync", h.tr.sync(ctx))
			h.truth()
			h.noClipIsLost()
			for p := range h.info.NumPieces {
				switch now := h.tr.Durable(p); {
				case damaged[p] && now:
					h.errorf("piece %d was damaged, and counts as right", p)
				case before.has(p) && !damaged[p] && !now && !(clips.has(p) && edited.has(p)):
					h.errorf("piece %d is right, and counts as lost", p)
				}
				if damaged[p] && before.has(p) {
					caught++
				}
			}
			if !edited.empty() { // the user's by now, or fetched again
				break
			}
		}
		for range 6 {
			h.b.clock.add(time.Minute)
			h.tr.probe(ctx)
			h.fetchChosen()
			h.noClipIsLost()
		}
		for p := range h.info.NumPieces {
			for i := range h.tr.filesOf(p) {
				if h.isChosen(i) && !h.tr.Durable(p) {
					h.errorf("piece %d is not there in the end", p)
				}
			}
		}
		h.ok("close", h.tr.Close(ctx))
		if t.Failed() {
			t.Fatalf("selections %d:\n%s", seed, strings.Join(h.log, "\n"))
		}
	}
	if clipped < 100 || caught < 100 {
		t.Errorf("%d clipped pieces, %d damaged ones", clipped, caught)
	}
}

// durable are the pieces that are durable now.
func (h *history) durable() bitmap {
	b := newBitmap(h.info.NumPieces)
	for _, s := range h.tr.DurablePieces() {
		b.setSpan(s)
	}
	return b
}

// damage changes a byte of a complete file, as a program does or as a bad disk does, and
// returns the file and the piece that have it; -1 if there is none.
func (h *history) damage() (file, piece int) {
	h.sim.mu.Lock()
	defer h.sim.mu.Unlock()
	i := h.r.IntN(len(h.info.Files))
	n := h.sim.names[h.base+"/"+h.tr.layout.names[i].final]
	if !h.tr.onDisk(i) || n == nil || n.dir || len(n.data) == 0 || h.tr.files[i].state < final {
		return -1, -1
	}
	at := h.r.IntN(len(n.data))
	if h.r.IntN(2) == 0 { // at an end, which may be all that is left of a piece
		at = []int{0, len(n.data) - 1}[h.r.IntN(2)]
	}
	n.data[at] = ^h.all[h.info.Files[i].Offset+int64(at)]
	seen := h.r.IntN(2) == 0
	if seen {
		h.sim.touched(n, true)
	}
	s := h.tr.span(h.info.Files[i].Offset+int64(at), 1)
	h.say("byte %d of %q is damaged, in piece %d; seen: %v", at, h.info.Files[i].Path, s.From, seen)
	return i, s.From
}

// deletes deletes a complete file, as a program does. It returns its index.
func (h *history) deletes() int {
	h.sim.mu.Lock()
	defer h.sim.mu.Unlock()
	i := h.r.IntN(len(h.info.Files))
	path := h.base + "/" + h.tr.layout.names[i].final
	if !h.tr.onDisk(i) || h.tr.files[i].state < final || h.sim.names[path] == nil {
		return -1
	}
	h.say("%q is deleted", h.info.Files[i].Path)
	h.sim.change(simChange{from: path, node: h.sim.names[path]})
	h.sim.commit()
	return i
}

// userAdds has the user put a file where one is that was not selected. It returns its index.
func (h *history) userAdds() int {
	h.sim.mu.Lock()
	defer h.sim.mu.Unlock()
	i := h.r.IntN(len(h.info.Files))
	f, path := &h.info.Files[i], h.base+"/"+h.tr.layout.names[i].final
	if !h.tr.onDisk(i) || h.tr.files[i].state != absent || f.Length == 0 || h.sim.names[path] != nil {
		return -1
	}
	data := bytes.Clone(h.all[f.Offset : f.Offset+f.Length])
	if h.r.IntN(3) > 0 {
		data[h.r.IntN(len(data))] ^= 1
	}
	h.say("the user adds %q", f.Path)
	h.userPut(path, data, nil)
	return i
}

// noClipIsLost checks that each piece that is clipped is right or will be hashed: it would
// never be fetched.
func (h *history) noClipIsLost() {
	k := &h.tr.known
	k.clipped.each(func(p int) bool {
		if !k.have.has(p) && !k.unknown.has(p) {
			h.errorf("piece %d is clipped and nothing else", p)
		}
		return true
	})
}

// A chmod, or a restored backup, of what was selected changes nothing: also pieces of which only
// a part is there are hashed, and stay.
func TestWhatIsClippedSurvivesAChmod(t *testing.T) {
	ctx := context.Background()
	clipped := 0
	for seed := uint64(1); seed <= 100; seed++ {
		h := &history{t: t, seed: seed, r: rand.New(rand.NewPCG(seed, 11))}
		h.start()
		h.torrent()
		h.open()
		h.layersCome(true)
		files := make([]bool, len(h.info.Files))
		for i := range files {
			files[i] = h.r.IntN(2) == 0
		}
		h.choose(files...)
		h.fetchChosen()
		before, clips := h.durable(), h.tr.known.clipped.clone()
		clipped += clips.count()
		h.sim.mu.Lock()
		for _, n := range h.sim.names {
			if !n.dir {
				h.sim.touched(n, false)
			}
		}
		h.sim.mu.Unlock()
		h.ok("look", h.tr.Look(ctx))
		for _, p := range h.tr.Doubtful() {
			_, err := h.tr.HashPiece(ctx, p)
			h.ok("hashing", err)
		}
		h.hashUnknown()
		h.ok("sync", h.tr.sync(ctx))
		now := h.durable()
		if now.remove(before); !now.empty() || h.durable().count() != before.count() || h.tr.known.clipped.count() != clips.count() {
			h.errorf("durable %v, then %v; clipped %v, then %v", before.spans(), h.durable().spans(), clips.spans(), h.tr.known.clipped.spans())
		}
		h.ok("close", h.tr.Close(ctx))
		if t.Failed() {
			t.Fatalf("selections %d:\n%s", seed, strings.Join(h.log, "\n"))
		}
	}
	if clipped < 30 {
		t.Errorf("%d clipped pieces", clipped)
	}
}
