// Package swarm keeps to itself how the decisions of package core become
// connections: it has the sockets, the clock, the disk and the hashing, while core
// decides what to request of which peer and when.
//
// A connection has a goroutine that reads, and while there is something to send
// one that writes. The reader writes the blocks it gets to the storage and hashes
// them on the way, so that what comes in order is not read again. A web seed has a
// goroutine for each part that is fetched of it. A swarm without connections has
// none.
package swarm

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/core"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/opening"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/uplink"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
	"github.com/shoalnet/shoal/share/merkle"
)

// ID names the content of a swarm on the wire: the SHA-1 of the info dictionary, or
// the first bytes of its SHA-256 (BEP 52).
type ID = [20]byte

// Encryption says which connections may be obfuscated, and which must be.
type Encryption uint8

// The ways to deal with encryption.
const (
	// Tolerate connects in the clear, and encrypted to who takes nothing else.
	Tolerate Encryption = iota
	// Require has no connection in the clear.
	Require
)

// Config is what all swarms of a node have in common.
type Config struct {
	Logger *slog.Logger
	// PeerID is ours.
	PeerID [20]byte
	// Client is our name, Port our listening port.
	Client string
	Port   uint16
	// Dial makes connections to peers.
	Dial func(ctx context.Context, addr netip.AddrPort) (net.Conn, error)
	// Encryption of connections.
	Encryption Encryption
	// Coming is how many handshakes of those who connect to us there may be at once; 0 is
	// 128. The next one waits a while for its place. Whoever accepts connections should
	// allow fewer, and decide which of them has to go.
	Coming int
	// Uploads is the number of peers that all swarms together upload to at once; 0
	// to go by what the line carries.
	Uploads int
	// DHTPort is the UDP port of our DHT node, which peers are told (BEP 5); nil
	// for none.
	DHTPort func() uint16
	// Greeted is told when the handshake of the other end of a connection has been
	// read: the ID it names, and its peer ID. nil is not called.
	Greeted func(conn net.Conn, id ID, peer [20]byte)
	// Wake is called when a peer asks for content that was offered and is not
	// attached: to attach it. nil if nothing is offered.
	Wake func(ctx context.Context, id ID)
	// Visit is called for each connection to us that begins with TLS or HTTP. read is what
	// was read of it. It takes the connection, or reports that it does not: then it may
	// still be a peer that encrypts. It must not block; nil takes none.
	Visit func(conn net.Conn, kind opening.Kind, read []byte) (taken bool)
}

// Content is what a swarm is about.
type Content struct {
	// ID is that of BEP 3, or else that of BEP 52.
	ID ID
	// V2 is how BEP 52 describes the content; nil if it does not.
	V2 *V2
	// Layout and Hashes, the SHA-1 of each piece, come with the info
	// dictionary; zero while it is not known. What only BEP 52 describes has no
	// Hashes.
	Layout wire.Layout
	Hashes [][20]byte
	Info   []byte
	// Have are the pieces that are there, as in a bitfield message.
	Have    []byte
	Storage face.Storage
	Private bool
	// Down and Up hold back what is taken from peers and read for them; nil for
	// no limit.
	Down, Up face.Limit
	// MaxPeers bounds connections; 0 for the default.
	MaxPeers   int
	Sequential bool
	// CheckInfo tells whether this is the info dictionary of ID. It is called only
	// while Layout is not known, until it was true once; InfoKnown and then Fill
	// follow.
	CheckInfo func(info []byte) bool
	// Events is told what happens, one event after the other. It must not call
	// the swarm.
	Events func(Event)
	// Judge tells whether an address that a peer told is to be dialed; nil for
	// all.
	Judge func(from, addr netip.AddrPort) bool
	// TellHeard has addresses that peers tell told as Heard, and not dialed.
	TellHeard bool
	// WantNothing has no piece wanted at first.
	WantNothing bool
	// Extensions are further extensions of BEP 10, by the numbers from
	// wire.ExtOther that peers use towards us. Their messages come as Foreign.
	Extensions map[string]uint8
}

