package library

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/infofetch"
)

// learning asks over connections of its own. It implements face.Learning.
type learning struct {
	of    *Network
	id    share.ID
	fetch *infofetch.Fetch
}

// Learn implements face.Network.
func (c *Network) Learn(id share.ID, right func([]byte) bool) (face.Learning, error) {
	var port uint16
	for _, l := range c.cfg.Listeners {
		if t, ok := l.Addr().(*net.TCPAddr); ok && port == 0 {
			port = uint16(t.Port)
		}
	}
	f, err := infofetch.New(infofetch.Config{
		ID: id, Fits: right, Dial: c.Dial, Client: c.cfg.Client, Port: port, OnDHTNode: c.cfg.Events.DHTNode, Logger: c.cfg.Logger,
		NotNow: func(err error) bool { return errors.Is(err, face.ErrNotNow) },
		Allow:  func(ap netip.AddrPort) bool { return c.cfg.Policy.CheckPeer(ap) == nil },
	})
	if err != nil {
		return nil, err
	}
	return &learning{c, id, f}, nil
}

func (l *learning) AddPeers(peers []face.Peer) {
	for _, p := range peers {
		l.fetch.Add(p.Addr)
	}
}

func (l *learning) Info(ctx context.Context) ([]byte, error) {
	got, err := l.fetch.Run(ctx)
	if err != nil {
		return nil, err
	}
	if tell := l.of.cfg.Events.Found; tell != nil {
		tell(l.id, share.FromPEX, append(got.Peers, got.More...))
	}
	return got.Bytes, nil
}

func (*learning) End() {}
