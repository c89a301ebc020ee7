package storage

import (
	"errors"
	"testing"

	"pgregory.net/rapid"
)

// memoryOf makes the memory of a transfer without a disk, whose files are complete
// and have their final names.
func memoryOf(t testing.TB, own *Own, entries ...entryOf) (*memory, *notedAgenda) {
	t.Helper()
	info, _ := torrentOf(t, "set", 1000, entries...)
	m := newMemory(info, nil, nil, own, "/dl", 0, 100)
	m.layout = &layout{base: "set"}
	m.layout.names, m.layout.folders, _ = mapNames(info, false, nil)
	a := &notedAgenda{}
	m.agenda = a
	for i := range m.files {
		m.files[i].state, m.files[i].created = final, true
		m.files[i].stamp = stamp{size: info.Files[i].Length, mtime: 1, ctime: 1, inode: uint64(i + 1)}
	}
	all := Span{0, info.NumPieces}
	m.known.have.setSpan(all)
	m.known.recorded.setSpan(all)
	return &m, a
}

// setOfThree has the pieces |0: a|1: a b c|2: c|3: c|.
func setOfThree() []entryOf {
	return []entryOf{{path: "a", data: content(1, 1500)}, {path: "b", data: content(2, 200)}, {path: "c", data: content(3, 2300)}}
}

// A wrong piece of a share puts every file of it in trouble, and asks for a probe.
func TestAWrongPieceHoldsItsFiles(t *testing.T) {
	m, asked := memoryOf(t, &Own{Path: "/dl/set"}, setOfThree()...)
	m.known.wrong(1)
	m.blame(1)
	if m.troubles.count() != 3 || asked.probes.Load() != 3 {
		t.Errorf("%d files are in trouble, %d probes asked for", m.troubles.count(), asked.probes.Load())
	}
	for p := range m.numPieces() {
		if known, _ := m.known.completion(p); known || m.waiting(p) {
			t.Errorf("piece %d: known %v, waiting %v", p, known, m.waiting(p))
		}
	}
	if err := m.faultNow(); !errors.Is(err, ErrChanged) || err.Error() != "the file was changed by another program: a and 2 more" {
		t.Error(err)
	}
}

// A wrong piece of a fetch puts only files in trouble that were seen to change.
func TestAWrongPieceOfAFetchIsFetchedAgain(t *testing.T) {
	m, _ := memoryOf(t, nil, setOfThree()...)
	m.files[1].suspect = true
	m.known.wrong(1)
	m.blame(1)
	if m.troubles.count() != 1 || m.troubles.of(1) == nil {
		t.Errorf("%v", m.troubles.list())
	}
	if known, complete := m.known.completion(1); known || complete {
		t.Error("the piece with the file that changed is offered to be fetched")
	}
}

// A changed file that is accepted as it is now is no longer in trouble. It is not
// the transfer's own if another program wrote it, and its pieces are unknown.
func TestWhatIsTakenAsItIsHasToBeHashed(t *testing.T) {
	m, _ := memoryOf(t, nil, setOfThree()...)
	m.addTrouble(2, &trouble{kind: ErrChanged})
	now := m.files[2].stamp
	now.mtime++
	m.rehash(2, now)
	m.holdAgain()
	if f := &m.files[2]; f.created || !f.suspect || f.stamp != now || m.troubles.count() != 0 {
		t.Errorf("%v %v, %d in trouble", f.created, f.suspect, m.troubles.count())
	}
	for p, want := range []bool{true, false, false, false} {
		if known, _ := m.known.completion(p); known != want || m.known.isDurable(p) != want {
			t.Errorf("piece %d: known %v, durable %v", p, known, m.known.isDurable(p))
		}
	}
	if !m.dirtyFile(2) {
		t.Error("it is not synced before it counts")
	}
}

// A file whose ctime alone changed is served meanwhile, and trusted once all its
// pieces are hashed.
func TestDoubtEndsWithTheLastPiece(t *testing.T) {
	m, _ := memoryOf(t, nil, setOfThree()...)
	now := m.files[0].stamp
	now.ctime++
	m.doubtFile(0, now)
	for p := range 2 {
		if ok, doubt := m.readable(Span{p, p + 1}); !ok || !doubt || m.known.isDurable(p) {
			t.Errorf("piece %d: readable %v, doubt %v", p, ok, doubt)
		}
	}
	for p := range 2 {
		if !m.files[0].doubt {
			t.Fatal("trusted before all was hashed")
		}
		m.known.right(p)
		m.endDoubt(p)
	}
	if m.files[0].doubt || !m.known.stale || !m.known.isDurable(0) || !m.known.isDurable(1) {
		t.Errorf("doubt %v, to be recorded %v", m.files[0].doubt, m.known.stale)
	}
}

