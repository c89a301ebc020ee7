package reach

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// A lease is told as it is: open as long as the router said, whether it can be
// renewed or not, and no longer. The instances:
//
//   - a lease that ended while the machine slept was told as open;
//   - one whose renewal failed was told as closed while the router held it open;
//   - one whose renewal failed once was given up for good where a stranger had
//     come through it before.

func (p *Pinholes) states(now time.Time) string {
	out := ""
	for _, h := range p.Holes() {
		left := "closed"
		if !h.Until.IsZero() {
			left = fmt.Sprint("open for ", h.Until.Sub(now).Round(time.Second))
		}
		out += fmt.Sprintf("%s %s %q; ", h.Protocol, left, h.Error)
	}
	return out
}

func TestALeaseShowsItsTrueState(t *testing.T) {
	r := newFakeRouter(t)
	r.set(func() { r.absent = true }) // no UPnP
	p, _ := asking(t, r)
	now := time.Unix(1_800_000_000, 0)
	p.cfg.Now = func() time.Time { return now }
	wait := func(d time.Duration) {
		now = now.Add(d)
		r.set(func() { r.epoch += uint32(d / time.Second) })
	}
	through := false
	p.cfg.Needed = func(p Protocol, _ netip.AddrPort) bool { return p == TCP && !through }

	p.round(t.Context())
	wantText(t, "opened", p.states(now), `tcp open for 1h0m0s ""; `)
	told := r.told
	through = true // a stranger came through it

	wait(10 * time.Minute)
	p.round(t.Context())
	wantText(t, "renewed", p.states(now), `tcp open for 1h0m0s ""; `)
	wait(10 * time.Minute)
	r.set(func() { r.result = 8 })
	p.round(t.Context())
	wantText(t, "not renewed", p.states(now), `tcp open for 50m0s "it has no resources left (PCP result 8)"; `)
	wait(time.Minute)
	p.round(t.Context())
	wantText(t, "nor again", p.states(now), `tcp open for 49m0s "it has no resources left (PCP result 8)"; `)
	wait(49 * time.Minute)
	wantText(t, "ended", p.states(now), `tcp closed "it has no resources left (PCP result 8)"; `)
	r.set(func() { r.result = 0 })
	p.round(t.Context())
	wantText(t, "opened again", p.states(now), `tcp open for 1h0m0s ""; `)
	if r.told == told {
		t.Error("nobody was told that it is open again")
	}

	wait(time.Hour) // asleep
	wantText(t, "woken", p.states(now), `tcp closed "the lease has ended and was not renewed"; `)
	told = r.told
	p.round(t.Context())
	wantText(t, "and asked", p.states(now), `tcp open for 1h0m0s ""; `)
	if r.told != told+1 {
		t.Errorf("told of %d openings after the sleep", r.told-told)
	}

	// A router that lost what it had opened, and does not open it again.
	wait(time.Minute)
	r.set(func() { r.epoch, r.result = 0, 8 })
	p.round(t.Context())
	wantText(t, "lost", p.states(now), `tcp closed "it has no resources left (PCP result 8)"; `)
	r.set(func() { r.result = 0 })
	wait(time.Minute)
	p.round(t.Context())
	wantText(t, "and found", p.states(now), `tcp open for 1h0m0s ""; `)
}
