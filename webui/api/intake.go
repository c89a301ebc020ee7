package api

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/shoalnet/shoal/share"
)

// Intake is the port to how content gets onto the node: by sharing what is on its
// disks, and by fetching.
type Intake interface {
	// Share and Fetch return at once. Share returns a transfer with a provisional ID.
	// Fetch returns the existing transfer if there is one with the same ID.
	Share(context.Context, ShareRequest) (share.Transfer, error)
	Fetch(context.Context, FetchRequest) (share.Transfer, error)
	// Import also returns at once, with the existing transfer if there is one with the
	// same ID. Files that are missing or have another size are refused.
	Import(context.Context, ImportRequest) (share.Transfer, error)
	// Preview describes what a link or torrent names and adds nothing.
	Preview(context.Context, PreviewRequest) (Preview, error)
	// Match reads the files of a folder, which can take long.
	Match(context.Context, MatchRequest) (share.Match, error)
	// Room compares the data that a fetch has yet to write with the free space on
	// its disk.
	Room(share.ID) (Room, error)
	// Folder lists a folder of the host; an empty path means the user's starting
	// folder.
	Folder(path string) (Folder, error)

	// Lease makes a lease that requests can name. A share or fetch that only a lease
	// owns ends with it.
	Lease() (lease string, end func(), err error)
}

// ErrUnconfirmed is wrapped by errors for actions that the request has to confirm.
// A Client returns it, too.
var ErrUnconfirmed = errors.New("this must be confirmed")

// ShareRequest says what to share and how.
type ShareRequest struct {
	Path string `json:"path" minLength:"1" doc:"file or folder, absolute"`
	share.ShareOptions
	Plain   bool   `json:"plain,omitempty" doc:"do not seal it, even if the node's setting sealed is on"`
	Confirm bool   `json:"confirm,omitempty" doc:"share it even if it is or contains a home directory; without it, such a request fails with a problem of type unconfirmed"`
	Lease   string `json:"lease,omitempty" maxLength:"100" doc:"lease of the share: when it ends, the share ends; see GET /lease"`
	Keep    bool   `json:"keep,omitempty" doc:"the lease ends as soon as the link is known, and the node keeps the share"`
}

func (r ShareRequest) checkSeal() error {
	if r.Sealed && r.Plain {
		return share.Errorf(share.Usage, "a share cannot be both sealed and plain")
	}
	return nil
}

// FetchRequest says what to fetch. Exactly one of Link and Torrent must be set.
type FetchRequest struct {
	Link    string `json:"link,omitempty" maxLength:"65536" doc:"magnet link, ID, or URL of a .torrent file"`
	Torrent []byte `json:"torrent,omitempty" doc:"content of a .torrent file, base64"`
	Output  string `json:"output,omitempty" doc:"absolute path of the folder to download into; empty is the node's default"`
	share.FetchOptions
	Lease string `json:"lease,omitempty" maxLength:"100" doc:"lease of the fetch: when it ends, the fetch is paused; see GET /lease"`
}

// ImportRequest says which complete files to share under the torrent that describes them.
type ImportRequest struct {
	Torrent []byte `json:"torrent" minLength:"1" doc:"content of a .torrent file, base64"`
	Path    string `json:"path" minLength:"1" doc:"absolute path of the file, or of the folder that contains the files"`
	share.ImportOptions
}

// PreviewRequest is a link or a torrent to preview.
type PreviewRequest struct {
	Link    string `json:"link,omitempty" maxLength:"65536" doc:"magnet link, ID, or URL of a .torrent file"`
	Torrent []byte `json:"torrent,omitempty" doc:"content of a .torrent file, base64"`
}

// Preview describes the content that a link or torrent names.
type Preview struct {
	ID       share.ID     `json:"id"`
	Name     string       `json:"name"`
	Size     int64        `json:"size" doc:"bytes; 0 if unknown"`
	Private  bool         `json:"private"`
	Files    []share.File `json:"files" doc:"empty if the file list is unknown"`
	Trackers []string     `json:"trackers"`
	WebSeeds []string     `json:"web_seeds"`
	Peers    []string     `json:"peers" doc:"addresses in the link"`
	Link     string       `json:"link"`
	Sealed   bool         `json:"sealed,omitempty" doc:"the link has the key of a sealed share; the name, size and files of its content are unknown until a peer has sent them"`
	// Present is the transfer that the node already has with this ID.
	Present *share.Transfer `json:"present,omitempty"`
	Output  string          `json:"output" doc:"folder it would be downloaded into"`
	Free    int64           `json:"free" doc:"free bytes there; -1 if unknown"`
	MinFree int64           `json:"min_free" doc:"bytes to keep free there: with less free space, downloads wait"`
}

