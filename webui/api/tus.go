package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	tus "github.com/tus/tusd/v2/pkg/handler"
	"golang.org/x/exp/slog"

	"github.com/shoalnet/shoal/share"
)

// ServeUpload answers a request of the tus protocol 1.0.0 (https://tus.io) for one box. id
// names the file in it, or is empty for a new file, whose URL is then base, a slash and
// its ID. explain returns the answer to an error of the box.
//
// Downloads, concatenation, deferred lengths and CORS are off.
func ServeUpload(w http.ResponseWriter, r *http.Request, box Box, base, id string, explain func(error) (status int, text string)) {
	// The library's contexts end some time after the one of their request.
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	store := &tusStore{box, explain}
	use := tus.NewStoreComposer()
	use.UseCore(store)
	use.UseLocker(store)
	use.UseTerminater(store)
	h, err := tus.NewHandler(tus.Config{
		StoreComposer: use, BasePath: base, DisableDownload: true, DisableConcatenation: true, Cors: &tus.CorsConfig{Disable: true},
		// Its log has the paths of requests, which may be secret.
		Logger:                           slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.Level(100)})),
		GracefulRequestCompletionTimeout: time.Millisecond, AcquireLockTimeout: tusLockTime, NetworkTimeout: tusReadTime,
	})
	if err != nil {
		http.Error(w, "the upload cannot be served", http.StatusInternalServerError)
		return
	}
	r = r.Clone(ctx)
	r.URL.Path = id
	r.Header.Del("X-HTTP-Method-Override") // every browser can send PATCH
	h.ServeHTTP(&relative{ResponseWriter: w}, r)
}

const (
	// tusLockTime is how long a request waits for another one to let go of a file. It
	// may have to wait for the disk.
	tusLockTime = 20 * time.Second
	// tusReadTime is how long a sender may send nothing.
	tusReadTime = 45 * time.Second
)

// relative shortens the URL of a new file to its path. Behind a proxy nobody here knows
// the scheme and the host.
type relative struct {
	http.ResponseWriter
	begun bool
}

