package node

import (
	"context"
	"time"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/index/catalog"
	"github.com/shoalnet/shoal/index/channel"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

func (s *served) Channels() []index.Channel {
	return s.n.channels.List()
}

func (s *served) Channel(ref string) (index.Channel, error) {
	return s.n.channels.Resolve(ref)
}

func (s *served) AddChannel(ctx context.Context, n api.NewChannel) (index.Channel, error) {
	switch {
	case n.Link != "":
		l, err := index.ParseChannelLink(n.Link)
		if err != nil {
			if _, cerr := share.ParseLink(n.Link); cerr == nil {
				err = share.Errorf(share.Refused, "this link names content, not a channel: fetch it (shoal get)")
			}
			return index.Channel{}, err
		}
		return s.n.channels.Follow(ctx, l, n.Mirror)
	case n.Secret != "":
		var k channel.Key
		if err := k.UnmarshalText([]byte(n.Secret)); err != nil {
			return index.Channel{}, err
		}
		return s.n.channels.Import(ctx, k)
	}
	return s.n.channels.Create(ctx, n.Name, n.About)
}

func (s *served) EditChannel(ctx context.Context, ref string, c index.ChannelChange) (index.Channel, error) {
	return s.n.channels.Edit(ctx, ref, c)
}

func (s *served) DropChannel(ctx context.Context, ref string, own bool) (index.Channel, error) {
	return s.n.channels.Unfollow(ctx, ref, own)
}

func (s *served) PublishChannel(ctx context.Context, ref string) (index.Channel, error) {
	return s.n.channels.Publish(ctx, ref)
}

func (s *served) ChannelEntries(ctx context.Context, ref string, offset, limit int) (api.Page, error) {
	i, err := s.n.channels.Resolve(ref)
	if err != nil {
		return api.Page{}, err
	}
	var p api.Page
	err = s.n.catalogue.use(ctx, func(c *catalog.Catalog) error {
		if p.Total, err = c.Count(ctx, i.ID); err == nil {
			p.Entries, err = c.List(ctx, i.ID, offset, limit)
		}
		return err
	})
	return p, err
}

func (s *served) PutEntries(ctx context.Context, ref string, n api.NewEntries) (index.Channel, error) {
	now := s.n.o.Now().UTC().Truncate(time.Second)
	var all []index.Entry
	for _, id := range n.IDs {
		t, err := s.n.engine.Get(id)
		if err != nil {
			return index.Channel{}, err
		}
		switch {
		case t.State == share.Hashing:
			return index.Channel{}, share.Errorf(share.Failed, "%q is still being read: its link is not known yet", t.Name)
		case !describable(&t):
			return index.Channel{}, share.Errorf(share.Failed, "it is not known yet what %s is", id.Short())
		}
		e, ok := s.n.catalogue.describe(&t)
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
		if l.ID.IsZero() {
			return index.Channel{}, share.Errorf(share.Refused, "an entry of a channel needs a link with urn:btih:")
		}
		all = append(all, index.Entry{ID: l.ID, Name: l.Name, Bytes: l.Length, Link: l.String()})
	}
	for i := range all {
		all[i].About, all[i].Tags, all[i].Time = n.About, n.Tags, now
	}
	return s.n.channels.Put(ctx, ref, all)
}

func (s *served) RemoveEntry(ctx context.Context, ref string, id share.ID) (index.Channel, error) {
	return s.n.channels.Remove(ctx, ref, []share.ID{id})
}
