package node

import (
	"context"
	"time"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/index/catalog"
	"github.com/shoalnet/shoal/index/channel"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine"
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
	return c.Manager.Create(ctx, n.Name, n.About)
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
		case t.Seal == share.SealOpen:
			return index.Channel{}, errSealedEntry(t.Name)
		case !describable(&t):
			return index.Channel{}, share.Errorf(share.Failed, "the content of %s is not known yet", id.Short())
		}
		e, ok := c.catalogue.describe(&t)
		if !ok {
			return index.Channel{}, share.Errorf(share.Failed, "the files of %q are not known", t.Name)
		}
		all = append(all, e)
	}
	for _, text := range n.Links {
		l, err := share.ParseLink(text)
		if err != nil {
			return index.Channel{}, err
		}
		if !l.Secret.IsZero() {
			return index.Channel{}, errSealedEntry(l.Key().Short())
		}
		all = append(all, index.Entry{ID: l.Key(), Name: l.Name, Bytes: l.Length, Link: l.String()})
	}
	for i := range all {
		all[i].About, all[i].Tags, all[i].Time = n.About, n.Tags, now
	}
	return c.Manager.Put(ctx, ref, all)
}

// errSealedEntry is the error for a sealed share in a channel, whose entries anybody can
// read: its names would be public, and its key is not to be.
func errSealedEntry(name string) error {
	return share.Errorf(share.Usage, "%q is a sealed share, and the entries of a channel are public: add its blind link to have others seed it (shoal link --blind)", name)
}

func (c *channels) RemoveEntry(ctx context.Context, ref string, id share.ID) (index.Channel, error) {
	return c.Manager.Remove(ctx, ref, []share.ID{id})
}
