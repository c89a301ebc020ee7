package api

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// ReceiveLinks is the port to the links by which people send files from a browser.
type ReceiveLinks interface {
	// List returns every link, oldest first.
	List() ([]ReceiveLink, error)
	// Create makes a link, and the folder for its files.
	Create(NewReceiveLink) (ReceiveLink, error)
	// Revoke ends a link and the uploads under way to it. Received files stay. The
	// error for an unknown ID wraps ErrNoWebLink.
	Revoke(id string) error
}

// ReceiveLink is a link by which people send files from a browser.
type ReceiveLink struct {
	ID string `json:"id" doc:"identifies the link for its owner; it does not allow sending"`
	// URL has the capability: whoever has it can send.
	URL       string    `json:"url" doc:"URL to give to others; empty while the node serves no web links"`
	Others    []string  `json:"others,omitempty" doc:"URLs of the link at other addresses of the node, best first"`
	Name      string    `json:"name" doc:"purpose of the link, as people see it"`
	Folder    string    `json:"folder" doc:"where the files go"`
	Created   time.Time `json:"created"`
	Expires   time.Time `json:"expires,omitzero"`
	MaxSize   int64     `json:"max_size,omitempty" doc:"maximum number of bytes in total; 0 is no limit"`
	MaxFiles  int       `json:"max_files" doc:"maximum number of files in total"`
	Password  bool      `json:"password,omitempty" doc:"people are asked for a password"`
	Encrypted bool      `json:"encrypted,omitempty" doc:"the URL is https"`
	Ended     bool      `json:"ended,omitempty" doc:"it expired"`
	Files     int       `json:"files" doc:"files that have arrived"`
	Bytes     int64     `json:"bytes" doc:"bytes of the files that have arrived"`
}

// NewReceiveLink describes a link for receiving files that is to be made.
type NewReceiveLink struct {
	Name     string    `json:"name,omitempty" maxLength:"150" doc:"purpose of the link, as people see it; without it, the name of the folder"`
	Folder   string    `json:"folder,omitempty" maxLength:"4096" doc:"absolute path of the folder for the files; without it, a new folder in the default folder of downloads"`
	Expires  time.Time `json:"expires,omitzero" doc:"when the link ends"`
	MaxSize  int64     `json:"max_size,omitempty" minimum:"0" doc:"accept at most this many bytes in total"`
	MaxFiles int       `json:"max_files,omitempty" minimum:"0" maximum:"10000" doc:"accept at most this many files in total; 0 is 10000"`
	Password string    `json:"password,omitempty" maxLength:"1000" doc:"ask people for this password"`
	Lease    string    `json:"lease,omitempty" maxLength:"100" doc:"lease of the link: when it ends, the link ends; see GET /lease"`
}

func registerReceiveLinks(h huma.API, l ReceiveLinks) {
	op(h, "GET /receive-links", "List the links through which people send files, oldest first", func(context.Context, *none) (*answer[[]ReceiveLink], error) {
		all, err := l.List()
		return &answer[[]ReceiveLink]{orEmpty(all)}, err
	})
	op(h, "POST /receive-links", "Create a link through which people send files with a browser", func(_ context.Context, in *body[NewReceiveLink]) (*answer[ReceiveLink], error) {
		v, err := l.Create(in.Body)
		return &answer[ReceiveLink]{v}, err
	})
	op(h, "DELETE /receive-links/{link}", "End a link through which people send files", func(_ context.Context, in *oneWebLink) (*none, error) {
		return nil, l.Revoke(in.Link)
	})
}

// ReceiveLinks returns the links by which people send files, oldest first.
func (c *Client) ReceiveLinks(ctx context.Context) ([]ReceiveLink, error) {
	return get[[]ReceiveLink](ctx, c, "/receive-links")
}

// NewReceiveLink makes a link by which people send files.
func (c *Client) NewReceiveLink(ctx context.Context, n NewReceiveLink) (ReceiveLink, error) {
	var v ReceiveLink
	err := c.do(ctx, http.MethodPost, Base+"/receive-links", n, &v)
	return v, err
}

// RevokeReceiveLink ends a link by which people send files.
func (c *Client) RevokeReceiveLink(ctx context.Context, id string) error {
	return c.do(ctx, http.MethodDelete, Base+"/receive-links/"+url.PathEscape(id), nil, nil)
}
