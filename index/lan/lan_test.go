package lan

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shoalnet/shoal/share"
)

// Two hosts on one link find each other, whoever came first.
func TestTwoHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		a, heardA, stopA := h.host(1, "x").node(t, 1001)
		defer stopA()
		a.Announce(id(1))
		time.Sleep(time.Minute) // long announced
		b, _, stopB := h.host(2, "x").node(t, 1002)
		defer stopB()
		synctest.Wait()
		peers, first := find(t, b, id(1))
		if len(peers) != 1 || peers[0].String() != "[2001:db8::1]:1001" || first > 200*time.Millisecond {
			t.Errorf("found %v after %v", peers, first)
		}
		// The one that has it learns who looked for it.
		if heardA.of(id(1)) != 1 {
			t.Errorf("the other heard %v", heardA.peers)
		}
		// The second time it is known already.
		if _, first = find(t, b, id(1)); first != 0 {
			t.Errorf("found again after %v", first)
		}
		if peers, _ := find(t, b, id(2)); len(peers) != 0 {
			t.Errorf("found %v for what nobody has", peers)
		}
	})
}

// What is announced after a search is told all the same.
func TestLateAnnounce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		a, _, stopA := h.host(1, "x").node(t, 1001)
		defer stopA()
		b, heardB, stopB := h.host(2, "x").node(t, 1002)
		defer stopB()
		if peers, _ := find(t, b, id(1)); len(peers) != 0 {
			t.Errorf("found %v", peers)
		}
		a.Announce(id(1))
		a.Announce(id(2)) // of no interest to b
		time.Sleep(time.Second)
		if heardB.of(id(1)) != 1 || heardB.of(id(2)) != 0 {
			t.Errorf("heard %v", heardB.peers)
		}
		time.Sleep(time.Hour)
		// It is no news again, and b is not interested any more.
		if n := heardB.of(id(1)); n != 1 {
			t.Errorf("heard %d times", n)
		}
	})
}

func TestRegularAnnounces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		a, _, stop := h.host(1, "x").node(t, 1001)
		defer stop()
		for i := range 30 {
			a.Announce(id(i))
			a.Announce(id(i))
		}
		a.Withdraw(id(99))
		time.Sleep(time.Second)
		if sent, times := h.take(); sent != 2 || len(times) != 30 {
			t.Errorf("%d datagrams with %d IDs at first", sent, len(times))
		}
		time.Sleep(time.Hour)
		_, times := h.take()
		for i := range 30 {
			if n := len(times[id(i)]); n < 11 || n > 13 {
				t.Errorf("ID %d was announced %d times in an hour", i, n)
			}
		}
		a.Withdraw(id(0))
		time.Sleep(time.Hour)
		if _, times = h.take(); len(times[id(0)]) != 0 || len(times) != 29 {
			t.Errorf("%d IDs after one was withdrawn", len(times))
		}
	})
}

// Ten thousand IDs keep to the same traffic, and a new one does not queue up
// behind them.
func TestManyIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		a, _, stop := h.host(1, "x").node(t, 1001)
		defer stop()
		const many = 10_000
		for i := range many {
			a.Announce(id(i))
		}
		time.Sleep(10 * time.Second)
		sent, _ := h.take()
		if sent > datagramBurst+10*datagramRate+1 || sent < 10*datagramRate {
			t.Errorf("%d datagrams in ten seconds", sent)
		}
		began := time.Now()
		a.Announce(share.ID{1})
		time.Sleep(5 * time.Second)
		_, times := h.take()
		if at := times[share.ID{1}]; len(at) != 1 || at[0].Sub(began) > 2*time.Second {
			t.Errorf("the new ID was announced %v after", at)
		}
		time.Sleep(announceEvery + announceEvery/10)
		sent, times = h.take()
		if len(times) < many {
			t.Errorf("%d of %d IDs were announced in a round", len(times), many)
		}
		if most := many/maxIDs + many/maxIDs/5; sent > most {
			t.Errorf("%d datagrams in a round", sent)
		}
		// Somebody looks for one of them.
		b, _, stopB := h.host(2, "x").node(t, 1002)
		defer stopB()
		synctest.Wait()
		peers, first := find(t, b, id(77))
		if len(peers) == 0 || first > 2*time.Second {
			t.Errorf("found %v after %v", peers, first)
		}
	})
}

// A crowd with the same content does not answer a newcomer all at once.
func TestCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		for i := range 50 {
			n, _, stop := h.host(i+1, "x").node(t, 1001)
			defer stop()
			n.Announce(id(1))
		}
		time.Sleep(20 * time.Second)
		h.take()
		b, _, stop := h.host(99, "x").node(t, 1002)
		defer stop()
		synctest.Wait()
		peers, _ := find(t, b, id(1))
		if sent, _ := h.take(); len(peers) < enough || sent > 30 {
			t.Errorf("%d answers with %d datagrams", len(peers), sent)
		}
	})
}

