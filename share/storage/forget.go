package storage

import (
	"fmt"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
)

// Forget reduces r to what hashing cannot recover: where the files of a transfer
// are and whose they are. A transfer that is opened with the result hashes
// everything on disk before it trusts it. The Progress of the result does not
// change with each piece.
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

// ownersOf reduces a progress to which files there are and whose they are.
func ownersOf(encoded []byte, info *metainfo.Info) ([]byte, error) {
	p, err := decodeProgress(encoded, info)
	if err != nil {
		return nil, fmt.Errorf("reading the progress: %w", err)
	}
	p.recorded, p.unknown, p.clipped, p.parts = newBitmap(info.NumPieces), newBitmap(info.NumPieces), nil, nil
	for k := range p.files {
		f := &p.files[k]
		f.stamp, f.suspect, f.failed = stamp{}, false, false
	}
	return p.encode(info), nil
}

// Rekey returns r as the record of the same files under another ID. info is the
// content that r describes.
func Rekey(r Record, info *metainfo.Info, id share.ID) (Record, error) {
	l, err := decodeLayout(r.Layout, info)
	if err != nil {
		return Record{}, err
	}
	under := *info
	under.ID = id // some names follow from it, and are not in the record
	return Record{ID: id, Layout: l.encode(&under), Progress: r.Progress}, nil
}
