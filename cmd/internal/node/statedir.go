package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

// ErrForeign is wrapped by the error for a directory that is neither empty nor a state
// directory.
var ErrForeign = errors.New("no state of shoal")

const (
	stateName   = "state.db"
	lockName    = "lock"
	torrentsDir = "torrents"
	channelsDir = "channels"
)

// ownNames are what a state directory may contain before it has a state.db, as patterns
// of path.Match. lost+found is at the root of a file system.
var ownNames = []string{
	lockName, socketName, credentialsName, ".credentials-*", "dht.nodes*", "index.db*", stateName + "*", sumName + "*",
	torrentsDir, channelsDir, spoolName, "lost+found",
}

// contents is what survey found in a state directory.
type contents struct {
	missing  bool   // there is no such directory
	database bool   // there is a state.db
	foreign  string // a name that is not ours, if database is false
	torrents int    // with or without notes
	keys     int    // of channels
}

// lost reports whether the directory had a database that is gone.
func (c *contents) lost() bool { return !c.database && c.torrents+c.keys > 0 }

// survey reads the names in a state directory. It changes nothing.
func survey(dir string) (*contents, error) {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &contents{missing: true}, nil
	case err != nil:
		if fi, serr := os.Stat(dir); serr == nil && !fi.IsDir() {
			return nil, share.Errorf(share.Usage, "the state directory %s is a file; give a directory with --state", dir)
		}
		return nil, share.Errorf(share.Disk, "reading the state directory: %w", err)
	}
	c := &contents{}
	for _, e := range entries {
		if e.Name() == stateName {
			c.database = true
		}
		ours := slices.ContainsFunc(ownNames, func(pattern string) bool {
			ok, err := filepath.Match(pattern, e.Name())
			return err == nil && ok
		})
		if !ours && c.foreign == "" {
			c.foreign = e.Name()
		}
	}
	c.torrents, c.keys = countKept(dir)
	return c, nil
}

// countKept counts what a node has stored beside its database.
func countKept(dir string) (torrents, keys int) {
	names, _ := os.ReadDir(filepath.Join(dir, torrentsDir))
	ids := map[string]bool{}
	for _, e := range names {
		stem, ext, _ := strings.Cut(e.Name(), ".")
		if _, err := share.ParseID(stem); err == nil && (ext == "torrent" || ext == "note") {
			ids[stem] = true
		}
	}
	names, _ = os.ReadDir(filepath.Join(dir, channelsDir))
	for _, e := range names {
		stem, ext, _ := strings.Cut(e.Name(), ".")
		if _, err := index.ParseChannelID(stem); err == nil && ext == "key" {
			keys++
		}
	}
	return len(ids), keys
}

// checkStateDir refuses a directory that is not a state directory and not empty. It
// changes nothing.
func checkStateDir(dir string) (*contents, error) {
	c, err := survey(dir)
	if err != nil {
		return nil, err
	}
	if c.foreign != "" && !c.database && !c.lost() {
		return nil, share.Errorf(share.Usage, "%s has %w and is not empty (there is %q): nothing was changed; give an empty or a new directory with --state", dir, ErrForeign, c.foreign)
	}
	return c, nil
}

// makeStateDir makes the state directory if there is none.
func makeStateDir(dir string) (made bool, err error) {
	c, err := checkStateDir(dir)
	if err != nil || !c.missing {
		return false, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return false, share.Errorf(share.Disk, "making the state directory: %w", err)
	}
	return true, nil
}

// HasState reports whether a node has run on a state directory. It changes nothing. A
// directory with other files is an error.
func HasState(dir string) (bool, error) {
	c, err := checkStateDir(dir)
	if err != nil {
		return false, err
	}
	return c.database || c.lost(), nil
}

// removeDB removes a database that was just made.
func removeDB(name string) {
	for _, suffix := range [...]string{"", "-wal", "-shm", "-journal"} {
		os.Remove(name + suffix)
	}
}

// kept describes what a state directory has beside its database.
func (c *contents) kept() string {
	var parts []string
	if c.torrents > 0 {
		parts = append(parts, fmt.Sprintf("%d in %s/", c.torrents, torrentsDir))
	}
	if c.keys > 0 {
		parts = append(parts, fmt.Sprintf("%d keys in %s/", c.keys, channelsDir))
	}
	return strings.Join(parts, " and ")
}
