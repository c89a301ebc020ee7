package channel

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

// Every node that mirrors a channel fetches its entries without a user having seen
// them. So it does as little as is needed to find the content: it fetches a few
// entries at a time and at most maxMirrored in all, charges each a minimum, and does
// not use the addresses, trackers and web seeds of the entry, which may belong to
// anyone.
const (
	// mirrorAtOnce is the number of entries of a channel that are fetched at a time.
	mirrorAtOnce = 3
	// mirrorPatience is how long an entry that is not complete holds back the next
	// one, and maxUnfinished bounds the entries that are not complete.
	mirrorPatience = 30 * time.Minute
	maxUnfinished  = 20
	// minCharge is the least that an entry uses of the quota.
	minCharge = 1 << 20
	// maxMirrored bounds the entries of a channel that are fetched in all.
	maxMirrored = 2000
	// mirrorPause is the interval of checks whether the next entry may start. It is
	// longer if a check takes long, see mirrorWait.
	mirrorPause = 2 * time.Second
)

func charge(bytes int64) int64 { return max(bytes, minCharge) }

// mirror fetches entries of one followed channel, newest first, within a quota and
// a few at a time. The entries it has started are in the state and the others wait
// in the catalogue, so a restart continues from there. It deletes nothing: content
// whose entry left the channel counts as long as the node has it.
//
// One step runs at a time; figures and waiting may be called meanwhile.
type mirror struct {
	id      index.ChannelID
	swarm   mirrorSwarm
	started mirrorRecord
	dir     func(index.ChannelLink) string
	now     func() time.Time

	scanned string                 // catalogue and quota that nothing is left to start of
	begun   map[share.ID]time.Time // when each entry was started

	mu     sync.Mutex
	taken  int64 // used bytes of the quota
	left   int   // entries that did not fit into it
	queued bool  // entries wait for others to be fetched
}

// mirrorSwarm is what a mirror needs of Swarm.
type mirrorSwarm interface {
	Begin(ctx context.Context, link share.Link, dir string, most int64) error
	Has(id share.ID) bool
	Unfinished(id share.ID) bool
}

// mirrorRecord keeps which entries were started, and their sizes.
type mirrorRecord interface {
	mirrored(ctx context.Context, id index.ChannelID) (map[share.ID]int64, error)
	mirror(ctx context.Context, id index.ChannelID, e share.ID, bytes int64) error
}

// catalogueReader calls do with the entries of a catalogue.
type catalogueReader func(ctx context.Context, id share.ID, do func(iter.Seq2[index.Entry, error]) error) (Head, error)

func newMirror(m *Manager, id index.ChannelID) *mirror {
	return &mirror{
		id: id, swarm: m.cfg.Swarm, started: m.state, now: m.cfg.Now, begun: map[share.ID]time.Time{},
		dir: func(l index.ChannelLink) string { return filepath.Join(m.cfg.Downloads(), folderName(l)) },
	}
}

// step starts what may be started now of the channel's catalogue, which read reads.
func (m *mirror) step(ctx context.Context, r row, read catalogueReader) error {
	queued := false
	defer func() {
		m.mu.Lock()
		m.queued = queued
		m.mu.Unlock()
	}()
	if r.own || r.mirror == 0 || r.loaded.IsZero() {
		return nil
	}
	version := fmt.Sprint(r.versionOf(r.loaded), r.mirror)
	if m.scanned == version {
		return nil
	}
	was, err := m.started.mirrored(ctx, m.id)
	if err != nil {
		return err
	}
	var all []wanted
	_, err = read(ctx, r.loaded, func(entries iter.Seq2[index.Entry, error]) error {
		for e, err := range entries {
			if err != nil {
				return err
			}
			if _, started := was[e.ID]; !started {
				all = append(all, wantedOf(&e))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	left, count := r.mirror, len(was)
	active, unfinished := 0, 0
	for id, n := range was {
		if !m.swarm.Has(id) {
			continue
		}
		left -= charge(n)
		if m.swarm.Unfinished(id) {
			unfinished++
			if m.holdsBack(id) {
				active++
			}
		}
	}
	skipped := 0
	slices.SortStableFunc(all, func(a, b wanted) int { return cmp.Compare(b.time, a.time) })
	dir := m.dir(r.link)
	for _, e := range all {
		if m.swarm.Has(e.id) {
			continue
		}
		if e.bytes <= 0 || charge(e.bytes) > left || count >= maxMirrored {
			skipped++
			continue
		}
		if active >= mirrorAtOnce || unfinished >= maxUnfinished {
			queued = true
			break
		}
		if err := m.swarm.Begin(ctx, e.link(), dir, e.bytes); err != nil {
			return share.Wrapf("mirroring %q: %w", cmp.Or(e.name, e.id.Short()), err)
		}
		if err := m.started.mirror(ctx, m.id, e.id, e.bytes); err != nil {
			return err
		}
		m.begun[e.id] = m.now()
		active, unfinished, count = active+1, unfinished+1, count+1
		left -= charge(e.bytes)
	}
	if !queued {
		m.scanned = version
	}
	m.mu.Lock()
	m.taken, m.left = r.mirror-left, skipped
	m.mu.Unlock()
	return nil
}

// wanted is what a mirror needs of an entry that it has not started yet.
type wanted struct {
	id     share.ID
	name   string
	bytes  int64 // what is transferred, which for a sealed share is not the size of the content
	time   int64
	sealed string // link of a sealed share: a secret that is read takes more memory
}

func wantedOf(e *index.Entry) wanted {
	w := wanted{id: e.ID, name: e.Name, bytes: e.Bytes, time: e.Time.Unix()}
	if e.Sealed {
		w.sealed, w.bytes = e.Link, 0
		if l, err := share.ParseLink(e.Link); err == nil {
			w.bytes = l.Length
		}
	}
	return w
}

// link is what to fetch: the entry without its addresses, trackers and web seeds, and with
// its key.
func (w *wanted) link() share.Link {
	link := share.Link{ID: w.id, Name: w.name, Length: w.bytes}
	if l, err := share.ParseLink(w.sealed); err == nil {
		link.Secret = l.Secret
	}
	return link
}

// holdsBack reports whether an entry that is not complete still holds back the next
// one.
func (m *mirror) holdsBack(id share.ID) bool {
	now := m.now()
	at, ok := m.begun[id]
	if !ok { // started by an earlier run
		at, m.begun[id] = now, now
	}
	return now.Sub(at) < mirrorPatience
}

// waiting reports whether entries wait for others to be fetched.
func (m *mirror) waiting() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.queued
}

// figures are the used bytes of the quota, and the entries that did not fit into it.
func (m *mirror) figures() (taken int64, left int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.taken, m.left
}

// mirrorWait reports whether entries wait for others to be fetched, and the time
// until the next check: reading a huge catalogue for it uses at most a hundredth of
// a core.
func (c *channel) mirrorWait() (rest time.Duration, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(c.m.pause, 100*c.load), c.mirror.waiting()
}

// mirrorMore starts waiting entries without a lookup of the channel.
func (c *channel) mirrorMore(ctx context.Context) error {
	if err := c.lock(ctx); err != nil {
		return err
	}
	defer c.unlock()
	return c.mirror.step(ctx, c.now(), c.read)
}

// folderName is the name of the folder for a mirrored channel.
func folderName(l index.ChannelLink) string {
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) {
			return '-'
		}
		return r
	}, cut(l.Name, 100))
	return strings.TrimLeft(strings.Trim(name, " .")+" ", " ") + l.Local().Short()
}
