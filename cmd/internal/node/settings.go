package node

import (
	"strings"
	"time"

	"github.com/shoalnet/shoal/share"
)

// Config is the configuration of a node, made by Load. Sizes are bytes, rates
// bytes per second; 0 is no limit.
type Config struct {
	State      string   // state directory, absolute
	File       string   // configuration file; it need not exist
	Listen     []string // [ADDRESS]:PORT; none means [::] and the kept port
	Bootstrap  []string // HOST:PORT of DHT nodes; "none" alone is none
	IPv4       bool
	UTP        bool
	NoTrackers bool
	NoLAN      bool
	NoPinholes bool
	DHTAsk     bool   // ask the DHT and do not answer
	DHTStrict  bool   // ignore DHT nodes whose ID does not fit their address
	Interface  string // only addresses of this one are told; empty is any
	Prefix     string // only addresses within; empty is any
	Private    bool   // trackers and web seeds at private addresses are allowed
	Verbose    bool
	LogFormat  string // text or json

	Downloads     string
	Watch         []string
	ShareWatch    []string
	ShareWatchOld string // keep or retire
	Seed          share.Goal
	Down, Up      int64
	Schedule      Schedule
	AdaptiveUp    bool
	MaxFetching   int
	ChannelPoll   time.Duration
	Preallocate   bool
	MinFree       int64

	Web      string   // ADDRESS:PORT of the page; empty serves none
	WebHosts []string // names of the page besides its address
	WebCert  string   // certificate and key files, PEM; empty is plain HTTP
	WebKey   string

	origins map[string]origin
}

// Scope tells which verbs take a setting as a flag. Each setting may be in the
// configuration file and in the environment whatever its scope.
type Scope int

// The scopes of settings.
const (
	Common Scope = iota // verbs that may start a node
	Daemon              // the daemon only
)

// Setting is one thing that can be configured: a flag --Name, a variable, a key
// of the file. The table Settings is the only place that says so; flags, manual
// page and configuration are made from it.
type Setting struct {
	Name    string
	Arg     string // what stands for the value in the help; empty for a switch
	Default string // as it would be written
	Help    string // half a sentence
	Scope   Scope
	List    bool // may be given more than once; in the environment Separator parts the elements
	Live    bool // a changed configuration file takes effect without a restart
	value   func(*Config) any
}

// Separator parts the elements of a list in an environment variable.
const Separator = ";"

// Env is the name of the environment variable of s.
func (s Setting) Env() string {
	return "SHOAL_" + strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_"))
}

