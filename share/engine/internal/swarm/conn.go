package swarm

import (
	"cmp"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/core"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/mse"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
	"github.com/shoalnet/shoal/share/utp"
)

// conn is one connection, with a goroutine that reads and, while there is or was
// just something to send, one that writes.
type conn struct {
	swarm  *Swarm
	stream *mse.Conn
	peer   *core.Peer
	id     ID // that the other end named
	fast   bool
	reader *wire.Reader
	run    run // what was read and is not written

	writing bool          // there is a writer; guarded by the swarm's lock
	wake    chan struct{} // the writer is to pull
	once    sync.Once
	gone    chan struct{}

	// Why the Core ended the connection; guarded by the swarm's lock.
	reason string
	banned bool
}

// rouse has the writer pull. It begins one if there is none. The swarm's lock is
// held.
func (c *conn) rouse() {
	if !c.writing {
		c.writing = c.swarm.node.goes(c.write)
		return
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// end closes the connection; its goroutines return.
func (c *conn) end() {
	c.once.Do(func() {
		close(c.gone)
		c.stream.Close()
	})
}

// drop closes the connection, and keeps why for who tells of it.
func (c *conn) drop(reason string, banned bool) {
	c.reason, c.banned = reason, banned
	c.end()
}

// known tells whether the info dictionary is known.
func (s *Swarm) known() bool { return s.content().Layout.Known() }

// know has messages checked against the content, as far as that is known. It reports
// whether this is the content that the other end named.
func (c *conn) know(content *Content) bool {
	layout := content.Layout
	c.reader.SetLayout(&layout)
	if layout.Known() && content.V2 != nil && content.V2.ID == c.id {
		c.peer.V2 = true
		c.reader.SpeakV2()
	}
	return !layout.Known() || slices.Contains(content.names(), c.id)
}

// Blocks that are kept for a while, and what several are read into, come from pools.
var (
	blocks = sync.Pool{New: func() any { return new([wire.BlockSize]byte) }}
	chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}
)

const (
	// chunkSize is how much of a piece is read and written at once at most.
	chunkSize = 256 << 10
	// A write gets more bytes while it is quick, less while it is slow, so that
	// what is chosen to be sent is chosen late.
	firstBudget = 64 << 10
	mostBudget  = 1 << 20
	quickWrite  = 20 * time.Millisecond
	slowWrite   = 100 * time.Millisecond
	writeTime   = 2 * time.Minute
)

// run begins a connection after its handshake.
func (s *Swarm) run(stream *mse.Conn, h hello, addr netip.AddrPort, outgoing bool) {
	_ = stream.SetDeadline(time.Time{})
	h.v2 = h.v2 && s.known() // else know says so later
	c := &conn{swarm: s, stream: stream, id: h.id, fast: h.fast, wake: make(chan struct{}, 1), gone: make(chan struct{})}
	c.reader = wire.NewReader(stream, wire.ReaderConfig{
		Fast: h.fast, Extended: h.extended, V2: h.v2,
		Refill: c.flush,
	})
	var err error
	s.do(func(k *core.Core, now time.Duration) {
		c.peer, err = k.Connected(now, core.PeerInfo{
			Addr: addr, ID: h.peer, Outgoing: outgoing, Fast: h.fast, Extended: h.extended, V2: h.v2, Encrypted: stream.Encrypted(), UTP: overUTP(stream.Conn), DHTPort: s.node.dhtPort(h),
		})
		if err == nil {
			s.conns[c.peer] = c
			// What the content is may have come known during the handshake.
			if !c.know(s.content()) {
				k.Breach(now, c.peer, otherContent)
			}
		}
	})
	if c.peer == nil {
		stream.Close()
		if err != nil && outgoing {
			s.do(func(k *core.Core, now time.Duration) { k.DialFailed(now, addr) })
		}
		return
	}
	s.tell(Event{Kind: PeerCame, Peer: &Peer{c}, Addr: addr, Outgoing: outgoing})
	// The goroutine of the handshake ends here: its stack has grown, and those of
	// connections that are idle are to be small.
	if !s.node.goes(c.live) {
		c.end()
	}
}

// dhtPort is what a peer that has a DHT node is told of ours; 0 for nothing.
func (n *Node) dhtPort(h hello) uint16 {
	if n.cfg.DHTPort == nil || !h.dht {
		return 0
	}
	return n.cfg.DHTPort()
}

// live reads until the connection ends, and tells the Core.
func (c *conn) live() {
	reason := c.read()
	c.end()
	c.over(reason)
}

// broke tells whether a connection ended since packets did not arrive. What a peer has
// forgotten is reset, too, where uTP is spoken; its own end is another.
func broke(reason error) bool {
	return errors.Is(reason, utp.ErrTimeout) || errors.Is(reason, utp.ErrReset) || errors.Is(reason, syscall.ETIMEDOUT)
}

func (c *conn) over(reason error) {
	s := c.swarm
	s.do(func(k *core.Core, now time.Duration) {
		delete(s.conns, c.peer)
		if reason != nil && wire.IsPeersFault(reason) {
			k.Breach(now, c.peer, reason.Error())
		}
		if errors.Is(reason, io.EOF) || errors.Is(reason, syscall.ECONNRESET) {
			k.Left(now, c.peer)
		}
		if broke(reason) {
			k.Broke(now, c.peer)
		}
		k.Disconnected(now, c.peer)
	})
	s.mu.Lock()
	e := Event{Kind: PeerGone, Peer: &Peer{c}, Addr: c.peer.Addr, Reason: c.reason}
	if c.banned {
		e.Kind = PeerBanned
	}
	s.mu.Unlock()
	if e.Reason == "" && reason != nil {
		e.Reason = reason.Error()
	}
	e.Breach = reason != nil && wire.IsPeersFault(reason)
	s.node.cfg.Logger.Debug("a connection ended", "peer", e.Addr, "reason", e.Reason)
	s.tell(e)
}

// read takes messages until the connection ends.
func (c *conn) read() error {
	defer c.reader.Release()
	var m wire.Message
	for {
		err := c.reader.Read(&m)
		if err == nil {
			err = c.take(&m)
		}
		if err != nil {
			return cmp.Or(c.flush(), err)
		}
	}
}

// take takes one message.
func (c *conn) take(m *wire.Message) error {
	s := c.swarm
	if m.Type != wire.Piece {
		s.do(func(k *core.Core, now time.Duration) { k.Receive(now, c.peer, m) })
		return nil
	}
	if !s.wants(c.peer, int(m.Index), int(m.Begin), m.Block) {
		if err := c.flush(); err != nil {
			return err
		}
		return s.passDown(len(m.Block))
	}
	if c.run.join(int(m.Index), int(m.Begin), m.Block) {
		return nil
	}
	err := c.flush()
	c.run = run{int(m.Index), int(m.Begin), m.Block}
	if err == nil && holds(s.content().Down) {
		return c.flush() // under a limit, each block passes by itself
	}
	return err
}

// run are blocks next to each other in a piece that came together.
type run struct {
	piece, begin int
	b            []byte
}

// join adds a block if it is the next one and there is room.
func (r *run) join(piece, begin int, b []byte) bool {
	if len(r.b) == 0 || piece != r.piece || begin != r.begin+len(r.b) || cap(r.b) < len(r.b)+len(b) {
		return false
	}
	r.b = append(r.b, b...)
	return true
}

// flush writes what came, before more is waited for.
func (c *conn) flush() error {
	r := c.run
	c.run = run{}
	if len(r.b) == 0 {
		return nil
	}
	if err := c.swarm.passDown(len(r.b)); err != nil {
		return err
	}
	c.swarm.store(r.piece, r.begin, r.b)
	return nil
}

// wants tells whether a block that p sent is to be stored.
func (s *Swarm) wants(p *core.Peer, piece, begin int, b []byte) (wanted bool) {
	s.do(func(k *core.Core, now time.Duration) { wanted = k.Block(now, p, piece, begin, len(b)) })
	return wanted
}

// passDown waits until n bytes that came may pass.
func (s *Swarm) passDown(n int) error {
	if !s.pass(s.content().Down, n) {
		return ErrClosed
	}
	return nil
}

// pass waits until n bytes may pass a limit. It reports false when the swarm
// ended first.
func (s *Swarm) pass(l face.Limit, n int) bool {
	return l == nil || l.Wait(n, s.ctx.Done())
}

// linger is how long a writer waits for more before it ends.
const linger = 2 * time.Second

// write sends what the Core has for the peer, until there is nothing for a
// while.
func (c *conn) write() {
	w := writer{conn: c, budget: firstBudget}
	if l, ok := c.stream.Conn.(OnLine); ok {
		w.line = l.Line()
	}
	idle := time.NewTimer(linger)
	defer idle.Stop()
	for {
		any, err := w.turn()
		if err != nil {
			c.end()
			return
		}
		if any {
			continue
		}
		idle.Reset(linger)
		select {
		case <-c.gone:
			return
		case <-c.wake:
		case <-idle.C:
			if c.retire() {
				return
			}
		}
	}
}

// retire ends the writer unless it is to pull. It reports whether.
func (c *conn) retire() bool {
	c.swarm.mu.Lock()
	defer c.swarm.mu.Unlock()
	select {
	case <-c.wake:
		return false
	default:
		c.writing = false
		return true
	}
}

// writer is the state of a connection's writer.
type writer struct {
	conn   *conn
	line   face.Limit // of the connection
	budget int
	unsent int // what the system may keep; 0 is up to it
	out    core.Out
	text   []byte
	parts  net.Buffers
	chunks []*[chunkSize]byte
	spare  []byte // of the last chunk
}

// turn sends what there is, as much as the budget allows. It reports whether
// there was anything.
func (w *writer) turn() (bool, error) {
	c := w.conn
	s := c.swarm
	any, budget := false, w.budget
	held := holds(s.content().Up) || holds(w.line)
	if held {
		budget = wire.BlockSize // each block passes by itself
	}
	s.do(func(k *core.Core, now time.Duration) { any = k.Pull(now, c.peer, budget, &w.out) })
	if !any {
		return false, nil
	}
	w.text, w.parts = w.text[:0], w.parts[:0]
	for i := range w.out.Messages {
		w.text = wire.Append(w.text, &w.out.Messages[i])
	}
	size := len(w.text)
	if size > 0 {
		w.parts = append(w.parts, w.text)
	}
	if held && size > 0 && len(w.out.Blocks) > 0 { // what we ask for does not wait
		if err := w.send(size, 0); err != nil {
			return false, err
		}
		size, w.parts = 0, w.parts[:0]
	}
	content := 0
	for spans := w.out.Blocks; len(spans) > 0; {
		n, length := adjacent(spans)
		for _, b := range spans[:n] {
			if !s.pass(s.content().Up, b.Length) || !s.pass(w.line, b.Length) {
				return false, ErrClosed
			}
		}
		sent, err := w.load(spans[:n], length)
		if err == nil {
			content += length
		} else {
			s.node.cfg.Logger.Warn("reading a piece for a peer", "piece", spans[0].Piece, "error", err)
			piece := spans[0].Piece
			s.do(func(k *core.Core, now time.Duration) { k.Lost(now, piece) })
		}
		size += sent
		spans = spans[n:]
	}
	defer func() {
		for _, b := range w.chunks {
			chunks.Put(b)
		}
		w.chunks, w.spare = w.chunks[:0], nil
	}()
	return true, w.send(size, content)
}

// send writes the parts: size bytes, of which so many are content.
func (w *writer) send(size, content int) error {
	stream := w.conn.stream
	for _, b := range w.parts {
		stream.Seal(b)
	}
	begin := time.Now()
	_ = stream.SetWriteDeadline(begin.Add(writeTime))
	parts := w.parts
	if err := writeAll(stream.Conn, &parts); err != nil {
		return err
	}
	w.conn.swarm.sent.Add(int64(content))
	w.adapt(size, time.Since(begin))
	return nil
}

// OnLine is a connection that shares a line with others: content passes the limit of
// the line; nil is none.
type OnLine interface {
	Line() face.Limit
}

func holds(l face.Limit) bool { return l != nil && l.Holds() }

// Datagrams is a connection that may be over uTP.
type Datagrams interface{ OverUTP() bool }

func overUTP(c net.Conn) bool {
	d, ok := c.(Datagrams)
	return ok && d.OverUTP()
}

// Bounded is a connection that can be told how much of what is written the system may
// keep unsent; 0 leaves that to the system.
type Bounded interface {
	BoundUnsent(bytes int)
}

// adapt chooses, by how long a write took, how much is written at once, and how much
// of it a slow connection may keep: what the system has got cannot be overtaken by
// what a player needs now.
func (w *writer) adapt(size int, took time.Duration) {
	unsent := w.unsent
	switch {
	case took < quickWrite && size >= w.budget:
		w.budget = min(2*w.budget, mostBudget)
		if unsent = 0; w.unsent > 0 && w.budget < mostBudget {
			unsent = w.budget / 2
		}
	case took > slowWrite:
		w.budget = max(w.budget/2, wire.BlockSize)
		unsent = max(w.budget/2, wire.BlockSize)
	}
	if c, ok := w.conn.stream.Conn.(Bounded); ok && unsent != w.unsent {
		c.BoundUnsent(unsent)
	}
	w.unsent = unsent
}

// BuffersWriter is a connection that is not the system's own, and passes several
// buffers on at once all the same.
type BuffersWriter interface {
	WriteBuffers(*net.Buffers) (int64, error)
}

// writeAll writes all parts, at once if the connection can.
func writeAll(c net.Conn, parts *net.Buffers) (err error) {
	if w, ok := c.(BuffersWriter); ok {
		_, err = w.WriteBuffers(parts)
	} else {
		_, err = parts.WriteTo(c)
	}
	return err
}

// adjacent is how many of the spans, from the first, are next to each other in
// the same piece and fit a chunk, and their length.
func adjacent(spans []core.Span) (n, length int) {
	for n < len(spans) && spans[n].Piece == spans[0].Piece && spans[n].Begin == spans[0].Begin+length &&
		length+spans[n].Length+(n+1)*wire.PieceHeader <= chunkSize {
		length += spans[n].Length
		n++
	}
	return n, length
}

// room is memory for n bytes, at most a chunk: what is left of the last chunk, if
// it is enough.
func (w *writer) room(n int) []byte {
	if len(w.spare) < n {
		chunk := chunks.Get().(*[chunkSize]byte)
		w.chunks = append(w.chunks, chunk)
		w.spare = chunk[:]
	}
	b := w.spare[:n:n]
	w.spare = w.spare[n:]
	return b
}

// load reads spans that are adjacent, at once, and lays them out as messages.
// The headers come after the data.
func (w *writer) load(spans []core.Span, length int) (size int, err error) {
	room := w.room(length + len(spans)*wire.PieceHeader)
	first := spans[0]
	if err := w.conn.swarm.read(room[:length], first.Piece, first.Begin); err != nil {
		w.refuse(spans)
		return 0, err
	}
	heads := room[length:length]
	at := 0
	for _, s := range spans {
		from := len(heads)
		heads = wire.AppendPieceHeader(heads, uint32(s.Piece), uint32(s.Begin), uint32(s.Length))
		w.parts = append(w.parts, heads[from:len(heads):len(heads)], room[at:at+s.Length:at+s.Length])
		at += s.Length
		size += s.Length + wire.PieceHeader
	}
	return size, nil
}

// read reads a part of a piece that is to be sent.
func (s *Swarm) read(b []byte, piece, begin int) error {
	if !s.enter() {
		return ErrClosed
	}
	defer s.using.Done()
	// What was asked for behind the end of a piece is zeros.
	data := min(len(b), s.content().Layout.Len(piece)-begin)
	if data <= 0 {
		clear(b)
		return nil
	}
	clear(b[data:])
	b = b[:data]
	n, err := s.content().Storage.ReadAt(b, s.content().at(piece, begin))
	if n == len(b) {
		return nil
	}
	return cmp.Or(err, io.ErrUnexpectedEOF)
}

// at is where a piece, or a part of it, is in the content.
func (c *Content) at(piece, begin int) int64 {
	return int64(piece)*int64(c.Layout.PieceLength) + int64(begin)
}

// refuse rejects what cannot be read.
func (w *writer) refuse(spans []core.Span) {
	if !w.conn.fast {
		return
	}
	var b []byte
	for _, s := range spans {
		b = wire.Append(b, &wire.Message{Type: wire.Reject, Index: uint32(s.Piece), Begin: uint32(s.Begin), Length: uint32(s.Length)})
	}
	w.parts = append(w.parts, b)
}
