package channel

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

// Create creates a channel of this node's own. A sealed one can be read only with its
// full link.
func (m *Manager) Create(ctx context.Context, name, about string, sealed bool) (index.Channel, error) {
	k, err := NewKey(name, sealed)
	if err != nil {
		return index.Channel{}, err
	}
	if k.Name == "" {
		return index.Channel{}, share.Errorf(share.Usage, "a channel needs a name with visible characters")
	}
	for _, c := range m.all() {
		if i := c.info(); i.Own && i.Name == k.Name {
			return index.Channel{}, share.Errorf(share.Usage, "you already have a channel %q, %s", k.Name, i.ID.Short())
		}
	}
	return m.own(ctx, k, row{link: k.Link(), about: cleanText(about, maxAbout), sealed: sealed, own: true, dirty: true})
}

// Import imports an exported key. It asks the channel's followers for its entries;
// until they are found, the channel is published only on request.
func (m *Manager) Import(ctx context.Context, k Key) (index.Channel, error) {
	if k.secret == nil {
		return index.Channel{}, share.Errorf(share.Refused, "no key was given to import")
	}
	return m.own(ctx, k, row{link: k.Link(), sealed: !k.Sealed.IsZero(), own: true, restoring: true})
}

func (m *Manager) own(ctx context.Context, k Key, r row) (index.Channel, error) {
	if err := k.save(m.cfg.Dir); err != nil {
		return index.Channel{}, err
	}
	c, added, err := m.add(ctx, r)
	if err != nil {
		return index.Channel{}, err
	}
	if !added && !c.now().own {
		// It was followed until now: its catalogue becomes its list of entries.
		err := c.change(ctx, func(now *row) {
			now.own, now.restoring, now.mirror = true, true, 0
			now.link.Secret, now.sealed = k.Sealed, r.sealed
		})
		if err != nil {
			return index.Channel{}, err
		}
	}
	if _, err := c.key(); err != nil {
		return index.Channel{}, err
	}
	if err := c.showOwn(ctx); err != nil {
		m.log.Error("cannot show an own channel in the catalogue", "channel", c.id.Short(), "error", err)
	}
	c.lookUpSoon()
	return c.info(), nil
}

// Edit changes the name or description of an own channel, or the mirror of a
// followed one.
func (m *Manager) Edit(ctx context.Context, ref string, edit index.ChannelChange) (index.Channel, error) {
	c, err := m.resolve(ref)
	if err != nil {
		return index.Channel{}, err
	}
	own := c.now().own
	switch {
	case !own && (edit.Name != nil || edit.About != nil):
		return index.Channel{}, share.Errorf(share.Usage, "only the holder of a channel's key can change its name and description")
	case own && edit.Mirror != nil:
		return index.Channel{}, share.Errorf(share.Usage, "your own channel cannot be mirrored")
	case edit.Mirror != nil && *edit.Mirror < 0:
		return index.Channel{}, share.Errorf(share.Usage, "a quota must not be negative")
	case edit.Name != nil && cleanLine(*edit.Name, maxName) == "":
		return index.Channel{}, share.Errorf(share.Usage, "a channel needs a name with visible characters")
	}
	if edit.Name != nil {
		if err := renameKey(m.cfg.Dir, c.id, *edit.Name); err != nil {
			return index.Channel{}, err
		}
	}
	err = c.change(ctx, func(r *row) {
		if edit.Name != nil {
			r.link.Name = cleanLine(*edit.Name, maxName)
		}
		if edit.About != nil {
			r.about = cleanText(*edit.About, maxAbout)
		}
		if edit.Mirror != nil {
			r.mirror = *edit.Mirror
		}
		if edit.Name != nil || edit.About != nil {
			r.dirty = true
			c.noteChange()
		}
	})
	if err != nil {
		return index.Channel{}, err
	}
	if own {
		signal(c.changes)
	} else {
		c.lookUpSoon()
	}
	return c.info(), nil
}

// Put adds entries to an own channel, or replaces those with the same IDs.
func (m *Manager) Put(ctx context.Context, ref string, entries []index.Entry) (index.Channel, error) {
	c, err := m.ownNamed(ref)
	if err != nil {
		return index.Channel{}, err
	}
	now := c.now()
	kind := now.kind()
	var all []index.Entry
	for _, e := range entries {
		if l, err := share.ParseLink(e.Link); err == nil && !l.Secret.IsZero() && kind != sealedList {
			return index.Channel{}, share.Errorf(share.Usage, "%s is a sealed share, and channel %q is not sealed: its entries are public; add the share to a sealed channel (shoal channel new --sealed NAME), or its blind link to have others seed it (shoal link --blind)", e.ID.Short(), now.link.Name)
		}
		e, ok := clean(e, kind)
		if !ok {
			return index.Channel{}, share.Errorf(share.Refused, "an entry of a channel must have an ID")
		}
		if e.Time.IsZero() {
			e.Time = m.cfg.Now().UTC().Truncate(time.Second)
		}
		e.Channel = c.id
		all = append(all, e)
	}
	c.editing.Lock()
	defer c.editing.Unlock()
	n, err := m.state.add(ctx, c.id, all)
	if err != nil {
		return index.Channel{}, err
	}
	return c.edited(ctx, n, func() error { return m.cfg.Catalogue.Put(ctx, c.id, all...) })
}

