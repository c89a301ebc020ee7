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
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/shoalnet/shoal/share"
)

// Client talks to a node. Its errors are share.Errors of the kind they had in
// the node; where the node cannot be reached, or went away, the kind is
// share.NoNode. It is safe for concurrent use.
type Client struct {
	http *http.Client
	base string
}

// NewClient makes a client that reaches its node by dial, such as over a Unix
// socket or in memory. It does not talk to the node yet: see Hello.
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

// Hello asks who is there and refuses a node whose API is another version.
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

// Info describes the node.
func (c *Client) Info(ctx context.Context) (Info, error) { return get[Info](ctx, c, "/node") }

// Stats returns the node's totals.
func (c *Client) Stats(ctx context.Context) (share.Stats, error) {
	return get[share.Stats](ctx, c, "/stats")
}

// Health tells whether the node does its work. An unhealthy node is no error.
func (c *Client) Health(ctx context.Context) (Health, error) { return get[Health](ctx, c, "/health") }

// Settings returns every setting with its value and source.
func (c *Client) Settings(ctx context.Context) ([]Setting, error) {
	return get[[]Setting](ctx, c, "/config")
}

// Limits returns the limits of the node.
func (c *Client) Limits(ctx context.Context) (Limits, error) { return get[Limits](ctx, c, "/limits") }

// SetGlobalLimits changes the limits of the node.
func (c *Client) SetGlobalLimits(ctx context.Context, l share.Limits) (Limits, error) {
	var out Limits
	err := c.do(ctx, http.MethodPut, Base+"/limits", l, &out)
	return out, err
}

// ChangeGlobalLimits changes limits of the node.
func (c *Client) ChangeGlobalLimits(ctx context.Context, l share.LimitChange) (Limits, error) {
	var out Limits
	err := c.do(ctx, http.MethodPatch, Base+"/limits", l, &out)
	return out, err
}

// SignIn returns a URL at which one browser is signed in to the page, once, for a
// short while.
func (c *Client) SignIn(ctx context.Context) (string, error) {
	var s SignIn
	err := c.do(ctx, http.MethodPost, Base+"/sign-in", nil, &s)
	return s.URL, err
}

// SetPassword sets the password of the page.
func (c *Client) SetPassword(ctx context.Context, password string) error {
	return c.do(ctx, http.MethodPut, Base+"/password", Password{password}, nil)
}

// Transfers returns every transfer, oldest first. Naming fields, by their JSON
// names, leaves the others zero and is quicker on a node with many.
func (c *Client) Transfers(ctx context.Context, fields ...string) ([]share.Transfer, error) {
	path := "/transfers"
	if len(fields) > 0 {
		path += "?fields=" + url.QueryEscape(strings.Join(fields, ","))
	}
	return get[[]share.Transfer](ctx, c, path)
}

// Resolve finds the one transfer whose ID begins with prefix. When there is
// none the error wraps share.ErrUnknown; when there are several it is share.Usage and
// lists them.
func (c *Client) Resolve(ctx context.Context, prefix string) (share.Transfer, error) {
	return get[share.Transfer](ctx, c, "/transfers/"+url.PathEscape(prefix))
}

// Transfer returns one transfer.
func (c *Client) Transfer(ctx context.Context, id share.ID) (share.Transfer, error) {
	return get[share.Transfer](ctx, c, "/transfers/"+id.String())
}

// Files returns the files of a transfer, none while they are not known.
func (c *Client) Files(ctx context.Context, id share.ID) ([]share.File, error) {
	return get[[]share.File](ctx, c, "/transfers/"+id.String()+"/files")
}

// Peers returns the connected peers of a transfer.
func (c *Client) Peers(ctx context.Context, id share.ID) ([]share.Peer, error) {
	return get[[]share.Peer](ctx, c, "/transfers/"+id.String()+"/peers")
}

// Discovery returns how each way of finding peers of a transfer goes.
func (c *Client) Discovery(ctx context.Context, id share.ID) ([]share.Way, error) {
	return get[[]share.Way](ctx, c, "/transfers/"+id.String()+"/discovery")
}

// Room tells whether the rest of a transfer fits on its disk.
func (c *Client) Room(ctx context.Context, id share.ID) (Room, error) {
	return get[Room](ctx, c, "/transfers/"+id.String()+"/room")
}

// Pieces returns the state of every piece.
func (c *Client) Pieces(ctx context.Context, id share.ID) (share.Pieces, error) {
	return get[share.Pieces](ctx, c, "/transfers/"+id.String()+"/pieces")
}

// Log returns the latest lines of a transfer's log, oldest first.
func (c *Client) Log(ctx context.Context, id share.ID) ([]LogLine, error) {
	return get[[]LogLine](ctx, c, "/transfers/"+id.String()+"/log")
}

// Torrent returns the .torrent file of a transfer.
func (c *Client) Torrent(ctx context.Context, id share.ID) ([]byte, error) {
	resp, err := c.send(ctx, http.MethodGet, Base+"/transfers/"+id.String()+"/torrent", nil, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, gone(ctx, err)
	}
	return b, nil
}

// Content reads one file of a transfer from its beginning; what is missing is
// fetched in the order of the reading. Reading less than all of it before Close
// is fine.
func (c *Client) Content(ctx context.Context, id share.ID, file int) (io.ReadCloser, error) {
	resp, err := c.send(ctx, http.MethodGet, contentPath(id, file), nil, nil)
	if err != nil {
		return nil, err
	}
	return &content{ctx: ctx, body: resp.Body, left: resp.ContentLength}, nil
}

