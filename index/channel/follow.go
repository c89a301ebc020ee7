package channel

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

// Follow follows the channel that a link names. mirror is the maximum size of the entries
// that are fetched automatically, in bytes; 0 fetches none, and so does nil for a new
// channel. A channel that is already followed is looked up now, and its mirror is set
// unless mirror is nil. For a sealed channel that is followed without its secret, a link
// with the secret makes it readable.
func (m *Manager) Follow(ctx context.Context, l index.ChannelLink, mirror *int64) (index.Channel, error) {
	r := row{link: l}
	if mirror != nil {
		if r.mirror = *mirror; r.mirror < 0 {
			return index.Channel{}, share.Errorf(share.Usage, "a quota must not be negative")
		}
	}
	r.link.Name = cleanLine(l.Name, maxName)
	c, added, err := m.add(ctx, r)
	if err != nil {
		return index.Channel{}, err
	}
	if !added && !c.now().own && mirror != nil {
		if err := c.change(ctx, func(r *row) { r.mirror = *mirror }); err != nil {
			return index.Channel{}, err
		}
	}
	if !added && !l.Secret.IsZero() {
		if err := c.learn(ctx, l); err != nil {
			return index.Channel{}, err
		}
	}
	c.lookUpSoon()
	return c.info(), nil
}

// learn takes the secret of a link, unless the catalogue in use was sealed with another.
func (c *channel) learn(ctx context.Context, l index.ChannelLink) error {
	r := c.now()
	if r.link.Secret == l.Secret {
		return nil
	}
	if r.own {
		return share.Errorf(share.Usage, "the link of your own channel %q has another secret than the channel, so it is not changed", r.link.Name)
	}
	if !r.loaded.IsZero() {
		f, size, err := c.m.cfg.Swarm.Open(ctx, r.loaded)
		if err != nil {
			return err
		}
		defer f.Close()
		read, err := NewSealedReader(f, size, l)
		if err != nil {
			return share.Wrapf("following the channel: %w", err)
		}
		read.Close()
	}
	err := c.change(ctx, func(r *row) {
		if r.link.Secret = l.Secret; r.link.Name == "" {
			r.link.Name = cleanLine(l.Name, maxName)
		}
	})
	if err != nil {
		return err
	}
	signal(c.lost) // the local catalogue has it without names
	return nil
}

// Unfollow removes a channel, its entries and its catalogue. Mirrored content stays.
// An own channel is removed, with its key, only if own is set.
func (m *Manager) Unfollow(ctx context.Context, ref string, own bool) (index.Channel, error) {
	c, err := m.resolve(ref)
	if err != nil {
		return index.Channel{}, err
	}
	info := c.info()
	if info.Own && !own {
		return info, share.Errorf(share.Usage, "%q is your own channel: removing it deletes its key and must be confirmed", info.Name)
	}
	m.mu.Lock()
	delete(m.channels, c.id)
	for i := range m.order {
		if m.order[i] == c {
			m.order = append(m.order[:i:i], m.order[i+1:]...)
			break
		}
	}
	stop, done := c.stop, c.done
	m.mu.Unlock()
	if done != nil {
		stop()
		<-done
	}
	if err := c.lock(ctx); err != nil { // an explicit Publish may still be running
		return info, err
	}
	defer c.unlock()
	c.mu.Lock()
	c.gone = true
	r := c.row
	c.mu.Unlock()
	if err := m.state.drop(ctx, c.id); err != nil {
		return info, err
	}
	if info.Own {
		if err := removeKey(m.cfg.Dir, c.id); err != nil {
			return info, err
		}
	}
	for _, id := range []share.ID{r.loaded, r.before} {
		c.dropCatalogue(id)
	}
	if newest, err := target(r.item.Value); err == nil {
		c.dropCatalogue(newest)
	}
	if err := os.RemoveAll(c.dir()); err != nil {
		m.log.Warn("cannot remove the folder of a channel", "channel", c.id.Short(), "error", err)
	}
	return info, m.cfg.Catalogue.Drop(ctx, c.id)
}

