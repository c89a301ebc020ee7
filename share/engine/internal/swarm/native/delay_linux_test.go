package native

import (
	"io"
	"net"
	"testing"
)

// The system tells what was acknowledged, and how long that took.
func TestTheSystemTellsDelays(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	nc, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	const bytes = 100_000
	if _, err := nc.Write(make([]byte, bytes)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(far, make([]byte, bytes)); err != nil {
		t.Fatal(err)
	}
	// The answer acknowledges all that came before it.
	if _, err := far.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(nc, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	s, ok := sampleOf(nc)
	if !ok || s.Acked < bytes || s.Least <= 0 || s.Trip < s.Least {
		t.Errorf("%+v %t", s, ok)
	}
	nc.Close()
	if _, ok := sampleOf(nc); ok {
		t.Error("a connection that is closed shows something")
	}
}
