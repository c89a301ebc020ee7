package channel

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

// What a publisher writes into a channel is fetched without anybody having looked
// at it, by everybody who mirrors the channel. So it is the least that finds the
// content: a few entries at a time, each charged a minimum, no more than
// maxMirrored of them, and without the addresses, trackers and web seeds that the
// entry names: those may be anybody's.
const (
	// mirrorAtOnce is how many entries of a channel are fetched at a time.
	mirrorAtOnce = 3
	// mirrorPatience is after how long one that is not complete lets the next
	// begin, and maxUnfinished how many of them there may be.
	mirrorPatience = 30 * time.Minute
	maxUnfinished  = 20
	// minCharge is what an entry takes of the quota at least.
	minCharge = 1 << 20
	// maxMirrored is how many entries of a channel are fetched in all.
	maxMirrored = 2000
	// mirrorPause is how often it is looked whether the next may begin; less often
	// where that takes long, see waits.
	mirrorPause = 2 * time.Second
)

func charge(bytes int64) int64 { return max(bytes, minCharge) }

// mirror begins to fetch what is in a mirrored channel and was not fetched for
// it before, newest first, as far as the quota goes, a few at a time. What was
// begun is in the state, and what waits is the rest of the catalogue: a restart
// goes on from there. Nothing is deleted: what left the channel counts for as
// long as it is here.
func (c *channel) mirror(ctx context.Context) error {
	r := c.now()
	queued := false
	defer func() {
		c.mu.Lock()
		c.queued = queued
		c.mu.Unlock()
	}()
	if r.own || r.mirror == 0 || r.loaded.IsZero() {
		return nil
	}
	done := fmt.Sprint(r.loaded, r.mirror)
	if c.mirrored == done {
		return nil
	}
	was, err := c.m.state.mirrored(ctx, c.id)
	if err != nil {
		return err
	}
	var all []index.Entry
	_, err = c.read(ctx, r.loaded, func(entries iter.Seq2[index.Entry, error]) error {
		for e, err := range entries {
			if err != nil {
				return err
			}
			if _, done := was[e.ID]; !done {
				all = append(all, index.Entry{ID: e.ID, Name: e.Name, Bytes: e.Bytes, Time: e.Time})
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
		if !c.m.cfg.Swarm.Has(id) {
			continue
		}
		left -= charge(n)
		if c.m.cfg.Swarm.Unfinished(id) {
			unfinished++
			if c.patient(id) {
				active++
			}
		}
	}
	skipped := 0
	slices.SortStableFunc(all, func(a, b index.Entry) int { return cmp.Compare(b.Time.Unix(), a.Time.Unix()) })
	dir := filepath.Join(c.m.cfg.Downloads(), folderName(r.link))
	for _, e := range all {
		if c.m.cfg.Swarm.Has(e.ID) {
			continue
		}
		if e.Bytes <= 0 || charge(e.Bytes) > left || count >= maxMirrored {
			skipped++
			continue
		}
		if active >= mirrorAtOnce || unfinished >= maxUnfinished {
			queued = true
			break
		}
		if err := c.m.cfg.Swarm.Begin(ctx, share.Link{ID: e.ID, Name: e.Name, Length: e.Bytes}, dir, e.Bytes); err != nil {
			return fmt.Errorf("mirroring %q: %w", e.Name, err)
		}
		if err := c.m.state.mirror(ctx, c.id, e.ID, e.Bytes); err != nil {
			return err
		}
		c.begun[e.ID] = c.m.cfg.Now()
		active, unfinished, count = active+1, unfinished+1, count+1
		left -= charge(e.Bytes)
	}
	if !queued {
		c.mirrored = done
	}
	c.mu.Lock()
	c.taken, c.left = r.mirror-left, skipped
	c.mu.Unlock()
	return nil
}

// patient tells whether an entry that is not complete is still waited for.
func (c *channel) patient(id share.ID) bool {
	now := c.m.cfg.Now()
	at, ok := c.begun[id]
	if !ok { // by an earlier run
		at, c.begun[id] = now, now
	}
	return now.Sub(at) < mirrorPatience
}

// waits tells whether entries wait for others to be fetched, and how long until
// it is looked again: reading a huge catalogue for it gets a hundredth of a core.
func (c *channel) waits() (rest time.Duration, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(c.m.pause, 100*c.load), c.queued
}

// more begins what waits, without looking the channel up.
func (c *channel) more(ctx context.Context) error {
	if err := c.lock(ctx); err != nil {
		return err
	}
	defer c.unlock()
	return c.mirror(ctx)
}

// folderName is the folder that a mirrored channel goes into.
func folderName(l index.ChannelLink) string {
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) {
			return '-'
		}
		return r
	}, cut(l.Name, 100))
	return strings.TrimLeft(strings.Trim(name, " .")+" ", " ") + l.Local().Short()
}
