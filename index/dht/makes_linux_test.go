package dht

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/krpc"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
	"github.com/shoalnet/shoal/share"
)

// client is a program that others wrote, with a DHT node on IPv6.
type client struct {
	node netip.AddrPort // its DHT node
	peer netip.AddrPort // where it takes connections, and so what it announces
	says func() string  // what it wrote so far
}

// output is what a program writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// run starts a program inside until the test ends.
func (n *namespace) run(what, program string, args ...string) (says func() string) {
	n.t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		needs(n.t, fmt.Sprintf("needs %s: apt-get install %s", program, what))
	}
	cmd := n.command(path, args...)
	var out output
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if n.t.Failed() {
			said := out.String()
			n.t.Logf("%s: %s", program, said[max(0, len(said)-4000):])
		}
	})
	return out.String
}

// aria2 starts aria2 on an ID.
func (n *namespace) aria2(id share.ID, bootstrap netip.AddrPort) client {
	n.t.Helper()
	addr, dir := n.add("2001:db8:3:1::1"), n.t.TempDir()
	says := n.run("aria2", "aria2c", "--no-conf", "--dir="+dir, "--enable-dht=false", "--enable-dht6=true",
		"--dht-listen-addr6="+addr.String(), "--dht-listen-port=6881", "--listen-port=6882",
		"--dht-entry-point6="+bootstrap.String(), "--dht-file-path6="+filepath.Join(dir, "dht6"),
		"--bt-enable-lpd=false", "magnet:?xt=urn:btih:"+id.String())
	return client{netip.AddrPortFrom(addr, 6881), netip.AddrPortFrom(addr, 6882), says}
}

// transmission starts transmission on a torrent of which it has nothing.
func (n *namespace) transmission(torrent []byte, bootstrap netip.AddrPort) client {
	n.t.Helper()
	addr, dir := n.add("2001:db8:4:1::1"), n.t.TempDir()
	for name, text := range map[string]string{
		"settings.json": fmt.Sprintf(`{"bind-address-ipv6": %q, "peer-port": 51413, "dht-enabled": true, "download-dir": %q,
			"encryption": 0, "lpd-enabled": false, "port-forwarding-enabled": false, "rpc-enabled": false, "utp-enabled": false,
			"watch-dir": %q, "watch-dir-enabled": true}`, addr, dir, dir),
		"dht.bootstrap": fmt.Sprintf("%s %d\n", bootstrap.Addr(), bootstrap.Port()),
		"it.torrent":    string(torrent),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			n.t.Fatal(err)
		}
	}
	says := n.run("transmission-daemon", "transmission-daemon", "--foreground", "--log-debug", "--config-dir", dir)
	where := netip.AddrPortFrom(addr, 51413)
	return client{where, where, says}
}

// torrentOf makes a torrent of a small file that nobody has.
func torrentOf(name string) (torrent []byte, id share.ID) {
	info := fmt.Sprintf("d6:lengthi16384e4:name%d:%s12:piece lengthi16384e6:pieces20:%020de", len(name), name, 0)
	return []byte("d4:info" + info + "e"), share.ID(sha1.Sum([]byte(info)))
}

// handshake waits until a peer connects for id. Those who begin otherwise, with
// encryption, are sent away, and come again.
func handshake(t *testing.T, l *net.TCPListener, id share.ID) {
	t.Helper()
	l.SetDeadline(time.Now().Add(patience))
	for {
		conn, err := l.Accept()
		if err != nil {
			t.Fatalf("nobody came for %s: %v", id, err)
		}
		conn.SetDeadline(time.Now().Add(patience))
		var hello [48]byte
		_, err = io.ReadFull(conn, hello[:])
		conn.Close()
		if err == nil && share.ID(hello[28:]) == id {
			return
		}
	}
}

// names asks the node at addr for the nodes closest to target, as anybody may,
// and reports whether it names who.
func (n *namespace) names(addr netip.AddrPort, target nodeid.ID, who netip.AddrPort) bool {
	n.t.Helper()
	conn := n.listen(netip.AddrPortFrom(n.asker(), 0))
	defer conn.Close()
	q := krpc.Query{Method: krpc.FindNode, ID: nodeid.ID{1}, Target: target, ReadOnly: true}
	rand.Read(q.TID[:])
	conn.WriteToUDPAddrPort(krpc.AppendQuery(nil, &q), addr)
	conn.SetReadDeadline(time.Now().Add(time.Second))
	b := make([]byte, datagramMax)
	for {
		size, err := conn.Read(b)
		if err != nil {
			return false
		}
		var m krpc.Message
		if krpc.Decode(b[:size], &m) != nil || m.Kind != krpc.KindReply {
			continue
		}
		for _, a := range m.Nodes {
			if a == who {
				return true
			}
		}
		return false
	}
}

