package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Remove closes t and makes the Ledger forget it. With data it also deletes the
// files that were fetched, and the folders that are empty then; what else is in
// them stays, and so does what is Own, and a file that was there before and only
// found to be right. After an error, of kind share.Disk,
// nothing is forgotten and Remove can be called again.
func (t *Transfer) Remove(ctx context.Context, data bool) error {
	t.mu.Lock()
	t.closed, t.removed = true, true
	t.mu.Unlock()
	t.batching.Lock()
	defer t.batching.Unlock()
	t.closeFiles()
	if data && t.own == nil {
		if err := t.removeData(); err != nil {
			return diskError("deleting %s: %w", t.Path(), err)
		}
	}
	t.store.release(t)
	if err := t.store.cfg.Ledger.Delete(ctx, t.info.ID); err != nil {
		return diskError("forgetting %q: %w", t.info.Name, err)
	}
	return nil
}

func (t *Transfer) removeData() error {
	t.opening.Lock()
	defer t.opening.Unlock()
	d, err := t.store.disk.folder(t.dir, t.layout.base, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.Close()
	var errs []error
	folders := map[string]struct{}{}
	for _, f := range t.layout.folders {
		addFolders(folders, f)
	}
	for i := range t.files {
		if !t.onDisk(i) {
			continue
		}
		f, names := &t.files[i], t.layout.names[i]
		addFolders(folders, path.Dir(names.final))
		if t.stateOf(i) == final && !f.foreign && !f.before {
			errs = append(errs, gone(d.remove(names.final)))
		}
		if names.part != "" {
			errs = append(errs, gone(d.remove(names.part)))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	deepest := make([]string, 0, len(folders))
	for f := range folders {
		deepest = append(deepest, f)
	}
	slices.SortFunc(deepest, func(a, b string) int { return strings.Count(b, "/") - strings.Count(a, "/") })
	for _, f := range deepest {
		_ = d.remove(f) // fails where something else is in it
	}
	if t.layout.base == "" {
		return d.syncDir(".")
	}
	parent, err := t.store.disk.folder(t.dir, "", false)
	if err != nil {
		return fmt.Errorf("opening the folder above: %w", err)
	}
	defer parent.Close()
	_ = parent.remove(t.layout.base)
	return parent.syncDir(".")
}

// gone is err, but for what is not there.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || kindOf(err) == ErrMissing {
		return nil
	}
	return err
}

// addFolders adds a folder and those above it.
func addFolders(set map[string]struct{}, name string) {
	for name != "." && name != "" {
		if _, ok := set[name]; ok {
			return
		}
		set[name] = struct{}{}
		name = path.Dir(name)
	}
}
