package storage

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// parts are those of a transfer that work on the disk, joined: each has what it needs
// of those above it.
type parts struct {
	opened openFiles
	faults faults
	syncs  syncer
	watch  watcher
	reader reader
	verifier
	records recorder
	fetch   *fetchParts // nil of what is Own
}

// fetchParts are the parts that change files.
type fetchParts struct {
	naming    naming
	settler   settler
	writer    writer
	healer    healer
	publisher publisher
	clipper   clipper
}

// supplies are what parts need of the Store.
type supplies struct {
	cache       *handles
	claims      claims
	saver       saver
	clock       func() time.Duration // see Store.clock
	log         *slog.Logger
	preallocate bool
	width       int // how many files are synced at once
}

// join makes the parts of a transfer that has memory m.
func (p *parts) join(m *memory, s supplies) {
	p.opened = openFiles{
		memory: m, cache: s.cache, flusher: &p.syncs, preallocate: s.preallocate, log: s.log,
		entries: make([]atomic.Pointer[handle], len(m.files)),
	}
	p.faults = faults{memory: m, opened: &p.opened, log: s.log}
	p.syncs = syncer{memory: m, opened: &p.opened, faults: &p.faults, width: s.width}
	p.watch = watcher{
		memory: m, opened: &p.opened, faults: &p.faults, clock: s.clock, log: s.log,
		looked: make([]atomic.Int64, len(m.files)),
	}
	p.reader = reader{memory: m, opened: &p.opened, watch: &p.watch}
	p.verifier = verifier{memory: m, reader: &p.reader}
	p.records = recorder{memory: m, saver: s.saver, faults: &p.faults}
	if m.own != nil {
		return
	}
	f := &fetchParts{naming: naming{memory: m, claims: s.claims}}
	p.fetch, p.opened.naming, p.opened.locks = f, &f.naming, new([8]sync.Mutex)
	f.settler = settler{
		memory: m, opened: &p.opened, naming: &f.naming, faults: &p.faults, syncs: &p.syncs, watch: &p.watch,
		reader: &p.reader, checks: &p.verifier, records: &p.records, log: s.log,
	}
	f.writer = writer{
		memory: m, opened: &p.opened, naming: &f.naming, faults: &p.faults, records: &p.records, settler: &f.settler,
	}
	f.healer = healer{
		memory: m, opened: &p.opened, naming: &f.naming, faults: &p.faults, reader: &p.reader, records: &p.records,
		settler: &f.settler, writer: &f.writer,
	}
	f.publisher = publisher{
		memory: m, opened: &p.opened, naming: &f.naming, faults: &p.faults, syncs: &p.syncs, watch: &p.watch,
		records: &p.records,
	}
	f.clipper = clipper{
		memory: m, opened: &p.opened, faults: &p.faults, syncs: &p.syncs, reader: &p.reader, checks: &p.verifier, records: &p.records,
	}
}
