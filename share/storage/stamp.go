package storage

import (
	"io/fs"
	"time"
)

// stamp is what a file is recognised by. Of what is 0 in ctime and inode nothing
// is known. The number of the device is no part of it: for many file systems it
// is another one after each start.
type stamp struct {
	size  int64
	mtime int64 // nanoseconds since 1970, as is ctime
	// ctime is when the content, the size, the name or the mode last changed. No
	// program can set it: it tells of a write whose mtime was put back.
	ctime int64
	inode uint64
}

// stampOf is the stamp of a file that was looked at.
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
	// restamped: size and mtime are what they were, and ctime or inode is not. A
	// chmod, a new hard link, a restored backup and a program that puts the mtime
	// back after a write look like this: the content has to be hashed to know.
	restamped
	// otherFile: size or mtime differ.
	otherFile
)

// compareStamps tells what became of a file that had the first stamp.
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

// The clock that file systems take their times from goes in ticks of up to 10 ms;
// some keep whole seconds only, FAT every other.
const (
	tick       = 20 * time.Millisecond
	coarseTick = 2 * time.Second
)

// settled is how long after now a write to a file with the given ctime is sure to
// give it another one. What is hashed before may be changed without a trace.
func settled(ctime int64, now time.Time) time.Duration {
	if ctime == 0 {
		return 0
	}
	wait := tick
	if ctime%int64(time.Second) == 0 {
		wait = coarseTick
	}
	age := now.Sub(time.Unix(0, ctime))
	if age < 0 { // the clock was set back; nobody knows how long to wait
		return 0
	}
	return max(0, wait-age)
}

// changer is a file of a disk that is no file system, as in tests.
type changer interface {
	change() (ctime int64, inode uint64)
}

// writtenAnew tells whether somebody has written a file, or put another in its
// place, since it had the first stamp. A chmod has not.
func writtenAnew(was, now stamp) bool {
	return compareStamps(was, now) == otherFile || was.inode != 0 && now.inode != 0 && was.inode != now.inode
}
