// Package core keeps to itself how our side of a swarm decides: it is a state
// machine that is given the messages of peers and the time, and decides what to
// request of whom and when, whom to upload to, whom to trust, and whom to dial. It
// has no goroutine, clock, lock, socket or disk, so that one process can run one of
// them on the network or five hundred in a simulation.
//
// A Core is not safe for concurrent use. Each call may leave Actions, which the
// caller takes and carries out. What a peer is to be sent is kept until the
// caller's connection has room and pulls it: so blocks leave in the order that
// is best at that moment, and what was cancelled never leaves.
//
// Times are durations since a moment of the caller's choice. They never go back.
// The same seed and the same calls give the same run.
package core

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// Config is what a Core needs. The zero value of all but Seed will do.
type Config struct {
	// Seed makes the choices that are random.
	Seed [32]byte
	// Layout is how the content is cut into pieces; zero while it is not known.
	Layout wire.Layout
	// Have are the pieces that are here, as in a bitfield message.
	Have []byte
	// Info is the info dictionary, which peers may ask for; nil while it is not
	// known.
	Info []byte
	// Private swarms tell nobody of their peers and hear of none from them
	// (BEP 27).
	Private bool
	// PeerID is ours.
	PeerID [20]byte
	// Client is our name and Port our listening port, for extended handshakes.
	Client string
	Port   uint16
	// Extensions are those of the caller, by the numbers from wire.ExtOther
	// that peers use towards us. Their messages come as Foreign actions.
	Extensions map[string]uint8
	// Judge tells whether an address that the peer at from told is to be dialed;
	// nil for all.
	Judge func(from, addr netip.AddrPort) bool
	// MaxPeers and MaxDialing bound connections; 0 for the defaults.
	MaxPeers, MaxDialing int
	// Uploads is the number of peers that are uploaded to at once; 0 to go by
	// the line's capacity.
	Uploads int
	// Sequential fetches pieces in their order, not the rarest first.
	Sequential bool
}

// Defaults and bounds.
const (
	defaultPeers   = 80
	defaultDialing = 20
	// ReqQ is how many requests of a peer we keep.
	ReqQ = 2048
)

// ActionKind tells what an Action is.
type ActionKind uint8

// The kinds of actions.
const (
	// Ready: Pull has something for Peer.
	Ready ActionKind = iota
	// Drop: the connection to Peer is to be closed, for Reason. The Core has
	// forgotten the peer already.
	Drop
	// Dial: connect to Addr, then call Connected or DialFailed.
	Dial
	// Verify: all blocks of Piece are written; check it and call Verified.
	Verify
	// CheckInfo: Data may be the info dictionary; check it and call SetInfo or
	// BadInfo.
	CheckInfo
	// Foreign: Peer sent Data by the caller's extension Ext.
	Foreign
	// DHT: Peer has a DHT node on Port.
	DHT
	// Finished: all that is wanted is here.
	Finished
)

// Action is something for the caller to do.
type Action struct {
	Kind   ActionKind
	Peer   *Peer
	Addr   netip.AddrPort
	Piece  int
	Sums   bool // of Verify: sums of the blocks are wanted, also if the piece is good
	Reason string
	Banned bool // of Drop: the peer was convicted of sending bad data
	Ext    uint8
	Port   uint16
	Data   []byte
}

// Core is our side of one swarm.
type Core struct {
	cfg     Config
	now     time.Duration
	rand    *rand.Rand
	layout  wire.Layout
	actions []Action

	peers []*Peer

	// What is here, and what is wanted.
	have     bits
	missing  int // pieces that are wanted and not here
	complete bool
	wanted   []uint8 // priority of each piece; 0 for not wanted

	picker
	readers   readers
	yield     bool // a reader of another swarm waits
	suggester suggester
	choker    choker
	book      book
	pex       gossip
	info      infoExchange
	poison    poison

	nextTick time.Duration
	nextSlow time.Duration
	stats    Stats
}

// Stats are counts since the beginning.
type Stats struct {
	Received  int64 // bytes of blocks
	Wasted    int64 // of these, what was not needed or not asked for
	Sent      int64
	Failed    int // pieces that were wrong
	Convicted int // peers that sent wrong blocks
	Repeated  int // requests made of a second peer
	Expired   int // requests that were given up
}

// New makes our side of a swarm with no peers.
func New(cfg Config) *Core {
	if cfg.MaxPeers == 0 {
		cfg.MaxPeers = defaultPeers
	}
	if cfg.MaxDialing == 0 {
		cfg.MaxDialing = defaultDialing
	}
	c := &Core{cfg: cfg, now: 1, rand: rand.New(rand.NewChaCha8(cfg.Seed))}
	c.book.init()
	c.poison.init()
	c.choker.slots = c.choker.capacity(cfg.Uploads)
	if cfg.Layout.Known() {
		c.learn(cfg.Layout, cfg.Have)
	}
	return c
}

