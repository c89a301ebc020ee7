package storage

import "context"

// Completion tells whether piece p is known to be right or wrong, and which. What
// is not known is neither served nor requested.
func (t *Transfer) Completion(p int) (known, complete bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known.completion(p)
}

// Await says which pieces are wanted; before, all are. When the last of them is
// complete it is synced at once: nothing more comes that could share its batch.
func (t *Transfer) Await(wanted []Span) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known.await(wanted)
}

// Arrived tells whether every piece that is wanted is complete, durable or not.
func (t *Transfer) Arrived() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known.arrived()
}

// Recheck makes every piece whose files are there unknown and ends the trouble
// with files that were changed or went missing: what turns out wrong or missing
// is then fetched again, beside what another program wrote. Event.Verify lists
// what is to be hashed. Nothing is trusted until it has been.
func (t *Transfer) Recheck(ctx context.Context) error {
	return t.recheck(ctx, func(int) bool { return true })
}

// Mend is Recheck for those files alone that are missing, or not what they were.
func (t *Transfer) Mend(ctx context.Context) error { return t.recheck(ctx, t.amiss) }

// Amiss tells whether there is anything for Mend to do.
func (t *Transfer) Amiss() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.files {
		if t.amiss(i) {
			return true
		}
	}
	return false
}

// recheck is Recheck for some files. which is called with mu held.
func (t *Transfer) recheck(ctx context.Context, which func(i int) bool) error {
	t.batching.Lock()
	defer t.batching.Unlock()
	found := make(map[int]fileFound)
	t.mu.Lock()
	for i := range t.files {
		if t.onDisk(i) && which(i) {
			found[i] = fileFound{}
		}
	}
	t.mu.Unlock()
	t.opening.Lock()
	for i := range found {
		found[i] = t.watch.find(i)
	}
	_, lost := t.statFolder()
	t.opening.Unlock()
	t.mu.Lock()
	t.made = t.made && lost == nil
	for i := range t.files {
		if f, ok := found[i]; ok {
			t.recheckFile(i, f)
		}
	}
	t.holdAgain()
	t.known.counted = false
	stopped := t.halt.fault != nil
	t.mu.Unlock()
	t.opened.closeAll()
	if stopped {
		t.agenda.wantProbe(0)
	}
	t.agenda.post()
	return t.recordIfStale(ctx)
}

// Look compares every file with what it was, and reads none. What it finds is in
// Progress and Fault afterwards. Its error says that the disk could not tell.
func (t *Transfer) Look(ctx context.Context) error { return t.watch.lookAtAll(ctx) }
