// Package sim keeps to itself how a swarm runs in one process: hundreds of
// core.Core over a virtual clock and virtual lines. The same seed gives the same
// run, message for message.
//
// A line has a rate up and a rate down and a delay. Connections share a host's
// uplink by turns, a block each; what arrives faster than the downlink takes
// waits there, and a connection has only so many bytes on their way, as TCP
// does. What a host has written cannot be taken back, though it waits for the uplink.
// Loss is a delay of the connection it happens to. Blocks have no data but
// a number that says whether they are right.
package sim

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/core"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/uplink"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// Config is what all hosts have in common.
type Config struct {
	Seed   uint64
	Layout wire.Layout
	Loss   float64 // of blocks, 0 to 1
}

const (
	inFlight  = 512 << 10 // bytes of a connection that are on their way
	buffered  = 32 << 10  // bytes of a connection that its host's system keeps unsent
	overhead  = 1.05      // of TCP and IPv6
	lossDelay = 250 * time.Millisecond
	trackers  = 30 // addresses that a host gets when it comes, and each minute
)

// Net is the swarm and the lines between its hosts.
type Net struct {
	cfg   Config
	now   time.Duration
	rand  *rand.Rand
	queue queue
	hosts []*Host
	where map[netip.AddrPort]*Host
}

// Line is what connects a host. Rates are in bytes a second.
type Line struct {
	Up, Down float64
	Delay    time.Duration // one way, to the middle of the net
}

// Mbit is a rate in bits as one in bytes.
func Mbit(n float64) float64 { return n * 1e6 / 8 }

// Kind is what sort of host to add.
type Kind struct {
	Line    Line
	Have    []byte // as in a bitfield message; nil for nothing
	Lie     Lie
	Config  func(*core.Config) // changes, if not nil
	Trusted []*Host            // addresses that it knows; nil to ask the tracker
	Learns  bool               // it does not know the info dictionary
	// On is a host on the same line, which is another swarm of the same node:
	// its readers are yielded to. The Line is that one's.
	On *Host
}

// Host is a host with a Core on it.
type Host struct {
	*core.Core
	Net  *Net
	Line Line
	Addr netip.AddrPort
	// Joined and Done are when it came and when it had everything; Done is 0
	// until then.
	Joined, Done time.Duration
	// Sent and Received count the bytes of blocks that went over its line.
	Sent, Received int64
	// OnPiece is told of pieces that are there. May be nil.
	OnPiece func(piece int)
	// Convicts are those that it banned.
	Convicts []netip.AddrPort

	lie      liar
	line     *Host        // whose line it is: itself or another
	uplink   *uplink.Link // of a line
	place    *uplink.Place
	on       []*Host // of a line: all hosts
	all      []*conn // of a line: the connections of all
	conns    []*conn
	byPeer   map[*core.Peer]*conn
	turn     int
	busy     bool // the uplink is
	downFree time.Duration
	wake     time.Duration
	variants map[int][]uint32
	gone     bool
	passing  bool // it leaves
	yields   bool
	out      core.Out
}

// conn is one end of a connection.
type conn struct {
	host   *Host
	other  *conn
	peer   *core.Peer
	ready  bool
	flying int
	last   time.Duration // when the last unit arrives
	closed bool
	parcel []unit // what a liar has still to send
}

// unit is what goes over a connection at once.
type unit struct {
	messages []wire.Message
	block    core.Span // none if Length is 0
	variant  uint32    // 0 if the block is right
	breach   bool      // no reader would let it through
	size     int
}

// New makes a swarm without hosts.
func New(cfg Config) *Net {
	return &Net{cfg: cfg, now: time.Second, rand: rand.New(rand.NewPCG(cfg.Seed, 14)), where: make(map[netip.AddrPort]*Host)}
}

// Hosts are those that are there.
func (n *Net) Hosts() []*Host { return n.hosts }

// At has do happen at a time.
func (n *Net) At(at time.Duration, do func()) { n.queue.push(max(at, n.now), do) }

