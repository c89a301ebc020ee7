package node

import (
	"net"
	"sync"

	"github.com/shoalnet/shoal/share/engine"
)

var _ engine.Web = (*browsers)(nil)

// browsers bring the connections of browsers from the port for peers to the server of the
// web links, whose listener they are. While there is no web link, and was none not long
// ago, they are not open: the port shows nothing then that other BitTorrent clients do not
// show.
type browsers struct {
	ports *ports

	// Set before the engine runs.
	any       func() bool // there are web links, or were some
	serves    func(tls bool) bool
	expecting func() bool // the CA may come, to a port that it tests

	mu     sync.Mutex
	closed bool
	conns  chan net.Conn
}

// waitingBrowsers may wait for the server, which takes each at once and then decides who
// has to go.
const waitingBrowsers = 64

func newBrowsers(p *ports) *browsers {
	return &browsers{ports: p, conns: make(chan net.Conn, waitingBrowsers)}
}

// Open implements engine.Web.
func (b *browsers) Open(tls bool) bool { return b.serves(tls) && b.any() || b.expecting() }

// Serve implements engine.Web.
func (b *browsers) Serve(conn net.Conn, _ bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		select {
		case b.conns <- conn:
			return
		default:
		}
	}
	conn.Close()
}

// Accept implements net.Listener.
func (b *browsers) Accept() (net.Conn, error) {
	conn, ok := <-b.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

// Close implements net.Listener.
func (b *browsers) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	close(b.conns)
	for conn := range b.conns {
		conn.Close()
	}
	return nil
}

// Addr implements net.Listener.
func (b *browsers) Addr() net.Addr { return b.ports.tcp[0].Addr() }
