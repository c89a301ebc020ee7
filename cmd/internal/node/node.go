package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"golang.org/x/sync/errgroup"
	"modernc.org/sqlite"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/cmd/internal/history"
	"github.com/shoalnet/shoal/cmd/internal/policy"
	"github.com/shoalnet/shoal/cmd/internal/uploads"
	"github.com/shoalnet/shoal/cmd/internal/watch"
	"github.com/shoalnet/shoal/index/channel"
	"github.com/shoalnet/shoal/index/dht"
	"github.com/shoalnet/shoal/index/lan"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine"
	"github.com/shoalnet/shoal/share/reach"
	"github.com/shoalnet/shoal/share/reach/nat"
	"github.com/shoalnet/shoal/webui/api"
)

// ErrLocked is wrapped by the error for a state directory that another node has locked.
var ErrLocked = errors.New("another node is running")

// stopTime bounds how long the network and the engine take to stop. The engine promises
// ten seconds.
const stopTime = 15 * time.Second

// Options are what a Node depends on.
type Options struct {
	Config  *config.Config
	Version string    // of the program
	Stderr  io.Writer // takes the log; nil discards it
	// Logger takes the log instead of Stderr if it is not nil.
	Logger *slog.Logger
	// Daemon says that this process only runs the node: the node then follows its
	// watched folders, notifies systemd, and serves the page if that is configured.
	Daemon bool
	// Look says that the node only shows what is stored: it reads a copy of the
	// databases, opens no socket, does nothing for its transfers and channels, and
	// changes nothing in the state directory. Another node may run beside it.
	Look bool
	Now  func() time.Time // nil is time.Now

	// Set by a Daemon.
	load   func() (*config.Config, error) // nil if the node cannot be restarted
	files  []*os.File                     // sockets that systemd opened
	former bound
}

// Node is a node on one state directory.
type Node struct {
	o      Options
	log    *slog.Logger
	level  *slog.LevelVar
	memory *pipe
	ready  chan struct{}

	again     chan struct{}                 // closed to restart the node
	following atomic.Pointer[config.Config] // of the node that follows this one

	// Made by Run, before ready.
	bound     bound
	started   time.Time
	state     *state
	systemd   *supervisor
	ports     *ports
	watcher   *reach.Watcher
	addresses *addresses
	reach     *reachability
	dht       *dht.Node
	seeds     *seeds
	lan       *lan.Node // nil without a network to announce on
	engine    *engine.Engine
	limiter   *policy.Limiter
	guard     *policy.Guard
	withheld  *withheld
	history   *history.History
	uploads   *uploads.Store
	api       *api.API
	socket    string

	// Ports of the API, beside the parts above and the Node itself.
	access    *access
	settings  *settings
	transfers *transfers
	intake    *intake
	events    *events
	webLinks  *webLinks
	receive   *receiveLinks
	browsers  *browsers // nil if the node only shows what is stored

	catalogue *catalogue
	channels  *channel.Manager

	live *config.Live
}

