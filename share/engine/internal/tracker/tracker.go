// Package tracker keeps to itself how trackers are announced to: over HTTP (BEP 3,
// 7, 23, 24) and UDP (BEP 15, 41), for the trackers that links and torrents name.
// It returns the peers they send.
//
// One Announcer serves every transfer of a node with one scheduler: a waiting
// transfer needs memory but no goroutine. Trackers are not trusted: netguard checks
// their addresses, answers are bounded, and the requested intervals are clamped.
package tracker

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/engine/internal/netguard"
)

// Config is what an Announcer needs.
type Config struct {
	Logger *slog.Logger
	Policy netguard.Policy
	// PeerID is the peer ID of the node.
	PeerID [20]byte
	// Agent is the User-Agent towards HTTP trackers.
	Agent string
	// Port is the node's port for peers. While it is 0, nothing is announced.
	Port func() uint16
	// Progress returns the current progress of a transfer; false if it was
	// removed. It must not block for long.
	Progress func(share.ID) (Progress, bool)
	// Found is called with the peers of one answer that the policy allows, and those of
	// IPv4 even where that is off, for the caller to count; for each transfer and tier by
	// one goroutine at a time.
	Found func(id share.ID, peers []netip.AddrPort)
	// Parallel is the number of concurrent announces; 0 is 32.
	Parallel int
	Now      func() time.Time
}

// Progress is the progress of a transfer in bytes. Uploaded and Downloaded are
// totals since any point in time: trackers are sent only the increase.
type Progress struct {
	Uploaded, Downloaded int64
	Left                 int64 // of all its files; -1 while the size is unknown
}

// unknownLeft is sent while the size is unknown. It is the value that other clients
// send; 0 would count us as a seed.
const unknownLeft = 16 << 10

func (p Progress) left() int64 {
	if p.Left < 0 {
		return unknownLeft
	}
	return p.Left
}

// Status of one tracker of a transfer.
type Status struct {
	URL      string
	Tier     int
	Last     time.Time // of the last answer, zero before
	Next     time.Time
	Err      error // of the last attempt
	Seeders  int   // as the tracker counts
	Leechers int
	Peers    int // addresses in the last answer
}

// event of an announce (BEP 3). The values are those of BEP 15.
type event uint32

const (
	regular   event = 0
	completed event = 1
	started   event = 2
	stopped   event = 3
)

func (e event) String() string {
	return [...]string{"", "completed", "started", "stopped"}[e]
}

// request is one announce, over either protocol.
type request struct {
	id       share.ID
	event    event
	progress Progress
	port     uint16
	want     int
	key      uint32
	session  string // what BEP 3 calls trackerid, HTTP only
}

// reply is one answer, over either protocol.
type reply struct {
	interval    time.Duration
	minInterval time.Duration
	session     string
	seeders     int
	leechers    int
	peers       []netip.AddrPort
}

// refusal is a tracker's failure reason.
type refusal struct {
	reason string
	retry  time.Duration // BEP 31; 0 leaves it to us, negative means never
}

func (r *refusal) Error() string { return r.Text().String() }

func (r *refusal) Text() share.Text { return share.Say("the tracker refuses: %q", r.reason) }

// The bounds of the intervals that trackers request.
const (
	defaultInterval = 30 * time.Minute
	shortest        = time.Minute
	longest         = 6 * time.Hour
	firstBackoff    = 15 * time.Second
	longestBackoff  = 30 * time.Minute
	never           = 24 * time.Hour // for a tracker that says so
	announceTimeout = 45 * time.Second
	stopTimeout     = 4 * time.Second
	maxTrackers     = 32 // of one transfer
	wantFetching    = 200
	wantSeeding     = 30
)

// New creates an announcer that does nothing before Run.
func New(cfg Config) (*Announcer, error) {
	if cfg.Logger == nil || cfg.Port == nil || cfg.Progress == nil || cfg.Found == nil {
		return nil, errors.New("tracker: Logger, Port, Progress and Found are needed")
	}
	if cfg.Parallel <= 0 {
		cfg.Parallel = 32
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Announcer{
		cfg:       cfg,
		transfers: map[share.ID]*transfer{},
		wake:      make(chan struct{}, 1),
	}, nil
}

// key distinguishes our announces from those of others behind the same address. For
// one transfer it is the same as long as the peer ID is.
func key(peerID [20]byte, id share.ID) uint32 {
	return binary.BigEndian.Uint32(peerID[16:]) ^ binary.BigEndian.Uint32(id[:])
}

// clients hold the state that the protocols keep between announces.
type clients struct {
	families []*family
}

// family is one address family. A tracker sees one of our addresses in each, so we
// announce over both if both are used (BEP 7).
type family struct {
	http *httpClient
	udp  *udpClient
}

func newClients(cfg Config) *clients {
	c := &clients{}
	add := func(p netguard.Policy) {
		c.families = append(c.families, &family{
			http: newHTTPClient(p, cfg.PeerID, cfg.Agent),
			udp:  newUDPClient(p, cfg.PeerID, cfg.Now),
		})
	}
	add(netguard.Policy{AllowPrivate: cfg.Policy.AllowPrivate})
	if cfg.Policy.IPv4 {
		add(netguard.Policy{AllowPrivate: cfg.Policy.AllowPrivate, IPv4: true, NoIPv6: true})
	}
	return c
}

func (c *clients) close() {
	for _, f := range c.families {
		f.http.close()
	}
}

// announce announces to one tracker over every family and merges the answers. It
// fails only if all families fail.
func (c *clients) announce(ctx context.Context, target *target, req request) (reply, error) {
	type result struct {
		reply
		err error
	}
	results := make(chan result, len(c.families))
	for _, f := range c.families {
		go func() {
			var r result
			r.reply, r.err = f.announce(ctx, target, req)
			results <- r
		}()
	}
	var joined reply
	var errs []error
	for range c.families {
		r := <-results
		if r.err != nil {
			errs = append(errs, r.err)
			continue
		}
		joined.interval = max(joined.interval, r.interval)
		joined.minInterval = max(joined.minInterval, r.minInterval)
		joined.seeders = max(joined.seeders, r.seeders)
		joined.leechers = max(joined.leechers, r.leechers)
		joined.peers = append(joined.peers, r.peers...)
		if r.session != "" {
			joined.session = r.session
		}
	}
	if len(errs) == len(c.families) {
		return reply{}, errors.Join(errs...)
	}
	return joined, nil
}

func (f *family) announce(ctx context.Context, t *target, req request) (reply, error) {
	if t.url.Scheme == "udp" {
		return f.udp.announce(ctx, t, req)
	}
	return f.http.announce(ctx, t, req)
}
