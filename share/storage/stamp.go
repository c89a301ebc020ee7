package storage

import (
	"io/fs"
	"time"
)

// stamp identifies a version of a file. A ctime or inode of 0 is unknown. The
// device number is no part of it: many file systems get another one at each boot.
type stamp struct {
	size  int64
	mtime int64 // nanoseconds since 1970, as is ctime
	// ctime is when the content, the size, the name or the mode last changed. No
	// program can set it, so it shows a write even if the mtime was put back.
	ctime int64
	inode uint64
}

// stampOf returns the stamp of a file.
func stampOf(fi fs.FileInfo) stamp {
	s := stamp{size: fi.Size(), mtime: fi.ModTime().UnixNano()}
	s.ctime, s.inode = changeOf(fi.Sys())
	return s
}

// likeness is how two stamps of one name compare.
type likeness uint8

const (
	// sameFile: the content is what it was.
	sameFile likeness = iota
	// restamped: size and mtime are the same, and ctime or inode is not. A chmod, a
	// new hard link, a restored backup and a program that puts the mtime back after
	// a write look like this. Only a hash of the content can tell.
	restamped
	// otherFile: size or mtime differ.
	otherFile
)

// compareStamps tells what became of a file that had the stamp was.
func compareStamps(was, now stamp) likeness {
	switch {
	case was.size != now.size || was.mtime != now.mtime:
		return otherFile
	case was.ctime != 0 && now.ctime != 0 && was.ctime != now.ctime,
		was.inode != 0 && now.inode != 0 && was.inode != now.inode:
		return restamped
	}
	return sameFile
}

// File systems take their times from a clock with ticks of up to 10 ms. Some keep
// whole seconds only, and FAT even seconds.
const (
	tick       = 20 * time.Millisecond
	coarseTick = 2 * time.Second
)

// settled returns how long after now it takes until a write to a file with this
// ctime is certain to change its ctime. A write before that may leave no trace.
func settled(ctime int64, now time.Time) time.Duration {
	if ctime == 0 {
		return 0
	}
	wait := tick
	if ctime%int64(time.Second) == 0 {
		wait = coarseTick
	}
	age := now.Sub(time.Unix(0, ctime))
	if age < 0 { // the clock was set back: the time to wait is unknown
		return 0
	}
	return max(0, wait-age)
}

// changer is what Sys returns for a file of a simulated disk.
type changer interface {
	change() (ctime int64, inode uint64)
}

// writtenAnew tells whether a program has written a file, or replaced it, since it
// had the stamp was. A chmod does neither.
func writtenAnew(was, now stamp) bool {
	return compareStamps(was, now) == otherFile || was.inode != 0 && now.inode != 0 && was.inode != now.inode
}
