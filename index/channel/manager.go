package channel

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

// DHT stores and finds mutable items (BEP 44).
type DHT interface {
	// GetMutable returns the item with the highest sequence above newer. The
	// error wraps index.ErrUnknown if no node has one.
	GetMutable(ctx context.Context, key index.ChannelID, salt []byte, newer int64) (index.Item, error)
	// PutMutable stores an item; with cas, only as a replacement of the item with
	// that sequence. The error wraps index.ErrStale if a node has a newer one.
	PutMutable(ctx context.Context, item index.Item, cas *int64) (stored int, err error)
}

// Swarm shares and fetches content.
type Swarm interface {
	// Publish shares a file and returns its ID.
	Publish(ctx context.Context, path string) (share.ID, error)
	// Fetch fetches one file of at most most bytes into a folder and returns when
	// it is complete; from then on it is seeded. Content that is larger, is not one
	// file, or is not named FileName is share.Refused before a byte of it is
	// downloaded. Content that is already on this node is used.
	Fetch(ctx context.Context, id share.ID, dir string, most int64) error
	// Open opens the file of a complete single-file transfer.
	Open(ctx context.Context, id share.ID) (r io.ReadCloser, size int64, err error)
	// Begin starts to fetch the content of a link into a folder, unless the node
	// has it, and returns at once. Content of more than most bytes is not fetched.
	Begin(ctx context.Context, link share.Link, dir string, most int64) error
	// Has reports whether the node has a transfer of the ID, complete or not;
	// Unfinished whether it has one that is not complete.
	Has(id share.ID) bool
	Unfinished(id share.ID) bool
	// Drop ends the transfer of an ID for the channel that owns the folder, and
	// deletes its files there unless another owner needs them. A missing transfer
	// is not an error.
	Drop(id share.ID, dir string) error
	// Tidy drops all transfers of the channel except those to keep.
	Tidy(dir string, keep ...share.ID) error
}

// Catalogue is the local catalogue, which makes entries searchable.
type Catalogue interface {
	// Replace replaces all entries of the channel; an error changes nothing.
	// version is what Versions returns for the channel from then on.
	Replace(ctx context.Context, channel index.ChannelID, version string, entries iter.Seq2[index.Entry, error]) error
	Put(ctx context.Context, channel index.ChannelID, entries ...index.Entry) error
	Remove(ctx context.Context, channel index.ChannelID, ids ...share.ID) error
	Drop(ctx context.Context, channel index.ChannelID) error
	Versions(ctx context.Context) (map[index.ChannelID]string, error)
	// Opened signals that Versions may have gone back because a new file was created.
	Opened() <-chan struct{}
}

// Config holds what a Manager depends on.
type Config struct {
	Logger *slog.Logger // nil discards
	// DB is the node's state.db. The manager creates its own tables, whose names
	// begin with "channel_".
	DB *sql.DB
	// Dir is the folder of keys and catalogues. It is created when needed.
	Dir string
	// Downloads is the folder below which mirrored content is stored.
	Downloads func() string

	DHT       DHT // nil: channels are neither published nor updated
	Swarm     Swarm
	Catalogue Catalogue

	// Poll is the interval of lookups of a channel; 0 is 15 minutes. Each interval
	// varies by a quarter.
	Poll time.Duration
	// Settle is how long an own channel must be unchanged before it is published
	// automatically; 0 is 5 seconds.
	Settle time.Duration
	Now    func() time.Time // nil is time.Now
}

const (
	defaultPoll   = 15 * time.Minute
	defaultSettle = 5 * time.Second
	// maxSettle bounds the wait of a channel that changes all the time.
	maxSettle = time.Minute
	// keepTime is the interval of putting an item again. Nodes store it for two hours.
	keepTime = 45 * time.Minute
	// fetchTime bounds one attempt to fetch a catalogue. The next attempt
	// continues from there. A user may be waiting for an own channel.
	fetchTime    = 10 * time.Minute
	fetchOwnTime = 30 * time.Second
	// lookTime bounds one lookup or put in the DHT, also for a node that has just
	// started and has no contacts yet. A user may be waiting.
	lookTime = 30 * time.Second
	putTime  = 2 * time.Minute // several of both
	// MaxChannels bounds the channels that a node publishes and follows.
	MaxChannels = 1000
	// atOnce is the number of channels that are looked up and loaded concurrently.
	atOnce = 4
)

