package core

import (
	"slices"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// requests decides how much is asked of each peer, and keeps what awaits an
// answer. What to ask for it learns of readers and of the picker.
type requests struct {
	*clock
	*content
	*roster
	*sender
	picker  *picker
	readers *readers

	yield    bool    // a reader of another swarm waits
	halt     bool    // nothing is asked for
	again    []*Peer // those to fill when the current call ends
	repeated int     // requests made of a second peer
	expired  int     // requests that were given up
}

// answering is what one peer is asked, and how it answers.
type answering struct {
	chokesUs  bool
	allowed   bits    // pieces that it gives while it chokes us
	promised  []int32 // these, while the content is not known
	asked     []ask
	past      map[key]time.Duration
	own       *begun
	window    window
	reqq      int
	refill    bool
	down      meter // over a short time
	longDown  meter
	lastBlock time.Duration
	newest    time.Duration // when the latest request was made that it answered
	waits     time.Duration // since when it has answered nothing; 0 if it is asked nothing
	blocks    int           // that it sent when they were wanted
	expired   int           // that it did not send in time
	rejects   int
	flaps     int // times that it choked us without having sent anything
}

// key names a block among all.
type key struct {
	piece int32
	block int32
}

func (k key) span(l *wire.Layout) (begin, length uint32) {
	return uint32(k.block) * wire.BlockSize, uint32(l.BlockLen(int(k.piece), int(k.block)))
}

// ask is a request that awaits its answer.
type ask struct {
	key
	at   time.Duration
	sent int // how many blocks the peer had sent
}

// What is held against peers that do not answer.
const (
	snubTime     = 60 * time.Second
	muteTime     = 120 * time.Second // nothing at all for so long: dropped
	avoidExpired = 500 * time.Millisecond
	// A request is taken for forgotten after so long if later ones were answered.
	skippedTime = 2 * time.Second
	webPatience = 30 * time.Second // several parts come at once from the web
	longestWait = 45 * time.Second // of a request, while others are answered
	avoidReject = 10 * time.Second
	// Of so many requests some are made of a second peer although the first answers.
	lastBlocks  = 32
	answersTime = 5 * time.Second
	maxPast     = 4096
	maxPromised = 32
	maxRejects  = 32
	maxFlaps    = 8
	// Requests that are made together: this part of the window, and at most so many.
	partOfWindow = 16
	mostAtOnce   = 16
)

// early takes, before the content is known, that p gives piece i while it chokes us.
func (*requests) early(p *Peer, i int) {
	if len(p.promised) < maxPromised {
		p.promised = append(p.promised, int32(i))
	}
}

// catchUp takes what early kept, now that the content is known.
func (r *requests) catchUp(p *Peer) {
	for _, i := range p.promised {
		if int(i) < r.layout.Pieces {
			r.allow(p, int(i))
		}
	}
	p.promised = nil
}

// allow takes that p gives piece i while it chokes us.
func (r *requests) allow(p *Peer, i int) {
	if p.allowed == nil {
		p.allowed = newBits(r.layout.Pieces)
	}
	p.allowed.set(i)
}

// most is how many requests p may have.
func (r *requests) most(p *Peer) int {
	size := p.window.size
	if p.snubbed(r.now) || p.unreliable() {
		size = 1
	}
	if p.reqq > 0 {
		size = min(size, p.reqq)
	}
	return size
}

// room tells how many more requests p may have.
func (r *requests) room(p *Peer) int { return r.most(p) - len(p.asked) }

// batch is how many requests are made of p at once when it answers: a write for each
// costs more than the block does. They are a small part of its window, which stays
// as good as full.
func (r *requests) batch(p *Peer) int { return min(max(r.most(p)/partOfWindow, 1), mostAtOnce) }

// fill asks p for as much as it may have.
func (r *requests) fill(p *Peer) {
	if p.gone || r.halt || !p.interesting || r.missing == 0 || p.chokesUs && p.allowed == nil {
		return
	}
	for room := r.room(p); room > 0; room-- {
		b, n := r.readers.pickUrgent(p)
		if b == nil && r.yield {
			return
		}
		if b == nil {
			b, n = r.picker.pick(p)
		}
		if b == nil {
			b, n = r.pickTwice(p)
		}
		if b == nil {
			return
		}
		r.ask(p, b, n)
	}
}

// ask asks p for block n.
func (r *requests) ask(p *Peer, b *begun, n int) {
	if b.blocks[n].state == asked {
		r.repeated++
	}
	r.picker.occupy(b, n, p)
	k := key{int32(b.piece), int32(n)}
	if p.waits == 0 {
		p.waits = r.now
	}
	p.asked = append(p.asked, ask{k, r.now, p.blocks})
	begin, length := k.span(&r.layout)
	r.send(p, wire.Message{Type: wire.Request, Index: uint32(b.piece), Begin: begin, Length: length})
}

// pickTwice chooses, when all blocks were asked for, one that another peer will
// be long about: the last that the slowest was asked for.
func (r *requests) pickTwice(p *Peer) (*begun, int) {
	if !r.picker.endgame() {
		return nil, -1
	}
	mine := 2*p.drain(r.now, 1) + 100*time.Millisecond
	var slowest *Peer
	var longest time.Duration
	open := 0
	for _, q := range r.peers {
		open += len(q.asked)
	}
	for _, q := range r.peers {
		// Those who answer are let answer until little is left: what they have begun
		// to send comes all the same.
		if q == p || len(q.asked) == 0 || open > lastBlocks && r.now-q.lastBlock < answersTime {
			continue
		}
		d := q.drain(r.now, 0)
		if since := r.now - q.asked[0].at; since > d {
			d = since // it is not as fast as it was
		}
		if d > mine && d > longest && r.twice(p, q) >= 0 {
			slowest, longest = q, d
		}
	}
	if slowest == nil {
		return nil, -1
	}
	k := slowest.asked[r.twice(p, slowest)].key
	b := r.picker.begun[int(k.piece)]
	if b.blocks[k.block].by[1] != nil {
		// Two are asked and late: this one goes on in the other's place.
		r.unask(slowest, k)
		r.cancel(slowest, k)
		r.vacate(slowest, k)
		slowest.remember(k, r.now+avoidReject)
	}
	return b, int(k.block)
}

// twice is the last of q's requests that p may be asked for as well; -1 for
// none.
func (r *requests) twice(p, q *Peer) int {
	for i := len(q.asked) - 1; i >= 0; i-- {
		k := q.asked[i]
		b := r.picker.begun[int(k.piece)]
		if b == nil || b.solo || !p.may(b.piece) || p.suspect || p.avoids(r.now, b.piece, int(k.block)) || r.wanted[b.piece] == Unwanted {
			continue
		}
		by := b.blocks[k.block].by
		if by[0] != p && by[1] != p && (by[1] == nil || q.window.overdue(r.now-k.at)) {
			return i
		}
	}
	return -1
}

// unask forgets that p was asked for a block. It reports whether it was.
func (r *requests) unask(p *Peer, k key) (ask, bool) {
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
func (r *requests) vacate(p *Peer, k key) {
	b := r.picker.begun[int(k.piece)]
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
		r.picker.liberate(b, int(k.block))
	}
	if b.owner == p && !b.solo {
		b.owner = nil
	}
}

// retract takes block n back from all that were asked for it, except one.
func (r *requests) retract(b *begun, n int, except *Peer) {
	k := key{int32(b.piece), int32(n)}
	for _, p := range b.blocks[n].by {
		if p == nil || p == except {
			continue
		}
		if _, was := r.unask(p, k); was {
			r.cancel(p, k)
			r.vacate(p, k)
			r.refill(p)
		}
	}
}

// refill has p asked for more when the current call ends.
func (r *requests) refill(p *Peer) {
	if !p.refill {
		p.refill = true
		r.again = append(r.again, p)
	}
}

// refilled fills those of which something was taken back.
func (r *requests) refilled() {
	for len(r.again) > 0 {
		p := r.again[len(r.again)-1]
		r.again = r.again[:len(r.again)-1]
		p.refill = false
		r.fill(p)
	}
}

// cancel tells p that a block is not wanted of it any more. It may come all the
// same.
func (r *requests) cancel(p *Peer, k key) {
	begin, length := k.span(&r.layout)
	if p.unsend(wire.Request, uint32(k.piece), begin) {
		return
	}
	p.remember(k, r.now)
	r.send(p, wire.Message{Type: wire.Cancel, Index: uint32(k.piece), Begin: begin, Length: length})
}

// dropAsked forgets all that p was asked for.
func (r *requests) dropAsked(p *Peer, avoid time.Duration) {
	for _, a := range p.asked {
		r.vacate(p, a.key)
		p.remember(a.key, r.now+avoid)
	}
	p.asked = nil
	p.own = nil
}

// release takes back what is asked of a piece that is not wanted any more.
func (r *requests) release(b *begun) {
	r.picker.free -= b.free
	r.abandon(b)
	if b.absent == len(b.blocks) {
		r.picker.forget(b)
	}
}

// choked takes that p, which did not choke us, does. It reports whether that
// happens all the time with nothing sent in between.
func (r *requests) choked(p *Peer) (loop bool) {
	p.chokesUs, p.waits = true, 0
	if p.lastBlock <= p.since || len(p.asked) > 0 && p.lastBlock <= p.asked[0].at {
		p.flaps++
	}
	if p.flaps >= maxFlaps {
		return true
	}
	if !p.Fast {
		r.dropAsked(p, 0)
		r.refillAll()
		return false
	}
	// With the fast extension each request is still answered or rejected.
	// Pieces of its own are for others to go on with.
	p.own = nil
	for _, a := range p.asked {
		if b := r.picker.begun[int(a.piece)]; b != nil && b.owner == p && !b.solo {
			b.owner = nil
		}
	}
	return false
}

// arrived takes that p sent a block. It reports whether the block is wanted; if
// not, whether it was ever asked for.
func (r *requests) arrived(p *Peer, k key, length int) (wanted, known bool) {
	a, was := r.unask(p, k)
	if !was {
		if _, late := p.past[k]; !late {
			return false, false
		}
		delete(p.past, k)
	}
	p.down.add(r.now, length, shortTerm)
	p.longDown.add(r.now, length, longTerm)
	p.lastBlock, p.rejects, p.flaps = r.now, 0, 0
	if p.waits = 0; len(p.asked) > 0 {
		p.waits = r.now
	}
	p.blocks++
	if was {
		p.newest = max(p.newest, a.at)
		full := len(p.asked)+r.batch(p) >= p.window.size
		p.window.arrived(r.now-a.at, p.blocks-a.sent, full, r.readers.waiting)
	}
	b := r.picker.begun[int(k.piece)]
	if b == nil || b.solo && b.owner != p {
		r.vacate(p, k)
	} else if others, ok := r.picker.came(b, int(k.block), p); ok {
		if others {
			r.retract(b, int(k.block), p)
		}
		b.blocks[k.block].by = [2]*Peer{}
		r.readers.came(b)
		wanted = true
	}
	if r.room(p) >= r.batch(p) {
		r.fill(p)
	}
	return wanted, true
}

// What rejected says of a reject.
const (
	plainReject   = iota
	strayReject   // nobody asked for that
	rejectsAlways // no request of late was answered
)

// rejected takes that p will not answer a request.
func (r *requests) rejected(p *Peer, k key) int {
	if _, was := r.unask(p, k); !was {
		if _, late := p.past[k]; !late {
			return strayReject
		}
		delete(p.past, k)
		return plainReject
	}
	r.vacate(p, k)
	p.remember(k, r.now+avoidReject)
	if b := r.picker.begun[int(k.piece)]; b != nil && b.solo && b.owner == p {
		b.moved = -time.Hour // another is to fetch it
	}
	if p.chokesUs {
		return plainReject
	}
	p.window.unanswered()
	if p.rejects++; p.rejects >= maxRejects {
		return rejectsAlways
	}
	return plainReject
}

// refillAll gives what a lost peer was asked for to others.
func (r *requests) refillAll() {
	if r.missing == 0 {
		return
	}
	for _, p := range r.peers {
		r.refill(p)
	}
}

// fillAll asks all peers for as much as they may have.
func (r *requests) fillAll() {
	for _, p := range r.peers {
		r.fill(p)
	}
}

// setYield tells whether a reader of another swarm waits.
func (r *requests) setYield(yield bool) {
	if r.yield == yield {
		return
	}
	r.yield = yield
	for _, p := range r.peers {
		if yield && !p.gone {
			r.takeBack(p, 1<<61)
		}
		r.fill(p)
	}
	r.refilled()
}

// setHalt tells whether to ask for nothing at all.
func (r *requests) setHalt(halt bool) {
	if r.halt == halt {
		return
	}
	r.halt = halt
	for _, p := range r.peers {
		if halt {
			r.takeBack(p, -1)
		} else {
			r.fill(p)
		}
	}
	r.refilled()
}

// abandon takes back all that is asked of a piece.
func (r *requests) abandon(b *begun) {
	for n := range b.blocks {
		r.retract(b, n, nil)
	}
}

// awaiting tells whether blocks are awaited.
func (r *requests) awaiting() bool {
	for _, p := range r.peers {
		if len(p.asked) > 0 {
			return true
		}
	}
	return false
}

// rush sees to it that what a waiting reader needs comes first: it takes back
// what was asked of the same peers and is due later or never.
func (r *requests) rush() {
	if len(r.readers.all) > 0 {
		r.readers.update()
	}
	if !r.readers.waiting {
		return
	}
	for _, u := range r.readers.urgent {
		if u.by > r.now+soon {
			break
		}
		if b := r.picker.begun[u.piece]; b != nil && b.free == 0 {
			continue // all asked for
		}
		for _, p := range r.peers {
			if p.may(u.piece) && !p.chokesUs {
				r.takeBack(p, u.by)
			}
		}
		break
	}
}

// takeBack cancels what p was asked for that is due later than by.
func (r *requests) takeBack(p *Peer, by time.Duration) {
	for i := len(p.asked) - 1; i >= 0; i-- {
		k := p.asked[i].key
		if r.readers.dueAt(int(k.piece)) <= by {
			continue
		}
		r.unask(p, k)
		r.cancel(p, k)
		r.vacate(p, k)
	}
	p.own = nil
}

// expire gives up on what p was asked for too long ago. It reports whether p
// answers nothing at all.
func (r *requests) expire(p *Peer) (mute bool) {
	if p.gone || len(p.asked) == 0 {
		return false
	}
	if !p.chokesUs && r.now-p.waits > muteTime {
		return true
	}
	limit := p.window.patience(r.now-p.lastBlock < 2*time.Second)
	if p.chokesUs {
		limit = 5 * time.Second
	}
	if p.Web {
		limit = max(limit, webPatience)
	}
	expired := 0
	for i := 0; i < len(p.asked); {
		a := p.asked[i]
		patience := limit
		if a.at < p.newest && p.window.age > 0 && !p.Web {
			patience = min(limit, max(skippedTime, 4*p.window.age))
		}
		// A slow peer answers one after the other: the last of many is not late while
		// others come.
		if r.now-max(a.at, p.lastBlock) <= patience && r.now-a.at <= longestWait {
			i++
			continue
		}
		r.unask(p, a.key)
		r.cancel(p, a.key)
		r.vacate(p, a.key)
		p.remember(a.key, r.now+avoidExpired)
		expired++
	}
	if expired > 0 {
		r.expired += expired
		p.expired += expired
		p.window.unanswered()
	}
	return false
}

// drain is how long p takes for what it was asked, and n more blocks.
func (p *answering) drain(now time.Duration, n int) time.Duration {
	rate := p.down.get(now, shortTerm)
	if rate < 1 {
		rate = wire.BlockSize / 4 // not known: slow
		if p.window.age == 0 {
			rate = 4 * wire.BlockSize
		}
	}
	d := time.Duration(float64((len(p.asked)+n)*wire.BlockSize) / rate * float64(time.Second))
	return min(d+p.window.rtt, time.Hour)
}

// unreliable tells whether p leaves many requests unanswered.
func (p *answering) unreliable() bool { return p.expired >= 4 && p.expired*16 > p.blocks }

// snubbed tells whether p keeps what it was asked for to itself.
func (p *answering) snubbed(now time.Duration) bool {
	return !p.chokesUs && p.waits != 0 && now-p.waits > snubTime
}

// remember notes that a block may still come although it is not awaited, and
// until when p is not to be asked for it.
func (p *answering) remember(k key, until time.Duration) {
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

func (p *answering) avoids(now time.Duration, piece, n int) bool {
	if len(p.past) == 0 {
		return false
	}
	return p.past[key{int32(piece), int32(n)}] > now
}
