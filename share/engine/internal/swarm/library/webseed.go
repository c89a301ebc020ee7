package library

import (
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"

	"github.com/anacrolix/torrent"
	"github.com/anacrolix/torrent/webseed"

	"github.com/shoalnet/shoal/share/engine/internal/swarm/face"
)

// AddWebSeeds implements face.Swarm: the library fetches from each, and each asks
// the others where it does not get on. The library panics when it cannot make a
// request of one.
func (a *Swarm) AddWebSeeds(seeds []string) {
	for _, m := range a.web.add(face.UsableSeeds(seeds)) {
		a.tor.AddWebSeeds([]string{m.url}, torrent.AddWebSeedsOpt(func(c *webseed.Client) {
			c.HttpClient = &http.Client{Transport: m}
		}))
	}
}

// WebSeeds implements face.Swarm.
func (a *Swarm) WebSeeds() []face.WebSeed { return a.web.state() }

// padding answers a request for a pad file (BEP 47): those are on no server, and
// what they consist of is known here.
func padding(req *http.Request) *http.Response {
	resp := &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: make(http.Header), ContentLength: -1, Request: req, Body: io.NopCloser(zeros{}),
	}
	var from, to int64
	if n, _ := fmt.Sscanf(req.Header.Get("Range"), "bytes=%d-%d", &from, &to); n == 2 && from <= to {
		resp.Status, resp.StatusCode = "206 Partial Content", http.StatusPartialContent
		resp.ContentLength = to - from + 1
		resp.Body = io.NopCloser(io.LimitReader(zeros{}, resp.ContentLength))
	}
	return resp
}

// isPad tells a pad file by its usual path, FOLDER/.pad/NUMBER.
func isPad(p string) bool {
	dir, number := path.Split(p)
	return strings.HasSuffix(dir, "/.pad/") && number != "" && strings.Trim(number, "0123456789") == ""
}

// zeros never ends: the library reads as much as it asked for.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
