package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share"
)

// BenchmarkList and BenchmarkIdleStream measure a node with 10,000 shares. The limits are
// 100 ms for a list and 2 % of a core for 50 active transfers. The latter reports the
// percentage of a core.
func BenchmarkList(b *testing.B) {
	f := newFake(10_000)
	c, _, _ := serve(b, f)
	ctx := context.Background()
	for name, fields := range map[string][]string{
		"all":  nil,
		"some": {"id", "name", "state", "bytes", "total", "down", "up", "peers", "path"},
	} {
		b.Run(name, func(b *testing.B) {
			var times []time.Duration
			for b.Loop() {
				start := time.Now()
				if all, err := c.Transfers(ctx, fields...); err != nil || len(all) != 10_000 {
					b.Fatal(err, len(all))
				}
				times = append(times, time.Since(start))
			}
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "ms-median")
		})
	}
}

func BenchmarkIdleStream(b *testing.B) {
	f := newFake(10_000)
	_, a, base := serve(b, f)
	var read int64
	for range 3 {
		resp, err := http.Get(base + Base + "/events")
		if err != nil {
			b.Fatal(err)
		}
		defer resp.Body.Close()
		go func() {
			n, _ := io.Copy(io.Discard, resp.Body)
			read += n
		}()
	}
	defer http.DefaultClient.CloseIdleConnections()
	seconds := 0
	before := cpuTime(b)
	for b.Loop() {
		for i := range 50 {
			f.set(testID(i), func(t *share.Transfer) { t.Up++; t.Uploaded += 1 << 18; t.Peers = seconds % 9 })
		}
		time.Sleep(time.Second)
		seconds++
	}
	b.ReportMetric(100*(cpuTime(b)-before).Seconds()/float64(seconds), "%core")
	a.hub.mu.Lock()
	b.ReportMetric(float64(len(a.hub.ring.frames[len(a.hub.ring.frames)-1].data)*60)/1024, "KiB/min")
	a.hub.mu.Unlock()
}

func cpuTime(b *testing.B) time.Duration {
	raw, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		b.Skip("needs /proc: ", err)
	}
	f := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+2:]))
	var user, system int64
	fmt.Sscan(f[11], &user)
	fmt.Sscan(f[12], &system)
	return time.Duration(user+system) * 10 * time.Millisecond
}
