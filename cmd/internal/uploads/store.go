package uploads

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base32"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// Config has the dependencies of a Store.
type Config struct {
	DB      *sql.DB
	Logger  *slog.Logger
	Now     func() time.Time
	Folder  func() string                   // of the owner's uploads, absolute; created for the first one
	Free    func(folder string) int64       // bytes free there; -1 if not known
	Disk    func(folder string) string      // names the disk of a folder; "" if not known
	MinFree func() int64                    // bytes that must stay free
	Into    func() string                   // of the folders for what strangers send, absolute
	Clean   func(name string) (safe string) // makes one element of a stranger's path harmless everywhere
}

const (
	// The owner is asked for the rest of an upload for a week. Strangers who left one
	// are not expected back after two days.
	uploadLife  = 7 * 24 * time.Hour
	receiveLife = 2 * 24 * time.Hour
	sweepTime   = 10 * time.Minute
	// maxFiles bounds the records of a box.
	maxFiles = 10_000
	// maxUnfinished bounds the files of a receive link that are begun and not complete.
	// A browser sends one or two at a time.
	maxUnfinished = 64
	// idleTime is how long such a file rests before it gives way to a new one.
	idleTime = 5 * time.Minute
	// maxBoxes bounds the uploads of the owner that are not over.
	maxBoxes = 1000
	// maxSize is more than any disk has, and far from overflow.
	maxSize = 1 << 50
	// shownFiles are listed with a box.
	shownFiles = 20
)

// Store is all boxes of a node and the folder of the owner's uploads.
type Store struct {
	cfg     Config
	records records
	making  sync.Mutex // held by Create

	mu      sync.Mutex
	boxes   map[string]*box
	holds   map[string]*hold // by file
	damaged int
	single  map[string]int // names in the folder of uploads that Upload writes to
}

// Open reads what the state knows of uploads. It changes nothing on disk beside the
// tables.
func Open(c Config) (*Store, error) {
	r, err := openRecords(c.DB)
	if err != nil {
		return nil, err
	}
	s := &Store{cfg: c, records: r, holds: map[string]*hold{}, single: map[string]int{}}
	if s.boxes, s.damaged, err = r.load(); err != nil {
		return nil, err
	}
	for _, b := range s.boxes {
		b.store = s
		for _, f := range b.files {
			b.numbers = max(b.numbers, f.Number)
		}
	}
	return s, nil
}

// Damaged is how many records could not be read.
func (s *Store) Damaged() int { return s.damaged }

// Folder is where the owner's uploads are stored.
func (s *Store) Folder() string { return s.cfg.Folder() }

// Run cleans up what an earlier process left and what nobody continued, until ctx ends.
func (s *Store) Run(ctx context.Context) error {
	s.tidy(ctx)
	tick := time.NewTicker(sweepTime)
	defer tick.Stop()
	for {
		s.Sweep(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// tidy removes the part files of complete files, whose second name is left if the process
// was killed at that moment, and what was sent in one request that broke off.
func (s *Store) tidy(ctx context.Context) {
	for _, b := range s.all() {
		for _, f := range b.list() {
			if f.Number > 0 {
				s.warn(b.removePart(f.Part))
			} else if f.Loose {
				s.warn(b.drop(ctx, f.ID))
			}
		}
	}
}

// Sweep forgets what nobody continued.
func (s *Store) Sweep(ctx context.Context) {
	now := s.cfg.Now()
	for _, b := range s.all() {
		switch t := b.Terms(); {
		case t.Kind == api.ComingReceive:
			for _, f := range b.list() {
				if f.Number == 0 && now.Sub(f.Updated) > receiveLife && !s.held(f.ID) {
					s.warn(b.drop(ctx, f.ID))
				}
			}
		case !t.Active && now.Sub(t.Updated) > uploadLife:
			// What has arrived may be all that is left of it.
			s.warn(s.End(t.ID, false))
		}
	}
}

func (s *Store) warn(err error) {
	if err != nil && !errors.Is(err, api.ErrNotComing) {
		s.cfg.Logger.Warn("cannot clean up after an upload", "error", err)
	}
}

// all returns the boxes, oldest first.
func (s *Store) all() []*box {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*box, 0, len(s.boxes))
	for _, b := range s.boxes {
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b *box) int {
		return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.ID, b.ID))
	})
	return all
}

// List describes the boxes, oldest first.
func (s *Store) List() []api.Coming {
	var out []api.Coming
	for _, b := range s.all() {
		out = append(out, b.Terms())
	}
	return out
}

func (s *Store) box(id string) (*box, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.boxes[id]
	if b == nil {
		return nil, notComing(id)
	}
	return b, nil
}

func notComing(id string) error { return share.Errorf(share.Failed, "%w: %.70q", api.ErrNotComing, id) }

// Box returns a box by its ID.
func (s *Store) Box(id string) (api.Box, error) {
	b, err := s.box(id)
	if err != nil {
		return nil, err
	}
	return b, nil
}

// Files returns the files of a box, those that are complete in the order of their numbers
// and then the others. With after above 0 they are complete files of higher numbers.
func (s *Store) Files(id string, after int64) ([]api.ComingFile, error) {
	b, err := s.box(id)
	if err != nil {
		return nil, err
	}
	var out []api.ComingFile
	for _, f := range b.list() {
		if after == 0 || f.Number > after {
			out = append(out, b.shown(&f))
		}
	}
	return out, nil
}

// newID makes an ID that nobody guesses: whoever has it can write to the file.
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))
}

