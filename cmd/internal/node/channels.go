package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/index/catalog"
	"github.com/shoalnet/shoal/index/channel"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine"
)

// ChannelDir is the folder of the keys and catalogues of channels in a state directory.
func ChannelDir(state string) string { return filepath.Join(state, channelsDir) }

// ChannelKey reads the secret key of an own channel. ref is its name, its key or the
// beginning of the key. It needs no running node, and no secret passes through the API.
func ChannelKey(state, ref string) (channel.Key, error) {
	keys, err := channel.Keys(ChannelDir(state))
	if err != nil {
		return channel.Key{}, err
	}
	var found []channel.Key
	for _, k := range keys {
		if k.Name == ref || ref != "" && strings.HasPrefix(k.Link().Local().String(), strings.ToLower(ref)) {
			found = append(found, k)
		}
	}
	switch len(found) {
	case 0:
		return channel.Key{}, index.Unknown(fmt.Sprintf("there is no key of a channel %q", ref))
	case 1:
		return found[0], nil
	}
	return channel.Key{}, share.Errorf(share.Usage, "%q matches %d channels: give the beginning of the key", ref, len(found))
}

func (n *Node) channelConfig() channel.Config {
	cfg := channel.Config{
		Logger: n.part("channels"), DB: n.state.db, Dir: ChannelDir(n.current().State), Now: n.o.Now,
		Downloads: func() string { return n.current().Downloads },
		Swarm:     &swarm{n.engine, ChannelDir(n.current().State)}, Catalogue: n.catalogue, Poll: n.current().ChannelPoll,
	}
	if n.dht != nil {
		cfg.DHT = n.dht
	}
	return cfg
}

// swarm is the engine as channels see it.
type swarm struct {
	e     *engine.Engine
	lists string // the folder of the channels
}

func (s *swarm) Publish(ctx context.Context, path string) (share.ID, error) {
	for _, t := range s.e.List() {
		if t.Own && t.Path == path && t.State != share.Hashing && t.State != share.Stopped {
			return t.ID, nil
		}
	}
	t, err := s.e.Share(ctx, engine.ShareRequest{Path: path, Owner: s.owner(path)})
	if err != nil {
		return share.ID{}, err
	}
	t, err = s.until(ctx, t.ID, func(t share.Transfer) bool { return t.State != share.Hashing })
	if err == nil && t.State == share.Stopped {
		err = share.Errorf(share.KindOfCode(t.Code), "%s", t.Reason)
	}
	return t.ID, err
}

// until waits until ok returns true for a transfer.
func (s *swarm) until(ctx context.Context, id share.ID, ok func(share.Transfer) bool) (share.Transfer, error) {
	const buffer = 4096
	for {
		sub := s.e.Subscribe(buffer)
		t, err := s.e.Get(id)
		for err == nil && !ok(t) {
			select {
			case <-ctx.Done():
				err = share.Errorf(share.Nobody, "no peer had it in time: %w", ctx.Err())
			case ev, open := <-sub.C:
				switch {
				case !open:
					err = errLagged
				case ev.ID == t.ID || ev.Was == t.ID:
					t, err = s.e.Get(id)
				}
			}
		}
		sub.Close()
		if !errors.Is(err, errLagged) || !sub.Lagged() {
			return t, err
		}
	}
}

var errLagged = errors.New("the engine has stopped")

func (s *swarm) Fetch(ctx context.Context, id share.ID, dir string, most int64) error {
	// A list that was published from here, and is damaged or gone, may be at others.
	if t, err := s.e.Get(id); err == nil && t.Own && within(t.Path, filepath.Dir(dir)) {
		if got, err := s.Publish(ctx, t.Path); err == nil && got == id {
			return nil
		}
		if err := s.Drop(id, filepath.Dir(dir)); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return share.Errorf(share.Disk, "making a folder for a catalogue: %w", err)
	}
	err := s.fetch(ctx, id, dir, most)
	if kind := share.KindOf(err); err != nil && (kind == share.Refused || kind == share.Usage) {
		// It is not a list, and has nothing to do with the channel.
		err = errors.Join(err, s.Drop(id, filepath.Dir(dir)))
		_ = os.Remove(dir) // if nothing else is in it
	}
	return err
}

func (s *swarm) fetch(ctx context.Context, id share.ID, dir string, most int64) error {
	t, err := s.e.Fetch(ctx, engine.FetchRequest{
		Link: share.Link{ID: id}, Output: dir, MaxSize: most, Only: listNames, Anywhere: true, Owner: s.owner(dir),
	})
	if err != nil {
		return err
	}
	if t.State == share.Paused && within(t.Path, dir) {
		if err := s.e.Resume(id); err != nil {
			return err
		}
	}
	t, err = s.until(ctx, id, func(t share.Transfer) bool { return !t.Completed.IsZero() || t.State == share.Stopped })
	switch {
	case err != nil:
		return err
	case t.State == share.Stopped:
		return share.Errorf(share.KindOfCode(t.Code), "%s", t.Reason)
	case t.Files != 1 || t.Size > most:
		return share.Errorf(share.Refused, "it has %d bytes in %d files, but a catalogue is one file of at most %d bytes", t.Size, t.Files, most)
	}
	return nil
}

