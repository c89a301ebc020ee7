package api

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/shoalnet/shoal/share"
)

// BulkAction is what a bulk request does to each of its transfers.
type BulkAction string

// The actions.
const (
	BulkPause  BulkAction = "pause"
	BulkResume BulkAction = "resume"
	BulkVerify BulkAction = "verify"
	BulkChange BulkAction = "change"
	BulkRemove BulkAction = "remove"
)

const (
	// maxBulk bounds the transfers of one request.
	maxBulk = 20_000
	// maxBulkBody holds that many IDs.
	maxBulkBody = maxBulk*48 + 64<<10
	// bulkWorkers is how many transfers are acted on at once: each waits until its change is
	// on disk, and shares the write with the others.
	bulkWorkers = 256
)

// BulkRequest does the same to many transfers. Sending it again does no harm: a transfer
// that is already in the requested state counts as done, and so does one to remove that
// the node does not have.
type BulkRequest struct {
	Action BulkAction `json:"action" enum:"pause,resume,verify,change,remove"`
	IDs    []share.ID `json:"ids" minItems:"1" maxItems:"20000" nullable:"false" doc:"full IDs, v1 or v2; duplicates are ignored"`
	Change *Change    `json:"change,omitempty" doc:"for the action change: the values to set"`
	Data   bool       `json:"data,omitempty" doc:"for the action remove: also delete downloaded files, or the copy that a browser uploaded; files shared from their own folder are never deleted"`
}

// check refuses a request before any transfer is changed.
func (r *BulkRequest) check() error {
	switch {
	case r.Action == BulkChange && (r.Change == nil || *r.Change == Change{}):
		return share.Errorf(share.Usage, "the action \"change\" needs changes")
	case r.Action != BulkChange && r.Change != nil:
		return share.Errorf(share.Usage, "only the action \"change\" takes changes")
	case r.Action != BulkRemove && r.Data:
		return share.Errorf(share.Usage, "only the action remove can delete data")
	case r.Change != nil:
		return r.Change.check()
	}
	return nil
}

// BulkFailure says why nothing was done to one transfer.
type BulkFailure struct {
	ID      share.ID `json:"id"`
	Problem Problem  `json:"problem"`
}

// Err is the error that a request for this transfer alone would have returned.
func (f *BulkFailure) Err() error { return f.Problem.err() }

// BulkKept are the files of one removed transfer that stayed.
type BulkKept struct {
	ID   share.ID     `json:"id"`
	Kept []share.Kept `json:"kept" nullable:"false"`
}

// BulkResult is the result of a bulk request. A transfer that is not in Failed is done.
type BulkResult struct {
	Done   int           `json:"done" doc:"number of transfers that are now in the requested state"`
	Failed []BulkFailure `json:"failed" nullable:"false" doc:"the other transfers, in the order of the request, each with the reason"`
	Kept   []BulkKept    `json:"kept,omitempty" doc:"for the action remove: transfers whose files were not all deleted, in the order of the request"`
}

// act does to one transfer what r asks for.
func (r *BulkRequest) act(t Transfers, id share.ID) (kept []share.Kept, err error) {
	switch r.Action {
	case BulkPause:
		return nil, t.Pause(id)
	case BulkResume:
		return nil, t.Resume(id)
	case BulkVerify:
		return nil, t.Verify(id)
	case BulkChange:
		return nil, r.Change.make(t, id)
	case BulkRemove:
		kept, err = t.Remove(id, r.Data)
		if errors.Is(err, share.ErrUnknown) {
			err = nil // it was removed before
		}
		return kept, err
	}
	return nil, share.Errorf(share.Usage, "there is no action %q", r.Action)
}

