package native

import (
	"cmp"
	"context"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
	"github.com/shoalnet/shoal/share/engine/internal/swarm"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
	"github.com/shoalnet/shoal/share/storage"
)

// maxSources bounds the addresses of which it is known who named them.
const maxSources = 4096

// extDialback is our number of the extension for dial-back.
const extDialback = wire.ExtOther

// Swarm implements face.Swarm: one content among its peers.
type Swarm struct {
	of      *Network
	id      share.ID
	info    []byte // the info dictionary
	run     *swarm.Swarm
	web     *webseeds
	private bool
	content face.Content      // its callbacks
	learned func(info []byte) // of a learning; called once

	lastPeer atomic.Int64 // Unix seconds when a connection last came or went

	mu      sync.Mutex
	wishes  *wishes
	sources map[netip.AddrPort]share.Source   // who named an address
	tellers map[netip.AddrPort]netip.AddrPort // the peer that told of an address last
}

var _ face.Swarm = (*Swarm)(nil)

// running is what runs the swarm. Events may come before Attach has returned it.
func (s *Swarm) running() *swarm.Swarm {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.run
}

// Detach implements face.Swarm.
func (s *Swarm) Detach() {
	s.run.Detach()
	s.web.end()
	s.of.detached(s)
}

// AddPeers implements face.Swarm.
func (s *Swarm) AddPeers(peers []face.Peer) {
	var addrs, v2 []netip.AddrPort
	s.mu.Lock()
	for _, p := range peers {
		if p.V2 {
			v2 = append(v2, p.Addr)
		} else {
			addrs = append(addrs, p.Addr)
		}
		if len(s.sources) >= maxSources {
			clear(s.sources)
		}
		s.sources[p.Addr] = p.Source
	}
	s.mu.Unlock()
	s.run.AddV2Peers(v2)
	s.run.AddPeers(addrs)
}

// named tells whether somebody named an address as a peer's.
func (s *Swarm) named(a netip.AddrPort) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.sources[a]
	return ok
}

// told notes that a peer told of others.
func (s *Swarm) told(by netip.AddrPort, of []netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range of {
		if len(s.tellers) >= maxSources {
			clear(s.tellers)
		}
		s.tellers[a] = by
	}
}

// guides are the peers that may introduce us to an address: first the one that told of
// it, who is connected with it.
func (s *Swarm) guides(to netip.AddrPort) (all []*swarm.Peer) {
	s.mu.Lock()
	teller := s.tellers[to]
	s.mu.Unlock()
	for _, p := range s.run.Peers() {
		switch {
		case !p.Peer.Has(wire.NameHolepunch):
		case p.Addr == teller:
			all = slices.Insert(all, 0, p.Peer)
		default:
			all = append(all, p.Peer)
		}
	}
	return all
}

// Connected implements face.Swarm.
func (s *Swarm) Connected() map[netip.AddrPort]bool {
	out := make(map[netip.AddrPort]bool)
	for _, p := range s.run.Peers() {
		if p.Outgoing {
			out[p.Addr] = true
		}
	}
	return out
}

// Peers implements face.Swarm.
func (s *Swarm) Peers() []share.Peer {
	all := s.run.Peers()
	out := make([]share.Peer, 0, len(all))
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range all {
		o := share.Peer{
			Address: netguard.RestoreZone(p.Addr).String(), Client: p.Client, Source: s.sources[p.Addr], Incoming: !p.Outgoing,
			Encrypted: p.Encrypted, Downloaded: p.Downloaded, Uploaded: p.Uploaded,
			Progress: float64(p.Pieces) / float64(len(s.wishes.want)),
		}
		if o.Incoming {
			o.Source = share.FromIncoming
		}
		if c, ok := p.Conn.(*tracked); ok {
			o.Down, o.Up, o.UTP = c.down.Rate(), c.up.Rate(), overUTP(c.Conn)
		}
		out = append(out, o)
	}
	slices.SortFunc(out, func(a, b share.Peer) int { return cmp.Compare(a.Address, b.Address) })
	return out
}

// Sample implements face.Swarm.
func (s *Swarm) Sample(elapsed time.Duration) {
	all := s.run.Peers()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range all {
		if c, ok := p.Conn.(*tracked); ok {
			// As the sums beside them, and the rates of the transfer, these are of blocks.
			c.down.Sample(p.Downloaded, elapsed)
			c.up.Sample(p.Uploaded, elapsed)
		}
	}
}

// noteIdle notes which connections are of no use to either side.
func (s *Swarm) noteIdle() {
	for _, p := range s.run.Peers() {
		if c, ok := p.Conn.(*tracked); ok {
			c.idle.Store(p.Idle)
		}
	}
}

// Figures implements face.Swarm.
func (s *Swarm) Figures() face.Figures {
	f := face.Figures{LastPeer: seconds(s.lastPeer.Load())}
	f.Down, f.Up = s.run.Moved()
	f.Availability = s.run.Availability()
	for _, p := range s.run.Peers() {
		f.Peers++
		if p.Complete {
			f.Seeds++
		}
	}
	return f
}

