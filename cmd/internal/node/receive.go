package node

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/uploads"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
	"github.com/shoalnet/shoal/webui/door"
)

var _ api.ReceiveLinks = (*receiveLinks)(nil)

// receiveLinks are the links with which people send files, each with its box.
type receiveLinks struct {
	web      *webLinks
	store    *uploads.Store
	withheld *withheld
	log      *slog.Logger

	mu     sync.Mutex
	leases map[string]bool // that commands hold
}

// newReceiveLinks ends the links of commands that ended with an earlier process.
func (n *Node) newReceiveLinks() (*receiveLinks, error) {
	r := &receiveLinks{web: n.webLinks, store: n.uploads, withheld: n.withheld, log: n.part("uploads"), leases: map[string]bool{}}
	for _, l := range r.links("") {
		if l.Lease != "" {
			if err := n.webLinks.links.Revoke(l.ID); err != nil {
				return nil, err
			}
		}
	}
	return r, nil
}

// links are those of a lease, or all.
func (r *receiveLinks) links(lease string) (all []door.Link) {
	for _, l := range r.web.links.All() {
		if l.Receive && (lease == "" || l.Lease == lease) {
			all = append(all, l)
		}
	}
	return all
}

// List implements api.ReceiveLinks.
func (r *receiveLinks) List() ([]api.ReceiveLink, error) {
	all := []api.ReceiveLink{}
	for _, l := range r.links("") {
		if v, ok := r.shown(l); ok {
			all = append(all, v)
		}
	}
	return all, nil
}

// shown is a link with its URLs; ok is false while it is made or ended.
func (r *receiveLinks) shown(l door.Link) (v api.ReceiveLink, ok bool) {
	box, err := r.store.Box(l.ID)
	if err != nil {
		return v, false
	}
	t := box.Terms()
	v = api.ReceiveLink{
		ID: l.ID, Name: t.Name, Folder: t.Folder, Created: l.Created, Expires: l.Expires, MaxSize: t.MaxSize, MaxFiles: t.MaxFiles,
		Password: l.Password != "", Encrypted: r.web.scheme() == "https", Ended: t.Ended || r.web.links.Ended(&l), Files: t.Arrived, Bytes: t.Taken,
	}
	for i, base := range r.web.bases() {
		if i == 0 {
			v.URL = base + l.Path()
		} else {
			v.Others = append(v.Others, base+l.Path())
		}
	}
	return v, true
}

// receivedName is the folder for files from a link that has no name.
const receivedName = "Received"

// Create implements api.ReceiveLinks.
func (r *receiveLinks) Create(n api.NewReceiveLink) (api.ReceiveLink, error) {
	switch {
	case r.web.door == nil:
		return api.ReceiveLink{}, share.Errorf(share.Failed, "this node only shows what is stored, and serves no web links")
	case !n.Expires.IsZero() && !n.Expires.After(r.web.door.Now()):
		return api.ReceiveLink{}, share.Errorf(share.Usage, "a web link cannot expire in the past")
	case n.Folder != "" && !filepath.IsAbs(n.Folder):
		return api.ReceiveLink{}, share.Errorf(share.Usage, "%.200q is not an absolute path", n.Folder)
	case n.Folder != "" && r.withheld.inside(realPath(filepath.Clean(n.Folder))):
		return api.ReceiveLink{}, share.Errorf(share.Usage, "%s belongs to the state of the node: choose another folder for the files", n.Folder)
	}
	t := api.Coming{Name: cmp.Or(n.Name, receivedName), MaxFiles: n.MaxFiles, MaxSize: n.MaxSize}
	if n.Folder != "" {
		t.Folder = filepath.Clean(n.Folder)
		t.Name = cmp.Or(n.Name, filepath.Base(t.Folder))
	}
	l := door.Link{Receive: true, Expires: n.Expires.UTC(), Lease: n.Lease}
	if n.Password != "" {
		l.Password = r.web.passwords.Hash(n.Password)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if n.Lease != "" && !r.leases[n.Lease] {
		return api.ReceiveLink{}, share.Errorf(share.Failed, "the command that wanted the link has ended")
	}
	l, err := r.web.links.Add(l)
	if err != nil {
		return api.ReceiveLink{}, err
	}
	if _, err := r.store.Receive(l.ID, t); err != nil {
		return api.ReceiveLink{}, errors.Join(err, r.web.links.Revoke(l.ID))
	}
	v, _ := r.shown(l)
	return v, nil
}

// Revoke implements api.ReceiveLinks.
func (r *receiveLinks) Revoke(id string) error {
	l, ok := r.web.links.Get(id)
	if !ok || !l.Receive {
		return share.Errorf(share.Failed, "%w: %.40q", api.ErrNoWebLink, id)
	}
	if err := r.web.links.Revoke(id); err != nil {
		return err
	}
	return r.over(id)
}

// over ends what is under way to a link that has ended. What has arrived stays.
func (r *receiveLinks) over(id string) error {
	if r.web.door != nil {
		r.web.door.End(id)
	}
	err := r.store.End(id, false)
	if errors.Is(err, api.ErrNotComing) {
		return nil
	}
	return err
}

// begin records a lease until the function that it returns is called. Its links end then.
func (r *receiveLinks) begin(lease string) func() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leases[lease] = true
	return func() {
		r.mu.Lock()
		delete(r.leases, lease)
		r.mu.Unlock()
		for _, l := range r.links(lease) {
			if err := r.Revoke(l.ID); err != nil {
				r.log.Error("cannot end a link for receiving files", "link", l.ID, "error", err)
			}
		}
	}
}

// expiryTime is how often links are looked at that may have expired. They lead nowhere
// from the moment they do.
const expiryTime = 30 * time.Second

// run cleans up after links that ended, until ctx ends.
func (r *receiveLinks) run(ctx context.Context) error {
	tick := time.NewTicker(expiryTime)
	defer tick.Stop()
	for {
		r.sweep()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// sweep ends the boxes whose link is gone, and closes those whose link has expired.
func (r *receiveLinks) sweep() {
	for _, t := range r.boxes() {
		l, ok := r.web.links.Get(t.ID)
		var err error
		switch {
		case !ok:
			err = r.over(t.ID)
		case r.web.links.Ended(&l) && !t.Ended:
			r.web.door.End(t.ID)
			err = r.store.Close(t.ID)
		}
		if err != nil {
			r.log.Error("cannot clean up after a link for receiving files", "link", t.ID, "error", err)
		}
	}
}

// boxes are those of links for receiving. None is without its link because that is being
// made.
func (r *receiveLinks) boxes() (all []api.Coming) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.store.List() {
		if t.Kind == api.ComingReceive {
			all = append(all, t)
		}
	}
	return all
}
