package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/shoalnet/shoal/share"
)

// Client sends requests to a node. Its methods are in the files of the ports that they
// call. Its errors are share.Errors of the kind they had in the node; if the node
// cannot be reached, or stopped, the kind is share.NoNode. It is safe for concurrent
// use.
type Client struct {
	http *http.Client
	base string
}

// NewClient makes a client that reaches its node with dial, such as over a Unix
// socket or in memory. It sends nothing yet: see Hello.
func NewClient(dial func(context.Context) (net.Conn, error)) *Client {
	return &Client{
		base: "http://shoal",
		http: &http.Client{Transport: &http.Transport{
			DialContext:         func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
			DisableCompression:  true,
			MaxIdleConnsPerHost: 4,
		}},
	}
}

// Close closes the connections that are not in use.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Hello describes the node, and refuses a node whose API has another version.
func (c *Client) Hello(ctx context.Context) (Info, error) {
	var w Welcome
	if err := c.do(ctx, http.MethodGet, "/api", nil, &w); err != nil {
		return Info{}, err
	}
	if Version < w.Oldest || Version > w.API {
		return Info{}, share.Errorf(share.Failed,
			"the running node is shoal %s and speaks version %d of the API, this command speaks version %d: use the same release for both, or restart the node",
			w.Version, w.API, Version)
	}
	return c.Info(ctx)
}

func get[T any](ctx context.Context, c *Client, path string) (T, error) {
	var v T
	err := c.do(ctx, http.MethodGet, Base+path, nil, &v)
	return v, err
}

// do sends in as JSON and reads the answer into out. Either may be nil.
func (c *Client) do(ctx context.Context, method, path string, in, out any) error {
	h := http.Header{}
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return share.Errorf(share.Usage, "encoding the request: %w", err)
		}
		body = bytes.NewReader(b)
		h.Set("Content-Type", "application/json")
	}
	resp, err := c.send(ctx, method, path, h, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		return nil
	}
	dec := json.NewDecoder(resp.Body)
	if err := dec.Decode(out); err != nil {
		return gone(ctx, fmt.Errorf("reading the answer of the node: %w", err))
	}
	_, _ = io.Copy(io.Discard, resp.Body) // to its end, so that the connection can be used again
	return nil
}

func (c *Client) send(ctx context.Context, method, path string, h http.Header, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, share.Errorf(share.Usage, "asking the node: %w", err)
	}
	for k, v := range h {
		req.Header[k] = v
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, gone(ctx, err)
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	if resp.StatusCode == http.StatusServiceUnavailable && strings.HasSuffix(path, "/health") {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, problemError(resp)
}

// gone is the error for a node that does not answer, or stopped answering.
func gone(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return share.Errorf(share.Interrupted, "asking the node: %w", ctx.Err())
	}
	if e, ok := errors.AsType[*share.Error](err); ok {
		return e
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // without the made-up address
	}
	return share.Errorf(share.NoNode, "the node does not answer: %w", err)
}