// Manager manages a node's channels. Its methods work while Run runs; those that
// only read or record something also work before.
type Manager struct {
	cfg        Config
	log        *slog.Logger
	state      *state
	slots      chan struct{} // atOnce
	lookupTime time.Duration // lookTime
	pause      time.Duration // mirrorPause
	works      sync.WaitGroup

	mu       sync.Mutex
	channels map[index.ChannelID]*channel
	order    []*channel
	run      context.Context // nil before Run
}

// channel is one channel, own or followed: it keeps the newest item, its catalogue
// and the local copy of its entries in step with the DHT.
type channel struct {
	m       *Manager
	id      index.ChannelID
	wake    chan struct{} // look it up now
	changes chan struct{} // the next step may be due earlier
	lost    chan struct{} // the local catalogue lost it
	busy    chan struct{} // held during a lookup, a publication or a load
	stop    context.CancelFunc
	done    chan struct{} // closed when its goroutine has ended; nil before it starts

	mirror   *mirror // its steps run with busy held
	tidied   bool    // leftovers of an earlier run are removed; guarded by busy
	lookedUp bool    // the DHT was just asked; found is its answer
	found    *int64  // sequence of the item in the DHT, nil for none; guarded by busy

	// editing is held while the entries of an own channel are changed and loaded
	// into the catalogue, so that the catalogue is never older than the change. It
	// is locked before mu.
	editing sync.Mutex

	mu      sync.Mutex // guards the fields below
	row     row
	gone    bool
	changed time.Time // first and last change that is not published yet
	last    time.Time
	put     time.Time // when the item was last put
	load    time.Duration
	problem share.Text
	keyless share.Text // why the key of an own channel cannot be used
}

// New reads the list of channels. It starts nothing.
func New(ctx context.Context, cfg Config) (*Manager, error) {
	switch {
	case cfg.DB == nil, cfg.Swarm == nil, cfg.Catalogue == nil:
		return nil, errors.New("channel: Config needs DB, Swarm and Catalogue")
	case !filepath.IsAbs(cfg.Dir):
		return nil, errors.New("channel: Config.Dir must be an absolute path")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Poll <= 0 {
		cfg.Poll = defaultPoll
	}
	if cfg.Settle <= 0 {
		cfg.Settle = defaultSettle
	}
	m := &Manager{cfg: cfg, log: cfg.Logger, slots: make(chan struct{}, atOnce), lookupTime: lookTime, pause: mirrorPause, channels: map[index.ChannelID]*channel{}}
	var err error
	if m.state, err = openState(ctx, cfg.DB); err != nil {
		return nil, err
	}
	rows, err := m.state.list(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		c := m.newChannel(*r)
		c.checkKey()
		m.channels[c.id] = c
		m.order = append(m.order, c)
	}
	return m, nil
}

func (m *Manager) newChannel(r row) *channel {
	c := &channel{m: m, id: r.id(), wake: make(chan struct{}, 1), changes: make(chan struct{}, 1),
		lost: make(chan struct{}, 1), busy: make(chan struct{}, 1), mirror: newMirror(m, r.id()), row: r}
	if r.dirty {
		c.changed = m.cfg.Now()
		c.last = c.changed
	}
	return c
}

// Run publishes and follows until ctx ends.
func (m *Manager) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer m.works.Wait()
	defer cancel()
	m.mu.Lock()
	m.run = ctx
	for _, c := range m.order {
		m.start(c)
	}
	m.mu.Unlock()
	for {
		select {
		case <-ctx.Done():
			m.mu.Lock()
			m.run = nil
			m.mu.Unlock()
			return nil
		case <-m.cfg.Catalogue.Opened():
			m.refill(ctx)
		}
	}
}

