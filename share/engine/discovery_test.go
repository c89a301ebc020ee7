package engine

import (
	"errors"
	"testing"

	"github.com/shoalnet/shoal/share"
)

// Each way of finding peers tells how it went, and those that are off say so.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	f := &finder{err: errors.New("the network is down")}
	a := newNode(t)
	b := newNode(t, func(c *Config) { c.Finders = []Finder{f} })
	shared := a.share(someFiles(t))
	way := func(s share.Source) (w share.Way) {
		all, err := b.Discovery(shared.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, w = range all {
			if w.Source == s {
				return w
			}
		}
		t.Fatalf("nothing is told of %s", s)
		return w
	}

	b.fetch(shared.ID.String(), t.TempDir())
	b.wait(shared.ID, "a search that failed and the time of the next", func(share.Transfer) bool {
		w := way(share.FromLAN)
		return w.Error != "" && !w.Next.IsZero()
	})
	if w := way(share.FromLAN); !w.On || !w.Last.IsZero() || w.Found != 0 {
		t.Errorf("after a failure: %+v", w)
	}
	if w := way(share.FromDHT); w.On {
		t.Errorf("there is no DHT: %+v", w)
	}
	if w := way(share.FromLink); w.On {
		t.Errorf("the link names nobody: %+v", w)
	}
	f.mu.Lock()
	f.err, f.peers = nil, addrs(a.addr.String())
	f.mu.Unlock()
	b.waitState(shared.ID, share.Seeding)
	b.wait(shared.ID, "the end of the search", func(share.Transfer) bool { w := way(share.FromLAN); return !w.Busy && w.Error == "" })
	if w := way(share.FromLAN); w.Found != 1 || w.Last.IsZero() || !w.Next.IsZero() {
		t.Errorf("after it found somebody: %+v", w)
	}
	if _, err := b.Discovery(share.ID{1}); !errors.Is(err, share.ErrUnknown) {
		t.Error(err)
	}
}
