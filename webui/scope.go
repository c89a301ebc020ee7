package webui

import (
	"net/http"
	"slices"
)

// Scope says what a token may do. Each scope includes those before it. Browsers may do
// everything.
type Scope string

// The scopes, the narrowest first.
const (
	ScopeRead       Scope = "read"       // look, and read content
	ScopeAdd        Scope = "add"        // and download into, or share from, the node's own folders
	ScopeEverything Scope = "everything" // and change, remove, and administer
)

var scopes = [...]Scope{ScopeRead, ScopeAdd, ScopeEverything}

// includes reports whether s may do what asks for other. Tokens of former releases have no
// scope and may do everything.
func (s Scope) includes(other Scope) bool {
	if s == "" {
		s = ScopeEverything
	}
	has := slices.Index(scopes[:], s)
	return has >= 0 && has >= slices.Index(scopes[:], other)
}

// routes is the scope that each route below /api/ asks for. A route that is not here asks
// for everything; a test wants each to be here.
var routes = [...]struct {
	pattern string // of http.ServeMux
	scope   Scope
}{
	{"GET /api/v1/problems/{name}", ScopeRead},
	{"GET /api/v1/openapi.json", ScopeRead},
	{"GET /api/v1/node", ScopeRead},
	{"GET /api/v1/stats", ScopeRead},
	{"GET /api/v1/health", ScopeRead},
	{"GET /api/v1/history", ScopeRead},
	{"GET /api/v1/events", ScopeRead},
	{"GET /api/v1/network", ScopeRead},
	{"POST /api/v1/network/test", ScopeEverything},

	{"GET /api/v1/transfers", ScopeRead},
	{"GET /api/v1/transfers/{id}", ScopeRead},
	{"GET /api/v1/transfers/{id}/files", ScopeRead},
	{"GET /api/v1/transfers/{id}/files/{file}/content", ScopeRead},
	{"GET /api/v1/transfers/{id}/files/{file}/subtitles", ScopeRead},
	{"GET /api/v1/transfers/{id}/streams", ScopeRead},
	{"GET /api/v1/transfers/{id}/archive", ScopeRead},
	{"GET /api/v1/transfers/{id}/torrent", ScopeRead},
	{"GET /api/v1/transfers/{id}/peers", ScopeRead},
	{"GET /api/v1/transfers/{id}/pieces", ScopeRead},
	{"GET /api/v1/transfers/{id}/discovery", ScopeRead},
	{"GET /api/v1/transfers/{id}/log", ScopeRead},
	{"GET /api/v1/transfers/{id}/room", ScopeRead},
	{"POST /api/v1/transfers", ScopeAdd},
	{"POST /api/v1/transfers/torrents", ScopeRead}, // a GET with a list too long for a URL
	{"POST /api/v1/transfers/bulk", ScopeEverything},
	{"PATCH /api/v1/transfers/{id}", ScopeEverything},
	{"DELETE /api/v1/transfers/{id}", ScopeEverything},
	{"PATCH /api/v1/transfers/{id}/files", ScopeEverything},
	{"POST /api/v1/transfers/{id}/pause", ScopeEverything},
	{"POST /api/v1/transfers/{id}/resume", ScopeEverything},
	{"POST /api/v1/transfers/{id}/verify", ScopeEverything},
	{"POST /api/v1/transfers/{id}/peers", ScopeEverything},

	{"GET /api/v1/lease", ScopeAdd},
	{"POST /api/v1/preview", ScopeAdd},
	{"POST /api/v1/shares", ScopeAdd},
	{"POST /api/v1/uploads/{name}", ScopeAdd},
	{"POST /api/v1/incoming", ScopeAdd},
	{"GET /api/v1/incoming", ScopeAdd},
	{"GET /api/v1/incoming/{upload}/files", ScopeAdd},
	{"POST /api/v1/incoming/{upload}/files", ScopeAdd},
	{"HEAD /api/v1/incoming/{upload}/files/{file}", ScopeAdd},
	{"PATCH /api/v1/incoming/{upload}/files/{file}", ScopeAdd},
	{"DELETE /api/v1/incoming/{upload}/files/{file}", ScopeAdd},
	{"DELETE /api/v1/incoming/{upload}", ScopeEverything}, // deletes what has arrived
	{"GET /api/v1/uploads", ScopeEverything},
	{"DELETE /api/v1/uploads/{name}", ScopeEverything},
	{"POST /api/v1/matches", ScopeEverything}, // reads any folder of the host
	{"POST /api/v1/imports", ScopeEverything}, // shares from any folder of the host
	{"GET /api/v1/folders", ScopeEverything},  // lists any folder of the host

	// Their links outlive the token that read them.
	{"GET /api/v1/web-links", ScopeEverything},
	{"GET /api/v1/receive-links", ScopeEverything},
	{"POST /api/v1/receive-links", ScopeEverything},
	{"DELETE /api/v1/receive-links/{link}", ScopeEverything},
	{"POST /api/v1/transfers/{id}/web-links", ScopeEverything},
	{"DELETE /api/v1/web-links/{link}", ScopeEverything},
	{"DELETE /api/v1/transfers/{id}/web-seed", ScopeEverything},
	{"PUT /api/v1/transfers/{id}/web-seed", ScopeEverything},

	{"GET /api/v1/search", ScopeRead},
	{"GET /api/v1/entries/{id}", ScopeRead},
	{"GET /api/v1/channels", ScopeRead},
	{"GET /api/v1/channels/{id}", ScopeRead},
	{"GET /api/v1/channels/{id}/entries", ScopeRead},
	{"POST /api/v1/channels", ScopeEverything},
	{"PATCH /api/v1/channels/{id}", ScopeEverything},
	{"DELETE /api/v1/channels/{id}", ScopeEverything},
	{"POST /api/v1/channels/{id}/entries", ScopeEverything},
	{"DELETE /api/v1/channels/{id}/entries/{entry}", ScopeEverything},
	{"POST /api/v1/channels/{id}/publish", ScopeEverything},

	{"GET /api/v1/config", ScopeRead},
	{"PATCH /api/v1/config", ScopeEverything},
	{"DELETE /api/v1/config/{name}", ScopeEverything},
	{"GET /api/v1/config/export", ScopeRead},
	{"POST /api/v1/config/compare", ScopeEverything},
	{"GET /api/v1/limits", ScopeRead},
	{"PUT /api/v1/limits", ScopeEverything},
	{"PATCH /api/v1/limits", ScopeEverything},
	{"GET /api/v1/restart", ScopeRead},
	{"POST /api/v1/restart", ScopeEverything},
	{"DELETE /api/v1/restart", ScopeEverything},

	{"GET /api/v1/password", ScopeEverything},
	{"PUT /api/v1/password", ScopeEverything},
	{"POST /api/v1/sign-in", ScopeEverything},
	{"DELETE /api/v1/session", ScopeRead}, // a token may end itself
	{"GET /api/v1/sessions", ScopeEverything},
	{"POST /api/v1/sessions", ScopeEverything},
	{"DELETE /api/v1/sessions", ScopeEverything},
	{"DELETE /api/v1/sessions/{id}", ScopeEverything},
}

// gate tells the scope that a request asks for.
type gate struct {
	mux   *http.ServeMux // finds the pattern that the API finds
	scope map[string]Scope
}

func newGate() *gate {
	g := &gate{mux: http.NewServeMux(), scope: make(map[string]Scope, len(routes))}
	for _, r := range routes {
		g.mux.Handle(r.pattern, http.NotFoundHandler())
		g.scope[r.pattern] = r.scope
	}
	return g
}

func (g *gate) asks(r *http.Request) Scope {
	_, pattern := g.mux.Handler(r)
	if s, ok := g.scope[pattern]; ok {
		return s
	}
	return ScopeEverything
}
