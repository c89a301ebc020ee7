package swarm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/core"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// Source is a place that is no peer and has content, such as a web server.
type Source interface {
	// Fetch gets the bytes of the content from an offset up to, not including,
	// to, and hands them to take in their order.
	Fetch(ctx context.Context, from, to int64, take func([]byte) error) error
}

// Why Draw ends, other than by its Source.
var (
	ErrUseless = errors.New("nothing is missing")
	ErrWrong   = errors.New("it sent wrong data")
	ErrMute    = errors.New("it was given up")
)

const (
	// drawAtOnce is how many parts are fetched of one source at a time.
	drawAtOnce = 4
	// A part is not begun while it is shorter, unless few are under way.
	leastPart = 16 * wire.BlockSize
	mostPart  = 4 << 20
	fewParts  = 2
)

// Draw fetches from a source that has the pieces of have, a bit field, until the
// source fails, ctx ends or nothing is missing. It returns why it ended. The Core
// asks the source for blocks as it asks a peer; blocks next to each other are
// fetched as one part.
func (s *Swarm) Draw(ctx context.Context, src Source, have []byte) error {
	d := &drawing{swarm: s, source: src, wake: make(chan struct{}, 1), done: make(chan *part)}
	d.ctx, d.cancel = context.WithCancelCause(ctx)
	defer d.cancel(nil)
	stop := context.AfterFunc(s.ctx, func() { d.cancel(ErrClosed) })
	defer stop()
	s.do(func(c *core.Core, now time.Duration) {
		p, err := c.Connected(now, core.PeerInfo{Web: true})
		if err != nil {
			d.cancel(err)
			return
		}
		d.peer = p
		s.conns[p] = d
		c.Receive(now, p, &wire.Message{Type: wire.Bitfield, Payload: have})
	})
	if d.peer == nil {
		d.cancel(ErrClosed)
		return context.Cause(d.ctx)
	}
	d.run()
	s.do(func(c *core.Core, now time.Duration) {
		delete(s.conns, d.peer)
		c.Disconnected(now, d.peer)
	})
	return context.Cause(d.ctx)
}

// drawing is a source that is being drawn from.
type drawing struct {
	swarm  *Swarm
	source Source
	peer   *core.Peer
	ctx    context.Context
	cancel context.CancelCauseFunc
	wake   chan struct{}

	queue []wanted // asked for, and in no part
	parts []*part  // under way
	done  chan *part
}

// wanted is a block that the Core asked for.
type wanted struct{ piece, begin, length int }

// part is a range of bytes that is being fetched.
type part struct {
	from, to int64
	live     bool // it was not cancelled
	cancel   context.CancelFunc

	mu     sync.Mutex
	blocks []wanted // those to come; of those not wanted any more the length is negative
	failed error
}

func (d *drawing) rouse() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *drawing) drop(reason string, banned bool) {
	switch {
	case banned:
		d.cancel(ErrWrong)
	case d.swarm.core.Complete():
		d.cancel(ErrUseless)
	default:
		d.cancel(fmt.Errorf("%w: %s", ErrMute, reason))
	}
}

func (*drawing) know(*Content) bool { return true }

func (d *drawing) end() { d.cancel(ErrClosed) }

// run does what the Core asks for, until the drawing is cancelled and its parts
// have ended.
func (d *drawing) run() {
	var out core.Out
	over := d.ctx.Done()
	for over != nil || len(d.parts) > 0 {
		if over != nil {
			d.pull(&out)
			d.begin()
		}
		select {
		case <-d.wake:
		case p := <-d.done:
			d.parts = slices.DeleteFunc(d.parts, func(x *part) bool { return x == p })
			if p.failed != nil {
				d.cancel(p.failed)
			}
		case <-over:
			over = nil
		}
	}
}

