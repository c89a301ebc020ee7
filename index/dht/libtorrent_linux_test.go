package dht

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anacrolix/dht/v2/bep44"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

const python = "/usr/bin/python3"

// libtorrent are nodes that others wrote, in a process of their own.
type libtorrent struct {
	t     *testing.T
	stdin io.WriteCloser

	mu     sync.Mutex
	events []ltEvent
}

type ltEvent struct {
	Event  string   `json:"event"`
	Node   int      `json:"node"`
	ID     string   `json:"id"`
	Target string   `json:"target"`
	Peers  []string `json:"peers"`
	Nodes  []string `json:"nodes"`
	Value  string   `json:"value"`
	Seq    int64    `json:"seq"`
	Final  bool     `json:"final"`
	Stored int      `json:"stored"`
}

func startLibtorrent(t *testing.T, ns *namespace, nodes int) *libtorrent {
	t.Helper()
	if err := exec.Command(python, "-c", "import libtorrent").Run(); err != nil {
		needs(t, "needs libtorrent: apt-get install python3-libtorrent")
	}
	for i := range nodes {
		ns.add(fmt.Sprintf("2001:db8:1:%x::1", i+1))
	}
	cmd := ns.command(python, "testdata/lt_nodes.py", fmt.Sprint(nodes))
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	l := &libtorrent{t: t, stdin: stdin}
	read := make(chan struct{})
	go func() {
		defer close(read)
		lines := bufio.NewScanner(stdout)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var e ltEvent
			if err := json.Unmarshal(lines.Bytes(), &e); err == nil {
				l.mu.Lock()
				l.events = append(l.events, e)
				l.mu.Unlock()
			}
		}
	}()
	t.Cleanup(func() {
		stdin.Close()
		done := time.AfterFunc(patience, func() { cmd.Process.Kill() })
		<-read
		if err := cmd.Wait(); err != nil && stderr.Len() > 0 {
			t.Errorf("libtorrent: %v: %s", err, stderr.String())
		}
		done.Stop()
	})
	l.wait("ready", func(e ltEvent) bool { return e.Event == "ready" })
	for i := 1; i < nodes; i++ {
		l.do(i, "know", map[string]any{"host": l.bootstrap().Addr().String(), "port": l.bootstrap().Port()})
	}
	return l
}

// bootstrap is the node that all others know.
func (*libtorrent) bootstrap() netip.AddrPort {
	return netip.MustParseAddrPort("[2001:db8:1:1::1]:6881")
}

func (l *libtorrent) do(node int, what string, args map[string]any) {
	l.t.Helper()
	cmd := map[string]any{"node": node, "do": what}
	for k, v := range args {
		cmd[k] = v
	}
	b, err := json.Marshal(cmd)
	if err != nil {
		l.t.Fatal(err)
	}
	if _, err := l.stdin.Write(append(b, '\n')); err != nil {
		l.t.Fatal(err)
	}
}

// wait waits for an event and forgets all that came before.
func (l *libtorrent) wait(what string, is func(ltEvent) bool) ltEvent {
	l.t.Helper()
	var found ltEvent
	eventually(l.t, what, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		for i, e := range l.events {
			if is(e) {
				found, l.events = e, l.events[i+1:]
				return true
			}
		}
		return false
	})
	return found
}

