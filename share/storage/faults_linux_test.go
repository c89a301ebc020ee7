package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/shoalnet/shoal/share/metainfo"
	"golang.org/x/sys/unix"
)

// mountTmpfs mounts a file system of the given size until the test ends.
func mountTmpfs(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		skip(t, "needs root, to mount a tmpfs: "+err.Error())
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// ext4 is a file system in a file.
type ext4 struct {
	t          *testing.T
	image, dir string
}

func newExt4(t *testing.T) *ext4 {
	t.Helper()
	e := &ext4{t: t, image: filepath.Join(t.TempDir(), "image"), dir: t.TempDir()}
	f, err := os.Create(e.image)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(24<<20), f.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("mkfs.ext4"); err != nil {
		skip(t, "needs mkfs.ext4, of the package e2fsprogs")
	}
	if os.Getuid() != 0 {
		skip(t, "needs root, to mount a file system")
	}
	e.do("mkfs.ext4", "-q", "-F", e.image)
	if out, err := exec.Command("mount", "-o", "loop", e.image, e.dir).CombinedOutput(); err != nil {
		skip(t, "needs loop devices: "+string(out))
	}
	t.Cleanup(func() { unix.Unmount(e.dir, unix.MNT_DETACH) })
	return e
}

func (e *ext4) do(name string, args ...string) {
	e.t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		e.t.Fatalf("%s %q: %v: %s", name, args, err, out)
	}
}

// cut is a power cut: what is only in memory is lost.
func (e *ext4) cut() {
	e.t.Helper()
	d, err := os.Open(e.dir)
	if err != nil {
		e.t.Fatal(err)
	}
	const (
		ioctlShutdown   = 0x8004587d // FS_IOC_SHUTDOWN
		withoutFlushing = 2
	)
	err = unix.IoctlSetPointerInt(int(d.Fd()), ioctlShutdown, withoutFlushing)
	d.Close()
	if err != nil {
		e.t.Fatal(err)
	}
}

// remount mounts what is on the device after a cut. It mounts a copy: another
// mount namespace may hold the old mount, and a second mount of the same device
// would then be the same file system, whose power is out.
func (e *ext4) remount() {
	e.t.Helper()
	eventually(e.t, "the file system is unmounted", func() bool { return unix.Unmount(e.dir, 0) == nil })
	old := e.image
	e.image += "+"
	e.do("cp", "--sparse=always", old, e.image)
	if err := os.Remove(old); err != nil {
		e.t.Fatal(err)
	}
	e.do("mount", "-o", "loop", e.image, e.dir)
}

// A mount namespace that another program made meanwhile, as container and network
// tools do, holds a copy of each mount.
func TestPowerComesBackWhileAnotherNamespaceHoldsTheMount(t *testing.T) {
	e := newExt4(t)
	other := exec.Command("sleep", "1h")
	other.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = other.Process.Kill()
		_ = other.Wait()
	}()
	path := filepath.Join(e.dir, "synced")
	writeFile(t, path, []byte("content"))
	e.do("sync", path, e.dir)
	e.cut()
	e.remount()
	wantFile(t, path, []byte("content"))
	writeFile(t, filepath.Join(e.dir, "new"), []byte("content"))
}

func TestDiskFull(t *testing.T) {
	b := newBench(t)
	b.store, _ = New(Config{Ledger: b.ledger})
	b.run()
	small := mountTmpfs(t, 1<<20)
	writeFile(t, filepath.Join(small, "filler"), make([]byte, 700*kib))
	info, all := torrentOf(t, "big", 64*kib, entryOf{data: content(1, 640*kib)})
	heard := make(chan Event, 1000)
	tr := b.openSpec(Spec{Info: info, Dir: small, Notify: func(e Event) { heard <- e }})
	other, otherAll := torrentOf(t, "other", 64*kib, entryOf{data: content(2, 640*kib)})
	fine := b.open(other)

	var err error
	done := 0
	for ; err == nil; done++ {
		err = tryPut(tr, all, done)
	}
	if !errors.Is(err, ErrFull) || !errors.Is(tr.Fault(), ErrFull) {
		t.Fatalf("after %d pieces: %v, fault %v", done, err, tr.Fault())
	}
	if e := waitFault(heard); !errors.Is(e, ErrFull) {
		t.Fatalf("heard of %v", e)
	}
	putAll(t, fine, otherAll)
	flush(t, fine)
	if p := fine.Progress(); p.Pieces != 10 || fine.Fault() != nil {
		t.Fatalf("a transfer on another disk: %+v, %v", p, fine.Fault())
	}
	tr.probe(context.Background())
	if tr.Fault() == nil {
		t.Fatal("the fault is over although the disk is full")
	}
	wantTree(t, small, "big~", "filler")

	if err := os.Remove(filepath.Join(small, "filler")); err != nil {
		t.Fatal(err)
	}
	for e := waitEvent(heard); e.Fault != nil; e = waitEvent(heard) {
	}
	for i := range tr.numPieces() {
		if completion(tr, i) != "complete" {
			put(t, tr, all, i)
		}
	}
	flush(t, tr)
	wantTree(t, small, "big")
	wantFile(t, filepath.Join(small, "big"), all)
}