// Remove removes entries from an own channel. The error wraps index.ErrUnknown if it
// has none of them.
func (m *Manager) Remove(ctx context.Context, ref string, ids []share.ID) (index.Channel, error) {
	c, err := m.ownNamed(ref)
	if err != nil {
		return index.Channel{}, err
	}
	c.editing.Lock()
	defer c.editing.Unlock()
	n, left, err := m.state.remove(ctx, c.id, ids)
	if err != nil {
		return index.Channel{}, err
	}
	if n == 0 {
		return index.Channel{}, index.Unknown(fmt.Sprintf("channel %q has no entry of that ID", c.now().link.Name))
	}
	return c.edited(ctx, left, func() error { return m.cfg.Catalogue.Remove(ctx, c.id, ids...) })
}

// edited marks an own channel for publication and updates the catalogue. editing is
// held.
func (c *channel) edited(ctx context.Context, n int, show func() error) (index.Channel, error) {
	// At once, because a running publication may be about to record that it is complete.
	err := c.change(ctx, func(r *row) {
		r.dirty, r.entries = true, n
		c.noteChange()
	})
	if err != nil {
		return index.Channel{}, err
	}
	if err := show(); err != nil {
		c.m.log.Error("cannot show an own channel in the catalogue", "channel", c.id.Short(), "error", err)
	}
	signal(c.changes)
	return c.info(), nil
}

// touch starts or extends the settle time of an own channel; mu is held.
func (c *channel) noteChange() {
	now := c.m.cfg.Now()
	if c.changed.IsZero() {
		c.changed = now
	}
	c.last = now
}

func (m *Manager) ownNamed(ref string) (*channel, error) {
	c, err := m.resolve(ref)
	if err != nil {
		return nil, err
	}
	if r := c.now(); !r.own {
		return nil, share.Errorf(share.Usage, "channel %q is followed, not published by this node: only the holder of its key can change it", r.link.Name)
	}
	return c, nil
}

// Entries returns the entries of an own channel, including unpublished changes.
func (m *Manager) Entries(ctx context.Context, ref string) ([]index.Entry, error) {
	c, err := m.ownNamed(ref)
	if err != nil {
		return nil, err
	}
	return m.state.entries(ctx, c.id)
}

// Publish publishes an own channel now, even if its earlier entries were not found
// after an import, and returns when it is published.
func (m *Manager) Publish(ctx context.Context, ref string) (index.Channel, error) {
	c, err := m.ownNamed(ref)
	if err != nil {
		return index.Channel{}, err
	}
	if m.cfg.DHT == nil {
		return index.Channel{}, share.Errorf(share.Failed, "this node runs without a DHT, which publishing needs")
	}
	if err := c.lock(ctx); err != nil {
		return index.Channel{}, err
	}
	defer c.unlock()
	err = c.lookUp(ctx)
	if err != nil && !c.now().restoring {
		return index.Channel{}, err
	}
	err = c.publish(ctx)
	c.report(err)
	if err != nil {
		return index.Channel{}, err
	}
	return c.info(), nil
}

// publish writes the catalogue of an own channel, shares it, and puts an item that
// points to it into the DHT. busy is held.
func (c *channel) publish(ctx context.Context) error {
	c.mu.Lock()
	c.changed, c.last = time.Time{}, time.Time{}
	c.mu.Unlock()
	k, err := c.key()
	if err != nil {
		return err
	}
	entries, err := c.m.state.entries(ctx, c.id)
	if err != nil {
		return err
	}
	r := c.now()
	head := Head{Link: r.link, About: r.about}
	if r.link.Secret != k.Sealed {
		return share.Errorf(share.Failed, "publishing the channel: its key does not have the secret that its link has (shoal channel import FILE brings back the key)")
	}
	path, err := c.write(head, func(b *bytes.Buffer) error { return Write(b, head, entries) })
	if err != nil {
		return err
	}
	id, err := c.m.cfg.Swarm.Publish(ctx, path)
	if err != nil {
		return share.Wrapf("sharing the catalogue of the channel: %w", err)
	}
	if err := c.announce(ctx, k, id); err != nil {
		return err
	}
	if err := c.m.state.settle(ctx, c.id, entries); err != nil {
		return err
	}
	old := r.before
	err = c.change(ctx, func(now *row) {
		now.restoring = false
		if id != now.loaded {
			now.before, now.loaded = now.loaded, id
		}
		now.updated = c.m.cfg.Now().UTC()
		c.put = c.m.cfg.Now()
		// Changes made meanwhile are published next.
		now.dirty = !c.last.IsZero()
	})
	if err != nil {
		return err
	}
	if now := c.now(); old != now.before && old != now.loaded {
		c.dropCatalogue(old)
	}
	c.m.log.Info("a channel was published", "channel", c.id.Short(), "entries", len(entries), "seq", c.now().item.Seq, "catalogue", id)
	return nil
}

