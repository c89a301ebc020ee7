//go:build linux

package e2e

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"time"
)

// item is a mutable item of the DHT (BEP 44).
type item struct {
	key, value, sig []byte
	seq             int64
}

func (i item) target() [20]byte { return sha1.Sum(i.key) }

// observe asks the DHT node of a host for the item of a channel, as anybody may.
func observe(t testing.TB, from, of *user, link string) item {
	t.Helper()
	_, digits, _ := bytes.Cut([]byte(link), []byte("urn:btpk:"))
	key, err := hex.DecodeString(string(digits[:64]))
	if err != nil {
		t.Fatal(err)
	}
	found := item{key: key}
	target := found.target()
	conn := from.ListenPacket(0)
	to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(of.Addr, 7000))
	// Padded, since nobody gives a stranger more than three times what he sent.
	query := fmt.Sprintf("d1:ad2:id20:%s3:pad600:%0600d6:target20:%se1:q3:get1:t2:ob1:y1:qe", "an observing DHT nod", 0, target[:])
	buf := make([]byte, 4096)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if _, err := conn.WriteToUDP([]byte(query), to); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		n, _, err := conn.ReadFromUDP(buf)
		if err != nil {
			continue
		}
		p := bytes.Clone(buf[:n])
		_, sig, ok := bytes.Cut(p, []byte("3:sig64:"))
		if !ok {
			continue
		}
		found.sig = sig[:64]
		if _, value, ok := bytes.Cut(p, []byte("1:vd2:ih20:")); ok {
			found.value = append([]byte("d2:ih20:"), value[:21]...)
		}
		if _, seq, ok := bytes.Cut(p, []byte("3:seqi")); ok {
			digits, _, _ := bytes.Cut(seq, []byte("e"))
			if found.seq, err = strconv.ParseInt(string(digits), 10, 64); err != nil {
				t.Fatal(err)
			}
		}
		return found
	}
	t.Fatal("the item of the channel was not to be had")
	return item{}
}

// answers counts who was given a lie.
type answers struct {
	t testing.TB

	mu  sync.Mutex
	lie item
	to  map[netip.Addr]int
}

// answersOf runs a DHT node that is closer to an item than any other, and gives
// everybody who asks for it the one it was told to give.
func answersOf(t testing.TB, at, guide *user, lie item) *answers {
	t.Helper()
	conn := at.ListenPacket(0)
	a := &answers{t: t, lie: lie, to: map[netip.Addr]int{}}
	target := lie.target()
	id := target
	id[19] ^= 1
	quit := make(chan struct{})
	var work sync.WaitGroup
	t.Cleanup(func() {
		close(quit)
		conn.Close()
		work.Wait()
	})
	work.Go(func() {
		// Known to the guide, it is found by everybody's lookups.
		ask := fmt.Sprintf("d1:ad2:id20:%s6:target20:%se1:q9:find_node1:t2:li1:y1:qe", id[:], id[:])
		for {
			_, _ = conn.WriteToUDP([]byte(ask), net.UDPAddrFromAddrPort(netip.AddrPortFrom(guide.Addr, 7000)))
			select {
			case <-quit:
				return
			case <-time.After(time.Second):
			}
		}
	})
	work.Go(func() {
		buf := make([]byte, 4096)
		for {
			size, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			p := buf[:size]
			at := bytes.LastIndex(p, []byte("1:t"))
			if at < 0 || !bytes.Contains(p, []byte("1:y1:q")) {
				continue
			}
			length, rest, _ := bytes.Cut(p[at+3:], []byte(":"))
			k, err := strconv.Atoi(string(length))
			if err != nil || k > len(rest) {
				continue
			}
			tid := rest[:k]
			body := fmt.Sprintf("2:id20:%s6:nodes60:", id[:])
			switch {
			case bytes.Contains(p, []byte("1:q3:get")) && bytes.Contains(p, target[:]):
				a.mu.Lock()
				body = fmt.Sprintf("2:id20:%s1:k32:%s6:nodes60:3:seqi%de3:sig64:%s5:token4:lies1:v%s", id[:], a.lie.key, a.lie.seq, a.lie.sig, a.lie.value)
				a.to[from.Addr()]++
				a.mu.Unlock()
			case bytes.Contains(p, []byte("1:q3:get")), bytes.Contains(p, []byte("1:q9:get_peers")):
				body += "5:token4:lies"
			}
			_, _ = conn.WriteToUDPAddrPort(fmt.Appendf(nil, "d1:rd%se1:t%d:%s1:y1:re", body, len(tid), tid), from)
		}
	})
	return a
}

// tell gives everybody another lie from now on. The node stays: a second one in its
// network might find no place in a bucket of the guide.
func (a *answers) tell(lie item) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lie = lie
	clear(a.to)
}

// until waits until a host was given the lie n times.
func (a *answers) until(who netip.Addr, n int) {
	a.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		a.mu.Lock()
		got := a.to[who]
		a.mu.Unlock()
		if got >= n {
			return
		}
		if time.Now().After(deadline) {
			a.t.Fatalf("%s asked the liar %d times only", who, got)
		}
	}
}
