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

// DHT keeps and finds mutable items (BEP 44).
type DHT interface {
	// GetMutable returns the item with the highest sequence above newer. The
	// error wraps index.ErrUnknown when nobody has one.
	GetMutable(ctx context.Context, key index.ChannelID, salt []byte, newer int64) (index.Item, error)
	// PutMutable stores an item, with cas only in place of the one that has that
	// sequence. The error wraps index.ErrStale when somebody has a newer one.
	PutMutable(ctx context.Context, item index.Item, cas *int64) (stored int, err error)
}

// Swarm moves content.
type Swarm interface {
	// Publish shares a file and returns its ID when it is known.
	Publish(ctx context.Context, path string) (share.ID, error)
	// Fetch fetches one file of at most most bytes into a folder and returns
	// when it is complete; from then on it is seeded. Content that is larger, or
	// is not one file, is share.Refused. What is on this node already under that
	// ID is taken as it is if it is in the folder around dir, where it may have
	// been published from; else it is left alone and share.Refused, too.
	Fetch(ctx context.Context, id share.ID, dir string, most int64) error
	// Open reads the one file of complete content.
	Open(ctx context.Context, id share.ID) (r io.ReadCloser, size int64, err error)
	// Begin starts to fetch what a link names into a folder, if it is not here,
	// and returns at once. Content of more than most bytes is not fetched.
	Begin(ctx context.Context, link share.Link, dir string, most int64) error
	// Has tells whether content is on this node, complete or not, and Unfinished
	// whether it is and is not complete.
	Has(id share.ID) bool
	Unfinished(id share.ID) bool
	// Drop ends the sharing of an ID and deletes its files, if they are below
	// the folder. What is not there is no error.
	Drop(id share.ID, dir string) error
	// Tidy drops everything below a folder but what is to be kept.
	Tidy(dir string, keep ...share.ID) error
}

// Catalogue makes entries searchable.
type Catalogue interface {
	// Replace makes entries all that the channel has; on an error nothing has
	// changed. version is what Version tells from then on.
	Replace(ctx context.Context, channel index.ChannelID, version string, entries iter.Seq2[index.Entry, error]) error
	Put(ctx context.Context, channel index.ChannelID, entries ...index.Entry) error
	Remove(ctx context.Context, channel index.ChannelID, ids ...share.ID) error
	Drop(ctx context.Context, channel index.ChannelID) error
	Versions(ctx context.Context) (map[index.ChannelID]string, error)
	// Opened is told when Versions may have gone back: a new file was begun.
	Opened() <-chan struct{}
}

// Config holds what a Manager depends on.
type Config struct {
	Logger *slog.Logger // nil discards
	// DB is the node's state.db. The manager makes its own tables, whose names
	// begin with "channel_".
	DB *sql.DB
	// Dir keeps keys and catalogues. It is made when needed.
	Dir string
	// Downloads is the folder below which mirrored content goes.
	Downloads func() string

	DHT       DHT // nil: channels are neither published nor updated
	Swarm     Swarm
	Catalogue Catalogue

	// Poll is how often a channel is looked up; 0 is 15 minutes. It is varied
	// by a quarter each time.
	Poll time.Duration
	// Settle is how long an own channel must not change before it is published
	// by itself; 0 is 5 seconds.
	Settle time.Duration
	Now    func() time.Time // nil is time.Now
}

const (
	defaultPoll   = 15 * time.Minute
	defaultSettle = 5 * time.Second
	// maxSettle is how long a channel that changes all the time waits.
	maxSettle = time.Minute
	// keepTime is how often an item is put again. Nodes keep it for two hours.
	keepTime = 45 * time.Minute
	// fetchTime is how long one attempt to fetch a catalogue may take. What has
	// arrived stays, and the next one goes on from there. Somebody may be
	// waiting for an own one.
	fetchTime    = 10 * time.Minute
	fetchOwnTime = 30 * time.Second
	// lookTime is how long one lookup or put in the DHT may take, a node that has
	// just started and knows nobody yet included. Somebody may be waiting.
	lookTime = 30 * time.Second
	putTime  = 2 * time.Minute // several of both
	// MaxChannels bounds how many a node has and follows.
	MaxChannels = 1000
	// atOnce is how many channels are looked up and loaded at a time.
	atOnce = 4
)