// New checks o. It opens nothing: see Run.
func New(o Options) (*Node, error) {
	if o.Config == nil || !filepath.IsAbs(o.Config.State) {
		return nil, errors.New("a node needs a configuration made by Load")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Stderr == nil {
		o.Stderr = io.Discard
	}
	n := &Node{o: o, live: config.NewLive(o.Config), memory: newPipe(), ready: make(chan struct{}), again: make(chan struct{}), level: new(slog.LevelVar)}
	n.openLog(o.Config)
	return n, nil
}

// openLog logs as c says.
func (n *Node) openLog(c *config.Config) {
	n.log = n.o.Logger
	if n.log == nil {
		opts := &slog.HandlerOptions{Level: n.level, ReplaceAttr: redact}
		if c.LogFormat == "json" {
			n.log = slog.New(slog.NewJSONHandler(n.o.Stderr, opts))
		} else {
			n.log = slog.New(slog.NewTextHandler(n.o.Stderr, opts))
		}
	}
	n.setLevel(c)
}

// redact keeps the keys of sealed shares out of the log, in messages, texts and errors.
func redact(_ []string, a slog.Attr) slog.Attr {
	switch v := a.Value.Any().(type) {
	case string:
		a.Value = slog.StringValue(share.Redact(v))
	case time.Time, slog.Level, *slog.Source: // the handler's own
	case error, fmt.Stringer, []string:
		if text := fmt.Sprint(v); share.Redact(text) != text {
			a.Value = slog.StringValue(share.Redact(text))
		}
	}
	return a
}

// setLevel logs what an operator wants to read. A node that a verb runs for itself logs
// errors only.
func (n *Node) setLevel(c *config.Config) {
	switch {
	case c.Verbose:
		n.level.Set(slog.LevelDebug)
	case n.o.Daemon:
		n.level.Set(slog.LevelInfo)
	default:
		n.level.Set(slog.LevelError)
	}
}

// Run opens the state directory and serves until ctx ends. If another node has locked
// the directory, Run changes nothing and its error wraps ErrLocked. It returns within 20
// seconds after ctx ends, when everything that it started has stopped. It is called
// once.
func (n *Node) Run(ctx context.Context) (err error) {
	defer n.memory.Close()
	open := openState
	if n.o.Look {
		open = openCopy
	}
	if n.state, err = open(n.current().State); err != nil {
		return err
	}
	defer func() {
		if cerr := n.state.close(); cerr != nil && err == nil {
			err = fmt.Errorf("closing the state: %w", cerr)
		}
	}()
	defer func() {
		if _, ok := errors.AsType[*sqlite.Error](err); ok {
			err = openingError(n.current().State, err)
		}
	}()
	if !n.o.Look {
		if err := n.state.sign(n.o.Version); err != nil {
			return err
		}
	}
	if err := n.live.Restore(n.state); err != nil {
		return err
	}
	if n.o.Daemon && n.o.files == nil {
		n.o.files = activation.Files(true)
		defer func() {
			for _, f := range n.o.files {
				f.Close()
			}
		}()
	}
	parts, err := n.buildWithSaved()
	if err != nil {
		return err
	}
	n.log.Info("starting", "version", n.o.Version, "state", n.current().State, "listen", text(n.ports.addresses()))
	err = n.runParts(ctx, parts)
	n.log.Info("stopped", "error", err)
	return err
}

// buildWithSaved is build. If that fails, it tries again without the saved settings that
// the last node did not have: otherwise an owner who is elsewhere could save a setting
// that locks him out.
func (n *Node) buildWithSaved() (*parts, error) {
	n.openLog(n.current())
	p, err := n.build()
	if err == nil || n.o.Look {
		return p, err
	}
	fell, undo, ferr := n.live.FallBack(err, n.o.Now())
	if !fell || ferr != nil {
		return nil, errors.Join(err, ferr)
	}
	n.log.Error("cannot start with the saved settings: trying the former ones", "error", err)
	n.openLog(n.current())
	p, second := n.build()
	if second != nil {
		// The settings are not the reason.
		return nil, errors.Join(err, undo())
	}
	return p, nil
}

// follow ends this node; the next one has the configuration c. It is called once.
func (n *Node) follow(c *config.Config) {
	n.following.Store(c)
	close(n.again)
}

// parts are what a node runs, in two phases: those below start first and stop last.
type parts struct {
	below []func(context.Context) error // network and engine
	above []func(context.Context) error // what uses the engine
}

func (n *Node) runParts(ctx context.Context, p *parts) error {
	// A context of its own: the engine outlives the parts that use it.
	base, stopBelow := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBelow()
	below, base := errgroup.WithContext(base)
	for _, run := range p.below {
		below.Go(func() error { return run(base) })
	}
	above, top := errgroup.WithContext(ctx)
	release := context.AfterFunc(base, func() { n.memory.Close() }) // a part below failed
	defer release()
	top, stopAbove := context.WithCancel(top)
	defer stopAbove()
	context.AfterFunc(base, stopAbove)
	select {
	case <-n.engine.Ready():
		for _, run := range p.above {
			above.Go(func() error { return run(top) })
		}
		if !n.o.Look {
			if err := n.live.Started(); err != nil {
				n.log.Error("cannot record that the node has started", "error", err)
			}
		}
		n.log.Info("ready")
		n.systemd.ready() // before anybody can ask for a restart
		close(n.ready)
		select {
		case <-top.Done():
		case <-n.again:
		}
	case <-base.Done():
	case <-ctx.Done():
	}
	if n.following.Load() != nil {
		n.systemd.reloading()
	} else {
		n.systemd.stopping()
	}
	stopAbove()
	err := above.Wait()
	stopBelow()
	ended := make(chan error, 1)
	go func() { ended <- below.Wait() }()
	select {
	case berr := <-ended:
		return errors.Join(err, berr)
	case <-time.After(stopTime):
		return errors.Join(err, fmt.Errorf("the node did not stop within %s", stopTime))
	}
}

// build makes every part. If it fails, it closes what it opened; else the parts close
// what they were given when their run ends.
func (n *Node) build() (p *parts, err error) {
	n.started = n.o.Now()
	c := n.current()
	n.bound = bound{}
	act, err := activated(n.o.files)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			act.close()
		}
	}()
	if n.ports, err = n.openPorts(act); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			n.ports.close()
		}
	}()
	n.watcher = reach.NewWatcher(reach.WatchConfig{Logger: n.part("reach"), Policy: publish(c)})
	n.systemd = &supervisor{on: n.o.Daemon, port: n.ports.port, log: n.log}
	n.addresses = &addresses{ports: n.ports, host: n.watcher}
	if l := n.ports.ipv4(); l.IsValid() && c.IPv4 {
		n.addresses.ipv4 = nat.New(nat.Config{
			Logger: n.part("nat"), Now: n.o.Now, Listen: l, Ask: !c.NoPinholes,
			Allows: func(a netip.Addr, iface string) bool { return publish(n.current()).Allows(a, iface) },
		})
	}
	n.reach = newReachability(n.addresses, c, n.part("reach"), n.o.Now)
	if n.limiter, err = policy.NewLimiter(plan(c), n.state, n.part("limits"), n.o.Now); err != nil {
		return nil, err
	}
	if n.uploads, err = n.newUploads(); err != nil {
		return nil, err
	}
	n.seeds = newSeeds()
	if len(n.ports.udp) > 0 {
		if n.dht, err = dht.New(n.dhtConfig()); err != nil {
			return nil, err
		}
	}
	if !n.o.Look && !c.NoLAN && !n.ports.loopback() {
		if n.lan, err = lan.New(lan.Config{
			Logger: n.part("lan"), Port: n.ports.port, Found: n.foundNear, Changed: n.watcher.Changed(), Now: n.o.Now,
		}); err != nil {
			return nil, err
		}
	}
	if !n.o.Look {
		n.browsers = newBrowsers(n.ports)
	}
	n.withheld = newWithheld(c.State, func() string { return n.current().Downloads })
	if n.engine, err = engine.New(n.engineConfig()); err != nil {
		return nil, err
	}
	n.reach.engine, n.reach.dht = n.engine, n.dht
	if n.history, err = history.New(history.Config{
		DB: n.state.db, Logger: n.part("history"), Now: n.o.Now, Source: engineRates{n.engine},
	}); err != nil {
		return nil, err
	}
	n.limiter.Apply(n.engine.SetGlobalLimits)
	n.limiter.Held(n.engine.Held)
	n.guard = policy.NewGuard(n.engine, n.state, n.part("guard"), c.MinFree)
	n.catalogue = newCatalogue(c.State, n.engine, n.part("catalogue"))
	n.catalogue.path = filepath.Join(n.state.dir, indexName)
	if n.channels, err = channel.New(context.Background(), n.channelConfig()); err != nil {
		return nil, err
	}
	if n.webLinks, err = n.newWebLinks(); err != nil {
		return nil, err
	}
	n.reach.web = n.webLinks
	if n.receive, err = n.newReceiveLinks(); err != nil {
		return nil, err
	}
	if n.api, err = api.New(n.apiConfig()); err != nil {
		return nil, err
	}
	if n.o.Look {
		return &parts{
			below: []func(context.Context) error{n.engine.Run},
			above: []func(context.Context) error{n.serveMemory, n.api.Run, n.catalogue.run},
		}, nil
	}
	servers, err := n.openServers(act)
	if err != nil {
		return nil, err
	}
	p = &parts{below: []func(context.Context) error{n.engine.Run, n.watcher.Run}}
	if n.dht != nil {
		p.below = append(p.below, n.dht.Run, n.followAddresses)
	}
	if n.lan != nil {
		p.below = append(p.below, n.lan.Run)
	}
	p.above = append(servers, n.api.Run, n.limiter.Run, n.guard.Run, n.reach.run)
	p.above = append(p.above, n.history.Run, n.catalogue.run, n.channels.Run, n.uploads.Run, n.receive.run)
	p.above = append(p.above, (&sweeper{root: filepath.Join(c.State, spoolName), engine: n.engine, log: n.part("spool")}).run)
	if n.dht != nil {
		p.above = append(p.above, func(ctx context.Context) error { return n.seeds.follow(ctx, n.engine) })
	}
	if n.o.Daemon {
		// Stats blocks if the engine hangs.
		p.above = append(p.above, func(ctx context.Context) error { return n.systemd.watch(ctx, func() { n.engine.Stats() }) })
		w, err := watch.New(watch.Config{
			DB: n.state.db, Logger: n.part("watch"), Now: n.o.Now, Node: watched{n.intake},
			Fetch: c.Watch, Share: c.ShareWatch, Retire: c.ShareWatchOld == "retire",
		})
		if err != nil {
			return nil, err
		}
		p.above = append(p.above, w.Run)
	}
	return p, nil
}

