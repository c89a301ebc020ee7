package catalog

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/shoalnet/shoal/index"
)

// BenchmarkMillion loads a million entries and searches them. One run is the
// measurement: go test -run - -bench Million -benchtime 1x ./index/catalog
func BenchmarkMillion(b *testing.B) {
	ctx := context.Background()
	dir := b.TempDir()
	c, err := Open(ctx, Config{Path: filepath.Join(dir, "index.db")})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	for b.Loop() {
		begin := time.Now()
		if _, err := c.Replace(ctx, index.ChannelID{1}, "v", million(1_000_000, 1)); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(begin).Seconds(), "load-s")
		small := index.ChannelID{2}
		if _, err := c.Replace(ctx, small, "v", million(10_000, 2)); err != nil {
			b.Fatal(err)
		}
		begin = time.Now()
		if err := c.Tend(ctx); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(begin).Seconds(), "tend-s")
		info, err := os.Stat(filepath.Join(dir, "index.db"))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size())/(1<<20), "db-MiB")

		measure := func(unit string, n int) {
			var took []time.Duration
			r := rand.New(rand.NewPCG(3, 3))
			zipf := rand.NewZipf(r, 1.1, 8, 200_000)
			filters := []string{"", " size:>1G", " type:video", " since:2025-06", " type:audio size:<100M", " channel:01", " before:2021 size:>1M"}
			for i := range n {
				q := ""
				for range 1 + i%3 {
					q += wordNumber(int(zipf.Uint64())) + " "
				}
				q += filters[i%len(filters)]
				begin := time.Now()
				if _, err := c.Search(ctx, index.Query{Text: q}); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(begin))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[n/2].Microseconds())/1000, unit+"-p50-ms")
			b.ReportMetric(float64(took[n*99/100].Microseconds())/1000, unit+"-p99-ms")
			b.ReportMetric(float64(took[n-1].Microseconds())/1000, unit+"-max-ms")
		}
		measure("search", 1000)

		// A node tends its catalogue whenever it has changed.
		tending, stop := context.WithCancel(ctx)
		tended := make(chan struct{})
		go func() {
			defer close(tended)
			for tending.Err() == nil {
				select {
				case <-c.Changed():
					_ = c.Tend(tending)
				case <-tending.Done():
				}
			}
		}()
		done := make(chan time.Duration)
		go func() {
			begin := time.Now()
			if _, err := c.Replace(ctx, small, "v", million(10_000, 4)); err != nil {
				b.Error(err)
			}
			done <- time.Since(begin)
		}()
		measure("busy", 300)
		b.ReportMetric((<-done).Seconds(), "update-s")
		stop()
		<-tended
		if s, err := os.ReadFile("/proc/self/status"); err == nil {
			var peak int
			for line := range slices.Values(splitLines(s)) {
				if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &peak); err == nil {
					b.ReportMetric(float64(peak)/1024, "rss-MiB")
				}
			}
		}
	}
}

func splitLines(b []byte) (all []string) {
	for len(b) > 0 {
		i := slices.Index(b, '\n')
		if i < 0 {
			i = len(b) - 1
		}
		all = append(all, string(b[:i]))
		b = b[i+1:]
	}
	return all
}