// again does something until an event says that it succeeded: a search in a
// network that is seconds old may come too early.
func (l *libtorrent) again(node int, what string, args map[string]any, is func(ltEvent) bool) ltEvent {
	l.t.Helper()
	var found ltEvent
	var last time.Time
	eventually(l.t, what, func() bool {
		if time.Since(last) > 3*time.Second {
			last = time.Now()
			l.do(node, what, args)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		for i, e := range l.events {
			if is(e) {
				found, l.events = e, l.events[i+1:]
				return true
			}
		}
		return false
	})
	return found
}

// Ten nodes of libtorrent and four of ours, which know one of them, each with an
// address in a network of its own, on the loopback interface of a namespace:
//
//	2001:db8:1:1::1 ... 2001:db8:1:a::1   libtorrent
//	2001:db8:2:1::1 ... 2001:db8:2:4::1   ours
func TestLibtorrent(t *testing.T) {
	if testing.Short() {
		t.Skip("another client takes long")
	}
	t.Parallel()
	ns := newNamespace(t)
	const theirs, ours = 10, 4
	lt := startLibtorrent(t, ns, theirs)
	var nodes []*testNode
	for i := range ours {
		addr := ns.add(fmt.Sprintf("2001:db8:2:%x::1", i+1))
		nodes = append(nodes, runNode(t, ns.listen(netip.AddrPortFrom(addr, 6881)), func(c *Config) {
			c.Bootstrap = []string{lt.bootstrap().String()}
			c.Addresses = func() []netip.Addr { return []netip.Addr{addr} }
		}))
	}
	for _, n := range nodes {
		waitReady(t, n)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()

	t.Run("tables fill", func(t *testing.T) {
		for i, n := range nodes {
			eventually(t, fmt.Sprintf("node %d knows the others", i), func() bool { return n.Stats().Nodes >= theirs })
		}
		for node := range 3 {
			lt.again(node, "live_nodes", nil, func(e ltEvent) bool {
				return e.Event == "nodes" && e.Node == node && slices.ContainsFunc(e.Nodes, func(a string) bool { return strings.HasPrefix(a, "[2001:db8:2:") })
			})
		}
	})

	t.Run("they find ours", func(t *testing.T) {
		id := share.ID{0x11, 1}
		nodes[1].Announce(id)
		eventually(t, "announced", func() bool { return nodes[1].Stats().Announce.Announced > 0 })
		lt.again(7, "get_peers", map[string]any{"id": id.String()}, func(e ltEvent) bool {
			return e.Event == "peers" && e.ID == id.String() && slices.Contains(e.Peers, nodes[1].addr.String())
		})
	})

	t.Run("we find theirs", func(t *testing.T) {
		id := share.ID{0x22, 2}
		lt.do(4, "announce", map[string]any{"id": id.String()})
		want := netip.MustParseAddrPort("[2001:db8:1:5::1]:6881")
		eventually(t, "found", func() bool {
			peers, err := nodes[2].GetPeers(ctx, id)
			return err == nil && slices.Contains(peers, want)
		})
	})

	t.Run("many keys", func(t *testing.T) {
		// Their tokens are good for one key each.
		before := nodes[3].Stats().Announce.Announced
		var ids []share.ID
		for range 30 {
			var id share.ID
			rand.Read(id[:])
			ids = append(ids, id)
			nodes[3].Announce(id)
		}
		eventually(t, "announced", func() bool { return nodes[3].Stats().Announce.Announced-before >= 30 })
		for _, id := range ids[:3] {
			lt.again(2, "get_peers", map[string]any{"id": id.String()}, func(e ltEvent) bool {
				return e.Event == "peers" && e.ID == id.String() && slices.Contains(e.Peers, nodes[3].addr.String())
			})
		}
	})

	t.Run("immutable items", func(t *testing.T) {
		target, stored, err := nodes[0].PutImmutable(ctx, []byte("9:from here"))
		if err != nil || stored < 4 {
			t.Fatalf("stored with %d: %v", stored, err)
		}
		got := lt.again(6, "get_immutable", map[string]any{"target": hex.EncodeToString(target[:])}, func(e ltEvent) bool {
			return e.Event == "immutable" && e.Value != ""
		})
		if b, _ := hex.DecodeString(got.Value); !bytes.Contains(b, []byte("from here")) {
			t.Errorf("they got %q", b)
		}
		lt.do(3, "put_immutable", map[string]any{"value": hex.EncodeToString([]byte("from there"))})
		theirs := lt.wait("target", func(e ltEvent) bool { return e.Event == "target" }).Target
		id, err := share.ParseID(theirs)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "got", func() bool {
			v, err := nodes[1].GetImmutable(ctx, id)
			return err == nil && string(v) == "10:from there"
		})
	})

	t.Run("mutable items", func(t *testing.T) {
		pub, key, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		name := index.ChannelID(pub)
		salt := []byte("salt")
		put := func(seq int64, v string) {
			it := index.Item{Value: []byte(v), Key: name, Salt: salt, Seq: seq}
			copy(it.Sig[:], bep44.Sign(key, salt, seq, it.Value))
			if stored, err := nodes[2].PutMutable(ctx, it, nil); err != nil || stored < 4 {
				t.Fatalf("stored with %d: %v", stored, err)
			}
		}
		put(1, "5:first")
		put(2, "6:second")
		args := map[string]any{"key": name.String(), "salt": hex.EncodeToString(salt)}
		got := lt.again(5, "get_mutable", args, func(e ltEvent) bool { return e.Event == "mutable" && e.Seq == 2 })
		if b, _ := hex.DecodeString(got.Value); string(b) != "second" {
			t.Errorf("they got %q", got.Value)
		}
		// They replace it; the sequence goes on from ours. Their form of the
		// private key is the hashed seed.
		secret := sha512.Sum512(key.Seed())
		secret[0] &= 248
		secret[31] = secret[31]&63 | 64
		args["secret"], args["value"] = hex.EncodeToString(secret[:]), hex.EncodeToString([]byte("third"))
		lt.do(8, "put_mutable", args)
		lt.wait("put", func(e ltEvent) bool { return e.Event == "put" && e.Stored > 0 })
		eventually(t, "got", func() bool {
			it, err := nodes[0].GetMutable(ctx, name, salt, 2)
			return err == nil && it.Seq == 3 && string(it.Value) == "5:third"
		})
	})
	for i, n := range nodes {
		s := n.Stats()
		t.Logf("node %d: %d nodes, %d in, %d out, queries %v in, %v out, %d malformed, %d timeouts, external %v",
			i, s.Nodes, s.In, s.Out, s.QueriesIn, s.QueriesOut, s.Malformed, s.Timeouts, s.External)
		if s.Malformed > 0 {
			t.Errorf("node %d took %d of libtorrent's messages for malformed", i, s.Malformed)
		}
	}
}
