package config

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
	DHTAsk     bool   // query the DHT without answering queries
	DHTStrict  bool   // ignore DHT nodes whose ID does not match their address
	Interface  string // publish only addresses of this interface; empty is any
	Prefix     string // publish only addresses within this prefix; empty is any
	Private    bool   // allow trackers and web seeds at private addresses
	Verbose    bool
	LogFormat  string // text or json

	Downloads     string
	Watch         []string
	ShareWatch    []string
	ShareWatchOld string // keep or retire
	Seed          share.Goal
	Sealed        bool // seal what is shared unless the request says otherwise
	Down, Up      int64
	Schedule      Schedule
	AdaptiveUp    bool
	MaxFetching   int
	MaxUploads    int
	ChannelPoll   time.Duration
	Preallocate   bool
	MinFree       int64

	Web      string   // ADDRESS:PORT of the page; empty serves none
	WebHosts []string // host names of the page in addition to its address
	WebCert  string   // certificate and key files, PEM; empty is plain HTTP
	WebKey   string

	WebLinkListen []string // [ADDRESS]:PORT of the public door, besides the port for peers

	WebLinkCert string // certificate and key files of the public door, PEM; empty is plain HTTP
	WebLinkKey  string

	ACME      bool   // get certificates for this host's addresses: agrees to the terms of the CA
	ACMECA    string // URL of the directory of the CA (RFC 8555); empty is Let's Encrypt
	ACMERoot  string // file with the root certificate of the CA's own web server
	ACMEEmail string

	origins map[string]origin
}

// Scope says which verbs take a setting as a flag. The configuration file and the
// environment may have any setting, whatever its scope.
type Scope int

// The scopes of settings.
const (
	Common Scope = iota // verbs that may start a node
	Daemon              // the daemon only
)

// The groups of settings, in the order in which people are shown them. They are words of
// api.Setting.Group.
const (
	Expert    = "" // also of settings that belong to no other group
	Downloads = "downloads"
	Speed     = "speed"
	Network   = "network"
	Seeding   = "seeding"
	Folders   = "folders"
	Access    = "access"
)

// Afar says what of a setting the API may change. What the API cannot change it does
// not export either.
type Afar int

// What the API may change.
const (
	Anything Afar = iota
	PortOnly      // the ports of listeners, not their addresses
	Nothing       // listeners that other machines reach, and credentials
)

// Setting is one configurable value: a flag --Name, an environment variable and a
// key of the configuration file. Flags, manual page and configuration are all made
// from the table that Settings returns.
type Setting struct {
	Name    string
	Arg     string // placeholder of the value in the help; empty for a switch
	Default string // in the form a user would write
	Help    string // lower-case, without a full stop
	Group   string // one of the words above
	Afar    Afar
	Scope   Scope
	List    bool // may be given more than once; in the environment Separator separates the elements
	Live    bool // a changed configuration file takes effect without a restart
	value   func(*Config) any
}

// Separator separates the elements of a list in an environment variable.
const Separator = ";"

// Env is the name of the environment variable of s.
func (s Setting) Env() string {
	return "SHOAL_" + strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_"))
}

