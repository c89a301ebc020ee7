// Package conform keeps to itself how an implementation of package face is tested:
// two networks talk over the IPv6 loopback, and peers of our own making to each of
// them. It tests what the engine relies on, so that one implementation can replace
// another.
package conform

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
	"github.com/shoalnet/shoal/share/storage"
)

// patience is how long a test waits for what must happen; far longer than it
// takes on a slow machine.
const patience = 60 * time.Second

// Test runs every test on networks that New makes.
func Test(t *testing.T, New func(face.Config) face.Network) {
	s := suite{New}
	for name, f := range map[string]func(*testing.T){
		"fetches the whole":                s.whole,
		"goes by priorities":               s.selection,
		"asks first for what is due":       s.deadlines,
		"takes peers at any time":          s.later,
		"is called":                        s.called,
		"wakes what is offered":            s.wakes,
		"serves nothing once detached":     s.detach,
		"takes nothing once detached":      s.detachFetch,
		"verifies and refreshes":           s.verifies,
		"goes on after the disk works":     s.retries,
		"never fetches what is read-only":  s.readOnly,
		"keeps private content to itself":  s.private,
		"tells what peers tell":            s.exchange,
		"refuses what cannot be described": s.refuses,
		"bears hostile peers":              s.hostile,
	} {
		t.Run(name, f)
	}
}

type suite struct {
	New func(face.Config) face.Network
}

// node is a network under test.
type node struct {
	face.Network
	t    *testing.T
	addr netip.AddrPort

	mu    sync.Mutex
	found []netip.AddrPort
	wake  func(context.Context, share.ID)
}

func (s suite) node(t *testing.T) *node {
	t.Helper()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, addr: netip.MustParseAddrPort(l.Addr().String())}
	n.Network = s.New(face.Config{
		Logger: slog.New(slog.DiscardHandler), Client: "conform", Now: time.Now,
		Listeners: []net.Listener{l},
		Policy:    netguard.Policy{AllowPrivate: true}, MaxConns: 100,
		Events: face.Events{
			Found: func(_ share.ID, s share.Source, addrs []netip.AddrPort) {
				if s == share.FromIncoming { // those are nobody's word
					return
				}
				n.mu.Lock()
				defer n.mu.Unlock()
				n.found = append(n.found, addrs...)
			},
			Wake: func(ctx context.Context, id share.ID) {
				n.mu.Lock()
				wake := n.wake
				n.mu.Unlock()
				if wake != nil {
					wake(ctx, id)
				}
			},
		},
	})
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// attach attaches c with d; a change may be made before. It is detached at the
// end, which may be twice.
func (n *node) attach(c content, d *disk, changes ...func(*face.Content)) face.Swarm {
	n.t.Helper()
	fc := face.Content{ID: c.id, Info: c.info, Storage: d, Down: free{}, Up: free{}, Arrived: d.arrival}
	for _, f := range changes {
		f(&fc)
	}
	s, err := n.Attach(fc)
	if err != nil {
		n.t.Fatal(err)
	}
	once := &detachOnce{Swarm: s}
	n.t.Cleanup(once.Detach)
	return once
}

// detachOnce lets tests detach before the end.
type detachOnce struct {
	face.Swarm
	once sync.Once
}

func (d *detachOnce) Detach() { d.once.Do(d.Swarm.Detach) }

func (n *node) peer() []face.Peer { return []face.Peer{{Addr: n.addr, Source: share.FromUser}} }

func all(c content) face.Change {
	return face.Change{From: 0, To: c.pieces(), Was: face.Never, Is: face.Normal}
}

