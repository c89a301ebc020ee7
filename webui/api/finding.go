package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/shoalnet/shoal/index"
)

// Finding is the port to the node's catalogue. Searches stay on the machine.
type Finding interface {
	// Search finds entries, best first. An invalid query is a share.Usage error that
	// says how to correct it.
	Search(context.Context, index.Query) (index.Results, error)
	// Entries returns every entry whose ID begins with these hex digits, with
	// its files: this node's own first, then those of channels.
	Entries(ctx context.Context, digits string) ([]index.Entry, error)
}

type (
	searching struct {
		Q       string `query:"q" maxLength:"1000" doc:"query: words, \"phrases\", -not, file:, tag:, channel:NAME, type:video, size:>1G, since:2026-01, before:2026"`
		Channel string `query:"channel" maxLength:"64" doc:"only from the channel with this key; me is this node"`
		Limit   int    `query:"limit" minimum:"0" maximum:"500" doc:"number of hits to return; 50 by default"`
		Offset  int    `query:"offset" minimum:"0" maximum:"100000" doc:"number of hits to skip"`
	}
	someEntry struct {
		ID string `path:"id" maxLength:"40" doc:"ID, or the beginning of one"`
	}
)

func registerFinding(h huma.API, f Finding) {
	op(h, "GET /search", "Search the transfers of this node and the channels it follows", func(ctx context.Context, in *searching) (*answer[index.Results], error) {
		q := index.Query{Text: in.Q, Limit: in.Limit, Offset: in.Offset}
		switch in.Channel {
		case "":
		case "me":
			q.Text = "channel:me " + q.Text // before quotes that may be left open
		default:
			id, err := index.ParseChannelID(in.Channel)
			if err != nil {
				return nil, err
			}
			q.Channel = id
		}
		r, err := f.Search(ctx, q)
		r.Hits = orEmpty(r.Hits)
		return &answer[index.Results]{r}, err
	})
	op(h, "GET /entries/{id}", "Show the catalogue entries for an ID", func(ctx context.Context, in *someEntry) (*answer[[]index.Entry], error) {
		all, err := f.Entries(ctx, in.ID)
		if err == nil && len(all) == 0 {
			err = index.Unknown("the catalogue has nothing whose ID begins with " + in.ID)
		}
		return &answer[[]index.Entry]{all}, err
	})
}

// Search searches the node's catalogue.
func (c *Client) Search(ctx context.Context, q index.Query) (index.Results, error) {
	v := url.Values{"q": {q.Text}}
	if !q.Channel.IsZero() {
		v.Set("channel", q.Channel.String())
	}
	if q.Limit > 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	if q.Offset > 0 {
		v.Set("offset", strconv.Itoa(q.Offset))
	}
	var r index.Results
	err := c.do(ctx, http.MethodGet, Base+"/search?"+v.Encode(), nil, &r)
	return r, err
}

// Entries returns the catalogue's entries whose ID begins with these hex digits,
// with files. If there are none, the error wraps index.ErrUnknown.
func (c *Client) Entries(ctx context.Context, digits string) ([]index.Entry, error) {
	var all []index.Entry
	err := c.do(ctx, http.MethodGet, Base+"/entries/"+url.PathEscape(digits), nil, &all)
	return all, err
}
