package infofetch

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/compact"
)

// tape is a connection from which a recording is read.
type tape struct {
	net.Conn
	io.Reader
	written int
}

func (t *tape) Read(b []byte) (int, error)  { return t.Reader.Read(b) }
func (t *tape) Write(b []byte) (int, error) { t.written += len(b); return len(b), nil }
func (t *tape) SetDeadline(time.Time) error { return nil }

// Whatever a peer sends after the handshake, we keep no more than it sent.
func FuzzExchange(f *testing.F) {
	f.Add(bytes.Join([][]byte{
		extended(0, []byte("d1:md11:ut_metadatai3e6:ut_pexi4ee13:metadata_sizei5ee")),
		extended(ourMetadata, []byte("d8:msg_typei1e5:piecei0e10:total_sizei5eehello")),
	}, nil))
	list := compact.Append(nil, netip.MustParseAddrPort("[2001:db8::1]:80"))
	f.Add(bytes.Join([][]byte{
		{0, 0, 0, 3, typePort, 1, 2},
		extended(ourPEX, append([]byte("d6:added618:"), append(list, 'e')...)),
		extended(ourMetadata, []byte("d8:msg_typei0e5:piecei7ee")),
		extended(0, []byte("d1:md11:ut_metadatai3ee13:metadata_sizei20000ee")),
		metadataReject(ourMetadata, 1),
	}, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		ft, err := New(Config{
			Dial: dial, Logger: slog.New(slog.DiscardHandler), Allow: func(netip.AddrPort) bool { return true },
			OnDHTNode: func(netip.AddrPort) {},
		})
		if err != nil {
			t.Fatal(err)
		}
		// Already over: a rejected block is not waited for.
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		conn := &tape{Reader: bytes.NewReader(b)}
		x := &exchange{
			s: &session{f: ft, addr: netip.MustParseAddrPort("[2001:db8::2]:80")}, ctx: ctx,
			conn: conn, w: conn, r: bufio.NewReader(conn), buf: make([]byte, maxExtended),
		}
		info, err := x.run()
		kept := 0
		for _, block := range x.blocks {
			kept += len(block)
		}
		if kept > len(b) || len(ft.queue.order) > maxLearned || len(x.asked) > pipeline {
			t.Fatalf("%d bytes kept of %d, %d addresses, %d requests", kept, len(b), len(ft.queue.order), len(x.asked))
		}
		if err == nil && (len(info) != x.size || x.size > MaxSize) {
			t.Fatalf("%d bytes of %d", len(info), x.size)
		}
	})
}