// until waits for what other goroutines bring about.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain for ", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (s suite) whole(t *testing.T) {
	c := newContent(1, 40)
	a, b := s.node(t), s.node(t)
	from, to := c.full(), c.empty()
	seed, fetch := a.attach(c, from), b.attach(c, to)
	// All but one piece at first: two that have all part.
	last := c.pieces() - 1
	fetch.SetPriorities(face.Change{From: 0, To: last, Was: face.Never, Is: face.Normal})
	fetch.AddPeers(a.peer())
	to.await(t, last)
	size := int64(last * pieceLength)
	until(t, "the figures", func() bool { return seed.Figures().Up == size && a.Figures().Up == size })
	if f := fetch.Figures(); f.Down != size || f.Up != 0 || b.Figures().Down != size {
		t.Errorf("fetched %+v, in all %+v", f, b.Figures())
	}
	if f := fetch.Figures(); f.Peers != 1 || f.Seeds != 1 || time.Since(f.LastPeer) > patience {
		t.Errorf("the swarm is %+v", f)
	}
	peers := fetch.Peers()
	if len(peers) != 1 || peers[0].Address != a.addr.String() || peers[0].Incoming || peers[0].Progress != 1 ||
		peers[0].Downloaded != size || peers[0].Source != share.FromUser || peers[0].Client != "conform" {
		t.Errorf("the peers are %+v", peers)
	}
	if peers := seed.Peers(); len(peers) != 1 || !peers[0].Incoming || peers[0].Uploaded != size {
		t.Errorf("the seeder's peers are %+v", peers)
	}
	if !fetch.Connected()[a.addr] {
		t.Error("the address is not known to be connected")
	}
	if open := b.Figures().Open; open != 1 {
		t.Errorf("%d connections", open)
	}
	fetch.SetPriorities(face.Change{From: last, To: last + 1, Was: face.Never, Is: face.Normal})
	to.await(t, c.pieces())
	if !to.holds(c) {
		t.Error("the content differs")
	}
}

func (s suite) selection(t *testing.T) {
	c := newContent(2, 20)
	a, b := s.node(t), s.node(t)
	a.attach(c, c.full())
	to := c.empty()
	fetch := b.attach(c, to)
	fetch.SetPriorities(face.Change{From: 3, To: 6, Was: face.Never, Is: face.High})
	fetch.SetPriorities(face.Change{From: 9, To: 12, Was: face.Never, Is: face.Normal})
	fetch.SetPriorities(face.Change{From: 9, To: 12, Was: face.Normal, Is: face.Never})
	fetch.AddPeers(a.peer())
	to.await(t, 3)
	fetch.SetPriorities(face.Change{From: 15, To: 16, Was: face.Never, Is: face.Normal})
	to.await(t, 4)
	if got := to.written(); !slices.Equal(got, []int{3, 4, 5, 15}) {
		t.Errorf("the pieces %v were fetched", got)
	}
}

func (s suite) deadlines(t *testing.T) {
	c := newContent(3, 64)
	b := s.node(t)
	fetch := b.attach(c, c.empty())
	fetch.SetPriorities(all(c))
	fetch.SetPriorities(face.Change{From: 40, To: 41, Was: face.Normal, Is: face.Now})
	fetch.SetPriorities(face.Change{From: 41, To: 43, Was: face.Normal, Is: face.Soon})
	p := dial(t, b.addr, c.id)
	p.say(message(msgHaveAll), message(msgUnchoke))
	for asked := 0; asked < 3*blocksPerPiece; {
		kind, payload, err := p.read()
		if err != nil {
			t.Fatal(err)
		}
		if kind != msgRequest {
			continue
		}
		piece, begin, length := int(number(payload)), int(number(payload[4:])), int(number(payload[8:]))
		if piece < 40 || piece > 42 || asked == 0 && piece != 40 {
			t.Fatalf("request %d is for piece %d", asked, piece)
		}
		asked++
		p.say(message(msgPiece, payload[:8], c.data[piece*pieceLength+begin:][:length]))
	}
}

func (s suite) later(t *testing.T) {
	c := newContent(4, 20)
	a, b, d := s.node(t), s.node(t), s.node(t)
	half := c.empty()
	for i := range 10 {
		half.give(c, i)
	}
	rest := c.empty()
	for i := 10; i < 20; i++ {
		rest.give(c, i)
	}
	a.attach(c, half)
	d.attach(c, rest)
	to := c.empty()
	fetch := b.attach(c, to)
	fetch.AddPeers(a.peer()) // before anything is wanted of them
	fetch.SetPriorities(all(c))
	to.await(t, 10)
	fetch.AddPeers(d.peer())
	to.await(t, 20)
	if !to.holds(c) {
		t.Error("the content differs")
	}
}

