package api

import (
	"context"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/shoalnet/shoal/share"
)

// Events is the port to the events of transfers.
type Events interface {
	// Subscribe delivers every event from now on. A reader that falls behind by
	// more than buffer events is cut off: the channel is closed.
	Subscribe(buffer int) Subscription
}

// Subscription is a reader of events.
type Subscription interface {
	// Events is closed by Close, when the node stops, and when the reader fell
	// behind.
	Events() <-chan share.Event
	// Lagged reports, once Events is closed, that the reader fell behind. The reader
	// then subscribes again and calls List.
	Lagged() bool
	Close()
}

type watching struct {
	Topics    string `query:"topics" maxLength:"2000" doc:"topics, separated by commas: peers:ID, pieces:ID, files:ID, log:ID, discovery:ID, streams:ID, node"`
	Transfers string `query:"transfers" maxLength:"100000" doc:"only these IDs, separated by commas"`
	Stats     bool   `query:"stats" default:"true" doc:"include the totals of the node"`
	LastID    string `header:"Last-Event-ID" maxLength:"100" doc:"continue after this event"`
}

func registerEvents(h huma.API, hub *hub, ids ids) {
	op(h, "GET /events", "Follow the node by server-sent events", func(ctx context.Context, in *watching) (*huma.StreamResponse, error) {
		return events(ctx, in, hub, ids)
	}, streams("text/event-stream"))
}

func events(ctx context.Context, in *watching, hub *hub, ids ids) (*huma.StreamResponse, error) {
	r := &reader{noStats: !in.Stats}
	if in.Transfers != "" {
		r.only = map[share.ID]bool{}
		for s := range strings.SplitSeq(in.Transfers, ",") {
			id, err := ids.resolve(s)
			if err != nil {
				return nil, err
			}
			r.only[id] = true
		}
	}
	var keys []topicKey
	if in.Topics != "" {
		for s := range strings.SplitSeq(in.Topics, ",") {
			k, err := parseTopic(ids, s)
			if err != nil {
				return nil, err
			}
			keys = append(keys, k)
		}
	}
	if len(keys) > maxTopics {
		return nil, share.Errorf(share.Usage, "a stream can have at most %d topics", maxTopics)
	}
	if err := hub.join(ctx, r, in.LastID, keys); err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		defer hub.leave(r)
		req, w := humago.Unwrap(ctx)
		hub.stream(w, req, r)
	}}, nil
}
