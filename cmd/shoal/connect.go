package main

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/shoalnet/shoal/cmd/internal/config"
	"github.com/shoalnet/shoal/cmd/internal/node"
	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/webui/api"
)

// client is the part of the API that the verbs use. *api.Client implements it.
type client interface {
	Info(ctx context.Context) (api.Info, error)
	Settings(ctx context.Context) ([]api.Setting, error)
	Limits(ctx context.Context) (api.Limits, error)
	ChangeGlobalLimits(ctx context.Context, l share.LimitChange) (api.Limits, error)
	SignIn(ctx context.Context) (string, error)
	Network(ctx context.Context) (share.Report, error)
	TestNetwork(ctx context.Context) (share.Report, error)

	Transfers(ctx context.Context, fields ...string) ([]share.Transfer, error)
	Resolve(ctx context.Context, prefix string) (share.Transfer, error)
	Transfer(ctx context.Context, id share.ID) (share.Transfer, error)
	Files(ctx context.Context, id share.ID) ([]share.File, error)
	Peers(ctx context.Context, id share.ID) ([]share.Peer, error)
	Room(ctx context.Context, id share.ID) (api.Room, error)
	Discovery(ctx context.Context, id share.ID) ([]share.Way, error)
	Log(ctx context.Context, id share.ID) ([]api.LogLine, error)

	Search(ctx context.Context, q index.Query) (index.Results, error)
	Entries(ctx context.Context, digits string) ([]index.Entry, error)

	Channels(ctx context.Context) ([]index.Channel, error)
	Channel(ctx context.Context, ref string) (index.Channel, error)
	AddChannel(ctx context.Context, n api.NewChannel) (index.Channel, error)
	EditChannel(ctx context.Context, ref string, c index.ChannelChange) (index.Channel, error)
	DropChannel(ctx context.Context, ref string, own bool) (index.Channel, error)
	PublishChannel(ctx context.Context, ref string) (index.Channel, error)
	ChannelEntries(ctx context.Context, ref string, offset, limit int) (api.Page, error)
	PutEntries(ctx context.Context, ref string, e api.NewEntries) (index.Channel, error)
	RemoveEntry(ctx context.Context, ref string, id share.ID) (index.Channel, error)

	WebLinks(ctx context.Context) ([]api.WebLink, error)
	NewWebLink(ctx context.Context, id share.ID, n api.NewWebLink) (api.WebLink, error)
	RevokeWebLink(ctx context.Context, id string) error
	SetWebSeed(ctx context.Context, id share.ID, on bool) error

	ReceiveLinks(ctx context.Context) ([]api.ReceiveLink, error)
	NewReceiveLink(ctx context.Context, n api.NewReceiveLink) (api.ReceiveLink, error)
	RevokeReceiveLink(ctx context.Context, id string) error
	IncomingFiles(ctx context.Context, id string, after int64) ([]api.ComingFile, error)
	Watch(ctx context.Context, o api.WatchOptions) iter.Seq2[api.Update, error]

	Lease(ctx context.Context) (lease string, end func(), err error)
	Share(ctx context.Context, r api.ShareRequest) (share.Transfer, error)
	Fetch(ctx context.Context, r api.FetchRequest) (share.Transfer, error)
	Import(ctx context.Context, r api.ImportRequest) (share.Transfer, error)
	Preview(ctx context.Context, r api.PreviewRequest) (api.Preview, error)
	Bulk(ctx context.Context, r api.BulkRequest) (api.BulkResult, error)
	Resume(ctx context.Context, id share.ID) error
	Verify(ctx context.Context, id share.ID) error
	Remove(ctx context.Context, id share.ID, data bool) ([]share.Kept, error)
	ChangeLimits(ctx context.Context, id share.ID, l share.LimitChange) error
	SetPriority(ctx context.Context, id share.ID, files map[int]share.Priority) error
	SetGoal(ctx context.Context, id share.ID, g share.Goal) error
	Content(ctx context.Context, id share.ID, file int) (io.ReadCloser, error)
	Events(ctx context.Context, ids ...share.ID) iter.Seq2[share.Event, error]
}