// apiConfig makes the ports of the API. Some are parts of the node; small types decorate
// or join parts where one alone is not enough.
func (n *Node) apiConfig() api.Config {
	explainer := n.explainer()
	n.access = &access{state: n.current().State, now: n.o.Now}
	n.settings = &settings{
		live: n.live, limiter: n.limiter, apply: n.apply, load: n.o.load, follow: n.follow,
		examiner: &examiner{current: n.current, ports: n.ports}, now: n.o.Now,
	}
	n.transfers = &transfers{n.engine, explainer, n.guard, n.channels, n.uploads}
	n.intake = &intake{n.engine, n.transfers, n.withheld, n.receive, n.current}
	n.events = &events{n.engine, explainer}
	return api.Config{
		Node: n, Access: n.access, Settings: n.settings, Network: n.reach, Transfers: n.transfers, Content: n.engine,
		Intake: n.intake, Uploads: n.uploads, Incoming: &incoming{n.uploads, n.engine}, Finding: &finder{n.catalogue, n.channels, n.engine},
		Channels: &channels{n.channels, n.catalogue, n.engine, n.o.Now}, WebLinks: n.webLinks, Receive: n.receive, Events: n.events,
		Version: n.o.Version, Logger: n.part("api"), Collectors: n.collectors(),
	}
}

