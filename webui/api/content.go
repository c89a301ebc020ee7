package api

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/shoalnet/shoal/share"
)

// Content is the port to the files of a transfer and the sources of its peers.
type Content interface {
	// Files returns none while they are not known.
	Files(share.ID) ([]share.File, error)
	Pieces(share.ID) (share.Pieces, error)
	// Torrent returns the .torrent file.
	Torrent(share.ID) ([]byte, error)
	// Open reads one file. Its reads wait for missing pieces, until ctx ends.
	Open(ctx context.Context, id share.ID, file int) (io.ReadSeekCloser, error)
	// Play is Open for a player: other downloads yield to it.
	Play(ctx context.Context, id share.ID, file int) (io.ReadSeekCloser, error)
	// Streams describes the readers that play files.
	Streams(share.ID) (share.Streams, error)

	// Peers returns the connected peers.
	Peers(share.ID) ([]share.Peer, error)
	// Discovery returns the state of each source of peers.
	Discovery(share.ID) ([]share.Way, error)
}

// contents answers the requests for content.
type contents struct {
	ids
	content Content
	log     *slog.Logger
	reads   slots
}

// maxContent is the number of slots for reading content.
const maxContent = 64

func registerContent(h huma.API, c *contents) {
	op(h, "GET /transfers/{id}/files", "List the files of a transfer", func(_ context.Context, in *listOf) (*huma.StreamResponse, error) {
		files, err := onID(c.ids, in.ID, c.content.Files)
		if err != nil {
			return nil, err
		}
		return list(files, in.Fields)
	}, lists[share.File](h))
	op(h, "GET /transfers/{id}/files/{file}/content", "Read a file, even while it is being fetched", c.readFile, streams("application/octet-stream"))
	op(h, "GET /transfers/{id}/files/{file}/subtitles", "Read a subtitle file as WebVTT", c.subtitles, streams("text/vtt"))
	op(h, "GET /transfers/{id}/streams", "Show which files are being played, and what they wait for", func(_ context.Context, in *oneID) (*answer[share.Streams], error) {
		s, err := onID(c.ids, in.ID, c.content.Streams)
		s.Streams = orEmpty(s.Streams)
		return &answer[share.Streams]{s}, err
	})
	op(h, "GET /transfers/{id}/archive", "Download all files of a transfer as one archive, even while they are being fetched", c.archive, streams("application/octet-stream"))
	op(h, "GET /transfers/{id}/torrent", "Download the .torrent file of a transfer", c.torrent, streams("application/x-bittorrent"))
	op(h, "GET /transfers/{id}/pieces", "Show the state of every piece", func(_ context.Context, in *oneID) (*answer[share.Pieces], error) {
		p, err := onID(c.ids, in.ID, c.content.Pieces)
		p.State = orEmpty(p.State)
		return &answer[share.Pieces]{p}, err
	})
	op(h, "GET /transfers/{id}/peers", "List the connected peers", func(_ context.Context, in *listOf) (*huma.StreamResponse, error) {
		peers, err := onID(c.ids, in.ID, c.content.Peers)
		if err != nil {
			return nil, err
		}
		return list(peers, in.Fields)
	}, lists[share.Peer](h))
	op(h, "GET /transfers/{id}/discovery", "Show the sources of peers of a transfer", func(_ context.Context, in *oneID) (*answer[[]share.Way], error) {
		ways, err := onID(c.ids, in.ID, c.content.Discovery)
		return &answer[[]share.Way]{orEmpty(ways)}, err
	})
}

// shown are the types that a browser may show: they carry no script. Everything
// else is an attachment of bytes, whatever its name.
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

// idleTime is how long a reader of content may take nothing. A player that was
// paused for longer comes back with a Range request.
const idleTime = 5 * time.Minute

// fileToRead is a file, and what it is read for.
type fileToRead struct {
	ID   string `path:"id" maxLength:"64" doc:"ID, v1 or v2, may be shortened while unique"`
	File int    `path:"file" minimum:"0" doc:"number of the file, from 0"`
	Play bool   `query:"play" doc:"the file is being played: while data is missing ahead of the reader, other downloads are slowed down"`
}

// named finds a file of a transfer.
func (c *contents) named(of string, index int) (id share.ID, file share.File, err error) {
	if id, err = c.resolve(of); err != nil {
		return id, file, err
	}
	files, err := c.content.Files(id)
	if err != nil {
		return id, file, err
	}
	if len(files) == 0 {
		return id, file, share.Errorf(share.Failed, "the file list of %s is unknown yet: %w", id.Short(), errNoFile)
	}
	for _, f := range files {
		if f.Index == index {
			return id, f, nil
		}
	}
	return id, file, share.Errorf(share.Failed, "%s has no file %d: %w", id.Short(), index, errNoFile)
}

func (c *contents) readFile(ctx context.Context, in *fileToRead) (*huma.StreamResponse, error) {
	id, file, err := c.named(in.ID, in.File)
	if err != nil {
		return nil, err
	}
	if err := c.reads.take(); err != nil {
		return nil, err
	}
	open := c.content.Open
	if in.Play {
		open = c.content.Play
	}
	r, err := open(ctx, id, in.File)
	if err != nil {
		c.reads.put()
		return nil, err
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		defer func() { r.Close(); c.reads.put() }()
		req, w := humago.Unwrap(ctx)
		ContentHeader(w.Header(), path.Base(file.Path))
		// The content of an ID never changes.
		ServeContent(w, req, fmt.Sprintf(`"%s-%d"`, id, in.File), r)
	}}, nil
}