// Manager keeps a node's channels. Its methods work while Run runs, those that
// only look or note something also before.
type Manager struct {
	cfg   Config
	log   *slog.Logger
	state *state
	slots chan struct{} // atOnce
	look  time.Duration // lookTime
	pause time.Duration // mirrorPause
	works sync.WaitGroup

	mu       sync.Mutex
	channels map[index.ChannelID]*channel
	order    []*channel
	run      context.Context // nil before Run
}

// channel is one that is followed or published.
type channel struct {
	m       *Manager
	id      index.ChannelID
	wake    chan struct{} // it is to be looked up now
	changes chan struct{} // what is to be done next may come sooner
	lost    chan struct{} // the local catalogue lacks it
	busy    chan struct{} // full while somebody looks up, publishes or loads
	stop    context.CancelFunc
	done    chan struct{} // closed when its goroutine has ended; nil before it began

	mirrored string                 // what was looked through for things to fetch; by who has busy
	begun    map[share.ID]time.Time // by who has busy
	tidied   bool                   // what an earlier run left behind is gone; by who has busy
	looked   bool                   // the DHT was just asked, and has the item of sequence
	found    *int64                 // found, nil for none; by who has busy

	// editing is held while what an own channel has is changed and shown, so that
	// what is shown is not older than what was changed; before mu.
	editing sync.Mutex

	mu      sync.Mutex // guards what follows
	row     row
	gone    bool
	changed time.Time // first and last change that is not published yet
	last    time.Time
	put     time.Time // the item was last put
	taken   int64     // of the quota of a mirror
	queued  bool      // entries wait for others to be fetched
	left    int       // entries that did not fit into it
	load    time.Duration
	problem string
	keyless string // why the key of an own channel cannot be used
}

// New reads which channels there are. It starts nothing.
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
	m := &Manager{cfg: cfg, log: cfg.Logger, slots: make(chan struct{}, atOnce), look: lookTime, pause: mirrorPause, channels: map[index.ChannelID]*channel{}}
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
		c.lookAtKey()
		m.channels[c.id] = c
		m.order = append(m.order, c)
	}
	return m, nil
}