// SetPriorities implements face.Swarm.
func (s *Swarm) SetPriorities(c face.Change) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	reading := s.wishes.set(now, c)
	s.run.SetPriorities(max(0, c.From), s.wishes.levels(c.From, c.To))
	s.web.poke()
	if reading {
		s.run.SetReaders(s.wishes.readings(now))
	}
}

// Retry implements face.Swarm.
func (s *Swarm) Retry() { s.run.Retry() }

// Refresh implements face.Swarm.
func (s *Swarm) Refresh(spans []storage.Span) {
	for _, span := range spans {
		s.refresh(span.From, span.To)
	}
}

func (s *Swarm) refresh(from, to int) {
	known := s.run.Refresh(from, to)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wishes.learn(from, known)
	s.run.SetPriorities(from, s.wishes.levels(from, to))
	s.web.poke()
}

// Verify implements face.Swarm, on all cores.
func (s *Swarm) Verify(ctx context.Context, spans []storage.Span) {
	for _, span := range spans {
		var next atomic.Int64
		next.Store(int64(span.From))
		var workers sync.WaitGroup
		for range min(runtime.NumCPU()+1, span.To-span.From) {
			workers.Go(func() {
				for {
					i := int(next.Add(1) - 1)
					if i >= span.To || ctx.Err() != nil || s.run.Check(ctx, i) != nil {
						return
					}
					s.refresh(i, i+1)
				}
			})
		}
		workers.Wait()
	}
}

// Pieces implements face.Swarm.
func (s *Swarm) Pieces() []face.PieceState {
	states := s.run.States()
	out := make([]face.PieceState, len(states))
	for i, x := range states {
		switch x {
		case swarm.Coming, swarm.Here: // the storage tells what is on disk
			out[i] = face.Begun
		case swarm.Checking:
			out[i] = face.Checking
		}
	}
	return out
}

// event is told what happens in the swarm.
func (s *Swarm) event(e swarm.Event) {
	n := s.of
	switch e.Kind {
	case swarm.InfoKnown:
		s.learned(e.Info)
	case swarm.PieceDone:
		if f := s.content.Arrived; f != nil {
			f()
		}
	case swarm.Layered:
		if f := s.content.Layered; f != nil {
			f()
		}
	case swarm.Differs:
		n.cfg.Logger.Warn("the torrent contradicts itself", "transfer", s.id.Short(), "error", e.Err)
		if f := s.content.Differs; f != nil {
			f(e.Err)
		}
	case swarm.PeerCame:
		s.lastPeer.Store(n.cfg.Now().Unix())
		if tell := n.cfg.Events.Found; tell != nil && !e.Outgoing {
			tell(s.id, share.FromIncoming, []netip.AddrPort{e.Addr})
		}
	case swarm.PeerGone, swarm.PeerBanned:
		s.lastPeer.Store(n.cfg.Now().Unix())
		if e.Breach {
			n.registry.strike(e.Addr.Addr())
		}
		if e.Kind == swarm.PeerBanned {
			n.registry.ban(e.Addr.Addr())
		}
	case swarm.DiskFailed:
		n.cfg.Logger.Debug("the storage failed", "transfer", s.id.Short(), "error", e.Err)
	case swarm.DHTNode:
		c, ok := e.Peer.Conn().(*tracked)
		if tell := n.cfg.Events.DHTNode; ok && tell != nil && c.told.CompareAndSwap(false, true) {
			n.tells.run(func() { tell(netguard.RestoreZone(e.Addr)) })
		}
	case swarm.Heard:
		s.told(e.Addr, e.Addrs)
		if tell := n.cfg.Events.Found; tell != nil {
			tell(s.id, share.FromPEX, n.credible(&e))
		}
	case swarm.Met:
		n.met(s, e.Peer, e.Seen)
	case swarm.Fetched:
		if f := s.content.Fetched; f != nil {
			f(share.Fetcher{Address: netguard.RestoreZone(e.Addr).String(), Client: e.Client})
		}
	case swarm.Foreign:
		s.foreign(e)
	}
}

// credible are the addresses that a peer told and can know of: private ones only if we
// called it at such an address ourselves. A caller may come through a translator that
// gives strangers an address of our network.
func (n *Network) credible(e *swarm.Event) []netip.AddrPort {
	if n.cfg.Policy.AllowPrivate {
		return e.Addrs
	}
	return slices.DeleteFunc(e.Addrs, func(a netip.AddrPort) bool {
		private := (netguard.Policy{}).Check(a.Addr()) != nil && (netguard.Policy{AllowPrivate: true}).Check(a.Addr()) == nil
		return private && !(e.Outgoing && netguard.Neighbours(a.Addr(), e.Addr.Addr()))
	})
}

// foreign takes a message of one of our own extensions.
func (s *Swarm) foreign(e swarm.Event) {
	switch e.Ext {
	case extDialback:
		s.of.helpOut(s, e.Peer, e.Data)
	case wire.ExtHolepunch:
		if !s.private {
			s.of.heardPunch(s, e.Peer, e.Data)
		}
	}
}
