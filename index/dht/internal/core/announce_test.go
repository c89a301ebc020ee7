package core

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha1"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/krpc"
	"github.com/shoalnet/shoal/index/dht/internal/lookup"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
)

func newKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// holder is a node that takes announcements as other programs do: with a token
// that is good for one key.
type holder struct {
	h     *harness
	addr  netip.AddrPort
	id    nodeid.ID
	when  map[nodeid.ID][]time.Duration // announcements taken
	wrong int
	seeds int
}

func (o *holder) token(key nodeid.ID) []byte {
	s := sha1.Sum(append(key[:], o.id[:]...))
	return s[:4]
}

func (o *holder) answer(m *krpc.Message) []byte {
	r := krpc.Reply{TID: m.TID, ID: o.id, To: o.addr}
	switch m.Method {
	case krpc.GetPeers:
		r.Token = o.token(m.Target)
	case krpc.AnnouncePeer:
		if string(m.Token) != string(o.token(m.Target)) {
			o.wrong++
			return krpc.AppendError(nil, m.TID, krpc.CodeProtocol, "invalid token")
		}
		o.when[m.Target] = append(o.when[m.Target], o.h.at)
		if m.Seed {
			o.seeds++
		}
	}
	return otherMake(krpc.AppendReply(nil, &r))
}

// otherMake takes our version out of a datagram.
func otherMake(b []byte) []byte {
	return bytes.Replace(b, []byte("1:v4:SH\x00\x01"), nil, 1)
}

func (h *harness) holders(n int) []*holder {
	var all []*holder
	for i := range n {
		a := stranger(1000 + i)
		o := &holder{h: h, addr: a, id: nodeid.Derive(a.Addr(), h.rand), when: make(map[nodeid.ID][]time.Duration)}
		all = append(all, o)
		h.answer[a] = o.answer
		h.AddContact(h.at, a)
		h.flushFrom(len(h.out) - 1)
		h.run(100 * time.Millisecond)
	}
	h.run(10 * time.Second)
	h.take()
	return all
}

// Nodes whose tokens are good for one key only are told apart and asked for one
// each time.
func TestTokensForOneKey(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.Seeding = func(id nodeid.ID) bool { return id[19]%2 == 0 } })
	all := h.holders(12)
	const keys = 40
	var ids []nodeid.ID
	for range keys {
		ids = append(ids, nodeid.Random(h.rand))
		h.Announce(h.at, ids[len(ids)-1])
	}
	h.run(3 * time.Minute)
	wrong, seeds := 0, 0
	for _, id := range ids {
		n := 0
		for _, o := range all {
			n += min(1, len(o.when[id]))
		}
		if n < 7 {
			t.Errorf("key %v is with %d nodes", id, n)
		}
	}
	for _, o := range all {
		wrong += o.wrong
		seeds += o.seeds
	}
	if wrong > len(all)*groupOpen {
		t.Errorf("%d wrong tokens", wrong)
	}
	if seeds == 0 {
		t.Error("nobody was told that we have all")
	}
	t.Logf("%d tokens were for another key; %+v", wrong, h.Stats(h.at).Announce)
}

// Every key is announced again before it is forgotten, for hours, and no more
// often than needed.
func TestInterval(t *testing.T) {
	h := newHarness(t, nil)
	all := h.holders(10)
	const keys, hours = 50, 6
	for range keys {
		h.Announce(h.at, nodeid.Random(h.rand))
	}
	start := h.at
	for range hours * 60 {
		h.run(time.Minute)
		h.take()
	}
	longest, count, n := time.Duration(0), 0, 0
	for _, o := range all {
		for _, when := range o.when {
			n++
			count += len(when)
			last := start
			for _, w := range append(when, h.at) {
				longest = max(longest, w-last)
				last = w
			}
		}
	}
	mean := hours * time.Hour * time.Duration(n) / time.Duration(count)
	t.Logf("again after %v on average, %v at most", mean.Round(time.Second), longest.Round(time.Second))
	if longest > 30*time.Minute || mean < 8*time.Minute {
		t.Errorf("mean %v, longest %v", mean, longest)
	}
}

