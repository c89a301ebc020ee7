package uploads

import (
	"cmp"
	"context"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

var _ api.Box = (*box)(nil)

// box takes the files of one folder. What is below store is guarded by store.mu; the
// fields that never change may be read without it: ID, Kind, Folder, Tree, Created.
type box struct {
	store *Store
	record
	files   map[string]*file
	numbers int64  // of the latest complete file
	trouble string // of the latest file that was not taken
	disk    string // that the folder is on; "" until it was asked for
}

// file is a file of a box.
type file struct {
	fileRecord
	sent int64 // bytes that were written; at least Synced
}

// Terms implements api.Box.
func (b *box) Terms() api.Coming {
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	return b.terms()
}

// terms describes the box; mu is held.
func (b *box) terms() api.Coming {
	c := api.Coming{
		ID: b.ID, Kind: b.Kind, Name: b.Name, Folder: b.Folder, Created: b.Created, Updated: b.Updated, Files: b.Files, Bytes: b.Bytes,
		MaxFiles: b.MaxFiles, MaxSize: b.MaxSize, Deliveries: b.Deliveries, Ended: b.Ended, Trouble: b.trouble,
		Open: []api.ComingFile{}, Latest: []api.ComingFile{},
	}
	files := make([]*file, 0, len(b.files))
	for _, f := range b.files {
		files = append(files, f)
		c.Sent += f.sent
		c.Active = c.Active || b.store.holds[f.ID] != nil
		if f.Number > 0 {
			c.Arrived++
			c.Taken += f.Size
		} else {
			c.Unfinished++
		}
	}
	slices.SortFunc(files, func(x, y *file) int { return cmp.Or(cmp.Compare(y.Number, x.Number), y.Updated.Compare(x.Updated)) })
	for _, f := range files {
		if f.Number == 0 && len(c.Open) < shownFiles {
			c.Open = append(c.Open, b.shown(f))
		} else if f.Number > 0 && len(c.Latest) < shownFiles {
			c.Latest = append(c.Latest, b.shown(f))
		}
	}
	if b.Kind == api.ComingUpload && c.Arrived == b.Files {
		c.Root = b.Folder
		if !b.Tree && len(c.Latest) == 1 {
			c.Root = c.Latest[0].Stored
		}
	}
	return c
}

func (b *box) shown(f *file) api.ComingFile {
	v := api.ComingFile{ID: f.ID, Path: f.Path, Size: f.Size, Modified: f.Modified, Sent: f.sent, Number: f.Number}
	if f.Number > 0 {
		v.Stored = filepath.Join(b.Folder, filepath.FromSlash(f.Stored))
	}
	return v
}

// list copies the files: complete ones by their numbers, then the others.
func (b *box) list() []file {
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	all := make([]file, 0, len(b.files))
	for _, f := range b.files {
		all = append(all, *f)
	}
	last := func(f *file) int64 {
		if f.Number == 0 {
			return math.MaxInt64
		}
		return f.Number
	}
	slices.SortFunc(all, func(x, y file) int {
		return cmp.Or(cmp.Compare(last(&x), last(&y)), x.Begun.Compare(y.Begun), strings.Compare(x.ID, y.ID))
	})
	return all
}

// promised is how many bytes are still to be written.
func (b *box) promised() int64 {
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	var sent, open int64
	for _, f := range b.files {
		sent += f.sent
		if f.Number == 0 {
			open += f.Size - f.sent
		}
	}
	switch {
	case b.Ended:
		return 0
	case b.Kind == api.ComingUpload:
		return max(0, b.Bytes-sent)
	}
	return open
}

// diskName names the disk of the folder.
func (b *box) diskName() string {
	b.store.mu.Lock()
	name := b.disk
	b.store.mu.Unlock()
	if name == "" {
		name = b.store.cfg.Disk(b.Folder) // may wait for the disk
		b.store.mu.Lock()
		b.disk = name
		b.store.mu.Unlock()
	}
	return name
}

// Begin implements api.Box.
func (b *box) Begin(n api.NewFile) (api.ComingFile, error) {
	f, err := b.begin(n, false)
	if err != nil {
		return api.ComingFile{}, b.failed(err)
	}
	return b.shown(&f), nil
}

func (b *box) begin(n api.NewFile, loose bool) (file, error) {
	path, err := b.clean(n.Path)
	if err != nil {
		return file{}, err
	}
	if n.Size < 0 || n.Size > maxSize {
		return file{}, share.Errorf(share.Usage, "%w: %d bytes", api.ErrTooLarge, n.Size)
	}
	b.store.mu.Lock()
	known, again := b.begun(path, n)
	b.store.mu.Unlock()
	if again {
		return known, nil
	}
	b.giveWay()
	b.store.mu.Lock()
	err = b.admits(n.Size)
	b.store.mu.Unlock()
	if err == nil && b.Kind == api.ComingReceive { // the owner's have their room since they began
		err = b.store.room(b.Folder, n.Size)
	}
	if err != nil {
		return file{}, err
	}
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	if known, again := b.begun(path, n); again {
		return known, nil
	}
	if err := b.admits(n.Size); err != nil {
		return file{}, err
	}
	now := b.store.cfg.Now().UTC()
	f := &file{fileRecord: fileRecord{ID: newID(), Path: path, Size: n.Size, Modified: n.Modified, Key: n.Key, Begun: now, Updated: now, Loose: loose}}
	f.Part = partName(path, f.ID)
	if err := b.store.records.saveFile(b.ID, &f.fileRecord); err != nil {
		return file{}, err
	}
	b.files[f.ID] = f
	return *f, nil
}

// begun finds the file of a key; mu is held.
func (b *box) begun(path string, n api.NewFile) (file, bool) {
	for _, f := range b.files {
		if n.Key != "" && f.Key == n.Key && f.Path == path && f.Size == n.Size && !b.Ended {
			return *f, true
		}
	}
	return file{}, false
}

// admits refuses a file that is more than the box takes; mu is held.
func (b *box) admits(size int64) error {
	var taken int64
	open := 0
	for _, f := range b.files {
		taken += f.Size
		if f.Number == 0 {
			open++
		}
	}
	switch {
	case b.Ended:
		return notComing(b.ID)
	case len(b.files) >= b.MaxFiles:
		return share.Errorf(share.Refused, "%w: at most %d", api.ErrTooMany, b.MaxFiles)
	case (b.MaxSize > 0 || b.Kind == api.ComingUpload) && size > b.MaxSize-taken:
		return share.Errorf(share.Refused, "%w: %s are left of %s", api.ErrTooLarge, humanize.IBytes(uint64(max(0, b.MaxSize-taken))), humanize.IBytes(uint64(b.MaxSize)))
	case b.Kind == api.ComingReceive && open >= maxUnfinished:
		return share.Errorf(share.Refused, "%w: %d were begun and are not complete", api.ErrTooMany, open)
	}
	return nil
}

// giveWay gives up the file of a stranger that rested longest if too many were begun.
func (b *box) giveWay() {
	if b.Kind != api.ComingReceive {
		return
	}
	var oldest *file
	open := 0
	for _, f := range b.list() {
		if f.Number > 0 {
			continue
		}
		open++
		if (oldest == nil || f.Updated.Before(oldest.Updated)) && !b.store.held(f.ID) {
			oldest = &f
		}
	}
	if open >= maxUnfinished && oldest != nil && b.store.cfg.Now().Sub(oldest.Updated) >= idleTime {
		b.store.warn(b.drop(context.Background(), oldest.ID))
	}
}

// clean checks the path of a file. Those of strangers are made harmless, those of the
// owner are kept as they are or refused.
func (b *box) clean(path string) (string, error) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if b.Kind == api.ComingReceive {
		parts = slices.DeleteFunc(parts, func(p string) bool { return p == "" || p == "." || p == ".." })
	}
	switch {
	case len(parts) == 0:
		return "", checkName("")
	case len(path) > maxPath || len(parts) > maxDepth:
		return "", share.Errorf(share.Usage, "%w: it is longer than %d bytes, or in more than %d folders", api.ErrBadName, maxPath, maxDepth)
	case b.Kind == api.ComingUpload && !b.Tree && len(parts) > 1:
		return "", share.Errorf(share.Usage, "%w: this upload is a single file", api.ErrBadName)
	}
	for i, p := range parts {
		if b.Kind == api.ComingReceive {
			p = harmless(p, b.store.cfg.Clean)
		}
		if err := checkName(p); err != nil {
			return "", err
		}
		parts[i] = p
	}
	return strings.Join(parts, "/"), nil
}

