package storage

// pieces is what is known of each piece of a transfer: which are right, which of
// those are durable, which have to be hashed, and what the next Event tells of
// them. It touches memory only. It has no lock: memory.mu guards it together with
// the states of the files, as most changes concern both.
type pieces struct {
	n int // how many there are

	have     bitmap // hashed, and right
	recorded bitmap // in the ledger, and synced; some may be wrong, held or unknown by now
	saving   bitmap // about to be in the ledger
	unknown  bitmap // have to be hashed
	doubt    bitmap // have to be hashed before they are served; see watcher
	shaken   bitmap // some of what was written may be gone; see proven
	held     bitmap // have a file in troubles
	tainted  bitmap // a sync failed: they have to be written again before they count
	clipped  bitmap // recorded, but without the bytes of files that are not wanted; see clipper
	parts    clips  // of clipped pieces, what is there

	stale   bool             // the ledger differs from what is known
	unread  map[int]struct{} // could not be hashed because of the disk
	changes uint32           // counts files that were found changed
	began   map[int]uint32   // the value of changes when the hash of a piece began
	awaited bitmap           // see Transfer.Await
	missing int              // where the last call of arrived stopped
	event   pieceEvent
	counted bool // total is up to date
	total   Progress
}

// pieceEvent collects the part of an Event that is about pieces.
type pieceEvent struct {
	any, durable    bool
	refresh, verify bitmap
}

func newPieces(n int) pieces {
	return pieces{n: n, have: newBitmap(n), recorded: newBitmap(n)}
}

// durable returns the pieces that are right, synced and recorded.
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

// readable tells whether the pieces of s are known to be right, and whether one of
// them is in doubt.
func (k *pieces) readable(s Span) (ok, doubt bool) {
	return k.have.hasAll(s) && !k.unknown.hasAny(s) && !k.held.hasAny(s), k.doubt.hasAny(s)
}

// needless tells whether writing the pieces of s would change nothing.
func (k *pieces) needless(s Span) bool {
	ok, doubt := k.readable(s)
	return ok && !doubt && !k.tainted.hasAny(s) && !k.clipped.hasAny(s)
}

// completion is what the peer protocol is told of piece p. A piece that is not
// known is neither served nor requested.
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
	p.Bytes -= g.hollow(d)
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

// refresh notes pieces whose completion changed other than by a call of the peer
// protocol.
func (k *pieces) refresh(s Span) {
	k.changed()
	k.event.refresh = k.event.refresh.grown(k.n)
	k.event.refresh.setSpan(s)
}

// shake notes that another program may have changed or removed what was written of the
// pieces of s, of those that are not complete, too.
func (k *pieces) shake(s Span) {
	k.shaken = k.shaken.grown(k.n)
	k.shaken.setSpan(s)
}

// proven tells whether a hash of piece p that is right counts. Blocks of peers are hashed as
// they arrive, and some may be gone by the time the last one is here. Such a piece has to be
// read from disk.
func (k *pieces) proven(p int) bool {
	began, read := k.began[p]
	return !k.shaken.has(p) || read && began == k.changes
}

// reverify makes pieces unknown and asks for a hash of each. What is there of a clipped
// piece has a hash of its own.
func (k *pieces) reverify(s Span) {
	k.refresh(s)
	k.shake(s)
	k.have.unsetSpan(s)
	k.unclip(s, func(p int) bool { return k.parts[p] == nil })
	k.takeBack(s)
	k.doubt.unsetSpan(s)
	k.unknown = k.unknown.grown(k.n)
	k.unknown.setSpan(s)
	k.event.verify = k.event.verify.grown(k.n)
	k.event.verify.setSpan(s)
}

// reverifyUnknown asks again for a hash of each unknown piece, because attempts
// during a fault failed.
func (k *pieces) reverifyUnknown() {
	for _, s := range k.unknown.spans() {
		k.reverify(s)
	}
}

// unrecord notes that the ledger is to lose these pieces with the next save. They are
// pieces like others from then on.
func (k *pieces) unrecord(s Span) {
	k.unclip(s, func(int) bool { return true })
	k.takeBack(s)
}

// clip notes that of piece p only parts are there. It is recorded, and right.
func (k *pieces) clip(p int, parts []part) {
	k.clipped = k.clipped.grown(k.n)
	k.clipped.set(p)
	if k.parts == nil {
		k.parts = clips{}
	}
	k.parts[p] = parts
}

// unclip makes clipped pieces of s like others. It returns how many.
func (k *pieces) unclip(s Span, which func(p int) bool) (n int) {
	if !k.clipped.hasAny(s) {
		return 0
	}
	for p := s.From; p < s.To; p++ {
		if k.clipped.has(p) && which(p) {
			k.clipped.unset(p)
			delete(k.parts, p)
			n++
		}
	}
	return n
}

