package storage

import (
	"fmt"

	"github.com/shoalnet/shoal/share/metainfo"
)

// Forget returns r without anything that hashing finds out again: it tells where
// the files of a transfer are and whose they are, and of none that it is as it
// was. A transfer that is opened with it hashes what is on disk before it trusts
// any of it. The Progress that it returns changes only with what it tells, not
// with each piece.
func Forget(r Record, info *metainfo.Info) (Record, error) {
	if _, err := decodeLayout(r.Layout, info); err != nil {
		return Record{}, fmt.Errorf("reading the layout: %w", err)
	}
	owners, err := ownersOf(r.Progress, info)
	if err != nil {
		return Record{}, err
	}
	return Record{ID: r.ID, Layout: r.Layout, Progress: owners, Owners: owners}, nil
}

// ownersOf is a progress reduced to which files there are, and whose they are.
func ownersOf(encoded []byte, info *metainfo.Info) ([]byte, error) {
	p, err := decodeProgress(encoded, info)
	if err != nil {
		return nil, fmt.Errorf("reading the progress: %w", err)
	}
	p.recorded, p.unknown, p.clipped = newBitmap(info.NumPieces), newBitmap(info.NumPieces), nil
	for k := range p.files {
		f := &p.files[k]
		f.stamp, f.suspect, f.failed = stamp{}, false, false
	}
	return p.encode(info), nil
}
