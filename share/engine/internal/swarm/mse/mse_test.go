package mse

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"testing"

	library "github.com/anacrolix/torrent/mse"
)

var id = [20]byte{1, 2, 3}

// pair is a connection over loopback, which unlike net.Pipe has buffers.
func pair(t testing.TB) (net.Conn, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

func find(key [20]byte) ([20]byte, bool) { return id, key == Key(id) }

type rw interface {
	io.Reader
	say(b []byte) error
}

type ours struct{ *Conn }

func (c ours) say(b []byte) error {
	b = bytes.Clone(b)
	c.Seal(b)
	_, err := c.Conn.Conn.Write(b)
	return err
}

type theirs struct{ io.ReadWriter }

func (c theirs) say(b []byte) error { _, err := c.Write(b); return err }

// talk sends a lot each way.
func talk(t *testing.T, a, b rw, first []byte) {
	t.Helper()
	long := bytes.Repeat([]byte("0123456789"), 5000)
	errs := make(chan error, 2)
	go func() { errs <- a.say(long) }()
	go func() { errs <- b.say(long) }()
	for i, c := range []struct {
		r    io.Reader
		want []byte
	}{{a, long}, {b, append(bytes.Clone(first), long...)}} {
		got := make([]byte, len(c.want))
		if _, err := io.ReadFull(c.r, got); err != nil || !bytes.Equal(got, c.want) {
			t.Fatalf("side %d: %v, the same: %v", i, err, bytes.Equal(got, c.want))
		}
	}
	for range 2 {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
}

func TestBothEndsAreOurs(t *testing.T) {
	for _, method := range []uint32{RC4, Clear, RC4 | Clear} {
		a, b := pair(t)
		type result struct {
			c   *Conn
			err error
		}
		done := make(chan result, 1)
		go func() {
			c, got, err := Receive(b, bufio.NewReader(b), find, RC4|Clear)
			if err == nil && got != id {
				t.Error("another ID")
			}
			done <- result{c, err}
		}()
		c, err := Initiate(a, id, []byte("first"), method)
		if err != nil {
			t.Fatal(err)
		}
		r := <-done
		if r.err != nil {
			t.Fatal(r.err)
		}
		if c.Encrypted() != (method == RC4) || r.c.Encrypted() != c.Encrypted() {
			t.Errorf("methods %d: encrypted %v", method, c.Encrypted())
		}
		talk(t, ours{c}, ours{r.c}, []byte("first"))
	}
}

func TestTheOtherEndIsTheLibrarys(t *testing.T) {
	for _, method := range []uint32{RC4, Clear} {
		choose := func(library.CryptoMethod) library.CryptoMethod { return library.CryptoMethod(method) }
		a, b := pair(t)
		done := make(chan io.ReadWriter, 1)
		go func() {
			c, _, err := library.ReceiveHandshake(t.Context(), b, func(f func([]byte) bool) { f(id[:]) }, choose)
			if err != nil {
				t.Error(err)
			}
			done <- c
		}()
		c, err := Initiate(a, id, []byte("first"), RC4|Clear)
		if err != nil {
			t.Fatal(err)
		}
		talk(t, ours{c}, theirs{<-done}, []byte("first"))

		a, b = pair(t)
		go func() {
			c, _, err := library.InitiateHandshake(a, id[:], []byte("first"), library.CryptoMethod(method))
			if err != nil {
				t.Error(err)
			}
			done <- c
		}()
		r, _, err := Receive(b, bufio.NewReader(b), find, RC4|Clear)
		if err != nil {
			t.Fatal(err)
		}
		talk(t, theirs{<-done}, ours{r}, []byte("first"))
	}
}

// What is no handshake ends in an error, not in a wait or a panic.
func FuzzReceive(f *testing.F) {
	f.Add(bytes.Repeat([]byte{7}, 2000))
	f.Add([]byte("\x13BitTorrent protocol"))
	f.Fuzz(func(t *testing.T, in []byte) {
		conn := &tape{Reader: bytes.NewReader(in)}
		if _, _, err := Receive(conn, bufio.NewReader(conn), find, RC4); err == nil {
			t.Fatal("a handshake")
		}
		conn = &tape{Reader: bytes.NewReader(in)}
		if _, err := Initiate(conn, id, nil, RC4); err == nil {
			t.Fatal("a handshake")
		}
	})
}

type tape struct {
	net.Conn
	io.Reader
}

func (t *tape) Read(b []byte) (int, error)  { return t.Reader.Read(b) }
func (t *tape) Write(b []byte) (int, error) { return len(b), nil }
