//go:build linux

package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// mountName begins the name of every folder a disk is mounted on; the number of
// the process that made it follows.
const mountName = "shoal-lab-"

// Disk is a file system of its own, for faults that must not hit the real one.
type Disk struct {
	// Dir is where it is mounted.
	Dir string

	t     testing.TB
	image string // of an ext4 disk
}

// Memory makes a file system in memory that holds size bytes and that many
// files and folders.
func Memory(t testing.TB, size int64, files int) *Disk {
	t.Helper()
	d := newDisk(t)
	d.mount("tmpfs", "tmpfs", 0, fmt.Sprintf("size=%d,nr_inodes=%d,mode=700", size, files))
	return d
}

// Ext4 makes a journalled file system on a file of size bytes.
func Ext4(t testing.TB, size int64) *Disk {
	t.Helper()
	mkfs := Tool(t, "mkfs.ext4", "e2fsprogs")
	d := newDisk(t)
	d.image = filepath.Join(t.TempDir(), "disk.ext4")
	if err := os.WriteFile(d.image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(d.image, size); err != nil {
		t.Fatal(err)
	}
	d.run(mkfs, "-q", "-F", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0", d.image)
	d.run("mount", "-o", "loop", d.image, d.Dir)
	return d
}

func newDisk(t testing.TB) *Disk {
	t.Helper()
	Root(t)
	sweep()
	dir, err := os.MkdirTemp("", fmt.Sprintf("%s%d-", mountName, os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	d := &Disk{Dir: dir, t: t}
	t.Cleanup(func() {
		d.unmount()
		if err := os.Remove(dir); err != nil {
			t.Errorf("removing the mount point: %v", err)
		}
	})
	return d
}

func (d *Disk) mount(source, kind string, flags uintptr, options string) {
	d.t.Helper()
	if err := unix.Mount(source, d.Dir, kind, flags, options); err != nil {
		d.t.Fatalf("mounting %s on %s: %v", kind, d.Dir, err)
	}
}

func (d *Disk) run(argv ...string) {
	d.t.Helper()
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		d.t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
}

// unmount takes the disk away at once; files that are still open keep working.
func (d *Disk) unmount() {
	d.t.Helper()
	err := unix.Unmount(d.Dir, unix.MNT_DETACH)
	if err != nil && !errors.Is(err, unix.EINVAL) { // EINVAL: nothing is mounted there
		d.t.Errorf("unmounting %s: %v", d.Dir, err)
	}
}

// Resize changes how much a Memory disk holds.
func (d *Disk) Resize(size int64) {
	d.t.Helper()
	d.mount("tmpfs", "tmpfs", unix.MS_REMOUNT, fmt.Sprintf("size=%d", size))
}

// ReadOnly makes the disk refuse writing, or accept it again.
func (d *Disk) ReadOnly(on bool) {
	d.t.Helper()
	var flags uintptr = unix.MS_REMOUNT
	if on {
		flags |= unix.MS_RDONLY
	}
	d.mount("", "", flags, "")
}

// PowerCut makes an Ext4 disk fail as if the machine had lost power: from now
// on nothing reaches it, its journal included, and every access fails. Processes
// that used it must be dead before Repower.
func (d *Disk) PowerCut() {
	d.t.Helper()
	const (
		fsIocShutdown = 0x8004587d // FS_IOC_SHUTDOWN: _IOR('X', 125, __u32)
		noLogFlush    = 2          // EXT4_GOING_FLAGS_NOLOGFLUSH
	)
	dir, err := os.Open(d.Dir)
	if err != nil {
		d.t.Fatal(err)
	}
	defer dir.Close()
	if err := unix.IoctlSetPointerInt(int(dir.Fd()), fsIocShutdown, noLogFlush); err != nil {
		d.t.Fatalf("shutting %s down: %v", d.Dir, err)
	}
}

// Repower gives an Ext4 disk its power back after a PowerCut: what had reached
// it is mounted again, and the journal is replayed.
func (d *Disk) Repower() {
	d.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		err := unix.Unmount(d.Dir, 0)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			d.t.Fatalf("unmounting %s: %v", d.Dir, err)
		}
		time.Sleep(time.Millisecond)
	}
	// The kernel may keep the dead file system, and mounting the same image
	// would find it; a copy is a disk that it has never seen.
	old := d.image
	d.image = old + "+"
	d.run("cp", "--sparse=always", old, d.image)
	if err := os.Remove(old); err != nil {
		d.t.Fatal(err)
	}
	d.run("mount", "-o", "loop", d.image, d.Dir)
}

// sweep removes the disks of test processes that were killed.
func sweep() {
	places, err := filepath.Glob(filepath.Join(os.TempDir(), mountName+"*"))
	if err != nil {
		return
	}
	for _, dir := range places {
		number, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), mountName), "-")
		pid, err := strconv.Atoi(number)
		if err != nil || unix.Kill(pid, 0) == nil {
			continue
		}
		for unix.Unmount(dir, unix.MNT_DETACH) == nil {
		}
		os.Remove(dir)
	}
}