// start starts the goroutine of a channel; mu is held and Run runs.
func (m *Manager) start(c *channel) {
	ctx, stop := context.WithCancel(m.run)
	c.stop, c.done = stop, make(chan struct{})
	m.works.Add(1)
	go func() {
		defer m.works.Done()
		defer close(c.done)
		defer stop()
		c.loop(ctx)
	}()
}

// refill reloads channels that the catalogue lost.
func (m *Manager) refill(ctx context.Context) {
	versions, err := m.cfg.Catalogue.Versions(ctx)
	if err != nil {
		if ctx.Err() == nil {
			m.log.Error("cannot list the channels of the catalogue", "error", err)
		}
		return
	}
	known := map[index.ChannelID]bool{{}: true}
	for _, c := range m.all() {
		known[c.id] = true
		if versions[c.id] != c.version() {
			signal(c.lost)
		}
	}
	for id := range versions {
		if !known[id] {
			if err := m.cfg.Catalogue.Drop(ctx, id); err != nil && ctx.Err() == nil {
				m.log.Error("cannot drop a channel from the catalogue", "channel", id.Short(), "error", err)
			}
		}
	}
}

func (m *Manager) all() []*channel {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.order)
}

func (c *channel) info() index.Channel {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := &c.row
	i := index.Channel{
		ID: c.id, Name: r.link.Name, Link: r.link.Reveal(), About: r.about, Own: r.own, Seq: r.item.Seq, Content: r.loaded, Updated: r.updated,
		Entries: r.entries, Mirror: r.mirror, Pending: r.dirty, Restoring: r.restoring, Error: c.problem.String(), ErrorText: c.problem.Of(),
	}
	if i.Sealed = r.sealed || !r.link.Secret.IsZero(); i.Sealed {
		i.Blind, i.BlindLink = r.link.Secret.IsZero(), r.link.Blind().String()
	}
	if i.Mirror > 0 {
		i.Mirrored, i.Left = c.mirror.figures()
	}
	if c.keyless.Pattern != "" {
		i.Error, i.ErrorText = c.keyless.String(), c.keyless.Of()
	}
	if newest, err := target(r.item.Value); err == nil && newest != r.loaded {
		i.Pending = true
	}
	return i
}

// checkKey logs that the key of an own channel cannot be used, when the node starts
// and not only when the channel is changed next.
func (c *channel) checkKey() {
	if !c.now().own {
		return
	}
	if _, err := c.key(); err != nil {
		c.m.log.Error("a channel of this node cannot be published", "channel", c.id.Short(), "error", err)
	}
}