func (n *Node) openPorts(act *inherited) (*ports, error) {
	if n.o.Look {
		return &ports{}, nil
	}
	if len(act.tcp) == 0 && len(act.udp) == 0 {
		p, at, err := openPorts(n.current(), n.state, n.o.former)
		maps.Copy(n.bound, at)
		return p, err
	}
	p := &ports{}
	p.take(act.tcp, act.udp)
	return p, nil
}

func (n *Node) part(name string) *slog.Logger { return n.log.With("part", name) }

func (n *Node) engineConfig() engine.Config {
	c := n.current()
	peers, _ := shares(descriptors())
	cfg := engine.Config{
		Logger: n.part("engine"), DB: n.state.db, Dir: filepath.Join(c.State, torrentsDir),
		Listeners: n.ports.tcp, IPv4: c.IPv4, NoTrackers: c.NoTrackers, Preallocate: c.Preallocate, AllowPrivate: c.Private,
		Limits: n.limiter.InForce(), MaxFetching: c.MaxFetching, MaxUploads: c.MaxUploads, MaxConns: peers, Yield: c.AdaptiveUp,
		Addresses: n.reach.links, HostAddresses: n.addresses.ofHost, OnStranger: n.reach.stranger, DialFrom: n.dialFrom, Reachable: n.reach.proven, Client: "shoal " + n.o.Version, Now: n.o.Now,
		WebSeeds: func(id share.ID, added time.Time) []string { return n.webLinks.seedsOf(id, added) },
	}
	cfg.OwnerOf, cfg.Guard, cfg.Look = n.ownerOf, n.withheld.guard, n.o.Look
	if n.browsers != nil {
		cfg.Web = n.browsers
	}
	if n.dht != nil {
		cfg.Finders = append(cfg.Finders, n.dht)
		cfg.DHTPort = n.ports.udpPort
		cfg.OnDHTNode = n.dht.AddNode
		if c.UTP {
			cfg.UTP = n.dht.Other()
		}
	}
	if n.lan != nil {
		cfg.Finders = append(cfg.Finders, n.lan)
	}
	return cfg
}

