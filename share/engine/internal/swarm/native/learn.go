package native

import (
	"context"
	"crypto/rand"
	"net/netip"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/swarm"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/dialback"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

const (
	// learnedTime is how long connections are kept once the info dictionary has
	// come, for Attach to take them.
	learnedTime = 30 * time.Second
	// Peers of a learning are told piece by piece what is here; of more pieces than
	// this they are told in a bit field, over a connection anew.
	maxTold = 1000
)

// learning is a swarm of which the info dictionary is not known. It implements
// face.Learning.
type learning struct {
	swarm *Swarm
	info  chan []byte // has room for one
	over  *time.Timer // guarded by Network.mu
}

// newSwarm makes a swarm that does not run yet.
func (n *Network) newSwarm(id share.ID) *Swarm {
	s := &Swarm{of: n, id: id, web: newWebseeds(n.ctx), sources: make(map[netip.AddrPort]share.Source), tellers: make(map[netip.AddrPort]netip.AddrPort)}
	s.lastPeer.Store(n.cfg.Now().Unix())
	return s
}

// start has s run. The caller holds the lock of s.
func (s *Swarm) start(c swarm.Content) (err error) {
	c.Events = s.event
	c.MaxPeers, c.WantNothing, c.TellHeard = maxPeers, true, true
	c.Extensions = map[string]uint8{dialback.Name: extDialback}
	if !s.private {
		c.Extensions[wire.NameHolepunch] = wire.ExtHolepunch
	}
	var seed [32]byte
	_, _ = rand.Read(seed[:])
	s.run, err = s.of.node.Attach(c, seed)
	return err
}

// Learn implements face.Network.
func (n *Network) Learn(ids []share.ID, right func(info []byte) bool) (face.Learning, error) {
	if old := n.takeLearning(ids...); old != nil {
		old.Detach()
	}
	id := ids[0]
	content := swarm.Content{ID: swarm.ID(id), CheckInfo: right}
	if len(ids) > 1 {
		content.V2 = &swarm.V2{ID: swarm.ID(ids[1])}
	}
	s := n.newSwarm(id)
	l := &learning{swarm: s, info: make(chan []byte, 1)}
	s.learned = func(info []byte) { l.info <- info }
	n.mu.Lock()
	defer n.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.start(content); err != nil {
		return nil, share.Errorf(share.Failed, "asking peers about %s: %w", id.Short(), err)
	}
	n.learnings[id] = l
	return l, nil
}

// takeLearning is the swarm of a learning by one of these IDs, which has ended; nil
// if there is none.
func (n *Network) takeLearning(ids ...share.ID) *Swarm {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, id := range ids {
		l := n.learnings[id]
		if l == nil {
			continue
		}
		delete(n.learnings, id)
		if l.over != nil {
			l.over.Stop()
		}
		return l.swarm
	}
	return nil
}

// AddPeers implements face.Learning.
func (l *learning) AddPeers(peers []face.Peer) { l.swarm.AddPeers(peers) }

// Info implements face.Learning.
func (l *learning) Info(ctx context.Context) ([]byte, error) {
	select {
	case info := <-l.info:
		n := l.swarm.of
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.learnings[l.swarm.id] == l {
			l.over = time.AfterFunc(learnedTime, l.End)
		}
		return info, nil
	case <-ctx.Done():
		l.End()
		return nil, context.Cause(ctx)
	}
}

// End implements face.Learning.
func (l *learning) End() {
	n := l.swarm.of
	n.mu.Lock()
	mine := n.learnings[l.swarm.id] == l
	if mine {
		delete(n.learnings, l.swarm.id)
	}
	if l.over != nil {
		l.over.Stop()
	}
	n.mu.Unlock()
	if mine {
		l.swarm.Detach()
	}
}
