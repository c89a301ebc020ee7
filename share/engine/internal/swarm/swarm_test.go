package swarm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFetchFromOneSeed(t *testing.T) {
	for _, c := range []struct {
		name           string
		seeder, getter Encryption
		encrypted      bool
	}{{"plain", Tolerate, Tolerate, false}, {"the seed wants encryption", Require, Tolerate, true}, {"the fetcher wants encryption", Tolerate, Require, true}} {
		t.Run(c.name, func(t *testing.T) {
			m := makeContent(5<<20+12345, 256<<10)
			a, addr := node(t, func(cfg *Config) { cfg.Encryption = c.seeder })
			b, _ := node(t, func(cfg *Config) { cfg.Encryption = c.getter })
			seed, _ := m.content(true)
			attach(t, a, seed)
			want, disk := m.content(false)
			s, events := attach(t, b, want)
			s.AddPeers([]netip.AddrPort{addr})
			await(t, events, Finished)
			if !bytes.Equal(disk.data, m.data) {
				t.Fatal("other data arrived")
			}
			if st := s.Stats(); st.Received != int64(len(m.data)) || st.Wasted != 0 {
				t.Errorf("%+v", st)
			}
			if n := disk.readBacks.Load(); n != 0 {
				t.Errorf("%d blocks were read again to be hashed", n)
			}
		})
	}
}

func TestPeersGiveToEachOther(t *testing.T) {
	m := makeContent(8<<20, 128<<10)
	a, addr := node(t, nil)
	seed, _ := m.content(true)
	attach(t, a, seed)
	addrs := []netip.AddrPort{addr}
	var swarms []*Swarm
	var all []<-chan Event
	for range 4 {
		n, at := node(t, nil)
		want, _ := m.content(false)
		s, events := attach(t, n, want)
		addrs = append(addrs, at)
		swarms, all = append(swarms, s), append(all, events)
	}
	for _, s := range swarms {
		s.AddPeers(addrs)
	}
	for _, events := range all {
		await(t, events, Finished)
	}
	var sent int64
	for _, s := range swarms {
		sent += s.Stats().Sent
	}
	if sent == 0 {
		t.Error("all came from the seed")
	}
}

// From the ID alone: the info dictionary comes first, over the connection that
// then brings the content.
func TestInfoThenContent(t *testing.T) {
	m := makeContent(1<<20, 64<<10)
	info := bytes.Repeat([]byte("info"), 10000)
	a, addr := node(t, nil)
	b, _ := node(t, nil)
	seed, _ := m.content(true)
	seed.Info = info
	attach(t, a, seed)
	want, disk := m.content(false)
	dials := 0
	b.cfg.Dial = func(ctx context.Context, a netip.AddrPort) (net.Conn, error) {
		dials++
		return new(net.Dialer).DialContext(ctx, "tcp", a.String())
	}
	s, events := attach(t, b, Content{ID: m.id, CheckInfo: func(got []byte) bool { return bytes.Equal(got, info) }})
	s.AddPeers([]netip.AddrPort{addr})
	await(t, events, InfoKnown)
	if err := s.Fill(want); err != nil {
		t.Fatal(err)
	}
	if err := s.Fill(want); err != ErrTwice {
		t.Fatal(err)
	}
	await(t, events, Finished)
	if !bytes.Equal(disk.data, m.data) || dials != 1 {
		t.Fatalf("%d connections", dials)
	}
}

// A block of a piece that somebody changed is never sent, and the others come.
func TestWhatChangedIsNotSent(t *testing.T) {
	m := makeContent(1<<20, 64<<10)
	a, addr := node(t, nil)
	b, _ := node(t, nil)
	seed, source := m.content(true)
	source.changed[3] = true
	attach(t, a, seed)
	want, _ := m.content(false)
	s, events := attach(t, b, want)
	s.AddPeers([]netip.AddrPort{addr})
	done := make(map[int]bool)
	for len(done) < m.layout.Pieces-1 {
		done[await(t, events, PieceDone).Piece] = true
	}
	if done[3] {
		t.Fatal("the piece that changed was sent")
	}
}

// A disk that is full has nothing asked for, until somebody says that it works.
func TestAFullDiskEndsTheFetch(t *testing.T) {
	m := makeContent(1<<20, 64<<10)
	a, addr := node(t, nil)
	b, _ := node(t, nil)
	seed, _ := m.content(true)
	attach(t, a, seed)
	want, disk := m.content(false)
	disk.full = true
	events := make(chan Event, 1000)
	want.Events = func(e Event) { events <- e }
	s, err := b.Attach(want, [32]byte{})
	if err != nil {
		t.Fatal(err)
	}
	s.AddPeers([]netip.AddrPort{addr})
	for e := range events {
		if e.Kind == DiskFailed {
			if !errors.Is(e.Err, errDisk) {
				t.Fatal(e.Err)
			}
			break
		}
	}
	if n, _ := s.Moved(); n != 0 {
		t.Errorf("%d bytes were written to a full disk", n)
	}
	disk.mu.Lock()
	disk.full = false
	disk.mu.Unlock()
	s.Retry()
	for e := range events {
		if e.Kind == DiskFailed { // of a block that was under way
			s.Retry()
		}
		if e.Kind == Finished {
			break
		}
	}
	if !bytes.Equal(disk.data, m.data) {
		t.Error("other data arrived")
	}
}

