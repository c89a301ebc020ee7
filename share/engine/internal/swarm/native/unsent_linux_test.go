package native

import (
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A connection that is bounded takes no more than it may keep beyond what the other
// end takes.
func TestLittleIsKeptUnsent(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	unsent := func(bound int) (n int) {
		nc, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		far, err := l.Accept() // and it reads nothing
		if err != nil {
			t.Fatal(err)
		}
		defer far.Close()
		(&tracked{Conn: nc}).BoundUnsent(bound)
		for err == nil {
			_ = nc.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
			_, err = nc.Write(make([]byte, 64<<10))
		}
		if !os.IsTimeout(err) {
			t.Fatal(err)
		}
		raw, err := nc.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		if err := raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQNSD) }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	const bound = 16 << 10
	without, with := unsent(0), unsent(bound)
	if without < 16*bound || with > 8*bound {
		t.Errorf("%d bytes are kept, and %d with a bound of %d", without, with, bound)
	}
}
