package storage

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// one is the span of a single piece.
func one(p int) Span { return Span{p, p + 1} }

// saved has k record what is pending.
func saved(k *pieces, ok bool) bitmap {
	b := k.pending()
	k.startSave(b)
	k.endSave(b, ok)
	return b
}

// After any history a durable piece was recorded last, is right, and nothing is
// open about it. A piece that may be served was hashed.
func TestPiecesAreDurableOnlyWhileNothingIsOpen(t *testing.T) {
	const n = 70
	rapid.Check(t, func(t *rapid.T) {
		k := newPieces(n)
		ledger := newBitmap(n)
		draw := func() Span {
			p := rapid.IntRange(0, n-1).Draw(t, "piece")
			return Span{p, min(n, p+rapid.IntRange(1, 5).Draw(t, "pieces"))}
		}
		t.Repeat(map[string]func(*rapid.T){
			"right":      func(*rapid.T) { k.right(draw().From) },
			"right 2":    func(*rapid.T) { k.right(draw().From) },
			"wrong":      func(*rapid.T) { k.wrong(draw().From) },
			"unreadable": func(*rapid.T) { k.unreadable(draw().From) },
			"reverify":   func(*rapid.T) { k.reverify(draw()) },
			"doubt":      func(*rapid.T) { k.doubtSpan(draw(), rapid.Bool().Draw(t, "again")) },
			"lose":       func(*rapid.T) { k.lose(draw()) },
			"fetch":      func(*rapid.T) { k.fetchAgain(draw()) },
			"taint":      func(*rapid.T) { k.taint(draw()) },
			"hold":       func(*rapid.T) { k.hold(draw()) },
			"free":       func(*rapid.T) { k.held = nil; k.counted = false },
			"save": func(*rapid.T) {
				b := k.pending()
				b.remove(k.tainted)
				recorded, unknown := k.startSave(b)
				for p := range n {
					if known, complete := k.completion(p); complete && known && !recorded.has(p) && !unknown.has(p) {
						t.Fatalf("piece %d is complete, and the next process knows nothing of it", p)
					}
				}
				if lost := draw(); rapid.Bool().Draw(t, "lost meanwhile") {
					k.lose(lost)
				}
				ok := rapid.Bool().Draw(t, "ok")
				if ok {
					ledger = recorded
				}
				k.endSave(b, ok)
			},
			"": func(*rapid.T) {
				d := k.durable()
				for p := range n {
					if d.has(p) != k.isDurable(p) {
						t.Fatalf("piece %d: durable %v and %v", p, d.has(p), k.isDurable(p))
					}
					ok, doubt := k.readable(one(p))
					if d.has(p) && (!ok || doubt || !ledger.has(p)) {
						t.Fatalf("piece %d is durable: readable %v, doubt %v, in the ledger %v", p, ok, doubt, ledger.has(p))
					}
					if k.needless(one(p)) && (!ok || doubt) {
						t.Fatalf("piece %d need not be written, and cannot be read", p)
					}
					if known, complete := k.completion(p); complete && known && !ok {
						t.Fatalf("piece %d is complete, and cannot be read", p)
					}
					// The ledger never has more for long.
					if ledger.has(p) && !k.recorded.has(p) && !k.stale {
						t.Fatalf("the ledger has piece %d, and is not told otherwise", p)
					}
				}
			},
		})
	})
}

// A hash does not count if the file changed meanwhile.
func TestAHashOfWhatChangedMeanwhileIsOutdated(t *testing.T) {
	k := newPieces(4)
	k.reverify(one(2))
	if !k.begin(2) {
		t.Error("nothing depends on the hash of an unknown piece")
	}
	k.changes++
	if !k.outdated(2) || k.outdated(2) {
		t.Error("a hash is outdated once")
	}
	if k.begin(1) || k.outdated(1) {
		t.Error("a missing piece has nothing to be changed")
	}
}

// A failed sync leaves the neighbours within the file in doubt, and no piece that
// was durable before.
func TestTaintReachesTheNeighboursWithinTheFile(t *testing.T) {
	k := newPieces(8)
	for p := range 4 {
		k.right(p)
	}
	saved(&k, true)
	k.right(5)
	k.taint(Span{2, 7})
	if got, want := k.tainted.spans(), []Span{{3, 7}}; !slices.Equal(got, want) {
		t.Errorf("tainted %v, not %v", got, want)
	}
	if got, want := k.durable().spans(), []Span{{0, 3}}; !slices.Equal(got, want) {
		t.Errorf("durable %v, not %v", got, want)
	}
	if got, want := k.ill().spans(), []Span{{3, 4}, {5, 6}}; !slices.Equal(got, want) {
		t.Errorf("to be written again %v, not %v", got, want)
	}
}

// An event is told once, and does not ask for what was hashed since.
func TestAnEventOfPiecesTellsOnce(t *testing.T) {
	k := newPieces(8)
	k.reverify(Span{1, 4})
	k.right(2)
	e := k.takeEvent()
	if got, want := e.verify.spans(), []Span{{1, 2}, {3, 4}}; !e.any || !slices.Equal(got, want) {
		t.Errorf("to be hashed %v, not %v", got, want)
	}
	if e = k.takeEvent(); e.any {
		t.Errorf("told again: %+v", e)
	}
	if b := saved(&k, true); b.count() != 1 || !k.takeEvent().durable {
		t.Errorf("recorded %v", b.spans())
	}
	if k.right(5); saved(&k, false).count() != 1 || k.isDurable(5) || !k.stale {
		t.Error("a save that failed counts")
	}
}

// The wanted pieces have arrived when the last of them is right, in any order.
func TestPiecesArrive(t *testing.T) {
	k := newPieces(200)
	k.await([]Span{{3, 5}, {130, 132}})
	for _, p := range []int{130, 3, 131} {
		if k.right(p); k.arrived() {
			t.Fatalf("arrived after piece %d", p)
		}
	}
	if k.right(4); !k.arrived() {
		t.Fatal("not arrived")
	}
	if k.fetchAgain(one(3)); k.arrived() {
		t.Fatal("arrived without piece 3")
	}
}
