package core

import (
	"net/netip"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/limit"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
	"github.com/shoalnet/shoal/index/dht/internal/recent"
)

// remote is what we know of an address. A time is zero if it never happened.
type remote struct {
	sent    time.Duration // last datagram to it
	proven  time.Duration // last time it proved that it receives what we send
	asked   time.Duration // last query from it
	pinged  time.Duration // last ping because of its query
	noItems time.Duration // last time it showed that it does not support BEP 44
	pace    limit.Bucket  // our queries to it
	ours    bool          // its last answer said that it runs this program
	silent  bool          // it did not answer the last query
}

const (
	provenLife  = 10 * time.Minute
	pingedLife  = 30 * time.Second
	noItemsLife = time.Hour
	// sentLife is longer than a firewall remembers UDP.
	sentLife   = 5 * time.Minute
	remotesMax = 8192
	// hostLife is how long at least we remember who wrote first, we or the host, and
	// hostsMax for how many hosts.
	hostLife = 24 * time.Hour
	hostsMax = 16 << 10
)

// remotes are the addresses with which we recently exchanged datagrams. Those that
// only wrote to us are kept separately, so that a flood displaces only strangers.
type remotes struct {
	friends   recent.Map[netip.AddrPort, *remote]
	strangers recent.Map[netip.AddrPort, *remote]

	// Hosts that we wrote to before they wrote to us, such as those that we
	// entered the DHT through, and hosts that wrote first. A host of the former
	// kind says nothing about whether strangers get through, however late it
	// asks and from which port.
	called  recent.Map[netip.AddrPort, struct{}]
	callers recent.Map[netip.AddrPort, struct{}]
}

func newRemotes() *remotes {
	r := new(remotes)
	r.friends.Life, r.friends.Size = provenLife, remotesMax
	r.strangers.Life, r.strangers.Size = sentLife, remotesMax
	r.called.Life, r.called.Size = hostLife, hostsMax
	r.callers.Life, r.callers.Size = hostLife, hostsMax
	return r
}

// hostOf is an address without its port, except where several hosts share one.
func hostOf(addr netip.AddrPort) netip.AddrPort {
	if nodeid.Local(addr.Addr()) {
		return addr
	}
	return netip.AddrPortFrom(addr.Addr(), 0)
}

// calling records that we query addr.
func (r *remotes) calling(now time.Duration, addr netip.AddrPort) {
	host := hostOf(addr)
	if _, ok := r.callers.Get(now, host); !ok {
		r.called.Put(now, host, struct{}{})
	}
}

// friend is the record of an address that we query, or that has proven itself.
func (r *remotes) friend(now time.Duration, addr netip.AddrPort) *remote {
	if f, ok := r.friends.Get(now, addr); ok {
		if now-f.sent > provenLife/2 {
			r.friends.Put(now, addr, f) // keep it
		}
		return f
	}
	f, ok := r.strangers.Get(now, addr)
	if !ok {
		f = new(remote)
	}
	r.friends.Put(now, addr, f)
	return f
}

// asker is the record of an address that queries us. fresh reports that, as far as
// we know, nothing was sent there recently, and that we did not query its host
// before it wrote, or that it was told to query us from another port.
func (r *remotes) asker(now time.Duration, addr netip.AddrPort, told bool) (f *remote, fresh bool) {
	f, ok := r.friends.Get(now, addr)
	if !ok {
		f, ok = r.strangers.Get(now, addr)
	}
	if !ok {
		f = new(remote)
		r.strangers.Put(now, addr, f)
	}
	fresh = (f.sent == 0 || now-f.sent > sentLife) && r.friends.Whole(now) && r.strangers.Whole(now)
	if host := hostOf(addr); fresh && !told {
		if _, called := r.called.Get(now, host); called {
			return f, false
		}
		r.callers.Put(now, host, struct{}{})
	}
	return f, fresh
}

func (f *remote) isProven(now time.Duration) bool {
	return f.proven != 0 && now-f.proven < provenLife
}

// rate is the rate of our queries to it. All of them count together.
func (f *remote) rate() limit.Rate {
	if f.ours {
		return paceRateOurs
	}
	return paceRate
}

// lacksItems reports whether the node does not answer queries about items.
func (f *remote) lacksItems(now time.Duration) bool {
	return f.noItems != 0 && now-f.noItems < noItemsLife
}
