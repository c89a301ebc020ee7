package node

import (
	"errors"
	"io/fs"
	"os"
	program "os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shoalnet/shoal/cmd/internal/lab"
	"github.com/shoalnet/shoal/cmd/internal/policy"
	"github.com/shoalnet/shoal/share"
)

// On a full disk a state opens, or the error says what to do. Nothing is lost either way.
// If there was no state, nothing incomplete is left.
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
			// With free space it opens.
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

// fillDisk leaves the given number of bytes free.
func fillDisk(t *testing.T, dir string, free int64) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "filler"))
	must(t, err)
	defer f.Close()
	for b := make([]byte, 4096); policy.FreeAt(dir) > free; {
		if _, err := f.Write(b); err != nil {
			break
		}
	}
}

func TestUnreadableState(t *testing.T) {
	if os.Getenv("SHOAL_TEST_STATE") == "" && os.Geteuid() == 0 {
		againAsNobody(t) // root may read everything
		return
	}
	dir := os.Getenv("SHOAL_TEST_STATE")
	if dir == "" {
		dir, _, _ = sample(t)
	}
	name := filepath.Join(dir, stateName)
	must(t, os.Chmod(name, 0))
	for _, look := range []bool{false, true} {
		o := options(t, dir, nil)
		o.Look = look
		_, err := Open(testContext(t), o)
		if share.KindOf(err) != share.Disk || !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%v", err)
		}
	}
	fi, err := os.Stat(name)
	if err != nil || fi.Mode().Perm() != 0 {
		t.Errorf("%v, %v", fi.Mode(), err)
	}
}

// againAsNobody runs the test again as a user who is not root, on a state of that user.
func againAsNobody(t *testing.T) {
	const nobody = 65534
	sampled, _, _ := sample(t)
	around, err := os.MkdirTemp("", "shoal-nobody-") // a folder of t can be entered by root alone
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(around) })
	dir := filepath.Join(around, "state")
	copyDir(t, sampled, dir)
	must(t, filepath.WalkDir(around, func(name string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Chown(name, nobody, nobody))
	}))
	self, err := os.Open("/proc/self/exe")
	must(t, err)
	defer self.Close()
	cmd := program.CommandContext(testContext(t), "/proc/self/fd/3", "-test.run=^"+t.Name()+"$")
	cmd.ExtraFiles = []*os.File{self} // the folder of the test cannot be entered either
	cmd.Dir = around
	cmd.Env = append(os.Environ(), "SHOAL_TEST_STATE="+dir, "TMPDIR="+around, "HOME="+around)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "PASS") {
		t.Errorf("as another user: %v\n%s", err, out)
	}
}
