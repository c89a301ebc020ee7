package engine

import (
	"bufio"
	"io"
	"net"
	"testing"

	"github.com/anacrolix/torrent/mse"

	"github.com/shoalnet/shoal/share"
)

// dialEncrypted connects and does the encrypted handshake, but not the one
// inside it.
func dialEncrypted(t testing.TB, n *node, id share.ID) *rawPeer {
	t.Helper()
	c, err := net.Dial("tcp6", n.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	rw, _, err := mse.InitiateHandshake(c, id[:], nil, mse.CryptoMethodRC4)
	if err != nil {
		t.Fatal(err)
	}
	return &rawPeer{t, &wrapped{c, rw}, bufio.NewReader(rw)}
}

type wrapped struct {
	net.Conn
	rw io.ReadWriter
}

func (w *wrapped) Read(b []byte) (int, error)  { return w.rw.Read(b) }
func (w *wrapped) Write(b []byte) (int, error) { return w.rw.Write(b) }
