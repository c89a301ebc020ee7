package native

import (
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/edge"
	"github.com/shoalnet/shoal/share/engine/internal/flow"
	"github.com/shoalnet/shoal/share/engine/internal/pace"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/utp"
)

// line is what all connections to peers that are not on our link share on their way
// up. It measures those that send, has package edge measure its queue, and holds them to
// the rate that package pace decides. While nothing is sent it does nothing.
type line struct {
	log    *slog.Logger
	begin  time.Time
	bucket *flow.Bucket
	sample func(net.Conn) (pace.Sample, bool)
	meter  meter
	held   atomic.Int64 // bytes a second; 0 is not

	mu      sync.Mutex
	on      bool
	control pace.Controller
	senders map[*outlet]struct{} // who sent something lately
	timer   *time.Timer          // nil while there are none
}

// meter is what package edge has.
type meter interface {
	Ask(to netip.AddrPort, urgent bool)
	Look() edge.State
	Rest()
	Forget()
}

const (
	// A sender of which nothing is acknowledged is still looked at for so long.
	quietFor = 2 * time.Second
	// Who answers sooner is at this site, behind a router at most.
	sameSite = time.Millisecond
)

func newLine(log *slog.Logger, on bool) *line {
	return &line{
		log: log, begin: time.Now(), bucket: flow.NewPace(), sample: sampleOf, meter: edge.New(), on: on, senders: make(map[*outlet]struct{}),
	}
}

// outlet is where one connection leaves by the line. It implements face.Limit.
type outlet struct {
	line    *line
	conn    net.Conn
	sending atomic.Bool // it is among the senders of the line
	near    atomic.Bool // it does not leave by the line after all
	flow    pace.Flow   // guarded by the line's lock, as is
	heard   time.Duration
}

// Wait implements face.Limit.
func (o *outlet) Wait(n int, stop <-chan struct{}) bool {
	if o.near.Load() {
		return true
	}
	if !o.sending.Load() {
		o.line.join(o)
	}
	return o.line.bucket.Wait(n, stop)
}

// Holds implements face.Limit.
func (o *outlet) Holds() bool { return !o.near.Load() && o.line.bucket.Holds() }

// Line implements swarm.OnLine.
func (c *tracked) Line() face.Limit {
	if local, ok := localAddr(c.Conn); ok && onLink(local, c.peer.Addr()) {
		return nil
	}
	return &c.outlet
}

// onLink tells whether two addresses look like those of one link, so that what is
// sent does not leave by the line.
func onLink(local, peer netip.Addr) bool {
	if peer.IsLoopback() || peer.IsLinkLocalUnicast() {
		return true
	}
	bits := 64
	if peer.Is4() {
		bits = 24
	}
	p, err := peer.WithZone("").Prefix(bits)
	return err == nil && p.Contains(local)
}

// join has a sender looked at.
func (l *line) join(o *outlet) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.on {
		return
	}
	o.sending.Store(true)
	o.heard = time.Since(l.begin)
	l.senders[o] = struct{}{}
	if l.timer == nil {
		l.meter.Ask(peerOf(o.conn), false) // before there is a queue of ours
		l.timer = time.AfterFunc(pace.Tick, l.tick)
	}
}

// tick looks at the senders, and decides the rate.
func (l *line) tick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.on {
		return
	}
	now := time.Since(l.begin)
	flows := make([]*pace.Flow, 0, len(l.senders))
	var busiest *outlet
	for o := range l.senders {
		s, ok := l.sample(o.conn)
		o.near.Store(s.Least > 0 && s.Least < sameSite)
		switch {
		case o.near.Load():
			l.leave(o)
			continue
		case ok && o.flow.Take(s):
			o.heard = now
		case !ok || now-o.heard > quietFor:
			l.leave(o)
			continue
		}
		flows = append(flows, &o.flow)
		if busiest == nil || o.flow.Sent() > busiest.flow.Sent() {
			busiest = o
		}
	}
	seen := l.meter.Look()
	rate := int64(l.control.Step(now, flows, pace.Line{Known: seen.Known, Fresh: seen.Fresh, Queue: seen.Queue}))
	if busiest != nil {
		l.meter.Ask(peerOf(busiest.conn), l.control.Wary())
	}
	l.bucket.Set(rate)
	if was := l.held.Swap(rate); (was > 0) != (rate > 0) {
		l.log.Debug("uploads are held to what the line bears, or no longer", "bytes_per_second", rate)
	}
	if len(l.senders) == 0 {
		l.timer = nil
		l.held.Store(0)
		l.meter.Rest()
		return
	}
	l.timer.Reset(pace.Tick)
}

// leave has a sender looked at no more. l.mu is held.
func (l *line) leave(o *outlet) {
	o.sending.Store(false)
	delete(l.senders, o)
}

// turn turns the line on or off, and forgets what it has seen.
func (l *line) turn(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.on = on
	l.reset()
}

// moved forgets what it has seen: it may be another line now.
func (l *line) moved() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reset()
}

// reset forgets what was seen. l.mu is held.
func (l *line) reset() {
	for o := range l.senders {
		l.leave(o)
	}
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	l.meter.Rest()
	l.meter.Forget()
	l.control = pace.Controller{}
	l.bucket.Set(0)
	l.held.Store(0)
}

// peerOf is the address of the other end.
func peerOf(c net.Conn) netip.AddrPort {
	switch a := c.RemoteAddr().(type) {
	case *net.TCPAddr:
		return a.AddrPort()
	case *net.UDPAddr:
		return a.AddrPort()
	}
	return netip.AddrPort{}
}

// sampleOf is what a connection shows of its path; false if that is nothing.
func sampleOf(nc net.Conn) (pace.Sample, bool) {
	switch nc := nc.(type) {
	case *utp.Conn:
		s := nc.Stats()
		return pace.Sample{Trip: s.Queueing, Acked: s.Sent}, true
	case *net.TCPConn:
		return tcpSample(nc)
	}
	return pace.Sample{}, false
}

// Yield implements face.Network.
func (n *Network) Yield(on bool) { n.registry.line.turn(on) }

// Held implements face.Network.
func (n *Network) Held() int64 { return n.registry.line.held.Load() }