// Create begins an upload of the owner's, or returns the one of the same key.
func (s *Store) Create(n api.NewComing) (api.Coming, error) {
	if err := checkName(n.Name); err != nil {
		return api.Coming{}, err
	}
	if n.Files < 1 || n.Files > maxFiles || n.Bytes < 0 || n.Bytes > maxSize || !n.Tree && n.Files > 1 {
		return api.Coming{}, share.Errorf(share.Usage, "an upload has 1 to %d files, and a tree if they are several", maxFiles)
	}
	s.making.Lock()
	defer s.making.Unlock()
	if c, ok := s.begun(n.Key); ok {
		return c, nil
	}
	base := s.Folder()
	if err := s.room(base, n.Bytes); err != nil {
		return api.Coming{}, err
	}
	r := record{Kind: api.ComingUpload, Name: n.Name, Folder: base, Tree: n.Tree, Files: n.Files, Bytes: n.Bytes, MaxFiles: n.Files, MaxSize: n.Bytes, Key: n.Key}
	if n.Tree {
		root, err := openRoot(base)
		if err != nil {
			return api.Coming{}, err
		}
		defer root.Close()
		if r.Name, err = makeOne(root, n.Name); err != nil {
			return api.Coming{}, err
		}
		r.Folder = filepath.Join(base, r.Name)
	}
	r.ID = newID()
	return s.add(r)
}

// begun finds the upload of a key.
func (s *Store) begun(key string) (api.Coming, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.boxes {
		if key != "" && b.Key == key {
			return b.terms(), true
		}
	}
	return api.Coming{}, false
}

// Receive makes a box for what people send with the link of that ID: in t.Folder, or in a
// new folder of the name t.Name.
func (s *Store) Receive(id string, t api.Coming) (api.Coming, error) {
	r := record{ID: id, Kind: api.ComingReceive, Name: t.Name, Folder: t.Folder, MaxFiles: min(cmp.Or(t.MaxFiles, maxFiles), maxFiles), MaxSize: t.MaxSize}
	if r.Folder != "" {
		root, err := openRoot(r.Folder)
		if err != nil {
			return api.Coming{}, err
		}
		root.Close()
		return s.add(r)
	}
	if err := checkName(t.Name); err != nil {
		return api.Coming{}, err
	}
	root, err := openRoot(s.cfg.Into())
	if err != nil {
		return api.Coming{}, err
	}
	defer root.Close()
	name, err := makeOne(root, t.Name)
	if err != nil {
		return api.Coming{}, err
	}
	r.Folder = filepath.Join(s.cfg.Into(), name)
	return s.add(r)
}

func (s *Store) add(r record) (api.Coming, error) {
	now := s.cfg.Now().UTC()
	r.Created, r.Updated = now, now
	b := &box{store: s, record: r, files: map[string]*file{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Kind == api.ComingUpload && len(s.boxes) >= maxBoxes {
		return api.Coming{}, share.Errorf(share.Failed, "there are already %d unfinished uploads; delete some of them first", maxBoxes)
	}
	if err := s.records.saveBox(&b.record); err != nil {
		return api.Coming{}, err
	}
	s.boxes[r.ID] = b
	return b.terms(), nil
}

// Close ends a box: what has not arrived is deleted, the rest stays and is listed.
func (s *Store) Close(id string) error {
	b, err := s.box(id)
	if err != nil {
		return err
	}
	if err := b.end(); err != nil {
		return err
	}
	return b.dropOpen(context.Background())
}

// End forgets a box. What has not arrived is deleted, and with data also what has.
func (s *Store) End(id string, data bool) error {
	b, err := s.box(id)
	if err != nil {
		return err
	}
	if err := s.Close(id); err != nil {
		return err
	}
	if data {
		if err := b.deleteArrived(); err != nil {
			return err
		}
	}
	if err := b.removeFolder(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.records.dropBox(id); err != nil {
		return err
	}
	delete(s.boxes, id)
	return nil
}

// room refuses size more bytes in a folder if they do not fit beside what was promised
// to others.
func (s *Store) room(folder string, size int64) error {
	free := s.cfg.Free(folder)
	if free < 0 {
		return nil
	}
	disk := s.cfg.Disk(folder)
	for _, b := range s.all() {
		if b.diskName() == disk {
			free -= b.promised()
		}
	}
	if spare := max(0, free-s.cfg.MinFree()); size > spare {
		return share.Errorf(share.Disk, "%w: %s do not fit, %s has %s to spare", api.ErrNoRoom, humanize.IBytes(uint64(size)), folder, humanize.IBytes(uint64(spare)))
	}
	return nil
}

// hold is a file that is being written.
type hold struct {
	interrupt func()
	over      chan struct{}
}

// take waits until nobody holds a file.
func (s *Store) take(ctx context.Context, id string, interrupt func()) (release func(), err error) {
	for {
		s.mu.Lock()
		h := s.holds[id]
		if h == nil {
			h = &hold{interrupt, make(chan struct{})}
			s.holds[id] = h
			s.mu.Unlock()
			return sync.OnceFunc(func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				delete(s.holds, id)
				close(h.over)
			}), nil
		}
		s.mu.Unlock()
		h.interrupt()
		select {
		case <-h.over:
		case <-ctx.Done():
			return nil, share.Errorf(share.Failed, "%w: another request sends this file", share.ErrBusy)
		}
	}
}

func (s *Store) held(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.holds[id] != nil
}
