package api

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/shoalnet/shoal/share"
)

// Transfers is the port to the transfers that the node has: what they are and what
// they do. Methods that change a transfer return at once; its state shows the
// effect.
type Transfers interface {
	// List returns every transfer, oldest first.
	List() []share.Transfer
	// Get also finds a share by its provisional ID.
	Get(share.ID) (share.Transfer, error)

	Pause(share.ID) error
	// Resume undoes Pause, and retries a transfer that stopped with an error.
	Resume(share.ID) error
	Verify(share.ID) error
	// Remove takes a transfer off the list. With data it also deletes what the node
	// downloaded. It returns the files that stay, and why.
	Remove(id share.ID, data bool) ([]share.Kept, error)

	ChangeLimits(share.ID, share.LimitChange) error
	SetGoal(share.ID, share.Goal) error
	SetPrecedence(share.ID, share.Precedence) error
	// SetPriority changes files by number; the others stay as they are.
	SetPriority(share.ID, map[int]share.Priority) error
	AddPeers(share.ID, share.Source, []netip.AddrPort) error
}

// Removal says what is left of a removed transfer.
type Removal struct {
	Kept []share.Kept `json:"kept" doc:"files that were not deleted, and why: files that shoal did not create, files that were changed since, and without data, unfinished files"`
}

// Change changes settings of a transfer; nil fields stay unchanged.
type Change struct {
	Limits *share.LimitChange `json:"limits,omitempty" doc:"bytes per second, 0 for no limit; an omitted direction does not change"`
	Goal   *share.Goal        `json:"goal,omitempty"`
	// Priority ranks the transfer among others.
	Priority *share.Precedence `json:"priority,omitempty" doc:"which downloads go first when not all may run at once: 1 before the others, 0 in turn, -1 after them"`
}

// check refuses a change before any part of it is made.
func (c Change) check() error {
	if c.Limits != nil {
		if err := c.Limits.Check(); err != nil {
			return err
		}
	}
	if c.Goal != nil {
		if err := c.Goal.Check(); err != nil {
			return err
		}
	}
	if c.Priority != nil {
		return c.Priority.Check()
	}
	return nil
}

// make changes one transfer.
func (c Change) make(t Transfers, id share.ID) error {
	if c.Limits != nil {
		if err := t.ChangeLimits(id, *c.Limits); err != nil {
			return err
		}
	}
	if c.Goal != nil {
		if err := t.SetGoal(id, *c.Goal); err != nil {
			return err
		}
	}
	if c.Priority != nil {
		return t.SetPrecedence(id, *c.Priority)
	}
	return nil
}

// LogLine is one line of a transfer's log.
type LogLine struct {
	Time    time.Time       `json:"time"`
	Event   share.EventType `json:"event"`
	Source  share.Source    `json:"source,omitempty"`
	Count   int             `json:"count,omitempty"`
	Message string          `json:"message,omitempty"`
	// MessageText is Message for other languages.
	MessageText *share.Text    `json:"message_text,omitempty"`
	File        *share.Found   `json:"file,omitempty" doc:"for the event beside: the file that was already there"`
	By          *share.Fetcher `json:"by,omitempty" doc:"for the event fetched: the peer that has all of the content after this node uploaded to it"`
}

type priorities struct {
	Priorities map[int]share.Priority `json:"priorities" doc:"by file number: -1 skip, 0 normal, 1 high"`
}

type addresses struct {
	Addresses []netip.AddrPort `json:"addresses" maxItems:"1000"`
}

type (
	removal struct {
		ID   string `path:"id" maxLength:"64" doc:"ID, v1 or v2, may be shortened while unique"`
		Data bool   `query:"data" doc:"also delete downloaded files, or the copy that a browser uploaded; files shared from their own folder are never deleted"`
	}
	change struct {
		ID   string `path:"id" maxLength:"64" doc:"ID, v1 or v2, may be shortened while unique"`
		Body Change
	}
	prioritize struct {
		ID   string `path:"id" maxLength:"64" doc:"ID, v1 or v2, may be shortened while unique"`
		Body priorities
	}
	offer struct {
		ID   string `path:"id" maxLength:"64" doc:"ID, v1 or v2, may be shortened while unique"`
		Body addresses
	}
)

