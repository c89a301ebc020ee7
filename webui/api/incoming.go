package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/shoalnet/shoal/share"
)

// Incoming is the port to the files that browsers send in several requests: an interrupted
// upload can be resumed.
type Incoming interface {
	// List returns the uploads under way and those received, oldest first.
	List() []Coming
	// Create begins an upload of the owner, or returns the one with the same Key.
	Create(NewComing) (Coming, error)
	// Box returns the box for the files of an upload. The error for an unknown ID
	// wraps ErrNotComing.
	Box(id string) (Box, error)
	// Files returns the files of a box. With after above 0 it returns those that
	// were completed after the file of that number, in order of completion.
	Files(id string, after int64) ([]ComingFile, error)
	// End forgets a box and deletes its incomplete files, and with data also the
	// complete ones.
	End(id string, data bool) error

	// Orphans returns files in the upload folder that nothing shares and nobody sends.
	Orphans() ([]Orphan, error)
	// DeleteOrphan deletes an orphan by its name.
	DeleteOrphan(name string) error
}

// Box receives files. One file is written by one request at a time: whoever calls Append
// or Finish holds it. Its methods are safe for concurrent use.
type Box interface {
	Terms() Coming
	// Begin reserves room for a file. A file with a Key may have begun before. The error
	// wraps one of the reasons below if the sender can do something about it.
	Begin(NewFile) (ComingFile, error)
	// File returns a file by its ID, complete or not.
	File(id string) (ComingFile, error)
	// Append adds the data of r to a file, and returns the number of bytes added. These
	// are on the disk, and count even after an error.
	Append(ctx context.Context, id string, r io.Reader) (int64, error)
	// Finish gives a file its name if all of it has arrived.
	Finish(id string) error
	// Discard deletes a file that is not complete.
	Discard(id string) error
	// Take stores a file of at most f.Size bytes in one step: all of r, or nothing.
	Take(ctx context.Context, f NewFile, r io.Reader) (ComingFile, error)
	// Hold waits until nobody else holds a file. It asks the current holder to end
	// by calling its interrupt.
	Hold(ctx context.Context, id string, interrupt func()) (release func(), err error)
	// Delivered records that somebody has sent everything they intended to send.
	Delivered() error
}

// Reasons why a box refuses a file.
var (
	ErrNotComing = errors.New("there is no such upload")
	ErrTooLarge  = errors.New("this is more than may be sent")
	ErrTooMany   = errors.New("these are more files than may be sent")
	ErrNoRoom    = errors.New("the disk is full")
	ErrBadName   = errors.New("this is not the name of a file")
)

// Kinds of Coming.
const (
	ComingUpload  = "upload"  // from the owner, to be shared
	ComingReceive = "receive" // from people with a link
)

// Coming is a folder into which browsers put files, with the progress of these.
type Coming struct {
	ID       string    `json:"id"`
	Kind     string    `json:"kind" enum:"upload,receive" doc:"upload: from the owner, to be shared. receive: from anybody who has a receive link; it has the ID of the link"`
	Name     string    `json:"name"`
	Folder   string    `json:"folder" doc:"where the files go"`
	Root     string    `json:"root,omitempty" doc:"for an upload whose files have arrived: the path to share"`
	Created  time.Time `json:"created"`
	Updated  time.Time `json:"updated" doc:"when a byte last arrived"`
	Files    int       `json:"files,omitempty" doc:"for an upload: expected number of files"`
	Bytes    int64     `json:"bytes,omitempty" doc:"for an upload: expected number of bytes"`
	MaxFiles int       `json:"max_files" doc:"maximum number of files"`
	MaxSize  int64     `json:"max_size,omitempty" doc:"maximum number of bytes; 0 is no limit"`
	// Arrived and Taken count complete files.
	Arrived    int          `json:"arrived" doc:"number of complete files"`
	Taken      int64        `json:"taken" doc:"bytes of complete files"`
	Sent       int64        `json:"sent" doc:"bytes that have arrived, including those of incomplete files"`
	Unfinished int          `json:"unfinished" doc:"number of incomplete files"`
	Open       []ComingFile `json:"open" doc:"the latest incomplete files, at most 20"`
	Latest     []ComingFile `json:"latest" doc:"the latest complete files, at most 20"`
	Active     bool         `json:"active,omitempty" doc:"bytes are arriving now"`
	Deliveries int          `json:"deliveries,omitempty" doc:"how many times a sender reported that everything was sent"`
	Trouble    string       `json:"trouble,omitempty" doc:"why the latest file was not accepted"`
	Ended      bool         `json:"ended,omitempty" doc:"it accepts no more files"`
}

// NewComing begins an upload.
type NewComing struct {
	Name  string `json:"name" minLength:"1" maxLength:"200" doc:"name of the file or folder"`
	Tree  bool   `json:"tree,omitempty" doc:"create a folder of that name for the files; without it, there is one file"`
	Files int    `json:"files" minimum:"1" maximum:"10000" doc:"how many files will be sent"`
	Bytes int64  `json:"bytes" minimum:"0" doc:"total size of the files in bytes"`
	Key   string `json:"key,omitempty" maxLength:"64" doc:"random key, chosen by the sender: the same key identifies the same upload, so that a request whose answer was lost can be sent again"`
}

