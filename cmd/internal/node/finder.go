package node

import (
	"context"
	"strings"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/index/catalog"
	"github.com/shoalnet/shoal/index/channel"
	"github.com/shoalnet/shoal/share/engine"
	"github.com/shoalnet/shoal/webui/api"
)

var _ api.Finding = (*finder)(nil)

// finder searches the catalogue. It adds what only the node knows: the names of its
// channels, and its current addresses.
type finder struct {
	catalogue *catalogue
	channels  *channel.Manager
	engine    *engine.Engine
}

// Search is catalog.Search. The links of this node's own shares have its current
// addresses.
func (f *finder) Search(ctx context.Context, q index.Query) (index.Results, error) {
	var r index.Results
	if strings.Contains(strings.ToLower(q.Text), "channel:") {
		q.Names = f.channelNames()
	}
	err := f.catalogue.use(ctx, func(c *catalog.Catalog) (err error) {
		r, err = c.Search(ctx, q)
		return err
	})
	for i := range r.Hits {
		f.freshLink(&r.Hits[i].Entry)
	}
	return r, err
}

func (f *finder) channelNames() map[index.ChannelID]string {
	names := make(map[index.ChannelID]string)
	for _, c := range f.channels.List() {
		names[c.ID] = c.Name
	}
	return names
}

// Entries finds entries by the beginning of their ID.
func (f *finder) Entries(ctx context.Context, digits string) ([]index.Entry, error) {
	const most = 50
	var all []index.Entry
	err := f.catalogue.use(ctx, func(c *catalog.Catalog) (err error) {
		all, err = c.Begins(ctx, digits, most)
		return err
	})
	for i := range all {
		f.freshLink(&all[i])
	}
	return all, err
}

func (f *finder) freshLink(e *index.Entry) {
	if !e.Channel.IsZero() {
		return
	}
	if t, err := f.engine.Get(e.ID); err == nil && t.Link != "" {
		e.Link = t.Link
	}
}
