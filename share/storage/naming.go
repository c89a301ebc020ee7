package storage

import (
	"errors"
	"path"
	"path/filepath"
	"strings"

	"github.com/shoalnet/shoal/share"
)

// naming changes the names of files while a transfer is open: another program may
// have taken the name that was chosen, or the user keeps a file that has it. It notes
// names in memory; the caller records them before a file on disk gets them.
type naming struct {
	*memory
	claims claims
}

// claims are the paths that belong to open transfers.
type claims interface {
	// claimed tells whether a path belongs to one.
	claimed(path string) bool
	// claimMore notes that another path belongs to this one.
	claimMore(path string)
}

// freshPart makes sure that nothing has the part name of entry i. opening is held.
func (n *naming) freshPart(i int) error {
	if !strings.HasSuffix(n.layout.names[i].part, partEnding(n.info.ID)) {
		return n.changePart(i) // of a file that was completed in place, or of an old record
	}
	_, err := n.stat(n.layout.names[i].part)
	if err == nil || !absentFile(err) {
		if err != nil {
			return share.Wrapf("looking at %s: %w", n.layout.names[i].part, err)
		}
		return n.changePart(i)
	}
	return nil
}

// changePart gives entry i a part name that is free. The next record tells so.
// opening is held.
func (n *naming) changePart(i int) error {
	v, err := n.place.freePart(i)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.layout.names[i].part = v
	n.relayout, n.known.stale = true, true
	return nil
}

// otherPart gives entry i another part name, because another program made a file
// with the old one. It returns errPartTaken for the write that ran into that file.
// opening is held.
func (n *naming) otherPart(i int) error {
	old := n.layout.names[i].part
	if err := n.changePart(i); err != nil {
		return err
	}
	return share.Wrapf("%s was made by another program: %w", old, errPartTaken)
}

// errPartTaken says that the file has another part name now. The caller records it
// and tries again.
var errPartTaken = errors.New("the part name was taken")

// nextName gives entry i a final name that nothing has. The caller records it.
// opening is held.
func (n *naming) nextName(i int) error {
	own := path.Base(n.layout.names[i].final)
	if e := n.info.Files[i].Path; len(e) > 0 {
		own = e[len(e)-1]
	}
	v, err := n.freeFinal(i, own, n.claims.claimed)
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.layout.names[i].final = v
	n.relayout, n.known.stale = true, true
	n.mu.Unlock()
	if n.layout.base == "" {
		n.claims.claimMore(filepath.Join(n.dir, v))
	}
	return nil
}

// chooseBeside gives entry i a final name other than that of the user's file.
func (n *naming) chooseBeside(i int) error {
	n.opening.Lock()
	defer n.opening.Unlock()
	names := &n.layout.names[i]
	if names.user != names.final {
		return nil
	}
	return n.nextName(i)
}

// intendSpill notes that the transfer is about to make the spill of entry i. The
// caller records that first.
func (n *naming) intendSpill(i int, u *userFile) error {
	n.opening.Lock()
	defer n.opening.Unlock()
	n.mu.Lock()
	known := u.spill
	n.mu.Unlock()
	if known {
		return nil
	}
	if err := n.freshPart(i); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	u.spill, n.known.stale = true, true
	return nil
}

// intendFiles notes that the transfer is about to make the absent entries from first
// to last, under their part names. The caller records that first.
func (n *naming) intendFiles(first, last int) error {
	n.opening.Lock()
	defer n.opening.Unlock()
	for i := first; i <= last; i++ {
		if !n.onDisk(i) || n.info.Files[i].Length == 0 {
			continue
		}
		n.mu.Lock()
		skip := n.files[i].state != absent || n.files[i].created
		n.mu.Unlock()
		if skip {
			continue
		}
		if err := n.freshPart(i); err != nil {
			return err
		}
		n.mu.Lock()
		n.files[i].created, n.known.stale = true, true
		n.mu.Unlock()
	}
	return nil
}

// giveToUser treats complete file i, in which something is wrong, as the user's, who
// may have edited it.
func (n *naming) giveToUser(i int) {
	n.opening.Lock()
	defer n.opening.Unlock()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.files[i].state == final {
		n.takeUser(i, n.layout.names[i].final)
	}
}
