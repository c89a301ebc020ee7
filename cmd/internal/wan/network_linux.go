package wan

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// Host is a machine at the end of a line.
type Host struct {
	Name string     // for messages
	Addr netip.Addr // its only address but for loopback, IPv6
	Up   Line
	Down Line
	// Delay is added to each packet from and to the host.
	Delay time.Duration
	// Loss is the probability, 0 to 1, that a packet from or to the host is lost.
	Loss float64
	// Reorder is the probability that a packet from or to the host takes up to
	// reordered longer than others, and Duplicate that it arrives twice.
	Reorder, Duplicate float64
	// MTU is that of the host's line; 0 is 1500. Nobody tells a sender that a packet
	// was too large.
	MTU int
	// OnlyUDP is a firewall that lets no TCP to the host.
	OnlyUDP bool
}

const (
	// header is the length of that of an IPv6 packet, which says at nextHeader what it
	// carries, and at hopLimit how many routers may forward it.
	header     = 40
	nextHeader = 6
	hopLimit   = 7

	// On the way from a host are its own router, before its line, that of its provider,
	// behind it, and core, behind its delay.
	core = 3

	reordered = 20 * time.Millisecond
	ethernet  = 1500
)

// Network is a star of hosts. It forwards until Close.
type Network struct {
	hosts []*host
	stop  *os.File // closing the other end of this pipe ends forward
	tell  *os.File
	ended chan error

	mu      sync.Mutex // guards the hosts' queues and what follows
	rand    *rand.Rand
	pending pending
	spare   []*packet
	seq     uint64
}

// host is a Host with its namespace.
type host struct {
	Host
	routers  [core + 1]router // on the way from it
	tun      int
	up, down queue
	lost     int64
	calls    chan func()
}

// New makes a network of hosts. The seed decides which packets are lost.
func New(seed uint64, hosts ...Host) (_ *Network, err error) {
	n := &Network{rand: rand.New(rand.NewPCG(seed, 0)), ended: make(chan error, 1)}
	defer func() {
		if err != nil {
			n.free()
		}
	}()
	for _, h := range hosts {
		made, err := newHost(h)
		if err != nil {
			return nil, fmt.Errorf("making host %s: %w", h.Name, err)
		}
		n.hosts = append(n.hosts, made)
	}
	if n.stop, n.tell, err = os.Pipe(); err != nil {
		return nil, err
	}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: its scheduling is changed
		n.ended <- n.forward(ready)
	}()
	if err := <-ready; err != nil {
		return nil, fmt.Errorf("forwarding packets: %w", err)
	}
	return n, nil
}

// newHost makes a namespace with a TUN device, and a thread that stays in it:
// processes that die with their parent do so with the thread that started them.
func newHost(h Host) (*host, error) {
	if h.MTU == 0 {
		h.MTU = ethernet
	}
	made := &host{Host: h, up: queue{line: h.Up}, down: queue{line: h.Down}, tun: -1, calls: make(chan func())}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := made.enter()
		ready <- err
		for f := range made.calls {
			f()
		}
	}()
	if err := <-ready; err != nil {
		made.close()
		return nil, err
	}
	return made, nil
}

// enter moves the thread into a new namespace and sets it up.
func (h *host) enter() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("making a network namespace (are you root?): %w", err)
	}
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening /dev/net/tun: %w", err)
	}
	h.tun = fd
	const name = "wan0"
	request, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		return fmt.Errorf("making a TUN device: %w", err)
	}
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"link", "set", name, "mtu", strconv.Itoa(h.MTU), "txqueuelen", "10000", "up"},
		{"addr", "add", h.Addr.String() + "/128", "dev", name, "nodad"},
		{"-6", "route", "add", "default", "dev", name},
	} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %v: %w: %s", args, err, out)
		}
	}
	return nil
}

func (h *host) close() {
	close(h.calls)
	if h.tun >= 0 {
		unix.Close(h.tun)
	}
}

// In runs f with the calling thread in the namespace of host i: the sockets it
// makes and the processes it starts belong there. Calls for one host run one after
// the other.
func (n *Network) In(i int, f func() error) error {
	done := make(chan error)
	n.hosts[i].calls <- func() { done <- f() }
	return <-done
}

// Counts returns what has passed the line of host i, and how many packets from it
// were lost.
func (n *Network) Counts(i int) (up, down Count, lost int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.hosts[i]
	return h.up.Count, h.down.Count, h.lost
}

// Close ends the network. Processes that were started in it lose their line.
func (n *Network) Close() error {
	n.tell.Close()
	err := <-n.ended
	n.free()
	return err
}

func (n *Network) free() {
	for _, h := range n.hosts {
		h.close()
	}
	if n.stop != nil {
		n.stop.Close()
		n.tell.Close()
	}
}

// now is the monotonic clock.
func now() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	return time.Duration(t.Nano())
}

// forward carries packets until stop says so.
func (n *Network) forward(ready chan<- error) error {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err == nil {
		defer unix.Close(epoll)
		err = n.watch(epoll)
	}
	// Packets wait for this thread; without the right to come first it still works.
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 20}, 0)
	ready <- err
	if err != nil {
		return err
	}
	events := make([]unix.EpollEvent, 64)
	buf := make([]byte, 1<<16)
	for {
		wait := n.deliver()
		got, err := pwait(epoll, events, wait)
		if err != nil {
			return fmt.Errorf("waiting for packets: %w", err)
		}
		for _, e := range events[:got] {
			if int(e.Fd) == len(n.hosts) {
				return nil
			}
			n.take(int(e.Fd), buf)
		}
	}
}