// ContentRange reads length bytes from offset on.
func (c *Client) ContentRange(ctx context.Context, id share.ID, file int, offset, length int64) (io.ReadCloser, error) {
	h := http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", offset, offset+length-1)}}
	resp, err := c.send(ctx, http.MethodGet, contentPath(id, file), h, nil)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusPartialContent {
		resp.Body.Close()
		return nil, share.Errorf(share.Failed, "the node answered %s to a request for a part of a file", resp.Status)
	}
	return &content{ctx: ctx, body: resp.Body, left: resp.ContentLength}, nil
}

func contentPath(id share.ID, file int) string {
	return Base + "/transfers/" + id.String() + "/files/" + strconv.Itoa(file) + "/content"
}

// content tells the end of a file from the end of its node.
type content struct {
	ctx  context.Context
	body io.ReadCloser
	left int64
}

func (c *content) Read(p []byte) (int, error) {
	n, err := c.body.Read(p)
	c.left -= int64(n)
	if err != nil && (err != io.EOF || c.left > 0) {
		err = gone(c.ctx, err)
	}
	return n, err
}

func (c *content) Close() error { return c.body.Close() }

// Share publishes a file or folder. It returns at once, with a provisional ID:
// Events tells when the link is known.
func (c *Client) Share(ctx context.Context, r ShareRequest) (share.Transfer, error) {
	var t share.Transfer
	err := c.do(ctx, http.MethodPost, Base+"/shares", r, &t)
	return t, err
}

// Fetch starts fetching and returns at once. Asked again for the same ID it
// returns the transfer that is there.
func (c *Client) Fetch(ctx context.Context, r FetchRequest) (share.Transfer, error) {
	var t share.Transfer
	err := c.do(ctx, http.MethodPost, Base+"/transfers", r, &t)
	return t, err
}

// Match tells what of the content is in a folder already.
func (c *Client) Match(ctx context.Context, r MatchRequest) (share.Match, error) {
	var m share.Match
	return m, c.do(ctx, http.MethodPost, Base+"/matches", r, &m)
}

// Preview reads a link or torrent without adding it.
func (c *Client) Preview(ctx context.Context, r PreviewRequest) (Preview, error) {
	var p Preview
	err := c.do(ctx, http.MethodPost, Base+"/preview", r, &p)
	return p, err
}

// Pause stops what a transfer does.
func (c *Client) Pause(ctx context.Context, id share.ID) error { return c.act(ctx, id, "pause") }

// Resume undoes Pause and tries again what stopped with an error.
func (c *Client) Resume(ctx context.Context, id share.ID) error { return c.act(ctx, id, "resume") }

// Verify hashes the data on disk again.
func (c *Client) Verify(ctx context.Context, id share.ID) error { return c.act(ctx, id, "verify") }

func (c *Client) act(ctx context.Context, id share.ID, what string) error {
	return c.do(ctx, http.MethodPost, Base+"/transfers/"+id.String()+"/"+what, nil, nil)
}

// Remove forgets a transfer, and with data deletes what it fetched. It tells which
// files stayed.
func (c *Client) Remove(ctx context.Context, id share.ID, data bool) ([]share.Kept, error) {
	path := Base + "/transfers/" + id.String()
	if data {
		path += "?data=true"
	}
	var r Removal
	err := c.do(ctx, http.MethodDelete, path, nil, &r)
	return r.Kept, err
}

// SetLimits caps the rates of one transfer.
func (c *Client) SetLimits(ctx context.Context, id share.ID, l share.Limits) error {
	return c.ChangeLimits(ctx, id, l.Change())
}

// ChangeLimits changes limits of one transfer.
func (c *Client) ChangeLimits(ctx context.Context, id share.ID, l share.LimitChange) error {
	return c.do(ctx, http.MethodPatch, Base+"/transfers/"+id.String(), Change{Limits: &l}, nil)
}

// SetGoal changes when a transfer stops seeding.
func (c *Client) SetGoal(ctx context.Context, id share.ID, g share.Goal) error {
	return c.do(ctx, http.MethodPatch, Base+"/transfers/"+id.String(), Change{Goal: &g}, nil)
}

// SetPriority changes files by index; others stay as they are.
func (c *Client) SetPriority(ctx context.Context, id share.ID, files map[int]share.Priority) error {
	return c.do(ctx, http.MethodPatch, Base+"/transfers/"+id.String()+"/files", priorities{files}, nil)
}

// AddPeers offers addresses to a transfer.
func (c *Client) AddPeers(ctx context.Context, id share.ID, addrs []netip.AddrPort) error {
	return c.do(ctx, http.MethodPost, Base+"/transfers/"+id.String()+"/peers", addresses{addrs}, nil)
}

func get[T any](ctx context.Context, c *Client, path string) (T, error) {
	var v T
	err := c.do(ctx, http.MethodGet, Base+path, nil, &v)
	return v, err
}

// do sends in as JSON, unless nil, and reads the answer into out, unless nil.
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
	_, _ = io.Copy(io.Discard, resp.Body) // up to its end, so that the connection is used again
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

// gone is the error for a node that does not answer (any more).
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
