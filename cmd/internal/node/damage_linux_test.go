package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shoalnet/shoal/cmd/internal/lab"
	"github.com/shoalnet/shoal/share"
)

// On a full disk a state opens or it does not, with what to do; either way
// nothing of it is lost. Where there was none, nothing half-made stays.
func TestFullDisk(t *testing.T) {
	dir, crashed, is := sample(t)
	for what, from := range map[string]string{"": dir, "with a journal": crashed} {
		for _, free := range []int64{0, 4 << 10, 16 << 10, 40 << 10, 100 << 10} {
			disk := lab.Memory(t, 8<<20, 1000)
			at := filepath.Join(disk.Dir, "state")
			copyDir(t, from, at)
			fillDisk(t, disk.Dir, free)
			before := bytesOf(t, at)
			o := options(t, at, map[string][]string{"config": {filepath.Join(t.TempDir(), "config.toml")}})
			s, err := Open(testContext(t), o)
			if err != nil {
				if share.KindOf(err) != share.Disk {
					t.Errorf("%s, %d bytes free: %v", what, free, err)
				}
				if !strings.Contains(err.Error(), "full") && !strings.Contains(err.Error(), "no space") {
					t.Errorf("%s, %d bytes free: it is not said that the disk is full: %v", what, free, err)
				}
				after := bytesOf(t, at)
				for _, name := range []string{stateName, stateName + "-wal", sumName} {
					name = filepath.Join(at, name)
					if after[name] != before[name] && name != filepath.Join(at, stateName+"-wal") {
						t.Errorf("%s, %d bytes free: %s changed", what, free, name)
					}
				}
			} else {
				if diff := cmp.Diff(is, truthOf(t, s)); diff != "" {
					t.Errorf("%s, %d bytes free: %s", what, free, diff)
				}
				if err := s.Close(); err != nil {
					t.Logf("%s, %d bytes free: closing: %v", what, free, err)
				}
			}
			// With room it goes on.
			must(t, os.Remove(filepath.Join(disk.Dir, "filler")))
			s = open(t, o)
			if diff := cmp.Diff(is, truthOf(t, s)); diff != "" {
				t.Errorf("%s, %d bytes free, then more: %s", what, free, diff)
			}
			closed(t, s)
		}
	}
	for _, free := range []int64{0, 4 << 10, 40 << 10} {
		disk := lab.Memory(t, 1<<20, 1000)
		fillDisk(t, disk.Dir, free)
		at := filepath.Join(disk.Dir, "new")
		o := options(t, at, map[string][]string{"config": {filepath.Join(t.TempDir(), "config.toml")}})
		s, err := Open(testContext(t), o)
		if err == nil {
			closed(t, s)
			continue
		}
		if share.KindOf(err) != share.Disk {
			t.Errorf("a new state with %d bytes free: %v", free, err)
		}
		must(t, os.Remove(filepath.Join(disk.Dir, "filler")))
		closed(t, open(t, o))
	}
}

// fillDisk leaves so many bytes free.
func fillDisk(t *testing.T, dir string, free int64) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "filler"))
	must(t, err)
	defer f.Close()
	for b := make([]byte, 4096); freeAt(dir) > free; {
		if _, err := f.Write(b); err != nil {
			break
		}
	}
}
