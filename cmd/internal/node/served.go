package node

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"sync"

	"github.com/dustin/go-humanize/english"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/cmd/internal/policy"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine"
	"github.com/shoalnet/shoal/share/metainfo"
	"github.com/shoalnet/shoal/webui/api"
)

// served is the node as the API sees it.
type served struct{ n *Node }

var _ api.Node = (*served)(nil)

func (s *served) Info() api.Info { return s.n.Info() }

func (s *served) Stats() share.Stats {
	out := s.n.engine.Stats()
	out.Free, out.Limits = policy.FreeAt(s.n.current().Downloads), s.n.limiter.InForce()
	// Free space moves all the time; nobody wants to be told each block.
	if out.Free > 0 {
		out.Free -= out.Free % (1 << 20)
	}
	return out
}

func (s *served) Health() api.Health {
	h := api.Health{OK: true, Problems: append(s.n.guard.Problems(), s.n.problems()...)}
	if n := s.n.engine.Stats().States[share.Stopped]; n > 0 {
		h.Problems = append(h.Problems, english.Plural(n, "transfer", "")+" stopped with an error")
	}
	if len(s.n.ownAddresses()) == 0 {
		h.Problems = append(h.Problems, "this host has no IPv6 address that others could reach")
	}
	if d := s.n.dht; d != nil && d.Stats().Offline {
		h.Problems = append(h.Problems, "nobody in the DHT answers")
	}
	return h
}

func (s *served) Settings() []api.Setting {
	view := s.n.current().View()
	l := s.n.limiter.Limits()
	down, up := s.n.limiter.Chosen()
	for i := range view {
		switch v := &view[i]; {
		case v.Name == "up" && up:
			v.Value, v.Source, v.Where = config.SizeWord(l.Up), api.SourceSaved, ""
		case v.Name == "down" && down:
			v.Value, v.Source, v.Where = config.SizeWord(l.Down), api.SourceSaved, ""
		}
	}
	return view
}

func (s *served) Limits() api.Limits                     { return s.n.limiter.Limits() }
func (s *served) ChangeLimits(c share.LimitChange) error { return s.n.limiter.Change(c) }

// ChangeSettings puts settings into force and keeps them.
func (s *served) ChangeSettings(changes map[string]*string) error {
	n := s.n
	n.changing.Lock()
	defer n.changing.Unlock()
	limits, err := n.live.Change(changes)
	if err != nil {
		return err
	}
	n.apply()
	if limits == (share.LimitChange{}) {
		return nil
	}
	return n.limiter.Change(limits)
}

func (s *served) SignIn() (string, error) {
	if s.n.badCredentials != nil {
		return "", share.Errorf(share.Disk, "%w", s.n.badCredentials)
	}
	if s.n.page == nil {
		return "", share.Errorf(share.Failed, "the page is not served: start the daemon with --web [::1]:8080 or the like")
	}
	return s.n.page.server.SignInURL(), nil
}

// SetPassword is for the page, which need not be served yet: anywhere but on
// loopback it is served only when there is a password.
func (s *served) SetPassword(password string) error {
	if s.n.page != nil {
		return passwordError(s.n.page.auth.SetPassword(password))
	}
	return SetPassword(s.n.o.Config.State, password)
}

func (s *served) Share(ctx context.Context, r api.ShareRequest) (share.Transfer, error) {
	if r.Lease != "" && !r.Keep {
		return s.share(ctx, r, "")
	}
	return s.share(ctx, r, engine.User)
}

func (s *served) share(ctx context.Context, r api.ShareRequest, owner engine.Owner) (share.Transfer, error) {
	if err := s.n.withheld.admit(r.Path, r.Exclude, r.Confirm); err != nil {
		return share.Transfer{}, err
	}
	return s.n.engine.Share(ctx, engine.ShareRequest{Path: r.Path, ShareOptions: r.ShareOptions, Owner: owner, Lease: engine.Lease(r.Lease)})
}

func (s *served) Lease() (lease string, end func(), err error) {
	l, err := s.n.engine.BeginLease()
	return string(l), func() { s.n.engine.EndLease(l) }, err
}

func (s *served) Fetch(ctx context.Context, r api.FetchRequest) (share.Transfer, error) {
	link, torrent, err := s.n.source(ctx, r.Link, r.Torrent)
	if err != nil {
		return share.Transfer{}, err
	}
	c := s.n.current()
	q := engine.FetchRequest{
		Link: link, Torrent: torrent, Output: r.Output, FetchOptions: r.FetchOptions,
		Lease: engine.Lease(r.Lease), Anywhere: r.Output == "",
	}
	if q.Goal == nil {
		q.Goal = &c.Seed
	}
	if q.Output == "" {
		// Only its last element is made: a disk that is not there stays so.
		if err := os.Mkdir(c.Downloads, 0o777); err != nil && !errors.Is(err, os.ErrExist) {
			return share.Transfer{}, share.Errorf(share.Disk, "making the folder for downloads: %w", err)
		}
		q.Output = c.Downloads
	}
	return s.n.engine.Fetch(ctx, q)
}

