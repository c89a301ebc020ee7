package engine

import (
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"

	"github.com/anacrolix/torrent"
	"github.com/anacrolix/torrent/webseed"

	"github.com/shoalnet/shoal/share/engine/internal/netguard"
)

// maxWebSeeds bounds how many web seeds of one transfer are used.
const maxWebSeeds = 20

// usableSeeds leaves out what the client library, which panics when it cannot
// make a request of it, must not get.
func usableSeeds(seeds []string) []string {
	var out []string
	for _, s := range seeds {
		if netguard.CheckURL(s) == nil && len(out) < maxWebSeeds {
			out = append(out, s)
		}
	}
	return out
}

// addWebSeeds has the library fetch from seeds, each of which asks the others
// where it does not get on.
func (a *attachment) addWebSeeds(seeds []string) {
	for _, m := range a.web.add(usableSeeds(seeds)) {
		a.tor.AddWebSeeds([]string{m.url}, torrent.AddWebSeedsOpt(func(c *webseed.Client) {
			c.HttpClient = &http.Client{Transport: m}
		}))
	}
}

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
