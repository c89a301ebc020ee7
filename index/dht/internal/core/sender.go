package core

import "net/netip"

// sender sends datagrams and counts them. They are encoded into buf, which is
// used again for each.
type sender struct {
	send  func(b []byte, to netip.AddrPort, via Via) bool
	buf   []byte
	stats SendStats
}

// SendStats counts datagrams to others.
type SendStats struct {
	Out, Unsent uint64 // datagrams
	BytesOut    uint64
}

func newSender(send func(b []byte, to netip.AddrPort, via Via) bool) *sender {
	return &sender{send: send, buf: make([]byte, 0, replyMax+200)}
}

// transmit sends what buf holds.
func (s *sender) transmit(to netip.AddrPort, via Via) {
	if !s.send(s.buf, to, via) {
		s.stats.Unsent++
		return
	}
	s.stats.Out++
	s.stats.BytesOut += uint64(len(s.buf))
}
