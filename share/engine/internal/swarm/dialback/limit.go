package dialback

import (
	"net/netip"
	"sync"
	"time"
)

const (
	// The requests in a window from one host, from its /64, and from all hosts. An
	// attempt costs a helper a handshake and three datagrams.
	hostEvery  = 20 * time.Second
	window     = 10 * time.Minute
	perNetwork = 8
	perWindow  = 60
	atOnce     = 8
	maxTracked = 4096
)

// limits bounds how often a helper dials back.
type limits struct {
	now func() time.Time

	mu       sync.Mutex
	hosts    map[netip.Addr]time.Time // of the last call
	networks map[netip.Prefix]int     // calls in this window
	all      int
	began    time.Time // of this window
	running  int
}

// take reports whether a host may be dialled now. Each successful take must be
// followed by done.
func (l *limits) take(a netip.Addr) bool {
	a = a.WithZone("")
	network, err := a.Prefix(64)
	if err != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if since := now.Sub(l.began); since >= window || since < 0 {
		l.began, l.all = now, 0
		l.networks = map[netip.Prefix]int{}
		for h, at := range l.hosts {
			if since := now.Sub(at); since >= hostEvery || since < 0 {
				delete(l.hosts, h)
			}
		}
	}
	if l.hosts == nil {
		l.hosts = map[netip.Addr]time.Time{}
	}
	last, known := l.hosts[a]
	switch {
	case l.running >= atOnce, l.all >= perWindow, l.networks[network] >= perNetwork,
		known && now.Sub(last) < hostEvery && now.Sub(last) >= 0,
		!known && len(l.hosts) >= maxTracked:
		return false
	}
	l.hosts[a] = now
	l.networks[network]++
	l.all++
	l.running++
	return true
}

func (l *limits) done() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
}