func (s *served) Preview(ctx context.Context, r api.PreviewRequest) (api.Preview, error) {
	link, torrent, err := s.n.source(ctx, r.Link, r.Torrent)
	if err != nil {
		return api.Preview{}, err
	}
	p := api.Preview{
		ID: link.ID, Name: link.Name, Size: link.Length, Trackers: link.Trackers, WebSeeds: link.WebSeeds, Peers: link.Peers,
		Output: s.n.current().Downloads,
	}
	if torrent != nil {
		t, err := metainfo.Parse(torrent)
		if err != nil {
			return api.Preview{}, err
		}
		fill(&p, &link, t)
	}
	p.Free, p.MinFree = policy.FreeAt(p.Output), s.n.current().MinFree
	p.Link = link.String()
	if t, err := s.Get(p.ID); err == nil {
		p.Present = &t
		p.Output = filepath.Dir(t.Path)
	}
	return p, nil
}

// Match tells what of the content is in a folder already.
func (s *served) Match(ctx context.Context, r api.MatchRequest) (share.Match, error) {
	if !filepath.IsAbs(r.Output) {
		return share.Match{}, share.Errorf(share.Usage, "%q is not an absolute path", r.Output)
	}
	_, torrent, err := s.n.source(ctx, r.Link, r.Torrent)
	if err != nil || torrent == nil {
		return share.Match{}, err
	}
	t, err := metainfo.Parse(torrent)
	if err != nil {
		return share.Match{}, err
	}
	return engine.MatchFolder(ctx, t.Info, r.Output)
}

// fill takes what a torrent tells, and makes the link that names the same.
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
	*link = share.Link{ID: info.ID, Name: info.Name, Length: info.Total, Trackers: p.Trackers, WebSeeds: p.WebSeeds, Peers: p.Peers}
}

func (s *served) List() []share.Transfer {
	all := s.n.engine.List()
	e := s.n.explainer()
	for i := range all {
		e.explain(&all[i])
	}
	return all
}

func (s *served) Get(id share.ID) (share.Transfer, error) {
	t, err := s.n.engine.Get(id)
	s.n.explainer().explain(&t)
	return t, err
}

func (s *served) Files(id share.ID) ([]share.File, error) {
	f, err := s.n.engine.Files(id)
	return f, err
}

func (s *served) Peers(id share.ID) ([]share.Peer, error) {
	p, err := s.n.engine.Peers(id)
	return p, err
}

func (s *served) Pieces(id share.ID) (share.Pieces, error) {
	p, err := s.n.engine.Pieces(id)
	return p, err
}

func (s *served) Torrent(id share.ID) ([]byte, error) {
	b, err := s.n.engine.Torrent(id)
	return b, err
}

func (s *served) Open(ctx context.Context, id share.ID, file int) (io.ReadSeekCloser, error) {
	r, err := s.n.engine.Open(ctx, id, file)
	return r, err
}

func (s *served) Pause(id share.ID) error {
	s.n.guard.Forget(id)
	return s.n.engine.Pause(id)
}

func (s *served) Resume(id share.ID) error {
	s.n.guard.Forget(id)
	return s.n.engine.Resume(id)
}

func (s *served) Verify(id share.ID) error { return s.n.engine.Verify(id) }

func (s *served) ChangeTransferLimits(id share.ID, c share.LimitChange) error {
	return s.n.engine.ChangeLimits(id, c)
}

func (s *served) SetGoal(id share.ID, g share.Goal) error { return s.n.engine.SetGoal(id, g) }

func (s *served) SetPriority(id share.ID, files map[int]share.Priority) error {
	return s.n.engine.SetPriority(id, files)
}

func (s *served) AddPeers(id share.ID, addrs []netip.AddrPort) error {
	return s.n.engine.AddPeers(id, share.FromUser, addrs)
}

func (s *served) Subscribe(buffer int) api.Subscription {
	sub := &subscription{
		// What waits in out is taken as one by those who gather events.
		Subscription: s.n.engine.Subscribe(buffer), out: make(chan share.Event, min(buffer, 256)), closed: make(chan struct{}), ended: make(chan struct{}),
	}
	go sub.explain(s.n.explainer())
	return sub
}

// subscription adds to the engine's events what only the node knows.
type subscription struct {
	*engine.Subscription
	out    chan share.Event
	once   sync.Once
	closed chan struct{} // by Close
	ended  chan struct{} // when explain has returned
}

func (s *subscription) explain(e explainer) {
	defer close(s.ended)
	defer close(s.out)
	for ev := range s.C {
		if ev.Transfer != nil && e.has(ev.Transfer) {
			t := *ev.Transfer
			e.explain(&t)
			ev.Transfer = &t
		}
		select {
		case s.out <- ev:
		case <-s.closed:
			return
		}
	}
}

func (s *subscription) Events() <-chan share.Event { return s.out }

func (s *subscription) Close() {
	s.Subscription.Close()
	s.once.Do(func() { close(s.closed) })
	<-s.ended
}
