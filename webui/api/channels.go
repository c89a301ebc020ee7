package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

// NewChannel follows a channel, creates one or imports the key of one: exactly one
// of Link, Name and Secret is set.
type NewChannel struct {
	Link   string `json:"link,omitempty" maxLength:"65536" doc:"link of the channel to follow: magnet:?xs=urn:btpk:KEY, or a bare key; with x.k=SECRET, a sealed channel can be read"`
	Mirror *int64 `json:"mirror,omitempty" minimum:"0" doc:"fetch its entries automatically, up to this many bytes; if omitted, a channel that is already followed keeps its value"`
	Name   string `json:"name,omitempty" maxLength:"255" doc:"name of the channel to create"`
	About  string `json:"about,omitempty" maxLength:"2000"`
	Sealed bool   `json:"sealed,omitempty" doc:"create a sealed channel: its name and entries can be read only with its full link"`
	Secret string `json:"secret,omitempty" maxLength:"4096" doc:"key to import, as shoal channel export writes it"`
}

// NewEntries adds entries to an own channel.
type NewEntries struct {
	IDs   []share.ID `json:"ids,omitempty" maxItems:"1000" doc:"transfers of this node"`
	Links []string   `json:"links,omitempty" maxItems:"1000" doc:"links of content that this node need not have"`
	About string     `json:"about,omitempty" maxLength:"2000"`
	Tags  []string   `json:"tags,omitempty" maxItems:"16"`
}

// Page is a part of a longer list.
type Page struct {
	Entries []index.Entry `json:"entries"`
	Total   int           `json:"total"`
}

// Channels is the port to the node's channels. A ref is a key, the beginning of one,
// a name or a link; the error for an unknown ref wraps index.ErrUnknown. Methods that
// change a channel return it as it is then.
type Channels interface {
	// List returns every channel, oldest first.
	List() []index.Channel
	Resolve(ref string) (index.Channel, error)
	// Add returns at once. If the channel exists, it returns that and looks it up in
	// the DHT.
	Add(context.Context, NewChannel) (index.Channel, error)
	Edit(ctx context.Context, ref string, c index.ChannelChange) (index.Channel, error)
	// Unfollow removes a channel. An own one, and its key, is removed only if own is
	// set.
	Unfollow(ctx context.Context, ref string, own bool) (index.Channel, error)
	// Publish returns when the channel is published.
	Publish(ctx context.Context, ref string) (index.Channel, error)

	Page(ctx context.Context, ref string, offset, limit int) (Page, error)
	PutEntries(ctx context.Context, ref string, e NewEntries) (index.Channel, error)
	RemoveEntry(ctx context.Context, ref string, id share.ID) (index.Channel, error)
}

type (
	oneChannel struct {
		Key string `path:"id" maxLength:"255" doc:"key, may be shortened while unique, or name"`
	}
	editChannel struct {
		Key  string `path:"id" maxLength:"255" doc:"key, may be shortened while unique, or name"`
		Body index.ChannelChange
	}
	dropChannel struct {
		Key string `path:"id" maxLength:"255" doc:"key, may be shortened while unique, or name"`
		Own bool   `query:"own" doc:"allow the deletion of an own channel and its key"`
	}
	channelPage struct {
		Key    string `path:"id" maxLength:"255" doc:"key, may be shortened while unique, or name"`
		Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
		Offset int    `query:"offset" minimum:"0" doc:"number of entries to skip"`
	}
	putEntries struct {
		Key  string `path:"id" maxLength:"255" doc:"key, may be shortened while unique, or name"`
		Body NewEntries
	}
	oneEntry struct {
		Key string   `path:"id" maxLength:"255" doc:"key, may be shortened while unique, or name"`
		ID  share.ID `path:"entry" doc:"ID, 40 hex digits"`
	}
)

