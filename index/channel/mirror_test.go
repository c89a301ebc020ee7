package channel

import (
	"context"
	"fmt"
	"iter"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

// A publisher does not decide over those who mirror the channel. The instance: a
// catalogue of 710 kB had one follower send 71,357 SYNs and 35,875 datagrams in
// 52 s to addresses of the publisher's choice, and start 5,097 transfers.
func TestAMirrorDoesNotFlood(t *testing.T) {
	w := newWorld()
	a := w.join(t, t.TempDir())
	var entries []index.Entry
	for i := range 60 {
		e := thing(i+1, fmt.Sprint("bait ", i))
		e.Bytes = 1
		e.Link = share.Link{
			ID: e.ID, Name: e.Name, Length: 1, Peers: []string{fmt.Sprintf("[2001:db8:%x::1]:22", i)},
			Trackers: []string{"udp://victim.example:53"}, WebSeeds: []string{"http://victim.example/"},
		}.String()
		entries = append(entries, e)
	}
	ch := created(t, a, "films", entries...)
	dir := t.TempDir()
	var passed atomic.Int64
	clock := func(c *Config) { c.Now = func() time.Time { return time.Now().Add(time.Duration(passed.Load())) } }
	b := w.join(t, dir, clock)
	b.mu.Lock()
	b.slowly = true
	b.mu.Unlock()
	const room = 40
	followed(t, b, ch.Link, room<<20)
	count := func(want int, what string) {
		t.Helper()
		c := b.get(ch.ID)
		for range 3 {
			if err := c.mirrorMore(bg); err != nil {
				t.Fatal(err)
			}
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.began) != want {
			t.Fatalf("%s: %d entries were begun, not %d", what, len(b.began), want)
		}
	}
	eventually(t, "the first ones are begun", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.began) > 0
	})
	count(mirrorAtOnce, "at first")
	for _, l := range b.began {
		if len(l.Peers)+len(l.Trackers)+len(l.WebSeeds) > 0 {
			t.Errorf("where the publisher says: %+v", l)
		}
	}
	// One that has arrived makes room for the next, newest first.
	b.mu.Lock()
	delete(b.slow, b.began[0].ID)
	b.mu.Unlock()
	count(mirrorAtOnce+1, "one has arrived")
	if got := b.began[mirrorAtOnce].Name; got != "bait 56" {
		t.Errorf("next was %s", got)
	}
	// So does one that does not arrive at all, up to a number.
	for i := 2; i <= 5; i++ {
		passed.Add(int64(mirrorPatience))
		count(min(mirrorAtOnce*i+1, maxUnfinished+1), "some do not arrive")
	}
	for range 5 {
		passed.Add(int64(mirrorPatience))
		for range 3 {
			if err := b.get(ch.ID).mirrorMore(bg); err != nil {
				t.Fatal(err)
			}
		}
	}
	count(maxUnfinished+1, "none arrive")

	// What waits is known after a restart, and however small, each takes its
	// share of the quota.
	b.mu.Lock()
	clear(b.slow)
	was, has := b.began, b.has
	b.mu.Unlock()
	b.stop()
	b = w.join(t, dir, clock, func(c *Config) {
		s := c.Swarm.(swarmOf)
		s.began, s.has = was, has
	})
	eventually(t, "it goes on after a restart", func() bool {
		if err := b.get(ch.ID).mirrorMore(bg); err != nil {
			t.Fatal(err)
		}
		i := b.List()[0]
		return i.Mirrored == room<<20 && i.Left == 60-room
	})
	count(room, "the quota is used up")
}

// kept is a swarm and a record in memory.
type kept struct {
	has     map[share.ID]bool // complete?
	started map[share.ID]int64
	order   []string
	dir     string
}

func (k *kept) Begin(_ context.Context, l share.Link, dir string, most int64) error {
	k.has[l.ID], k.dir, k.order = false, dir, append(k.order, l.Name)
	return nil
}

func (k *kept) Has(id share.ID) bool { _, ok := k.has[id]; return ok }

func (k *kept) Unfinished(id share.ID) bool { return k.Has(id) && !k.has[id] }

func (k *kept) mirrored(context.Context, index.ChannelID) (map[share.ID]int64, error) {
	return k.started, nil
}

func (k *kept) mirror(_ context.Context, _ index.ChannelID, e share.ID, bytes int64) error {
	k.started[e] = bytes
	return nil
}

// A mirror alone takes the newest entries that fit, and the next when one is done.
func TestAMirrorAlone(t *testing.T) {
	k := &kept{has: map[share.ID]bool{}, started: map[share.ID]int64{}}
	now := time.Unix(1e9, 0)
	m := &mirror{
		swarm: k, started: k, begun: map[share.ID]time.Time{}, now: func() time.Time { return now },
		dir: func(index.ChannelLink) string { return "/films" },
	}
	var entries []index.Entry
	for i := range mirrorAtOnce + 3 {
		e := thing(i+1, fmt.Sprint(i))
		e.Bytes, e.Time = 2*minCharge, now.Add(time.Duration(-i)*time.Hour)
		entries = append(entries, e)
	}
	read := func(_ context.Context, _ share.ID, do func(iter.Seq2[index.Entry, error]) error) (Head, error) {
		return Head{}, do(func(yield func(index.Entry, error) bool) {
			for _, e := range entries {
				if !yield(e, nil) {
					return
				}
			}
		})
	}
	step := func(r row) {
		t.Helper()
		if err := m.step(bg, r, read); err != nil {
			t.Fatal(err)
		}
	}
	step(row{loaded: share.ID{1}})                        // no quota
	step(row{loaded: share.ID{1}, mirror: 99, own: true}) // our own
	if len(k.order) != 0 {
		t.Fatalf("%q were begun", k.order)
	}
	quota := row{loaded: share.ID{1}, mirror: 2 * minCharge * (mirrorAtOnce + 2)}
	step(quota)
	if len(k.order) != mirrorAtOnce || k.order[0] != "0" || !m.waiting() || k.dir != "/films" {
		t.Fatalf("%q were begun in %q, waiting %v", k.order, k.dir, m.waiting())
	}
	k.has[entries[0].ID] = true
	if step(quota); len(k.order) != mirrorAtOnce+1 {
		t.Fatalf("%q were begun after one was complete", k.order)
	}
	now = now.Add(mirrorPatience) // the others do not come
	step(quota)
	taken, left := m.figures()
	if len(k.order) != mirrorAtOnce+2 || m.waiting() || taken != quota.mirror || left != 1 {
		t.Errorf("%q were begun, %d bytes taken, %d did not fit, waiting %v", k.order, taken, left, m.waiting())
	}
}
