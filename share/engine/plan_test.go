package engine

import (
	"slices"
	"testing"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/metainfo"
	"github.com/shoalnet/shoal/share/storage"
)

// onDisk is a storage that has some pieces.
type onDisk struct {
	info    *metainfo.Info
	durable map[int]bool
	awaited []storage.Span
}

func (d *onDisk) Await(s []storage.Span) { d.awaited = s }
func (d *onDisk) Select(func(int) bool)  {}
func (d *onDisk) Durable(piece int) bool { return d.durable[piece] }
func (d *onDisk) FileBytes() (n []int64) { return make([]int64, len(d.info.Files)) }
func (d *onDisk) Progress() (p storage.Progress) {
	for i := range d.durable {
		p.Bytes += d.info.PieceSize(i)
	}
	return p
}

// told is a swarm that notes priorities.
type told struct {
	face.Swarm
	is []face.Priority
}

func (s *told) SetPriorities(c face.Change) {
	for i := c.From; i < c.To; i++ {
		s.is[i] = c.Is
	}
}

// threeFiles is content of 3 files with 4 pieces each, of which pieces 3 and 7 are
// in two files.
func threeFiles() *metainfo.Info {
	const length = 16 << 10
	info := &metainfo.Info{Name: "three", Multi: true, PieceLength: length, NumPieces: 12}
	at := int64(0)
	for _, n := range []int64{3*length + 1, 4 * length, 5*length - 1} {
		info.Files = append(info.Files, metainfo.File{Path: []string{"f"}, Offset: at, Length: n})
		at += n
	}
	return info
}

// The priorities of pieces follow from those of files, from where streams read and
// from fetching in order, and the swarm is told all of it.
func TestPlan(t *testing.T) {
	info := threeFiles()
	disk := &onDisk{info: info, durable: map[int]bool{}}
	p := newPlan(info, disk, map[int]share.Priority{0: share.High, 2: share.Skip})
	swarm := &told{is: make([]face.Priority, info.NumPieces)}
	check := func(when string, want ...face.Priority) {
		t.Helper()
		p.apply()
		if !slices.Equal(swarm.is, want) {
			t.Errorf("%s: %v, want %v", when, swarm.is, want)
		}
	}
	const never, normal, high, soon, now = face.Never, face.Normal, face.High, face.Soon, face.Now
	check("without a swarm", never, never, never, never, never, never, never, never, never, never, never, never)
	p.attach(swarm)
	check("one is high, one skipped", high, high, high, high, normal, normal, normal, normal, never, never, never, never)
	if want := []storage.Span{{From: 0, To: 8}}; !slices.Equal(disk.awaited, want) {
		t.Errorf("the storage awaits %v, want %v", disk.awaited, want)
	}
	p.setWindow("a stream", window{7, 10})
	check("a stream reads", high, high, high, high, normal, normal, normal, now, soon, soon, never, never)
	p.setWindow("a stream", window{9, 11})
	check("it reads on", high, high, high, high, normal, normal, normal, normal, never, now, soon, never)
	p.setWindow("a stream", window{})
	p.setFiles(map[int]share.Priority{0: share.Skip})
	check("others are selected", never, never, never, normal, normal, normal, normal, normal, normal, normal, normal, normal)
	if got, want := p.total(), info.Files[1].Length+info.Files[2].Length; got != want {
		t.Errorf("%d bytes are wanted, not %d", got, want)
	}
	for i := range info.NumPieces {
		if p.complete() {
			t.Errorf("complete without piece %d", i)
		}
		disk.durable[i] = true
	}
	if !p.complete() {
		t.Error("it is not complete")
	}
	p.detach()
	p.setFiles(nil)
	check("detached", never, never, never, normal, normal, normal, normal, normal, normal, normal, normal, normal)
}

// Fetching in order wants some pieces from the first missing one on, and none that
// are far.
func TestPlanInOrder(t *testing.T) {
	info := &metainfo.Info{Name: "one", PieceLength: orderAhead, NumPieces: 10}
	info.Files = []metainfo.File{{Length: 10 * orderAhead}}
	disk := &onDisk{info: info, durable: map[int]bool{0: true, 2: true}}
	p := newPlan(info, disk, nil)
	swarm := &told{is: make([]face.Priority, info.NumPieces)}
	p.attach(swarm)
	p.complete()
	p.inOrder(0)
	p.apply()
	const never, normal, soon, now = face.Never, face.Normal, face.Soon, face.Now
	if want := []face.Priority{normal, now, soon, normal, normal, never, never, never, never, never}; !slices.Equal(swarm.is, want) {
		t.Errorf("%v, want %v", swarm.is, want)
	}
	disk.durable[1] = true
	p.complete()
	p.inOrder(orderAhead) // a second brings one piece
	p.apply()
	if want := []face.Priority{normal, normal, normal, now, soon, soon, normal, normal, normal, never}; !slices.Equal(swarm.is, want) {
		t.Errorf("%v, want %v", swarm.is, want)
	}
}