// asker is an address for questions that leave no trace in others' tables.
func (n *namespace) asker() netip.Addr {
	const addr = "2001:db8:ff:1::1"
	if !n.asks {
		n.asks = true
		return n.add(addr)
	}
	return netip.MustParseAddr(addr)
}

// Eight nodes of libtorrent, one of aria2, one of transmission, and three of
// ours, all of which know one of libtorrent's. Each has an address in a network
// of its own, on the loopback interface of a namespace:
//
//	2001:db8:1:1::1 ... 2001:db8:1:8::1   libtorrent
//	2001:db8:2:1::1 ... 2001:db8:2:3::1   ours
//	2001:db8:3:1::1                       aria2
//	2001:db8:4:1::1                       transmission
func TestClients(t *testing.T) {
	if testing.Short() {
		t.Skip("another client takes long")
	}
	t.Parallel()
	ns := newNamespace(t)
	// Transmission wants to see a way out before it uses IPv6.
	ns.ip("-n", ns.name, "-6", "route", "add", "default", "dev", "lo")
	bootstrap := startLibtorrent(t, ns, 8).bootstrap()
	var takes *net.TCPListener // for the first of ours
	var nodes []*testNode
	for i := range 3 {
		addr := ns.add(fmt.Sprintf("2001:db8:2:%x::1", i+1))
		nodes = append(nodes, runNode(t, ns.listen(netip.AddrPortFrom(addr, 6881)), func(c *Config) {
			c.Bootstrap = []string{bootstrap.String()}
			c.Addresses = func() []netip.Addr { return []netip.Addr{addr} }
			if i == 0 {
				ns.in(func() (err error) {
					takes, err = net.ListenTCP("tcp6", &net.TCPAddr{IP: addr.AsSlice()})
					return err
				})
				c.Port = func() uint16 { return takes.Addr().(*net.TCPAddr).AddrPort().Port() }
			}
		}))
	}
	defer takes.Close()
	announcer, searcher := nodes[0], nodes[1]
	waitReady(t, announcer)
	waitReady(t, searcher)
	torrent, id := torrentOf("song.ogg")
	ids := []share.ID{{0x33, 3}, id}
	for _, id := range ids {
		announcer.Announce(id)
	}
	// Transmission searches once and then not for 25 minutes.
	eventually(t, "announced", func() bool { return announcer.Stats().Announce.Announced >= uint64(len(ids)) })

	aria2, transmission := ns.aria2(ids[0], bootstrap), ns.transmission(torrent, bootstrap)
	handshake(t, takes, ids[0])
	// It takes its time before it begins.
	within(t, 3*patience, "transmission finds ours", func() bool {
		return strings.Contains(transmission.says(), "song.ogg Learned 1 IPv6 peers from DHT")
	})
	for i, who := range []client{aria2, transmission} {
		any := func(ok func(n *testNode) bool) func() bool {
			return func() bool { return slices.ContainsFunc(nodes, ok) }
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
		defer cancel()
		eventually(t, fmt.Sprintf("we find %v", who.peer), func() bool {
			peers, err := searcher.GetPeers(ctx, ids[i])
			return err == nil && slices.Contains(peers, who.peer)
		})
		eventually(t, fmt.Sprintf("%v in a table of ours", who.node),
			any(func(n *testNode) bool { return n.knows(who.node) }))
		eventually(t, fmt.Sprintf("ours in the table of %v", who.node),
			any(func(n *testNode) bool { return ns.names(who.node, n.id(), n.addr) }))
	}
	for i, n := range nodes {
		if s := n.Stats(); s.Malformed > 0 {
			t.Errorf("node %d took %d messages for malformed", i, s.Malformed)
		}
	}
}

func (n *testNode) knows(addr netip.AddrPort) (known bool) {
	n.do(func(time.Duration) {
		for _, c := range n.core.Contacts(nil) {
			known = known || c.Addr == addr
		}
	})
	return known
}
