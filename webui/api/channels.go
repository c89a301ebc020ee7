package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

// Channel is a signed list of shares: a followed one, or one of this node's own.
type Channel struct {
	Key     string    `json:"key" doc:"identifier of the channel: its public key, 64 hex digits, or if its link has a salt, a hash of both"`
	Name    string    `json:"name"`
	About   string    `json:"about,omitempty"`
	Link    string    `json:"link"`
	Own     bool      `json:"own" doc:"this node has its key"`
	Entries int       `json:"entries" doc:"number of entries"`
	Seq     int64     `json:"seq" doc:"sequence number of the newest version that was seen; -1 for none"`
	Content share.ID  `json:"content,omitzero" doc:"ID of the catalogue in use"`
	Updated time.Time `json:"updated,omitzero" doc:"when this version arrived"`
	Mirror  int64     `json:"mirror" doc:"most bytes of its entries that are fetched automatically; 0 is none"`
	// Mirrored and Left are the state of the mirror.
	Mirrored int64 `json:"mirrored,omitempty" doc:"bytes of the mirror that are in use"`
	Left     int   `json:"left,omitempty" doc:"entries that were not fetched because they do not fit or do not state their size"`
	Pending  bool  `json:"pending" doc:"it has unpublished changes, or a newer version is being fetched"`
	// Restoring is true after its key was imported, until its earlier entries are
	// found.
	Restoring bool   `json:"restoring"`
	Error     string `json:"error,omitempty" doc:"the latest error, one sentence"`
}

// NewChannel follows a channel, creates one or imports the key of one: exactly one
// of Link, Name and Secret is set.
type NewChannel struct {
	Link   string `json:"link,omitempty" maxLength:"65536" doc:"link of the channel to follow: magnet:?xs=urn:btpk:KEY, or a bare key"`
	Mirror *int64 `json:"mirror,omitempty" minimum:"0" doc:"fetch its entries automatically, up to this many bytes; without it, a channel that is already followed keeps its value"`
	Name   string `json:"name,omitempty" maxLength:"255" doc:"name of the channel to create"`
	About  string `json:"about,omitempty" maxLength:"2000"`
	Secret string `json:"secret,omitempty" maxLength:"4096" doc:"key to import, as shoal channel export writes it"`
}

