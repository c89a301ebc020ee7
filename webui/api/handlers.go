package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/shoalnet/shoal/share"
)

// Inputs and outputs of the handlers. An ID in a path may be shortened.
type (
	none struct{}

	body[T any]   struct{ Body T }
	answer[T any] struct{ Body T }

	oneID struct {
		ID string `path:"id" maxLength:"40" doc:"ID, may be shortened while unique"`
	}
	oneFile struct {
		ID   string `path:"id" maxLength:"40" doc:"ID, may be shortened while unique"`
		File int    `path:"file" minimum:"0" doc:"number of the file, from 0"`
	}
	withFields struct {
		Fields string `query:"fields" maxLength:"1000" doc:"fields to return, separated by commas; without it, all"`
	}
	listOf struct {
		ID     string `path:"id" maxLength:"40" doc:"ID, may be shortened while unique"`
		Fields string `query:"fields" maxLength:"1000" doc:"fields to return, separated by commas; without it, all"`
	}
	removal struct {
		ID   string `path:"id" maxLength:"40" doc:"ID, may be shortened while unique"`
		Data bool   `query:"data" doc:"also delete downloaded files, or the copy that a browser uploaded; files shared from their own folder are never deleted"`
	}
	change struct {
		ID   string `path:"id" maxLength:"40" doc:"ID, may be shortened while unique"`
		Body Change
	}
	prioritize struct {
		ID   string `path:"id" maxLength:"40" doc:"ID, may be shortened while unique"`
		Body priorities
	}
	offer struct {
		ID   string `path:"id" maxLength:"40" doc:"ID, may be shortened while unique"`
		Body addresses
	}
	watching struct {
		Topics    string `query:"topics" maxLength:"2000" doc:"topics, separated by commas: peers:ID, pieces:ID, files:ID, log:ID, discovery:ID, node"`
		Transfers string `query:"transfers" maxLength:"100000" doc:"only these IDs, separated by commas"`
		Stats     bool   `query:"stats" default:"true" doc:"include the totals of the node"`
		LastID    string `header:"Last-Event-ID" maxLength:"100" doc:"continue after this event"`
	}
	health struct {
		Status int
		Body   Health
	}
)

// maxTorrentBody is what a request with a torrent of 10 MB in base64 may have.
const maxTorrentBody = 16 << 20

// fullHealth has an empty list in the place of none.
func fullHealth(h Health) Health {
	h.Problems = orEmpty(h.Problems)
	return h
}

