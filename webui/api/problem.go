package api

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

// Problem is an error in an HTTP response: problem details of RFC 9457. Type is
// stable; it is a path at which the node describes the type.
type Problem struct {
	Type   string `json:"type" format:"uri-reference" example:"/api/v1/problems/refused"`
	Title  string `json:"title" doc:"short description of the type"`
	Status int    `json:"status" doc:"HTTP status"`
	Detail string `json:"detail" doc:"what went wrong and, if possible, what to do about it"`
	// DetailText is Detail for other languages.
	DetailText *share.Text `json:"detail_text,omitempty"`
	Code       string      `json:"code" enum:"failed,usage,nobody,no-node,refused,disk,interrupted" doc:"kind of error; the exit status of the command line depends on it"`
	// Errors list the members of the request that were not valid.
	Errors []*huma.ErrorDetail `json:"errors,omitempty"`
}

// problemTypes lists every type of problem: the last element of its path, the
// HTTP status, the kind, and what it means.
var problemTypes = [...]struct {
	name   string
	status int
	kind   share.Kind
	title  string
}{
	{"failed", http.StatusInternalServerError, share.Failed, "The request failed"},
	{"usage", http.StatusBadRequest, share.Usage, "The request is invalid"},
	{"nobody", http.StatusGatewayTimeout, share.Nobody, "No peer was found in time"},
	{"no-node", http.StatusServiceUnavailable, share.NoNode, "The node is not running or is stopping"},
	{"refused", http.StatusUnprocessableEntity, share.Refused, "The link or torrent was refused"},
	{"disk", http.StatusInsufficientStorage, share.Disk, "Disk or data error"},
	{"interrupted", http.StatusServiceUnavailable, share.Interrupted, "The request was interrupted"},
	{"unknown-transfer", http.StatusNotFound, share.Failed, "The node has no such transfer"},
	{"unknown-entry", http.StatusNotFound, share.Failed, "The catalogue and the channels have no such entry"},
	{"unknown-file", http.StatusNotFound, share.Failed, "The transfer has no such file or folder"},
	{"unknown-web-link", http.StatusNotFound, share.Failed, "The node has no such web link"},
	{"unknown-upload", http.StatusNotFound, share.Failed, "The node has no such upload"},
	{"busy", http.StatusConflict, share.Failed, "The transfer is busy with another operation"},
	{"unconfirmed", http.StatusPreconditionRequired, share.Usage, "This must be confirmed"},
	{"ambiguous-id", http.StatusConflict, share.Usage, "Several IDs begin with these digits"},
	{"unknown-path", http.StatusNotFound, share.Failed, "This node has no such path"},
	{"request", 0, share.Usage, "The request is not valid"},
}

const problemPath = Base + "/problems/"

func (p *Problem) Error() string  { return p.Detail }
func (p *Problem) GetStatus() int { return p.Status }

// ContentType returns problem+json.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// errAmbiguous is wrapped by the error for a shortened ID that matches several transfers.
var errAmbiguous = errors.New("give more digits")

// errNoFile marks the error for a file or folder that a transfer does not have.
var errNoFile = errors.New("shoal files lists what there is")

// problem turns any error of the node into a Problem; no error stays none.
func problem(err error) error {
	if err == nil {
		return nil
	}
	return problemOf(err)
}

// problemOf describes an error of the node.
func problemOf(err error) *Problem {
	kind := share.KindOf(err)
	name := kind.Code()
	switch {
	case errors.Is(err, share.ErrUnknown):
		name = "unknown-transfer"
	case errors.Is(err, index.ErrUnknown):
		name = "unknown-entry"
	case errors.Is(err, errNoFile):
		name = "unknown-file"
	case errors.Is(err, ErrNoWebLink):
		name = "unknown-web-link"
	case errors.Is(err, ErrNotComing):
		name = "unknown-upload"
	case errors.Is(err, share.ErrBusy):
		name = "busy"
	case errors.Is(err, ErrUnconfirmed):
		name = "unconfirmed"
	case errors.Is(err, errAmbiguous):
		name = "ambiguous-id"
	}
	text := share.TextOf(err)
	p := named(name, kind, text.String())
	p.DetailText = text.Of()
	return p
}

func named(name string, kind share.Kind, detail string) *Problem {
	p := &Problem{Type: problemPath + name, Status: http.StatusInternalServerError, Detail: detail, Code: kind.Code()}
	for _, t := range problemTypes {
		if t.name == name {
			p.Title = t.title
			if t.status != 0 {
				p.Status = t.status
			}
		}
	}
	return p
}

// transformProblem converts huma's errors for bad requests to a Problem.
func transformProblem(_ huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	kind, name := share.Usage, "request"
	if m.Status >= 500 {
		kind, name = share.Failed, "failed"
	}
	p := named(name, kind, share.Redact(m.Detail))
	p.Status = m.Status
	for _, e := range m.Errors {
		// Without the value, which may be a link, or the whole request with one.
		p.Errors = append(p.Errors, &huma.ErrorDetail{Location: e.Location, Message: share.Redact(e.Message)})
	}
	return p, nil
}

// problemError is the inverse of problem.
func problemError(resp *http.Response) error {
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	var p Problem
	if err != nil || json.Unmarshal(b, &p) != nil || p.Code == "" {
		return share.Errorf(share.Failed, "the node answered %s", resp.Status)
	}
	return p.err()
}

// err is the error that problemOf described, as far as clients decide by it.
func (p *Problem) err() error {
	kind := share.KindOfCode(p.Code)
	detail := p.Detail
	for _, e := range p.Errors {
		if e.Location != "" {
			detail += ": " + e.Location
		}
		detail += ": " + e.Message
	}
	switch p.Type {
	case problemPath + "unknown-transfer":
		return &share.Error{Kind: kind, Err: &remoteError{detail, share.ErrUnknown}}
	case problemPath + "busy":
		return &share.Error{Kind: kind, Err: &remoteError{detail, share.ErrBusy}}
	case problemPath + "unconfirmed":
		return &share.Error{Kind: kind, Err: &remoteError{detail, ErrUnconfirmed}}
	case problemPath + "unknown-entry":
		return &share.Error{Kind: kind, Err: &remoteError{detail, index.ErrUnknown}}
	case problemPath + "unknown-web-link":
		return &share.Error{Kind: kind, Err: &remoteError{detail, ErrNoWebLink}}
	case problemPath + "unknown-upload":
		return &share.Error{Kind: kind, Err: &remoteError{detail, ErrNotComing}}
	case problemPath + "unknown-path":
		return share.Errorf(kind, "the running node is another version of shoal than this command (%s): restart the node", detail)
	}
	return share.Errorf(kind, "%s", detail)
}

// remoteError has the message of an error of the node and wraps the same sentinel
// as that error.
type remoteError struct {
	message string
	is      error
}

func (e *remoteError) Error() string { return e.message }
func (e *remoteError) Unwrap() error { return e.is }
