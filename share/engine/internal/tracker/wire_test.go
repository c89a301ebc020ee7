package tracker

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/compact"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
)

var (
	policy = netguard.Policy{AllowPrivate: true}
	peerID = [20]byte([]byte("-XX0001-0123456789ab"))
	asked  = request{
		id: share.ID{0xff, ' ', '+', '%'}, event: started, port: 4711, want: 50, key: 0xabc,
		progress: Progress{Uploaded: 1, Downloaded: 2, Left: 3},
	}
)

func httpServer(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	return s.URL
}

func askHTTP(t *testing.T, url string, p netguard.Policy) (reply, error) {
	t.Helper()
	c := newHTTPClient(p, peerID, "shoal-test")
	defer c.close()
	return c.announce(t.Context(), parseTarget(url), asked)
}

func TestHTTPAnnounce(t *testing.T) {
	url := httpServer(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		for name, want := range map[string]string{
			"info_hash": string(asked.id[:]), "peer_id": string(peerID[:]), "port": "4711", "uploaded": "1",
			"downloaded": "2", "left": "3", "compact": "1", "numwant": "50", "event": "started", "key": "00000abc",
			"passkey": "secret",
		} {
			if got := q.Get(name); got != want {
				t.Errorf("%s is %q, not %q", name, got, want)
			}
		}
		if strings.Contains(r.URL.RawQuery, "+") || r.UserAgent() != "shoal-test" {
			t.Errorf("query %s of %s", r.URL.RawQuery, r.UserAgent())
		}
		peers6 := compact.Append(nil, netip.MustParseAddrPort("[2001:db8::7]:99"))
		peers6 = compact.Append(peers6, netip.MustParseAddrPort("[ff02::1]:99"))
		peers4 := compact.Append(nil, netip.MustParseAddrPort("8.8.8.8:99"))
		fmt.Fprintf(w, "d8:completei5e10:incompletei6e8:intervali1800e12:min intervali60e5:peers%d:%s6:peers6%d:%s10:tracker id2:xye",
			len(peers4), peers4, len(peers6), peers6)
	})
	r, err := askHTTP(t, url+"/announce?passkey=secret", policy)
	if err != nil {
		t.Fatal(err)
	}
	if r.interval != 30*time.Minute || r.minInterval != time.Minute || r.seeders != 5 || r.leechers != 6 || r.session != "xy" {
		t.Errorf("reply %+v", r)
	}
	if fmt.Sprint(r.peers) != "[[2001:db8::7]:99 8.8.8.8:99]" {
		t.Errorf("peers %v", r.peers)
	}
}

func TestHTTPPeersAsDictionaries(t *testing.T) {
	body := "d5:peersl" +
		"d2:ip11:2001:db8::77:peer id20:-XX0001-0123456789ab4:porti99ee" +
		"d2:ip9:not an ip4:porti99ee" +
		"d2:ip11:2001:db8::84:porti99999ee" +
		"d2:ip12:fe80::1%eth04:porti99ee" +
		"i5e" + "3:abc" +
		"d2:ip11:2001:db8::94:porti1eee" + "e"
	r, err := parseReply([]byte(body), policy)
	if err != nil || fmt.Sprint(r.peers) != "[[2001:db8::7]:99 [2001:db8::9]:1]" {
		t.Errorf("peers %v, %v", r.peers, err)
	}
}

func TestHTTPHostileReplies(t *testing.T) {
	many := bytes.Repeat(compact.Append(nil, netip.MustParseAddrPort("[2001:db8::7]:99")), 50_000)
	rows := []struct {
		name, body string
		status     int
		ok         bool
	}{
		{"empty", "", 200, false},
		{"not bencode", "<html>", 200, false},
		{"a list", "le", 200, false},
		{"deep", strings.Repeat("l", 500_000), 200, false},
		{"negative", "d8:intervali-5e12:min intervali-9223372036854775808e8:completei-1ee", 200, true},
		{"huge", "d8:intervali9223372036854775807e8:completei9223372036854775807ee", 200, true},
		{"wrong types", "d8:intervalle5:peersde6:peers6i5e10:tracker idlee", 200, true},
		{"odd peers", "d5:peers5:abcde6:peers617:abcdefghijklmnopqe", 200, true},
		{"too many peers", fmt.Sprintf("d6:peers6%d:%se", len(many), many), 200, true},
		{"trailing", "de\n", 200, true},
		{"string too long", "d6:peers69999999999:e", 200, false},
		{"too large", "d1:x2000000:" + strings.Repeat("x", 2_000_000) + "e", 200, false},
		{"status", "de", 500, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			url := httpServer(t, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(row.status)
				_, _ = io.WriteString(w, row.body)
			})
			r, err := askHTTP(t, url, policy)
			if (err == nil) != row.ok {
				t.Fatalf("%+v, %v", r, err)
			}
			if len(r.peers) > maxPeers || r.interval < 0 || r.minInterval < 0 || r.interval > 8*24*time.Hour || r.seeders < 0 {
				t.Errorf("reply %v %v with %d peers", r.interval, r.minInterval, len(r.peers))
			}
		})
	}
}

