package library

import (
	"cmp"
	"context"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anacrolix/torrent"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/flow"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/storage"
)

// Swarm implements face.Swarm: one transfer that is in the library.
type Swarm struct {
	of       *Network
	id       share.ID
	tor      *torrent.Torrent
	tap      *tap
	pieces   int
	readOnly bool

	infoSize int // bytes

	mu    sync.Mutex
	peers map[*torrent.PeerConn]*peerState
	seeds int
	// offered are addresses that the library was told of lately.
	offered map[netip.AddrPort]struct{}

	web mirrors

	lastPeer atomic.Int64 // Unix seconds when a connection last came or went
	ready    atomic.Bool  // the library accepts connections for it
}

// peerState is what is noted about one connection. It is guarded by
// Swarm.mu.
type peerState struct {
	conn *conn // nil when it could not be told which it is
	have int
	seed bool
	port bool // it has told the port of its DHT node

	punch   bool   // it knows BEP 55
	listens uint16 // the port that it says it listens at; 0 when it did not

	down, up flow.Meter // of its connection
}

var _ face.Swarm = (*Swarm)(nil)

// Detach implements face.Swarm. It may take as long as a read from or a write to
// disk does.
func (a *Swarm) Detach() {
	a.tap.close()
	a.tor.Drop()
	a.tap.drain()
	c := a.of
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.attached[a.id] == a {
		delete(c.attached, a.id)
	}
}

// Figures implements face.Swarm.
func (a *Swarm) Figures() face.Figures {
	f := face.Figures{Down: a.tap.written.Load(), Up: a.tap.sent.Load(), LastPeer: time.Unix(a.lastPeer.Load(), 0)}
	a.mu.Lock()
	defer a.mu.Unlock()
	f.Peers, f.Seeds = len(a.peers), a.seeds
	return f
}

// Retry implements face.Swarm: after a write that failed the library fetches no
// more.
func (a *Swarm) Retry() {
	if !a.readOnly {
		a.tor.AllowDataDownload()
	}
}

// AddPeers implements face.Swarm.
func (a *Swarm) AddPeers(peers []face.Peer) {
	infos := make([]torrent.PeerInfo, len(peers))
	for i, p := range peers {
		a.offer(p.Addr)
		infos[i] = torrent.PeerInfo{Addr: &peerAddr{p.Addr, a.of.gate}, Source: libSource(p.Source)}
	}
	a.tor.AddPeers(infos)
}

// The library passes the source on as it is; it means nothing to it.
func libSource(s share.Source) torrent.PeerSource { return torrent.PeerSource(s) }

func ourSource(s torrent.PeerSource) share.Source {
	if s == torrent.PeerSourceIncoming {
		return share.FromIncoming
	}
	return share.Source(s)
}

// Connected implements face.Swarm.
func (a *Swarm) Connected() map[netip.AddrPort]bool { return a.of.gate.dialledFor(a.id) }

// SetPriorities implements face.Swarm. Every call of the library's takes its lock.
func (a *Swarm) SetPriorities(c face.Change) {
	switch {
	case c.Is == face.Never:
		a.tor.CancelPieces(c.From, c.To)
	case c.Is == face.Normal && c.Was == face.Never:
		a.tor.DownloadPieces(c.From, c.To)
	default:
		for i := c.From; i < c.To; i++ {
			a.tor.Piece(i).SetPriority(priorities[c.Is])
		}
	}
}

var priorities = [...]torrent.PiecePriority{
	face.Never:  torrent.PiecePriorityNone,
	face.Normal: torrent.PiecePriorityNormal,
	face.High:   torrent.PiecePriorityHigh,
	face.Soon:   torrent.PiecePriorityReadahead,
	face.Now:    torrent.PiecePriorityNow,
}

// Verify implements face.Swarm, on all cores.
func (a *Swarm) Verify(ctx context.Context, spans []storage.Span) {
	for _, s := range spans {
		var next atomic.Int64
		next.Store(int64(s.From))
		var workers sync.WaitGroup
		for range min(runtime.NumCPU()+1, s.To-s.From) {
			workers.Go(func() {
				for {
					// It fails when the transfer leaves the library, too.
					i := int(next.Add(1) - 1)
					if i >= s.To || a.tor.Piece(i).VerifyDataContext(ctx) != nil {
						return
					}
				}
			})
		}
		workers.Wait()
	}
}

// Refresh implements face.Swarm.
func (a *Swarm) Refresh(spans []storage.Span) {
	for _, s := range spans {
		for i := s.From; i < s.To; i++ {
			select {
			case <-a.tap.stop:
				return
			default:
				a.tor.Piece(i).UpdateCompletion()
			}
		}
	}
}

// Pieces implements face.Swarm.
func (a *Swarm) Pieces() []face.PieceState {
	out := make([]face.PieceState, 0, a.pieces)
	for _, run := range a.tor.PieceStateRuns() {
		state := face.Still
		switch {
		case run.Checking || run.Marking:
			state = face.Checking
		case run.Partial || run.Complete:
			state = face.Begun
		}
		for range run.Length {
			out = append(out, state)
		}
	}
	return out
}

// Sample implements face.Swarm.
func (a *Swarm) Sample(elapsed time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.peers {
		if s.conn != nil {
			s.down.Sample(s.conn.got.Load(), elapsed)
			s.up.Sample(s.conn.sent.Load(), elapsed)
		}
	}
}

// Peers implements face.Swarm.
func (a *Swarm) Peers() []share.Peer {
	type one struct {
		pc    *torrent.PeerConn
		state peerState
	}
	var all []one
	a.mu.Lock()
	for pc, s := range a.peers {
		all = append(all, one{pc, *s})
	}
	a.mu.Unlock()
	out := make([]share.Peer, 0, len(all))
	for _, o := range all {
		stats := o.pc.Stats() // takes the library's lock
		name, _ := o.pc.PeerClientName.Load().(string)
		peer := share.Peer{
			Address:    readable(o.pc.RemoteAddr.String()),
			Client:     name,
			Source:     ourSource(o.pc.Discovery),
			Incoming:   o.pc.Discovery == torrent.PeerSourceIncoming,
			Down:       o.state.down.Rate(), // the library tells the speed of single writes
			Up:         o.state.up.Rate(),
			Downloaded: stats.BytesReadData.Int64(),
			Uploaded:   stats.BytesWrittenData.Int64(),
			UTP:        len(o.pc.Network) > 2 && o.pc.Network[:3] == "udp",
		}
		if o.state.conn != nil {
			peer.Encrypted = o.state.conn.encrypted.Load()
		}
		if a.pieces > 0 {
			peer.Progress = min(float64(stats.RemotePieceCount)/float64(a.pieces), 1)
		}
		out = append(out, peer)
	}
	slices.SortFunc(out, func(x, y share.Peer) int { return cmp.Compare(x.Address, y.Address) })
	return out
}

// readable writes an address of the library's the way people do.
func readable(addr string) string {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return addr
	}
	return netguard.RestoreZone(ap).String()
}
