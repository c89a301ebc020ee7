package storage

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Forget keeps where files are and whose they are, and nothing that would make data
// trusted. Its result does not depend on how much of the data is there.
func TestForget(t *testing.T) {
	t.Parallel()
	info := recordInfo()
	l := &layout{base: "own name", names: make([]diskName, len(info.Files))}
	for i := range l.names {
		l.names[i] = diskName{final: defaultName(&info.Files[i]), part: defaultName(&info.Files[i]) + partSuffix}
	}
	few, many := newBitmap(info.NumPieces), newBitmap(info.NumPieces)
	many.setSpan(Span{0, info.NumPieces})
	files := []fileRecord{
		{index: 0, state: users, stamp: stamp{size: 7, mtime: 12345}},
		{index: 1, state: partial, created: true, suspect: true, failed: true, stamp: stamp{size: 3, mtime: 99}},
	}
	var was []byte
	for _, have := range []bitmap{few, many} {
		p := progress{made: true, emptied: true, recorded: have, unknown: newBitmap(info.NumPieces), files: files}
		r, err := Forget(Record{Layout: l.encode(info), Progress: p.encode(info)}, info)
		if err != nil {
			t.Fatal(err)
		}
		q, err := decodeProgress(r.Progress, info)
		if err != nil {
			t.Fatal(err)
		}
		if !q.recorded.empty() || !q.unknown.empty() || !q.made || !q.emptied || !bytes.Equal(r.Layout, l.encode(info)) {
			t.Errorf("%+v", q)
		}
		want := []fileRecord{{index: 0, state: users}, {index: 1, state: partial, created: true}}
		if diff := cmp.Diff(want, q.files, cmp.AllowUnexported(fileRecord{}, stamp{})); diff != "" {
			t.Error(diff)
		}
		if was != nil && !bytes.Equal(was, r.Progress) {
			t.Error("it changes with the pieces that are there")
		}
		was = r.Progress
		again, err := Forget(r, info)
		if err != nil || !bytes.Equal(again.Progress, r.Progress) {
			t.Errorf("forgetting twice is not the same: %v", err)
		}
	}
	for _, bad := range []Record{{}, {Layout: []byte{99}, Progress: was}, {Layout: l.encode(info), Progress: []byte("hello")}} {
		if _, err := Forget(bad, info); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}
