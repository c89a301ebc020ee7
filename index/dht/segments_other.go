//go:build !linux

package dht

import "net/netip"

// join has the system hand over datagrams of one sender together, if it can.
func (s *socket) join() {}

// joined is the size of each of the datagrams that came together; 0 for one alone.
func joined([]byte) int { return 0 }

// sendSegments sends datagrams of size bytes, the last one perhaps shorter.
func (s *socket) sendSegments(b []byte, size int, to netip.AddrPort, via netip.Addr, _ bool) error {
	for len(b) > 0 {
		n := min(size, len(b))
		if err := s.send(b[:n], to, via); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}