// ServeContent answers with content that has a strong ETag, or with the requested part
// of it. It cuts off a reader that takes nothing for minutes.
func ServeContent(w http.ResponseWriter, r *http.Request, etag string, content io.ReadSeeker) {
	w.Header().Set("ETag", etag)
	http.ServeContent(&patient{w, http.NewResponseController(w)}, r, "", time.Time{}, content)
}

// slots bounds how many requests read content at the same time.
type slots chan struct{}

// take takes a slot, or refuses; put gives it back.
func (s slots) take() error {
	select {
	case s <- struct{}{}:
		return nil
	default:
		return share.Errorf(share.Failed, "too many requests: %d are already reading content; try again later", cap(s))
	}
}

func (s slots) put() { <-s }

// Shown returns the media type of a file by its name if a browser may show it, otherwise
// the empty string.
func Shown(name string) string { return shown[strings.ToLower(path.Ext(name))] }

// ContentHeader sets the headers that make the content of a file safe in a browser.
func ContentHeader(h http.Header, name string) {
	kind, how := Shown(name), "inline"
	if kind == "" {
		kind, how = "application/octet-stream", "attachment"
	}
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", Disposition(how, name))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Cache-Control", "private, no-cache") // ask again: it may be removed
}

// Disposition is a Content-Disposition with the name of a file.
func Disposition(how, name string) string {
	if strings.Contains(name, "%") { // browsers decode what looks encoded, unless it is
		return how + "; filename*=utf-8''" + strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
	}
	if d := mime.FormatMediaType(how, map[string]string{"filename": name}); d != "" {
		return d
	}
	return how
}

// patient cuts off a reader that takes nothing for idleTime.
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

// copies are the buffers of ReadFrom: large enough that what is done for each read does not
// count, and small enough for the cache of the processor.
var copies = sync.Pool{New: func() any { return new([128 << 10]byte) }}

// ReadFrom implements io.ReaderFrom. The kernel does not send the file by itself (sendfile):
// each part is checked after it was read, and what a program writes into the file meanwhile
// must not be sent.
func (p *patient) ReadFrom(r io.Reader) (n int64, err error) {
	b := copies.Get().(*[128 << 10]byte)
	defer copies.Put(b)
	return io.CopyBuffer(struct{ io.Writer }{p}, struct{ io.Reader }{r}, b[:])
}

func (p *patient) Unwrap() http.ResponseWriter { return p.ResponseWriter }

func (c *contents) torrent(_ context.Context, in *oneID) (*huma.StreamResponse, error) {
	id, err := c.resolve(in.ID)
	if err != nil {
		return nil, err
	}
	b, err := c.content.Torrent(id)
	if err != nil {
		return nil, err
	}
	t, err := c.transfers.Get(id)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		_, w := humago.Unwrap(ctx)
		h := w.Header()
		h.Set("Content-Type", "application/x-bittorrent")
		h.Set("Content-Disposition", Disposition("attachment", t.Name+".torrent"))
		h.Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(b) // the reader may have gone
	}}, nil
}

// Files returns the files of a transfer, none while they are not known.
func (c *Client) Files(ctx context.Context, id share.ID) ([]share.File, error) {
	return get[[]share.File](ctx, c, transferPath(id)+"/files")
}

// Peers returns the connected peers of a transfer.
func (c *Client) Peers(ctx context.Context, id share.ID) ([]share.Peer, error) {
	return get[[]share.Peer](ctx, c, transferPath(id)+"/peers")
}

// Discovery returns the state of each source of peers of a transfer.
func (c *Client) Discovery(ctx context.Context, id share.ID) ([]share.Way, error) {
	return get[[]share.Way](ctx, c, transferPath(id)+"/discovery")
}

// Pieces returns the state of every piece.
func (c *Client) Pieces(ctx context.Context, id share.ID) (share.Pieces, error) {
	return get[share.Pieces](ctx, c, transferPath(id)+"/pieces")
}

// Torrent returns the .torrent file of a transfer.
func (c *Client) Torrent(ctx context.Context, id share.ID) ([]byte, error) {
	resp, err := c.send(ctx, http.MethodGet, Base+transferPath(id)+"/torrent", nil, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, gone(ctx, err)
	}
	return b, nil
}

// Content reads one file of a transfer from its beginning; missing pieces are
// fetched in reading order. It may be closed before the end.
func (c *Client) Content(ctx context.Context, id share.ID, file int) (io.ReadCloser, error) {
	resp, err := c.send(ctx, http.MethodGet, contentPath(id, file), nil, nil)
	if err != nil {
		return nil, err
	}
	return &fileBody{ctx: ctx, body: resp.Body, left: resp.ContentLength}, nil
}

// ContentRange reads length bytes from offset on.
func (c *Client) ContentRange(ctx context.Context, id share.ID, file int, offset, length int64) (io.ReadCloser, error) {
	h := http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", offset, offset+length-1)}}
	resp, err := c.send(ctx, http.MethodGet, contentPath(id, file), h, nil)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusPartialContent {
		resp.Body.Close()
		return nil, share.Errorf(share.Failed, "the node answered %s to a request for a part of a file", resp.Status)
	}
	return &fileBody{ctx: ctx, body: resp.Body, left: resp.ContentLength}, nil
}

func contentPath(id share.ID, file int) string {
	return Base + transferPath(id) + "/files/" + strconv.Itoa(file) + "/content"
}

// fileBody is the body of an answer. It distinguishes the end of the file from the end
// of the node.
type fileBody struct {
	ctx  context.Context
	body io.ReadCloser
	left int64
}

func (f *fileBody) Read(p []byte) (int, error) {
	n, err := f.body.Read(p)
	f.left -= int64(n)
	if err != nil && (err != io.EOF || f.left > 0) {
		err = gone(f.ctx, err)
	}
	return n, err
}

func (f *fileBody) Close() error { return f.body.Close() }
