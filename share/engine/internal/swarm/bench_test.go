package swarm

import (
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/wire"
)

// file is a face.Storage in one file, without any care.
type file struct {
	*os.File
	layout wire.Layout
}

func (s *file) CopyPiece(i int, n int64, w io.Writer) (int64, error) {
	return io.Copy(w, io.NewSectionReader(s.File, int64(i)*int64(s.layout.PieceLength), n))
}

func (s *file) Completion(int) (known, complete bool) { return true, false }
func (s *file) MarkComplete(int) error                { return nil }
func (s *file) MarkNotComplete(int) error             { return nil }

func onDisk(b *testing.B, m *made, all bool) Content {
	b.Helper()
	c, _ := m.content(all)
	name := filepath.Join(b.TempDir(), "content")
	var data []byte
	if all {
		data = m.data
	}
	if err := os.WriteFile(name, data, 0o600); err != nil {
		b.Fatal(err)
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	c.Storage = &file{f, m.layout}
	return c
}

// One connection over loopback, both ends in this process, files in the page
// cache: go test -bench Loopback -benchtime 1x. The processor time of both ends
// is given for each GiB.
func BenchmarkLoopback(b *testing.B) {
	for _, encryption := range []Encryption{Tolerate, Require} {
		b.Run([]string{"plain", "encrypted"}[encryption], func(b *testing.B) {
			m := makeContent(512<<20, 1<<20)
			b.SetBytes(int64(len(m.data)))
			var cpu time.Duration
			for b.Loop() {
				set := func(c *Config) { c.Encryption, c.Logger = encryption, quiet() }
				a, addr := node(b, set)
				n, _ := node(b, set)
				seed := onDisk(b, m, true)
				attach(b, a, seed)
				want := onDisk(b, m, false)
				var dones atomic.Int64
				finished := make(chan struct{})
				want.Events = func(e Event) {
					switch e.Kind {
					case PieceDone:
						dones.Add(1)
					case Finished:
						close(finished)
					case DiskFailed:
						b.Error(e.Err)
					}
				}
				before := cpuTime()
				s, err := n.Attach(want, [32]byte{})
				if err != nil {
					b.Fatal(err)
				}
				s.AddPeers([]netip.AddrPort{addr})
				<-finished
				cpu += cpuTime() - before
			}
			b.ReportMetric(cpu.Seconds()/float64(b.N)*float64(1<<30)/float64(len(m.data)), "cpu-s/GiB")
		})
	}
}
