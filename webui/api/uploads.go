package api

import (
	"context"
	"io"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/shoalnet/shoal/share"
)

// Uploads is the port to the files that browsers send.
type Uploads interface {
	// Upload stores the content of r as a file to be shared: all of it, or nothing.
	// It reads at most length bytes, unless length is negative.
	Upload(ctx context.Context, u Upload, length int64, r io.Reader) (Uploaded, error)
}

// Upload names a file that a browser uploads.
type Upload struct {
	Name   string // last element of its path
	Folder string // path of the folder that it belongs to, with slashes; may be empty
	// Join says that an earlier Upload created the first element of Folder;
	// otherwise a new folder is created.
	Join bool
}

// Uploaded says where an uploaded file was stored. It is shared by its path like
// any other file.
type Uploaded struct {
	Path   string `json:"path" doc:"path of the file"`
	Folder string `json:"folder,omitempty" doc:"first element of the path of its folder; pass it with the next file of the same folder"`
	Root   string `json:"root" doc:"path to share: the path of the folder if there is one, else the path of the file"`
	Bytes  int64  `json:"bytes"`
}

type uploading struct {
	Name   string `path:"name" maxLength:"255" doc:"name of the file"`
	Folder string `query:"folder" maxLength:"4096" doc:"path of the folder that the file belongs to, with slashes"`
	Join   bool   `query:"join" doc:"an earlier upload created the first element of folder; without it, a new folder is created, under another name if the name is taken"`
}

// takesFile describes a body that the handler reads itself.
func takesFile(h huma.API) func(*huma.Operation) {
	return func(o *huma.Operation) {
		o.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}},
		}}
		o.Responses = map[string]*huma.Response{"200": {
			Description: "OK",
			Content: map[string]*huma.MediaType{"application/json": {
				Schema: h.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Uploaded](), true, "Uploaded"),
			}},
		}}
	}
}

func registerUploads(h huma.API, store Uploads) {
	op(h, "POST /uploads/{name}", "Upload a file to share it", func(_ context.Context, in *uploading) (*huma.StreamResponse, error) {
		return upload(store, in)
	}, takesFile(h))
}

// upload passes the body on as it arrives: files are larger than memory.
func upload(store Uploads, in *uploading) (*huma.StreamResponse, error) {
	return &huma.StreamResponse{Body: func(c huma.Context) {
		r, w := humago.Unwrap(c)
		if media := r.Header.Get("Content-Type"); media != "application/octet-stream" {
			writeProblem(w, named("request", share.Usage, "a file is sent as application/octet-stream").with(http.StatusUnsupportedMediaType))
			return
		}
		u, err := store.Upload(r.Context(), Upload{Name: in.Name, Folder: in.Folder, Join: in.Join}, r.ContentLength, r.Body)
		if err == nil && r.ContentLength >= 0 && u.Bytes != r.ContentLength {
			err = share.Errorf(share.Interrupted, "only %d of %d bytes were received", u.Bytes, r.ContentLength)
		}
		if err != nil {
			writeProblem(w, problemOf(err))
			return
		}
		writeJSON(w, http.StatusOK, u)
	}}, nil
}

// with gives p another status.
func (p *Problem) with(status int) *Problem {
	p.Status = status
	return p
}