func waitEvent(c chan Event) Event { return <-c }

// waitFault waits for an event with a fault.
func waitFault(c chan Event) error {
	for {
		if e := <-c; e.Fault != nil {
			return e.Fault
		}
	}
}

func TestDiskReadOnly(t *testing.T) {
	b := newBench(t)
	b.dir = mountTmpfs(t, 8<<20)
	info, all := torrentOf(t, "f", 16*kib, entryOf{data: content(1, 64*kib)})
	tr := b.open(info)
	put(t, tr, all, 0)
	flush(t, tr)
	tr.opened.closeAll()
	if err := unix.Mount("", b.dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if err := tryPut(tr, all, 1); !errors.Is(err, ErrReadOnly) {
		t.Fatalf("writing: %v", err)
	}
	// What is there can still be served.
	if _, err := tr.ReadAt(make([]byte, 100), 0); err != nil {
		t.Fatalf("reading: %v", err)
	}
	tr.probe(context.Background())
	if !errors.Is(tr.Fault(), ErrReadOnly) {
		t.Fatalf("the fault is %v", tr.Fault())
	}
	tr.opened.closeAll()
	if err := unix.Mount("", b.dir, "", unix.MS_REMOUNT, ""); err != nil {
		t.Fatal(err)
	}
	tr.probe(context.Background())
	if tr.Fault() != nil {
		t.Fatalf("the fault is %v", tr.Fault())
	}
	putAll(t, tr, all)
	flush(t, tr)
	wantTree(t, b.dir, "f")
}

// setImmutable is chattr +i and -i.
func setImmutable(t *testing.T, path string, on bool) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const immutable = 0x10 // FS_IMMUTABLE_FL
	flags, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err == nil {
		flags &^= immutable
		if on {
			flags |= immutable
		}
		err = unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flags)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestImmutableFileAndFolder(t *testing.T) {
	e := newExt4(t)
	b := newBench(t)
	b.dir = e.dir
	info, all := torrentOf(t, "set", 16*kib, entryOf{path: "a", data: content(1, 64*kib)}, entryOf{path: "b", data: content(2, 64*kib)})
	tr := b.open(info)
	put(t, tr, all, 0)
	flush(t, tr)
	for _, c := range []struct {
		path  string
		piece int
	}{{"set/" + tr.layout.names[0].part, 1}, {"set", 5}} {
		p := filepath.Join(b.dir, c.path)
		tr.opened.closeAll()
		setImmutable(t, p, true)
		err := tryPut(tr, all, c.piece)
		fault := tr.Fault()
		tr.probe(context.Background())
		still := tr.Fault()
		setImmutable(t, p, false)
		if !errors.Is(err, ErrDenied) || !errors.Is(fault, ErrDenied) || !errors.Is(still, ErrDenied) {
			t.Fatalf("%s: %v, fault %v, after a probe %v", c.path, err, fault, still)
		}
		tr.probe(context.Background())
		if err := tr.Fault(); err != nil {
			t.Fatalf("%s is as it was, and yet: %v", c.path, err)
		}
		put(t, tr, all, c.piece)
	}
}

func TestDiskGoneAndBack(t *testing.T) {
	e := newExt4(t)
	b := newBench(t)
	b.dir = filepath.Join(e.dir, "downloads")
	if err := os.Mkdir(b.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	info, all := torrentOf(t, "set", 16*kib, entryOf{path: "a", data: content(1, 64*kib)}, entryOf{path: "b", data: content(2, 64*kib)})
	tr := b.open(info)
	for i := range 5 {
		put(t, tr, all, i)
	}
	flush(t, tr)
	if err := unix.Unmount(e.dir, unix.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
	tr.opened.closeAll()
	if err := tryPut(tr, all, 6); !errors.Is(err, ErrMissing) {
		t.Fatalf("writing: %v", err)
	}
	b.clock.add(2 * lookEvery)
	if _, err := tr.ReadAt(make([]byte, 10), 0); !errors.Is(err, ErrMissing) {
		t.Fatalf("reading: %v", err)
	}
	tr.probe(context.Background())
	wantTree(t, e.dir)
	e.do("mount", "-o", "loop", e.image, e.dir)
	tr.probe(context.Background())
	if err := tr.Fault(); err != nil {
		t.Fatalf("the disk is back, and yet: %v", err)
	}
	if p := tr.Progress(); p.Pieces != 5 || p.Unknown != 0 {
		t.Fatalf("%+v", p)
	}
	putAll(t, tr, all)
	flush(t, tr)
	wantTree(t, b.dir, "set/", "set/a", "set/b")
	tr.opened.closeAll()
}

// The power is cut at any moment while files are written, synced, renamed and
// recorded. Everything that the ledger has must be on the disk.
func TestPowerCuts(t *testing.T) {
	e := newExt4(t)
	b := newBench(t)
	b.dir = e.dir
	var entries []entryOf
	for i := range 30 {
		entries = append(entries, entryOf{path: fmt.Sprintf("%d/%d", i%3, i), data: content(uint64(i), 1000+i*4321)})
	}
	info, all := torrentOf(t, "set", 32*kib, entries...)
	for round := range 8 {
		b.restart()
		tr := b.open(info)
		checkUnknown(t, tr)
		var stop atomic.Bool
		var wg sync.WaitGroup
		wg.Go(func() {
			for !stop.Load() {
				_ = tr.sync(context.Background()) // fails once the power is out
			}
		})
		wg.Go(func() {
			written := 0
			for n := 0; written < 12 && n < 10*info.NumPieces && !stop.Load(); n++ {
				if p := (round + 7*n) % info.NumPieces; completion(tr, p) == "missing" {
					if tryPut(tr, all, p) != nil {
						return
					}
					written++
				}
			}
		})
		aim := min(tr.Progress().Pieces+4+round%3, info.NumPieces-1)
		eventually(t, "some pieces are durable", func() bool { return tr.Progress().Pieces >= aim })
		// A process that survives may be told of syncs that never happened: the
		// ledger goes down with the power, too.
		b.ledger.breakWith(errors.New("the power is out"))
		durable := tr.DurablePieces()
		e.cut()
		stop.Store(true)
		wg.Wait()
		b.crash()
		b.ledger.breakWith(nil)
		e.remount()
		b.restart()
		tr = b.open(info)
		for _, s := range durable {
			for p := s.From; p < s.To; p++ {
				mustBeRight(t, tr, all, p)
			}
		}
		for _, s := range tr.DurablePieces() {
			for p := s.From; p < s.To; p++ {
				mustBeRight(t, tr, all, p)
			}
		}
		b.crash()
	}
	b.restart()
	tr := b.open(info)
	checkUnknown(t, tr)
	for i := range info.NumPieces {
		if completion(tr, i) != "complete" {
			put(t, tr, all, i)
		}
	}
	flush(t, tr)
	for i, f := range info.Files {
		wantFile(t, tr.FilePath(i), all[f.Offset:f.Offset+f.Length])
	}
	tr.opened.closeAll()
}

// mustBeRight reads a piece that was durable when the power was cut.
func mustBeRight(t *testing.T, tr *Transfer, all []byte, p int) {
	t.Helper()
	off := int64(p) * tr.info.PieceLength
	got := make([]byte, tr.info.PieceSize(p))
	if _, err := tr.reader.read(got, off); err != nil || string(got) != string(all[off:off+int64(len(got))]) {
		t.Fatalf("piece %d was durable, and is wrong (%v)", p, err)
	}
}

func TestFewDescriptors(t *testing.T) {
	b := newBench(t)
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	low := old
	low.Cur = 256
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &old)
	// The limit is higher than the number of descriptors: the store has to find
	// out.
	b.cfg.MaxHandles = 1000
	b.restart()
	const shares = 2000
	transfers := make([]*Transfer, shares)
	contents := make([][]byte, shares)
	for i := range transfers {
		var info *metainfo.Info
		info, contents[i] = torrentOf(t, fmt.Sprintf("f%d", i), 16*kib, entryOf{data: content(uint64(i), 1000)})
		path := filepath.Join(b.dir, info.Name)
		writeFile(t, path, contents[i])
		fi, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		transfers[i] = b.openSpec(Spec{Info: info, Own: &Own{Path: path, Sources: []Source{{Info: fi, Read: time.Now().Add(time.Minute)}}}})
	}
	var readers sync.WaitGroup
	var failed atomic.Int32
	for r := range 16 {
		readers.Go(func() {
			for i := r; i < shares; i += 16 {
				got := make([]byte, 1000)
				if _, err := transfers[i].ReadAt(got, 0); err != nil || string(got) != string(contents[i]) {
					failed.Add(1)
					t.Logf("share %d: %v", i, err)
				}
			}
		})
	}
	readers.Wait()
	if n := failed.Load(); n > 0 {
		t.Fatalf("%d of %d shares could not be read", n, shares)
	}
	b.crash()
}
