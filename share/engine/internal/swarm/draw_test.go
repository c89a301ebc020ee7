package swarm

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// shelf is a Source in memory.
type shelf struct {
	data []byte
	stop func(from, to int64) error // nil for none

	mu     sync.Mutex
	asked  [][2]int64
	atOnce int
	most   int
}

func (s *shelf) Fetch(ctx context.Context, from, to int64, take func([]byte) error) error {
	s.mu.Lock()
	s.asked = append(s.asked, [2]int64{from, to})
	s.atOnce++
	s.most = max(s.most, s.atOnce)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.atOnce--
		s.mu.Unlock()
	}()
	if s.stop != nil {
		if err := s.stop(from, to); err != nil {
			return err
		}
	}
	for from < to && ctx.Err() == nil {
		n := min(to-from, 5000)
		if err := take(s.data[from : from+n]); err != nil {
			return err
		}
		from += n
	}
	return ctx.Err()
}

func all(m *made) []byte {
	have := make([]byte, (m.layout.Pieces+7)/8)
	for i := range m.layout.Pieces {
		have[i/8] |= 0x80 >> (i % 8)
	}
	return have
}

// Content comes from a source alone, in parts that are long, and not more at once
// than are allowed.
func TestDrawFromASource(t *testing.T) {
	m := makeContent(8<<20+12345, 128<<10)
	n, _ := node(t, nil)
	want, disk := m.content(false)
	s, events := attach(t, n, want)
	src := &shelf{data: m.data}
	if err := s.Draw(t.Context(), src, all(m)); !errors.Is(err, ErrUseless) {
		t.Fatal(err)
	}
	await(t, events, Finished)
	if !bytes.Equal(disk.data, m.data) {
		t.Error("other data arrived")
	}
	if st := s.Stats(); st.Wasted != 0 {
		t.Errorf("%+v", st)
	}
	if src.most > drawAtOnce || len(src.asked) > 4*len(m.data)/leastPart {
		t.Errorf("%d parts, %d at once", len(src.asked), src.most)
	}
	if len(s.Peers()) != 0 {
		t.Error("the source is taken for a peer")
	}
}

// A source and a peer share the work; no block comes twice for it.
func TestASourceAndAPeer(t *testing.T) {
	m := makeContent(8<<20, 128<<10)
	a, addr := node(t, nil)
	seed, _ := m.content(true)
	attach(t, a, seed)
	n, _ := node(t, nil)
	want, disk := m.content(false)
	s, events := attach(t, n, want)
	// The source begins once a block of the peer has come.
	came := make(chan struct{})
	go func() {
		defer close(came)
		await(t, events, PieceDone)
	}()
	s.AddPeers([]netip.AddrPort{addr})
	<-came
	_ = s.Draw(t.Context(), &shelf{data: m.data}, all(m))
	await(t, events, Finished)
	if !bytes.Equal(disk.data, m.data) {
		t.Error("other data arrived")
	}
}

func TestASourceThatFails(t *testing.T) {
	m := makeContent(1<<20, 64<<10)
	n, _ := node(t, nil)
	want, _ := m.content(false)
	s, _ := attach(t, n, want)
	gone := errors.New("gone")
	if err := s.Draw(t.Context(), &shelf{data: m.data, stop: func(int64, int64) error { return gone }}, all(m)); err != gone {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	src := &shelf{data: m.data, stop: func(int64, int64) error { cancel(); <-ctx.Done(); return ctx.Err() }}
	if err := s.Draw(ctx, src, all(m)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	src = &shelf{data: m.data, stop: func(int64, int64) error { s.Detach(); return nil }}
	if err := s.Draw(t.Context(), src, all(m)); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if err := s.Draw(t.Context(), src, all(m)); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestASourceThatLies(t *testing.T) {
	m := makeContent(1<<20, 64<<10)
	n, _ := node(t, nil)
	want, disk := m.content(false)
	s, events := attach(t, n, want)
	lies := bytes.Clone(m.data)
	for i := range lies {
		lies[i]++
	}
	if err := s.Draw(t.Context(), &shelf{data: lies}, all(m)); !errors.Is(err, ErrWrong) {
		t.Error(err)
	}
	if err := s.Draw(t.Context(), &shelf{data: m.data}, all(m)); !errors.Is(err, ErrUseless) {
		t.Error(err)
	}
	await(t, events, Finished)
	if !bytes.Equal(disk.data, m.data) {
		t.Error("other data arrived")
	}
}

// Of a source that lacks pieces, only the others are asked for.
func TestASourceOfAPart(t *testing.T) {
	m := makeContent(1<<20, 64<<10)
	n, _ := node(t, nil)
	want, _ := m.content(false)
	s, events := attach(t, n, want)
	src := &shelf{data: m.data}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Draw(ctx, src, []byte{0xf0, 0}) }()
	for range 4 {
		if e := await(t, events, PieceDone); e.Piece > 3 {
			t.Errorf("piece %d is here", e.Piece)
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for _, x := range src.asked {
		if x[1] > 4*64<<10 {
			t.Errorf("asked for %v", x)
		}
	}
}

// A source whose parts nobody wants any more is let go of them, and what is asked
// for again while it still comes is not asked for twice.
func TestUnwantedPartsEnd(t *testing.T) {
	m := makeContent(1<<20, 64<<10)
	content, _ := m.content(false)
	d := &drawing{swarm: new(Swarm)}
	d.swarm.is.Store(&content)
	var all []wanted
	for n := range 4 {
		all = append(all, wanted{1, n * wire.BlockSize, wire.BlockSize})
		d.want(all[n])
	}
	p := d.next()
	if p.from != 64<<10 || p.to != 128<<10 || len(p.blocks) != 4 {
		t.Fatalf("%+v", p)
	}
	ended := false
	p.cancel = func() { ended = true }
	d.parts, d.queue = []*part{p}, nil
	for _, b := range all[:3] {
		d.unwant(b)
	}
	d.want(all[0])
	d.unwant(all[3])
	if ended || len(d.queue) != 0 {
		t.Fatalf("ended although a block is wanted, or asked for twice: %v", d.queue)
	}
	d.unwant(all[0])
	if !ended {
		t.Error("it goes on although nothing of it is wanted")
	}
	d.want(all[1])
	if len(d.queue) != 1 {
		t.Error("a block of a part that ended is not asked for again")
	}
	d.unwant(all[1])
	if len(d.queue) != 0 {
		t.Error("a block that waits was not taken back")
	}
}