func (s suite) called(t *testing.T) {
	c := newContent(5, 20)
	a, b := s.node(t), s.node(t)
	from := c.full()
	from.give(c, 0)
	seed := a.attach(c, from)
	to := c.empty()
	fetch := b.attach(c, to)
	fetch.SetPriorities(all(c))
	// Who has everything calls nobody; whoever lacks something is called by it.
	seed.AddPeers(b.peer())
	fetch.AddPeers(a.peer())
	to.await(t, c.pieces())
}

func (s suite) wakes(t *testing.T) {
	c := newContent(6, 10)
	a, b := s.node(t), s.node(t)
	asked := make(chan share.ID, 10)
	a.mu.Lock()
	a.wake = func(_ context.Context, id share.ID) {
		asked <- id
		a.attach(c, c.full())
	}
	a.mu.Unlock()
	// What was not offered is not answered.
	if connect(t, a.addr).served(c.id) {
		t.Error("content is served that was never offered")
	}
	if len(asked) > 0 {
		t.Error("content was woken that was never offered")
	}
	a.Offer(c.id)
	to := c.empty()
	fetch := b.attach(c, to)
	fetch.SetPriorities(all(c))
	fetch.AddPeers(a.peer())
	to.await(t, c.pieces())
	if id := <-asked; id != c.id {
		t.Errorf("%v was woken", id)
	}
	a.Withdraw(c.id)
}

func (s suite) detach(t *testing.T) {
	c := newContent(7, 40)
	a, b := s.node(t), s.node(t)
	from, to := c.full(), c.empty()
	few := newFew(20)
	seed := a.attach(c, from, func(fc *face.Content) { fc.Up = few })
	fetch := b.attach(c, to)
	fetch.SetPriorities(all(c))
	fetch.AddPeers(a.peer())
	few.reached(t)
	seed.Detach()
	from.shut()
	until(t, "the end of the connection", func() bool { return fetch.Figures().Peers == 0 })
	if to.complete() == c.pieces() {
		t.Error("everything was served before")
	}
	if from.used() {
		t.Error("the storage was used after the swarm was detached")
	}
	if connect(t, a.addr).served(c.id) {
		t.Error("a peer was served after the swarm was detached")
	}
	// And again.
	from.open()
	a.attach(c, from)
	until(t, "the rest", func() bool {
		fetch.AddPeers(a.peer())
		return to.complete() == c.pieces()
	})
	if !to.holds(c) {
		t.Error("the content differs")
	}
}

func (s suite) detachFetch(t *testing.T) {
	c := newContent(8, 40)
	a, b := s.node(t), s.node(t)
	a.attach(c, c.full())
	to, few := c.empty(), newFew(20)
	fetch := b.attach(c, to, func(fc *face.Content) { fc.Down = few })
	fetch.SetPriorities(all(c))
	fetch.AddPeers(a.peer())
	few.reached(t)
	fetch.Detach()
	to.shut()
	until(t, "the end of the connection", func() bool { return b.Figures().Open == 0 })
	if to.used() {
		t.Error("the storage was used after the swarm was detached")
	}
	to.open()
	fetch = b.attach(c, to)
	fetch.SetPriorities(all(c))
	fetch.AddPeers(a.peer())
	to.await(t, c.pieces())
	if !to.holds(c) {
		t.Error("the content differs")
	}
}

func (s suite) verifies(t *testing.T) {
	c := newContent(9, 8)
	b := s.node(t)
	d := c.full()
	d.doubt(2, 5)
	swarm := b.attach(c, d)
	swarm.Verify(t.Context(), []storage.Span{{From: 2, To: 5}})
	for i := range 8 {
		if known, complete := d.Completion(i); !known || !complete {
			t.Errorf("piece %d: known %v, complete %v", i, known, complete)
		}
	}
	// What the storage has lost is served no more.
	d.lose(3)
	swarm.Refresh([]storage.Span{{From: 3, To: 4}})
	p := dial(t, b.addr, c.id)
	p.say(message(msgInterested), message(msgRequest, u32(3, 0, 16384)))
	p.sync()
	if got := p.got(msgPiece); got {
		t.Error("a lost piece was served")
	}
	if states := swarm.Pieces(); len(states) != 8 {
		t.Errorf("the states are %v", states)
	}
}

