package node

import (
	"context"
	"time"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/index/catalog"
	"github.com/shoalnet/shoal/index/channel"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine"
	"github.com/shoalnet/shoal/share/metainfo"
	"github.com/shoalnet/shoal/webui/api"
)

var _ api.Channels = (*channels)(nil)

// channels is the manager of channels with what the manager does not know: the links and
// keys in requests, the transfers of the node, and the catalogue's pages.
type channels struct {
	*channel.Manager
	catalogue *catalogue
	engine    *engine.Engine
	now       func() time.Time
}

func (c *channels) Add(ctx context.Context, n api.NewChannel) (index.Channel, error) {
	switch {
	case n.Link != "":
		l, err := index.ParseChannelLink(n.Link)
		if err != nil {
			if _, cerr := share.ParseLink(n.Link); cerr == nil {
				err = share.Errorf(share.Refused, "this link names content, not a channel: fetch it (shoal get)")
			}
			return index.Channel{}, err
		}
		return c.Manager.Follow(ctx, l, n.Mirror)
	case n.Secret != "":
		var k channel.Key
		if err := k.UnmarshalText([]byte(n.Secret)); err != nil {
			return index.Channel{}, err
		}
		return c.Manager.Import(ctx, k)
	}
	return c.Manager.Create(ctx, n.Name, n.About, n.Sealed)
}

func (c *channels) Page(ctx context.Context, ref string, offset, limit int) (api.Page, error) {
	i, err := c.Manager.Resolve(ref)
	if err != nil {
		return api.Page{}, err
	}
	var p api.Page
	err = c.catalogue.use(ctx, func(k *catalog.Catalog) error {
		if p.Total, err = k.Count(ctx, i.ID); err == nil {
			p.Entries, err = k.List(ctx, i.ID, offset, limit)
		}
		return err
	})
	return p, err
}

func (c *channels) PutEntries(ctx context.Context, ref string, n api.NewEntries) (index.Channel, error) {
	now := c.now().UTC().Truncate(time.Second)
	var all []index.Entry
	for _, id := range n.IDs {
		t, err := c.engine.Get(id)
		if err != nil {
			return index.Channel{}, err
		}
		switch {
		case t.State == share.Hashing:
			return index.Channel{}, share.Errorf(share.Failed, "%q is still being hashed: its link is not known yet", t.Name)
		case !describable(&t):
			return index.Channel{}, share.Errorf(share.Failed, "the content of %s is not known yet", id.Short())
		}
		e, ok := c.catalogue.describe(&t)
		if !ok {
			return index.Channel{}, share.Errorf(share.Failed, "the files of %q are not known", t.Name)
		}
		if e.Link, err = c.linkOf(&t, e.Link); err != nil {
			return index.Channel{}, err
		}
		all = append(all, e)
	}
	for _, text := range n.Links {
		l, err := share.ParseLink(text)
		if err != nil {
			return index.Channel{}, err
		}
		if e, ok, err := c.sealedHere(l); err != nil {
			return index.Channel{}, err
		} else if ok {
			all = append(all, e)
			continue
		}
		all = append(all, index.Entry{ID: l.Key(), Name: l.Name, Bytes: l.Length, Link: l.Reveal()})
	}
	for i := range all {
		all[i].About, all[i].Tags, all[i].Time = n.About, n.Tags, now
	}
	return c.Manager.Put(ctx, ref, all)
}

// linkOf is the link of an entry for a transfer; of a sealed share, one with its key, and
// with the size of what is transferred, which a mirror needs.
func (c *channels) linkOf(t *share.Transfer, plain string) (string, error) {
	if t.Seal != share.SealOpen {
		return plain, nil
	}
	l, err := share.ParseLink(t.Link)
	if err != nil {
		return "", err
	}
	b, err := c.engine.Torrent(t.ID)
	if err != nil {
		return "", err
	}
	tor, err := metainfo.Parse(b)
	if err != nil {
		return "", err
	}
	l.Length, l.Peers, l.WebSeeds = tor.Info.Total, nil, nil
	return l.Reveal(), nil
}

// sealedHere describes the sealed share that a link with a key names, if this node has it
// and can read it: the link says nothing of what is in it.
func (c *channels) sealedHere(l share.Link) (e index.Entry, ok bool, err error) {
	if l.Secret.IsZero() {
		return e, false, nil
	}
	t, err := c.engine.Get(l.Key())
	if err != nil || t.Seal != share.SealOpen || !describable(&t) {
		return e, false, nil
	}
	if e, ok = c.catalogue.describe(&t); ok {
		e.Link, err = c.linkOf(&t, e.Link)
	}
	return e, ok, err
}

func (c *channels) RemoveEntry(ctx context.Context, ref string, id share.ID) (index.Channel, error) {
	return c.Manager.Remove(ctx, ref, []share.ID{id})
}