func TestHTTPRefusals(t *testing.T) {
	rows := []struct {
		body, header string
		status       int
		reason       string
		retry        time.Duration
	}{
		{"d14:failure reason7:go away8:retry ini5ee", "", 200, "go away", 5 * time.Minute},
		{"d14:failure reason7:go away8:retry in5:nevere", "", 400, "go away", -1},
		{"d14:failure reason7:go away8:retry in2:10e", "", 200, "go away", 10 * time.Minute},
		{"d14:failure reason6:\x1b[2J\x00\xffe", "", 200, " [2J ?", 0},
		{"", "120", 429, "429 Too Many Requests", 2 * time.Minute},
		{"", "-5", 503, "503 Service Unavailable", 0},
	}
	for _, row := range rows {
		url := httpServer(t, func(w http.ResponseWriter, r *http.Request) {
			if row.header != "" {
				w.Header().Set("Retry-After", row.header)
			}
			w.WriteHeader(row.status)
			_, _ = io.WriteString(w, row.body)
		})
		_, err := askHTTP(t, url, policy)
		var no *refusal
		if !errors.As(err, &no) || no.reason != row.reason || no.retry != row.retry {
			t.Errorf("%q: %v", row.body, err)
		}
	}
}

func TestHTTPDoesNotGoToPrivatePlaces(t *testing.T) {
	url := httpServer(t, func(http.ResponseWriter, *http.Request) { t.Error("the private tracker was asked") })
	if _, err := askHTTP(t, url, netguard.Policy{}); share.KindOf(err) != share.Refused {
		t.Errorf("%v", err)
	}
	if _, err := askUDP(t, netguard.Policy{}, "udp://[::1]:9/"); share.KindOf(err) != share.Refused {
		t.Errorf("%v", err)
	}
}

// udpServer runs answer for every datagram.
func udpServer(t *testing.T, answer func(in []byte) [][]byte) string {
	t.Helper()
	pc, err := net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 2000)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			for _, out := range answer(buf[:n]) {
				_, _ = pc.WriteTo(out, from)
			}
		}
	}()
	t.Cleanup(func() {
		pc.Close()
		<-done
	})
	return "udp://" + pc.LocalAddr().String()
}

func askUDP(t *testing.T, p netguard.Policy, url string) (reply, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return newUDPClient(p, peerID, time.Now).announce(ctx, parseTarget(url), asked)
}

func words(ws ...any) []byte {
	var b []byte
	for _, w := range ws {
		switch w := w.(type) {
		case int:
			b = binary.BigEndian.AppendUint32(b, uint32(w))
		case uint64:
			b = binary.BigEndian.AppendUint64(b, w)
		case []byte:
			b = append(b, w...)
		case string:
			b = append(b, w...)
		}
	}
	return b
}

func TestUDPAnnounce(t *testing.T) {
	const conn = uint64(0x1122334455667788)
	peer := netip.MustParseAddrPort("[2001:db8::7]:99")
	var connects atomic.Int32
	var forget atomic.Bool
	url := udpServer(t, func(in []byte) [][]byte {
		tid := in[12:16]
		if binary.BigEndian.Uint32(in[8:]) == udpConnect {
			if len(in) != 16 || binary.BigEndian.Uint64(in) != udpMagic {
				t.Errorf("connect %x", in)
			}
			connects.Add(1)
			forget.Store(false)
			return [][]byte{words(udpConnect, tid, conn)}
		}
		if forget.Load() {
			return [][]byte{words(udpError, tid, "Connection ID missmatch.\x00")}
		}
		want := words(conn, udpAnnounce, tid, asked.id[:], peerID[:], uint64(2), uint64(3), uint64(1),
			int(started), 0, 0xabc, 50, []byte{4711 >> 8, 4711 & 0xff}, "\x02\x08/secret?")
		if !bytes.Equal(in, want) {
			t.Errorf("announce\n%x\n%x", in, want)
		}
		return [][]byte{
			words(udpAnnounce, []byte{1, 2, 3, 4}, 1, 1, 1), // of another transaction
			{0, 0},
			words(udpAnnounce, tid, 1800, 6, 5, compact.Append(nil, peer), "partial"),
		}
	})
	c := newUDPClient(policy, peerID, time.Now)
	for i := range 3 {
		// At the last the tracker has forgotten the connection.
		forget.Store(i == 2)
		r, err := c.announce(t.Context(), parseTarget(url+"/secret?"), asked)
		if err != nil {
			t.Fatal(err)
		}
		if r.interval != 30*time.Minute || r.leechers != 6 || r.seeders != 5 || len(r.peers) != 1 || r.peers[0] != peer {
			t.Errorf("reply %+v", r)
		}
	}
	if n := connects.Load(); n != 2 {
		t.Errorf("%d connects", n)
	}
}