// engineRates is the engine as history sees it.
type engineRates struct{ *engine.Engine }

func (e engineRates) Totals() (down, up int64) {
	s := e.Stats()
	return s.Downloaded, s.Uploaded
}

func (e engineRates) Subscribe(buffer int) api.Subscription { return e.Engine.Subscribe(buffer) }

// foundNear passes peers on the local network to their transfer, which may have been
// removed.
func (n *Node) foundNear(id share.ID, peers []netip.AddrPort) {
	if err := n.engine.AddPeers(id, share.FromLAN, peers); err != nil && !errors.Is(err, share.ErrUnknown) && !errors.Is(err, engine.ErrStopped) {
		n.part("lan").Warn("cannot add peers on the local network", "id", id, "error", err)
	}
}

func (n *Node) dhtConfig() dht.Config {
	bootstrap := n.current().Bootstrap
	switch {
	case len(bootstrap) == 0:
		bootstrap = dht.DefaultBootstrap()
	case bootstrap[0] == "none":
		bootstrap = nil
	}
	return dht.Config{
		Conns: n.ports.udp, Logger: n.part("dht"), Now: n.o.Now, Bootstrap: bootstrap,
		StateFile: filepath.Join(n.current().State, "dht.nodes"),
		ReadOnly:  n.current().DHTAsk, EnforceBEP42: n.current().DHTStrict,
		Port:          n.ports.port,
		Addresses:     n.addresses.ownIPs,
		Seeding:       n.seeds.has,
		OnUnsolicited: n.reach.unsolicited,
		// The engine exists before the DHT runs.
		Told: func(id [20]byte) bool { return n.engine.ToldToCall(id) },
	}
}

// followAddresses reports changed addresses to the DHT until ctx ends.
func (n *Node) followAddresses(ctx context.Context) error {
	changed := n.watcher.Changed()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			n.dht.AddressesChanged()
		}
	}
}

// Ready is closed when the node serves.
func (n *Node) Ready() <-chan struct{} { return n.ready }

// Client makes a client that reaches the node in memory.
func (n *Node) Client() *api.Client { return api.NewClient(n.memory.Dial) }

// current is the configuration in force.
func (n *Node) current() *config.Config { return n.live.Current() }

// Reload applies a changed configuration, except for the settings that need a restart.
// It returns the names of those that changed. It is called after Ready.
func (n *Node) Reload(c *config.Config) (restart []string) {
	n.systemd.reloading()
	defer n.systemd.ready()
	restart = n.settings.reload(c)
	if p := n.access.page; p != nil && p.pair != nil {
		if err := p.pair.read(); err != nil {
			n.log.Error("the page keeps its certificate", "error", err)
		}
	}
	if p := n.webLinks.pair; p != nil {
		if renewed, err := openPair(p.cert, p.key); err != nil {
			n.log.Error("the web links keep their certificate", "error", err)
		} else {
			p.now.Store(renewed.now.Load())
		}
	}
	n.log.Info("the configuration was read again", "restart_needed_for", restart)
	return restart
}

// plan is the limits of a configuration.
func plan(c *config.Config) policy.Plan {
	return policy.Plan{
		Limits:     share.Limits{Down: c.Down, Up: c.Up},
		DownSource: c.Source("down"), UpSource: c.Source("up"),
		Window: c.Schedule.Limits,
	}
}

// apply applies the configuration in force to the parts that can change.
func (n *Node) apply() {
	c := n.current()
	n.watcher.SetPolicy(publish(c))
	n.setLevel(c)
	n.limiter.Follow(plan(c))
	n.engine.SetYield(c.AdaptiveUp)
	n.guard.SetMinFree(c.MinFree)
}