// No stranger makes us speak more than we would.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		f := h.host(1, "x")
		a, heard, stop := f.node(t, 1001)
		defer stop()
		a.Announce(id(1))
		time.Sleep(time.Minute)
		h.take()
		for i := range 3000 {
			// A new address each time, and cookies of others.
			from := netip.AddrPortFrom(netip.MustParseAddr(fmt.Sprintf("2001:db8:1::%x", i)), 6771)
			a.receive(message{port: 5, ids: []share.ID{id(1)}, cookie: fmt.Sprint(i)}.bytes(), from)
			if i%10 == 0 {
				time.Sleep(100 * time.Millisecond)
			}
		}
		sent, times := h.take()
		if n := len(times[id(1)]); n > 5 {
			t.Errorf("the ID was announced %d times in half a minute, by %d datagrams", n, sent)
		}
		a.mu.Lock()
		if len(a.limits) > maxSources || a.heard.total > maxHeard || len(a.heard.byID[id(1)]) > maxOfID {
			t.Errorf("%d sources, %d heard, %d of one ID", len(a.limits), a.heard.total, len(a.heard.byID[id(1)]))
		}
		a.mu.Unlock()
		if n := heard.of(id(1)); n > maxSources {
			t.Errorf("%d peers were told", n)
		}

		// One address with endless IDs.
		from := netip.MustParseAddrPort("[2001:db8:2::1]:6771")
		time.Sleep(5 * time.Minute)
		for i := range 100_000 {
			a.receive(message{port: 5, ids: []share.ID{{0xbb, byte(i >> 16), byte(i >> 8), byte(i)}}}.bytes(), from)
		}
		a.mu.Lock()
		if a.heard.byPeer[from.Addr()] > sourceBurst {
			t.Errorf("%d IDs of one address", a.heard.byPeer[from.Addr()])
		}
		a.mu.Unlock()
	})
}

func TestMemoryIsBounded(t *testing.T) {
	m := newMemory()
	now := time.Now()
	n := 0
	for p := range 20 {
		peer := netip.AddrPortFrom(netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", p)), 1)
		for i := range 6000 {
			m.add(share.ID{byte(p), byte(i >> 8), byte(i)}, peer, now)
			n++
		}
	}
	if m.total > maxHeard || m.byPeer[netip.MustParseAddr("2001:db8::")] > maxOfPeer {
		t.Errorf("%d of %d are remembered", m.total, n)
	}
	m.sweep(now.Add(2 * rememberFor))
	if m.total != 0 || len(m.byID) != 0 || len(m.byPeer) != 0 {
		t.Errorf("%d remembered for ever, %d IDs, %d peers", m.total, len(m.byID), len(m.byPeer))
	}
}

// Interfaces come and go.
func TestInterfacesAreFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		f := h.host(1)
		a, _, stop := f.node(t, 1001)
		defer stop()
		a.Announce(id(1))
		time.Sleep(time.Minute)
		if sent, _ := h.take(); sent != 0 {
			t.Errorf("%d datagrams without a network", sent)
		}
		f.setLinks("x")
		time.Sleep(lookEvery + time.Second)
		if sent, _ := h.take(); sent != 1 {
			t.Errorf("%d datagrams after the first came", sent)
		}
		f.setLinks("x", "y")
		b, _, stopB := h.host(2, "y").node(t, 1002)
		defer stopB()
		time.Sleep(lookEvery + time.Second)
		if peers, _ := find(t, b, id(1)); len(peers) == 0 {
			t.Error("not found on the second network")
		}
		f.setLinks("y")
		time.Sleep(lookEvery + time.Second)
		f.mu.Lock()
		if f.joined["x"] || !f.joined["y"] {
			t.Errorf("joined %v", f.joined)
		}
		f.mu.Unlock()
	})
}

// Who has another address says so: others know only the one before.
func TestNewAddressIsAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		f := h.host(1, "x=fe80::1")
		a, _, stop := f.node(t, 1001)
		defer stop()
		a.Announce(id(1))
		time.Sleep(time.Minute)
		h.take()
		f.setLinks("x=fe80::1 2001:db8::1")
		time.Sleep(lookEvery + time.Second)
		if sent, _ := h.take(); sent != 1 {
			t.Errorf("%d datagrams after an address came", sent)
		}
		time.Sleep(time.Minute)
		if sent, _ := h.take(); sent != 0 {
			t.Errorf("%d datagrams although nothing changed", sent)
		}
	})
}

func TestChangedIsHeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		f := h.host(1)
		changed := make(chan struct{})
		n, err := New(Config{Logger: slog.New(slog.DiscardHandler), Port: func() uint16 { return 1 }, Changed: changed})
		if err != nil {
			t.Fatal(err)
		}
		n.open = func() (socket, error) { return f, nil }
		n.interfaces = f.interfaces
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- n.Run(ctx) }()
		n.Announce(id(1))
		synctest.Wait()
		f.setLinks("x")
		changed <- struct{}{}
		time.Sleep(2 * time.Second)
		if sent, _ := h.take(); sent != 1 {
			t.Errorf("%d datagrams", sent)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestNothingWithoutAPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		a, _, stopA := h.host(1, "x").node(t, 0)
		defer stopA()
		a.Announce(id(1))
		synctest.Wait()
		b, _, stopB := h.host(2, "x").node(t, 1002)
		defer stopB()
		b.Announce(id(2))
		if peers, _ := find(t, a, id(2)); len(peers) != 1 {
			t.Errorf("without a port of its own it finds %v", peers)
		}
		time.Sleep(time.Minute)
		if _, times := h.take(); len(times[id(1)]) != 0 {
			t.Error("announced without a port")
		}
	})
}

func TestFindEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, _, stop := newHub().host(1, "x").node(t, 1)
		defer stop()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := n.Find(ctx, id(1), func([]netip.AddrPort) {}); err != nil || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		if len(n.searches) != 0 {
			t.Errorf("%d searches are left", len(n.searches))
		}
	})
}

func TestSourcesThatCannotBeDialled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, heard, stop := newHub().host(1, "x").node(t, 1001)
		defer stop()
		a.Announce(id(1))
		b := message{port: 5, ids: []share.ID{id(1)}}.bytes()
		for _, from := range []string{"[ff02::1]:6771", "[::]:6771", "[::ffff:1.2.3.4]:6771", "1.2.3.4:6771"} {
			a.receive(b, netip.MustParseAddrPort(from))
		}
		if n := heard.of(id(1)); n != 0 {
			t.Errorf("%d peers", n)
		}
		a.receive(b, netip.MustParseAddrPort("[fe80::1%x]:6771"))
		if n := heard.of(id(1)); n != 1 || heard.peers[id(1)][0].String() != "[fe80::1%x]:5" {
			t.Errorf("peers %v", heard.peers)
		}
		// Our own announce comes back to us.
		a.receive(message{port: 1001, ids: []share.ID{id(1)}, cookie: a.cookie}.bytes(), netip.MustParseAddrPort("[fe80::2%x]:6771"))
		if n := heard.of(id(1)); n != 1 {
			t.Errorf("peers %v", heard.peers)
		}
	})
}

func TestMessage(t *testing.T) {
	m := message{port: 6881, cookie: "abc"}
	for i := range maxIDs {
		m.ids = append(m.ids, id(i))
	}
	b := m.bytes()
	if len(b) > maxSend {
		t.Errorf("%d bytes", len(b))
	}
	got, err := parse(b)
	if err != nil || fmt.Sprint(got) != fmt.Sprint(m) {
		t.Errorf("%+v, %v", got, err)
	}
	want := "BT-SEARCH * HTTP/1.1\r\nHost: [ff15::efc0:988f]:6771\r\nPort: 5\r\n" +
		"Infohash: aa00010000000000000000000000000000000000\r\ncookie: xyz\r\n\r\n\r\n"
	if got := (message{port: 5, ids: []share.ID{id(1)}, cookie: "xyz"}).bytes(); string(got) != want {
		t.Errorf("%q", got)
	}
}