// failed remembers why a file was not taken, for the owner.
func (b *box) failed(err error) error {
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	b.trouble = err.Error()
	return err
}

// known returns a copy of a file.
func (b *box) known(id string) (file, error) {
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	f := b.files[id]
	if f == nil {
		return file{}, notComing(id)
	}
	return *f, nil
}

// change changes a file and saves it, unless the box or the file is gone.
func (b *box) change(id string, do func(*file)) error {
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	f := b.files[id]
	if f == nil {
		return notComing(id)
	}
	do(f)
	now := b.store.cfg.Now().UTC()
	f.Updated, b.Updated = now, now
	return b.store.records.saveFile(b.ID, &f.fileRecord)
}

// File implements api.Box.
func (b *box) File(id string) (api.ComingFile, error) {
	f, err := b.known(id)
	if err == nil && f.Number == 0 {
		if err = b.check(id); err == nil {
			f, err = b.known(id)
		}
	}
	if err != nil {
		return api.ComingFile{}, err
	}
	return b.shown(&f), nil
}

// Hold implements api.Box.
func (b *box) Hold(ctx context.Context, id string, interrupt func()) (func(), error) {
	return b.store.take(ctx, id, interrupt)
}

// Take implements api.Box.
func (b *box) Take(ctx context.Context, n api.NewFile, r io.Reader) (api.ComingFile, error) {
	n.Size = min(n.Size, b.left())
	f, err := b.begin(n, true)
	if err != nil {
		return api.ComingFile{}, b.failed(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	release, err := b.store.take(ctx, f.ID, cancel)
	if err != nil {
		return api.ComingFile{}, err
	}
	defer release()
	all := &whole{r: contextReader{ctx, r}, most: n.Size}
	if _, err = b.Append(ctx, f.ID, all); err == nil {
		err = all.end()
	}
	if err == nil {
		err = b.change(f.ID, func(f *file) { f.Size, f.Loose = f.sent, false })
	}
	if err == nil {
		err = b.Finish(f.ID)
	}
	if err != nil {
		return api.ComingFile{}, cmp.Or(b.failed(err), b.discard(f.ID))
	}
	return b.File(f.ID)
}

// left is how many bytes the box still takes.
func (b *box) left() int64 {
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	if b.MaxSize == 0 {
		return maxSize
	}
	left := b.MaxSize
	for _, f := range b.files {
		left -= f.Size
	}
	return max(0, left)
}

// whole reads at most so many bytes, and knows whether they were all.
type whole struct {
	r    io.Reader
	most int64
	err  error // why there were no more
}

func (w *whole) Read(p []byte) (int, error) {
	n, err := w.r.Read(p[:min(int64(len(p)), w.most)])
	w.most -= int64(n)
	w.err = err
	return n, err
}

// end returns an error unless everything was read.
func (w *whole) end() error {
	var one [1]byte
	for n := 0; w.err == nil; {
		if n, w.err = w.r.Read(one[:]); n > 0 {
			return share.Errorf(share.Refused, "%w", api.ErrTooLarge)
		}
	}
	if w.err == io.EOF {
		return nil
	}
	return w.err
}

// Delivered implements api.Box.
func (b *box) Delivered() error {
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	if b.Ended {
		return notComing(b.ID)
	}
	b.Deliveries++
	return b.store.records.saveBox(&b.record)
}

// end takes no more files.
func (b *box) end() error {
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	b.Ended = true
	return b.store.records.saveBox(&b.record)
}

// waitTime is how long a request may take to let go of a file that is deleted.
const waitTime = 20 * time.Second

// Discard implements api.Box. The caller holds the file.
func (b *box) Discard(id string) error { return b.discard(id) }

// drop discards a file that somebody else may hold.
func (b *box) drop(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, waitTime)
	defer cancel()
	release, err := b.store.take(ctx, id, func() {})
	if err != nil {
		return err
	}
	defer release()
	return b.discard(id)
}

// dropOpen discards what is not complete.
func (b *box) dropOpen(ctx context.Context) error {
	for _, f := range b.list() {
		if f.Number == 0 {
			if err := b.drop(ctx, f.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// discard deletes a file that is not complete and its record.
func (b *box) discard(id string) error {
	f, err := b.known(id)
	if err != nil {
		return err
	}
	if f.Number > 0 {
		return share.Errorf(share.Usage, "this file is complete and stays")
	}
	if err := b.removePart(f.Part); err != nil {
		return err
	}
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	if err := b.store.records.dropFile(id); err != nil {
		return err
	}
	delete(b.files, id)
	return nil
}
