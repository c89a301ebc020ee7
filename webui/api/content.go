package api

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/shoalnet/shoal/share"
)

// shown are the types that a browser may show: they carry no script. All else
// is an attachment of bytes, whatever it is called.
var shown = map[string]string{
	".avif": "image/avif", ".bmp": "image/bmp", ".gif": "image/gif", ".jpeg": "image/jpeg", ".jpg": "image/jpeg",
	".png": "image/png", ".webp": "image/webp",
	".aac": "audio/aac", ".flac": "audio/flac", ".m4a": "audio/mp4", ".mp3": "audio/mpeg", ".oga": "audio/ogg",
	".ogg": "audio/ogg", ".opus": "audio/ogg", ".wav": "audio/wav",
	".avi": "video/x-msvideo", ".m4v": "video/mp4", ".mkv": "video/x-matroska", ".mov": "video/quicktime",
	".mp4": "video/mp4", ".mpeg": "video/mpeg", ".mpg": "video/mpeg", ".ogv": "video/ogg", ".webm": "video/webm",
	".txt": "text/plain; charset=utf-8", ".nfo": "text/plain; charset=utf-8", ".md": "text/plain; charset=utf-8",
	".srt": "text/plain; charset=utf-8",
}

// idleTime is how long a reader of content may take nothing: a player that is
// paused comes back with a Range request.
const idleTime = 5 * time.Minute

func (a *API) readFile(ctx context.Context, in *oneFile) (*huma.StreamResponse, error) {
	id, err := a.resolve(in.ID)
	if err != nil {
		return nil, err
	}
	files, err := a.node.Files(id)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, share.Errorf(share.Failed, "the file list of %s is unknown yet: %w", id.Short(), errNoFile)
	}
	name := ""
	for _, f := range files {
		if f.Index == in.File {
			name = path.Base(f.Path)
		}
	}
	if name == "" {
		return nil, share.Errorf(share.Failed, "%s has no file %d: %w", id.Short(), in.File, errNoFile)
	}
	if err := a.reads(); err != nil {
		return nil, err
	}
	r, err := a.node.Open(ctx, id, in.File)
	if err != nil {
		a.read()
		return nil, err
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		defer func() { r.Close(); a.read() }()
		req, w := humago.Unwrap(c)
		contentHeader(w.Header(), name)
		// The content of an ID never changes.
		w.Header().Set("ETag", fmt.Sprintf(`"%s-%d"`, id, in.File))
		http.ServeContent(&patient{w, http.NewResponseController(w)}, req, "", time.Time{}, r)
	}}, nil
}

// reads takes a slot of those who read content; read gives it back.
func (a *API) reads() error {
	select {
	case a.content <- struct{}{}:
		return nil
	default:
		return share.Errorf(share.Failed, "too many requests: %d are already reading content; try again later", maxContent)
	}
}

func (a *API) read() { <-a.content }

func contentHeader(h http.Header, name string) {
	kind, how := shown[strings.ToLower(path.Ext(name))], "inline"
	if kind == "" {
		kind, how = "application/octet-stream", "attachment"
	}
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", disposition(how, name))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Cache-Control", "private, no-cache") // ask again: it may be removed
}

func disposition(how, name string) string {
	if d := mime.FormatMediaType(how, map[string]string{"filename": name}); d != "" {
		return d
	}
	return how
}

// patient cuts a reader off that takes nothing for idleTime.
type patient struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (p *patient) Write(b []byte) (int, error) {
	if err := p.control.SetWriteDeadline(time.Now().Add(idleTime)); err != nil {
		return 0, err
	}
	return p.ResponseWriter.Write(b)
}

func (p *patient) Unwrap() http.ResponseWriter { return p.ResponseWriter }

func (a *API) torrent(_ context.Context, in *oneID) (*huma.StreamResponse, error) {
	id, err := a.resolve(in.ID)
	if err != nil {
		return nil, err
	}
	b, err := a.node.Torrent(id)
	if err != nil {
		return nil, err
	}
	t, err := a.node.Get(id)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		_, w := humago.Unwrap(c)
		h := w.Header()
		h.Set("Content-Type", "application/x-bittorrent")
		h.Set("Content-Disposition", disposition("attachment", t.Name+".torrent"))
		h.Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(b) // the reader may have gone
	}}, nil
}