// dropCatalogue stops sharing a catalogue of this channel.
func (c *channel) dropCatalogue(id share.ID) {
	if id.IsZero() {
		return
	}
	if err := c.m.cfg.Swarm.Drop(id, c.dir()); err != nil {
		c.m.log.Warn("cannot drop an old catalogue", "channel", c.id.Short(), "id", id, "error", err)
	}
}

// loop looks up the channel periodically, and publishes an own channel after
// changes.
func (c *channel) loop(ctx context.Context) {
	// Spread the first lookups after the start of the node.
	look := time.Now().Add(time.Duration(rand.Int64N(int64(min(c.m.cfg.Poll, 10*time.Second)))))
	failed := 0
	if c.m.cfg.DHT == nil {
		look = look.AddDate(100, 0, 0)
	}
	for {
		wait := time.Until(look)
		rest, waits := c.mirrorWait()
		if waits {
			wait = min(wait, rest)
		}
		if due, ok := c.due(); ok {
			wait = min(wait, due)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-c.changes:
			timer.Stop()
			continue
		case <-c.lost:
			timer.Stop()
			c.refill(ctx)
			continue
		case <-c.wake:
			timer.Stop()
		case <-timer.C:
			if _, due := c.due(); !due && waits && time.Now().Before(look) {
				if err := c.mirrorMore(ctx); err != nil && ctx.Err() == nil {
					c.report(err)
				}
				continue
			}
		}
		err := c.step(ctx)
		if ctx.Err() != nil {
			return
		}
		c.report(err)
		if err != nil {
			failed++
		} else {
			failed = 0
		}
		look = time.Now().Add(c.pause(failed))
	}
}

// pause returns the time until the next lookup of the channel: Poll, or less after
// the first failures, or more if loading takes long, so that a channel that keeps
// changing a huge catalogue uses at most a hundredth of a core.
func (c *channel) pause(failed int) time.Duration {
	poll := c.m.cfg.Poll
	if failed > 0 {
		poll = min(poll, 2*time.Second<<min(failed-1, 12))
	}
	c.mu.Lock()
	poll = max(poll, 100*c.load)
	c.mu.Unlock()
	return poll*3/4 + time.Duration(rand.Int64N(int64(poll/2)+1))
}

// due returns when to publish an own channel with changes.
func (c *channel) due() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.row.own || !c.row.dirty || c.row.restoring || c.problem.Pattern != "" {
		return 0, false
	}
	now := c.m.cfg.Now()
	quiet := c.last.Add(c.m.cfg.Settle).Sub(now)
	latest := c.changed.Add(maxSettle).Sub(now)
	return max(0, min(quiet, latest, c.m.cfg.Settle)), true
}

// tidy drops catalogues that were shared but not recorded before the node was
// killed.
func (c *channel) tidy() {
	r := c.now()
	keep := []share.ID{r.loaded, r.before}
	if newest, err := target(r.item.Value); err == nil {
		keep = append(keep, newest)
	}
	if err := c.m.cfg.Swarm.Tidy(c.dir(), keep...); err != nil {
		c.m.log.Warn("cannot drop old catalogues", "channel", c.id.Short(), "error", err)
	}
}

// step does the work that is due for the channel.
func (c *channel) step(ctx context.Context) error {
	if err := c.lock(ctx); err != nil {
		return err
	}
	defer c.unlock()
	if !c.tidied {
		c.tidied = true
		c.tidy()
	}
	if err := c.lookUp(ctx); err != nil {
		return err
	}
	r := c.now()
	if due, ok := c.due(); r.own && !r.restoring && (ok && due == 0 || r.dirty && c.lastProblem() != "") {
		if err := c.publish(ctx); err != nil {
			return err
		}
	}
	if err := c.republish(ctx); err != nil {
		return err
	}
	return c.mirror.step(ctx, c.now(), c.read)
}

func (c *channel) lastProblem() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.problem.String()
}

