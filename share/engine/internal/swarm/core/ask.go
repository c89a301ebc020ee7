package core

import (
	"slices"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// ask is a request that awaits its answer.
type ask struct {
	key
	at time.Duration
}

// What is held against peers that do not answer.
const (
	snubTime     = 60 * time.Second
	muteTime     = 120 * time.Second // nothing at all for so long: dropped
	avoidExpired = 500 * time.Millisecond
	// A request is taken for forgotten after so long if later ones were answered.
	skippedTime = 2 * time.Second
	avoidReject = 10 * time.Second
	maxPast     = 4096
	maxStrikes  = 16
	maxRejects  = 32
	maxFlaps    = 8
)

// room tells how many more requests p may have.
func (c *Core) room(p *Peer) int {
	size := p.window.size
	if p.snubbed(c.now) || p.unreliable() {
		size = 1
	}
	if p.reqq > 0 {
		size = min(size, p.reqq)
	}
	return size - len(p.asked)
}

// fill asks p for as much as it may have.
func (c *Core) fill(p *Peer) {
	if p.gone || !p.interesting || c.missing == 0 || p.chokesUs && p.allowed == nil {
		return
	}
	for room := c.room(p); room > 0; room-- {
		b, n := c.pickUrgent(p)
		if b == nil && c.yield {
			return
		}
		if b == nil {
			b, n = c.pick(p)
		}
		if b == nil {
			b, n = c.pickTwice(p)
		}
		if b == nil {
			return
		}
		c.ask(p, b, n)
	}
}

// ask asks p for block n.
func (c *Core) ask(p *Peer, b *begun, n int) {
	c.occupy(b, n, p)
	k := key{int32(b.piece), int32(n)}
	if p.waits == 0 {
		p.waits = c.now
	}
	p.asked = append(p.asked, ask{k, c.now})
	begin, length := k.span(&c.layout)
	c.send(p, wire.Message{Type: wire.Request, Index: uint32(b.piece), Begin: begin, Length: length})
}

// drain is how long p takes for what it was asked, and n more blocks.
func (c *Core) drain(p *Peer, n int) time.Duration {
	rate := p.down.get(c.now, shortTerm)
	if rate < 1 {
		rate = wire.BlockSize / 4 // not known: slow
		if p.window.age == 0 {
			rate = 4 * wire.BlockSize
		}
	}
	d := time.Duration(float64((len(p.asked)+n)*wire.BlockSize) / rate * float64(time.Second))
	return min(d+p.window.rtt, time.Hour)
}

// pickTwice chooses, when all blocks were asked for, one that another peer will
// be long about: the last that the slowest was asked for.
func (c *Core) pickTwice(p *Peer) (*begun, int) {
	if !c.endgame() {
		return nil, -1
	}
	mine := 2*c.drain(p, 1) + 100*time.Millisecond
	var slowest *Peer
	var longest time.Duration
	for _, q := range c.peers {
		if q == p || len(q.asked) == 0 {
			continue
		}
		d := c.drain(q, 0)
		if since := c.now - q.asked[0].at; since > d {
			d = since // it is not as fast as it was
		}
		if d > mine && d > longest && c.twice(p, q) >= 0 {
			slowest, longest = q, d
		}
	}
	if slowest == nil {
		return nil, -1
	}
	k := slowest.asked[c.twice(p, slowest)].key
	b := c.begun[int(k.piece)]
	if b.blocks[k.block].by[1] != nil {
		// Two are asked and late: this one goes on in the other's place.
		c.unask(slowest, k)
		c.cancel(slowest, k)
		c.vacate(slowest, k)
		slowest.remember(k, c.now+avoidReject)
	}
	c.stats.Repeated++
	return b, int(k.block)
}

// twice is the last of q's requests that p may be asked for as well; -1 for
// none.
func (c *Core) twice(p, q *Peer) int {
	for i := len(q.asked) - 1; i >= 0; i-- {
		k := q.asked[i]
		b := c.begun[int(k.piece)]
		if b == nil || b.solo || !p.may(b.piece) || p.suspect || p.avoids(c.now, b.piece, int(k.block)) || c.wanted[b.piece] == Unwanted {
			continue
		}
		by := b.blocks[k.block].by
		if by[0] != p && by[1] != p && (by[1] == nil || q.window.overdue(c.now-k.at)) {
			return i
		}
	}
	return -1
}

// unask forgets that p was asked for a block. It reports whether it was.
func (c *Core) unask(p *Peer, k key) (ask, bool) {
	i := slices.IndexFunc(p.asked, func(a ask) bool { return a.key == k })
	if i < 0 {
		return ask{}, false
	}
	a := p.asked[i]
	if i == 0 {
		p.asked = p.asked[1:]
	} else {
		p.asked = slices.Delete(p.asked, i, i+1)
	}
	if len(p.asked) == 0 {
		p.asked = p.asked[:0:0]
	}
	return a, true
}

// vacate makes a block that p was asked for free, unless another is asked too.
func (c *Core) vacate(p *Peer, k key) {
	b := c.begun[int(k.piece)]
	if b == nil {
		return
	}
	x := &b.blocks[k.block]
	if x.by[0] == p {
		x.by[0], x.by[1] = x.by[1], nil
	} else if x.by[1] == p {
		x.by[1] = nil
	} else {
		return
	}
	if x.state == asked && x.by[0] == nil {
		c.liberate(b, int(k.block))
	}
	if b.owner == p && !b.solo {
		b.owner = nil
	}
}

// retract takes block n back from all that were asked for it, except one.
func (c *Core) retract(b *begun, n int, except *Peer) {
	k := key{int32(b.piece), int32(n)}
	for _, p := range b.blocks[n].by {
		if p == nil || p == except {
			continue
		}
		if _, was := c.unask(p, k); was {
			c.cancel(p, k)
			c.vacate(p, k)
			c.refill(p)
		}
	}
}

// refill has p asked for more when the current call ends.
func (c *Core) refill(p *Peer) {
	if !p.refill {
		p.refill = true
		c.again = append(c.again, p)
	}
}

// refilled fills those of which something was taken back.
func (c *Core) refilled() {
	for len(c.again) > 0 {
		p := c.again[len(c.again)-1]
		c.again = c.again[:len(c.again)-1]
		p.refill = false
		c.fill(p)
	}
}

// cancel tells p that a block is not wanted of it any more. It may come all the
// same.
func (c *Core) cancel(p *Peer, k key) {
	begin, length := k.span(&c.layout)
	if p.unsend(wire.Request, uint32(k.piece), begin) {
		return
	}
	p.remember(k, c.now)
	c.send(p, wire.Message{Type: wire.Cancel, Index: uint32(k.piece), Begin: begin, Length: length})
}

// dropAsked forgets all that p was asked for.
func (c *Core) dropAsked(p *Peer, avoid time.Duration) {
	for _, a := range p.asked {
		c.vacate(p, a.key)
		p.remember(a.key, c.now+avoid)
	}
	p.asked = nil
	p.own = nil
}

// expire gives up on what p was asked for too long ago.
func (c *Core) expire(p *Peer) {
	if p.gone || len(p.asked) == 0 {
		return
	}
	if !p.chokesUs && c.now-p.waits > muteTime {
		c.drop(p, "it answered no request for two minutes")
		return
	}
	limit := p.window.patience(c.now-p.lastBlock < 2*time.Second)
	if p.chokesUs {
		limit = 5 * time.Second
	}
	expired := 0
	for i := 0; i < len(p.asked); {
		a := p.asked[i]
		patience := limit
		if a.at < p.newest && p.window.age > 0 {
			patience = min(limit, max(skippedTime, 4*p.window.age))
		}
		if c.now-a.at <= patience {
			i++
			continue
		}
		c.unask(p, a.key)
		c.cancel(p, a.key)
		c.vacate(p, a.key)
		p.remember(a.key, c.now+avoidExpired)
		expired++
	}
	if expired > 0 {
		c.stats.Expired += expired
		p.expired += expired
		p.window.unanswered()
	}
}

// unreliable tells whether p leaves many requests unanswered.
func (p *Peer) unreliable() bool { return p.expired >= 4 && p.expired*16 > p.blocks }

// snubbed tells whether p keeps what it was asked for to itself.
func (p *Peer) snubbed(now time.Duration) bool {
	return !p.chokesUs && p.waits != 0 && now-p.waits > snubTime
}

// remember notes that a block may still come although it is not awaited, and
// until when p is not to be asked for it.
func (p *Peer) remember(k key, until time.Duration) {
	if p.past == nil {
		p.past = make(map[key]time.Duration)
	}
	if len(p.past) >= maxPast {
		for k, at := range p.past {
			if until-at > 2*time.Minute {
				delete(p.past, k)
			}
		}
		if len(p.past) >= maxPast {
			return
		}
	}
	p.past[k] = until
}

func (p *Peer) avoids(now time.Duration, piece, n int) bool {
	if len(p.past) == 0 {
		return false
	}
	return p.past[key{int32(piece), int32(n)}] > now
}

// Block takes that p sent a block, and tells whether it is wanted. If so the
// caller writes it and calls Written; else it throws it away.
func (c *Core) Block(now time.Duration, p *Peer, piece, begin, length int) bool {
	c.enter(now)
	if p.gone {
		return false
	}
	defer c.refilled()
	p.heard = c.now
	p.Downloaded += int64(length)
	c.stats.Received += int64(length)
	k := key{int32(piece), int32(begin / wire.BlockSize)}
	whole := c.layout.Known() && piece < c.layout.Pieces && begin%wire.BlockSize == 0 && length == c.layout.BlockLen(piece, int(k.block))
	var a ask
	was := false
	if whole {
		a, was = c.unask(p, k)
	}
	if !was {
		if _, late := p.past[k]; !whole || !late {
			c.stats.Wasted += int64(length)
			c.strike(p, "it sent blocks that nobody asked for")
			return false
		}
		delete(p.past, k)
	}
	p.down.add(c.now, length, shortTerm)
	p.longDown.add(c.now, length, longTerm)
	p.lastBlock, p.rejects, p.flaps = c.now, 0, 0
	if p.waits = 0; len(p.asked) > 0 {
		p.waits = c.now
	}
	p.blocks++
	if was {
		p.newest = max(p.newest, a.at)
		full := len(p.asked)+1 >= p.window.size
		p.window.arrived(c.now-a.at, full, c.readers.waiting)
	}
	b := c.begun[piece]
	if b == nil || b.solo && b.owner != p {
		c.vacate(p, k)
		c.stats.Wasted += int64(length)
		c.fill(p)
		return false
	}
	n := int(k.block)
	x := &b.blocks[n]
	if x.state >= came {
		c.stats.Wasted += int64(length)
		c.fill(p)
		return false
	}
	if x.state == free { // late, and welcome
		b.free--
		if c.wanted[piece] != Unwanted {
			c.free--
		}
	}
	x.state, x.from = came, p
	b.absent--
	b.moved = c.now
	others := x.by[0] != nil && x.by[0] != p || x.by[1] != nil
	if others {
		c.retract(b, n, p)
	}
	x.by = [2]*Peer{}
	c.readers.came(c, b)
	c.fill(p)
	return true
}

// Written takes that a block which was wanted is written; with failed, that it
// could not be.
func (c *Core) Written(now time.Duration, piece, begin int, failed bool) {
	c.enter(now)
	b := c.begun[piece]
	n := begin / wire.BlockSize
	if b == nil || n >= len(b.blocks) || b.blocks[n].state != came {
		return
	}
	if failed {
		b.absent++
		c.liberate(b, n)
		return
	}
	b.blocks[n].state = written
	b.unsafe--
	if b.unsafe == 0 && !b.checking {
		b.checking = true
		c.act(Action{Kind: Verify, Piece: piece, Sums: c.poison.doubts(piece)})
	}
}

// rejected takes that p will not answer a request.
func (c *Core) rejected(p *Peer, m *wire.Message) {
	k := key{int32(m.Index), int32(m.Begin / wire.BlockSize)}
	if _, was := c.unask(p, k); !was {
		if _, late := p.past[k]; late {
			delete(p.past, k)
			return
		}
		c.strike(p, "it rejected what nobody asked for")
		return
	}
	c.vacate(p, k)
	p.remember(k, c.now+avoidReject)
	if b := c.begun[int(k.piece)]; b != nil && b.solo && b.owner == p {
		b.moved = -time.Hour // another is to fetch it
	}
	if p.chokesUs {
		return
	}
	p.window.unanswered()
	if p.rejects++; p.rejects >= maxRejects {
		c.drop(p, "it rejects every request")
		return
	}
}

// strike counts what a confused peer does now and then, and a hostile one all
// the time.
func (c *Core) strike(p *Peer, what string) {
	if p.strikes++; p.strikes >= maxStrikes {
		c.book.idle(c, p)
		c.drop(p, what)
	}
}
