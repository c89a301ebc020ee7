package storage

import (
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// changeOf returns when a file last changed, and its inode.
func changeOf(sys any) (ctime int64, inode uint64) {
	switch s := sys.(type) {
	case *syscall.Stat_t:
		return s.Ctim.Nano(), s.Ino
	case changer:
		return s.change()
	}
	return 0, 0
}

// stampOpen returns the stamp of an open file. It is called after each block that
// is served: os.File.Stat takes twice as long, and allocates.
func stampOpen(f *os.File) (stamp, error) {
	var s unix.Stat_t
	for {
		err := unix.Fstat(int(f.Fd()), &s)
		runtime.KeepAlive(f)
		if err == nil {
			return stamp{s.Size, s.Mtim.Nano(), s.Ctim.Nano(), s.Ino}, nil
		}
		if err != unix.EINTR {
			return stamp{}, &os.PathError{Op: "stat", Path: f.Name(), Err: err}
		}
	}
}

// traitsOf returns the traits of the file system by its type.
func traitsOf(dir string) traits {
	var s unix.Statfs_t
	if unix.Statfs(dir, &s) != nil {
		return traits{inodes: true, times: true}
	}
	switch uint32(s.Type) {
	case unix.MSDOS_SUPER_MAGIC, unix.EXFAT_SUPER_MAGIC, unix.FUSE_SUPER_MAGIC,
		unix.CIFS_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.SMB_SUPER_MAGIC:
		return traits{}
	case unix.NFS_SUPER_MAGIC, unix.V9FS_MAGIC, unix.AFS_SUPER_MAGIC, unix.CEPH_SUPER_MAGIC:
		return traits{inodes: true}
	}
	return traits{inodes: true, times: true}
}
