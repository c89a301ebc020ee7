package core

import "time"

const (
	// Where a packet was lost, so are acknowledgements, for as long as this.
	lossyTime = 5 * time.Second
	// Bulk data that pauses for so long where packets are lost may have stopped for want
	// of an acknowledgement. No packet is later than that for having changed its place.
	pauseTime = 40 * time.Millisecond
	// A pause in which the peer's timeout has passed.
	stallTime = 400 * time.Millisecond
	// Acknowledgements that say what was said before are repeated so often.
	urgeRounds = 2
)

// urging decides when acknowledgements are repeated unasked. A sender with a small window
// stops when one is lost, or when fewer packets came after a lost one than prove a loss:
// its timeout takes a second, and libtorrent and others give up after a few. So what was
// said last is said again when bulk data pauses, and if a packet is missing, as often as
// proves the loss.
type urging struct {
	until  time.Duration // packets are held to be lost here until then
	at     time.Duration // when to repeat; 0 for never
	rounds int           // of repeating since data came last
	proved bool          // the loss of the packet after ack was
	ack    uint16
}

// lossy reports whether packets were lost lately.
func (u *urging) lossy(now time.Duration) bool { return now < u.until }

// lost is called when a packet is missing, or came again after a timeout.
func (u *urging) lost(now time.Duration) { u.until = now + lossyTime }

// came is called when data came.
func (u *urging) came(now time.Duration) {
	if u.rounds, u.at = 0, 0; u.lossy(now) {
		u.at = now + pauseTime
	}
}

// copies is how many acknowledgements of ack to send now that data pauses. Where all that
// can be proved is, the peer waits for its timeout: each word from here would put it off.
func (u *urging) copies(now time.Duration, ack uint16, gap bool) int {
	u.at = 0
	if gap {
		if u.proved && u.ack == ack {
			return 0
		}
		u.proved, u.ack = true, ack
		return duplicateAcks
	}
	if u.rounds++; u.rounds < urgeRounds {
		u.at = now + pauseTime
	}
	return 1
}