// listNames is the pattern of the names of catalogues. A channel cannot make the node
// fetch other content as its catalogue.
const listNames = "shoal-channel*.jsonl.zst"

// owner returns the channel whose folder a path is below, else the user.
func (s *swarm) owner(path string) engine.Owner {
	rel, err := filepath.Rel(s.lists, path)
	if err != nil || !filepath.IsLocal(rel) {
		return engine.User
	}
	key, _, _ := strings.Cut(rel, string(filepath.Separator))
	return engine.ChannelOwner(key)
}

// within reports whether a path is a folder or below it.
func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

func (s *swarm) Open(ctx context.Context, id share.ID) (io.ReadCloser, int64, error) {
	files, err := s.e.Files(id)
	if err != nil {
		return nil, 0, err
	}
	if len(files) != 1 {
		return nil, 0, share.Errorf(share.Refused, "a catalogue is one file, but this has %d", len(files))
	}
	r, err := s.e.Open(ctx, id, files[0].Index)
	return r, files[0].Total, err
}

func (s *swarm) Begin(ctx context.Context, link share.Link, dir string, most int64) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return share.Errorf(share.Disk, "making the folder of the mirror: %w", err)
	}
	_, err := s.e.Fetch(ctx, engine.FetchRequest{
		Link: link, Output: dir, MaxSize: most, FetchOptions: share.FetchOptions{NoTrackers: true}, Anywhere: true, Owner: engine.MirrorOwner(filepath.Base(dir)),
	})
	return err
}

func (s *swarm) Unfinished(id share.ID) bool {
	t, err := s.e.Get(id)
	return err == nil && t.Completed.IsZero() && t.State != share.Paused && t.State != share.Stopped
}

func (s *swarm) Has(id share.ID) bool {
	_, err := s.e.Get(id)
	return err == nil
}

func (s *swarm) Drop(id share.ID, dir string) error {
	t, err := s.e.Get(id)
	if errors.Is(err, share.ErrUnknown) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.e.Release(id, s.owner(dir), true); err != nil && !errors.Is(err, share.ErrUnknown) {
		return err
	}
	if _, err := s.e.Owners(id); err == nil {
		return nil // others want it
	}
	// The folder was made for it alone. The engine never deletes what is shared.
	if sub := filepath.Dir(t.Path); within(sub, dir) && sub != filepath.Clean(dir) {
		return os.RemoveAll(sub)
	}
	return nil
}

// keeps tells whether keep has an ID of a transfer.
func (s *swarm) keeps(id share.ID, keep []share.ID) bool {
	t, err := s.e.Get(id)
	if err != nil {
		return slices.Contains(keep, id)
	}
	return slices.ContainsFunc(t.Names(), func(id share.ID) bool { return slices.Contains(keep, id) })
}

func (s *swarm) Tidy(dir string, keep ...share.ID) error {
	for _, id := range s.e.OwnedBy(s.owner(dir)) {
		if !s.keeps(id, keep) {
			if err := s.Drop(id, dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// The methods that channels need of the catalogue.

func (k *catalogue) Replace(ctx context.Context, id index.ChannelID, version string, entries iter.Seq2[index.Entry, error]) error {
	// Once: entries cannot be iterated again. After damage, Opened reports the new file.
	return k.once(ctx, func(c *catalog.Catalog) error {
		_, err := c.Replace(ctx, id, version, entries)
		return err
	})
}

func (k *catalogue) Put(ctx context.Context, id index.ChannelID, entries ...index.Entry) error {
	return k.use(ctx, func(c *catalog.Catalog) error { return c.Put(ctx, id, entries...) })
}

func (k *catalogue) Remove(ctx context.Context, id index.ChannelID, ids ...share.ID) error {
	return k.use(ctx, func(c *catalog.Catalog) error { return c.Remove(ctx, id, ids...) })
}

func (k *catalogue) Drop(ctx context.Context, id index.ChannelID) error {
	return k.use(ctx, func(c *catalog.Catalog) error { return c.Drop(ctx, id) })
}

func (k *catalogue) Versions(ctx context.Context) (versions map[index.ChannelID]string, err error) {
	err = k.use(ctx, func(c *catalog.Catalog) (err error) {
		versions, err = c.Versions(ctx)
		return err
	})
	return versions, err
}

func (k *catalogue) Opened() <-chan struct{} { return k.opened }