func (m *Manager) newChannel(r row) *channel {
	c := &channel{m: m, id: r.id(), wake: make(chan struct{}, 1), changes: make(chan struct{}, 1),
		lost: make(chan struct{}, 1), busy: make(chan struct{}, 1), begun: map[share.ID]time.Time{}, row: r}
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

// start begins the goroutine of a channel; mu is held and Run runs.
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

// refill loads again what the catalogue lacks.
func (m *Manager) refill(ctx context.Context) {
	versions, err := m.cfg.Catalogue.Versions(ctx)
	if err != nil {
		if ctx.Err() == nil {
			m.log.Error("cannot see which channels the catalogue has", "error", err)
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

// Info describes a channel.
type Info struct {
	ID      index.ChannelID // what it is called here
	Link    index.ChannelLink
	About   string
	Own     bool
	Seq     int64     // -1: nothing was seen of it yet
	Content share.ID  // the catalogue in use, zero for none
	Updated time.Time // when that came
	Entries int
	Mirror  int64 // bytes; 0: it is not mirrored
	// Mirrored is how much of that is taken, and Left how many entries were not
	// fetched since they do not fit, or do not tell their size.
	Mirrored int64
	Left     int
	// Pending tells that an own channel has changes that are not published, or
	// that a newer catalogue of a followed one was heard of and is not here.
	Pending bool
	// Restoring tells that the key of an own channel was imported, and its last
	// catalogue is still looked for.
	Restoring bool
	Problem   string // what went wrong last, one sentence; empty when all is well
}

func (c *channel) info() Info {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := &c.row
	i := Info{
		ID: c.id, Link: r.link, About: r.about, Own: r.own, Seq: r.item.Seq, Content: r.loaded, Updated: r.updated,
		Entries: r.entries, Mirror: r.mirror, Pending: r.dirty, Restoring: r.restoring, Problem: c.problem,
	}
	if i.Mirror > 0 {
		i.Mirrored, i.Left = c.taken, c.left
	}
	if c.keyless != "" {
		i.Problem = c.keyless
	}
	if newest, err := target(r.item.Value); err == nil && newest != r.loaded {
		i.Pending = true
	}
	return i
}

// lookAtKey tells at the start when an own channel cannot be published any more,
// not when somebody next changes it.
func (c *channel) lookAtKey() {
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
		err = fmt.Errorf("the key of %q, %s, cannot be used: %w (shoal channel import FILE brings back a copy of it)",
			c.now().link.Name, keyFile(c.m.cfg.Dir, c.id), err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keyless = ""
	if err != nil {
		c.keyless = err.Error()
	}
	return k, err
}

// Keyless tells of each own channel whose key cannot be used.
func (m *Manager) Keyless() []string {
	var all []string
	for _, c := range m.all() {
		c.mu.Lock()
		if c.keyless != "" {
			all = append(all, c.keyless)
		}
		c.mu.Unlock()
	}
	return all
}

// List describes every channel, oldest first.
func (m *Manager) List() []Info {
	var all []Info
	for _, c := range m.all() {
		all = append(all, c.info())
	}
	return all
}

// Resolve finds the one channel that a key, the beginning of one, a name or a
// link means.
func (m *Manager) Resolve(ref string) (Info, error) {
	c, err := m.resolve(ref)
	if err != nil {
		return Info{}, err
	}
	return c.info(), nil
}

func (m *Manager) resolve(ref string) (*channel, error) {
	ref = strings.TrimSpace(ref)
	if l, err := index.ParseChannelLink(ref); err == nil {
		if c := m.get(l.Local()); c != nil {
			return c, nil
		}
	}
	var found []*channel
	for _, c := range m.all() {
		if i := c.info(); i.Link.Name == ref {
			found = append(found, c)
		}
	}
	if digits := strings.ToLower(ref); len(found) == 0 && digits != "" && strings.Trim(digits, "0123456789abcdef") == "" {
		for _, c := range m.all() {
			if strings.HasPrefix(c.id.String(), digits) || strings.HasPrefix(c.info().Link.ID.String(), digits) {
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
	return nil, share.Errorf(share.Usage, "%q means %d channels, such as %s and %s: give the beginning of the key", ref, len(found), found[0].id.Short(), found[1].id.Short())
}

func (m *Manager) get(id index.ChannelID) *channel {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.channels[id]
}

// add takes a new channel in; ok is false where it is there already.
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

// change changes and keeps what is known of a channel.
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

// unmet is why a lookup failed, refused why a put did, in the words of who does
// not know what items are.
func unmet(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return share.Errorf(share.Nobody, "nobody in the DHT was found in time; it is tried again")
	}
	return fmt.Errorf("looking the channel up: %w", err)
}

func refused(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return unmet(err)
	}
	return fmt.Errorf("nobody in the DHT took the channel yet; it is tried again: %w", err)
}

// tell notes what went wrong, nil when nothing did.
func (c *channel) tell(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.problem
	c.problem = ""
	if err != nil {
		c.problem = err.Error()
	}
	if c.problem != was && c.problem != "" {
		c.m.log.Warn("a channel does not get on", "channel", c.id.Short(), "error", err)
	}
}

// lock waits for whoever is busy with the channel.
func (c *channel) lock(ctx context.Context) error {
	select {
	case c.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return share.Errorf(share.Interrupted, "waiting for channel %s: %w", c.id.Short(), ctx.Err())
	}
}

func (c *channel) unlock() { <-c.busy }

// slot waits for the turn of the channel, since not all may be looked up and
// loaded at once.
func (c *channel) slot(ctx context.Context) error {
	select {
	case c.m.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *channel) leave() { <-c.m.slots }

// poke has the channel looked up now.
func (c *channel) poke() { signal(c.wake) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// dir is where the catalogues of the channel are.
func (c *channel) dir() string { return filepath.Join(c.m.cfg.Dir, c.id.String()) }
