package node

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/index/catalog"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine"
)

// described is what a catalogue asks of the engine.
type described interface {
	List() []share.Transfer
	Files(share.ID) ([]share.File, error)
	Subscribe(buffer int) *engine.Subscription
}

// catalogue keeps index.db up to date with the transfers, and rebuilds it when it is
// damaged. Everything that reads or writes it goes through use or once.
type catalogue struct {
	log    *slog.Logger
	path   string
	hidden string // transfers below this folder have no entry
	engine described
	// opened gets a value each time the file was opened: the entries of channels may
	// be missing from it.
	opened chan struct{}

	mu      sync.Mutex
	now     *openCatalogue // nil while it is not open
	problem error          // why it is not open
	changed chan struct{}  // closed when now or problem changes
}

// openCatalogue is index.db from one opening to its closing.
type openCatalogue struct {
	*catalog.Catalog
	users   sync.WaitGroup
	damaged chan struct{} // closed by the first that finds damage
	once    sync.Once
}

// indexName is the name of the catalogue's file in a state directory.
const indexName = "index.db"

func newCatalogue(state string, e described, log *slog.Logger) *catalogue {
	return &catalogue{
		log: log, path: filepath.Join(state, indexName), hidden: ChannelDir(state), engine: e, opened: make(chan struct{}, 1), changed: make(chan struct{}),
	}
}

// retryTime is the time between attempts to open a file that cannot be opened.
const retryTime = 30 * time.Second

// run keeps the catalogue open until ctx ends. The catalogue is derived data: no error
// of it ends the node.
func (k *catalogue) run(ctx context.Context) error {
	defer k.set(nil, share.Errorf(share.NoNode, "the node is stopping"))
	for ctx.Err() == nil {
		c, err := catalog.Open(ctx, catalog.Config{Logger: k.log, Path: k.path})
		if err == nil {
			err = k.serve(ctx, &openCatalogue{Catalog: c, damaged: make(chan struct{})})
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case catalog.Damaged(err), errors.Is(err, errMetDamage):
			k.log.Warn("the catalogue is damaged and is rebuilt", "error", err)
			k.set(nil, nil)
			if err = catalog.Remove(k.path); err == nil {
				continue
			}
		}
		k.log.Error("the catalogue cannot be used", "error", err)
		k.set(nil, share.Errorf(share.Disk, "the catalogue cannot be used now: %w", err))
		select {
		case <-ctx.Done():
		case <-time.After(retryTime):
		}
	}
	return nil
}

// serve brings c up to date, lets others use it, and closes it.
func (k *catalogue) serve(ctx context.Context, c *openCatalogue) error {
	tending, stop := context.WithCancel(ctx)
	tended := make(chan struct{})
	go func() {
		defer close(tended)
		k.tend(tending, c)
	}()
	err := k.follow(ctx, c)
	k.set(nil, nil)
	stop()
	<-tended
	c.users.Wait()
	if cerr := c.Close(); err == nil {
		err = cerr
	}
	return err
}

// tend keeps the catalogue fast until ctx ends.
func (k *catalogue) tend(ctx context.Context, c *openCatalogue) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.Changed():
		}
		if err := c.Tend(ctx); catalog.Damaged(err) {
			k.forget(c)
		} else if err != nil && ctx.Err() == nil {
			k.log.Error("cannot tend the catalogue", "error", err)
		}
	}
}

// errMetDamage is the error of follow if a user of the catalogue found damage.
var errMetDamage = errors.New("a reader found damage")

// follow keeps this node's own entries up to date until ctx ends.
func (k *catalogue) follow(ctx context.Context, c *openCatalogue) error {
	const buffer = 8192
	for {
		sub := k.engine.Subscribe(buffer)
		own, err := k.load(ctx, c)
		if err != nil {
			sub.Close()
			return err
		}
		k.set(c, nil)
		select {
		case k.opened <- struct{}{}:
		default:
		}
		err = k.take(ctx, c, sub, own)
		sub.Close()
		if err != nil || ctx.Err() != nil {
			return err
		}
		if !sub.Lagged() {
			<-ctx.Done() // the engine has stopped
			return nil
		}
	}
}

// set makes the catalogue available, or says why it is not, and wakes those that wait.
func (k *catalogue) set(c *openCatalogue, problem error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.now == c && k.problem == problem {
		return
	}
	k.now, k.problem = c, problem
	close(k.changed)
	k.changed = make(chan struct{})
}

// acquire waits for an open catalogue that has this node's own entries. The caller calls
// users.Done.
func (k *catalogue) acquire(ctx context.Context) (*openCatalogue, error) {
	for {
		k.mu.Lock()
		c, problem, changed := k.now, k.problem, k.changed
		if c != nil {
			c.users.Add(1)
		}
		k.mu.Unlock()
		if c != nil || problem != nil {
			return c, problem
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, share.Errorf(share.Interrupted, "waiting for the catalogue: %w", ctx.Err())
		}
	}
}

// use calls do with the catalogue. If do finds damage, it is called once more, with the
// rebuilt catalogue.
func (k *catalogue) use(ctx context.Context, do func(*catalog.Catalog) error) error {
	err := k.once(ctx, do)
	if catalog.Damaged(err) {
		err = k.once(ctx, do)
	}
	return err
}