// resolve finds the one transfer that arg names: an ID, the beginning of one, or a
// link.
func resolve(ctx context.Context, n client, arg string) (share.Transfer, error) {
	prefix := strings.ToLower(strings.TrimSpace(arg))
	if strings.Contains(prefix, ":") || looksLikeID(prefix) {
		l, err := share.ParseLink(arg)
		if err != nil {
			return share.Transfer{}, err
		}
		for _, id := range l.IDs()[1:] { // the node may know one alone
			t, err := n.Resolve(ctx, id.String())
			if !errors.Is(err, share.ErrUnknown) {
				return t, err
			}
		}
		prefix = l.Key().String()
	}
	if prefix == "" || len(prefix) > 64 || strings.Trim(prefix, hexDigits) != "" {
		return share.Transfer{}, usageErrorf("%s is not an ID or the beginning of one (shoal list shows them)", share.Quote(arg))
	}
	t, err := n.Resolve(ctx, prefix)
	if errors.Is(err, share.ErrUnknown) {
		err = share.Errorf(share.KindOf(err), "%w (shoal list shows all)", err)
	}
	return t, err
}

const hexDigits = "0123456789abcdef"

// lifetime tells how long the node that a verb talks to will run.
type lifetime int

const (
	ours   lifetime = iota // as long as this command
	theirs                 // as long as another command
	itsOwn                 // until it is stopped: a daemon
)

func lifetimeOf(s *node.Session) lifetime {
	switch {
	case s.Own:
		return ours
	case s.Info.Daemon:
		return itsOwn
	}
	return theirs
}

// withNode calls do with the node that runs on the state directory. If none runs,
// and running is false, it starts one that ends when do returns. A node that
// belongs to another command may end meanwhile; then withNode starts one and calls
// do again.
func withNode(ctx context.Context, c *call, running bool, do func(ctx context.Context, n client, life lifetime) error) error {
	cfg, err := config.Load(c.sources())
	if err != nil {
		return err
	}
	for {
		var s *node.Session
		if running {
			s, err = node.Dial(ctx, cfg.State)
		} else {
			s, err = c.open(ctx, cfg)
		}
		if err != nil {
			return err
		}
		c.unused(s)
		c.troubles(s)
		err = during(ctx, s, do)
		if kindOf(err) == share.NoNode && !running && lifetimeOf(s) == theirs {
			c.out.tell("the command that ran the node has ended; this command now runs the node itself")
			continue
		}
		return err
	}
}

// during calls do and closes the session. If our own node failed, it returns the
// node's error.
func during(ctx context.Context, s *node.Session, do func(context.Context, client, lifetime) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-s.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	err := do(ctx, s.Client, lifetimeOf(s))
	cancel()
	<-watched
	if cerr := s.Close(); cerr != nil {
		return cerr
	}
	return err
}

// troubles prints the problems of the node's own files, for the verbs that show
// its state.
func (c *call) troubles(s *node.Session) {
	if !slices.Contains([]string{"list", "doctor", "channel"}, c.Command.Name) {
		return
	}
	for _, p := range s.Info.Problems {
		c.out.say("shoal: %s", escape(p))
	}
}

// unused reports the node's flags that have no effect because the node was already
// running.
func (c *call) unused(s *node.Session) {
	if s.Own || c.out.json {
		return
	}
	var names []string
	for name := range c.sources().Flags {
		switch name {
		case "state", "config", "verbose", "no-trackers":
		default:
			names = append(names, "--"+name)
		}
	}
	if len(names) > 0 {
		slices.Sort(names)
		c.out.tell("a node is already running with its own settings: %s has no effect", strings.Join(names, ", "))
	}
}