// registerTransfers adds the operations on transfers. logOf returns the log lines of
// a transfer.
func registerTransfers(h huma.API, t Transfers, ids ids, logOf func(share.ID) []LogLine) {
	op(h, "GET /transfers", "List transfers, oldest first", func(_ context.Context, in *withFields) (*huma.StreamResponse, error) {
		return list(t.List(), in.Fields)
	}, lists[share.Transfer](h))
	op(h, "GET /transfers/{id}", "Show a transfer", func(_ context.Context, in *oneID) (*answer[share.Transfer], error) {
		v, err := onID(ids, in.ID, t.Get)
		return &answer[share.Transfer]{v}, err
	})
	op(h, "PATCH /transfers/{id}", "Change limits, goal and priority of a transfer", func(_ context.Context, in *change) (*none, error) {
		c := in.Body
		if err := c.check(); err != nil {
			return nil, err
		}
		return ids.act(in.ID, func(id share.ID) error { return c.make(t, id) })
	})
	op(h, "DELETE /transfers/{id}", "Remove a transfer", func(_ context.Context, in *removal) (*answer[Removal], error) {
		r := &answer[Removal]{Body: Removal{Kept: []share.Kept{}}}
		_, err := ids.act(in.ID, func(id share.ID) error {
			kept, err := t.Remove(id, in.Data)
			r.Body.Kept = append(r.Body.Kept, kept...)
			return err
		})
		return r, err
	})
	op(h, "POST /transfers/{id}/pause", "Pause a transfer", func(_ context.Context, in *oneID) (*none, error) {
		return ids.act(in.ID, t.Pause)
	})
	op(h, "POST /transfers/{id}/resume", "Resume a transfer", func(_ context.Context, in *oneID) (*none, error) {
		return ids.act(in.ID, t.Resume)
	})
	op(h, "POST /transfers/{id}/verify", "Hash the data on disk again", func(_ context.Context, in *oneID) (*none, error) {
		return ids.act(in.ID, t.Verify)
	})
	op(h, "PATCH /transfers/{id}/files", "Set the priorities of files", func(_ context.Context, in *prioritize) (*none, error) {
		for n, p := range in.Body.Priorities {
			if p < share.Skip || p > share.High {
				return nil, share.Errorf(share.Usage, "the priority of file %d must be -1, 0 or 1, not %d", n, p)
			}
		}
		return ids.act(in.ID, func(id share.ID) error { return t.SetPriority(id, in.Body.Priorities) })
	})
	op(h, "POST /transfers/{id}/peers", "Add peers by address", func(_ context.Context, in *offer) (*none, error) {
		return ids.act(in.ID, func(id share.ID) error { return t.AddPeers(id, share.FromUser, in.Body.Addresses) })
	})
	op(h, "GET /transfers/{id}/log", "Show the latest log lines of a transfer", func(_ context.Context, in *oneID) (*answer[[]LogLine], error) {
		lines, err := onID(ids, in.ID, func(id share.ID) ([]LogLine, error) {
			_, err := t.Get(id)
			return logOf(id), err
		})
		return &answer[[]LogLine]{lines}, err
	})
}

// Transfers returns every transfer, oldest first. If fields are given, by their
// JSON names, the others stay zero, which is faster on a node with many transfers.
func (c *Client) Transfers(ctx context.Context, fields ...string) ([]share.Transfer, error) {
	path := "/transfers"
	if len(fields) > 0 {
		path += "?fields=" + url.QueryEscape(strings.Join(fields, ","))
	}
	return get[[]share.Transfer](ctx, c, path)
}

// Resolve finds the one transfer whose ID begins with prefix. If there is none, the
// error wraps share.ErrUnknown; if there are several, it is share.Usage and lists
// them.
func (c *Client) Resolve(ctx context.Context, prefix string) (share.Transfer, error) {
	return get[share.Transfer](ctx, c, "/transfers/"+url.PathEscape(prefix))
}

// Transfer returns one transfer.
func (c *Client) Transfer(ctx context.Context, id share.ID) (share.Transfer, error) {
	return get[share.Transfer](ctx, c, transferPath(id))
}

// Log returns the latest lines of a transfer's log, oldest first.
func (c *Client) Log(ctx context.Context, id share.ID) ([]LogLine, error) {
	return get[[]LogLine](ctx, c, transferPath(id)+"/log")
}

// Pause stops a transfer until Resume.
func (c *Client) Pause(ctx context.Context, id share.ID) error { return c.act(ctx, id, "pause") }

// Resume undoes Pause and retries a transfer that stopped with an error.
func (c *Client) Resume(ctx context.Context, id share.ID) error { return c.act(ctx, id, "resume") }

// Verify hashes the data on disk again.
func (c *Client) Verify(ctx context.Context, id share.ID) error { return c.act(ctx, id, "verify") }

func (c *Client) act(ctx context.Context, id share.ID, what string) error {
	return c.do(ctx, http.MethodPost, Base+transferPath(id)+"/"+what, nil, nil)
}

// Remove takes a transfer off the list, and with data deletes its downloaded files.
// It returns the files that stayed.
func (c *Client) Remove(ctx context.Context, id share.ID, data bool) ([]share.Kept, error) {
	path := Base + transferPath(id)
	if data {
		path += "?data=true"
	}
	var r Removal
	err := c.do(ctx, http.MethodDelete, path, nil, &r)
	return r.Kept, err
}

// SetLimits sets both limits of one transfer.
func (c *Client) SetLimits(ctx context.Context, id share.ID, l share.Limits) error {
	return c.ChangeLimits(ctx, id, l.Change())
}

// ChangeLimits changes one limit of one transfer or both.
func (c *Client) ChangeLimits(ctx context.Context, id share.ID, l share.LimitChange) error {
	return c.do(ctx, http.MethodPatch, Base+transferPath(id), Change{Limits: &l}, nil)
}

// SetGoal changes when a transfer stops seeding.
func (c *Client) SetGoal(ctx context.Context, id share.ID, g share.Goal) error {
	return c.do(ctx, http.MethodPatch, Base+transferPath(id), Change{Goal: &g}, nil)
}

// SetPriority changes files by number; the others stay as they are.
func (c *Client) SetPriority(ctx context.Context, id share.ID, files map[int]share.Priority) error {
	return c.do(ctx, http.MethodPatch, Base+transferPath(id)+"/files", priorities{files}, nil)
}

// AddPeers adds addresses of peers to a transfer.
func (c *Client) AddPeers(ctx context.Context, id share.ID, addrs []netip.AddrPort) error {
	return c.do(ctx, http.MethodPost, Base+transferPath(id)+"/peers", addresses{addrs}, nil)
}

// transferPath is the path of a transfer below Base.
func transferPath(id share.ID) string { return "/transfers/" + id.String() }