// once is use for what cannot be repeated.
func (k *catalogue) once(ctx context.Context, do func(*catalog.Catalog) error) error {
	c, err := k.acquire(ctx)
	if err != nil {
		return err
	}
	defer c.users.Done()
	if err = do(c.Catalog); catalog.Damaged(err) {
		k.forget(c)
	}
	return err
}

// forget closes a damaged catalogue. From now on, acquire waits for the rebuilt one.
func (k *catalogue) forget(c *openCatalogue) {
	k.mu.Lock()
	if k.now == c {
		k.now = nil
	}
	k.mu.Unlock()
	c.once.Do(func() { close(c.damaged) })
}

// load brings this node's own entries up to date, and returns their IDs.
func (k *catalogue) load(ctx context.Context, c *openCatalogue) (map[share.ID]struct{}, error) {
	own, err := c.Has(ctx, index.ChannelID{})
	if err != nil {
		return nil, err
	}
	all := k.engine.List()
	here := make(map[share.ID]struct{}, len(all))
	var added []share.Transfer
	for _, t := range all {
		here[t.ID] = struct{}{}
		if _, ok := own[t.ID]; !ok && describable(&t) && !within(t.Path, k.hidden) {
			added = append(added, t)
		}
	}
	var gone []share.ID
	for id := range own {
		if _, ok := here[id]; !ok {
			gone = append(gone, id)
			delete(own, id)
		}
	}
	return own, k.change(ctx, c, own, added, gone)
}

// describable reports whether enough is known of a transfer for an entry.
func describable(t *share.Transfer) bool {
	return t.State != share.Hashing && t.Files > 0 && !t.ID.IsZero()
}

// change writes added and removed transfers, and keeps own up to date.
func (k *catalogue) change(ctx context.Context, c *openCatalogue, own map[share.ID]struct{}, added []share.Transfer, gone []share.ID) error {
	if len(gone) > 0 {
		if err := c.Remove(ctx, index.ChannelID{}, gone...); err != nil {
			return err
		}
	}
	const batch = 500
	for len(added) > 0 {
		n := min(batch, len(added))
		var entries []index.Entry
		for _, t := range added[:n] {
			if e, ok := k.describe(&t); ok {
				entries = append(entries, e)
				own[t.ID] = struct{}{}
			}
		}
		if err := c.Put(ctx, index.ChannelID{}, entries...); err != nil {
			return err
		}
		added = added[n:]
	}
	return nil
}

// describe makes the entry of a transfer. It returns false if the transfer is gone or
// its files are not known now.
func (k *catalogue) describe(t *share.Transfer) (index.Entry, bool) {
	files, err := k.engine.Files(t.ID)
	if err != nil {
		return index.Entry{}, false
	}
	return entryOf(t, files), true
}

// entryOf describes a transfer. Its link has no addresses, which change: see
// finder.freshLink.
func entryOf(t *share.Transfer, files []share.File) index.Entry {
	l := t.Content()
	l.Name, l.Length = t.Name, t.Size
	e := index.Entry{ID: t.ID, Name: t.Name, Bytes: t.Size, Time: t.Added.UTC().Truncate(time.Second), Link: l.String()}
	if len(files) == 1 && files[0].Path == t.Name {
		return e // the name says all of a single file
	}
	for _, f := range files {
		e.Files = append(e.Files, index.File{Path: f.Path, Size: f.Total})
	}
	return e
}

// take follows events until ctx ends or sub is closed. It writes the changes of all
// events that wait together.
func (k *catalogue) take(ctx context.Context, c *openCatalogue, sub *engine.Subscription, own map[share.ID]struct{}) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.damaged:
			return errMetDamage
		case ev, ok := <-sub.C:
			if !ok {
				return nil
			}
			added, gone := k.gather(ev, sub.C, own)
			if len(added)+len(gone) == 0 {
				continue
			}
			if err := k.change(ctx, c, own, added, gone); err != nil && ctx.Err() == nil {
				if catalog.Damaged(err) {
					return err
				}
				// Such as a full disk: the next event of a transfer writes it again.
				k.log.Error("the catalogue is not up to date", "error", err)
				for _, t := range added {
					delete(own, t.ID)
				}
			}
		}
	}
}

// gather sums up ev and the events that wait.
func (k *catalogue) gather(ev share.Event, more <-chan share.Event, own map[share.ID]struct{}) (added []share.Transfer, gone []share.ID) {
	come := map[share.ID]share.Transfer{}
	left := map[share.ID]struct{}{}
	for ok := true; ok; {
		switch {
		case ev.Type == share.EventRemoved:
			delete(come, ev.ID)
			if _, known := own[ev.ID]; known {
				left[ev.ID] = struct{}{}
				delete(own, ev.ID)
			}
		case ev.Transfer != nil && describable(ev.Transfer) && !within(ev.Transfer.Path, k.hidden):
			if _, known := own[ev.Transfer.ID]; !known {
				come[ev.Transfer.ID] = *ev.Transfer
			}
		}
		select {
		case ev, ok = <-more:
		default:
			ok = false
		}
	}
	for _, t := range come {
		added = append(added, t)
		delete(left, t.ID)
	}
	for id := range left {
		gone = append(gone, id)
	}
	slices.SortFunc(added, func(a, b share.Transfer) int { return a.Added.Compare(b.Added) })
	return added, gone
}
