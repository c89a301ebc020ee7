package core

import "time"

const (
	// A peer's window is not believed beyond this.
	maxWindow = 1 << 30
	// No packet is late by so long. After it a timestamp that is older tells of a clock
	// that was set, or has wrapped.
	mostLate = time.Minute
)

// offer is the window that the peer told last. Packets change their order on the way: the
// newest is the one that acknowledges most and, of these, the one of the latest timestamp.
type offer struct {
	window int
	ack    uint16
	stamp  uint32        // the peer's clock when it told that
	at     time.Duration // ours, when it came
}

// take takes what a packet tells; false if it is older than what is known. Of two packets
// of one moment, the smaller window is believed: what is too small is mended by the next
// packet, and what would be too much is refused by the peer.
func (o *offer) take(now time.Duration, p *packet) bool {
	window := int(min(p.window, maxWindow))
	switch {
	case before(p.ack, o.ack):
		return false
	case p.ack != o.ack:
	case p.timestamp == o.stamp:
		window = min(window, o.window)
	case lower(p.timestamp, o.stamp) && now-o.at < mostLate:
		return false
	}
	*o = offer{window, p.ack, p.timestamp, now}
	return true
}