// Settings returns the table of settings, in the order of the help. The first
// two are not keys of the file.
func Settings() []Setting {
	return []Setting{
		{Name: "state", Arg: "DIR", Default: defaultState(), Scope: Common,
			Help:  "keep state in `DIR`",
			value: func(c *Config) any { return (*path)(&c.State) }},
		{Name: "config", Arg: "FILE", Default: defaultFile(), Scope: Common,
			Help:  "read the configuration from `FILE`",
			value: func(c *Config) any { return (*path)(&c.File) }},
		{Name: "listen", Arg: "[ADDR]:PORT", Scope: Common, List: true,
			Help:  "accept peers (TCP) and the DHT (UDP) at `[ADDR]:PORT`; without it [::] and a port chosen once and kept, port 0 is any",
			value: func(c *Config) any { return (*endpoints)(&c.Listen) }},
		{Name: "bootstrap", Arg: "HOST:PORT", Scope: Common, List: true,
			Help:  "enter the DHT through `HOST:PORT` instead of the well-known nodes; none enters it through peers only",
			value: func(c *Config) any { return (*hosts)(&c.Bootstrap) }},
		{Name: "ipv4", Default: "false", Scope: Common,
			Help:  "talk to peers over IPv4, too",
			value: func(c *Config) any { return &c.IPv4 }},
		{Name: "utp", Default: "false", Scope: Common,
			Help:  "talk to peers over uTP, too",
			value: func(c *Config) any { return &c.UTP }},
		{Name: "no-trackers", Default: "false", Scope: Common,
			Help:  "leave alone the trackers that links name",
			value: func(c *Config) any { return &c.NoTrackers }},
		{Name: "no-lan", Default: "false", Scope: Common,
			Help:  "neither look for peers on the local network nor tell it what is here",
			value: func(c *Config) any { return &c.NoLAN }},
		{Name: "no-pinholes", Default: "false", Scope: Common,
			Help:  "do not ask the router to let strangers through to this node",
			value: func(c *Config) any { return &c.NoPinholes }},
		{Name: "dht-read-only", Default: "false", Scope: Daemon,
			Help:  "ask the DHT and do not answer it, where traffic costs (BEP 43)",
			value: func(c *Config) any { return &c.DHTAsk }},
		{Name: "dht-strict", Default: "false", Scope: Daemon,
			Help:  "have no dealings with DHT nodes whose ID does not fit their address (BEP 42); some honest ones do not",
			value: func(c *Config) any { return &c.DHTStrict }},
		{Name: "interface", Arg: "NAME", Scope: Common, Live: true,
			Help:  "tell others the addresses of the interface `NAME` only, and call from there",
			value: func(c *Config) any { return (*word)(&c.Interface) }},
		{Name: "prefix", Arg: "PREFIX", Scope: Common, Live: true,
			Help:  "tell others the addresses within `PREFIX` only, such as 2001:db8:1:2::/64, and call from there",
			value: func(c *Config) any { return (*prefix)(&c.Prefix) }},
		{Name: "allow-private", Default: "false", Scope: Common,
			Help:  "let links and torrents send this node to trackers and web seeds at private addresses",
			value: func(c *Config) any { return &c.Private }},
		{Name: "up", Arg: "RATE", Default: "0", Scope: Common, Live: true,
			Help:  "send at most `RATE` bytes a second, such as 500K or 5MiB; 0 is no limit",
			value: func(c *Config) any { return (*rate)(&c.Up) }},
		{Name: "down", Arg: "RATE", Default: "0", Scope: Common, Live: true,
			Help:  "fetch at most `RATE` bytes a second",
			value: func(c *Config) any { return (*rate)(&c.Down) }},
		{Name: "preallocate", Default: "false", Scope: Common,
			Help:  "reserve the space of each file before writing to it",
			value: func(c *Config) any { return &c.Preallocate }},
		{Name: "min-free", Arg: "SIZE", Default: "256MiB", Scope: Common, Live: true,
			Help:  "stop fetching while the disk has less than `SIZE` free; 0 never does",
			value: func(c *Config) any { return (*size)(&c.MinFree) }},
		{Name: "verbose", Default: "false", Scope: Common, Live: true,
			Help:  "log what the node does in detail",
			value: func(c *Config) any { return &c.Verbose }},
		{Name: "log-format", Arg: "FORMAT", Default: "text", Scope: Daemon,
			Help:  "log as `FORMAT`: text or json",
			value: func(c *Config) any { return &choice{&c.LogFormat, []string{"text", "json"}} }},

		{Name: "downloads", Arg: "DIR", Default: defaultDownloads(), Scope: Daemon, Live: true,
			Help:  "put what is fetched into `DIR` unless the request names another",
			value: func(c *Config) any { return (*path)(&c.Downloads) }},
		{Name: "watch", Arg: "DIR", Scope: Daemon, List: true,
			Help:  "fetch what torrent and link files put into `DIR` name",
			value: func(c *Config) any { return (*paths)(&c.Watch) }},
		{Name: "share-watch", Arg: "DIR", Scope: Daemon, List: true,
			Help:  "share each file and folder in `DIR`, anew when it changes",
			value: func(c *Config) any { return (*paths)(&c.ShareWatch) }},
		{Name: "share-watch-old", Arg: "WHAT", Default: "keep", Scope: Daemon,
			Help:  "`WHAT` becomes of the former share when one below a share-watch folder changed: keep or retire",
			value: func(c *Config) any { return &choice{&c.ShareWatchOld, []string{"keep", "retire"}} }},
		{Name: "seed", Arg: "GOAL", Default: "forever", Scope: Daemon, Live: true,
			Help:  "seed what was fetched until `GOAL` is met: none, forever, a time (90m, 7d), ratio:N, or both (7d,ratio:2)",
			value: func(c *Config) any { return (*goal)(&c.Seed) }},
		{Name: "max-fetching", Arg: "N", Default: "0", Scope: Daemon,
			Help:  "fetch at most `N` at once, others wait; 0 is no limit",
			value: func(c *Config) any { return (*count)(&c.MaxFetching) }},
		{Name: "channel-poll", Arg: "TIME", Default: "15m", Scope: Daemon,
			Help:  "look about every `TIME` whether the channels that are followed have changed; at least 1s",
			value: func(c *Config) any { return (*interval)(&c.ChannelPoll) }},
		{Name: "schedule", Arg: "WHEN", Scope: Daemon, List: true, Live: true,
			Help:  "other limits at other times: `WHEN` is such as 'mon-fri 08:00-18:00 up=1M down=5M'; the first that fits counts, what it leaves out stays",
			value: func(c *Config) any { return &c.Schedule }},
		{Name: "adaptive-upload", Default: "false", Scope: Daemon, Live: true,
			Help:  "send less when the line begins to queue, so that it stays usable for others",
			value: func(c *Config) any { return &c.AdaptiveUp }},
		{Name: "web", Arg: "ADDR:PORT", Scope: Daemon,
			Help:  "serve the web page at `ADDR:PORT`",
			value: func(c *Config) any { return (*endpoint)(&c.Web) }},
		{Name: "web-hosts", Arg: "NAME", Scope: Daemon, List: true,
			Help:  "let browsers ask for the page by `NAME`, too, such as that of a proxy in front of it",
			value: func(c *Config) any { return (*names)(&c.WebHosts) }},
		{Name: "web-cert", Arg: "FILE", Scope: Daemon,
			Help:  "serve the page over TLS with the certificate in `FILE`, read again on SIGHUP",
			value: func(c *Config) any { return (*path)(&c.WebCert) }},
		{Name: "web-key", Arg: "FILE", Scope: Daemon,
			Help:  "the key of the certificate is in `FILE`",
			value: func(c *Config) any { return (*path)(&c.WebKey) }},
	}
}

const day = 24 * time.Hour
