package api

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/shoalnet/shoal/share"
)

// lease answers with a lease and ends it when the caller is gone, however that
// came.
func (a *API) lease(context.Context, *none) (*huma.StreamResponse, error) {
	id, end, err := a.node.Lease()
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		defer end()
		req, w := humago.Unwrap(ctx)
		b, err := json.Marshal(Lease{id})
		if err != nil {
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if _, err := w.Write(append(b, '\n')); err != nil {
			return
		}
		if http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-req.Context().Done():
		case <-a.over:
		}
	}}, nil
}

// Lease makes a lease, which ends with ctx, with end, and with this process.
func (c *Client) Lease(ctx context.Context) (lease string, end func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	resp, err := c.send(ctx, http.MethodGet, Base+"/lease", http.Header{}, nil)
	if err != nil {
		cancel()
		return "", nil, err
	}
	end = sync.OnceFunc(func() {
		cancel()
		resp.Body.Close()
	})
	line, err := readLine(bufio.NewReader(resp.Body))
	var l Lease
	if err == nil {
		err = json.Unmarshal(line, &l)
	}
	if err != nil {
		end()
		return "", nil, share.Errorf(share.NoNode, "the node gives no lease: %w", err)
	}
	return l.Lease, end, nil
}