// A new share does not wait for the many that are due, nor for those that are to
// be announced from a new address.
func TestNewSharesFirst(t *testing.T) {
	for _, moved := range []bool{false, true} {
		h := newHarness(t, nil)
		all := h.holders(20)
		for range 500 {
			h.Announce(h.at, nodeid.Random(h.rand))
		}
		for h.Stats(h.at).Announce.Waiting > 0 {
			h.run(10 * time.Second)
			h.take()
		}
		if moved {
			h.Moved(h.at)
		}
		for _, k := range h.announce.keys {
			k.due = h.at
		}
		h.run(2 * time.Second)
		id := nodeid.Random(h.rand)
		h.Announce(h.at, id)
		begun, took := h.at, time.Duration(0)
		for h.at-begun < time.Minute && took == 0 {
			h.run(100 * time.Millisecond)
			for _, o := range all {
				if w := o.when[id]; len(w) > 0 {
					took = w[0] - begun
				}
			}
		}
		s := h.Stats(h.at).Announce
		t.Logf("moved %v: announced after %v, with %d waiting", moved, took, s.Waiting)
		if took == 0 || took > 10*time.Second {
			t.Errorf("moved %v: announced after %v", moved, took)
		}
	}
}

func TestWithdraw(t *testing.T) {
	h := newHarness(t, nil)
	all := h.holders(8)
	id := nodeid.Random(h.rand)
	h.Announce(h.at, id)
	h.Announce(h.at, id) // twice is once
	h.run(time.Minute)
	h.Withdraw(id)
	h.Withdraw(id)
	n := len(all[0].when[id])
	for range 60 {
		h.run(time.Minute)
	}
	if n != 1 || len(all[0].when[id]) != n || h.Stats(h.at).Announce.Keys != 0 {
		t.Errorf("announced %d times, then %d", n, len(all[0].when[id])-n)
	}
	// Withdrawn while it is on its way.
	h.Announce(h.at, id)
	h.run(10 * time.Millisecond)
	h.Withdraw(id)
	h.run(time.Hour)
	if s := h.Stats(h.at).Announce; s.Keys != 0 || len(h.announce.jobs) != 0 {
		t.Errorf("%+v, %d jobs", s, len(h.announce.jobs))
	}
}

// Keys given before anybody is known are announced when somebody is.
func TestAnnounceBeforeTheNetwork(t *testing.T) {
	h := newHarness(t, nil)
	id := nodeid.Random(h.rand)
	h.Announce(h.at, id)
	h.run(time.Hour)
	all := h.holders(3)
	h.run(10 * time.Second)
	for _, o := range all {
		if len(o.when[id]) == 0 {
			t.Errorf("%v was not told", o.addr)
		}
	}
}

// Who asks us for what we announce ourselves, and are closest to, is told of us;
// our own search is not.
func TestHoldsItsOwn(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.Port = func() uint16 { return 51413 } })
	h.SetAddresses(h.at, []netip.Addr{local})
	h.holders(3)
	id := nodeid.Random(h.rand)
	h.Announce(h.at, id)
	h.run(time.Minute)
	h.prove(stranger(1))
	q := aQuery(krpc.GetPeers)
	q.Target = id
	want := netip.AddrPortFrom(local, 51413)
	if got := slices.Collect(reply(t, h.ask(stranger(1), q)).Peers); !slices.Equal(got, []netip.AddrPort{want}) {
		t.Errorf("told of %v, want %v", got, want)
	}
	h.GetPeers(id, false, func(got []netip.AddrPort) { t.Errorf("found %v", got) }, func(*lookup.Lookup) {})
	h.flush()
	h.run(time.Minute)
}

// In a network of a few, keys are announced again soon, since others may come;
// and then ever more rarely.
func TestYoungNetwork(t *testing.T) {
	h := newHarness(t, nil)
	all := h.holders(2)
	id := nodeid.Random(h.rand)
	h.Announce(h.at, id)
	h.run(time.Minute)
	if n := len(all[0].when[id]); n < 3 || n > 6 {
		t.Errorf("announced %d times in the first minute", n)
	}
	h.run(time.Hour)
	n := len(all[0].when[id])
	for range 4 {
		h.run(15 * time.Minute)
	}
	if n = len(all[0].when[id]) - n; n > 8 {
		t.Errorf("announced %d times in the third hour", n)
	}
}