// V2 is how BEP 52 describes content.
type V2 struct {
	// ID is the first bytes of the SHA-256 of the info dictionary.
	ID ID
	// Files are those that have bytes, in the order of their pieces.
	Files []core.File
	// Layers has the piece layers that are known, and takes the others.
	Layers core.Layers
	// Piece is the node over piece i and its height above the blocks, if the node
	// is known, and how many bytes of the piece are under it: the others are
	// padding, which is zeros.
	Piece func(i int) (node merkle.Hash, height int, known bool)
	Data  func(i int) int
}

// names are the IDs of the content.
func (c *Content) names() []ID {
	if c.V2 == nil || c.V2.ID == c.ID {
		return []ID{c.ID}
	}
	return []ID{c.ID, c.V2.ID}
}

// trees is how the core is told of V2.
func (c *Content) trees() *core.Trees {
	if c.V2 == nil || c.V2.Layers == nil {
		return nil
	}
	return &core.Trees{Files: c.V2.Files, Layers: c.V2.Layers, Only: c.Hashes == nil}
}

// EventKind tells what happened.
type EventKind uint8

// The kinds of events.
const (
	PieceDone  EventKind = iota // Piece is complete
	Finished                    // all that is wanted is complete
	InfoKnown                   // the info dictionary was fetched: Info
	PeerCame                    // Peer is connected, by our call if Outgoing
	PeerGone                    // the connection to Peer ended, for Reason
	PeerBanned                  // so did this one: Addr sent wrong data
	DiskFailed                  // Err; nothing is asked for until Retry
	Differs                     // Err: the hashes of BEP 3 and BEP 52 disagree; nothing is asked for any more
	Layered                     // no piece layer is missing any more
	DHTNode                     // Peer says that its DHT node is at Addr
	Met                         // Peer told its extensions, and sees us at Seen
	Heard                       // the peer at Addr, whom we called if Outgoing, told of Addrs
	Foreign                     // Peer sent Data by the extension Ext
	Fetched                     // the peer at Addr, a Client, has all, and got some of it here
)

// Event is something that happened in a swarm.
type Event struct {
	Kind     EventKind
	Piece    int
	Peer     *Peer
	Addr     netip.AddrPort
	Addrs    []netip.AddrPort
	Seen     netip.Addr
	Ext      uint8
	Data     []byte
	Reason   string
	Breach   bool // of PeerGone: the peer broke the protocol
	Outgoing bool // of Heard and PeerCame
	Info     []byte
	Client   string
	Err      error
}

// Node runs the swarms of a node.
type Node struct {
	cfg   Config
	begin time.Time

	uplink   *uplink.Link
	yielding sync.Mutex   // held by yield
	readers  atomic.Int32 // swarms with a reader that waits

	mu     sync.Mutex
	table  table
	closed bool

	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
	coming  chan struct{} // a place for each handshake that has not ended
}

const defaultComing = 128

// New makes a node without swarms. Close ends it.
func New(cfg Config) *Node {
	n := &Node{
		cfg: cfg, begin: time.Now(), uplink: uplink.New(cfg.Uploads), table: newTable(),
		coming: make(chan struct{}, cmp.Or(cfg.Coming, defaultComing)),
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	return n
}

// Close ends all swarms and waits for their goroutines.
func (n *Node) Close() {
	n.mu.Lock()
	n.closed = true
	swarms := n.table.swarms()
	n.mu.Unlock()
	n.cancel()
	for _, s := range swarms {
		s.Detach()
	}
	n.running.Wait()
}

// goes runs f as a goroutine of the node; false if the node is closed.
func (n *Node) goes(f func()) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return false
	}
	n.running.Go(f)
	return true
}

// Guest is an upload that goes to no peer, and has an upload slot.
type Guest = uplink.Guest

// Guest begins one.
func (n *Node) Guest() *Guest { return n.uplink.Guest() }

// Given is how many bytes all guests were sent.
func (n *Node) Given() int64 { return n.uplink.Given() }

// Offer has Wake called for peers that ask for content that is not attached;
// Withdraw ends that. Content that has two IDs is offered by each.
func (n *Node) Offer(id ID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.table.offer(id)
}

// Withdraw ends what Offer began.
func (n *Node) Withdraw(id ID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.table.withdraw(id)
}

// Knows tells whether content is offered or attached.
func (n *Node) Knows(id ID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.table.offers[id] || n.table.attached[id] != nil
}