// lookUp gets the channel's item from the DHT, accepts it if it is newer than the
// last one, and loads the catalogue that it points to.
func (c *channel) lookUp(ctx context.Context) error {
	r := c.now()
	if err := c.acquireSlot(ctx); err != nil {
		return err
	}
	c.lookedUp, c.found = false, nil
	asking, cancel := context.WithTimeout(ctx, c.m.lookupTime)
	it, err := c.m.cfg.DHT.GetMutable(asking, r.link.ID, r.link.Salt, -1)
	cancel()
	c.releaseSlot()
	switch {
	case errors.Is(err, index.ErrUnknown):
		// The DHT no longer has the item: it is put again below, if we have it.
		c.putSoon()
		if r.item.Value == nil && !r.own {
			return share.Errorf(share.Nobody, "the channel was not found yet: no node in the DHT has its item")
		}
	case err != nil:
		return lookupError(err)
	default:
		if err := c.accept(ctx, it); err != nil {
			return err
		}
		c.found = &it.Seq
	}
	c.lookedUp = true
	return c.fetch(ctx)
}

// putSoon makes the next republish put the item at once.
func (c *channel) putSoon() {
	c.mu.Lock()
	c.put = time.Time{}
	c.mu.Unlock()
}

// accept checks an item from the DHT and stores it if it is newer than the last one.
// An older one changes nothing, even with a valid signature.
func (c *channel) accept(ctx context.Context, it index.Item) error {
	r := c.now()
	if _, err := check(r.link, it); err != nil {
		return err
	}
	switch {
	case it.Seq < r.item.Seq:
		c.putSoon()
		return nil
	case it.Seq == r.item.Seq && r.item.Value != nil:
		if !bytes.Equal(it.Value, r.item.Value) {
			c.m.log.Warn("a channel's key signed two versions with the same sequence; keeping the first one seen", "channel", c.id.Short(), "seq", it.Seq)
			c.putSoon()
		}
		return nil
	}
	// After unfollowing and following again, the same sequence is accepted once more.
	it.Value, it.Salt = bytes.Clone(it.Value), r.link.Salt
	if err := c.change(ctx, func(r *row) { r.item = it }); err != nil {
		return err
	}
	// Drop the older catalogue whose fetch never completed.
	if old, err := target(r.item.Value); err == nil && old != r.loaded && old != r.before && !bytes.Equal(it.Value, r.item.Value) {
		c.dropCatalogue(old)
	}
	return nil
}

// fetch fetches and loads the newest catalogue unless it is already in use.
func (c *channel) fetch(ctx context.Context) error {
	r := c.now()
	if r.item.Value == nil {
		return nil
	}
	newest, err := target(r.item.Value)
	if err != nil {
		return err
	}
	if newest == r.loaded && !r.restoring {
		return nil
	}
	if newest != r.loaded {
		limit := fetchTime
		if r.own {
			limit = fetchOwnTime
		}
		fetching, cancel := context.WithTimeout(ctx, limit)
		err := c.m.cfg.Swarm.Fetch(fetching, newest, filepath.Join(c.dir(), newest.String()), MaxBytes)
		cancel()
		if err != nil {
			return share.Wrapf("fetching the catalogue of the channel: %w", err)
		}
	}
	if err := c.acquireSlot(ctx); err != nil {
		return err
	}
	start := time.Now()
	err = c.loadFrom(ctx, newest)
	c.releaseSlot()
	c.mu.Lock()
	c.load = min(time.Since(start), time.Minute)
	c.mu.Unlock()
	if err != nil {
		return share.Wrapf("loading the catalogue of the channel: %w", err)
	}
	if !r.own {
		c.dropCatalogue(r.loaded)
	}
	return nil
}