// key reads the key of an own channel.
func (c *channel) key() (Key, error) {
	k, err := ReadKey(c.m.cfg.Dir, c.id)
	if err == nil && k.Link().Local() != c.id {
		err = share.Errorf(share.Refused, "it is the key of another channel")
	}
	if err != nil {
		err = share.Wrapf("the key of %q, %s, cannot be used: %w (shoal channel import FILE brings back a copy of it)",
			c.now().link.Name, keyFile(c.m.cfg.Dir, c.id), err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keyless = share.TextOf(err)
	return k, err
}

// Keyless describes the own channels whose keys cannot be used.
func (m *Manager) Keyless() []share.Text {
	var all []share.Text
	for _, c := range m.all() {
		c.mu.Lock()
		if c.keyless.Pattern != "" {
			all = append(all, c.keyless)
		}
		c.mu.Unlock()
	}
	return all
}

// List describes every channel, oldest first.
func (m *Manager) List() []index.Channel {
	var all []index.Channel
	for _, c := range m.all() {
		all = append(all, c.info())
	}
	return all
}

// Resolve finds the one channel with a key, the beginning of one, a name or a link.
func (m *Manager) Resolve(ref string) (index.Channel, error) {
	c, err := m.resolve(ref)
	if err != nil {
		return index.Channel{}, err
	}
	return c.info(), nil
}

func (m *Manager) resolve(ref string) (*channel, error) {
	ref = strings.TrimSpace(ref)
	if l, err := index.ParseChannelLink(ref); err == nil {
		if c := m.get(l.Local()); c != nil {
			return c, nil
		}
		return nil, index.Unknown(fmt.Sprintf("no channel %s is followed or published here", l.ID.Short())) // a link may have a secret
	}
	var found []*channel
	for _, c := range m.all() {
		if c.now().link.Name == ref {
			found = append(found, c)
		}
	}
	if digits := strings.ToLower(ref); len(found) == 0 && digits != "" && strings.Trim(digits, "0123456789abcdef") == "" {
		for _, c := range m.all() {
			if strings.HasPrefix(c.id.String(), digits) || strings.HasPrefix(c.now().link.ID.String(), digits) {
				found = append(found, c)
			}
		}
	}
	switch len(found) {
	case 0:
		return nil, index.Unknown(fmt.Sprintf("no channel %q is followed or published here", ref))
	case 1:
		return found[0], nil
	}
	return nil, share.Errorf(share.Usage, "%q matches %d channels, such as %s and %s: give the beginning of the key", ref, len(found), found[0].id.Short(), found[1].id.Short())
}

func (m *Manager) get(id index.ChannelID) *channel {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.channels[id]
}

// add adds a new channel; ok is false if it exists already.
func (m *Manager) add(ctx context.Context, r row) (c *channel, ok bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.channels[r.id()]; c != nil {
		return c, false, nil
	}
	if len(m.order) >= MaxChannels {
		return nil, false, share.Errorf(share.Failed, "a node has at most %d channels: unfollow one first", MaxChannels)
	}
	seen, err := m.state.seen(ctx, r.id())
	if err != nil {
		return nil, false, err
	}
	r.added, r.item = m.cfg.Now().UTC(), index.Item{Key: r.link.ID, Salt: r.link.Salt, Seq: seen}
	if err := m.state.put(ctx, &r); err != nil {
		return nil, false, err
	}
	c = m.newChannel(r)
	m.channels[c.id] = c
	m.order = append(m.order, c)
	if m.run != nil {
		m.start(c)
	}
	return c, true, nil
}

// change changes the state of a channel and stores it.
func (c *channel) change(ctx context.Context, do func(*row)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return index.Unknown(fmt.Sprintf("channel %s is no longer here", c.id.Short()))
	}
	r := c.row
	do(&r)
	if err := c.m.state.put(ctx, &r); err != nil {
		return err
	}
	c.row = r
	return nil
}

func (c *channel) now() row {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.row
}

// lookupError is the error of a lookup and putError that of a put, in words for
// users who do not know DHT items.
func lookupError(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return share.Errorf(share.Nobody, "no DHT node answered in time; shoal tries again")
	}
	return share.Wrapf("looking the channel up: %w", err)
}

func putError(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return lookupError(err)
	}
	return share.Wrapf("no DHT node has accepted the channel yet; shoal tries again: %w", err)
}

// report records the error of the last step, or nil.
func (c *channel) report(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.problem.String()
	c.problem = share.TextOf(err)
	if err != nil && c.problem.String() != was {
		c.m.log.Warn("updating a channel failed", "channel", c.id.Short(), "error", err)
	}
}

// lock acquires busy.
func (c *channel) lock(ctx context.Context) error {
	select {
	case c.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return share.Errorf(share.Interrupted, "waiting for channel %s: %w", c.id.Short(), ctx.Err())
	}
}

func (c *channel) unlock() { <-c.busy }

// acquireSlot waits for one of the atOnce slots for lookups and loads.
func (c *channel) acquireSlot(ctx context.Context) error {
	select {
	case c.m.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *channel) releaseSlot() { <-c.m.slots }

// lookUpSoon makes the channel be looked up now.
func (c *channel) lookUpSoon() { signal(c.wake) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// dir is the folder of the channel's catalogues.
func (c *channel) dir() string { return filepath.Join(c.m.cfg.Dir, c.id.String()) }
