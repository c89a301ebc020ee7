package door

import (
	"context"
	"errors"
	"io/fs"
	"net/http"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

const seedPrefix = "/w/"

// RefusesSeed says why a transfer cannot have a web seed. A sealed share can, since
// clients get what peers get: the sealed blob.
func RefusesSeed(t share.Transfer) error {
	if t.Channel != "" {
		return share.Errorf(share.Refused, "%s is the list of a channel, which only peers get", t.ID.Short())
	}
	return nil
}

// seed sends a file to a client that fetches over HTTP (BEP 19). The rest of the path is
// what the torrent calls the file. A client gives up for good what is answered with 404, so
// what is only not there now is answered with 503.
func (d *Door) seed(v *visit) {
	if v.r.Method != http.MethodGet && v.r.Method != http.MethodHead {
		v.w.Header().Set("Allow", http.MethodGet)
		d.fail(v.w, v.r, http.StatusMethodNotAllowed, "method")
		return
	}
	if !Serves(&v.t) || v.t.Bytes < v.t.Size {
		v.w.Header().Set("Retry-After", "60")
		d.fail(v.w, v.r, http.StatusServiceUnavailable, "later")
		return
	}
	ctx, leave, ok := d.enter(v)
	if !ok {
		return
	}
	defer leave()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, size, err := d.Content.OpenSource(ctx, v.t.ID, v.rest)
	if errors.Is(err, fs.ErrNotExist) {
		d.fail(v.w, v.r, http.StatusNotFound, "missing")
		return
	}
	if err != nil {
		d.unreadable(v, err)
		return
	}
	content := &timed{r, cancel}
	defer content.Close()
	up, err := d.Uploads(v.t.ID, v.r)
	if err != nil {
		d.unreadable(v, err)
		return
	}
	defer up.End()
	api.ContentHeader(v.w.Header(), "")
	d.serve(v, `"`+v.t.ID.String()+`"`, &paced{content, ctx, up}, size, false)
}