// loadFrom loads a channel's catalogue into the local one and, for an own channel,
// into its list of entries.
func (c *channel) loadFrom(ctx context.Context, id share.ID) error {
	r := c.now()
	n := 0
	head, err := c.read(ctx, id, func(entries iter.Seq2[index.Entry, error]) error {
		counted := func(yield func(index.Entry, error) bool) {
			for e, err := range entries {
				if n++; !yield(e, err) {
					return
				}
			}
		}
		if r.own {
			var all []index.Entry
			for e, err := range counted {
				if err != nil {
					return err
				}
				all = append(all, e)
			}
			if err := c.m.state.adopt(ctx, c.id, all); err != nil {
				return err
			}
			return c.showOwn(ctx)
		}
		return c.m.cfg.Catalogue.Replace(ctx, c.id, r.versionOf(id), counted)
	})
	if err != nil {
		return err
	}
	err = c.change(ctx, func(r *row) {
		if r.own {
			r.before = r.loaded
		}
		if !r.own {
			r.entries = n
		}
		if id != r.loaded {
			r.updated = c.m.cfg.Now().UTC()
		}
		r.loaded, r.restoring = id, false
		r.sealed = head.Sealed
		if head.Link.Name != "" {
			r.link.Name = head.Link.Name
		}
		r.about = head.About
	})
	if err != nil {
		return err
	}
	if !r.own {
		c.report(nil) // it was found, whatever the last look said
	}
	c.m.log.Info("a channel was loaded", "channel", c.id.Short(), "entries", n, "seq", r.item.Seq)
	return nil
}

// read calls do with the entries of a complete catalogue.
func (c *channel) read(ctx context.Context, id share.ID, do func(iter.Seq2[index.Entry, error]) error) (Head, error) {
	f, size, err := c.m.cfg.Swarm.Open(ctx, id)
	if err != nil {
		return Head{}, err
	}
	defer f.Close()
	now := c.now()
	var r *Reader
	if now.link.Secret.IsZero() {
		r, err = NewReader(f, size)
	} else {
		r, err = NewSealedReader(f, size, now.link)
	}
	if err != nil {
		return Head{}, err
	}
	defer r.Close()
	switch l := r.Head.Link; {
	case l.ID != now.link.ID || !bytes.Equal(l.Salt, now.link.Salt):
		return Head{}, share.Errorf(share.Refused, "the catalogue belongs to another channel, %s", l.ID.Short())
	case now.own && r.Head.Sealed && now.link.Secret.IsZero():
		return Head{}, share.Errorf(share.Refused, "the catalogue is sealed, and the key of the channel does not have its secret")
	}
	err = do(r.Entries(c.id))
	if n := r.Skipped(); n > 0 {
		c.m.log.Info("a catalogue has invalid lines", "channel", c.id.Short(), "lines", n)
	}
	return r.Head, err
}

// refill loads the channel into a local catalogue that lost it.
func (c *channel) refill(ctx context.Context) {
	if c.lock(ctx) != nil {
		return
	}
	defer c.unlock()
	if c.acquireSlot(ctx) != nil {
		return
	}
	defer c.releaseSlot()
	r := c.now()
	var err error
	switch {
	case r.own:
		err = c.showOwn(ctx)
	case !r.loaded.IsZero():
		err = c.loadFrom(ctx, r.loaded)
	}
	if err != nil && ctx.Err() == nil {
		c.m.log.Error("cannot load a channel into the catalogue again", "channel", c.id.Short(), "error", err)
	}
}

// version is the version that the local catalogue should have of the channel.
func (c *channel) version() string {
	r := c.now()
	switch {
	case r.own:
		return "own"
	case r.loaded.IsZero():
		return ""
	}
	return r.versionOf(r.loaded)
}

// republish puts the item into the DHT again when it is due, also for followed channels.
func (c *channel) republish(ctx context.Context) error {
	r := c.now()
	c.mu.Lock()
	put := c.put
	c.mu.Unlock()
	if r.item.Value == nil || c.m.cfg.Now().Sub(put).Abs() < keepTime {
		return nil
	}
	putting, cancel := context.WithTimeout(ctx, c.m.lookupTime)
	defer cancel()
	if _, err := c.m.cfg.DHT.PutMutable(putting, r.item, nil); errors.Is(err, index.ErrStale) {
		c.lookUpSoon() // the DHT has a newer one
	} else if err != nil {
		return putError(err)
	}
	c.mu.Lock()
	c.put = c.m.cfg.Now()
	c.mu.Unlock()
	return nil
}