// Settings returns the table of settings, in the order of the help. The first
// two are not keys of the file.
func Settings() []Setting {
	return []Setting{
		{Name: "state", Arg: "DIR", Default: DefaultState(), Afar: Nothing, Scope: Common,
			Help:  "keep state in `DIR`",
			value: func(c *Config) any { return (*path)(&c.State) }},
		{Name: "config", Arg: "FILE", Default: defaultFile(), Afar: Nothing, Scope: Common,
			Help:  "read the configuration from `FILE`",
			value: func(c *Config) any { return (*path)(&c.File) }},
		{Name: "listen", Arg: "[ADDR]:PORT", Group: Network, Afar: PortOnly, Scope: Common, List: true,
			Help:  "listen for peers (TCP) and the DHT (UDP) at `[ADDR]:PORT`; without it, at [::] and a port that is chosen once and kept; port 0 is any free port",
			value: func(c *Config) any { return (*endpoints)(&c.Listen) }},
		{Name: "bootstrap", Arg: "HOST:PORT", Group: Network, Scope: Common, List: true,
			Help:  "join the DHT through `HOST:PORT` instead of the well-known nodes; none joins it only through peers",
			value: func(c *Config) any { return (*hosts)(&c.Bootstrap) }},
		{Name: "ipv4", Default: "false", Group: Network, Scope: Common,
			Help:  "also connect to peers over IPv4, and put IPv4 addresses into links",
			value: func(c *Config) any { return &c.IPv4 }},
		{Name: "utp", Default: "true", Group: Network, Scope: Common,
			Help:  "also connect to peers over uTP",
			value: func(c *Config) any { return &c.UTP }},
		{Name: "no-trackers", Default: "false", Group: Network, Scope: Common,
			Help:  "do not use the trackers that links and torrents list",
			value: func(c *Config) any { return &c.NoTrackers }},
		{Name: "no-lan", Default: "false", Group: Network, Scope: Common,
			Help:  "do not find peers on the local network or announce transfers to it",
			value: func(c *Config) any { return &c.NoLAN }},
		{Name: "no-pinholes", Default: "false", Group: Network, Scope: Common,
			Help:  "do not ask the router to open its firewall, or to map a port, for this node",
			value: func(c *Config) any { return &c.NoPinholes }},
		{Name: "dht-read-only", Default: "false", Group: Network, Scope: Daemon,
			Help:  "query the DHT without answering queries (BEP 43), for metered connections",
			value: func(c *Config) any { return &c.DHTAsk }},
		{Name: "dht-strict", Default: "false", Scope: Daemon,
			Help:  "ignore DHT nodes whose ID does not match their address (BEP 42); this excludes some honest nodes",
			value: func(c *Config) any { return &c.DHTStrict }},
		{Name: "interface", Arg: "NAME", Group: Network, Scope: Common, Live: true,
			Help:  "publish only the addresses of the interface `NAME`, and dial from them",
			value: func(c *Config) any { return (*word)(&c.Interface) }},
		{Name: "prefix", Arg: "PREFIX", Group: Network, Scope: Common, Live: true,
			Help:  "publish only the addresses within `PREFIX`, such as 2001:db8:1:2::/64, and dial from them",
			value: func(c *Config) any { return (*prefix)(&c.Prefix) }},
		{Name: "allow-private", Default: "false", Scope: Common,
			Help:  "allow links and torrents to name trackers and web seeds at private addresses",
			value: func(c *Config) any { return &c.Private }},
		{Name: "up", Arg: "RATE", Default: "0", Group: Speed, Scope: Common, Live: true,
			Help:  "limit the upload to `RATE` bytes a second, such as 500K or 5MiB; 0 is no limit",
			value: func(c *Config) any { return (*rate)(&c.Up) }},
		{Name: "down", Arg: "RATE", Default: "0", Group: Speed, Scope: Common, Live: true,
			Help:  "limit the download to `RATE` bytes a second; 0 is no limit",
			value: func(c *Config) any { return (*rate)(&c.Down) }},
		{Name: "preallocate", Default: "false", Group: Downloads, Scope: Common,
			Help:  "reserve the disk space of each file before writing to it",
			value: func(c *Config) any { return &c.Preallocate }},
		{Name: "min-free", Arg: "SIZE", Default: "256MiB", Group: Downloads, Scope: Common, Live: true,
			Help:  "stop downloading while the disk has less than `SIZE` free; 0 never stops",
			value: func(c *Config) any { return (*size)(&c.MinFree) }},
		{Name: "verbose", Default: "false", Scope: Common, Live: true,
			Help:  "log in detail",
			value: func(c *Config) any { return &c.Verbose }},
		{Name: "log-format", Arg: "FORMAT", Default: "text", Scope: Daemon,
			Help:  "log as `FORMAT`: text or json",
			value: func(c *Config) any { return &choice{&c.LogFormat, []string{"text", "json"}} }},

		{Name: "downloads", Arg: "DIR", Default: defaultDownloads(), Group: Folders, Scope: Daemon, Live: true,
			Help:  "download into `DIR` unless the request names another folder",
			value: func(c *Config) any { return (*path)(&c.Downloads) }},
		{Name: "watch", Arg: "DIR", Group: Folders, Scope: Daemon, List: true,
			Help:  "download the content of each torrent and link file that is put into `DIR`",
			value: func(c *Config) any { return (*paths)(&c.Watch) }},
		{Name: "share-watch", Arg: "DIR", Group: Folders, Scope: Daemon, List: true,
			Help:  "share each file and folder in `DIR`, and share it again when it changes",
			value: func(c *Config) any { return (*paths)(&c.ShareWatch) }},
		{Name: "share-watch-old", Arg: "WHAT", Default: "keep", Group: Folders, Scope: Daemon,
			Help:  "`WHAT` to do with the old share when a file or folder in a share-watch folder changes: keep or retire",
			value: func(c *Config) any { return &choice{&c.ShareWatchOld, []string{"keep", "retire"}} }},
		{Name: "seed", Arg: "GOAL", Default: "forever", Group: Seeding, Scope: Daemon, Live: true,
			Help:  "seed a complete download until it reaches `GOAL`: none, forever, a time (90m, 7d), ratio:N, or both (7d,ratio:2)",
			value: func(c *Config) any { return (*goal)(&c.Seed) }},
		{Name: "sealed", Default: "false", Group: Seeding, Scope: Daemon, Live: true,
			Help:  "encrypt each share with a key that is in its link; share --sealed=false overrides it",
			value: func(c *Config) any { return &c.Sealed }},
		{Name: "max-fetching", Arg: "N", Default: "0", Group: Downloads, Scope: Daemon,
			Help:  "run at most `N` downloads at once and queue the others; 0 is no limit",
			value: func(c *Config) any { return (*count)(&c.MaxFetching) }},
		{Name: "max-uploads", Arg: "N", Default: "0", Group: Speed, Scope: Common,
			Help:  "upload to at most `N` peers at once, in all transfers together; 0 is as many as the line serves well",
			value: func(c *Config) any { return (*count)(&c.MaxUploads) }},
		{Name: "channel-poll", Arg: "TIME", Default: "15m", Scope: Daemon,
			Help:  "check followed channels for changes about every `TIME`, at least 1s",
			value: func(c *Config) any { return (*interval)(&c.ChannelPoll) }},
		{Name: "schedule", Arg: "WHEN", Group: Speed, Scope: Daemon, List: true, Live: true,
			Help:  "use other limits at certain times: `WHEN` is such as 'mon-fri 08:00-18:00 up=1M down=5M'; the first match applies, and a limit it does not name stays unchanged",
			value: func(c *Config) any { return &c.Schedule }},
		{Name: "adaptive-upload", Default: "true", Group: Speed, Scope: Common, Live: true,
			Help:  "upload less while the line is congested, so that other programs stay responsive",
			value: func(c *Config) any { return &c.AdaptiveUp }},
		{Name: "web-link-listen", Arg: "[ADDR]:PORT", Group: Access, Afar: Nothing, Scope: Common, List: true,
			Help:  "serve the web links of shares (share --web-link) at `[ADDR]:PORT`, too",
			value: func(c *Config) any { return (*endpoints)(&c.WebLinkListen) }},
		{Name: "web-link-cert", Arg: "FILE", Group: Access, Afar: Nothing, Scope: Common,
			Help:  "serve web links over TLS with the certificate in `FILE`, at the names in it; SIGHUP reads it again",
			value: func(c *Config) any { return (*path)(&c.WebLinkCert) }},
		{Name: "web-link-key", Arg: "FILE", Group: Access, Afar: Nothing, Scope: Common,
			Help:  "read the private key of the certificate for web links from `FILE`",
			value: func(c *Config) any { return (*path)(&c.WebLinkKey) }},
		{Name: "acme", Default: "false", Group: Access, Afar: Nothing, Scope: Common,
			Help:  "get certificates for the stable addresses of this host from Let's Encrypt, for web links and the page: this agrees to the terms of the CA, and the addresses appear in public logs; the CA connects to ports 443 and 80",
			value: func(c *Config) any { return &c.ACME }},
		{Name: "acme-ca", Arg: "URL", Group: Access, Afar: Nothing, Scope: Daemon,
			Help:  "get certificates from the CA whose directory (RFC 8555) is at `URL`",
			value: func(c *Config) any { return (*word)(&c.ACMECA) }},
		{Name: "acme-root", Arg: "FILE", Group: Access, Afar: Nothing, Scope: Daemon,
			Help:  "trust the root certificate in `FILE` when asking the CA, instead of those of the system",
			value: func(c *Config) any { return (*path)(&c.ACMERoot) }},
		{Name: "acme-email", Arg: "ADDRESS", Group: Access, Afar: Nothing, Scope: Daemon,
			Help:  "tell the CA `ADDRESS`, at which it may report trouble",
			value: func(c *Config) any { return (*word)(&c.ACMEEmail) }},
		{Name: "web", Arg: "ADDR:PORT", Group: Access, Afar: Nothing, Scope: Daemon,
			Help:  "serve the web page at `ADDR:PORT`",
			value: func(c *Config) any { return (*endpoint)(&c.Web) }},
		{Name: "web-hosts", Arg: "NAME", Group: Access, Scope: Daemon, List: true,
			Help:  "also serve the page under the host name `NAME`, such as that of a reverse proxy",
			value: func(c *Config) any { return (*names)(&c.WebHosts) }},
		{Name: "web-cert", Arg: "FILE", Group: Access, Afar: Nothing, Scope: Daemon,
			Help:  "serve the page over TLS with the certificate in `FILE`; SIGHUP reads it again",
			value: func(c *Config) any { return (*path)(&c.WebCert) }},
		{Name: "web-key", Arg: "FILE", Group: Access, Afar: Nothing, Scope: Daemon,
			Help:  "read the private key of the certificate from `FILE`",
			value: func(c *Config) any { return (*path)(&c.WebKey) }},
	}
}

const day = 24 * time.Hour
