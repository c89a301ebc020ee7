// Package core keeps to itself how our side of a swarm decides: it is a state
// machine that is given the messages of peers and the time, and decides what to
// request of whom and when, whom to upload to, whom to trust, and whom to dial. It
// has no goroutine, clock, lock, socket or disk, so that one process can run one of
// them on the network or five hundred in a simulation. All that it shares with others
// is the node's uplink.
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
	"net/netip"
	"slices"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/uplink"
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
	// Trees describe the content for BEP 52; nil if it is not, or not known.
	Trees *Trees
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
	// TellHeard has addresses that peers tell told as Heard, and not dialed.
	TellHeard bool
	// MaxPeers and MaxDialing bound connections; 0 for the defaults.
	MaxPeers, MaxDialing int
	// Uplink is the place of this swarm on the node's line, which says how many
	// peers are uploaded to at once; nil for a line of its own.
	Uplink *uplink.Place
	// Sequential fetches pieces in their order, not the rarest first.
	Sequential bool
	// WantNothing has no piece wanted at first.
	WantNothing bool
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
	// Dial: connect to Addr, then call Connected, DialFailed or DialLater.
	Dial
	// Verify: all blocks of Piece are written; check it and call Verified.
	Verify
	// CheckInfo: Data may be the info dictionary; check it and call SetInfo or
	// BadInfo.
	CheckInfo
	// Foreign: Peer sent Data by the caller's extension Ext.
	Foreign
	// Met: Peer said which extensions it has, and Seen as which address it sees
	// us; the zero Addr if it did not say.
	Met
	// Heard: Peer told of others at Addrs.
	Heard
	// DHT: Peer has a DHT node on Port.
	DHT
	// Finished: all that is wanted is here.
	Finished
	// HashBlocks: peers want the hashes of the blocks of Piece, which is here; read
	// it and call Hashed.
	HashBlocks
	// MakeLayer: all pieces are here, and nobody can be asked for the piece layer of
	// the file that begins with Piece; compute it, put it in and call Computed.
	MakeLayer
	// Layered: no piece layer is missing any more (BEP 52).
	Layered
	// Fetched: Peer has all of the content, and got some of it here. Client is what it
	// calls itself. It comes once for a connection.
	Fetched
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
	Seen   netip.Addr
	Addrs  []netip.AddrPort
	Client string
}

// Core is our side of one swarm: it hands messages and the time to its parts,
// and tells one part what another one learned. No part knows the Core.
type Core struct {
	*clock
	*content
	*roster
	*sender
	private  bool
	peerID   [20]byte
	maxPeers int
	wantAt   uint8 // how much pieces are wanted at first
	judge    func(from, addr netip.AddrPort) bool
	tells    bool

	poison    *poison
	bans      *bans
	picker    *picker
	holdings  *holdings
	herald    *herald
	readers   *readers
	requests  *requests
	trials    *trials
	suggester *suggester
	uploads   *uploads
	choker    *choker
	ranking   *ranking
	book      *book
	pex       *gossip
	info      *infoExchange
	greeter   *greeter

	// Of BEP 52.
	trees       *trees
	inquiries   *inquiries
	layers      *layerDrafts
	disputes    *disputes
	hashServer  *hashServer
	layersFirst *layersFirst

	nextTick time.Duration
	nextSlow time.Duration
	decideBy time.Duration // see SetInfo; 0 for decided
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
	c := &Core{
		clock: newClock(cfg.Seed), content: &content{}, roster: &roster{}, sender: &sender{},
		private: cfg.Private, peerID: cfg.PeerID, maxPeers: cfg.MaxPeers, judge: cfg.Judge, tells: cfg.TellHeard,
		poison: newPoison(), bans: newBans(), ranking: &ranking{port: cfg.Port},
	}
	c.picker = &picker{clock: c.clock, content: c.content, roster: c.roster, poison: c.poison, sequential: cfg.Sequential}
	c.holdings = &holdings{content: c.content, roster: c.roster, sender: c.sender, picker: c.picker}
	c.herald = &herald{clock: c.clock, content: c.content, roster: c.roster, sender: c.sender}
	c.readers = &readers{clock: c.clock, content: c.content, roster: c.roster, picker: c.picker}
	c.requests = &requests{
		clock: c.clock, content: c.content, roster: c.roster, sender: c.sender, picker: c.picker, readers: c.readers,
	}
	c.trials = &trials{clock: c.clock, content: c.content, roster: c.roster, picker: c.picker, requests: c.requests}
	c.suggester = &suggester{clock: c.clock, content: c.content, roster: c.roster, sender: c.sender, picker: c.picker}
	if cfg.Uplink == nil {
		cfg.Uplink = uplink.New(0).Join()
	}
	c.trees = &trees{}
	c.layersFirst = &layersFirst{clock: c.clock, trees: c.trees}
	c.uploads = &uploads{
		clock: c.clock, content: c.content, sender: c.sender, suggester: c.suggester, layersFirst: c.layersFirst,
		uplink: cfg.Uplink, seed: cfg.Seed,
	}
	c.choker = newChoker(c.clock, c.content, c.roster, cfg.Uplink)
	c.book = newBook(c.clock, c.roster, c.bans, c.ranking, &cfg)
	c.pex = &gossip{clock: c.clock, content: c.content, roster: c.roster, sender: c.sender, private: cfg.Private}
	c.info = &infoExchange{clock: c.clock, content: c.content, roster: c.roster, sender: c.sender, info: cfg.Info}
	c.greeter = &greeter{
		content: c.content, sender: c.sender, client: cfg.Client, port: cfg.Port, private: cfg.Private, extensions: cfg.Extensions,
	}
	c.inquiries = &inquiries{clock: c.clock, roster: c.roster, sender: c.sender}
	c.layers = &layerDrafts{content: c.content, trees: c.trees, inquiries: c.inquiries}
	c.disputes = &disputes{trees: c.trees, inquiries: c.inquiries}
	c.hashServer = &hashServer{clock: c.clock, content: c.content, sender: c.sender, trees: c.trees, layersFirst: c.layersFirst}
	if !cfg.WantNothing {
		c.wantAt = Normal
	}
	c.holdings.undecided = !cfg.Layout.Known()
	if cfg.Layout.Known() {
		c.learn(cfg.Layout, cfg.Have, cfg.Trees)
	}
	return c
}

