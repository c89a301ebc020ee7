package core

import "time"

const (
	// UDP payloads of the smallest packet that every IPv6 link carries, 1280
	// bytes, and of the largest that Ethernet does.
	minDatagram = 1280 - 48
	maxDatagram = 1500 - 48

	// A padding extension makes a datagram longer by at most this.
	maxPadding = 257
	// So many probes of one size are lost before that size is held to be too large:
	// single ones are lost for other reasons.
	probeLosses = 3
	// The search ends when the sizes are so close.
	probeStep = 16
	// After a search or a black hole it begins anew after so long (RFC 8899).
	probeAgain = 10 * time.Minute
	// So many timeouts in a row are a black hole for full packets.
	holeTimeouts = 2
)

// prober searches for the largest datagram that the path carries (RFC 8899).
type prober struct {
	base, most     int // what the path is known to carry, and what is worth trying
	floor, ceiling int // what was carried, and what may be
	probing        int // the size of the probe on its way; 0 for none
	losses         int // of probes of this size, in a row
	size           int // of which losses are counted
	again          time.Duration
}

func newProber(base, most int) *prober {
	return &prober{base: base, most: max(base, most), floor: base, ceiling: max(base, most)}
}

// next is the size of the probe to send now; 0 for none.
func (p *prober) next(now time.Duration) int {
	if p.again > 0 && now >= p.again {
		p.again, p.ceiling, p.losses = 0, p.most, 0
	}
	switch {
	case p.probing > 0 || p.again > 0:
		return 0
	case p.ceiling-p.floor < probeStep && !(p.ceiling == p.most && p.floor < p.most):
		p.again = now + probeAgain
		return 0
	case p.floor == p.most:
		return 0
	}
	size := (p.floor + p.ceiling + 1) / 2
	if p.ceiling == p.most {
		size = p.most // what most paths carry
	}
	p.probing = min(size, p.floor+maxPadding)
	if p.probing != p.size {
		p.size, p.losses = p.probing, 0
	}
	return p.probing
}

// passed is called when a datagram of this size arrived.
func (p *prober) passed(size int) {
	if size == p.probing {
		p.probing = 0
	}
	p.floor = min(max(p.floor, size), p.most)
	p.ceiling = max(p.ceiling, p.floor)
}

// failed is called when the probe was lost.
func (p *prober) failed() {
	if p.probing == 0 {
		return
	}
	if p.losses++; p.losses >= probeLosses {
		p.ceiling = p.probing - 1
	}
	p.probing = 0
}

// hole is called when packets of the size that was found stopped to arrive.
func (p *prober) hole(now time.Duration) {
	p.floor, p.ceiling, p.probing = p.base, p.base, 0
	p.again = now + probeAgain
}