// MatchRequest asks how much of the content is in a folder already.
type MatchRequest struct {
	PreviewRequest
	Output string `json:"output" minLength:"1" doc:"absolute path of the folder it would be downloaded into"`
}

// Room is the space that a fetch needs on its disk, and the free space there.
type Room struct {
	Path    string `json:"path" doc:"path on the disk that is written to"`
	Needed  int64  `json:"needed" doc:"bytes that are still to be written; 0 if the size is unknown"`
	Free    int64  `json:"free" doc:"free bytes; -1 if unknown"`
	MinFree int64  `json:"min_free" doc:"bytes to keep free: with less free space, downloads wait"`
}

// Enough reports whether the needed space is free, or is not known.
func (r Room) Enough() bool {
	return r.Needed <= 0 || r.Free < 0 || r.Needed <= r.Free-r.MinFree
}

// Folder is the listing of a folder on the host of the node.
type Folder struct {
	Path    string        `json:"path"`
	Parent  string        `json:"parent,omitempty" doc:"empty at the top"`
	Entries []FolderEntry `json:"entries" nullable:"false" doc:"folders first, by name; without hidden entries"`
	More    int           `json:"more,omitempty" doc:"number of entries that are not listed because there are too many"`
}

// FolderEntry is a file or folder.
type FolderEntry struct {
	Name   string `json:"name"`
	Folder bool   `json:"folder"`
	Size   int64  `json:"size" doc:"size of a file in bytes"`
}

// Lease is the first line of GET /lease. It lasts for as long as the answer is
// being read.
type Lease struct {
	Lease string `json:"lease"`
}

type folderAt struct {
	Path string `query:"path" maxLength:"4096" doc:"absolute path; without it, the user's home folder"`
}

// maxTorrentBody bounds a request with a torrent: 10 MB of it, in base64.
const maxTorrentBody = 16 << 20

// takesTorrent gives a torrent the time that it needs over a slow line.
func takesTorrent(o *huma.Operation) {
	o.MaxBodyBytes, o.BodyReadTimeout = maxTorrentBody, time.Minute
}

// registerIntake adds the operations of Intake. over is closed when the node stops.
func registerIntake(h huma.API, n Intake, info func() Info, ids ids, over <-chan struct{}) {
	op(h, "GET /lease", "Take a lease that lasts as long as the client reads this answer", func(context.Context, *none) (*huma.StreamResponse, error) {
		return lease(n, over)
	}, streams("application/json"))
	op(h, "POST /shares", "Share a file or folder", func(ctx context.Context, in *body[ShareRequest]) (*answer[share.Transfer], error) {
		if err := cmp.Or(in.Body.Limits.Check(), in.Body.checkSeal()); err != nil {
			return nil, err
		}
		if err := within(ctx, info().Uploads, in.Body.Path, "the folder of uploads"); err != nil {
			return nil, err
		}
		t, err := n.Share(ctx, in.Body)
		return &answer[share.Transfer]{t}, err
	})
	op(h, "POST /transfers", "Fetch the content that a link or torrent names", func(ctx context.Context, in *body[FetchRequest]) (*answer[share.Transfer], error) {
		if err := cmp.Or(checkSource(in.Body.Link, in.Body.Torrent), in.Body.Limits.Check()); err != nil {
			return nil, err
		}
		if downloads := info().Downloads; in.Body.Output != "" {
			if err := within(ctx, downloads, in.Body.Output, "the folder of downloads"); err != nil {
				return nil, err
			}
		}
		t, err := n.Fetch(ctx, in.Body)
		return &answer[share.Transfer]{t}, err
	}, takesTorrent)
	op(h, "POST /imports", "Share complete files, such as those of another client, under the torrent that describes them", func(ctx context.Context, in *body[ImportRequest]) (*answer[share.Transfer], error) {
		t, err := n.Import(ctx, in.Body)
		return &answer[share.Transfer]{t}, err
	}, takesTorrent)
	op(h, "POST /preview", "Preview a link or torrent without adding it", func(ctx context.Context, in *body[PreviewRequest]) (*answer[Preview], error) {
		if err := checkSource(in.Body.Link, in.Body.Torrent); err != nil {
			return nil, err
		}
		p, err := n.Preview(ctx, in.Body)
		p.Files, p.Trackers = orEmpty(p.Files), orEmpty(p.Trackers)
		p.WebSeeds, p.Peers = orEmpty(p.WebSeeds), orEmpty(p.Peers)
		return &answer[Preview]{p}, err
	}, takesTorrent)
	op(h, "POST /matches", "Report how much of the content is already in a folder; this reads the files there", func(ctx context.Context, in *body[MatchRequest]) (*answer[share.Match], error) {
		if err := checkSource(in.Body.Link, in.Body.Torrent); err != nil {
			return nil, err
		}
		m, err := n.Match(ctx, in.Body)
		return &answer[share.Match]{m}, err
	}, takesTorrent)
	op(h, "GET /transfers/{id}/room", "Report whether the rest of a transfer fits on its disk", func(_ context.Context, in *oneID) (*answer[Room], error) {
		r, err := onID(ids, in.ID, n.Room)
		return &answer[Room]{r}, err
	})
	op(h, "GET /folders", "List a folder of the host", func(_ context.Context, in *folderAt) (*answer[Folder], error) {
		f, err := n.Folder(in.Path)
		f.Entries = orEmpty(f.Entries)
		return &answer[Folder]{f}, err
	})
}

