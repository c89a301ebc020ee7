package swarm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/core"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/mse"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/opening"
)

// The handshake: 19 "BitTorrent protocol" reserved[8] ID[20] peer-id[20].
const (
	protocol     = opening.Greeting
	handshakeLen = len(protocol) + 8 + 20 + 20
	shakeTime    = 10 * time.Second
	wakeTime     = shakeTime - 2*time.Second
)

// hello is what a handshake says.
type hello struct {
	id, peer       [20]byte
	fast, extended bool
	dht            bool
	// v2 says that the sender knows the content by BEP 52 as well. Of a handshake
	// that was made it says that both sides do, and name it by the ID of BEP 52.
	v2 bool
}

// hello is our handshake. v2 says that BEP 52 describes the content.
func (n *Node) hello(id ID, v2 bool) []byte {
	b := append(make([]byte, 0, handshakeLen), protocol...)
	flags := byte(0x04) // BEP 6
	if n.cfg.DHTPort != nil {
		flags |= 0x01 // BEP 5
	}
	if v2 {
		flags |= 0x10 // BEP 52
	}
	b = append(b, 0, 0, 0, 0, 0, 0x10, 0, flags) // BEP 10
	b = append(b, id[:]...)
	return append(b, n.cfg.PeerID[:]...)
}

var errNotBitTorrent = errors.New("the other end does not speak BitTorrent in the clear")

func readHello(r io.Reader) (h hello, err error) {
	var b [handshakeLen]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return h, fmt.Errorf("%w: %w", errNotBitTorrent, err)
	}
	if string(b[:len(protocol)]) != protocol {
		return h, errNotBitTorrent
	}
	rest := b[len(protocol):]
	h.extended, h.fast = rest[5]&0x10 != 0, rest[7]&0x04 != 0
	h.dht, h.v2 = rest[7]&0x01 != 0, rest[7]&0x10 != 0
	copy(h.id[:], rest[8:])
	copy(h.peer[:], rest[28:])
	return h, nil
}

// dial connects to addr and makes the handshake: in the clear, and encrypted if
// that is not answered.
func (s *Swarm) dial(addr netip.AddrPort) {
	c, h, err := s.connect(addr, s.node.cfg.Encryption == Require)
	if errors.Is(err, errNotBitTorrent) && s.node.cfg.Encryption == Tolerate && s.ctx.Err() == nil {
		c, h, err = s.connect(addr, true)
	}
	if errors.Is(err, errOtherContent) && s.ctx.Err() == nil {
		// Both may have called at once, each for other content, and met.
		c, h, err = s.connect(addr, s.node.cfg.Encryption == Require)
	}
	if err != nil {
		s.node.cfg.Logger.Debug("connecting to a peer", "peer", addr, "error", err)
		s.do(func(c *core.Core, now time.Duration) {
			if errors.Is(err, face.ErrNotNow) {
				c.DialLater(now, addr)
			} else {
				c.DialFailed(now, addr)
			}
		})
		return
	}
	s.run(c, h, addr, true)
}

func (s *Swarm) connect(addr netip.AddrPort, encrypted bool) (*mse.Conn, hello, error) {
	ctx, cancel := context.WithTimeout(s.ctx, shakeTime)
	defer cancel()
	raw, err := s.node.cfg.Dial(ctx, addr)
	if err != nil {
		return nil, hello{}, err
	}
	stop := context.AfterFunc(s.ctx, func() { raw.Close() })
	defer stop()
	_ = raw.SetDeadline(time.Now().Add(shakeTime))
	c := &mse.Conn{Conn: raw}
	id, v2 := s.ids()
	name := id
	if v2 != (ID{}) && s.byV2.has(addr) {
		name = v2
	}
	ours := s.node.hello(name, v2 != (ID{}))
	if encrypted {
		c, err = mse.Initiate(raw, name, ours, mse.RC4)
	} else {
		_, err = raw.Write(ours)
	}
	var h hello
	if err == nil {
		h, err = readHello(c)
	}
	if err == nil {
		s.node.greeted(raw, h)
	}
	// Who was called by the ID of BEP 3 may answer with the other one: that is how
	// both come to speak BEP 52.
	if err == nil && h.id != id && h.id != v2 && !s.maybe(h) {
		err = errOtherContent
	}
	h.v2 = v2 != (ID{}) && h.id == v2
	if err != nil {
		raw.Close()
		return nil, hello{}, err
	}
	return c, h, nil
}

const otherContent = "the other end speaks of other content"

var errOtherContent = errors.New(otherContent)

// maybe tells whether a handshake may name the content by its ID of BEP 52, which
// cannot be known without the info dictionary. That is checked when it comes.
// qBittorrent 4.5.2 answers so to hosts that spoke BEP 52 before.
func (s *Swarm) maybe(h hello) bool {
	return !s.known() && h.v2 && s.node.swarm(h.id) == nil
}

