package api

import (
	"context"
	"fmt"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/shoalnet/shoal/share"
)

type uploading struct {
	Name   string `path:"name" maxLength:"255" doc:"name of the file"`
	Folder string `query:"folder" maxLength:"4096" doc:"path of the folder that the file belongs to, with slashes"`
	Join   bool   `query:"join" doc:"an earlier upload created the first element of folder; without it, a new folder is created, under another name if the name is taken"`
}

// takesFile describes a body that the handler reads by itself.
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

// upload hands the body on as it comes: files are larger than memory.
func (a *API) upload(_ context.Context, in *uploading) (*huma.StreamResponse, error) {
	return &huma.StreamResponse{Body: func(c huma.Context) {
		r, w := humago.Unwrap(c)
		if media := r.Header.Get("Content-Type"); media != "application/octet-stream" {
			writeProblem(w, named("request", share.Usage, "a file is sent as application/octet-stream").with(http.StatusUnsupportedMediaType))
			return
		}
		u, err := a.node.Upload(r.Context(), Upload{Name: in.Name, Folder: in.Folder, Join: in.Join}, r.ContentLength, r.Body)
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

// problemOf is problem for answers that are written by hand.
func problemOf(err error) *Problem {
	if p, ok := problem(err).(*Problem); ok {
		return p
	}
	return named("failed", share.Failed, fmt.Sprint(err))
}

// with gives p another status.
func (p *Problem) with(status int) *Problem {
	p.Status = status
	return p
}
