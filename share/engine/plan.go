package engine

import (
	"slices"
	"strings"
	"sync"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/metainfo"
	"github.com/shoalnet/shoal/share/storage"
)

// plan decides which pieces of a transfer are wanted, and how soon. From the priorities of
// files, and from where streams read, it works out the priorities of pieces. A change
// only notes what is different; apply tells the swarm, which may take long.
type plan struct {
	info  *metainfo.Info
	files progress

	applying sync.Mutex // held by apply

	mu       sync.Mutex // never held while the swarm is called
	byFile   []share.Priority
	base     []face.Priority // by the files alone
	windows  map[any]window  // of streams, and of fetching in order
	horizon  int             // pieces from here on wait, when fetching in order
	applied  []face.Priority // what the swarm has been told
	from, to int             // pieces that the swarm may have to be told again
	net      face.Swarm      // nil while there is none
	missing  int             // no wanted piece before this one is missing

	waiting sync.Mutex
	arrived chan struct{} // closed and replaced when a piece arrives
}

// progress is what a plan needs of the storage.
type progress interface {
	Await([]storage.Span)
	Select(func(file int) bool)
	Durable(piece int) bool
	Progress() storage.Progress
	FileBytes() []int64
}

// window is pieces that are wanted before all others, and the first of them now.
type window struct{ from, to int }

func newPlan(info *metainfo.Info, files progress, priorities map[int]share.Priority) *plan {
	p := &plan{
		info: info, files: files,
		byFile:  make([]share.Priority, len(info.Files)),
		windows: make(map[any]window),
		horizon: info.NumPieces,
		arrived: make(chan struct{}),
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.setFilesLocked(priorities)
	return p
}

// setFiles changes the priorities of files; those not in the map are Normal.
func (p *plan) setFiles(priorities map[int]share.Priority) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.setFilesLocked(priorities)
}

func (p *plan) setFilesLocked(priorities map[int]share.Priority) {
	p.missing = 0
	p.from, p.to = 0, p.info.NumPieces
	clear(p.byFile)
	for i, prio := range priorities {
		if i >= 0 && i < len(p.byFile) {
			p.byFile[i] = prio
		}
	}
	p.base = make([]face.Priority, p.info.NumPieces)
	for i := range p.info.Files {
		f := &p.info.Files[i]
		from, to := piecesOf(p.info, f)
		if f.Pad || p.byFile[i] == share.Skip {
			continue
		}
		prio := face.Normal
		if p.byFile[i] == share.High {
			prio = face.High
		}
		for j := from; j < to; j++ {
			p.base[j] = max(p.base[j], prio)
		}
	}
	p.files.Await(p.wantedLocked())
	byFile := slices.Clone(p.byFile)
	p.files.Select(func(i int) bool { return byFile[i] != share.Skip })
}

func (p *plan) wants() []storage.Span {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.wantedLocked()
}

// wantedLocked lists the pieces of the selected files.
func (p *plan) wantedLocked() (wanted []storage.Span) {
	for i, prio := range p.base {
		switch n := len(wanted); {
		case prio == face.Never:
		case n > 0 && wanted[n-1].To == i:
			wanted[n-1].To++
		default:
			wanted = append(wanted, storage.Span{From: i, To: i + 1})
		}
	}
	return wanted
}

// piecesOf is the pieces that hold bytes of f, from up to, not including, to.
func piecesOf(info *metainfo.Info, f *metainfo.File) (from, to int) {
	if f.Length == 0 {
		return 0, 0
	}
	return int(f.Offset / info.PieceLength), int((f.Offset + f.Length + info.PieceLength - 1) / info.PieceLength)
}

// attach gives the plan a swarm, which knows nothing yet.
func (p *plan) attach(net face.Swarm) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.net, p.applied = net, make([]face.Priority, p.info.NumPieces)
	p.from, p.to = 0, p.info.NumPieces
}

// detach takes the swarm away, and returns when it is not called any more.
func (p *plan) detach() {
	p.applying.Lock()
	defer p.applying.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.net, p.applied = nil, nil
}

// setWindow moves the window of who; an empty one removes it.
func (p *plan) setWindow(who any, w window) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.to = min(w.to, p.info.NumPieces)
	was := p.windows[who]
	if was == w {
		return
	}
	if w.from >= w.to {
		delete(p.windows, who)
	} else {
		p.windows[who] = w
	}
	p.dirtyLocked(was.from, was.to)
	p.dirtyLocked(w.from, w.to)
}

// dirtyLocked notes pieces that the swarm may have to be told again.
func (p *plan) dirtyLocked(from, to int) {
	switch {
	case from >= to:
	case p.from >= p.to:
		p.from, p.to = from, to
	default:
		p.from, p.to = min(p.from, from), max(p.to, to)
	}
}

// orderAhead is how many bytes are wanted first when fetching in order, and after them
// the same number at all. It is more when the rate is so high that they would arrive
// within a second.
const orderAhead = 8 << 20

