package engine

import (
	"context"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
)

// What goes to browsers counts in the totals of the transfer and of the node, also after a
// restart, and not in what trackers are told.
func TestUploadsAreCounted(t *testing.T) {
	t.Parallel()
	a := newNode(t)
	shared := a.share(someFiles(t))
	b := newNode(t)
	b.fetch(shared.Link, t.TempDir())
	b.waitState(shared.ID, share.Seeding)
	peers := a.wait(shared.ID, "all of it to be given", func(s share.Transfer) bool { return s.Uploaded >= shared.Size }).Uploaded
	u, err := a.Upload(shared.ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	const sent = 5 << 20
	u.Sent(sent)
	a.wait(shared.ID, "a rate", func(s share.Transfer) bool { return s.Up > 0 })
	u.End()
	if s := a.Stats(); s.Uploaded != peers+sent {
		t.Errorf("the node has uploaded %d, want %d", s.Uploaded, peers+sent)
	}
	if err := a.on(shared.ID, func(_ *loop, tr *transfer) error {
		if p := tr.figures(); p.Uploaded != peers {
			t.Errorf("trackers are told of %d, want %d", p.Uploaded, peers)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if s, err := a.Get(shared.ID); err != nil || s.Uploaded != peers+sent {
		t.Errorf("the transfer has uploaded %d, want %d: %v", s.Uploaded, peers+sent, err)
	}
	a.stop()
	a = startNode(t, a.state)
	if s, err := a.Get(shared.ID); err != nil || s.Uploaded != peers+sent {
		t.Errorf("after a restart the transfer has uploaded %d, want %d: %v", s.Uploaded, peers+sent, err)
	}
	if _, err := a.Upload(share.ID{1}, nil); err == nil {
		t.Error("a transfer that is unknown can be uploaded")
	}
}

// A transfer goes to rest when its uploads have ended and the rate has come down.
func TestUploadsComeToRest(t *testing.T) {
	g := &given{open: 1}
	g.bytes.Store(1 << 20)
	g.sample(time.Second)
	g.sample(time.Second)
	if g.still() || g.rate.Rate() == 0 {
		t.Errorf("it rests at %d bytes a second", g.rate.Rate())
	}
	for range 60 {
		g.sample(time.Second)
	}
	if g.still() {
		t.Error("it rests although an upload waits")
	}
	if g.open = 0; !g.still() {
		t.Errorf("it does not rest at %d bytes a second", g.rate.Rate())
	}
}

// Browsers and peers wait for the same limits: what one of them is sent is paid by all.
func TestUploadsShareTheLimits(t *testing.T) {
	t.Parallel()
	over, cancel := context.WithCancel(t.Context())
	cancel() // who has to wait does not pass
	for name, limit := range map[string]func(*node, share.ID) error{
		"of the node":           func(n *node, _ share.ID) error { return n.SetGlobalLimits(share.Limits{Up: 1000}) },
		"of the transfer":       func(n *node, id share.ID) error { return n.SetLimits(id, share.Limits{Up: 1000}) },
		"that was there before": nil,
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, func(c *Config) {
				if limit == nil {
					c.Limits.Up = 1000
				}
			})
			shared := n.share(someFiles(t))
			first, err := n.Upload(shared.ID, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer first.End()
			if limit != nil {
				if err := first.Pass(over, 1<<40); first.Holds() || err != nil {
					t.Fatalf("without a limit it is held: %v", err)
				}
				if err := limit(n, shared.ID); err != nil {
					t.Fatal(err)
				}
			}
			if !first.Holds() {
				t.Fatal("nothing is held")
			}
			if err := first.Pass(t.Context(), 1<<30); err != nil {
				t.Fatal(err)
			}
			second, err := n.Upload(shared.ID, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer second.End()
			if err := second.Pass(over, 1); share.KindOf(err) != share.Interrupted {
				t.Errorf("another upload passes: %v", err)
			}
			if err := n.on(shared.ID, func(lp *loop, tr *transfer) error {
				_, own := tr.limits.buckets(tr.options.Limits)
				if own.Wait(1, over.Done()) && lp.up.Wait(1, over.Done()) {
					t.Error("a peer passes")
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		})
	}
}
