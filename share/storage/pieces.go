package storage

// pieces is what is known of each piece of a transfer: which ones are right, which
// of those are durable, which have to be hashed, and what an Event has to tell of
// them. Its methods touch memory only. It has no lock: the mutex of the transfer
// guards it together with the states of the files, as most changes concern both.
type pieces struct {
	n int // how many there are

	have     bitmap // hashed, and right
	recorded bitmap // in the ledger, and synced; have or held or unknown as they may be
	saving   bitmap // about to be in the ledger
	unknown  bitmap // have to be hashed
	doubt    bitmap // have to be hashed before they are served; see watcher
	held     bitmap // have a file in troubles
	tainted  bitmap // a sync failed: to be written once more before they count
	clipped  bitmap // recorded, but for bytes of files that are not wanted; see Select

	stale   bool             // the ledger has more than recorded, or lacks something
	unread  map[int]struct{} // could not be hashed because of the disk
	changes uint32           // how often a file was taken as it was found
	began   map[int]uint32   // changes when the hash of a piece began
	awaited bitmap           // see Transfer.Await
	missing int              // no awaited piece before this one was missing when arrived last looked
	event   pieceEvent
	counted bool // progress is right
	total   Progress
}

// pieceEvent is the part of an Event that is about pieces, in the making.
type pieceEvent struct {
	any, durable    bool
	refresh, verify bitmap
}

func newPieces(n int) pieces {
	return pieces{n: n, have: newBitmap(n), recorded: newBitmap(n)}
}

// durable returns the pieces that are hashed right, synced and recorded.
func (k *pieces) durable() bitmap {
	d := k.recorded.clone()
	for i := range d {
		d[i] &= k.have[i]
	}
	d.remove(k.unknown)
	d.remove(k.held)
	d.remove(k.tainted)
	d.remove(k.doubt)
	return d
}

// isDurable tells whether piece p is durable.
func (k *pieces) isDurable(p int) bool {
	return k.recorded.has(p) && k.have.has(p) && !k.unknown.has(p) && !k.held.has(p) && !k.tainted.has(p) && !k.doubt.has(p)
}

// pending returns the pieces that are right and not recorded.
func (k *pieces) pending() bitmap {
	b := k.have.clone()
	b.remove(k.recorded)
	b.remove(k.unknown)
	b.remove(k.held)
	return b
}

// readable tells whether the pieces of s are known to be right, but for a doubt.
func (k *pieces) readable(s Span) (ok, doubt bool) {
	return k.have.hasAll(s) && !k.unknown.hasAny(s) && !k.held.hasAny(s), k.doubt.hasAny(s)
}

// needless tells whether writing the pieces of s would change nothing.
func (k *pieces) needless(s Span) bool {
	ok, doubt := k.readable(s)
	return ok && !doubt && !k.tainted.hasAny(s) && !k.clipped.hasAny(s)
}

// completion is what the peer protocol is told of piece p. What is not known is
// neither served nor requested.
func (k *pieces) completion(p int) (known, complete bool) {
	if k.unknown.has(p) || k.held.has(p) || k.clipped.has(p) {
		return false, false
	}
	return true, k.have.has(p)
}

// progress counts what is durable.
func (k *pieces) progress(g geometry) Progress {
	if k.counted {
		return k.total
	}
	d := k.durable()
	p := Progress{Pieces: d.count(), Unknown: k.unknown.count(), Doubtful: k.doubt.count()}
	p.Bytes = int64(p.Pieces) * g.info.PieceLength
	if last := k.n - 1; d.has(last) {
		p.Bytes += g.info.PieceSize(last) - g.info.PieceLength
	}
	for i := range g.info.Files {
		if g.info.Files[i].Pad {
			p.Bytes -= g.bytesIn(d, i)
		}
	}
	k.total, k.counted = p, true
	return p
}

// changed notes that there is an event to tell.
func (k *pieces) changed() {
	k.counted = false
	k.event.any = true
}