// run acts on every transfer. When ctx ends, those that are left fail.
func (r *BulkRequest) run(ctx context.Context, t Transfers) BulkResult {
	all := unique(r.IDs)
	kept, failed := make([][]share.Kept, len(all)), make([]error, len(all))
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(bulkWorkers, len(all)) {
		workers.Go(func() {
			for i := range next {
				if err := ctx.Err(); err != nil {
					failed[i] = share.Errorf(share.Interrupted, "the request ended before its turn: %w", err)
					continue
				}
				kept[i], failed[i] = r.act(t, all[i])
			}
		})
	}
	for i := range all {
		next <- i
	}
	close(next)
	workers.Wait()
	out := BulkResult{Failed: []BulkFailure{}}
	for i, id := range all {
		if err := failed[i]; err != nil {
			out.Failed = append(out.Failed, BulkFailure{id, *problemOf(err)})
		} else {
			out.Done++
		}
		if len(kept[i]) > 0 {
			out.Kept = append(out.Kept, BulkKept{id, kept[i]})
		}
	}
	return out
}

// unique leaves out every ID that came before.
func unique(all []share.ID) []share.ID {
	seen := make(map[share.ID]bool, len(all))
	out := make([]share.ID, 0, len(all))
	for _, id := range all {
		if !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out
}

type torrentsOf struct {
	IDs []share.ID `json:"ids" minItems:"1" maxItems:"20000" nullable:"false"`
}

func registerBulk(h huma.API, t Transfers, content Content, reads slots, gather func() (done func())) {
	large := func(o *huma.Operation) { o.MaxBodyBytes = maxBulkBody }
	op(h, "POST /transfers/bulk", "Apply one action to many transfers", func(ctx context.Context, in *body[BulkRequest]) (*answer[BulkResult], error) {
		if err := in.Body.check(); err != nil {
			return nil, err
		}
		defer gather()()
		return &answer[BulkResult]{in.Body.run(ctx, t)}, nil
	}, large)
	op(h, "POST /transfers/torrents", "Get the .torrent files of transfers as one .zip", func(_ context.Context, in *body[torrentsOf]) (*huma.StreamResponse, error) {
		if err := reads.take(); err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(hc huma.Context) {
			defer reads.put()
			_, w := humago.Unwrap(hc)
			ContentHeader(w.Header(), "torrents.zip")
			if zipTorrents(&patient{w, http.NewResponseController(w)}, t, content, unique(in.Body.IDs)) != nil {
				// The client must not take the archive for complete.
				panic(http.ErrAbortHandler)
			}
		}}, nil
	}, streams("application/zip"), large)
}

// zipTorrents packs .torrent files under their names. Those that there are none of are
// listed in a file of the archive, each with the reason.
func zipTorrents(w *patient, t Transfers, content Content, all []share.ID) error {
	z := zip.NewWriter(w)
	add := func(name string, b []byte) error {
		f, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Now()})
		if err == nil {
			_, err = f.Write(b)
		}
		return err
	}
	taken := map[string]bool{}
	var missing []byte
	for _, id := range all {
		v, err := t.Get(id)
		var torrent []byte
		if err == nil {
			torrent, err = content.Torrent(id)
		}
		if err != nil {
			missing = fmt.Appendf(missing, "%s: %s\n", id, share.Redact(err.Error()))
			continue
		}
		name := strings.NewReplacer("/", "_", `\`, "_").Replace(v.Name) + ".torrent"
		if taken[name] {
			name = strings.TrimSuffix(name, ".torrent") + "-" + id.String() + ".torrent"
		}
		taken[name] = true
		if err := add(name, torrent); err != nil {
			return err
		}
	}
	if len(missing) > 0 {
		if err := add("missing.txt", missing); err != nil {
			return err
		}
	}
	return z.Close()
}

// Bulk does the same to many transfers. A transfer that fails does not stop the others:
// the result says what failed.
func (c *Client) Bulk(ctx context.Context, r BulkRequest) (BulkResult, error) {
	var out BulkResult
	err := c.do(ctx, http.MethodPost, Base+"/transfers/bulk", r, &out)
	return out, err
}
