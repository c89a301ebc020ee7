package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/shoalnet/shoal/share"
)

// WebLinks is the port to the links by which people fetch a share with a browser.
type WebLinks interface {
	// List returns every link, oldest first.
	List() ([]WebLink, error)
	// Create makes a link to a transfer. It refuses if nobody could use the link.
	Create(share.ID, NewWebLink) (WebLink, error)
	// Revoke ends a link and the downloads under way from it. The error for an unknown
	// ID wraps ErrNoWebLink.
	Revoke(id string) error
	// SetSeed gives a transfer a web seed (BEP 19), which its link then names, or ends it.
	// It refuses if a web link of the transfer has a password, an end or a maximum.
	SetSeed(id share.ID, on bool) error
}

// ErrNoWebLink is wrapped by the error for an unknown ID of a web link.
var ErrNoWebLink = errors.New("there is no such web link")

// WebLink is a link by which people fetch a share with a browser.
type WebLink struct {
	ID       string   `json:"id" doc:"identifies the link for its owner; it does not allow fetching"`
	Transfer share.ID `json:"transfer"`
	// URL has the capability: whoever has it can fetch the files.
	URL          string        `json:"url" doc:"URL to give to others; empty while the node serves no web links, and for a sealed share while there is no certificate"`
	Others       []string      `json:"others,omitempty" doc:"URLs of the link at other addresses of the node, best first"`
	Former       []FormerURL   `json:"former,omitempty" doc:"URLs that were given out for the link and that the node has lost or is about to lose; the latest first"`
	Reachable    share.Verdict `json:"reachable,omitempty" enum:"reachable,unreachable,unknown" doc:"whether strangers are known to reach the address of the URL"`
	Created      time.Time     `json:"created"`
	Expires      time.Time     `json:"expires,omitzero"`
	MaxDownloads int           `json:"max_downloads,omitempty" doc:"the link ends after this many downloads; 0 is no limit"`
	Downloads    int           `json:"downloads" doc:"number of complete downloads of a file or an archive: every byte was sent"`
	Password     bool          `json:"password,omitempty" doc:"people are asked for a password"`
	Encrypted    bool          `json:"encrypted,omitempty" doc:"the URL is https"`
	Ended        bool          `json:"ended,omitempty" doc:"it expired, or its downloads are used up"`
}

// FormerURL is the URL of a web link from before the address of its node changed.
type FormerURL struct {
	URL   string `json:"url"`
	Works bool   `json:"works,omitempty" doc:"the node still has this address and answers there until it loses it"`
}

// NewWebLink describes a web link that is to be made.
type NewWebLink struct {
	Expires      time.Time `json:"expires,omitzero" doc:"when the link ends; without it, the link ends with the share"`
	MaxDownloads int       `json:"max_downloads,omitempty" minimum:"0" maximum:"1000000000" doc:"end the link after this many downloads"`
	Password     string    `json:"password,omitempty" maxLength:"1000" doc:"ask people for this password"`
}

type (
	newWebLink struct {
		ID   string `path:"id" maxLength:"64" doc:"ID, v1 or v2, may be shortened while unique"`
		Body NewWebLink
	}
	webLinksOf struct {
		Transfer string `query:"transfer" maxLength:"64" doc:"ID of a transfer, may be shortened while unique; without it, all links"`
	}
	oneWebLink struct {
		Link string `path:"link" maxLength:"64" doc:"ID of the link"`
	}
)

func registerWebLinks(h huma.API, l WebLinks, ids ids) {
	op(h, "GET /web-links", "List the links for browsers, oldest first", func(_ context.Context, in *webLinksOf) (*answer[[]WebLink], error) {
		all, err := l.List()
		if err == nil && in.Transfer != "" {
			var of share.ID
			if of, err = ids.resolve(in.Transfer); err == nil {
				all = slices.DeleteFunc(slices.Clone(all), func(w WebLink) bool { return w.Transfer != of })
			}
		}
		return &answer[[]WebLink]{orEmpty(all)}, err
	})
	op(h, "POST /transfers/{id}/web-links", "Create a link to a transfer for browsers", func(_ context.Context, in *newWebLink) (*answer[WebLink], error) {
		v, err := onID(ids, in.ID, func(id share.ID) (WebLink, error) { return l.Create(id, in.Body) })
		return &answer[WebLink]{v}, err
	})
	op(h, "PUT /transfers/{id}/web-seed", "Also serve a transfer over HTTP to BitTorrent clients (BEP 19); its link has the URL", func(_ context.Context, in *oneID) (*none, error) {
		return ids.act(in.ID, func(id share.ID) error { return l.SetSeed(id, true) })
	})
	op(h, "DELETE /transfers/{id}/web-seed", "Stop serving a transfer over HTTP to BitTorrent clients", func(_ context.Context, in *oneID) (*none, error) {
		return ids.act(in.ID, func(id share.ID) error { return l.SetSeed(id, false) })
	})
	op(h, "DELETE /web-links/{link}", "End a link for browsers", func(_ context.Context, in *oneWebLink) (*none, error) {
		return nil, l.Revoke(in.Link)
	})
}

// SetWebSeed gives a transfer a web seed, or ends it.
func (c *Client) SetWebSeed(ctx context.Context, id share.ID, on bool) error {
	method := http.MethodDelete
	if on {
		method = http.MethodPut
	}
	return c.do(ctx, method, Base+transferPath(id)+"/web-seed", nil, nil)
}

// WebLinks returns the links for browsers, oldest first.
func (c *Client) WebLinks(ctx context.Context) ([]WebLink, error) {
	return get[[]WebLink](ctx, c, "/web-links")
}

// NewWebLink makes a link to a transfer for browsers.
func (c *Client) NewWebLink(ctx context.Context, id share.ID, n NewWebLink) (WebLink, error) {
	var v WebLink
	err := c.do(ctx, http.MethodPost, Base+transferPath(id)+"/web-links", n, &v)
	return v, err
}

// RevokeWebLink ends a link for browsers.
func (c *Client) RevokeWebLink(ctx context.Context, id string) error {
	return c.do(ctx, http.MethodDelete, Base+"/web-links/"+url.PathEscape(id), nil, nil)
}