// durableChanged notes that more pieces, or fewer, are durable.
func (k *pieces) durableChanged() {
	k.changed()
	k.event.durable = true
}

// refresh notes pieces whose completion changed without the peer protocol's doing.
func (k *pieces) refresh(s Span) {
	k.changed()
	k.event.refresh = k.event.refresh.grown(k.n)
	k.event.refresh.setSpan(s)
}

// reverify makes pieces unknown. They have to be hashed.
func (k *pieces) reverify(s Span) {
	k.refresh(s)
	k.have.unsetSpan(s)
	k.unrecord(s)
	k.doubt.unsetSpan(s)
	k.unknown = k.unknown.grown(k.n)
	k.unknown.setSpan(s)
	k.event.verify = k.event.verify.grown(k.n)
	k.event.verify.setSpan(s)
}

// reverifyUnknown asks for unknown pieces to be hashed: attempts that were made
// during a fault came to nothing.
func (k *pieces) reverifyUnknown() {
	for _, s := range k.unknown.spans() {
		k.reverify(s)
	}
}

// unrecord takes pieces out of what the ledger has, which the next save tells it.
func (k *pieces) unrecord(s Span) {
	k.clipped.unsetSpan(s)
	if k.recorded.hasAny(s) || k.saving.hasAny(s) {
		k.recorded.unsetSpan(s)
		k.stale = true
		k.counted = false
		k.event.durable = true
	}
}

// lose notes that pieces are not there any more, and not unknown either.
func (k *pieces) lose(s Span) {
	k.have.unsetSpan(s)
	k.unrecord(s)
	k.unknown.unsetSpan(s)
	k.refresh(s)
}

// fetchAgain makes pieces missing: they have to be fetched.
func (k *pieces) fetchAgain(s Span) {
	k.have.unsetSpan(s)
	k.unrecord(s)
	k.refresh(s)
}

// begin notes that piece p is about to be hashed, and tells whether anything
// depends on the result.
func (k *pieces) begin(p int) bool {
	if k.began == nil {
		k.began = map[int]uint32{}
	}
	k.began[p] = k.changes
	return k.unknown.has(p) || k.doubt.has(p)
}

// outdated tells whether files were found to be changed while piece p, which has
// to be hashed, was: the result is of no use.
func (k *pieces) outdated(p int) bool {
	began, ok := k.began[p]
	delete(k.began, p)
	return ok && began != k.changes && (k.unknown.has(p) || k.doubt.has(p))
}

// again asks for another hash of piece p.
func (k *pieces) again(p int) {
	if k.unknown.has(p) {
		k.reverify(Span{p, p + 1})
	}
}

// right notes that piece p was hashed and is right, and tells whether it was in
// doubt.
func (k *pieces) right(p int) (doubted bool) {
	k.have.set(p)
	k.unknown.unset(p)
	delete(k.unread, p)
	k.counted = false
	if !k.doubt.has(p) {
		return false
	}
	if k.doubt.unset(p); k.doubt.empty() {
		k.doubt = nil
	}
	k.durableChanged()
	return true
}

// doubtSpan notes that files with the pieces of s may have changed: what is right
// has to be hashed before it is served. With again, so has what was wrong.
func (k *pieces) doubtSpan(s Span, again bool) {
	k.doubt = k.doubt.grown(k.n)
	for p := s.From; p < s.To; p++ {
		switch {
		case k.clipped.has(p):
			k.reverify(Span{p, p + 1})
		case k.have.has(p):
			k.doubt.set(p)
		case again && !k.unknown.has(p):
			k.reverify(Span{p, p + 1})
		}
	}
	k.durableChanged()
}

// wrong notes that piece p was hashed and is not right.
func (k *pieces) wrong(p int) {
	one := Span{p, p + 1}
	k.doubt.unset(p)
	k.have.unset(p)
	k.unrecord(one)
	k.unknown.unset(p)
	k.counted = false
}