// pull takes what the Core has for the source.
func (d *drawing) pull(out *core.Out) {
	for any := true; any; {
		any = false
		d.swarm.do(func(c *core.Core, now time.Duration) { any = c.Pull(now, d.peer, 0, out) })
		for i := range out.Messages {
			m := &out.Messages[i]
			b := wanted{int(m.Index), int(m.Begin), int(m.Length)}
			switch m.Type {
			case wire.Request:
				d.want(b)
			case wire.Cancel:
				d.unwant(b)
			}
		}
	}
}

// want takes that a block is asked for. It may be on its way still, although it was
// not wanted for a while.
func (d *drawing) want(b wanted) {
	gone := wanted{b.piece, b.begin, -b.length}
	for _, p := range d.parts {
		p.mu.Lock()
		i := slices.Index(p.blocks, gone)
		if i >= 0 && p.live {
			p.blocks[i] = b
		}
		p.mu.Unlock()
		if i >= 0 && p.live {
			return
		}
	}
	d.queue = append(d.queue, b)
}

// unwant forgets a block. A part of which nothing is wanted any more ends.
func (d *drawing) unwant(b wanted) {
	if i := slices.Index(d.queue, b); i >= 0 {
		d.queue = slices.Delete(d.queue, i, i+1)
		return
	}
	for _, p := range d.parts {
		p.mu.Lock()
		if i := slices.Index(p.blocks, b); i >= 0 {
			p.blocks[i].length = -b.length
			if !slices.ContainsFunc(p.blocks, func(b wanted) bool { return b.length > 0 }) {
				p.live = false
				p.cancel()
			}
		}
		p.mu.Unlock()
	}
}

// begin begins as many parts as there may be.
func (d *drawing) begin() {
	for len(d.queue) > 0 && len(d.parts) < drawAtOnce {
		p := d.next()
		if p.to-p.from < leastPart && len(d.parts) >= fewParts {
			return
		}
		d.queue = slices.DeleteFunc(d.queue, func(b wanted) bool { return slices.Contains(p.blocks, b) })
		d.parts = append(d.parts, p)
		ctx, cancel := context.WithCancel(d.ctx)
		p.cancel = cancel
		ok := d.swarm.node.goes(func() {
			defer cancel()
			if err := d.fetch(ctx, p); err != nil && ctx.Err() == nil {
				p.failed = err
			}
			d.done <- p
		})
		if !ok {
			cancel()
			d.parts = d.parts[:len(d.parts)-1]
			d.cancel(ErrClosed)
			return
		}
	}
}

// next is the part that begins with the block that was asked for first.
func (d *drawing) next() *part {
	at := func(b wanted) int64 { return d.swarm.content().at(b.piece, b.begin) }
	byOffset := make(map[int64]wanted, len(d.queue))
	for _, b := range d.queue {
		byOffset[at(b)] = b
	}
	first := d.queue[0]
	p := &part{from: at(first), to: at(first), live: true}
	for b, ok := first, true; ok && p.to-p.from < mostPart; b, ok = byOffset[p.to] {
		p.blocks = append(p.blocks, b)
		p.to += int64(b.length)
	}
	return p
}

// fetch gets a part, and hands its blocks to the swarm.
func (d *drawing) fetch(ctx context.Context, p *part) error {
	block, n := blocks.Get().(*[wire.BlockSize]byte), 0
	defer func() { blocks.Put(block) }()
	first := func() (b wanted, length int) {
		p.mu.Lock()
		defer p.mu.Unlock()
		b = p.blocks[0]
		return b, max(b.length, -b.length)
	}
	return d.source.Fetch(ctx, p.from, p.to, func(in []byte) error {
		for len(in) > 0 {
			b, length := first()
			m := copy(block[n:length], in)
			in = in[m:]
			if n += m; n < length {
				return nil
			}
			p.mu.Lock()
			p.blocks = p.blocks[1:]
			p.mu.Unlock()
			full := block[:length]
			n = 0
			wanted := d.swarm.wants(d.peer, b.piece, b.begin, full)
			if err := d.swarm.passDown(length); err != nil {
				return err
			}
			if wanted {
				d.swarm.store(b.piece, b.begin, full)
			}
		}
		return nil
	})
}