// ErrClosed says that the node, or the swarm, has ended.
var ErrClosed = errors.New("the swarm has ended")

// ErrTwice says that a swarm of the ID runs already.
var ErrTwice = errors.New("there is a swarm of this content already")

// Attach begins a swarm. seed makes its random choices.
func (n *Node) Attach(content Content, seed [32]byte) (*Swarm, error) {
	s := &Swarm{
		node: n, conns: make(map[*core.Peer]link), checks: make(map[int]bool), uplink: n.uplink.Join(),
	}
	s.is.Store(&content)
	s.hasher = hasher{content: s.content, pieces: make(map[int]*hashing)}
	s.ctx, s.cancel = context.WithCancel(n.ctx)
	s.core = core.New(core.Config{
		Seed: seed, Layout: content.Layout, Have: content.Have, Info: content.Info, Trees: content.trees(), Private: content.Private,
		PeerID: n.cfg.PeerID, Client: n.cfg.Client, Port: n.cfg.Port,
		MaxPeers: content.MaxPeers, Uplink: s.uplink, Sequential: content.Sequential, Judge: content.Judge,
		TellHeard: content.TellHeard, WantNothing: content.WantNothing, Extensions: content.Extensions,
	})
	if err := n.add(s); err != nil {
		s.cancel()
		s.uplink.Leave()
		return nil, err
	}
	if n.readers.Load() > 0 {
		n.yield()
	}
	return s, nil
}

// Fill tells a swarm that was attached without them what the info dictionary says:
// ID, V2, Info, Layout and Hashes, and with these Have, Storage, Down and Up. The
// connections stay. What else is in content stays as it was.
func (s *Swarm) Fill(content Content) error {
	err := ErrClosed
	s.do(func(c *core.Core, now time.Duration) {
		if c.Known() {
			err = ErrTwice
			return
		}
		own := *s.content()
		if content.ID != (ID{}) {
			own.ID = content.ID
		}
		own.V2, own.Info, own.Layout, own.Hashes = content.V2, content.Info, content.Layout, content.Hashes
		own.Have, own.Storage, own.Down, own.Up = content.Have, content.Storage, content.Down, content.Up
		s.is.Store(&own)
		for p, k := range s.conns {
			if !k.know(&own) {
				c.Breach(now, p, otherContent)
			}
		}
		c.SetInfo(now, content.Info, content.Layout, content.Have, own.trees())
		err = nil
	})
	if err == nil && !s.node.rename(s) {
		s.node.cfg.Logger.Warn("the content has two IDs, by one of which another swarm runs", "id", content.ID)
	}
	return err
}

func (n *Node) add(s *Swarm) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return ErrClosed
	}
	if !n.table.add(s, s.content().names()) {
		return ErrTwice
	}
	return nil
}

// rename has s found by the names that its content has now; false if another swarm
// has one of them.
func (n *Node) rename(s *Swarm) bool {
	id, v2 := s.ids()
	names := []ID{id}
	if v2 != (ID{}) && v2 != id {
		names = append(names, v2)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.table.attached[s.names[0]] == s && n.table.add(s, names)
}

func (n *Node) swarm(id ID) *Swarm {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.table.attached[id]
}

func (n *Node) byKey(key [20]byte) (ID, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	id, ok := n.table.keys[key]
	return id, ok
}

func (n *Node) now() time.Duration { return time.Since(n.begin) + time.Second }

// Swarm is our side of one swarm.
type Swarm struct {
	node   *Node
	ctx    context.Context
	cancel context.CancelFunc
	uplink *uplink.Place

	is atomic.Pointer[Content] // never modified, but replaced when more is known

	mu     sync.Mutex
	core   *core.Core
	conns  map[*core.Peer]link
	timer  *time.Timer
	due    time.Duration // when it goes off
	ended  bool
	torn   bool         // the content's hashes disagree
	waits  bool         // a reader does
	checks map[int]bool // pieces that Check hashes

	using         sync.WaitGroup // whoever uses the storage
	written, sent atomic.Int64   // bytes of content

	names []ID // in the table; guarded by the node's lock
	byV2  callees

	events sync.Mutex // held while Events is called

	hasher hasher
}

// content is what is known of the content.
func (s *Swarm) content() *Content { return s.is.Load() }

// do calls f with the Core, and carries out what comes of it.
func (s *Swarm) do(f func(c *core.Core, now time.Duration)) {
	later, changed := s.step(f)
	if changed {
		s.node.yield()
	}
	for i := range later {
		s.act(&later[i])
	}
}

// step calls f with the Core. What comes of it is done, except for what takes
// time. changed says that a reader begins or ceases to wait here.
func (s *Swarm) step(f func(c *core.Core, now time.Duration)) (later []deed, changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil, false
	}
	f(s.core, s.node.now())
	for i, all := 0, s.core.Actions(); i < len(all); i++ {
		switch a := &all[i]; a.Kind {
		case core.Ready:
			if c := s.conns[a.Peer]; c != nil {
				c.rouse()
			}
		case core.Drop:
			if c := s.conns[a.Peer]; c != nil {
				delete(s.conns, a.Peer)
				c.drop(a.Reason, a.Banned)
			}
		default:
			c, _ := s.conns[a.Peer].(*conn)
			later = append(later, deed{*a, c})
		}
	}
	s.arm()
	return later, s.watch(s.core.ReaderWaits())
}

