//go:build linux

package lab_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/lab"
)

// A real router's pinholes let strangers in.
//
//	alice ── router (firewall, miniupnpd) ── core ── router ── bob
func TestGatewayOpensPinholes(t *testing.T) {
	for _, protocol := range []lab.Protocol{lab.IGD2, lab.PCP} {
		t.Run(string(protocol), func(t *testing.T) {
			net := lab.New(t)
			home := net.Router("alice", lab.Firewalled)
			alice, bob := home.Host("alice"), net.Home("bob")
			port := lab.Port(alice.Listen(0).Addr())
			home.Gateway(protocol).Says("(?i)listening on port|HTTP listening|PCP")
			if reaches(t, bob, alice.Addr, port, 300*time.Millisecond) {
				t.Fatal("reachable before there is a pinhole")
			}
			switch protocol {
			case lab.IGD2:
				upnpc := lab.Tool(t, "upnpc", "miniupnpc")
				alice.Run(upnpc, "-6", "-m", "eth0", "-A", "", "0", alice.Addr.String(), fmt.Sprint(port), "tcp", "3600")
			case lab.PCP:
				pcpMap(t, alice, home, port)
			}
			if rules := home.Pinholes(); len(rules) != 1 {
				t.Errorf("pinholes: %q", rules)
			}
			if !reaches(t, bob, alice.Addr, port, time.Minute) {
				t.Error("not reachable through the pinhole")
			}
			home.Unpin()
			if reaches(t, bob, alice.Addr, port, 300*time.Millisecond) {
				t.Error("reachable when the pinhole is closed")
			}
		})
	}
}

// pcpMap asks for a TCP pinhole as RFC 6887, section 11, says.
func pcpMap(t *testing.T, h *lab.Host, home *lab.Router, port uint16) {
	t.Helper()
	client := h.Addr.As16()
	request := []byte{2, 1, 0, 0}
	request = binary.BigEndian.AppendUint32(request, 3600)
	request = append(request, client[:]...)
	request = append(request, "a nonce here"...)
	request = append(request, 6, 0, 0, 0)
	request = binary.BigEndian.AppendUint16(request, port)
	request = binary.BigEndian.AppendUint16(request, port)
	any6 := netip.IPv6Unspecified().As16()
	request = append(request, any6[:]...)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn, err := h.Dial(ctx, "udp6", netip.AddrPortFrom(home.Inside(), 5351).String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	reply := make([]byte, 1100)
	for {
		if _, err := conn.Write(request); err != nil {
			t.Fatal(err)
		}
		conn.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := conn.Read(reply); err == nil {
			break
		} else if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	if reply[1] != 0x81 || reply[3] != 0 {
		t.Fatalf("opcode %#x, result %d", reply[1], reply[3])
	}
}