// register adds every operation.
func (a *API) register(h huma.API) {
	op(h, "GET /node", "Describe the node", func(context.Context, *none) (*answer[Info], error) {
		i := a.node.Info()
		i.Listen, i.Addresses = orEmpty(i.Listen), orEmpty(i.Addresses)
		return &answer[Info]{i}, nil
	})
	op(h, "GET /stats", "Show the totals of the node", func(context.Context, *none) (*answer[share.Stats], error) {
		return &answer[share.Stats]{a.node.Stats()}, nil
	})
	op(h, "GET /health", "Report whether the node is healthy; status 503 if not", func(context.Context, *none) (*health, error) {
		b := fullHealth(a.node.Health())
		if !b.OK {
			return &health{http.StatusServiceUnavailable, b}, nil
		}
		return &health{http.StatusOK, b}, nil
	})
	op(h, "GET /config", "List the settings with their sources", func(context.Context, *none) (*answer[[]Setting], error) {
		return &answer[[]Setting]{orEmpty(a.node.Settings())}, nil
	})
	a.registerNetwork(h)
	op(h, "GET /limits", "Show the limits of the node", func(context.Context, *none) (*answer[Limits], error) {
		return &answer[Limits]{a.node.Limits()}, nil
	})
	op(h, "PUT /limits", "Set the limits of the node", func(_ context.Context, in *body[share.Limits]) (*answer[Limits], error) {
		return a.changeLimits(in.Body.Change())
	})
	op(h, "PATCH /limits", "Change the limits of the node in one direction or both", func(_ context.Context, in *body[share.LimitChange]) (*answer[Limits], error) {
		return a.changeLimits(in.Body)
	})
	op(h, "POST /sign-in", "Create a link that signs in one browser", func(context.Context, *none) (*answer[SignIn], error) {
		url, err := a.node.SignIn()
		return &answer[SignIn]{SignIn{url}}, err
	})
	op(h, "PUT /password", "Set the password of the page", func(_ context.Context, in *body[Password]) (*none, error) {
		return nil, a.node.SetPassword(in.Body.Password)
	})
	op(h, "GET /events", "Follow the node by server-sent events", a.events, streams("text/event-stream"))

	op(h, "GET /lease", "A lease that lasts for as long as this answer is read", a.lease, streams("application/json"))
	op(h, "POST /shares", "Share a file or folder", func(ctx context.Context, in *body[ShareRequest]) (*answer[share.Transfer], error) {
		if err := in.Body.Limits.Check(); err != nil {
			return nil, err
		}
		t, err := a.node.Share(ctx, in.Body)
		return &answer[share.Transfer]{t}, err
	})
	op(h, "POST /transfers", "Fetch the content that a link or torrent names", func(ctx context.Context, in *body[FetchRequest]) (*answer[share.Transfer], error) {
		if err := checkSource(in.Body.Link, in.Body.Torrent); err != nil {
			return nil, err
		}
		if err := in.Body.Limits.Check(); err != nil {
			return nil, err
		}
		t, err := a.node.Fetch(ctx, in.Body)
		return &answer[share.Transfer]{t}, err
	}, takesTorrent)
	op(h, "POST /preview", "Preview a link or torrent without adding it", func(ctx context.Context, in *body[PreviewRequest]) (*answer[Preview], error) {
		if err := checkSource(in.Body.Link, in.Body.Torrent); err != nil {
			return nil, err
		}
		p, err := a.node.Preview(ctx, in.Body)
		p.Files, p.Trackers = orEmpty(p.Files), orEmpty(p.Trackers)
		p.WebSeeds, p.Peers = orEmpty(p.WebSeeds), orEmpty(p.Peers)
		return &answer[Preview]{p}, err
	}, takesTorrent)
	op(h, "POST /matches", "Tell what of the content is in a folder already; this reads the files there", func(ctx context.Context, in *body[MatchRequest]) (*answer[share.Match], error) {
		if err := checkSource(in.Body.Link, in.Body.Torrent); err != nil {
			return nil, err
		}
		m, err := a.node.Match(ctx, in.Body)
		return &answer[share.Match]{m}, err
	}, takesTorrent)

	op(h, "GET /transfers", "List transfers, oldest first", func(_ context.Context, in *withFields) (*huma.StreamResponse, error) {
		return list(a.node.List(), in.Fields)
	}, lists[share.Transfer](h))
	op(h, "GET /transfers/{id}", "Show a transfer", func(_ context.Context, in *oneID) (*answer[share.Transfer], error) {
		t, err := onID(a, in.ID, a.node.Get)
		return &answer[share.Transfer]{t}, err
	})
	op(h, "GET /transfers/{id}/room", "Whether the rest of a transfer fits on its disk", func(_ context.Context, in *oneID) (*answer[Room], error) {
		r, err := onID(a, in.ID, a.node.Room)
		return &answer[Room]{r}, err
	})
	op(h, "PATCH /transfers/{id}", "Change limits and goal of a transfer", a.change)
	op(h, "DELETE /transfers/{id}", "Remove a transfer", func(_ context.Context, in *removal) (*answer[Removal], error) {
		r := &answer[Removal]{Body: Removal{Kept: []share.Kept{}}}
		_, err := a.act(in.ID, func(id share.ID) error {
			kept, err := a.node.Remove(id, in.Data)
			r.Body.Kept = append(r.Body.Kept, kept...)
			return err
		})
		return r, err
	})
	op(h, "POST /transfers/{id}/pause", "Pause a transfer", func(_ context.Context, in *oneID) (*none, error) {
		return a.act(in.ID, a.node.Pause)
	})
	op(h, "POST /transfers/{id}/resume", "Resume a transfer", func(_ context.Context, in *oneID) (*none, error) {
		return a.act(in.ID, a.node.Resume)
	})
	op(h, "POST /transfers/{id}/verify", "Hash the data on disk again", func(_ context.Context, in *oneID) (*none, error) {
		return a.act(in.ID, a.node.Verify)
	})

	op(h, "GET /transfers/{id}/files", "List the files of a transfer", func(_ context.Context, in *listOf) (*huma.StreamResponse, error) {
		files, err := onID(a, in.ID, a.node.Files)
		if err != nil {
			return nil, err
		}
		return list(files, in.Fields)
	}, lists[share.File](h))
	op(h, "PATCH /transfers/{id}/files", "Set the priorities of files", func(_ context.Context, in *prioritize) (*none, error) {
		for n, p := range in.Body.Priorities {
			if p < share.Skip || p > share.High {
				return nil, share.Errorf(share.Usage, "the priority of file %d must be -1, 0 or 1, not %d", n, p)
			}
		}
		return a.act(in.ID, func(id share.ID) error { return a.node.SetPriority(id, in.Body.Priorities) })
	})
	op(h, "GET /transfers/{id}/files/{file}/content", "Read a file, also while it is being fetched", a.readFile, streams("application/octet-stream"))
	op(h, "GET /transfers/{id}/peers", "List the connected peers", func(_ context.Context, in *listOf) (*huma.StreamResponse, error) {
		peers, err := onID(a, in.ID, a.node.Peers)
		if err != nil {
			return nil, err
		}
		return list(peers, in.Fields)
	}, lists[share.Peer](h))
	op(h, "POST /transfers/{id}/peers", "Add peers by address", func(_ context.Context, in *offer) (*none, error) {
		return a.act(in.ID, func(id share.ID) error { return a.node.AddPeers(id, in.Body.Addresses) })
	})
	op(h, "GET /transfers/{id}/pieces", "Show the state of every piece", func(_ context.Context, in *oneID) (*answer[share.Pieces], error) {
		p, err := onID(a, in.ID, a.node.Pieces)
		p.State = orEmpty(p.State)
		return &answer[share.Pieces]{p}, err
	})
	op(h, "GET /transfers/{id}/log", "Show the latest log lines of a transfer", func(_ context.Context, in *oneID) (*answer[[]LogLine], error) {
		lines, err := onID(a, in.ID, func(id share.ID) ([]LogLine, error) {
			_, err := a.node.Get(id)
			return a.hub.logOf(id), err
		})
		return &answer[[]LogLine]{lines}, err
	})
	a.registerSearch(h)
	op(h, "GET /transfers/{id}/torrent", "Download the .torrent file of a transfer", a.torrent, streams("application/x-bittorrent"))
	a.registerBrowsing(h)
}

