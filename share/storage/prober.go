package storage

import (
	"crypto/rand"
	"errors"
	"io"
)

// prober finds out whether the disk works again. It tries the operation that
// failed, or a harmless one like it.
type prober struct {
	*memory
	opened *openFiles
}

// attempt tries what failed.
func (p *prober) attempt(f *fault) error {
	// A mount may have come or gone: open handles would lead to the old files.
	p.opened.closeAll()
	switch f.op {
	case opRecord:
		return nil // the sync that follows saves a record
	case opRead:
		return p.attemptRead(f)
	}
	if p.own != nil {
		return nil
	}
	if f.file >= 0 && p.stateOf(f.file) == partial {
		h, err := p.opened.acquire(f.file, true)
		if err != nil {
			return err
		}
		h.unpin()
	}
	return p.attemptWrite()
}

func (p *prober) attemptRead(f *fault) error {
	h, err := p.opened.acquire(f.file, false)
	if errors.Is(err, errAbsent) {
		return nil
	}
	if err != nil {
		return err
	}
	defer h.unpin()
	if _, err = h.file.ReadAt(make([]byte, 1), f.at); err == io.EOF {
		return nil // the next read reports it
	}
	return err
}

// attemptWrite writes and syncs a file that has a name only for a moment. It is as
// long as what is missing, and at most probeBytes.
func (p *prober) attemptWrite() error {
	p.mu.Lock()
	missing := int64(p.numPieces()-p.known.have.count()) * p.info.PieceLength
	p.mu.Unlock()
	p.opening.Lock()
	d, err := p.opened.openFolder(true)
	p.opening.Unlock()
	if err != nil {
		return err
	}
	defer d.unpin()
	name := ".shoal-" + rand.Text()
	h, err := d.dir.open(name, mode{write: true, create: true})
	if err != nil {
		return err
	}
	removed := d.dir.remove(name) == nil
	// Zeros would take no space on some file systems.
	b := make([]byte, min(max(missing, 1), probeBytes))
	rand.Read(b)
	if _, err = h.WriteAt(b, 0); err == nil {
		err = h.Sync()
	}
	h.Close()
	if !removed {
		err = errors.Join(err, d.dir.remove(name))
	}
	return err
}

// probeBytes is the most that a probe writes.
const probeBytes = 256 << 10
