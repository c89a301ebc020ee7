package edge

import (
	"net/netip"
	"sync"
	"time"
)

// Meter measures the queue of the line while somebody sends. Its methods are safe for
// concurrent use. Make it with New.
type Meter struct {
	begin time.Time
	open  func(answered func(seq uint16)) (*socket, error)

	asking sync.Mutex // guards what follows, and is held while the socket is opened or closed
	socket *socket
	failed time.Time // when it last could not be opened

	mu    sync.Mutex
	ruler ruler
}

// again is when a socket that could not be opened is tried once more.
const again = time.Minute

// New makes a Meter. It has no socket until Ask.
func New() *Meter { return &Meter{begin: time.Now(), open: open} }

// Ask asks a router on the way to a peer, if it is time to. It wants to be called every
// 200 ms while something is sent. urgent says that every answer counts.
func (m *Meter) Ask(to netip.AddrPort, urgent bool) {
	if !to.Addr().Is6() || to.Addr().Is4In6() {
		return
	}
	m.mu.Lock()
	all := m.ruler.next(time.Since(m.begin), urgent)
	m.mu.Unlock()
	if len(all) == 0 {
		return
	}
	m.asking.Lock()
	defer m.asking.Unlock()
	if m.socket == nil {
		if !m.failed.IsZero() && time.Since(m.failed) < again {
			return
		}
		s, err := m.open(m.answered)
		if err != nil {
			m.failed = time.Now()
			return
		}
		m.socket = s
	}
	for _, p := range all {
		m.socket.send(p, to)
	}
}

func (m *Meter) answered(seq uint16) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ruler.answered(time.Since(m.begin), seq)
}

// Look returns what is known of the line.
func (m *Meter) Look() State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ruler.look(time.Since(m.begin))
}

// Rest closes the socket until Ask needs one again. No answer is taken after it.
func (m *Meter) Rest() {
	m.asking.Lock()
	defer m.asking.Unlock()
	if m.socket != nil {
		m.socket.close()
		m.socket = nil
	}
}

// Forget forgets what was measured: it may be another line now.
func (m *Meter) Forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ruler = ruler{}
}
