package core

import "slices"

// roster is the list of peers that are connected.
type roster struct {
	peers []*Peer
	loop  []*Peer // memory of snapshot
}

// snapshot is the list of peers for a loop that may drop some of them. There
// is one such loop at a time.
func (r *roster) snapshot() []*Peer {
	r.loop = append(r.loop[:0], r.peers...)
	return r.loop
}

// strikeOff takes p off the list.
func (r *roster) strikeOff(p *Peer) {
	i := slices.Index(r.peers, p)
	last := len(r.peers) - 1
	r.peers[i] = r.peers[last]
	r.peers[last] = nil
	r.peers = r.peers[:last]
}
