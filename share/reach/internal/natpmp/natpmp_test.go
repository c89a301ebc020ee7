package natpmp

import (
	"context"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// serve answers each request with all that answer returns, on the loopback interface.
func serve(t *testing.T, answer func(q []byte) [][]byte) *Session {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done })
	go func() {
		defer close(done)
		b := make([]byte, 2000)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			for _, a := range answer(b[:n]) {
				_, _ = conn.WriteToUDPAddrPort(a, from)
			}
		}
	}()
	s, err := Open(netip.MustParseAddr("127.0.0.1"), conn.LocalAddr().(*net.UDPAddr).AddrPort())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.SetWait(20 * time.Millisecond)
	return s
}

func bytesOf(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The requests of RFC 6886, 3.2 and 3.3, byte for byte.
func TestRequests(t *testing.T) {
	if got := hex.EncodeToString(mapRequest(0x1b58, 0x1b59, time.Hour)); got != "00020000"+"1b58"+"1b59"+"00000e10" {
		t.Errorf("asks %s", got)
	}
	if got := hex.EncodeToString(mapRequest(0x1b58, 0, 0)); got != "00020000"+"1b58"+"0000"+"00000000" {
		t.Errorf("gives back by %s", got)
	}
}

func TestAnswers(t *testing.T) {
	good := "00 82 0000 00000009 1b58 1b59 00000e10"
	for name, c := range map[string]struct {
		answers []string
		want    string // of the error; empty is success
	}{
		"good":           {[]string{good}, ""},
		"garbage before": {[]string{"", "00", "00820000", "02 82 0000 00000009 1b58 1b59 00000e10", "00 80 0000 00000009 01020304", "00 82 0000 00000009 1b58", good}, ""},
		"nothing":        {nil, "no answer"},
		"refused":        {[]string{"00 82 0002 00000009"}, "it is not allowed (NAT-PMP result 2)"},
		"unknown result": {[]string{"00 82 0063 00000009 1b58 1b59 00000e10"}, "NAT-PMP result 99"},
		"another port":   {[]string{"00 82 0000 00000009 1b57 1b59 00000e10"}, "port 6999"},
		"for no time":    {[]string{"00 82 0000 00000009 1b58 1b59 00000000"}, "no time"},
		"port 0":         {[]string{"00 82 0000 00000009 1b58 0000 00000e10"}, "no time"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func([]byte) (out [][]byte) {
				for _, a := range c.answers {
					out = append(out, bytesOf(t, a))
				}
				return out
			})
			m, err := s.Map(t.Context(), 7000, 7001, time.Hour)
			switch {
			case c.want == "" && (err != nil || m != Mapping{7000, 7001, time.Hour}):
				t.Errorf("%+v, %v", m, err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("%v", err)
			}
		})
	}
}

// A router that is busy is asked again, and one that is asked for ever is given up.
func TestSilence(t *testing.T) {
	n := 0
	s := serve(t, func([]byte) [][]byte {
		if n++; n < tries {
			return nil
		}
		return [][]byte{bytesOf(t, "00 80 0000 00000009 08080404")}
	})
	if a, err := s.Address(t.Context()); err != nil || a.String() != "8.8.4.4" {
		t.Errorf("%v, %v", a, err)
	}
	mute := serve(t, func([]byte) [][]byte { return nil })
	if _, err := mute.Address(t.Context()); !errors.Is(err, ErrSilence) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := mute.Unmap(ctx, 7000); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte{0, 0x82, 0, 0, 0, 0, 0, 9, 0x1b, 0x58, 0x1b, 0x59, 0, 0, 0x0e, 0x10})
	f.Add([]byte{0, 0x82, 0, 2, 0, 0, 0, 9})
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, ours := parse(b, opTCP, 16); ours && r == 0 {
			if m := parseMapping(b); m.Lifetime < 0 {
				t.Errorf("%+v", m)
			}
		}
	})
}
