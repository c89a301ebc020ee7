package api

import (
	"context"
	"io"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/shoalnet/shoal/share"
)

// Browsing is what the web page needs beyond what the command line needs.
type Browsing interface {
	// History returns the rates of a transfer, or with a zero ID of the node.
	History(Span, share.ID) (History, error)
	// Discovery returns the state of each source of peers.
	Discovery(share.ID) ([]share.Way, error)

	// Folder lists a folder of the host; an empty path means the folder that users
	// start from.
	Folder(path string) (Folder, error)
	// Upload stores the content of r as a file that can be shared. It reads at most
	// length bytes, unless length is negative.
	Upload(ctx context.Context, u Upload, length int64, r io.Reader) (Uploaded, error)

	// ChangeSettings saves values across restarts; nil resets a setting. Either all
	// values are changed or none.
	ChangeSettings(map[string]*string) error
	HasPassword() (bool, error)
}

// Span is the length of a history.
type Span string

// The spans and their steps.
const (
	LastHour  Span = "hour"  // by seconds
	LastDay   Span = "day"   // by minutes
	LastMonth Span = "month" // by hours
)

// Spans lists every span, shortest first, with its step and the number of steps.
var Spans = [...]struct {
	Span  Span
	Step  time.Duration
	Steps int
}{{LastHour, time.Second, 3600}, {LastDay, time.Minute, 1440}, {LastMonth, time.Hour, 744}}

// History is rates over time, each the mean of a step, oldest first. Steps before
// the first one were idle or are unknown.
type History struct {
	Step int       `json:"step" doc:"seconds from one rate to the next"`
	End  time.Time `json:"end" doc:"end of the last step"`
	Down []int64   `json:"down" nullable:"false" doc:"bytes per second"`
	Up   []int64   `json:"up" nullable:"false" doc:"bytes per second"`
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

// Upload names a file that a browser uploads.
type Upload struct {
	Name   string // last element of its path
	Folder string // path of the folder it comes in, with slashes; may be empty
	// Join says that an earlier Upload created the first element of Folder;
	// otherwise a new folder is created.
	Join bool
}

// Uploaded says where an uploaded file was stored. It is shared by its path like
// any other file.
type Uploaded struct {
	Path   string `json:"path" doc:"path of the file"`
	Folder string `json:"folder,omitempty" doc:"first element of the path of its folder; pass it with the next file of the same folder"`
	Root   string `json:"root" doc:"path to share: that of the folder if there is one, else that of the file"`
	Bytes  int64  `json:"bytes"`
}

// PasswordState says whether a password for signing in is set.
type PasswordState struct {
	Set bool `json:"set"`
}

type (
	historyOf struct {
		Span     Span   `query:"span" enum:"hour,day,month" default:"hour" doc:"the last hour by seconds, the last day by minutes, or the last 31 days by hours"`
		Transfer string `query:"transfer" maxLength:"40" doc:"ID of a transfer, may be shortened while unique; without it, the whole node"`
	}
	folderAt struct {
		Path string `query:"path" maxLength:"4096" doc:"absolute path; without it, the user's home folder"`
	}
	settingName struct {
		Name string `path:"name" maxLength:"64"`
	}
)

// registerBrowsing adds the operations of Browsing.
func (a *API) registerBrowsing(h huma.API) {
	op(h, "GET /history", "Rates over time", func(_ context.Context, in *historyOf) (*answer[History], error) {
		var id share.ID
		if in.Transfer != "" {
			var err error
			if id, err = a.resolve(in.Transfer); err != nil {
				return nil, err
			}
		}
		v, err := a.node.History(in.Span, id)
		v.Down, v.Up = orEmpty(v.Down), orEmpty(v.Up)
		return &answer[History]{v}, err
	})
	op(h, "GET /transfers/{id}/discovery", "Show the sources of peers of a transfer", func(_ context.Context, in *oneID) (*answer[[]share.Way], error) {
		ways, err := onID(a, in.ID, a.node.Discovery)
		return &answer[[]share.Way]{orEmpty(ways)}, err
	})
	op(h, "GET /transfers/{id}/archive", "Download all files of a transfer as one archive, also while they are being fetched", a.archive, streams("application/octet-stream"))
	op(h, "GET /folders", "List a folder of the host", func(_ context.Context, in *folderAt) (*answer[Folder], error) {
		f, err := a.node.Folder(in.Path)
		f.Entries = orEmpty(f.Entries)
		return &answer[Folder]{f}, err
	})
	op(h, "POST /uploads/{name}", "Upload a file to share it", a.upload, takesFile(h))

	op(h, "PATCH /config", "Change settings that take effect at once; changes are kept across restarts",
		func(_ context.Context, in *body[map[string]string]) (*answer[[]Setting], error) {
			changes := make(map[string]*string, len(in.Body))
			for name, v := range in.Body {
				changes[name] = &v
			}
			if err := a.node.ChangeSettings(changes); err != nil {
				return nil, err
			}
			return &answer[[]Setting]{orEmpty(a.node.Settings())}, nil
		})
	op(h, "DELETE /config/{name}", "Reset a setting", func(_ context.Context, in *settingName) (*none, error) {
		return nil, a.node.ChangeSettings(map[string]*string{in.Name: nil})
	})
	op(h, "GET /password", "Whether the page has a password", func(context.Context, *none) (*answer[PasswordState], error) {
		set, err := a.node.HasPassword()
		return &answer[PasswordState]{PasswordState{set}}, err
	})
}