// inOrder moves the window of fetching in order to the first missing piece.
// complete has to be called just before.
func (p *plan) inOrder(rate int64) {
	n := int(max(orderAhead, 2*rate)/p.info.PieceLength) + 1
	p.mu.Lock()
	from := p.missing
	if h := min(from+2*n, p.info.NumPieces); h != p.horizon {
		p.dirtyLocked(min(h, p.horizon), max(h, p.horizon))
		p.horizon = h
	}
	p.mu.Unlock()
	p.setWindow(p, window{from, from + n})
}

func (p *plan) wantLocked(i int) face.Priority {
	prio := p.base[i]
	if i >= p.horizon {
		prio = face.Never
	}
	for _, w := range p.windows {
		switch {
		case i < w.from || i >= w.to:
		case i == w.from:
			return face.Now
		default:
			prio = face.Soon
		}
	}
	return prio
}

// apply tells the swarm what is different. It may take long.
func (p *plan) apply() {
	p.applying.Lock()
	defer p.applying.Unlock()
	for {
		net, c := p.next()
		if net == nil {
			return
		}
		net.SetPriorities(c)
	}
}

// next returns the first change that the swarm has to be told, and counts it as told. The
// swarm is nil when there is none.
func (p *plan) next() (face.Swarm, face.Change) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.net == nil {
		return nil, face.Change{}
	}
	for ; p.from < p.to; p.from++ {
		c := face.Change{From: p.from, To: p.from, Is: p.wantLocked(p.from), Was: p.applied[p.from]}
		if c.Is == c.Was {
			continue
		}
		for c.To < p.to && p.applied[c.To] == c.Was && p.wantLocked(c.To) == c.Is {
			p.applied[c.To] = c.Is
			c.To++
		}
		p.from = c.To
		return p.net, c
	}
	p.from, p.to = 0, 0
	return nil, face.Change{}
}

// complete tells whether every wanted piece is durable.
func (p *plan) complete() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.base[p.missing:] {
		if j := p.missing + i; p.base[j] != face.Never && !p.files.Durable(j) {
			p.missing = j
			return false
		}
	}
	p.missing = 0
	return true
}

// total is the size of the selected files.
func (p *plan) total() (n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, f := range p.info.Files {
		if !f.Pad && p.byFile[i] != share.Skip {
			n += f.Length
		}
	}
	return n
}

// durable is how many bytes of the selected files are right and on disk.
func (p *plan) durable() (n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.selectiveLocked() {
		return p.files.Progress().Bytes
	}
	for i, have := range p.files.FileBytes() {
		if !p.info.Files[i].Pad && p.byFile[i] != share.Skip {
			n += have
		}
	}
	return n
}

// changed is closed when the next piece arrives.
func (p *plan) changed() <-chan struct{} {
	p.waiting.Lock()
	defer p.waiting.Unlock()
	return p.arrived
}

// arrival wakes the streams that wait for a piece. The swarm may hold locks when it
// calls it, so it must not take p.mu.
func (p *plan) arrival() {
	p.waiting.Lock()
	defer p.waiting.Unlock()
	close(p.arrived)
	p.arrived = make(chan struct{})
}

func (p *plan) selectiveLocked() bool {
	for _, prio := range p.byFile {
		if prio == share.Skip {
			return true
		}
	}
	return false
}

// listFiles lists the files of info for callers, without padding and symbolic links.
func listFiles(info *metainfo.Info, priorities map[int]share.Priority, have func(i int) int64) []share.File {
	out := make([]share.File, 0, len(info.Files))
	for i, f := range info.Files {
		if f.Pad || f.Symlink {
			continue
		}
		out = append(out, share.File{
			Index: i, Path: strings.Join(f.Path, "/"), Named: info.Named[i], Bytes: have(i), Total: f.Length, Priority: priorities[i],
		})
	}
	return out
}

func countFiles(info *metainfo.Info) (n int) {
	for _, f := range info.Files {
		if !f.Pad && !f.Symlink {
			n++
		}
	}
	return n
}

// selection returns which files are skipped: those that match no glob and no range. With
// neither, none is.
func selection(info *metainfo.Info, globs []string, ranges []share.Range) (map[int]share.Priority, error) {
	if len(globs) == 0 && len(ranges) == 0 {
		return nil, nil
	}
	skip := make(map[int]share.Priority)
	chosen := 0
	idle := slices.Clone(globs) // those that match nothing
	for i, f := range info.Files {
		if f.Pad || f.Symlink {
			continue
		}
		idle = slices.DeleteFunc(idle, func(g string) bool { return matches(f.Path, []string{g}) })
		if matches(f.Path, globs) || inRanges(i, ranges) {
			chosen++
		} else {
			skip[i] = share.Skip
		}
	}
	switch {
	case len(idle) > 0:
		return nil, share.Errorf(share.Usage, "no file of %q matches %s", info.Name, strings.Join(idle, ", "))
	case chosen == 0:
		return nil, share.Errorf(share.Usage, "no file of %q is selected", info.Name)
	}
	return skip, nil
}

func matches(elements []string, globs []string) bool {
	whole := strings.Join(elements, "/")
	return slices.ContainsFunc(globs, func(g string) bool { return share.MatchPath(g, whole) })
}

func inRanges(i int, ranges []share.Range) bool {
	for _, r := range ranges {
		if i >= r.First && i <= r.Last {
			return true
		}
	}
	return false
}
