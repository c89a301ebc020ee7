package node

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/shoalnet/shoal/index/channel"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// withheld decides what must never be shared from this host, and what only with a
// confirmation.
type withheld struct {
	state     string        // the state directory, without symbolic links
	self      fs.FileInfo   // of state; nil if it does not exist, for a node that only looks
	downloads func() string // may be below state, and may be shared
}

func newWithheld(state string, downloads func() string) *withheld {
	w := &withheld{state: realPath(state), downloads: downloads}
	w.self, _ = os.Stat(w.state)
	return w
}

var (
	errStateDir = errors.New("this is the state directory, which has secret keys and is never shared")
	errKey      = errors.New("this is the secret key of a channel, which is never shared; keep it elsewhere, or exclude it")
)

// admit refuses a path before anything of it is read. sure is a confirmation.
func (w *withheld) admit(path string, exclude []string, sure bool) error {
	path = filepath.Clean(path) // like the engine
	info, err := os.Stat(path)
	if err != nil {
		return nil // the engine says why
	}
	real := realPath(path)
	switch {
	case w.inside(real):
		return share.Errorf(share.Usage, "sharing %s: %w", path, errStateDir)
	case len(exclude) == 0 && holds(info, w.state):
		return share.Errorf(share.Usage, "sharing %s: the state directory %s is in it, which has secret keys and is never shared; exclude it, or share another folder", path, w.state)
	}
	if sure || !info.IsDir() {
		return nil
	}
	what := ""
	if filepath.Dir(real) == real {
		what = "everything on this machine"
	}
	for _, home := range homes() {
		home = realPath(home)
		if fi, err := os.Stat(home); err != nil || what != "" || filepath.Dir(home) == home {
			continue
		} else if os.SameFile(fi, info) {
			what = "a home directory"
		} else if holds(info, home) {
			what = "home directories"
		}
	}
	if what == "" {
		return nil
	}
	return share.Errorf(share.Usage, "%s is %s: all of it would be shared, including hidden files such as keys and passwords; %w", path, what, api.ErrUnconfirmed)
}

// inside reports whether a path without symbolic links is the state directory, or below
// it and neither among the downloads nor a file in the spool.
func (w *withheld) inside(path string) bool {
	return holds(w.self, path) && !within(path, realPath(w.downloads())) && !inSpool(w.state, path)
}

// guard refuses a file or folder that is reached while sharing, also through a symbolic
// link or another mount of the state directory.
func (w *withheld) guard(path string, info fs.FileInfo) error {
	if os.SameFile(info, w.self) || within(path, w.state) && w.inside(path) {
		return errStateDir
	}
	if info.Mode().IsRegular() && info.Size() <= channel.MaxKeyText && isKey(path) {
		return errKey
	}
	return nil
}

func isKey(path string) bool {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false // it cannot be shared either
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, channel.MaxKeyText))
	return err == nil && channel.IsKey(text)
}

// holds reports whether a path without symbolic links is the folder or below it.
func holds(folder fs.FileInfo, path string) bool {
	for {
		if fi, err := os.Stat(path); err == nil && os.SameFile(fi, folder) {
			return true
		}
		above := filepath.Dir(path)
		if above == path {
			return false
		}
		path = above
	}
}

// realPath returns a path without symbolic links, if they can be resolved.
func realPath(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return filepath.Clean(path)
}

// homes returns the home directories of the users of this machine that are known.
func homes() (dirs []string) {
	if home, err := os.UserHomeDir(); err == nil {
		dirs = append(dirs, home)
	}
	if u, err := user.Current(); err == nil && u.HomeDir != "" {
		dirs = append(dirs, u.HomeDir)
	}
	accounts, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return dirs
	}
	for line := range strings.Lines(string(accounts)) {
		const uid, home, fields = 2, 5, 7
		f := strings.Split(line, ":")
		if len(f) != fields || !filepath.IsAbs(f[home]) {
			continue
		}
		// Lower numbers are services, whose homes are anywhere.
		const people, nobody = 1000, 65534
		if n, err := strconv.Atoi(f[uid]); err == nil && (n >= people && n < nobody || n == 0) {
			dirs = append(dirs, f[home])
		}
	}
	return dirs
}
