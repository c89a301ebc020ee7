//go:build unix

package utp

import (
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// cpu is the processor time that this process has used.
func cpu(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkLoopback moves bytes over uTP and over TCP. Both ends are in this
// process: the figure cpu-s/GiB is that of both.
func BenchmarkLoopback(b *testing.B) {
	for name, pair := range map[string]func() (net.Conn, net.Conn){
		"utp": func() (net.Conn, net.Conn) {
			x, y := connect(b, open(b, Config{}), open(b, Config{}))
			return x, y
		},
		"tcp": func() (net.Conn, net.Conn) {
			l, err := net.Listen("tcp6", "[::1]:0")
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			x, err := net.Dial("tcp6", l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			y, err := l.Accept()
			if err != nil {
				b.Fatal(err)
			}
			return x, y
		},
	} {
		b.Run(name, func(b *testing.B) {
			x, y := pair()
			defer x.Close()
			defer y.Close()
			const chunk = 256 << 10
			b.SetBytes(chunk)
			go func() {
				out := make([]byte, chunk)
				for range b.N {
					if _, err := x.Write(out); err != nil {
						return
					}
				}
			}()
			b.ResetTimer()
			used := cpu(b)
			if _, err := io.CopyN(io.Discard, struct{ io.Reader }{y}, int64(b.N)*chunk); err != nil {
				b.Fatal(err)
			}
			used = cpu(b) - used
			b.ReportMetric(used.Seconds()/(float64(b.N)*chunk/(1<<30)), "cpu-s/GiB")
			if u, ok := x.(*Conn); ok {
				b.Logf("%+v", u.Stats())
			}
		})
	}
}
