package storage

import "time"

// A file is in doubt when its size and mtime are what they were, and its ctime or
// inode is not: somebody changed its mode, made a hard link, restored a backup, or
// wrote to it and put the mtime back. Its pieces are not durable until they were
// hashed again. Meanwhile they are served, each after it was hashed.

// Doubtful lists the pieces that are served, but not durable before they were
// hashed again: call HashPiece for each.
func (t *Transfer) Doubtful() []int {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []int
	t.known.doubt.each(func(p int) bool {
		list = append(list, p)
		return true
	})
	return list
}

func sinceOf(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixNano()
}
