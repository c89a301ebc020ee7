//go:build linux

package lab

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Tap records the UDP datagrams that a host sends from its first interface.
type Tap struct {
	host  *Host
	mu    sync.Mutex
	sent  []Datagram
	grown chan struct{} // closed and replaced at each datagram
}

// Datagram is one that left a host.
type Datagram struct {
	At       time.Time
	From, To netip.AddrPort
	Payload  []byte
}

// Tap listens from now on until the test ends.
func (h *Host) Tap() *Tap {
	h.lab.t.Helper()
	tap := &Tap{host: h, grown: make(chan struct{})}
	h.packets(func(outgoing bool, packet []byte) {
		if outgoing {
			tap.take(packet)
		}
	})
	return tap
}

// packets calls take with each packet that passes the host's first interface, from now
// on until the test ends.
func (h *Host) packets(take func(outgoing bool, packet []byte)) {
	t := h.lab.t
	t.Helper()
	var file *os.File
	err := h.space.in(func() error {
		all := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL)) // only then outgoing ones are seen
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(all))
		if err != nil {
			return err
		}
		// A burst is what this is there to see.
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20)
		file = os.NewFile(uintptr(fd), "tap of "+h.Name)
		return nil
	})
	if err != nil {
		t.Fatalf("%s: listening to its packets: %v", h.Name, err)
	}
	raw, err := file.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 128<<10)
		for {
			var n int
			var from unix.Sockaddr
			var rerr error
			err := raw.Read(func(fd uintptr) bool {
				n, from, rerr = unix.Recvfrom(int(fd), buf, 0)
				return !errors.Is(rerr, unix.EAGAIN)
			})
			if err != nil {
				return
			}
			if link, ok := from.(*unix.SockaddrLinklayer); rerr == nil && ok {
				take(link.Pkttype == unix.PACKET_OUTGOING, buf[:n])
			}
		}
	}()
	t.Cleanup(func() {
		file.Close()
		<-done
	})
}

// take notes an IPv6 packet where it is a datagram.
func (tap *Tap) take(packet []byte) {
	const header, udp = 40, 8
	if len(packet) < header+udp || packet[0]>>4 != 6 || packet[6] != unix.IPPROTO_UDP {
		return
	}
	address := func(ip, port int) netip.AddrPort {
		a, _ := netip.AddrFromSlice(packet[ip : ip+16])
		return netip.AddrPortFrom(a, binary.BigEndian.Uint16(packet[port:]))
	}
	d := Datagram{
		At: time.Now(), From: address(8, header), To: address(24, header+2), Payload: bytes.Clone(packet[header+udp:]),
	}
	tap.mu.Lock()
	defer tap.mu.Unlock()
	tap.sent = append(tap.sent, d)
	close(tap.grown)
	tap.grown = make(chan struct{})
}

// Sent are the datagrams that left after a moment.
func (tap *Tap) Sent(after time.Time) []Datagram {
	sent, _ := tap.after(after)
	return sent
}

func (tap *Tap) after(moment time.Time) ([]Datagram, <-chan struct{}) {
	tap.mu.Lock()
	defer tap.mu.Unlock()
	for i, d := range tap.sent {
		if d.At.After(moment) {
			return tap.sent[i:len(tap.sent):len(tap.sent)], tap.grown
		}
	}
	return nil, tap.grown
}

// Await waits until what left after a moment is enough, which is asked again
// with each datagram, and tells whether that came in time.
func (tap *Tap) Await(after time.Time, within time.Duration, enough func([]Datagram) bool) bool {
	timer := time.NewTimer(within)
	defer timer.Stop()
	for {
		sent, grown := tap.after(after)
		if enough(sent) {
			return true
		}
		select {
		case <-grown:
		case <-timer.C:
			return false
		}
	}
}