// NewFile is a file that a browser is about to send.
type NewFile struct {
	Path     string    // as the browser names it, with slashes
	Size     int64     // bytes
	Modified time.Time // as the browser says; may be zero
	Key      string    // random, chosen by the sender: with the same path and size it names the same file; may be empty
}

// ComingFile is a file that a browser sends or has sent.
type ComingFile struct {
	ID       string    `json:"id" doc:"last element of its URL"`
	Path     string    `json:"path" doc:"path as it was sent, with slashes"`
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified,omitzero" doc:"when it was last modified, according to the browser"`
	Sent     int64     `json:"sent" doc:"bytes that have arrived"`
	Number   int64     `json:"number,omitempty" doc:"for a complete file: its number in the order of completion, from 1"`
	Stored   string    `json:"stored,omitempty" doc:"for a complete file: its path on the node"`
}

// Orphan is a file or folder among the uploads that nothing shares.
type Orphan struct {
	Name     string    `json:"name"`
	Path     string    `json:"path"`
	Folder   bool      `json:"folder,omitempty"`
	Bytes    int64     `json:"bytes"`
	Modified time.Time `json:"modified"`
}

type (
	oneComing struct {
		Upload string `path:"upload" maxLength:"64" doc:"ID of the upload"`
	}
	filesOfComing struct {
		Upload string `path:"upload" maxLength:"64" doc:"ID of the upload"`
		After  int64  `query:"after" minimum:"0" doc:"only files that were completed after the file with this number"`
	}
	endComing struct {
		Upload string `path:"upload" maxLength:"64" doc:"ID of the upload"`
		Keep   bool   `query:"keep" doc:"keep the files that have arrived; without it, they are also deleted"`
	}
	oneComingFile struct {
		Upload string `path:"upload" maxLength:"64" doc:"ID of the upload"`
		File   string `path:"file" maxLength:"64" doc:"ID of the file"`
	}
	oneOrphan struct {
		Name string `path:"name" maxLength:"1000" doc:"name in the folder of uploads"`
	}
)

func registerIncoming(h huma.API, n Incoming) {
	op(h, "GET /incoming", "List what browsers are sending and have sent, oldest first", func(context.Context, *none) (*answer[[]Coming], error) {
		return &answer[[]Coming]{orEmpty(n.List())}, nil
	})
	op(h, "POST /incoming", "Begin an upload that can be resumed after an interruption", func(_ context.Context, in *body[NewComing]) (*answer[Coming], error) {
		c, err := n.Create(in.Body)
		return &answer[Coming]{c}, err
	})
	op(h, "GET /incoming/{upload}/files", "List the files of an upload", func(_ context.Context, in *filesOfComing) (*answer[[]ComingFile], error) {
		files, err := n.Files(in.Upload, in.After)
		return &answer[[]ComingFile]{orEmpty(files)}, err
	})
	op(h, "DELETE /incoming/{upload}", "End an upload and delete its files", func(_ context.Context, in *endComing) (*none, error) {
		return nil, n.End(in.Upload, !in.Keep)
	})
	op(h, "POST /incoming/{upload}/files", "Begin to send a file with the tus protocol 1.0.0", func(_ context.Context, in *oneComing) (*huma.StreamResponse, error) {
		return tusOf(n, in.Upload, "")
	}, speaksTus(http.StatusCreated))
	op(h, "HEAD /incoming/{upload}/files/{file}", "Ask how much of a file has arrived", func(_ context.Context, in *oneComingFile) (*huma.StreamResponse, error) {
		return tusOf(n, in.Upload, in.File)
	}, speaksTus(http.StatusOK))
	op(h, "PATCH /incoming/{upload}/files/{file}", "Send a file, or the rest of it", func(_ context.Context, in *oneComingFile) (*huma.StreamResponse, error) {
		return tusOf(n, in.Upload, in.File)
	}, speaksTus(http.StatusNoContent))
	op(h, "DELETE /incoming/{upload}/files/{file}", "Cancel a file that is not complete", func(_ context.Context, in *oneComingFile) (*huma.StreamResponse, error) {
		return tusOf(n, in.Upload, in.File)
	}, speaksTus(http.StatusNoContent))
	op(h, "GET /uploads", "List the files in the folder of uploads that nothing shares", func(context.Context, *none) (*answer[[]Orphan], error) {
		all, err := n.Orphans()
		return &answer[[]Orphan]{orEmpty(all)}, err
	})
	op(h, "DELETE /uploads/{name}", "Delete a file in the folder of uploads that nothing shares", func(_ context.Context, in *oneOrphan) (*none, error) {
		return nil, n.DeleteOrphan(in.Name)
	})
}

// Incoming lists the uploads of browsers, running and finished, oldest first.
func (c *Client) Incoming(ctx context.Context) ([]Coming, error) {
	return get[[]Coming](ctx, c, "/incoming")
}

// IncomingFiles returns the files of an upload. With after above 0 it returns those
// that were completed after the file of that number.
func (c *Client) IncomingFiles(ctx context.Context, id string, after int64) ([]ComingFile, error) {
	query := ""
	if after > 0 {
		query = "?after=" + strconv.FormatInt(after, 10)
	}
	return get[[]ComingFile](ctx, c, "/incoming/"+url.PathEscape(id)+"/files"+query)
}

// notComing is the error for an ID that no upload has.
func notComing(id string) error { return share.Errorf(share.Failed, "%w: %.70q", ErrNotComing, id) }