// watch has epoll name each host's device by its index, and stop by the one after.
func (n *Network) watch(epoll int) error {
	for i, h := range n.hosts {
		if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, h.tun, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}); err != nil {
			return err
		}
	}
	stop := int(n.stop.Fd())
	return unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, stop, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(len(n.hosts))})
}

// deliver hands over what is due, and returns how long the next packet takes.
func (n *Network) deliver() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := now()
	for len(n.pending) > 0 {
		p := n.pending[0]
		if p.due > at {
			return p.due - at
		}
		n.pending.pop()
		h := n.hosts[p.to]
		if p.near {
			_, _ = unix.Write(h.tun, p.data) // a full device drops it, as a full queue does
			n.spare = append(n.spare, p)
			continue
		}
		left, ok := h.down.pass(p.due, len(p.data))
		if !ok {
			n.spare = append(n.spare, p)
			continue
		}
		p.near = true
		n.post(p, left)
	}
	return time.Second
}

// post makes p pending.
func (n *Network) post(p *packet, due time.Duration) {
	n.seq++
	p.due, p.seq = due, n.seq
	n.pending.push(p)
}

// take reads packets that host i sends.
func (n *Network) take(i int, buf []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	from := n.hosts[i]
	for range 64 { // then others have their turn
		got, err := unix.Read(from.tun, buf)
		if err != nil || got <= 0 {
			return
		}
		to := n.find(buf[:got])
		if to < 0 || n.hosts[to].OnlyUDP && buf[nextHeader] == unix.IPPROTO_TCP {
			continue
		}
		at := now()
		if buf[hopLimit] == 1 {
			n.exceed(i, 1, at, buf[:got])
			continue
		}
		left, ok := from.up.pass(at, got)
		if !ok {
			continue
		}
		if limit := int(buf[hopLimit]); limit <= core {
			if limit == core {
				left += from.Delay
			}
			n.exceed(i, limit, left, buf[:got])
			continue
		}
		if n.chance(from.Loss, n.hosts[to].Loss) || got > n.hosts[to].MTU {
			from.lost++
			continue
		}
		due := left + from.Delay + n.hosts[to].Delay
		if n.chance(from.Reorder, n.hosts[to].Reorder) {
			due += time.Duration(n.rand.Float64() * float64(reordered))
		}
		n.carry(buf[:got], to, due)
		if n.chance(from.Duplicate, n.hosts[to].Duplicate) {
			n.carry(buf[:got], to, due)
		}
	}
}

// exceed has the router at a hop say that it has dropped a packet, whose hop limit was
// used up when it came.
func (n *Network) exceed(i, hop int, at time.Duration, b []byte) {
	const source, destination, quoted = 8, 24, 1200
	h := n.hosts[i]
	if len(b) < header || b[0]>>4 != 6 || !h.routers[hop].may(at) {
		return
	}
	own := routerAddr(hop)
	m := icmp.Message{Type: ipv6.ICMPTypeTimeExceeded, Body: &icmp.TimeExceeded{Data: b[:min(len(b), quoted)]}}
	text, err := m.Marshal(icmp.IPv6PseudoHeader(own.AsSlice(), b[source:destination]))
	if err != nil {
		return
	}
	answer := make([]byte, header, header+len(text))
	answer[0] = 6 << 4
	binary.BigEndian.PutUint16(answer[4:], uint16(len(text)))
	answer[nextHeader], answer[hopLimit] = unix.IPPROTO_ICMPV6, 64
	copy(answer[source:], own.AsSlice())
	copy(answer[destination:], b[source:destination])
	due := at
	if hop == core {
		due += h.Delay
	}
	if hop == 1 {
		p := n.packet()
		p.data, p.to, p.near = append(p.data[:0], append(answer, text...)...), i, true
		n.post(p, due)
		return
	}
	n.carry(append(answer, text...), i, due)
}

// routerAddr is the address of the routers that are so many hops away.
func routerAddr(hop int) netip.Addr {
	a := netip.MustParseAddr("2001:db8:ffff::").As16()
	a[15] = byte(hop)
	return netip.AddrFrom16(a)
}

// chance reports whether one of two things happened that have these probabilities.
func (n *Network) chance(a, b float64) bool {
	return a > 0 && n.rand.Float64() < a || b > 0 && n.rand.Float64() < b
}

// carry has a packet reach the line of host i at a time.
func (n *Network) carry(b []byte, i int, due time.Duration) {
	p := n.packet()
	p.data = append(p.data[:0], b...)
	p.to, p.near = i, false
	n.post(p, due)
}

// find returns the host to which an IPv6 packet goes, or -1.
func (n *Network) find(b []byte) int {
	const destination = 24
	if len(b) < header || b[0]>>4 != 6 {
		return -1
	}
	to := netip.AddrFrom16([16]byte(b[destination:header]))
	for i, h := range n.hosts {
		if h.Addr == to {
			return i
		}
	}
	return -1
}

func (n *Network) packet() *packet {
	if last := len(n.spare) - 1; last >= 0 {
		p := n.spare[last]
		n.spare = n.spare[:last]
		return p
	}
	return new(packet)
}

// pwait is epoll_pwait2, which waits by the nanosecond.
func pwait(epoll int, events []unix.EpollEvent, wait time.Duration) (int, error) {
	ts := unix.NsecToTimespec(int64(wait))
	for {
		got, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(epoll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), uintptr(unsafe.Pointer(&ts)), 0, 0)
		switch {
		case errno == 0:
			return int(got), nil
		case !errors.Is(errno, unix.EINTR):
			return 0, errno
		}
	}
}