// learn takes the layout of the content.
func (c *Core) learn(l wire.Layout, have []byte) {
	c.layout = l
	c.have = newBits(l.Pieces)
	if wire.CheckBits(have, l.Pieces) == nil {
		copy(c.have, have)
	}
	c.wanted = make([]uint8, l.Pieces)
	for i := range c.wanted {
		c.wanted[i] = Normal
	}
	c.picker.init(l.Pieces, c.rand)
	for _, i := range c.rand.Perm(l.Pieces) {
		if !c.have.has(i) {
			c.missing++
			c.fresh[Normal].add(int32(i), 0)
		}
	}
	c.complete = c.have.count(l.Pieces) == l.Pieces
}

// Priorities of pieces.
const (
	Unwanted uint8 = iota
	Low
	Normal
	High
	levels
)

// Known tells whether the layout of the content is known.
func (c *Core) Known() bool { return c.layout.Known() }

// Has tells whether piece i is here.
func (c *Core) Has(i int) bool { return c.have.has(i) }

// Complete tells whether all pieces are here.
func (c *Core) Complete() bool { return c.complete }

// Missing is the number of pieces that are wanted and not here.
func (c *Core) Missing() int { return c.missing }

// Peers are those connected. The slice is the Core's.
func (c *Core) Peers() []*Peer { return c.peers }

// Stats are the counts.
func (c *Core) Stats() Stats { return c.stats }

// Actions returns what is to be done since it was last called, in that order.
// The slice is valid until the next call of any method.
func (c *Core) Actions() []Action {
	a := c.actions
	c.actions = c.actions[:0]
	return a
}

func (c *Core) act(a Action) { c.actions = append(c.actions, a) }

func (c *Core) enter(now time.Duration) { c.now = max(c.now, now) }

// How often the Core wants to be woken: while blocks are awaited, and else.
const (
	quickTick = 250 * time.Millisecond
	slowTick  = time.Second
	idleTick  = 5 * time.Second
)

// Deadline tells when Wake is to be called next; false when there is nothing
// to wait for.
func (c *Core) Deadline() (time.Duration, bool) {
	if len(c.peers) == 0 {
		return c.soonest()
	}
	if c.asking() {
		return min(c.nextTick, c.nextSlow), true
	}
	return c.nextSlow, true
}

// asking tells whether blocks are awaited or a reader waits.
func (c *Core) asking() bool {
	if len(c.readers.urgent) > 0 {
		return true
	}
	for _, p := range c.peers {
		if len(p.asked) > 0 {
			return true
		}
	}
	return false
}

// Wake does what is due.
func (c *Core) Wake(now time.Duration) {
	c.enter(now)
	if c.now >= c.nextTick {
		c.nextTick = c.now + quickTick
		c.tick()
	}
	if c.now >= c.nextSlow {
		c.nextSlow = c.now + slowTick
		if c.layout.Known() && c.missing == 0 {
			c.nextSlow = c.now + idleTick
		}
		c.upkeep()
	}
}

// tick gives up on requests that stay unanswered, and asks for what that frees.
func (c *Core) tick() {
	for _, p := range c.snapshot() {
		c.expire(p)
	}
	c.reappoint()
	c.rush()
	for _, p := range c.peers {
		c.fill(p)
	}
}

// snapshot is the list of peers for a loop that may drop some of them. There
// is one such loop at a time.
func (c *Core) snapshot() []*Peer {
	c.loop = append(c.loop[:0], c.peers...)
	return c.loop
}

func (c *Core) upkeep() {
	for _, p := range c.snapshot() {
		if p.gone {
			continue
		}
		c.manners(p)
	}
	if c.now >= c.choker.next {
		c.rechoke()
	}
	c.gossip()
	c.askInfo()
	c.connect()
}

// SetPriorities sets how much each piece is wanted. Pieces that are not wanted
// any more are not asked for from now on.
func (c *Core) SetPriorities(now time.Duration, priority []uint8) {
	c.enter(now)
	if len(priority) != len(c.wanted) {
		return
	}
	for i, n := range priority {
		n = min(n, High)
		old := c.wanted[i]
		if old == n {
			continue
		}
		c.wanted[i] = n
		if c.have.has(i) {
			continue
		}
		switch {
		case old == Unwanted:
			c.missing++
			c.worth(i, 1)
		case n == Unwanted:
			c.missing--
			c.worth(i, -1)
		}
		if b := c.begun[i]; b != nil {
			if n == Unwanted {
				c.release(b)
			} else if old == Unwanted {
				c.free += b.free
			}
			if c.begun[i] != nil {
				continue
			}
		}
		c.unlist(i, old)
		c.list(i)
	}
	for _, p := range c.peers {
		c.interest(p)
		c.fill(p)
	}
	c.settle()
}

// worth counts piece i as one more or less that those who have it can give us.
func (c *Core) worth(i, n int) {
	for _, p := range c.peers {
		if p.has(i) {
			p.useful += n
		}
	}
}

// settle tells once that everything wanted is here.
func (c *Core) settle() {
	if c.missing > 0 || !c.layout.Known() || c.finished {
		c.finished = c.finished && c.missing == 0
		return
	}
	c.finished = true
	c.act(Action{Kind: Finished})
	c.announceUploadOnly()
}