// learn takes how the content is cut into pieces and described.
func (c *Core) learn(l wire.Layout, have []byte, t *Trees) {
	c.content.learn(l, have, c.wantAt)
	c.trees.learn(t, &l)
	c.layers.begin()
	if t != nil && t.Only {
		c.blind = newBits(l.Pieces)
		c.trees.unchecked(c.blind.set)
	}
	c.picker.init()
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

// Availability is how many copies of the content the connected peers have together: the
// whole part counts those of the rarest piece, the rest is the part of the pieces of
// which there are more. It is 0 while the content is not known.
func (c *Core) Availability() float64 {
	if !c.Known() {
		return 0
	}
	seeds := 0
	for _, p := range c.peers {
		if p.seed {
			seeds++
		}
	}
	return float64(seeds) + c.picker.copies()
}

// Peers are those connected. The slice is the Core's.
func (c *Core) Peers() []*Peer { return c.peers }

// Stats are the counts.
func (c *Core) Stats() Stats {
	s := c.stats
	s.Repeated, s.Expired = c.requests.repeated, c.requests.expired
	return s
}

// Actions returns what is to be done since it was last called, in that order.
// The slice is valid until the next call of any method.
func (c *Core) Actions() []Action {
	a := c.actions
	c.actions = c.actions[:0]
	return a
}

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
		return c.book.soonest(c.nextSlow)
	}
	if len(c.readers.urgent) > 0 || c.requests.awaiting() {
		return c.layersFirst.soonest(min(c.nextTick, c.nextSlow)), true
	}
	return c.layersFirst.soonest(c.nextSlow), true
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
	if c.layersFirst.due() {
		for _, p := range c.peers {
			if len(p.want) > 0 {
				c.rouse(p)
			}
		}
	}
}

// tick gives up on requests that stay unanswered, and asks for what that frees.
func (c *Core) tick() {
	for _, p := range c.snapshot() {
		if c.requests.expire(p) {
			c.drop(p, "it answered no request for two minutes")
		}
	}
	c.stats.Wasted += int64(c.trials.reappoint())
	c.requests.rush()
	c.requests.fillAll()
}

func (c *Core) upkeep() {
	for _, p := range c.snapshot() {
		if !p.gone {
			c.tend(p)
		}
	}
	if c.now >= c.choker.next {
		for _, r := range c.choker.deal(c.uploads.rate()) {
			if r.serve {
				c.uploads.unchoke(r.peer)
			} else {
				c.uploads.choke(r.peer)
			}
		}
	}
	c.herald.tellAll()
	c.pex.tell()
	if c.decideBy != 0 && c.now >= c.decideBy {
		c.decided()
	}
	c.inform()
	c.inquiries.expire()
	c.inquire()
	c.connect()
}

// inform asks for the info dictionary while it is not known. A peer that does not
// bring it gives way to those who have not been asked.
func (c *Core) inform() {
	if c.layout.Known() {
		return
	}
	c.info.ask()
	if p := c.info.useless(); p != nil && c.book.waits() {
		c.book.idle(p)
		c.drop(p, "it does not send the info dictionary")
	}
}