// ChannelChange changes a channel; nil fields stay unchanged.
type ChannelChange struct {
	Name   *string `json:"name,omitempty" maxLength:"255" doc:"new name of an own channel"`
	About  *string `json:"about,omitempty" maxLength:"2000" doc:"new description of an own channel"`
	Mirror *int64  `json:"mirror,omitempty" minimum:"0" doc:"most bytes to mirror of a followed channel; 0 stops mirroring"`
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

// Channels is the API's port to the node's channels. A ref is a key, the beginning
// of one, a name or a link; the error for an unknown ref wraps index.ErrUnknown.
type Channels interface {
	Channels() []Channel
	Channel(ref string) (Channel, error)
	// AddChannel returns at once. If the channel exists, it returns that and looks
	// it up in the DHT.
	AddChannel(context.Context, NewChannel) (Channel, error)
	EditChannel(ctx context.Context, ref string, c ChannelChange) (Channel, error)
	// DropChannel unfollows a channel, or deletes an own one and its key if own is set.
	DropChannel(ctx context.Context, ref string, own bool) (Channel, error)
	// PublishChannel returns when the channel is published.
	PublishChannel(ctx context.Context, ref string) (Channel, error)
	ChannelEntries(ctx context.Context, ref string, offset, limit int) (Page, error)
	PutEntries(ctx context.Context, ref string, e NewEntries) (Channel, error)
	RemoveEntry(ctx context.Context, ref string, id share.ID) (Channel, error)
}

type (
	oneChannel struct {
		Key string `path:"id" maxLength:"255" doc:"key, may be shortened while unique, or name"`
	}
	editChannel struct {
		Key  string `path:"id" maxLength:"255" doc:"key, may be shortened while unique, or name"`
		Body ChannelChange
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

func (a *API) registerChannels(h huma.API) {
	op(h, "GET /channels", "List the channels that this node follows and publishes", func(context.Context, *none) (*answer[[]Channel], error) {
		return &answer[[]Channel]{orEmpty(a.node.Channels())}, nil
	})
	op(h, "POST /channels", "Follow a channel, create one, or import the key of one", func(ctx context.Context, in *body[NewChannel]) (*answer[Channel], error) {
		n := 0
		for _, s := range []string{in.Body.Link, in.Body.Name, in.Body.Secret} {
			if s != "" {
				n++
			}
		}
		if n != 1 {
			return nil, share.Errorf(share.Usage, "give a link to follow a channel, a name to create one, or a key to import one")
		}
		c, err := a.node.AddChannel(ctx, in.Body)
		return &answer[Channel]{c}, err
	})
	op(h, "GET /channels/{id}", "Show a channel", func(_ context.Context, in *oneChannel) (*answer[Channel], error) {
		c, err := a.node.Channel(in.Key)
		return &answer[Channel]{c}, err
	})
	op(h, "PATCH /channels/{id}", "Change a channel", func(ctx context.Context, in *editChannel) (*answer[Channel], error) {
		c, err := a.node.EditChannel(ctx, in.Key, in.Body)
		return &answer[Channel]{c}, err
	})
	op(h, "DELETE /channels/{id}", "Unfollow a channel, or delete an own one", func(ctx context.Context, in *dropChannel) (*answer[Channel], error) {
		c, err := a.node.DropChannel(ctx, in.Key, in.Own)
		return &answer[Channel]{c}, err
	})
	op(h, "POST /channels/{id}/publish", "Publish an own channel now", func(ctx context.Context, in *oneChannel) (*answer[Channel], error) {
		c, err := a.node.PublishChannel(ctx, in.Key)
		return &answer[Channel]{c}, err
	})
	op(h, "GET /channels/{id}/entries", "List the entries of a channel, without their files", func(ctx context.Context, in *channelPage) (*answer[Page], error) {
		p, err := a.node.ChannelEntries(ctx, in.Key, in.Offset, in.Limit)
		p.Entries = orEmpty(p.Entries)
		return &answer[Page]{p}, err
	})
	op(h, "POST /channels/{id}/entries", "Add entries to an own channel", func(ctx context.Context, in *putEntries) (*answer[Channel], error) {
		if len(in.Body.IDs)+len(in.Body.Links) == 0 {
			return nil, share.Errorf(share.Usage, "give ids or links")
		}
		c, err := a.node.PutEntries(ctx, in.Key, in.Body)
		return &answer[Channel]{c}, err
	})
	op(h, "DELETE /channels/{id}/entries/{entry}", "Remove an entry from an own channel", func(ctx context.Context, in *oneEntry) (*answer[Channel], error) {
		c, err := a.node.RemoveEntry(ctx, in.Key, in.ID)
		return &answer[Channel]{c}, err
	})
}

// Channels lists the channels that the node follows and publishes.
func (c *Client) Channels(ctx context.Context) ([]Channel, error) {
	return get[[]Channel](ctx, c, "/channels")
}

// Channel returns the channel with a key, the beginning of one, or a name. If there
// is none, the error wraps index.ErrUnknown.
func (c *Client) Channel(ctx context.Context, ref string) (Channel, error) {
	return get[Channel](ctx, c, channelPath(ref))
}

// AddChannel follows a channel, creates one, or imports the key of one.
func (c *Client) AddChannel(ctx context.Context, n NewChannel) (Channel, error) {
	return c.channel(ctx, http.MethodPost, "/channels", n)
}

// EditChannel changes a channel.
func (c *Client) EditChannel(ctx context.Context, ref string, e ChannelChange) (Channel, error) {
	return c.channel(ctx, http.MethodPatch, channelPath(ref), e)
}

// DropChannel unfollows a channel, or deletes an own one and its key if own is set.
func (c *Client) DropChannel(ctx context.Context, ref string, own bool) (Channel, error) {
	path := channelPath(ref)
	if own {
		path += "?own=true"
	}
	return c.channel(ctx, http.MethodDelete, path, nil)
}

// PublishChannel publishes an own channel and returns when it is published.
func (c *Client) PublishChannel(ctx context.Context, ref string) (Channel, error) {
	return c.channel(ctx, http.MethodPost, channelPath(ref)+"/publish", nil)
}

// ChannelEntries lists a part of the entries of a channel.
func (c *Client) ChannelEntries(ctx context.Context, ref string, offset, limit int) (Page, error) {
	v := url.Values{"offset": {strconv.Itoa(offset)}, "limit": {strconv.Itoa(limit)}}
	return get[Page](ctx, c, channelPath(ref)+"/entries?"+v.Encode())
}

// PutEntries adds entries to an own channel.
func (c *Client) PutEntries(ctx context.Context, ref string, e NewEntries) (Channel, error) {
	return c.channel(ctx, http.MethodPost, channelPath(ref)+"/entries", e)
}

// RemoveEntry removes an entry from an own channel.
func (c *Client) RemoveEntry(ctx context.Context, ref string, id share.ID) (Channel, error) {
	return c.channel(ctx, http.MethodDelete, channelPath(ref)+"/entries/"+id.String(), nil)
}

func (c *Client) channel(ctx context.Context, method, path string, in any) (Channel, error) {
	var out Channel
	err := c.do(ctx, method, Base+path, in, &out)
	return out, err
}

func channelPath(ref string) string { return "/channels/" + url.PathEscape(ref) }
