package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/shoalnet/shoal/share"
)

// Node is the port to the node as a whole: what it is, whether it is healthy and
// how much it moves. No method waits for the network.
type Node interface {
	Info() Info
	Health() Health
	Stats() share.Stats
	// History returns the rates of a transfer, or with a zero ID of the node.
	History(Span, share.ID) (History, error)
}

// Info describes the node.
type Info struct {
	Name    string    `json:"name" doc:"shoal"`
	Version string    `json:"version" doc:"version of the program"`
	API     int       `json:"api" doc:"version of the API"`
	Boot    string    `json:"boot" doc:"identifies this start of the node"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
	// Daemon is false if a verb runs the node for itself: the node ends with the
	// verb.
	Daemon    bool     `json:"daemon"`
	State     string   `json:"state" doc:"state directory"`
	Downloads string   `json:"downloads" doc:"default folder of downloads"`
	Uploads   string   `json:"uploads" doc:"folder of the files that browsers uploaded; a share of something in this folder can be removed together with its files"`
	Free      int64    `json:"free" doc:"free bytes in the default folder of downloads; -1 if unknown"`
	Listen    []string `json:"listen" doc:"ADDRESS:PORT of the listeners for peers (TCP) and the DHT (UDP)"`
	Addresses []string `json:"addresses" doc:"the addresses of the node that are in links, best first"`
	Socket    string   `json:"socket" doc:"path of the Unix socket of this API"`
	Web       string   `json:"web" doc:"URL of the web page; empty if it is not served"`
	Door      string   `json:"door,omitempty" enum:"http,https" doc:"how the node serves web links; empty if it does not"`
	ACME      bool     `json:"acme,omitempty" doc:"the node asks a CA for certificates: a sealed share gets the URL of its web link as soon as there is one"`
	Problems  []string `json:"problems,omitempty" doc:"problems with the node's own files, such as channel keys and credentials, each with what to do"`
}

// Health says whether the node is healthy.
type Health struct {
	OK       bool     `json:"ok"`
	Problems []string `json:"problems" doc:"sentences; not every problem makes the node unhealthy"`
	// ProblemTexts are Problems for other languages, in the same order.
	ProblemTexts []share.Text `json:"problem_texts,omitempty"`
}

// full returns h with an empty list in the place of none.
func (h Health) full() Health {
	h.Problems = orEmpty(h.Problems)
	return h
}

// Span is the length of a history.
type Span string

// The spans and their steps.
const (
	LastHour  Span = "hour"  // by seconds
	LastDay   Span = "day"   // by minutes
	LastMonth Span = "month" // by hours
)

// Spans lists every span, shortest first, with its step and the number of steps.
var Spans = [...]struct {
	Span  Span
	Step  time.Duration
	Steps int
}{{LastHour, time.Second, 3600}, {LastDay, time.Minute, 1440}, {LastMonth, time.Hour, 744}}

// History is rates over time, each the mean of a step, oldest first. Steps before
// the first one were idle or are unknown.
type History struct {
	Step int       `json:"step" doc:"seconds between two rates"`
	End  time.Time `json:"end" doc:"end of the last step"`
	Down []int64   `json:"down" nullable:"false" doc:"bytes per second"`
	Up   []int64   `json:"up" nullable:"false" doc:"bytes per second"`
}

type (
	health struct {
		Status int
		Body   Health
	}
	historyOf struct {
		Span     Span   `query:"span" enum:"hour,day,month" default:"hour" doc:"the last hour by seconds, the last day by minutes, or the last 31 days by hours"`
		Transfer string `query:"transfer" maxLength:"64" doc:"ID of a transfer, may be shortened while unique; without it, the whole node"`
	}
)

func registerNode(h huma.API, n Node, ids ids) {
	op(h, "GET /node", "Describe the node", func(context.Context, *none) (*answer[Info], error) {
		i := n.Info()
		i.Listen, i.Addresses = orEmpty(i.Listen), orEmpty(i.Addresses)
		return &answer[Info]{i}, nil
	})
	op(h, "GET /stats", "Show the totals of the node", func(context.Context, *none) (*answer[share.Stats], error) {
		return &answer[share.Stats]{n.Stats()}, nil
	})
	op(h, "GET /health", "Report whether the node is healthy; status 503 if not", func(context.Context, *none) (*health, error) {
		b := n.Health().full()
		if !b.OK {
			return &health{http.StatusServiceUnavailable, b}, nil
		}
		return &health{http.StatusOK, b}, nil
	})
	op(h, "GET /history", "Show the rates over time", func(_ context.Context, in *historyOf) (*answer[History], error) {
		var id share.ID
		if in.Transfer != "" {
			var err error
			if id, err = ids.resolve(in.Transfer); err != nil {
				return nil, err
			}
		}
		v, err := n.History(in.Span, id)
		v.Down, v.Up = orEmpty(v.Down), orEmpty(v.Up)
		return &answer[History]{v}, err
	})
}

// Info describes the node.
func (c *Client) Info(ctx context.Context) (Info, error) { return get[Info](ctx, c, "/node") }

// Stats returns the totals of the node.
func (c *Client) Stats(ctx context.Context) (share.Stats, error) {
	return get[share.Stats](ctx, c, "/stats")
}

// Health reports whether the node is healthy. An unhealthy node is no error.
func (c *Client) Health(ctx context.Context) (Health, error) { return get[Health](ctx, c, "/health") }