// Serve takes connections from l until it is closed or the node is.
func (n *Node) Serve(l net.Listener) error {
	stop := context.AfterFunc(n.ctx, func() { l.Close() })
	defer stop()
	wait := 5 * time.Millisecond
	for {
		conn, err := l.Accept()
		if err != nil {
			if n.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			// Out of file descriptors, or such: it may pass.
			n.cfg.Logger.Warn("accepting connections", "error", err)
			select {
			case <-n.ctx.Done():
			case <-time.After(wait):
			}
			wait = min(2*wait, time.Second)
			continue
		}
		wait = 5 * time.Millisecond
		n.Accept(conn)
	}
}

// Accept takes a connection that somebody made to us. It is closed if it is not
// wanted. While there are too many handshakes, Accept waits for one to end: those that
// had to go for this connection need a moment for that.
func (n *Node) Accept(conn net.Conn) {
	if !n.enter() {
		conn.Close()
		return
	}
	if !n.goes(func() { n.welcome(conn) }) {
		<-n.coming
		conn.Close()
	}
}

// enter waits for a place among the handshakes, and reports whether there was one.
func (n *Node) enter() bool {
	select {
	case n.coming <- struct{}{}:
		return true
	default:
	}
	patience := time.NewTimer(shakeTime)
	defer patience.Stop()
	select {
	case n.coming <- struct{}{}:
		return true
	case <-patience.C:
	case <-n.ctx.Done():
	}
	return false
}

func (n *Node) welcome(raw net.Conn) {
	held := true
	leave := func() {
		if held {
			held = false
			<-n.coming
		}
	}
	defer leave()
	stop := context.AfterFunc(n.ctx, func() { raw.Close() })
	defer stop()
	_ = raw.SetDeadline(time.Now().Add(shakeTime))
	c, h, err := n.answer(raw)
	if errors.Is(err, errVisit) {
		return
	}
	s := n.swarm(h.id)
	if err == nil && s == nil {
		err = errors.New("the other end speaks of content that is not here")
	}
	addr, ok := address(raw.RemoteAddr())
	if err == nil && !ok {
		err = errors.New("the other end has no address")
	}
	if err != nil {
		raw.Close()
		n.cfg.Logger.Debug("answering a peer", "peer", raw.RemoteAddr(), "error", err)
		return
	}
	leave()
	s.run(c, h, addr, false)
}

func address(a net.Addr) (netip.AddrPort, bool) {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}, false
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), ap.IsValid()
}

// errVisit tells that a connection is not ours any more.
var errVisit = errors.New("the connection is a browser's")

// answer makes the handshake of the side that was connected to.
func (n *Node) answer(raw net.Conn) (*mse.Conn, hello, error) {
	in := bufio.NewReaderSize(raw, 1<<10)
	kind, err := opening.Read(in)
	if err != nil {
		return nil, hello{}, err
	}
	if (kind == opening.TLS || kind == opening.HTTP) && n.cfg.Visit != nil {
		read, _ := in.Peek(in.Buffered())
		if n.cfg.Visit(raw, kind, read) {
			return nil, hello{}, errVisit
		}
	}
	c := &mse.Conn{Conn: raw}
	var r io.Reader = in
	if kind != opening.BitTorrent {
		methods := mse.RC4 | mse.Clear
		if n.cfg.Encryption == Require {
			methods = mse.RC4
		}
		c, _, err = mse.Receive(raw, in, n.byKey, methods)
		if err != nil {
			return nil, hello{}, err
		}
		r = c
	} else if n.cfg.Encryption == Require {
		return nil, hello{}, errors.New("the other end does not encrypt")
	}
	h, err := readHello(r)
	if err != nil {
		return nil, hello{}, err
	}
	n.greeted(raw, h)
	n.wake(h.id)
	s := n.swarm(h.id)
	if s == nil {
		return nil, h, nil
	}
	if r == in {
		c = mse.Plain(raw, in)
	}
	// Who knows BEP 52 as we do is answered with the ID of BEP 52.
	_, v2 := s.ids()
	name := h.id
	if h.v2 && v2 != (ID{}) {
		name = v2
	}
	h.v2 = name == v2
	ours := n.hello(name, v2 != (ID{}))
	c.Seal(ours)
	if _, err := raw.Write(ours); err != nil {
		return nil, hello{}, err
	}
	return c, h, nil
}

// greeted tells of the handshake of the other end.
func (n *Node) greeted(conn net.Conn, h hello) {
	if n.cfg.Greeted != nil {
		n.cfg.Greeted(conn, h.id, h.peer)
	}
}

// wake has content attached that was offered.
func (n *Node) wake(id ID) {
	n.mu.Lock()
	asleep := n.table.offers[id] && n.table.attached[id] == nil
	n.mu.Unlock()
	if asleep && n.cfg.Wake != nil {
		ctx, cancel := context.WithTimeout(n.ctx, wakeTime)
		defer cancel()
		n.cfg.Wake(ctx, id)
	}
}

// ids are what the content is known by. That of BEP 52 is zeros if there is none.
func (s *Swarm) ids() (id, v2 ID) {
	c := s.content()
	if c.V2 != nil {
		v2 = c.V2.ID
	}
	return c.ID, v2
}