func TestParse(t *testing.T) {
	const hash = "Infohash: aa00010000000000000000000000000000000000\r\n"
	rows := []struct {
		name, in string
		ids      int // 0: refused
	}{
		{"plain", "BT-SEARCH * HTTP/1.1\r\nPort: 5\r\n" + hash + "\r\n\r\n", 1},
		{"other case and order", "BT-SEARCH * HTTP/1.1\r\nCOOKIE: x\r\ninfohash: AA00010000000000000000000000000000000000\r\nX-New: y:z\r\nport:5\r\n\r\n\r\n", 1},
		{"line feeds only", "BT-SEARCH * HTTP/1.0\nPort: 5\nInfohash: aa00010000000000000000000000000000000000\n\n", 1},
		{"cut off at the end", "BT-SEARCH * HTTP/1.1\r\nPort: 5\r\n" + hash, 1},
		{"the same twice", "BT-SEARCH * HTTP/1.1\r\nPort: 5\r\n" + hash + hash + "\r\n\r\n", 1},
		{"empty", "", 0},
		{"other method", "M-SEARCH * HTTP/1.1\r\nPort: 5\r\n" + hash + "\r\n", 0},
		{"no port", "BT-SEARCH * HTTP/1.1\r\n" + hash + "\r\n", 0},
		{"no hash", "BT-SEARCH * HTTP/1.1\r\nPort: 5\r\n\r\n", 0},
		{"port 0", "BT-SEARCH * HTTP/1.1\r\nPort: 0\r\n" + hash + "\r\n", 0},
		{"port too high", "BT-SEARCH * HTTP/1.1\r\nPort: 65536\r\n" + hash + "\r\n", 0},
		{"port negative", "BT-SEARCH * HTTP/1.1\r\nPort: -1\r\n" + hash + "\r\n", 0},
		{"two ports", "BT-SEARCH * HTTP/1.1\r\nPort: 5\r\nPort: 6\r\n" + hash + "\r\n", 0},
		{"short hash", "BT-SEARCH * HTTP/1.1\r\nPort: 5\r\nInfohash: aa\r\n\r\n", 0},
		{"empty hash", "BT-SEARCH * HTTP/1.1\r\nPort: 5\r\nInfohash:\r\n\r\n", 0},
		{"no hex", "BT-SEARCH * HTTP/1.1\r\nPort: 5\r\nInfohash: zz00010000000000000000000000000000000000\r\n\r\n", 0},
		{"one of two bad", "BT-SEARCH * HTTP/1.1\r\nPort: 5\r\n" + hash + "Infohash: x\r\n\r\n", 0},
		{"no colon", "BT-SEARCH * HTTP/1.1\r\nPort: 5\r\n" + hash + "nonsense\r\n\r\n", 0},
		{"long cookie", "BT-SEARCH * HTTP/1.1\r\nPort: 5\r\n" + hash + "cookie: " + string(bytes.Repeat([]byte("x"), 65)) + "\r\n\r\n", 0},
		{"many headers", "BT-SEARCH * HTTP/1.1\r\nPort: 5\r\n" + hash + string(bytes.Repeat([]byte("a:b\r\n"), 90)) + "\r\n", 0},
		{"too long", "BT-SEARCH * HTTP/1.1\r\nPort: 5\r\n" + hash + "a:" + string(bytes.Repeat([]byte("x"), maxReceive)) + "\r\n\r\n", 0},
	}
	for _, r := range rows {
		m, err := parse([]byte(r.in))
		if (err == nil) != (r.ids > 0) || len(m.ids) != r.ids {
			t.Errorf("%s: %+v, %v", r.name, m, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(message{port: 6881, ids: []share.ID{{1}, {2}}, cookie: "abc"}.bytes())
	f.Add([]byte("BT-SEARCH * HTTP/1.1\r\nHost: x\r\nPort: 3333\r\nInfohash: 123\r\n\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parse(b)
		if err != nil {
			return
		}
		if m.port == 0 || len(m.ids) == 0 || len(m.ids) > maxLines || len(m.cookie) > maxCookie {
			t.Errorf("%+v", m)
		}
		if len(m.ids) > maxIDs {
			return
		}
		if again, err := parse(m.bytes()); err != nil || fmt.Sprint(again.ids) != fmt.Sprint(m.ids) || again.port != m.port {
			t.Errorf("%+v became %+v, %v", m, again, err)
		}
	})
}

// Searches of many IDs that never return keep a bounded number of them.
func TestTheOutboxIsBounded(t *testing.T) {
	o := newOutbox()
	now := time.Unix(1e9, 0)
	for n := range 3 * (maxSoon + maxIdle) {
		o.ask(share.ID{byte(n >> 16), byte(n >> 8), byte(n)}, now)
	}
	if len(o.entries) > maxSoon+maxIdle+1 || len(o.soon) > maxSoon {
		t.Errorf("%d entries are kept, %d of them to be sent soon", len(o.entries), len(o.soon))
	}
}

// An ID that is added again after a short time is not announced at once: the
// network has heard of it.
func TestAnIDAddedAgainWaitsForItsTurn(t *testing.T) {
	o := newOutbox()
	now := time.Unix(1e9, 0)
	o.add(id(1), now)
	o.add(id(1), now)
	if now = now.Add(gather); len(o.take(now)) != 1 {
		t.Fatal("a new ID was not announced")
	}
	o.remove(id(1))
	o.remove(id(1))
	o.add(id(1), now)
	now = now.Add(announceEvery / 2)
	if got := o.take(now); len(got) != 0 {
		t.Errorf("%d IDs were announced again after %v", len(got), announceEvery/2)
	}
	now = now.Add(announceEvery)
	if got := o.take(now); len(got) != 1 {
		t.Errorf("%d IDs were announced when the turn came", len(got))
	}
}