// link is where what the Core has for a peer goes. Its methods are called with the
// swarm's lock held.
type link interface {
	rouse()                          // there is something to pull
	drop(reason string, banned bool) // the Core has forgotten the peer
	know(*Content) (named bool)      // the content is known now; the peer named it
	end()                            // the swarm has ended
}

// deed is something to do, with the connection that it is about.
type deed struct {
	core.Action
	conn *conn
}

// watch takes whether a reader waits. It reports whether that is news. s.mu is
// held.
func (s *Swarm) watch(waits bool) bool {
	if s.waits == waits {
		return false
	}
	s.waits = waits
	if waits {
		s.node.readers.Add(1)
	} else {
		s.node.readers.Add(-1)
	}
	return true
}

// yield has all swarms give way to those whose readers wait.
func (n *Node) yield() {
	n.mu.Lock()
	swarms := n.table.swarms()
	n.mu.Unlock()
	var later []func()
	defer func() {
		for _, f := range later {
			f()
		}
	}()
	// Calls may overlap; the last to look sees what is true.
	n.yielding.Lock()
	defer n.yielding.Unlock()
	waiting := 0
	for _, s := range swarms {
		if s.waiting() {
			waiting++
		}
	}
	for _, s := range swarms {
		others := waiting
		if s.waiting() {
			others--
		}
		deeds, _ := s.step(func(c *core.Core, now time.Duration) { c.SetYield(now, others > 0) })
		for i := range deeds {
			later = append(later, func() { s.act(&deeds[i]) })
		}
	}
}

func (s *Swarm) waiting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waits && !s.ended
}

// arm sees to it that the Core is woken in time. s.mu is held.
func (s *Swarm) arm() {
	at, any := s.core.Deadline()
	if !any {
		if s.timer != nil {
			s.timer.Stop()
		}
		return
	}
	after := max(at-s.node.now(), time.Millisecond)
	if s.timer == nil {
		s.timer = time.AfterFunc(after, s.wake)
		s.due = at
		return
	}
	if s.due != at {
		s.due = at
		s.timer.Reset(after)
	}
}

func (s *Swarm) wake() {
	s.do(func(c *core.Core, now time.Duration) {
		s.due = 0
		c.Wake(now)
	})
}