func TestUDPHostileReplies(t *testing.T) {
	connected := func(in []byte, then []byte) [][]byte {
		if binary.BigEndian.Uint32(in[8:]) == udpConnect {
			return [][]byte{words(udpConnect, in[12:16], uint64(1))}
		}
		return [][]byte{then}
	}
	rows := map[string]func(in []byte) [][]byte{
		"short connect":  func(in []byte) [][]byte { return [][]byte{words(udpConnect, in[12:16], 1)} },
		"refusal":        func(in []byte) [][]byte { return [][]byte{words(udpError, in[12:16], "\x1b[2Jno")} },
		"short announce": func(in []byte) [][]byte { return connected(in, words(udpAnnounce, in[12:16], 1, 1)) },
		"refused later":  func(in []byte) [][]byte { return connected(in, words(udpError, in[12:16])) },
	}
	for name, answer := range rows {
		t.Run(name, func(t *testing.T) {
			if r, err := askUDP(t, policy, udpServer(t, answer)); err == nil {
				t.Errorf("reply %+v", r)
			} else if strings.ContainsRune(err.Error(), 0x1b) {
				t.Errorf("the error has the tracker's control characters: %q", err)
			}
		})
	}
}

// The first datagram is lost.
func TestUDPRepeats(t *testing.T) {
	var n atomic.Int32
	url := udpServer(t, func(in []byte) [][]byte {
		if n.Add(1) == 1 {
			return nil
		}
		if binary.BigEndian.Uint32(in[8:]) == udpConnect {
			return [][]byte{words(udpConnect, in[12:16], uint64(1))}
		}
		return [][]byte{words(udpAnnounce, in[12:16], 60, 0, 0)}
	})
	c := newUDPClient(policy, peerID, time.Now)
	c.repeat = 10 * time.Millisecond
	if _, err := c.announce(t.Context(), parseTarget(url), asked); err != nil || n.Load() < 3 {
		t.Errorf("%d datagrams, %v", n.Load(), err)
	}
}

func TestUDPGivesUp(t *testing.T) {
	url := udpServer(t, func([]byte) [][]byte { return nil })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := newUDPClient(policy, peerID, time.Now).announce(ctx, parseTarget(url), asked)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// Both families are told, and one that fails does not matter. A tracker reached over IPv6
// may name peers of both.
func TestBothFamilies(t *testing.T) {
	url := httpServer(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "d8:intervali60e5:peers6:\x08\x08\x08\x08\x00\x636:peers618:"+
			"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07\x00\x63e")
	})
	for _, ipv4 := range []bool{true, false} {
		c := newClients(Config{Policy: netguard.Policy{AllowPrivate: true, IPv4: ipv4}, PeerID: peerID, Now: time.Now})
		defer c.close()
		if (len(c.families) == 2) != ipv4 {
			t.Fatalf("%d families", len(c.families))
		}
		r, err := c.announce(t.Context(), parseTarget(url), asked)
		if err != nil || r.interval != time.Minute || fmt.Sprint(r.peers) != "[[2001:db8::7]:99 8.8.8.8:99]" {
			t.Errorf("with IPv4 %v: %+v, %v", ipv4, r, err)
		}
		if _, err := c.announce(t.Context(), parseTarget("http://[::1]:1/"), asked); err == nil {
			t.Error("a dead tracker answers")
		}
	}
}

func FuzzHTTPReply(f *testing.F) {
	f.Add([]byte("d8:completei5e8:intervali1800e5:peers6:abcdef6:peers618:abcdefghijklmnopqre"))
	f.Add([]byte("d14:failure reason7:go away8:retry in5:nevere"))
	f.Add([]byte("d5:peersld2:ip11:2001:db8::74:porti99eeee"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseReply(b, netguard.Policy{})
		checkReply(t, r, err)
	})
}

func FuzzUDPReply(f *testing.F) {
	f.Add(words(1800, 6, 5, compact.Append(nil, netip.MustParseAddrPort("[2001:db8::7]:99"))), false)
	f.Add([]byte{}, true)
	f.Fuzz(func(t *testing.T, b []byte, v4 bool) {
		r, err := parseUDP(b, v4, netguard.Policy{IPv4: true})
		checkReply(t, r, err)
	})
}

func checkReply(t *testing.T, r reply, err error) {
	if err != nil {
		return
	}
	if r.interval < 0 || r.minInterval < 0 || r.seeders < 0 || r.leechers < 0 || len(r.peers) > maxPeers || len(r.session) > 256 {
		t.Errorf("reply %+v", r)
	}
	for _, p := range r.peers {
		if p.Port() == 0 || p.Addr().IsMulticast() || p.Addr().IsLoopback() || p.Addr().Is4In6() || p.Addr().Zone() != "" {
			t.Errorf("peer %s", p)
		}
	}
}