// op adds one operation, "METHOD /path" below Base.
func op[I, O any](h huma.API, route, summary string, f func(context.Context, *I) (*O, error), more ...func(*huma.Operation)) {
	method, path, _ := strings.Cut(route, " ")
	o := huma.Operation{Method: method, Path: Base + path, OperationID: operationID(method, path), Summary: summary}
	for _, m := range more {
		m(&o)
	}
	huma.Register(h, o, func(ctx context.Context, in *I) (*O, error) {
		out, err := f(ctx, in)
		if err != nil {
			return nil, problem(err)
		}
		return out, nil
	})
}

// operationID makes names such as getTransfersFiles.
func operationID(method, path string) string {
	id := strings.ToLower(method)
	for p := range strings.SplitSeq(path, "/") {
		if p == "" || p[0] == '{' {
			if p == "{id}" && strings.Count(path, "/") == 2 {
				id += "One"
			}
			continue
		}
		id += strings.ToUpper(p[:1]) + p[1:]
	}
	return id
}

// takesTorrent gives a torrent the time that it needs over a slow line.
func takesTorrent(o *huma.Operation) {
	o.MaxBodyBytes, o.BodyReadTimeout = maxTorrentBody, time.Minute
}

// streams describes an answer that the handler writes by itself.
func streams(media string) func(*huma.Operation) {
	return func(o *huma.Operation) {
		o.Responses = map[string]*huma.Response{"200": {
			Description: o.Summary,
			Content:     map[string]*huma.MediaType{media: {Schema: &huma.Schema{Type: "string", Format: "binary"}}},
		}}
	}
}

// lists describes a JSON array written by list.
func lists[T any](h huma.API) func(*huma.Operation) {
	return func(o *huma.Operation) {
		schema := huma.SchemaFromType(h.OpenAPI().Components.Schemas, reflect.TypeFor[[]T]())
		schema.Nullable = false
		o.Responses = map[string]*huma.Response{"200": {
			Description: "OK",
			Content:     map[string]*huma.MediaType{"application/json": {Schema: schema}},
		}}
	}
}

