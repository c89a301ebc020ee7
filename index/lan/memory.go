package lan

import (
	"net/netip"
	"time"

	"github.com/shoalnet/shoal/share"
)

// Bounds of the memory of others' announces.
const (
	rememberFor = 11 * time.Minute // two announces and a little
	maxHeard    = 20_000           // pairs of ID and peer
	maxOfID     = 50
	maxOfPeer   = 5_000
	// A flood must not cause a full scan for each datagram.
	sweepEvery = 5 * time.Second
)

// memory holds recent announces, so that a search for an ID that was announced a
// minute ago is answered at once.
type memory struct {
	byID   map[share.ID]map[netip.AddrPort]time.Time
	byPeer map[netip.Addr]int
	total  int
	swept  time.Time
}

func newMemory() *memory {
	return &memory{byID: map[share.ID]map[netip.AddrPort]time.Time{}, byPeer: map[netip.Addr]int{}}
}

// add records that peer has id and reports whether this is new.
func (m *memory) add(id share.ID, peer netip.AddrPort, now time.Time) bool {
	peers := m.byID[id]
	if last, ok := peers[peer]; ok && now.Sub(last) < rememberFor {
		peers[peer] = now
		return false
	}
	if since := now.Sub(m.swept); since > rememberFor || m.total >= maxHeard && since > sweepEvery {
		m.sweep(now)
	}
	if m.total >= maxHeard || len(m.byID[id]) >= maxOfID || m.byPeer[peer.Addr()] >= maxOfPeer {
		// Memory is full: report the peer without recording it.
		return true
	}
	if peers = m.byID[id]; peers == nil {
		peers = map[netip.AddrPort]time.Time{}
		m.byID[id] = peers
	}
	if _, ok := peers[peer]; !ok {
		m.total++
		m.byPeer[peer.Addr()]++
	}
	peers[peer] = now
	return true
}

func (m *memory) sweep(now time.Time) {
	m.swept = now
	for id, peers := range m.byID {
		for peer, last := range peers {
			if now.Sub(last) < rememberFor {
				continue
			}
			delete(peers, peer)
			m.total--
			if m.byPeer[peer.Addr()]--; m.byPeer[peer.Addr()] == 0 {
				delete(m.byPeer, peer.Addr())
			}
		}
		if len(peers) == 0 {
			delete(m.byID, id)
		}
	}
}

func (m *memory) peers(id share.ID, now time.Time) []netip.AddrPort {
	var out []netip.AddrPort
	for peer, last := range m.byID[id] {
		if now.Sub(last) < rememberFor {
			out = append(out, peer)
		}
	}
	return out
}