func (w *relative) WriteHeader(status int) {
	if !w.begun {
		w.begun = true
		if u, err := url.Parse(w.Header().Get("Location")); err == nil && u.Path != "" {
			w.Header().Set("Location", u.EscapedPath())
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *relative) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// tusStore is a box as the library sees it.
type tusStore struct {
	box     Box
	explain func(error) (int, string)
}

// tell makes an answer of an error.
func (s *tusStore) tell(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, ErrNotComing) {
		return tus.ErrNotFound
	}
	status, text := s.explain(err)
	e := tus.NewError("ERR_NOT_TAKEN", text, status)
	e.HTTPResponse.Body = text + "\n"
	return e
}

// NewUpload implements tus.DataStore.
func (s *tusStore) NewUpload(_ context.Context, info tus.FileInfo) (tus.Upload, error) {
	f, err := s.box.Begin(NewFile{Path: pathIn(info.MetaData), Size: info.Size, Modified: modifiedIn(info.MetaData), Key: keyIn(info.MetaData)})
	if err != nil {
		return nil, s.tell(err)
	}
	return &tusUpload{s, f}, nil
}

// pathIn is the name of a file. The keys are those of the usual clients.
func pathIn(meta tus.MetaData) string {
	for _, key := range [...]string{"relativePath", "filename", "name"} {
		// Uppy sends the text null for a file without a folder.
		if v := meta[key]; v != "" && v != "null" {
			return v
		}
	}
	return ""
}

// keyIn is what the sender calls a file, so that it is made once when it is asked for twice.
func keyIn(meta tus.MetaData) string {
	const most = 64
	if key := meta["key"]; len(key) <= most {
		return key
	}
	return ""
}

// modifiedIn is when a file was last changed: RFC 3339, or milliseconds since 1970.
func modifiedIn(meta tus.MetaData) time.Time {
	text := meta["modified"]
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil && ms > 0 && ms < 1<<45 {
		return time.UnixMilli(ms).UTC()
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// GetUpload implements tus.DataStore. The library does not finish a file again whose last
// byte arrived when that failed.
func (s *tusStore) GetUpload(_ context.Context, id string) (tus.Upload, error) {
	f, err := s.box.File(id)
	if err == nil && f.Number == 0 && f.Sent == f.Size {
		if err = s.box.Finish(id); err == nil {
			f, err = s.box.File(id)
		}
	}
	if err != nil {
		return nil, s.tell(err)
	}
	return &tusUpload{s, f}, nil
}

// NewLock implements tus.Locker.
func (s *tusStore) NewLock(id string) (tus.Lock, error) { return &tusLock{s: s, id: id}, nil }

// AsTerminatableUpload implements tus.TerminaterDataStore.
func (s *tusStore) AsTerminatableUpload(u tus.Upload) tus.TerminatableUpload { return u.(*tusUpload) }

// tusLock is a file that is held.
type tusLock struct {
	s       *tusStore
	id      string
	release func()
}

// Lock implements tus.Lock.
func (l *tusLock) Lock(ctx context.Context, interrupt func()) (err error) {
	if l.release, err = l.s.box.Hold(ctx, l.id, interrupt); err != nil {
		return tus.ErrLockTimeout
	}
	return nil
}

// Unlock implements tus.Lock.
func (l *tusLock) Unlock() error {
	l.release()
	return nil
}

// tusUpload is a file as the library sees it.
type tusUpload struct {
	s *tusStore
	f ComingFile
}

// GetInfo implements tus.Upload.
func (u *tusUpload) GetInfo(context.Context) (tus.FileInfo, error) {
	return tus.FileInfo{ID: u.f.ID, Size: u.f.Size, Offset: u.f.Sent, MetaData: tus.MetaData{"filename": u.f.Path}}, nil
}

// WriteChunk implements tus.Upload.
func (u *tusUpload) WriteChunk(ctx context.Context, _ int64, r io.Reader) (int64, error) {
	n, err := u.s.box.Append(ctx, u.f.ID, r)
	return n, u.s.tell(err)
}

// FinishUpload implements tus.Upload.
func (u *tusUpload) FinishUpload(context.Context) error { return u.s.tell(u.s.box.Finish(u.f.ID)) }

// Terminate implements tus.TerminatableUpload.
func (u *tusUpload) Terminate(context.Context) error { return u.s.tell(u.s.box.Discard(u.f.ID)) }

// GetReader implements tus.Upload: nothing is read back.
func (u *tusUpload) GetReader(context.Context) (io.ReadCloser, error) {
	return nil, tus.ErrNotImplemented
}

// tusOf serves the owner's uploads.
func tusOf(n Incoming, upload, file string) (*huma.StreamResponse, error) {
	box, err := n.Box(upload)
	if err == nil && box.Terms().Kind != ComingUpload {
		err = notComing(upload) // what others send is not written to by the owner's page
	}
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		r, w := humago.Unwrap(c)
		ServeUpload(w, r, box, Base+"/incoming/"+upload+"/files", file, explainToOwner)
	}}, nil
}

func explainToOwner(err error) (int, string) {
	p := problemOf(err)
	return p.Status, p.Detail
}

// UploadStatus is the HTTP status for the reason why a box refuses a file.
func UploadStatus(err error) int {
	switch {
	case errors.Is(err, ErrTooLarge), errors.Is(err, ErrTooMany):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, ErrBadName):
		return http.StatusBadRequest
	case errors.Is(err, ErrNotComing):
		return http.StatusNotFound
	case errors.Is(err, ErrNoRoom), share.KindOf(err) == share.Disk:
		return http.StatusInsufficientStorage
	}
	return http.StatusInternalServerError
}

// speaksTus describes an operation of the tus protocol.
func speaksTus(status int) func(*huma.Operation) {
	return func(o *huma.Operation) {
		o.Description = "The headers are those of the tus protocol 1.0.0 (https://tus.io/protocols/resumable-upload). " +
			"Upload-Metadata has filename, and may have relativePath, modified, and a random key: " +
			"a request with the same key, path and size refers to the same file, even if the first answer was lost."
		if o.Method == http.MethodPost || o.Method == http.MethodPatch {
			o.RequestBody = &huma.RequestBody{Content: map[string]*huma.MediaType{
				"application/offset+octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}},
			}}
		}
		o.Responses = map[string]*huma.Response{strconv.Itoa(status): {Description: strings.ToUpper(o.Summary[:1]) + o.Summary[1:]}}
	}
}