// decided takes that it is known what is wanted.
func (c *Core) decided() {
	c.decideBy, c.holdings.undecided = 0, false
	for _, p := range c.snapshot() {
		c.holdings.interest(p)
	}
	c.settle()
}

// connect dials whom there is room for.
func (c *Core) connect() {
	for _, a := range c.book.call() {
		c.act(Action{Kind: Dial, Addr: a})
	}
}

// AddPeers takes addresses of the swarm from outside.
func (c *Core) AddPeers(now time.Duration, addrs []netip.AddrPort) {
	c.enter(now)
	for _, a := range addrs {
		c.book.learn(a, FromOutside)
	}
	c.connect()
}

// SetSelf tells our own addresses, for the order in which peers are chosen
// (BEP 40).
func (c *Core) SetSelf(addrs []netip.Addr) {
	c.ranking.self = slices.Clone(addrs)
	c.book.moved()
}

// Renew ends the connection to p, which is of no use any more, and dials p anew.
func (c *Core) Renew(now time.Duration, p *Peer) {
	c.enter(now)
	c.drop(p, "our address has changed")
	c.book.again(p.listen)
	c.connect()
}

// DialFailed takes that no connection came of a Dial.
func (c *Core) DialFailed(now time.Duration, a netip.AddrPort) {
	c.enter(now)
	c.book.unreached(a)
}

// DialLater takes that a Dial was not made, since there was no room for it.
func (c *Core) DialLater(now time.Duration, a netip.AddrPort) {
	c.enter(now)
	c.book.later(a)
}

// SetPriorities sets how much the pieces from one on are wanted. Pieces that are
// not wanted any more are not asked for from now on.
func (c *Core) SetPriorities(now time.Duration, from int, priority []uint8) {
	c.enter(now)
	if from < 0 || from+len(priority) > len(c.wanted) {
		return
	}
	for i, n := range priority {
		c.setPriority(from+i, min(n, High))
	}
	c.decideBy, c.holdings.undecided = 0, false
	for _, p := range c.peers {
		c.holdings.interest(p)
		c.requests.fill(p)
	}
	c.layers.sorted = false
	c.settle()
}

func (c *Core) setPriority(i int, n uint8) {
	old := c.wanted[i]
	if old == n {
		return
	}
	if more := c.content.value(i, n); more != 0 {
		c.holdings.worth(i, more)
	}
	if c.have.has(i) {
		return
	}
	if b := c.picker.begun[i]; b != nil && n == Unwanted {
		c.requests.release(b)
	} else {
		c.picker.value(i, old)
	}
}

// SetReaders sets all that is being read. What was asked for that is due later
// is taken back where it would come first.
func (c *Core) SetReaders(now time.Duration, all []Reader) {
	c.enter(now)
	c.readers.set(all)
	c.requests.rush()
	c.requests.fillAll()
	c.requests.refilled()
}

// ReaderWaits tells whether somebody reads here what is due soon and not here.
// The caller then has the other swarms of the node yield.
func (c *Core) ReaderWaits() bool { return c.readers.waiting }

// SetHalt tells whether to ask for nothing at all, and take back what was asked
// for: what comes could not be kept.
func (c *Core) SetHalt(now time.Duration, halt bool) {
	c.enter(now)
	c.requests.setHalt(halt)
}

// Begun calls f for each piece of which something was asked.
func (c *Core) Begun(f func(piece int, checking bool)) {
	for _, b := range c.picker.order {
		f(b.piece, b.checking)
	}
}

// PeerComplete tells whether p has all pieces.
func (c *Core) PeerComplete(p *Peer) bool { return c.peerComplete(p) }

// Send sends a message of one of the caller's extensions. It reports whether p
// has that.
func (c *Core) Send(now time.Duration, p *Peer, name string, payload []byte) bool {
	c.enter(now)
	n := p.ext[name]
	if n == 0 || p.gone {
		return false
	}
	c.send(p, wire.Message{Type: wire.Extended, Ext: n, Payload: payload})
	return true
}

// SetYield tells whether a reader of another swarm of this node waits. Until it
// does not any more nothing is asked for here but what a reader needs, and what
// was asked for is taken back: the line is the reader's.
func (c *Core) SetYield(now time.Duration, yield bool) {
	c.enter(now)
	c.requests.setYield(yield)
}

// settle tells once that everything wanted is here.
func (c *Core) settle() {
	if !c.content.settle() {
		return
	}
	c.act(Action{Kind: Finished})
	c.inquire()
	for _, p := range c.snapshot() {
		if p.Extended && p.ext != nil {
			c.greeter.introduce(p, len(c.info.info))
		}
		c.redundant(p)
	}
}