// All is a bit field of all pieces.
func (n *Net) All() []byte {
	b := make([]byte, (n.cfg.Layout.Pieces+7)/8)
	for i := range n.cfg.Layout.Pieces {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return b
}

// Add puts a host on the net, which begins at once.
func (n *Net) Add(kind Kind) *Host {
	var ip [16]byte
	binary.BigEndian.PutUint64(ip[:8], 0x20010db8<<32|uint64(n.rand.Uint32()))
	ip[15] = 1
	h := &Host{
		Net: n, Line: kind.Line, Addr: netip.AddrPortFrom(netip.AddrFrom16(ip), 6881), Joined: n.now,
		byPeer: make(map[*core.Peer]*conn), variants: make(map[int][]uint32),
	}
	h.lie.kind = kind.Lie
	h.line = h
	if kind.On != nil {
		h.line, h.Line = kind.On, kind.On.Line
	}
	if h.line == h {
		h.uplink = uplink.New(0)
	}
	h.place = h.line.uplink.Join()
	h.line.on = append(h.line.on, h)
	cfg := core.Config{Layout: n.cfg.Layout, Have: kind.Have, Port: 6881, MaxPeers: 40, Client: "sim", Uplink: h.place}
	for i := 0; i < len(cfg.Seed); i += 8 {
		binary.BigEndian.PutUint64(cfg.Seed[i:], n.rand.Uint64())
	}
	cfg.PeerID = h.id()
	if cfg.Info = []byte("info"); kind.Learns {
		cfg.Info, cfg.Layout = nil, wire.Layout{}
	}
	if kind.Config != nil {
		kind.Config(&cfg)
	}
	h.Core = core.New(cfg)
	h.SetSelf([]netip.Addr{h.Addr.Addr()})
	if h.Complete() {
		h.Done = n.now
	}
	n.hosts = append(n.hosts, h)
	n.where[h.Addr] = h
	h.lie.start(h)
	if kind.Trusted != nil {
		var addrs []netip.AddrPort
		for _, o := range kind.Trusted {
			addrs = append(addrs, o.Addr)
		}
		h.Do(func(now time.Duration) { h.AddPeers(now, addrs) })
	} else {
		h.askTracker()
	}
	return h
}

// askTracker gets some addresses of the swarm, and again each minute.
func (h *Host) askTracker() {
	if h.gone {
		return
	}
	n := h.Net
	var addrs []netip.AddrPort
	for _, i := range n.rand.Perm(len(n.hosts)) {
		if len(addrs) == trackers {
			break
		}
		if o := n.hosts[i]; o != h {
			addrs = append(addrs, o.Addr)
		}
	}
	h.Do(func(now time.Duration) { h.AddPeers(now, addrs) })
	n.At(n.now+time.Minute, h.askTracker)
}

// Kill takes a host off the net: its connections end.
func (n *Net) Kill(h *Host) {
	h.gone = true
	h.place.Leave()
	delete(n.where, h.Addr)
	n.hosts = slices.DeleteFunc(n.hosts, func(o *Host) bool { return o == h })
	for _, c := range slices.Clone(h.conns) {
		c.close()
	}
}

// Do calls f as something that happens on the host now, and does what comes of
// it.
func (h *Host) Do(f func(now time.Duration)) {
	if h.gone {
		return
	}
	f(h.Net.now)
	for {
		actions := slices.Clone(h.Actions())
		if len(actions) == 0 {
			break
		}
		for i := range actions {
			h.act(&actions[i])
		}
	}
	h.transmit()
	h.arm()
	h.yield()
}

// yield has the other swarms of the node give way to a reader that waits.
func (h *Host) yield() {
	if len(h.line.on) < 2 {
		return
	}
	waits := 0
	for _, o := range h.line.on {
		if o.ReaderWaits() {
			waits++
		}
	}
	for _, o := range h.line.on {
		others := waits
		if o.ReaderWaits() {
			others--
		}
		if yields := others > 0; yields != o.yields {
			o.yields = yields
			o.Do(func(now time.Duration) { o.SetYield(now, yields) })
		}
	}
}

func (h *Host) act(a *core.Action) {
	n := h.Net
	switch a.Kind {
	case core.Ready:
		if c := h.byPeer[a.Peer]; c != nil {
			c.ready = true
		}
	case core.Drop:
		if a.Banned {
			h.Convicts = append(h.Convicts, a.Peer.Addr)
		}
		if c := h.byPeer[a.Peer]; c != nil {
			c.close()
		}
	case core.Dial:
		to := n.where[a.Addr]
		addr := a.Addr
		delay := h.Line.Delay
		if to != nil {
			delay += to.Line.Delay
		}
		n.At(n.now+3*delay, func() { n.dial(h, to, addr) })
	case core.Verify:
		h.verify(a)
	case core.CheckInfo:
		h.SetInfo(n.now, a.Data, n.cfg.Layout, nil, nil)
	case core.Finished:
		if h.Done == 0 && h.Core.Complete() {
			h.Done = n.now
		}
	}
}

func (h *Host) verify(a *core.Action) {
	v := h.variants[a.Piece]
	right := true
	sums := make([][20]byte, len(v))
	for i, x := range v {
		right = right && x == 0
		binary.BigEndian.PutUint32(sums[i][:], x)
	}
	delete(h.variants, a.Piece)
	h.Verified(h.Net.now, a.Piece, right, sums)
	if right && h.OnPiece != nil {
		h.OnPiece(a.Piece)
	}
}

// dial makes a connection, if the other end takes it.
func (n *Net) dial(from, to *Host, addr netip.AddrPort) {
	if from.gone {
		return
	}
	failed := func() { from.Do(func(now time.Duration) { from.DialFailed(now, addr) }) }
	if to == nil || to.gone {
		failed()
		return
	}
	a, b := &conn{host: from}, &conn{host: to}
	a.other, b.other = b, a
	info := func(h *Host, outgoing bool) core.PeerInfo {
		return core.PeerInfo{Addr: h.Addr, ID: h.id(), Outgoing: outgoing, Fast: true, Extended: true}
	}
	var err error
	to.Do(func(now time.Duration) {
		if b.peer, err = to.Connected(now, info(from, false)); err == nil {
			to.add(b)
		}
	})
	if err != nil {
		failed()
		return
	}
	from.Do(func(now time.Duration) {
		if a.peer, err = from.Connected(now, info(to, true)); err == nil {
			from.add(a)
		}
	})
	if err != nil {
		b.close()
	}
}

// id is a host's peer ID.
func (h *Host) id() (id [20]byte) {
	a := h.Addr.Addr().As16()
	copy(id[:], a[:])
	return id
}

func (h *Host) add(c *conn) {
	h.conns = append(h.conns, c)
	h.line.all = append(h.line.all, c)
	h.byPeer[c.peer] = c
	c.ready = true
}

// close ends a connection: at this end now, at the other when word of it
// arrives.
func (c *conn) close() {
	if c.closed {
		return
	}
	c.forget()
	o := c.other
	c.host.Net.At(c.host.Net.now+c.host.Line.Delay+o.host.Line.Delay, o.forget)
}

func (c *conn) forget() {
	if c.closed {
		return
	}
	c.closed = true
	h := c.host
	h.conns = slices.DeleteFunc(h.conns, func(o *conn) bool { return o == c })
	h.line.all = slices.DeleteFunc(h.line.all, func(o *conn) bool { return o == c })
	if c.peer != nil {
		delete(h.byPeer, c.peer)
		h.Do(func(now time.Duration) { h.Disconnected(now, c.peer) })
	}
}

// arm sees to it that the host is woken in time.
func (h *Host) arm() {
	at, any := h.Deadline()
	if !any || h.wake != 0 && h.wake <= at {
		return
	}
	at = max(at, h.Net.now)
	h.wake = at
	h.Net.At(at, func() {
		if h.wake == at && !h.gone {
			h.wake = 0
			h.Do(h.Wake)
		}
	})
}

// transmit puts the next unit on the uplink, of the connections by turns.
func (h *Host) transmit() {
	h = h.line
	for _, c := range h.all {
		c.fill()
	}
	if h.busy || h.gone {
		return
	}
	// Messages are small packets, which leave between those of blocks.
	for _, c := range h.all {
		if len(c.parcel) > 0 && c.parcel[0].block.Length == 0 && c.flying < inFlight {
			u, _ := c.next()
			h.put(c, u)
			return
		}
	}
	for range h.all {
		h.turn = (h.turn + 1) % len(h.all)
		c := h.all[h.turn]
		if c.flying >= inFlight {
			continue
		}
		u, any := c.next()
		if !any {
			continue
		}
		h.put(c, u)
		return
	}
}

func (h *Host) put(c *conn, u unit) {
	n := h.Net
	h.busy = true
	c.flying += u.size
	c.host.Sent += int64(u.block.Length)
	sent := n.now + seconds(float64(u.size)/h.Line.Up)
	n.At(sent, func() {
		h.busy = false
		n.carry(c, u)
		h.transmit()
	})
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// next is what goes over the connection now, from the buffer.
func (c *conn) next() (unit, bool) {
	if len(c.parcel) > 0 {
		u := c.parcel[0]
		c.parcel = c.parcel[1:]
		return u, true
	}
	return unit{}, false
}

// fill writes what the Core has into the system's buffer, while there is room.
func (c *conn) fill() {
	held := 0
	for i := range c.parcel {
		held += c.parcel[i].size
	}
	for held < buffered && !c.closed {
		u, any := c.pull()
		if !any {
			return
		}
		c.parcel = append(c.parcel, u)
		held += u.size
	}
}

// pull is what the Core has for the connection now.
func (c *conn) pull() (unit, bool) {
	h := c.host
	if !c.ready {
		return unit{}, false
	}
	if !h.Pull(h.Net.now, c.peer, 1, &h.out) {
		c.ready = false
		return unit{}, false
	}
	u := unit{messages: slices.Clone(h.out.Messages)}
	if len(h.out.Blocks) > 0 {
		u.block = h.out.Blocks[0]
	}
	for i := range u.messages {
		u.size += wireSize(&u.messages[i])
	}
	u = h.lie.change(c, u)
	u.size += int(float64(u.block.Length)*overhead) + 60
	return u, true
}

func wireSize(m *wire.Message) int {
	switch m.Type {
	case wire.Request, wire.Cancel, wire.Reject:
		return 17
	case wire.Have, wire.AllowedFast:
		return 9
	}
	return 5 + len(m.Payload)
}

// carry takes a unit from one uplink to the other downlink.
func (n *Net) carry(c *conn, u unit) {
	to := c.other.host
	at := n.now + c.host.Line.Delay + to.Line.Delay
	if n.cfg.Loss > 0 && u.block.Length > 0 && n.rand.Float64() < n.cfg.Loss {
		at += lossDelay
	}
	at = max(at, c.last) // in order
	c.last = at
	line := to.line
	line.downFree = max(line.downFree, at) + seconds(float64(u.size)/line.Line.Down)
	n.At(line.downFree, func() { n.deliver(c, u) })
}

func (n *Net) deliver(c *conn, u unit) {
	full := c.flying >= inFlight
	c.flying -= u.size
	if full {
		c.host.transmit()
	}
	end := c.other
	if end.closed || c.closed && c.host.gone {
		return
	}
	h := end.host
	h.Do(func(now time.Duration) {
		if u.breach {
			h.Breach(now, end.peer, "a message that no reader lets through")
			return
		}
		for i := range u.messages {
			h.Receive(now, end.peer, &u.messages[i])
		}
		if b := u.block; b.Length > 0 {
			h.Received += int64(b.Length)
			if h.Block(now, end.peer, b.Piece, b.Begin, b.Length) {
				v := h.variants[b.Piece]
				if v == nil {
					v = make([]uint32, n.cfg.Layout.Blocks(b.Piece))
					h.variants[b.Piece] = v
				}
				v[b.Begin/wire.BlockSize] = u.variant
				h.Written(now, b.Piece, b.Begin, false)
			}
		}
	})
}

// RunUntil lets time pass until ok, for at most d. It reports what ok said last.
func (n *Net) RunUntil(d time.Duration, ok func() bool) bool {
	until := n.now + d
	for !ok() {
		at, any := n.queue.next()
		if !any || at > until {
			n.now = until
			return false
		}
		e := n.queue.pop()
		n.now = max(n.now, e.at)
		e.do()
	}
	return true
}