// A piece that another program removed before it was verified is fetched again at once. Its
// sender is not blamed for what cannot be looked at any more.
func TestAPieceThatIsTakenAwayIsFetchedAgain(t *testing.T) {
	m := makeContent(1<<20, 64<<10)
	a, addr := node(t, nil)
	b, _ := node(t, nil)
	seed, has := m.content(true)
	has.data[3*64<<10] ^= 1 // what is wrong is read back, to see which of it is
	attach(t, a, seed)
	want, disk := m.content(false)
	times := 0
	disk.taken = func(piece int) bool {
		if piece != 3 {
			return false
		}
		has.mu.Lock()
		defer has.mu.Unlock()
		has.data[3*64<<10] = m.data[3*64<<10]
		times++
		return times == 1
	}
	s, events := attach(t, b, want)
	s.AddPeers([]netip.AddrPort{addr})
	for e := range events {
		switch e.Kind {
		case DiskFailed, PeerBanned:
			t.Fatalf("event %d: %v", e.Kind, e.Err)
		case Finished:
			if !bytes.Equal(disk.data, m.data) || times == 0 {
				t.Errorf("other data arrived, or nothing was read back (%d)", times)
			}
			return
		}
	}
}

// A liar is told by what it sends, banned, and the rest comes from the other.
func TestALiarIsBanned(t *testing.T) {
	m := makeContent(2<<20, 128<<10)
	a, good := node(t, nil)
	b, bad := node(t, func(c *Config) { c.Port++ })
	seed, _ := m.content(true)
	attach(t, a, seed)
	liar, source := m.content(true)
	for i := 0; i < len(source.data); i += 100 {
		source.data[i]++
	}
	attach(t, b, liar)
	n, _ := node(t, nil)
	want, disk := m.content(false)
	s, events := attach(t, n, want)
	s.AddPeers([]netip.AddrPort{bad})
	banned := await(t, events, PeerBanned)
	if banned.Addr != bad {
		t.Fatalf("%v", banned)
	}
	// Both are on the same host here, so that the ban is of both.
	_ = good
	if bytes.Equal(disk.data, m.data) {
		t.Fatal("a liar's data is right")
	}
}

// Whatever is sent in place of a handshake: the connection is closed, and others
// are answered.
func TestWhatIsNoHandshake(t *testing.T) {
	m := makeContent(1<<20, 64<<10)
	a, addr := node(t, nil)
	seed, _ := m.content(true)
	attach(t, a, seed)
	for _, in := range [][]byte{[]byte("GET / HTTP/1.1\r\n\r\n"), bytes.Repeat([]byte{0}, 3000), append([]byte(protocol), make([]byte, 48)...)} {
		c, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write(in)
		_ = c.(*net.TCPConn).CloseWrite()
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		var b [4096]byte
		for err == nil {
			_, err = c.Read(b[:])
		}
		var late net.Error
		if errors.As(err, &late) && late.Timeout() {
			t.Errorf("%.20q: the connection stays open", in)
		}
		c.Close()
	}
}

// What is known of the content changes while connections are at work with it. The race
// detector sees whether they may.
func TestFillWhileConnectionsWrite(t *testing.T) {
	m := makeContent(1<<20, 64<<10)
	a, addr := node(t, nil)
	seed, _ := m.content(true)
	attach(t, a, seed)
	for range 60 {
		b, _ := node(t, nil)
		s, events := attach(t, b, Content{ID: m.id})
		s.AddPeers([]netip.AddrPort{addr})
		await(t, events, PeerCame)
		want, _ := m.content(false)
		if err := s.Fill(want); err != nil {
			t.Fatal(err)
		}
		await(t, events, Finished)
		s.Detach()
	}
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// While a reader of one swarm waits, the others of the node ask for nothing.
func TestOtherSwarmsYieldToAReader(t *testing.T) {
	m, other := makeContent(1<<20, 64<<10), makeContent(2<<20, 64<<10)
	a, addr := node(t, nil)
	b, _ := node(t, nil)
	seed, _ := other.content(true)
	attach(t, a, seed)
	read, _ := m.content(false)
	reader, _ := attach(t, b, read) // of what nobody has
	reader.SetReaders([]Reading{{From: 0, To: 100}})
	want, _ := other.content(false)
	s, events := attach(t, b, want)
	s.AddPeers([]netip.AddrPort{addr})
	for range 1000 {
		if p := s.Peers(); len(p) == 1 && p[0].Client != "" {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if got := s.Stats().Received; got != 0 {
		t.Fatalf("%d bytes came all the same", got)
	}
	reader.Detach()
	await(t, events, Finished)
}

// Upload slots are those of the node: who asks another swarm for one more is told
// that there is none.
func TestSlotsAreThoseOfTheNode(t *testing.T) {
	a, addr := node(t, func(c *Config) { c.Uploads = 1 })
	ask := func(m *made, from byte) (unchoked bool) {
		c, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		b := append([]byte(protocol), 0, 0, 0, 0, 0, 0, 0, 0x04)
		b = append(append(b, m.id[:]...), bytes.Repeat([]byte{from}, 20)...)
		for _, x := range []wire.Message{{Type: wire.HaveNone}, {Type: wire.Interested}, {Type: wire.Request, Index: 1, Length: 10}} {
			b = wire.Append(b, &x)
		}
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, len(protocol)+48)); err != nil {
			t.Fatal(err)
		}
		for {
			var head [5]byte
			if _, err := io.ReadFull(c, head[:]); err != nil {
				t.Fatal(err)
			}
			switch wire.Type(head[4]) {
			case wire.Piece:
				return true
			case wire.Reject:
				return false
			}
			_, _ = io.CopyN(io.Discard, c, int64(binary.BigEndian.Uint32(head[:4]))-1)
		}
	}
	var got []bool
	for i := range byte(2) {
		m := makeContent(1<<20+int(i), 64<<10)
		seed, _ := m.content(true)
		attach(t, a, seed)
		got = append(got, ask(m, i+1))
	}
	if !got[0] || got[1] {
		t.Errorf("served: %v", got)
	}
}