// list writes values with the fields asked for.
func list[T any](values []T, fields string) (*huma.StreamResponse, error) {
	var names []string
	if fields != "" {
		names = strings.Split(fields, ",")
	}
	cols, err := choose(columnsOf(reflect.TypeFor[T]()), names)
	if err != nil {
		return nil, err
	}
	b := appendList(make([]byte, 0, 64+len(values)*40*len(cols)), values, cols)
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		ctx.SetHeader("Content-Type", "application/json")
		_, _ = ctx.BodyWriter().Write(b) // the reader may have gone
	}}, nil
}

// onID calls f with the ID that s means.
func onID[T any](a *API, s string, f func(share.ID) (T, error)) (T, error) {
	id, err := a.resolve(s)
	if err != nil {
		var zero T
		return zero, err
	}
	return f(id)
}

func (a *API) act(s string, f func(share.ID) error) (*none, error) {
	id, err := a.resolve(s)
	if err != nil {
		return nil, err
	}
	return nil, f(id)
}

func (a *API) change(_ context.Context, in *change) (*none, error) {
	c := in.Body
	if c.Limits != nil {
		if err := c.Limits.Check(); err != nil {
			return nil, err
		}
	}
	if c.Goal != nil {
		if err := c.Goal.Check(); err != nil {
			return nil, err
		}
	}
	return a.act(in.ID, func(id share.ID) error {
		if c.Limits != nil {
			if err := a.node.ChangeTransferLimits(id, *c.Limits); err != nil {
				return err
			}
		}
		if c.Goal != nil {
			return a.node.SetGoal(id, *c.Goal)
		}
		return nil
	})
}

func (a *API) changeLimits(c share.LimitChange) (*answer[Limits], error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	if err := a.node.ChangeLimits(c); err != nil {
		return nil, err
	}
	return &answer[Limits]{a.node.Limits()}, nil
}

func checkSource(link string, torrent []byte) error {
	if (link == "") == (len(torrent) == 0) {
		return share.Errorf(share.Usage, "give exactly one of link and torrent")
	}
	return nil
}

func (a *API) events(ctx context.Context, in *watching) (*huma.StreamResponse, error) {
	r := &reader{noStats: !in.Stats}
	if in.Transfers != "" {
		r.only = map[share.ID]bool{}
		for s := range strings.SplitSeq(in.Transfers, ",") {
			id, err := a.resolve(s)
			if err != nil {
				return nil, err
			}
			r.only[id] = true
		}
	}
	var keys []topicKey
	if in.Topics != "" {
		for s := range strings.SplitSeq(in.Topics, ",") {
			k, err := a.parseTopic(s)
			if err != nil {
				return nil, err
			}
			keys = append(keys, k)
		}
	}
	if len(keys) > maxTopics {
		return nil, share.Errorf(share.Usage, "a stream can have at most %d topics", maxTopics)
	}
	if err := a.hub.join(ctx, r, in.LastID, keys); err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		defer a.hub.leave(r)
		req, w := humago.Unwrap(ctx)
		a.hub.stream(w, req, r)
	}}, nil
}

// describe finishes the OpenAPI document: every operation may end in a Problem.
func (a *API) describe(h huma.API) error {
	doc := h.OpenAPI()
	schema := doc.Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
	failure := &huma.Response{
		Description: "The request failed",
		Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schema}},
	}
	for _, item := range doc.Paths {
		for _, o := range []*huma.Operation{item.Get, item.Put, item.Post, item.Delete, item.Patch} {
			if o == nil {
				continue
			}
			for status := range o.Responses {
				if status[0] != '2' {
					delete(o.Responses, status)
				}
			}
			o.Responses["default"] = failure
		}
	}
	delete(doc.Components.Schemas.Map(), "ErrorModel")
	// The event stream describes itself by these.
	for _, t := range []reflect.Type{reflect.TypeFor[share.Event](), reflect.TypeFor[LogLine](), reflect.TypeFor[Welcome]()} {
		doc.Components.Schemas.Schema(t, true, t.Name())
	}
	var err error
	if a.spec, err = json.Marshal(doc); err != nil {
		return fmt.Errorf("describing the API: %w", err)
	}
	return nil
}
