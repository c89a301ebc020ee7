package node

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/cmd/internal/policy"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine"
	"github.com/shoalnet/shoal/share/metainfo"
	"github.com/shoalnet/shoal/webui/api"
)

var _ api.Intake = (*intake)(nil)

// intake makes the engine's requests of the API's: it refuses what must not be
// shared, reads what links and torrents name, and adds the node's defaults.
type intake struct {
	engine    *engine.Engine
	transfers *transfers
	withheld  *withheld
	receive   *receiveLinks
	config    func() *config.Config // in force
}

// Share shares for the user, unless a lease alone wants it.
func (in *intake) Share(ctx context.Context, r api.ShareRequest) (share.Transfer, error) {
	owner := engine.User
	if r.Lease != "" && !r.Keep {
		owner = ""
	}
	return in.shareFor(ctx, owner, r)
}

func (in *intake) shareFor(ctx context.Context, owner engine.Owner, r api.ShareRequest) (share.Transfer, error) {
	if err := in.withheld.admit(r.Path, r.Exclude, r.Confirm); err != nil {
		return share.Transfer{}, err
	}
	c := in.config()
	if c.Sealed && r.Hybrid && !r.Sealed && !r.Plain {
		return share.Transfer{}, share.Errorf(share.Usage,
			"the setting sealed seals every share, and a sealed share is described for BitTorrent v1 only: share it with --sealed=false, or not as a hybrid")
	}
	return in.engine.Share(ctx, shareRequest(c, owner, r))
}

// shareRequest is r with the defaults of c.
func shareRequest(c *config.Config, owner engine.Owner, r api.ShareRequest) engine.ShareRequest {
	r.Sealed = r.Sealed || c.Sealed && !r.Plain
	return engine.ShareRequest{Path: r.Path, ShareOptions: r.ShareOptions, Owner: owner, Lease: engine.Lease(r.Lease)}
}

// Fetch downloads into the default folder, and seeds as the settings say, where the
// request says nothing of it.
func (in *intake) Fetch(ctx context.Context, r api.FetchRequest) (share.Transfer, error) {
	link, torrent, err := source(ctx, r.Link, r.Torrent)
	if err != nil {
		return share.Transfer{}, err
	}
	c := in.config()
	if r.Output == "" {
		// Only its last element is made: a disk that is not mounted stays so.
		if err := os.Mkdir(c.Downloads, 0o777); err != nil && !errors.Is(err, os.ErrExist) {
			return share.Transfer{}, share.Errorf(share.Disk, "making the folder for downloads: %w", err)
		}
	}
	return in.engine.Fetch(ctx, fetchRequest(c, link, torrent, r))
}

// fetchRequest is r with its link and torrent read, and the defaults of c.
func fetchRequest(c *config.Config, link share.Link, torrent []byte, r api.FetchRequest) engine.FetchRequest {
	q := engine.FetchRequest{Link: link, Torrent: torrent, Output: r.Output, FetchOptions: r.FetchOptions, Lease: engine.Lease(r.Lease)}
	if q.Output == "" {
		q.Output, q.Anywhere = c.Downloads, true
	}
	if q.Goal == nil {
		q.Goal = &c.Seed
	}
	return q
}

// Import shares complete files under the torrent that describes them.
func (in *intake) Import(ctx context.Context, r api.ImportRequest) (share.Transfer, error) {
	t, err := in.engine.Import(ctx, engine.ImportRequest{Torrent: r.Torrent, Path: r.Path, ImportOptions: r.ImportOptions})
	if u, e := user.Current(); errors.Is(err, fs.ErrPermission) && e == nil {
		err = share.Errorf(share.KindOf(err), "%w; the node runs as the user %s, who must be able to read every file that it shares", err, u.Username)
	}
	return t, err
}

func (in *intake) Lease() (lease string, end func(), err error) {
	l, err := in.engine.BeginLease()
	if err != nil {
		return "", nil, err
	}
	over := in.receive.begin(string(l))
	return string(l), func() { in.engine.EndLease(l); over() }, nil
}

func (in *intake) Preview(ctx context.Context, r api.PreviewRequest) (api.Preview, error) {
	link, torrent, err := source(ctx, r.Link, r.Torrent)
	if err != nil {
		return api.Preview{}, err
	}
	c := in.config()
	p := api.Preview{
		ID: link.Key(), Name: link.Name, Size: link.Length, Trackers: link.Trackers, WebSeeds: link.WebSeeds, Peers: link.Peers,
		Output: c.Downloads,
	}
	if torrent != nil {
		t, err := metainfo.Parse(torrent)
		if err != nil {
			return api.Preview{}, err
		}
		fill(&p, &link, t)
	}
	p.Free, p.MinFree = policy.FreeAt(p.Output), c.MinFree
	p.Link, p.Sealed = link.Reveal(), !link.Secret.IsZero()
	for _, id := range link.IDs() {
		if t, err := in.transfers.Get(id); err == nil {
			p.Present = &t
			p.Output = filepath.Dir(t.Path)
			break
		}
	}
	return p, nil
}

// fill adds to p what a torrent says, and sets link to one that names the same
// content.
func fill(p *api.Preview, link *share.Link, t *metainfo.Torrent) {
	info := t.Info
	p.ID, p.Name, p.Size, p.Private = info.ID, info.Name, info.Total, info.Private
	for i, f := range info.Files {
		if !f.Pad {
			p.Files = append(p.Files, share.File{Index: i, Path: filepath.ToSlash(filepath.Join(f.Path...)), Named: info.Named[i], Total: f.Length})
		}
	}
	for _, tier := range t.Trackers {
		p.Trackers = append(p.Trackers, tier...)
	}
	p.WebSeeds = append(p.WebSeeds, t.WebSeeds...)
	*link = share.Link{Secret: link.Secret, V2: info.V2, Name: info.Name, Length: info.Total, Trackers: p.Trackers, WebSeeds: p.WebSeeds, Peers: p.Peers}
	if info.HasV1() {
		link.ID = info.ID
	}
}

// Match returns what of the content is in a folder already: nothing where only a
// link is known.
func (in *intake) Match(ctx context.Context, r api.MatchRequest) (share.Match, error) {
	if !filepath.IsAbs(r.Output) {
		return share.Match{}, share.Errorf(share.Usage, "%q is not an absolute path", r.Output)
	}
	_, torrent, err := source(ctx, r.Link, r.Torrent)
	if err != nil || torrent == nil {
		return share.Match{}, err
	}
	t, err := metainfo.Parse(torrent)
	if err != nil {
		return share.Match{}, err
	}
	return engine.MatchFolder(ctx, t, r.Output)
}
