package api

import (
	"context"
	"errors"
	"io"
	"net/netip"

	"github.com/shoalnet/shoal/share"
)

// ErrUnconfirmed is wrapped by errors for what is done only on a request that
// confirms it. A Client returns it, too.
var ErrUnconfirmed = errors.New("this must be confirmed")

// Node is the API's port to the node. Methods are called concurrently, block only
// if they take a context, and return errors with a share.Kind; the error for an
// unknown ID wraps share.ErrUnknown.
type Node interface {
	Browsing

	Info() Info
	Stats() share.Stats
	Health() Health
	Settings() []Setting

	Network

	Limits() Limits
	// ChangeLimits changes the limits of the node and keeps them across restarts
	// unless a flag, variable or the file sets them. Changes of the two directions
	// at the same moment both take effect.
	ChangeLimits(share.LimitChange) error

	// SignIn returns a URL that signs in one browser once and expires soon;
	// SetPassword allows sign-ins from other machines.
	SignIn() (string, error)
	SetPassword(string) error

	// Share and Fetch return at once. Fetch returns the existing transfer if there
	// is one with the same ID.
	Share(context.Context, ShareRequest) (share.Transfer, error)
	Fetch(context.Context, FetchRequest) (share.Transfer, error)
	Preview(context.Context, PreviewRequest) (Preview, error)
	Match(context.Context, MatchRequest) (share.Match, error)

	// Lease makes a lease that requests can name. What nobody else wants ends
	// with it.
	Lease() (lease string, end func(), err error)

	List() []share.Transfer
	Get(share.ID) (share.Transfer, error)
	Files(share.ID) ([]share.File, error)
	Peers(share.ID) ([]share.Peer, error)
	Pieces(share.ID) (share.Pieces, error)
	Torrent(share.ID) ([]byte, error)
	// Room says whether the rest of a transfer fits on the disk.
	Room(share.ID) (Room, error)
	// Open reads one file and waits for missing pieces.
	Open(ctx context.Context, id share.ID, file int) (io.ReadSeekCloser, error)

	Pause(share.ID) error
	Resume(share.ID) error
	Verify(share.ID) error
	Remove(id share.ID, data bool) ([]share.Kept, error)
	ChangeTransferLimits(share.ID, share.LimitChange) error
	SetGoal(share.ID, share.Goal) error
	SetPriority(share.ID, map[int]share.Priority) error
	AddPeers(share.ID, []netip.AddrPort) error

	Catalogue
	Channels

	// Subscribe delivers every event from now on. A reader that falls behind by
	// more than buffer events is cut off: the channel is closed.
	Subscribe(buffer int) Subscription
}

// Subscription is a reader of a node's events.
type Subscription interface {
	// Events is closed by Close, when the node stops, and when the reader fell
	// behind.
	Events() <-chan share.Event
	// Lagged reports, once Events is closed, that the reader fell behind. The reader
	// then subscribes again and calls List.
	Lagged() bool
	Close()
}