// write writes the catalogue into a folder of its own, named by its content, where
// it stays as long as it is shared.
func (c *channel) write(h Head, fill func(*bytes.Buffer) error) (string, error) {
	var b bytes.Buffer
	if err := fill(&b); err != nil {
		return "", err
	}
	sum := sha256.Sum256(b.Bytes())
	dir := filepath.Join(c.dir(), "own-"+hex.EncodeToString(sum[:8]))
	path := filepath.Join(dir, FileName(h.Link))
	if there, err := os.ReadFile(path); err == nil && bytes.Equal(there, b.Bytes()) {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", share.Errorf(share.Disk, "writing the catalogue of a channel: %w", err)
	}
	if err := writeFile(path, b.Bytes()); err != nil {
		return "", share.Errorf(share.Disk, "writing the catalogue of a channel: %w", err)
	}
	return path, nil
}

// FileName is the name of a channel's catalogue in the swarm.
func FileName(l index.ChannelLink) string {
	return "shoal-channel-" + l.Local().Short() + ".jsonl.zst"
}

// putTries bounds the puts of an item while the DHT has newer ones.
const putTries = 5

// announce puts an item that points to id as a replacement of the newest one: the
// one that look has just found, or else the result of a new lookup. Compare-and-swap
// detects another publisher at the same time. The sequence is on disk before any
// other node sees it, so that it is used only once.
func (c *channel) announce(ctx context.Context, k Key, id share.ID) error {
	putting, cancel := context.WithTimeout(ctx, putTime)
	defer cancel()
	for try := 1; ; try++ {
		r := c.now()
		var it index.Item
		var cas *int64 // nodes with an older item refuse; the next try is without it
		if c.lookedUp {
			cas = c.found
		} else if found, err := c.m.cfg.DHT.GetMutable(putting, r.link.ID, r.link.Salt, -1); err == nil {
			if _, err := check(r.link, found); err == nil {
				it = found
			}
			if it.Seq > r.item.Seq {
				return c.overtaken(ctx, it)
			}
			if try == 1 && it.Value != nil {
				cas = &it.Seq
			}
		}
		c.lookedUp = false
		if now, err := target(r.item.Value); err != nil || now != id {
			// The current time is above any sequence that an absent publisher has used.
			seq := max(r.item.Seq, it.Seq, c.m.cfg.Now().Unix()-1) + 1
			if err := c.change(ctx, func(now *row) { now.item = k.sign(seq, id) }); err != nil {
				return err
			}
			r = c.now()
		}
		stored, err := c.m.cfg.DHT.PutMutable(putting, r.item, cas)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, index.ErrStale):
			return putError(err)
		}
		newer, gerr := c.m.cfg.DHT.GetMutable(putting, r.link.ID, r.link.Salt, r.item.Seq)
		if gerr == nil {
			if _, cerr := check(r.link, newer); cerr == nil && newer.Seq > r.item.Seq {
				return c.overtaken(ctx, newer)
			}
		}
		switch {
		case stored > 0 && cas == nil:
			return nil // the node that claims a newer item does not return one
		case try == putTries:
			return share.Wrapf("publishing the channel: %w", err)
		}
	}
}

// overtaken adopts the version that another holder of the key has just published;
// the local changes are added to it at the next publication.
func (c *channel) overtaken(ctx context.Context, it index.Item) error {
	if err := c.accept(ctx, it); err != nil {
		return err
	}
	c.lookUpSoon()
	return share.Wrapf("publishing the channel: another holder of its key has just published: %w", index.ErrStale)
}

// showOwn loads the entries of an own channel into the catalogue.
func (c *channel) showOwn(ctx context.Context) error {
	c.editing.Lock()
	defer c.editing.Unlock()
	entries, err := c.m.state.entries(ctx, c.id)
	if err != nil {
		return err
	}
	if c.now().entries != len(entries) {
		if err := c.change(ctx, func(r *row) { r.entries = len(entries) }); err != nil {
			return err
		}
	}
	return c.m.cfg.Catalogue.Replace(ctx, c.id, "own", func(yield func(index.Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	})
}

// renameKey stores the new name of a channel with its key.
func renameKey(dir string, id index.ChannelID, name string) error {
	k, err := ReadKey(dir, id)
	if err != nil {
		return err
	}
	k.Name = cleanLine(name, maxName)
	return k.save(dir)
}

func removeKey(dir string, id index.ChannelID) error {
	if err := os.Remove(keyFile(dir, id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return share.Errorf(share.Disk, "removing the key of channel %s: %w", id.Short(), err)
	}
	return nil
}
