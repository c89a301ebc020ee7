package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shoalnet/shoal/share"
)

// The folder to fetch into cannot be had; another transfer goes on, and this
// one, too, once the folder is there.
func TestFolderMissing(t *testing.T) {
	t.Parallel()
	a, b := newNode(t), newNode(t)
	one, two := a.share(someFiles(t)), share.Transfer{}
	two, _ = bigFile(t, a)
	root := t.TempDir()
	inTheWay := filepath.Join(root, "disk")
	if err := os.WriteFile(inTheWay, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	b.fetch(one.Link, filepath.Join(inTheWay, "downloads"))
	b.fetch(two.Link, t.TempDir())
	s := b.waitState(one.ID, share.Stopped)
	if s.Code != share.Disk.Code() || s.Reason == "" {
		t.Errorf("%+v", s)
	}
	b.waitState(two.ID, share.Seeding)
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(inTheWay, "downloads"), 0o755); err != nil {
		t.Fatal(err)
	}
	b.waitState(one.ID, share.Seeding)
}

// The disk is full in the middle of a fetch: it stops with the reason, and goes
// on by itself when there is room.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, 16<<20)
	a, b := newNode(t), newNode(t)
	shared, want := bigFile(t, a)
	b.fetch(shared.Link, disk)
	s := b.waitState(shared.ID, share.Stopped)
	if s.Code != share.Disk.Code() || !strings.Contains(s.Reason, "full") {
		t.Errorf("%+v", s)
	}
	if s.Bytes >= s.Total {
		t.Errorf("%d bytes on a disk of 16 MiB", s.Bytes)
	}
	growDisk(t, disk, 64<<20)
	b.waitState(shared.ID, share.Seeding)
	if readFile(t, filepath.Join(disk, "big.bin")) != string(want) {
		t.Error("the file differs")
	}
}

// Another program cuts off the part file of a download under way: what is gone is fetched
// again.
func TestAPartFileThatIsCutOffIsFetchedAgain(t *testing.T) {
	t.Parallel()
	a, b := newNode(t), newNode(t)
	shared, want := bigFile(t, a)
	if err := a.SetGlobalLimits(share.Limits{Up: 8 << 20}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	id := b.fetch(shared.Link, dir).ID
	b.wait(id, "some of it", func(s share.Transfer) bool { return s.Bytes > 8<<20 })
	parts, err := filepath.Glob(filepath.Join(dir, "*.part"))
	if err != nil || len(parts) != 1 {
		t.Fatal(parts, err)
	}
	if err := os.Truncate(parts[0], 100_000); err != nil {
		t.Fatal(err)
	}
	s := b.waitState(id, share.Seeding)
	if readFile(t, s.Path) != string(want) {
		t.Error("what was fetched is not right")
	}
}
