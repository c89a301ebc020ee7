package node

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shoalnet/shoal/cmd/internal/lab"
	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/index/catalog"
	"github.com/shoalnet/shoal/share"
)

// When a catalogue fills its disk, it says so in one line and frees what it used, because
// the state of the node is on the same disk. With more space it continues.
func TestACatalogueThatFillsTheDisk(t *testing.T) {
	const size = 2 << 20
	disk := lab.Memory(t, size, 100)
	c, err := catalog.Open(t.Context(), catalog.Config{Path: filepath.Join(disk.Dir, "index.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	channel := index.ChannelID{1}
	entries := func(yield func(index.Entry, error) bool) {
		for i := range 7_000 {
			e := index.Entry{ID: share.ID{1, byte(i >> 8), byte(i)}, Name: fmt.Sprintf("word%d and word%d of %d", i, 7919*i, i), Bytes: 1, Time: time.Unix(1, 0)}
			e.Link = share.Link{ID: e.ID, Name: e.Name}.String()
			if !yield(e, nil) {
				return
			}
		}
	}
	for range 2 {
		_, err := c.Replace(t.Context(), channel, "v1", entries)
		if err == nil || !strings.Contains(err.Error(), "full") || strings.Contains(err.Error(), "\n") || catalog.Damaged(err) {
			t.Fatalf("%v", err)
		}
		var left syscall.Statfs_t
		if err := syscall.Statfs(disk.Dir, &left); err != nil {
			t.Fatal(err)
		}
		if free := int64(left.Bfree) * left.Bsize; free < size/2 {
			t.Errorf("%d of %d bytes are free", free, size)
		}
	}
	disk.Resize(100 << 20)
	if _, err := c.Replace(t.Context(), channel, "v1", entries); err != nil {
		t.Error(err)
	}
	if n, err := c.Count(t.Context(), channel); err != nil || n != 7_000 {
		t.Errorf("%d entries, %v", n, err)
	}
}