// act carries out what takes time, without the lock.
func (s *Swarm) act(a *deed) {
	switch a.Kind {
	case core.Dial:
		addr := a.Addr
		if !s.node.goes(func() { s.dial(addr) }) {
			return
		}
	case core.Verify:
		s.verify(a.Piece, a.Sums)
	case core.CheckInfo:
		s.checkInfo(a.Data)
	case core.DHT:
		s.about(a.conn, Event{Kind: DHTNode, Addr: netip.AddrPortFrom(a.Peer.Addr.Addr(), a.Port)})
	case core.Heard:
		s.tell(Event{Kind: Heard, Addr: a.Peer.Addr, Outgoing: a.Peer.Outgoing, Addrs: a.Addrs})
	case core.Met:
		s.about(a.conn, Event{Kind: Met, Addr: a.Peer.Addr, Seen: a.Seen})
	case core.Foreign:
		s.about(a.conn, Event{Kind: Foreign, Addr: a.Peer.Addr, Ext: a.Ext, Data: a.Data})
	case core.Fetched:
		s.tell(Event{Kind: Fetched, Addr: a.Addr, Client: a.Client})
	case core.Finished:
		s.tell(Event{Kind: Finished})
	case core.HashBlocks:
		s.node.goes(func() { s.hashBlocks(a.Piece) })
	case core.MakeLayer:
		s.node.goes(func() { s.makeLayer(a.Piece) })
	case core.Layered:
		s.tell(Event{Kind: Layered})
	}
}

func (s *Swarm) tell(e Event) {
	if s.content().Events != nil {
		s.events.Lock()
		defer s.events.Unlock()
		s.content().Events(e)
	}
}

// about tells of a connection, unless it has ended.
func (s *Swarm) about(c *conn, e Event) {
	if c != nil {
		e.Peer = &Peer{c}
		s.tell(e)
	}
}

// fail has nothing asked for any more, since the disk failed.
func (s *Swarm) fail(err error) {
	s.do(func(c *core.Core, now time.Duration) { c.SetHalt(now, true) })
	s.tell(Event{Kind: DiskFailed, Err: err})
}

// Retry asks again after the disk failed.
func (s *Swarm) Retry() {
	s.do(func(c *core.Core, now time.Duration) { c.SetHalt(now, s.torn) })
}

// enter reports whether the storage may be used; s.using.Done ends that.
func (s *Swarm) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	s.using.Add(1)
	return true
}

// Detach ends the swarm: its connections are closed, and once it has returned
// the storage is used no more and nothing is told any more, except what is being
// told. It reports whether the swarm had not ended before.
func (s *Swarm) Detach() bool {
	s.mu.Lock()
	was := s.ended
	s.ended = true
	waited := s.watch(false)
	for p, c := range s.conns {
		delete(s.conns, p)
		c.end()
	}
	if s.timer != nil {
		s.timer.Stop()
	}
	s.mu.Unlock()
	s.cancel()
	s.uplink.Leave()
	n := s.node
	n.mu.Lock()
	n.table.remove(s)
	n.mu.Unlock()
	if waited {
		n.yield()
	}
	s.using.Wait()
	return !was
}

// AddPeers takes addresses of the swarm.
func (s *Swarm) AddPeers(addrs []netip.AddrPort) {
	s.do(func(c *core.Core, now time.Duration) { c.AddPeers(now, addrs) })
}

// AddV2Peers takes addresses where the content is known by the ID of BEP 52.
func (s *Swarm) AddV2Peers(addrs []netip.AddrPort) {
	s.byV2.note(addrs)
	s.AddPeers(addrs)
}

// SetSelf tells our own addresses, by which peers are ranked (BEP 40).
func (s *Swarm) SetSelf(addrs []netip.Addr) {
	s.do(func(c *core.Core, _ time.Duration) { c.SetSelf(addrs) })
}

// SetPriorities sets how much the pieces from one on are wanted.
func (s *Swarm) SetPriorities(from int, priority []uint8) {
	s.do(func(c *core.Core, now time.Duration) { c.SetPriorities(now, from, priority) })
}

// Reading is a range of bytes that somebody reads, as core.Reader has it, but By
// is from now.
type Reading = core.Reader

// SetReaders sets all that is being read.
func (s *Swarm) SetReaders(all []Reading) {
	s.do(func(c *core.Core, now time.Duration) {
		due := make([]core.Reader, len(all))
		for i, r := range all {
			r.By += now
			due[i] = r
		}
		c.SetReaders(now, due)
	})
}

// Stats are the counts since the swarm began.
func (s *Swarm) Stats() core.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.core.Stats()
}

// Moved is how many bytes of content were written to disk and sent.
func (s *Swarm) Moved() (written, sent int64) { return s.written.Load(), s.sent.Load() }

// Availability is how many copies of the content the connected peers have together.
func (s *Swarm) Availability() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.core.Availability()
}