// If the user deletes the file beside our spill, the spill becomes an ordinary part
// file.
func TestTheSpillOfAFileThatIsGoneIsAPart(t *testing.T) {
	m, _ := memoryOf(t, nil, setOfThree()...)
	u := m.takeUser(1, "b")
	u.spill, u.made = true, true
	if m.stateOf(1) != users || m.name(1) != "b" || m.userOf(1) != u {
		t.Fatal("the file is not the user's")
	}
	m.userGone(1)
	if f := &m.files[1]; f.state != partial || !f.created || m.name(1) != m.layout.names[1].part || m.userOf(1) != nil {
		t.Errorf("state %d, created %v, %s", f.state, f.created, m.name(1))
	}
	m.takeUser(0, "a")
	m.userGone(0)
	if f := &m.files[0]; f.state != absent || f.created {
		t.Errorf("state %d, created %v", f.state, f.created)
	}
}

// After any history: no durable piece is in a file in trouble, each piece in doubt
// is in a file that is recorded as doubtful, and a batch takes no piece that a
// failed sync left in doubt.
func TestMemoryAgreesWithItself(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m, _ := memoryOf(t, nil, setOfThree()...)
		file, piece := rapid.IntRange(0, 2), rapid.IntRange(0, m.numPieces()-1)
		clock := int64(1)
		changed := func(i int) stamp {
			clock++
			now := m.files[i].stamp
			now.mtime, now.ctime = clock, clock
			return now
		}
		rt.Repeat(map[string]func(*rapid.T){
			"missing": func(t *rapid.T) { m.addTrouble(file.Draw(t, "file"), &trouble{kind: ErrMissing}) },
			"back": func(t *rapid.T) {
				if i := file.Draw(t, "file"); m.troubles.of(i) != nil {
					m.dropTrouble(i)
					m.holdAgain()
				}
			},
			"changed": func(t *rapid.T) {
				i := file.Draw(t, "file")
				m.rehash(i, changed(i))
				m.holdAgain()
			},
			"touched": func(t *rapid.T) {
				i := file.Draw(t, "file")
				now := m.files[i].stamp
				clock++
				now.ctime = clock
				m.doubtFile(i, now)
			},
			"right": func(t *rapid.T) {
				if p := piece.Draw(t, "piece"); !m.known.held.has(p) && m.known.right(p) {
					m.endDoubt(p)
				}
			},
			"wrong": func(t *rapid.T) {
				p := piece.Draw(t, "piece")
				m.known.wrong(p)
				m.endDoubt(p)
				m.blame(p)
			},
			"sync failed": func(t *rapid.T) { m.taint(file.Draw(t, "file")) },
			"batch": func(t *rapid.T) {
				b := m.startBatch(nil, m.unsynced.failures)
				if b == nil {
					return
				}
				m.endSyncs(b, nil)
				b.pending.each(func(p int) bool {
					if m.known.tainted.has(p) || m.known.unknown.has(p) || m.known.held.has(p) {
						t.Fatalf("piece %d is about to be recorded", p)
					}
					return true
				})
				m.known.startSave(b.pending)
				m.known.endSave(b.pending, true)
			},
			"": func(t *rapid.T) {
				for i := range m.files {
					for p := m.pieces(i).From; p < m.pieces(i).To; p++ {
						if m.troubles.of(i) != nil && m.known.isDurable(p) {
							t.Fatalf("piece %d of file %d, which is in trouble, is durable", p, i)
						}
					}
				}
				m.known.doubt.each(func(p int) bool {
					doubted := false
					for i := range m.filesOf(p) {
						doubted = doubted || m.files[i].doubt
					}
					if !doubted {
						t.Fatalf("piece %d is in doubt, and none of its files", p)
					}
					return true
				})
				if n := len(m.fileRecords()); n != len(m.files) {
					t.Fatalf("%d files are recorded", n)
				}
				if (m.faultNow() == nil) != (m.troubles.count() == 0) {
					t.Fatalf("%v with %d files in trouble", m.faultNow(), m.troubles.count())
				}
			},
		})
	})
}