func (s suite) retries(t *testing.T) {
	c := newContent(10, 10)
	a, b := s.node(t), s.node(t)
	a.attach(c, c.full())
	to := c.empty()
	to.fail(fmt.Errorf("no space left on device"))
	fetch := b.attach(c, to)
	fetch.SetPriorities(all(c))
	fetch.AddPeers(a.peer())
	to.failed(t)
	to.fail(nil)
	until(t, "the rest", func() bool {
		fetch.Retry()
		fetch.AddPeers(a.peer())
		return to.complete() == c.pieces()
	})
	if !to.holds(c) {
		t.Error("the content differs")
	}
}

func (s suite) readOnly(t *testing.T) {
	c := newContent(11, 10)
	a, b := s.node(t), s.node(t)
	a.attach(c, c.full())
	kept := c.full()
	kept.lose(4)
	swarm := b.attach(c, kept, func(fc *face.Content) { fc.ReadOnly = true })
	swarm.SetPriorities(all(c))
	swarm.Retry()
	p := dial(t, b.addr, c.id)
	p.say(message(msgHaveAll), message(msgUnchoke))
	p.sync()
	if p.got(msgRequest) {
		t.Error("a peer is asked for what is only to be read")
	}
	if got := kept.written(); len(got) > 0 {
		t.Errorf("the pieces %v were written", got)
	}
}

func (s suite) private(t *testing.T) {
	c := newContent(12, 10).asPrivate()
	a := s.node(t)
	a.attach(c, c.full())
	p := dial(t, a.addr, c.id)
	for _, name := range []string{"ut_pex", "ut_holepunch"} {
		if p.offers(name) {
			t.Errorf("%s is offered for private content", name)
		}
	}
	for id := range byte(5) {
		p.say(message(msgExtended, []byte{id + 1}, []byte("d5:added0:6:added618:"), netip.MustParseAddr("2001:db8::1").AsSlice(), []byte{1, 2}, []byte("e")))
	}
	p.sync()
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.found) > 0 {
		t.Errorf("%v are taken for peers of private content", a.found)
	}
}

func (s suite) exchange(t *testing.T) {
	c := newContent(13, 10)
	a := s.node(t)
	a.attach(c, c.full())
	p := dial(t, a.addr, c.id)
	if !p.offers("ut_pex") {
		t.Fatal("peers are not exchanged")
	}
	want := netip.MustParseAddrPort("[2001:db8::1]:258")
	p.say(message(msgExtended, []byte{p.numbers["ut_pex"]}, []byte("d6:added618:"), want.Addr().AsSlice(), []byte{1, 2}, []byte("e")))
	until(t, "the address", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return slices.Contains(a.found, want)
	})
}

func (s suite) refuses(t *testing.T) {
	a := s.node(t)
	for _, info := range []string{
		"", "de", "x",
		"d6:lengthi0e4:name1:f12:piece lengthi16384e6:pieces0:e",
		"d6:lengthi-1e4:name1:f12:piece lengthi16384e6:pieces0:e",
	} {
		if a.Check([]byte(info)) == nil {
			t.Errorf("%q is accepted", info)
		}
	}
	if c := newContent(14, 3); a.Check(c.info) != nil {
		t.Error("sound content is refused")
	}
}

func (s suite) hostile(t *testing.T) {
	c := newContent(15, 20)
	a, b := s.node(t), s.node(t)
	from, to := c.full(), c.empty()
	victims := []struct {
		*node
		*disk
	}{{a, from}, {b, to}}
	for name, say := range Hostile(c.pieces()) {
		t.Run(name, func(t *testing.T) {
			for _, v := range victims { // one seeds, one fetches
				swarm := v.attach(c, v.disk)
				swarm.SetPriorities(all(c))
				p := dial(t, v.addr, c.id)
				for _, m := range say {
					p.say(m)
				}
				p.finish()
				swarm.Detach() // it is then that an implementation checks its books
			}
		})
	}
	a.attach(c, from)
	fetch := b.attach(c, to)
	fetch.SetPriorities(all(c))
	until(t, "the fetch", func() bool {
		fetch.AddPeers(a.peer())
		return to.complete() == c.pieces()
	})
	if !to.holds(c) {
		t.Error("the content differs")
	}
}
