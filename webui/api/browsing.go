package api

import (
	"context"
	"io"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/shoalnet/shoal/share"
)

// Browsing is what people at the page look at and do beyond what the command
// line needs.
type Browsing interface {
	// History returns the rates of a transfer, or with a zero ID of the node.
	History(Span, share.ID) (History, error)
	// Discovery tells, for each way of finding peers, how it goes.
	Discovery(share.ID) ([]Way, error)

	// Folder lists what is in a folder of the host, with an empty path in one
	// to begin with.
	Folder(path string) (Folder, error)
	// Upload keeps what r gives as a file that can be shared. It takes no more
	// than length bytes, where that is not negative.
	Upload(ctx context.Context, u Upload, length int64, r io.Reader) (Uploaded, error)

	// ChangeSettings keeps values over restarts, a nil one forgets what was
	// kept. All are changed or none.
	ChangeSettings(map[string]*string) error
	HasPassword() (bool, error)
}

// Span is how far back a history goes.
type Span string

// The spans, with the steps they are told in.
const (
	LastHour  Span = "hour"  // by seconds
	LastDay   Span = "day"   // by minutes
	LastMonth Span = "month" // by hours
)

// Spans lists every span, shortest first, with its step and how many there are.
var Spans = [...]struct {
	Span  Span
	Step  time.Duration
	Steps int
}{{LastHour, time.Second, 3600}, {LastDay, time.Minute, 1440}, {LastMonth, time.Hour, 744}}

// History is rates over time, each the mean of a step, oldest first. Before the
// first one nothing moved, or nothing is known.
type History struct {
	Step int       `json:"step" doc:"seconds from one rate to the next"`
	End  time.Time `json:"end" doc:"end of the last step"`
	Down []int64   `json:"down" nullable:"false" doc:"bytes per second"`
	Up   []int64   `json:"up" nullable:"false" doc:"bytes per second"`
}

// Way is one way of finding peers of a transfer. Times are left out where it
// has not happened, or is not going to.
type Way struct {
	Source share.Source `json:"source"`
	Name   string       `json:"name,omitempty" doc:"of a tracker: its URL"`
	On     bool         `json:"on" doc:"it is used for this transfer"`
	Busy   bool         `json:"busy,omitempty" doc:"it is being asked now"`
	Last   time.Time    `json:"last,omitzero" doc:"when it last answered"`
	Next   time.Time    `json:"next,omitzero" doc:"when it is asked next"`
	Found  int          `json:"found" doc:"addresses it told of that were new, since the node started; of a tracker, those in its last answer"`
	Error  string       `json:"error,omitempty" doc:"why the last attempt failed"`
}

// Folder is what is in a folder of the host where the node runs.
type Folder struct {
	Path    string        `json:"path"`
	Parent  string        `json:"parent,omitempty" doc:"empty at the top"`
	Entries []FolderEntry `json:"entries" nullable:"false" doc:"folders first, by name; hidden ones are left out"`
	More    int           `json:"more,omitempty" doc:"entries that are not listed, there are too many"`
}

// FolderEntry is a file or folder.
type FolderEntry struct {
	Name   string `json:"name"`
	Folder bool   `json:"folder"`
	Size   int64  `json:"size" doc:"bytes of a file"`
}

// Upload names a file that comes from a browser.
type Upload struct {
	Name   string // last element of its path
	Folder string // path of the folder it comes in, with slashes; may be empty
	// Join tells that the first element of Folder was made by an earlier Upload;
	// else a new one is made.
	Join bool
}

// Uploaded is where a file that came from a browser is now. It is shared like
// any other, by its path.
type Uploaded struct {
	Path   string `json:"path" doc:"of the file"`
	Folder string `json:"folder,omitempty" doc:"the first element of the folder it is in, to be given with the next file of the same"`
	Root   string `json:"root" doc:"path to be shared: of the folder, else of the file"`
	Bytes  int64  `json:"bytes"`
}

// PasswordState tells whether people can sign in with a password.
type PasswordState struct {
	Set bool `json:"set"`
}

type (
	historyOf struct {
		Span     Span   `query:"span" enum:"hour,day,month" default:"hour" doc:"the last hour by seconds, the last day by minutes, or the last 31 days by hours"`
		Transfer string `query:"transfer" maxLength:"40" doc:"ID of a transfer, may be shortened while unique; the whole node when left out"`
	}
	folderAt struct {
		Path string `query:"path" maxLength:"4096" doc:"absolute; where people keep their files when left out"`
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
	op(h, "GET /transfers/{id}/discovery", "How peers of a transfer are found", func(_ context.Context, in *oneID) (*answer[[]Way], error) {
		ways, err := onID(a, in.ID, a.node.Discovery)
		return &answer[[]Way]{orEmpty(ways)}, err
	})
	op(h, "GET /transfers/{id}/archive", "All files of a transfer as one, also while they are being fetched", a.archive, streams("application/octet-stream"))
	op(h, "GET /folders", "List a folder of the host", func(_ context.Context, in *folderAt) (*answer[Folder], error) {
		f, err := a.node.Folder(in.Path)
		f.Entries = orEmpty(f.Entries)
		return &answer[Folder]{f}, err
	})
	op(h, "POST /uploads/{name}", "Keep a file so that it can be shared", a.upload, takesFile(h))

	op(h, "PATCH /config", "Change settings that are live; what was changed is kept over restarts",
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
	op(h, "DELETE /config/{name}", "Forget what a setting was changed to", func(_ context.Context, in *settingName) (*none, error) {
		return nil, a.node.ChangeSettings(map[string]*string{in.Name: nil})
	})
	op(h, "GET /password", "Whether the page has a password", func(context.Context, *none) (*answer[PasswordState], error) {
		set, err := a.node.HasPassword()
		return &answer[PasswordState]{PasswordState{set}}, err
	})
}