func registerChannels(h huma.API, all Channels) {
	op(h, "GET /channels", "List the channels that this node follows and publishes", func(context.Context, *none) (*answer[[]index.Channel], error) {
		return &answer[[]index.Channel]{orEmpty(all.List())}, nil
	})
	op(h, "POST /channels", "Follow a channel, create one, or import the key of one", func(ctx context.Context, in *body[NewChannel]) (*answer[index.Channel], error) {
		n := 0
		for _, s := range []string{in.Body.Link, in.Body.Name, in.Body.Secret} {
			if s != "" {
				n++
			}
		}
		if n != 1 {
			return nil, share.Errorf(share.Usage, "give a link to follow a channel, a name to create one, or a key to import one")
		}
		if in.Body.Sealed && in.Body.Name == "" {
			return nil, share.Errorf(share.Usage, "a channel is sealed when it is created: sealed goes with a name")
		}
		c, err := all.Add(ctx, in.Body)
		return &answer[index.Channel]{c}, err
	})
	op(h, "GET /channels/{id}", "Show a channel", func(_ context.Context, in *oneChannel) (*answer[index.Channel], error) {
		c, err := all.Resolve(in.Key)
		return &answer[index.Channel]{c}, err
	})
	op(h, "PATCH /channels/{id}", "Change a channel", func(ctx context.Context, in *editChannel) (*answer[index.Channel], error) {
		c, err := all.Edit(ctx, in.Key, in.Body)
		return &answer[index.Channel]{c}, err
	})
	op(h, "DELETE /channels/{id}", "Unfollow a channel, or delete an own one", func(ctx context.Context, in *dropChannel) (*answer[index.Channel], error) {
		c, err := all.Unfollow(ctx, in.Key, in.Own)
		return &answer[index.Channel]{c}, err
	})
	op(h, "POST /channels/{id}/publish", "Publish an own channel now", func(ctx context.Context, in *oneChannel) (*answer[index.Channel], error) {
		c, err := all.Publish(ctx, in.Key)
		return &answer[index.Channel]{c}, err
	})
	op(h, "GET /channels/{id}/entries", "List the entries of a channel, without their files", func(ctx context.Context, in *channelPage) (*answer[Page], error) {
		p, err := all.Page(ctx, in.Key, in.Offset, in.Limit)
		p.Entries = orEmpty(p.Entries)
		return &answer[Page]{p}, err
	})
	op(h, "POST /channels/{id}/entries", "Add entries to an own channel", func(ctx context.Context, in *putEntries) (*answer[index.Channel], error) {
		if len(in.Body.IDs)+len(in.Body.Links) == 0 {
			return nil, share.Errorf(share.Usage, "give ids or links")
		}
		c, err := all.PutEntries(ctx, in.Key, in.Body)
		return &answer[index.Channel]{c}, err
	})
	op(h, "DELETE /channels/{id}/entries/{entry}", "Remove an entry from an own channel", func(ctx context.Context, in *oneEntry) (*answer[index.Channel], error) {
		c, err := all.RemoveEntry(ctx, in.Key, in.ID)
		return &answer[index.Channel]{c}, err
	})
}

// Channels lists the channels that the node follows and publishes.
func (c *Client) Channels(ctx context.Context) ([]index.Channel, error) {
	return get[[]index.Channel](ctx, c, "/channels")
}

// Channel returns the channel with a key, the beginning of one, or a name. If there
// is none, the error wraps index.ErrUnknown.
func (c *Client) Channel(ctx context.Context, ref string) (index.Channel, error) {
	return get[index.Channel](ctx, c, channelPath(ref))
}

// AddChannel follows a channel, creates one, or imports the key of one.
func (c *Client) AddChannel(ctx context.Context, n NewChannel) (index.Channel, error) {
	return c.channel(ctx, http.MethodPost, "/channels", n)
}

// EditChannel changes a channel.
func (c *Client) EditChannel(ctx context.Context, ref string, e index.ChannelChange) (index.Channel, error) {
	return c.channel(ctx, http.MethodPatch, channelPath(ref), e)
}

// DropChannel unfollows a channel, or deletes an own one and its key if own is set.
func (c *Client) DropChannel(ctx context.Context, ref string, own bool) (index.Channel, error) {
	path := channelPath(ref)
	if own {
		path += "?own=true"
	}
	return c.channel(ctx, http.MethodDelete, path, nil)
}

// PublishChannel publishes an own channel and returns when it is published.
func (c *Client) PublishChannel(ctx context.Context, ref string) (index.Channel, error) {
	return c.channel(ctx, http.MethodPost, channelPath(ref)+"/publish", nil)
}

// ChannelEntries lists a part of the entries of a channel.
func (c *Client) ChannelEntries(ctx context.Context, ref string, offset, limit int) (Page, error) {
	v := url.Values{"offset": {strconv.Itoa(offset)}, "limit": {strconv.Itoa(limit)}}
	return get[Page](ctx, c, channelPath(ref)+"/entries?"+v.Encode())
}

// PutEntries adds entries to an own channel.
func (c *Client) PutEntries(ctx context.Context, ref string, e NewEntries) (index.Channel, error) {
	return c.channel(ctx, http.MethodPost, channelPath(ref)+"/entries", e)
}

// RemoveEntry removes an entry from an own channel.
func (c *Client) RemoveEntry(ctx context.Context, ref string, id share.ID) (index.Channel, error) {
	return c.channel(ctx, http.MethodDelete, channelPath(ref)+"/entries/"+id.String(), nil)
}

func (c *Client) channel(ctx context.Context, method, path string, in any) (index.Channel, error) {
	var out index.Channel
	err := c.do(ctx, method, Base+path, in, &out)
	return out, err
}

func channelPath(ref string) string { return "/channels/" + url.PathEscape(ref) }