// takeBack is unrecord for pieces that stay what they are.
func (k *pieces) takeBack(s Span) {
	if k.recorded.hasAny(s) || k.saving.hasAny(s) {
		k.recorded.unsetSpan(s)
		k.stale = true
		k.counted = false
		k.event.durable = true
	}
}

// lose makes pieces missing, and not unknown.
func (k *pieces) lose(s Span) {
	k.shake(s)
	k.have.unsetSpan(s)
	k.unrecord(s)
	k.unknown.unsetSpan(s)
	k.refresh(s)
}

// fetchAgain makes pieces missing, so that they are fetched.
func (k *pieces) fetchAgain(s Span) {
	k.shake(s)
	k.have.unsetSpan(s)
	k.unrecord(s)
	k.refresh(s)
}

// begin notes that piece p is about to be hashed. It tells whether the piece is
// unknown or in doubt.
func (k *pieces) begin(p int) bool {
	if k.began == nil {
		k.began = map[int]uint32{}
	}
	k.began[p] = k.changes
	return k.unknown.has(p) || k.doubt.has(p)
}

// outdated tells whether a file changed while piece p was hashed, so that the
// result does not count.
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

// right notes that piece p was hashed and is right. It tells whether the piece was
// in doubt.
func (k *pieces) right(p int) (doubted bool) {
	k.have.set(p)
	k.unknown.unset(p)
	k.shaken.unset(p)
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

// doubtSpan notes that files with the pieces of s may have changed. Pieces that
// were right have to be hashed before they are served. With again, pieces that were
// wrong are hashed, too.
func (k *pieces) doubtSpan(s Span, again bool) {
	k.doubt = k.doubt.grown(k.n)
	for p := s.From; p < s.To; p++ {
		switch {
		case k.clipped.has(p) && k.parts[p] == nil:
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

// unreadable notes that piece p cannot be hashed because of the disk, or not be
// judged.
func (k *pieces) unreadable(p int) {
	k.wrong(p)
	k.unknown = k.unknown.grown(k.n)
	k.unknown.set(p)
	k.refresh(Span{p, p + 1})
}

// couldNotRead notes that the disk could not read piece p to hash it.
func (k *pieces) couldNotRead(p int) {
	if k.unread == nil {
		k.unread = map[int]struct{}{}
	}
	k.unread[p] = struct{}{}
}

// wasUnread tells whether the disk could not read piece p the last time, and
// forgets that.
func (k *pieces) wasUnread(p int) bool {
	_, unread := k.unread[p]
	delete(k.unread, p)
	return unread
}

// hold makes pieces held.
func (k *pieces) hold(s Span) {
	k.shake(s)
	k.held = k.held.grown(k.n)
	k.held.setSpan(s)
}

// await sets which pieces are wanted. By default all are.
func (k *pieces) await(wanted []Span) {
	w := newBitmap(k.n)
	for _, s := range wanted {
		w.setSpan(s)
	}
	k.awaited, k.missing = w, 0
}

// arrived tells whether every wanted piece is right, durable or not.
func (k *pieces) arrived() bool {
	// Most calls stop where the last one did.
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

// taint notes that a sync of a file with the pieces of s failed. Pieces of it that
// are not recorded may not be on disk. Nor may their neighbours, which share blocks
// of the disk with them.
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
	k.stale = true // the failure itself has to be recorded
	k.changed()
}

// ill returns the pieces that are right but that a failed sync left in doubt.
func (k *pieces) ill() bitmap {
	b := k.tainted.clone()
	for i := range b {
		b[i] &= k.have[i]
	}
	b.remove(k.held)
	return b
}

// startSave notes that the pieces of b are about to be recorded. It returns what
// the ledger gets: the pieces that are then recorded, and those that the next
// process has to hash.
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

// endSave notes whether the save succeeded.
func (k *pieces) endSave(b bitmap, ok bool) {
	k.saving = nil
	if !ok {
		k.stale = true
		return
	}
	// Pieces that were lost during the save are not right any more; the record is
	// stale.
	k.keepRight(b)
	k.recorded.add(b)
	k.counted = false
	if !b.empty() {
		k.durableChanged()
	}
}

// keepRight removes from b what is not right.
func (k *pieces) keepRight(b bitmap) {
	for i := range b {
		b[i] &= k.have[i]
	}
}

// takeEvent returns the event so far and starts a new one.
func (k *pieces) takeEvent() pieceEvent {
	e := k.event
	// What was hashed in the meantime need not be hashed again.
	for i := range e.verify {
		e.verify[i] &= k.unknown.word(i)
	}
	k.event = pieceEvent{}
	return e
}
