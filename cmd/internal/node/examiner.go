package node

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/share"
)

// examiner tries on this machine what a configuration would need, before it is saved.
type examiner struct {
	current func() *config.Config
	ports   *ports
}

// allows refuses a configuration that a node here could not start or work with. It looks
// only at what would change.
func (e *examiner) allows(next *config.Config) error {
	now := e.current()
	if next.Downloads != now.Downloads {
		if err := takesFiles(next.Downloads); err != nil {
			return share.Errorf(share.Usage, "downloads: %w", err)
		}
	}
	for _, dir := range slices.Concat(next.Watch, next.ShareWatch) {
		if slices.Contains(now.Watch, dir) || slices.Contains(now.ShareWatch, dir) {
			continue
		}
		// A folder that does not exist yet is waited for.
		if fi, err := os.Stat(dir); err == nil && !fi.IsDir() {
			return share.Errorf(share.Usage, "%s is not a folder", dir)
		}
	}
	return e.listens(next)
}

// listens tries the listeners for peers that the node does not have yet.
func (e *examiner) listens(next *config.Config) error {
	had := e.ports.addresses()
	for _, text := range next.Listen {
		a, err := config.ParseEndpoint(text)
		if err != nil {
			return err
		}
		has := slices.ContainsFunc(had, func(h netip.AddrPort) bool {
			return h.Port() == a.Port() && (h.Addr().Unmap() == a.Addr().Unmap() || h.Addr().IsUnspecified() || a.Addr().IsUnspecified())
		})
		if has && (a.Addr().Is6() || next.IPv4) {
			continue
		}
		p := &ports{}
		err = p.bind(a, next.IPv4)
		p.close()
		if err != nil {
			return share.Errorf(share.Usage, "the node cannot listen at %s: %w", text, err)
		}
	}
	return nil
}

// takesFiles tries whether files can be written into a folder, or into the first one above
// it that exists.
func takesFiles(dir string) error {
	for at := dir; ; at = filepath.Dir(at) {
		fi, err := os.Stat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist) && at != filepath.Dir(at):
			continue
		case err != nil:
			return err
		case !fi.IsDir():
			return share.Errorf(share.Usage, "%s is not a folder", at)
		}
		f, err := os.CreateTemp(at, ".shoal-*")
		if err != nil {
			return share.Errorf(share.Usage, "nothing can be written to %s: %w", at, errors.Unwrap(err))
		}
		return errors.Join(f.Close(), os.Remove(f.Name()))
	}
}