// unreadable notes that piece p cannot be hashed because of the disk.
func (k *pieces) unreadable(p int) {
	k.wrong(p)
	k.unknown = k.unknown.grown(k.n)
	k.unknown.set(p)
	k.refresh(Span{p, p + 1})
}

// couldNotRead notes that an attempt to hash piece p failed because of the disk.
func (k *pieces) couldNotRead(p int) {
	if k.unread == nil {
		k.unread = map[int]struct{}{}
	}
	k.unread[p] = struct{}{}
}

// wasUnread tells whether the last attempt to hash piece p failed because of the
// disk, and forgets it.
func (k *pieces) wasUnread(p int) bool {
	_, unread := k.unread[p]
	delete(k.unread, p)
	return unread
}

// hold makes pieces held.
func (k *pieces) hold(s Span) {
	k.held = k.held.grown(k.n)
	k.held.setSpan(s)
}

// await says which pieces are wanted; before, all are.
func (k *pieces) await(wanted []Span) {
	w := newBitmap(k.n)
	for _, s := range wanted {
		w.setSpan(s)
	}
	k.awaited, k.missing = w, 0
}

// arrived tells whether every piece that is wanted is right, durable or not.
func (k *pieces) arrived() bool {
	// Most calls end where the last one did.
	for ; k.missing < k.n; k.missing++ {
		if k.have.has(k.missing) {
			if k.missing&63 == 0 && k.have.word(k.missing>>6) == ^uint64(0) {
				k.missing += 63
			}
			continue
		}
		if k.awaited == nil || k.awaited.has(k.missing) {
			return false
		}
	}
	k.missing = 0 // pieces may be lost again
	return true
}

// taint notes that a sync of a file with the pieces of s failed: no piece of it
// that is not recorded is sure to be on disk. Nor are their neighbours, which share
// blocks of the disk with them.
func (k *pieces) taint(s Span) {
	k.tainted = k.tainted.grown(k.n)
	for p := s.From; p < s.To; p++ {
		if !k.recorded.has(p) {
			k.tainted.setSpan(Span{max(p-1, s.From), min(p+2, s.To)})
		}
	}
	for p := s.From; p < s.To; p++ {
		if k.tainted.has(p) {
			k.unrecord(Span{p, p + 1})
		}
	}
	k.stale = true // the file's failure is recorded as soon as that is possible
	k.changed()
}

// ill returns the pieces that are right and that a failed sync left in doubt.
func (k *pieces) ill() bitmap {
	b := k.tainted.clone()
	for i := range b {
		b[i] &= k.have[i]
	}
	b.remove(k.held)
	return b
}

// startSave says that pieces are about to be recorded, and returns what the ledger
// gets: the pieces that are recorded then, and those that the next process has to
// hash, as they are right and not durable or not known.
func (k *pieces) startSave(b bitmap) (recorded, unknown bitmap) {
	b.remove(k.unknown)
	k.keepRight(b)
	recorded = k.recorded.clone()
	recorded.add(b)
	unknown = k.have.clone()
	unknown.remove(recorded)
	unknown.remove(k.held)
	unknown.add(k.unknown)
	k.saving, k.stale = b, false
	return recorded, unknown
}

// endSave says that the pieces of b were recorded, or nothing was.
func (k *pieces) endSave(b bitmap, ok bool) {
	k.saving = nil
	if !ok {
		k.stale = true
		return
	}
	// Pieces lost since are not right any more, and made the record stale.
	k.keepRight(b)
	k.recorded.add(b)
	k.counted = false
	if !b.empty() {
		k.durableChanged()
	}
}

// keepRight takes from b what is not right.
func (k *pieces) keepRight(b bitmap) {
	for i := range b {
		b[i] &= k.have[i]
	}
}

// takeEvent returns what is to be told, and forgets it.
func (k *pieces) takeEvent() pieceEvent {
	e := k.event
	// What was hashed in the meantime need not be again.
	for i := range e.verify {
		e.verify[i] &= k.unknown.word(i)
	}
	k.event = pieceEvent{}
	return e
}
