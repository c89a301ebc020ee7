package channel

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

// mirror begins to fetch what is in a mirrored channel and was not fetched for
// it before, newest first, as far as the quota goes. Nothing is deleted: what
// left the channel counts for as long as it is here.
func (c *channel) mirror(ctx context.Context) error {
	r := c.now()
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
			e.Files, e.About = nil, ""
			all = append(all, e)
		}
		return nil
	})
	if err != nil {
		return err
	}
	left := r.mirror
	for id, n := range was {
		if c.m.cfg.Swarm.Has(id) {
			left -= n
		}
	}
	skipped := 0
	slices.SortStableFunc(all, func(a, b index.Entry) int { return cmp.Compare(b.Time.Unix(), a.Time.Unix()) })
	dir := filepath.Join(c.m.cfg.Downloads(), folderName(r.link))
	for _, e := range all {
		if _, done := was[e.ID]; done || c.m.cfg.Swarm.Has(e.ID) {
			continue
		}
		if e.Bytes <= 0 || e.Bytes > left {
			skipped++
			continue
		}
		link, err := share.ParseLink(e.Link)
		if err != nil {
			continue
		}
		if err := c.m.cfg.Swarm.Begin(ctx, link, dir, e.Bytes); err != nil {
			return fmt.Errorf("mirroring %q: %w", e.Name, err)
		}
		if err := c.m.state.mirror(ctx, c.id, e.ID, e.Bytes); err != nil {
			return err
		}
		left -= e.Bytes
	}
	c.mirrored = done
	c.mu.Lock()
	c.taken, c.left = r.mirror-left, skipped
	c.mu.Unlock()
	return nil
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