func checkSource(link string, torrent []byte) error {
	if (link == "") == (len(torrent) == 0) {
		return share.Errorf(share.Usage, "give exactly one of link and torrent")
	}
	return nil
}

// lease answers with a lease and ends it when the caller is gone, whatever the
// reason, or the node stops.
func lease(n Intake, over <-chan struct{}) (*huma.StreamResponse, error) {
	id, end, err := n.Lease()
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		defer end()
		req, w := humago.Unwrap(ctx)
		b, err := json.Marshal(Lease{id})
		if err != nil {
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if _, err := w.Write(append(b, '\n')); err != nil {
			return
		}
		if http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-req.Context().Done():
		case <-over:
		}
	}}, nil
}

// Share shares a file or folder. It returns at once, with a provisional ID: Events
// reports the real one when the link is known.
func (c *Client) Share(ctx context.Context, r ShareRequest) (share.Transfer, error) {
	var t share.Transfer
	err := c.do(ctx, http.MethodPost, Base+"/shares", r, &t)
	return t, err
}

// Fetch starts fetching and returns at once. It returns the existing transfer if
// there is one with the same ID.
func (c *Client) Fetch(ctx context.Context, r FetchRequest) (share.Transfer, error) {
	var t share.Transfer
	err := c.do(ctx, http.MethodPost, Base+"/transfers", r, &t)
	return t, err
}

// Import shares complete files under the torrent that describes them, without changing
// them. It returns at once: Events tells when the files are known to be right. It returns
// the existing transfer if there is one with the same ID.
func (c *Client) Import(ctx context.Context, r ImportRequest) (share.Transfer, error) {
	var t share.Transfer
	err := c.do(ctx, http.MethodPost, Base+"/imports", r, &t)
	return t, err
}

// Preview reads a link or torrent without adding it.
func (c *Client) Preview(ctx context.Context, r PreviewRequest) (Preview, error) {
	var p Preview
	err := c.do(ctx, http.MethodPost, Base+"/preview", r, &p)
	return p, err
}

// Match returns how much of the content is in a folder already.
func (c *Client) Match(ctx context.Context, r MatchRequest) (share.Match, error) {
	var m share.Match
	return m, c.do(ctx, http.MethodPost, Base+"/matches", r, &m)
}

// Room reports whether the rest of a transfer fits on its disk.
func (c *Client) Room(ctx context.Context, id share.ID) (Room, error) {
	return get[Room](ctx, c, transferPath(id)+"/room")
}

// Lease makes a lease, which ends with ctx, with end, and with this process.
func (c *Client) Lease(ctx context.Context) (lease string, end func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	resp, err := c.send(ctx, http.MethodGet, Base+"/lease", http.Header{}, nil)
	if err != nil {
		cancel()
		return "", nil, err
	}
	end = sync.OnceFunc(func() {
		cancel()
		resp.Body.Close()
	})
	line, err := readLine(bufio.NewReader(resp.Body))
	var l Lease
	if err == nil {
		err = json.Unmarshal(line, &l)
	}
	if err != nil {
		end()
		return "", nil, share.Errorf(share.NoNode, "the node gives no lease: %w", err)
	}
	return l.Lease, end, nil
}
