package api

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/shoalnet/shoal/share"
)

// Inputs and outputs of several operations. An ID in a path may be shortened.
type (
	none struct{}

	body[T any]   struct{ Body T }
	answer[T any] struct{ Body T }

	oneID struct {
		ID string `path:"id" maxLength:"64" doc:"ID, v1 or v2, may be shortened while unique"`
	}
	oneFile struct {
		ID   string `path:"id" maxLength:"64" doc:"ID, v1 or v2, may be shortened while unique"`
		File int    `path:"file" minimum:"0" doc:"number of the file, from 0"`
	}
	withFields struct {
		Fields string `query:"fields" maxLength:"1000" doc:"fields to return, separated by commas; without it, all"`
	}
	listOf struct {
		ID     string `path:"id" maxLength:"64" doc:"ID, v1 or v2, may be shortened while unique"`
		Fields string `query:"fields" maxLength:"1000" doc:"fields to return, separated by commas; without it, all"`
	}
)

// op adds one operation, "METHOD /path" below Base.
func op[I, O any](h huma.API, route, summary string, f func(context.Context, *I) (*O, error), more ...func(*huma.Operation)) {
	method, path, _ := strings.Cut(route, " ")
	o := huma.Operation{Method: method, Path: Base + path, OperationID: operationID(method, path), Summary: summary}
	for _, m := range more {
		m(&o)
	}
	huma.Register(h, o, func(ctx context.Context, in *I) (*O, error) {
		out, err := f(ctx, in)
		if err != nil {
			return nil, problem(err)
		}
		return out, nil
	})
}

// operationID makes names such as getTransfersFiles.
func operationID(method, path string) string {
	id := strings.ToLower(method)
	for p := range strings.SplitSeq(path, "/") {
		if p == "" || p[0] == '{' {
			if p == "{id}" && strings.Count(path, "/") == 2 {
				id += "One"
			}
			continue
		}
		id += strings.ToUpper(p[:1]) + p[1:]
	}
	return id
}

// streams describes an answer that the handler writes itself.
func streams(media string) func(*huma.Operation) {
	return func(o *huma.Operation) {
		o.Responses = map[string]*huma.Response{"200": {
			Description: o.Summary,
			Content:     map[string]*huma.MediaType{media: {Schema: &huma.Schema{Type: "string", Format: "binary"}}},
		}}
	}
}

// lists describes a JSON array written by list.
func lists[T any](h huma.API) func(*huma.Operation) {
	return func(o *huma.Operation) {
		schema := huma.SchemaFromType(h.OpenAPI().Components.Schemas, reflect.TypeFor[[]T]())
		schema.Nullable = false
		o.Responses = map[string]*huma.Response{"200": {
			Description: "OK",
			Content:     map[string]*huma.MediaType{"application/json": {Schema: schema}},
		}}
	}
}

// list writes values with the named fields.
func list[T any](values []T, fields string) (*huma.StreamResponse, error) {
	var names []string
	if fields != "" {
		names = strings.Split(fields, ",")
	}
	cols, err := choose(columnsOf(reflect.TypeFor[T]()), names)
	if err != nil {
		return nil, err
	}
	b := appendList(make([]byte, 0, 64+len(values)*40*len(cols)), values, cols)
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		ctx.SetHeader("Content-Type", "application/json")
		_, _ = ctx.BodyWriter().Write(b) // the reader may have gone
	}}, nil
}

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// describe finishes the OpenAPI document, in which every operation may end in a
// Problem, and returns it.
func describe(h huma.API) ([]byte, error) {
	doc := h.OpenAPI()
	schema := doc.Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
	failure := &huma.Response{
		Description: "The request failed",
		Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schema}},
	}
	for _, item := range doc.Paths {
		for _, o := range []*huma.Operation{item.Get, item.Head, item.Put, item.Post, item.Delete, item.Patch} {
			if o == nil {
				continue
			}
			for status := range o.Responses {
				if status[0] != '2' {
					delete(o.Responses, status)
				}
			}
			o.Responses["default"] = failure
		}
	}
	delete(doc.Components.Schemas.Map(), "ErrorModel")
	// The event stream describes itself by these.
	for _, t := range []reflect.Type{reflect.TypeFor[share.Event](), reflect.TypeFor[LogLine](), reflect.TypeFor[Welcome]()} {
		doc.Components.Schemas.Schema(t, true, t.Name())
	}
	spec, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("describing the API: %w", err)
	}
	return spec, nil
}
