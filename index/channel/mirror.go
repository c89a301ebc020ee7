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
	// longer if a check takes long, see waits.
	mirrorPause = 2 * time.Second
)

func charge(bytes int64) int64 { return max(bytes, minCharge) }

// mirror starts to fetch entries of a mirrored channel that were not fetched for it
// before, newest first, within the quota and a few at a time. The entries it has
// started are in the state and the others wait in the catalogue, so a restart
// continues from there. Nothing is deleted: content whose entry left the channel
// counts as long as the node has it.
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

// patient reports whether an entry that is not complete still holds back the next one.
func (c *channel) patient(id share.ID) bool {
	now := c.m.cfg.Now()
	at, ok := c.begun[id]
	if !ok { // started by an earlier run
		at, c.begun[id] = now, now
	}
	return now.Sub(at) < mirrorPatience
}

// waits reports whether entries wait for others to be fetched, and the time until the
// next check: reading a huge catalogue for it uses at most a hundredth of a core.
func (c *channel) waits() (rest time.Duration, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(c.m.pause, 100*c.load), c.queued
}

// more starts waiting entries without a lookup of the channel.
func (c *channel) more(ctx context.Context) error {
	if err := c.lock(ctx); err != nil {
		return err
	}
	defer c.unlock()
	return c.mirror(ctx)
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
