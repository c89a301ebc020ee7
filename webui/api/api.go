package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/netip"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

// Config holds what an API needs.
type Config struct {
	Node    Node
	Version string // of the program
	Logger  *slog.Logger
	// Collectors add metrics of other parts of the node.
	Collectors []prometheus.Collector
}

// API answers requests about one node. It neither listens nor checks who asks:
// the server of its Handler decides who may reach it.
type API struct {
	node    Node
	version string
	log     *slog.Logger
	hub     *hub
	mux     *http.ServeMux
	spec    []byte
	over    chan struct{} // closed when Run returns
	content chan struct{} // slots of those who read content
}

// maxContent bounds the number of requests that read content at the same time.
const maxContent = 64

// New makes an API. Its event stream needs Run.
func New(c Config) (*API, error) {
	a := &API{
		node: c.Node, version: c.Version, log: c.Logger,
		hub: newHub(c.Node, c.Logger), mux: http.NewServeMux(),
		content: make(chan struct{}, maxContent), over: make(chan struct{}),
	}
	config := huma.DefaultConfig("shoal", "1.0")
	config.Info.Description = "A node of shoal: what it shares and fetches, and the means to act on it. " +
		"Within /api/v1 there are only additions."
	config.CreateHooks = nil
	config.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	config.RejectUnknownQueryParameters = true
	config.Transformers = []huma.Transformer{transformProblem}
	h := humago.New(a.mux, config)
	a.register(h)
	if err := a.describe(h); err != nil {
		return nil, err
	}
	metrics, err := a.metrics(c.Collectors)
	if err != nil {
		return nil, err
	}
	a.mux.Handle("GET /metrics", metrics)
	a.mux.HandleFunc("GET /api", a.welcome)
	a.mux.HandleFunc("GET "+problemPath+"{name}", explainProblem)
	a.mux.HandleFunc("GET "+Base+"/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.oai.openapi+json;version=3.1")
		_, _ = w.Write(a.spec)
	})
	a.mux.HandleFunc("/api/", a.unknownPath)
	return a, nil
}

// schemaName gives different names to types that share one: the limits of the node
// and of a transfer, and the files of an entry and of this node.
func schemaName(t reflect.Type, hint string) string {
	switch t {
	case reflect.TypeFor[Limits]():
		return "NodeLimits"
	case reflect.TypeFor[index.File]():
		return "EntryFile"
	}
	return huma.DefaultSchemaNamer(t, hint)
}

// Handler answers everything below /api and /metrics.
func (a *API) Handler() http.Handler { return a.mux }

// Spec is the OpenAPI document.
func (a *API) Spec() []byte { return a.spec }

// Run feeds the event streams until ctx ends, and then ends them and the leases.
// It is called once.
func (a *API) Run(ctx context.Context) error {
	defer close(a.over)
	a.hub.run(ctx)
	return nil
}

// Boot is the part of event ids that changes with each start.
func (a *API) Boot() string { return a.hub.boot }

func (a *API) welcome(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, Welcome{Name: "shoal", Version: a.version, API: Version, Oldest: Version})
}

func (a *API) unknownPath(w http.ResponseWriter, r *http.Request) {
	writeProblem(w, named("unknown-path", share.Failed,
		r.Method+" "+r.URL.Path+" does not exist in shoal "+a.version))
}

func explainProblem(w http.ResponseWriter, r *http.Request) {
	for _, t := range problemTypes {
		if t.name == r.PathValue("name") {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			_, _ = w.Write([]byte(t.title + ".\n"))
			return
		}
	}
	writeProblem(w, named("unknown-path", share.Failed, "there is no such type of problem"))
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		status, b = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b) // the reader may have gone
}

func writeProblem(w http.ResponseWriter, p *Problem) {
	b, err := json.Marshal(p)
	if err != nil {
		b = nil
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_, _ = w.Write(b)
}

// resolve finds the ID that s is or begins.
func (a *API) resolve(s string) (share.ID, error) {
	s = strings.ToLower(s)
	if len(s) == 40 {
		return share.ParseID(s)
	}
	if s == "" || len(s) > 40 || strings.Trim(s, "0123456789abcdef") != "" {
		return share.ID{}, share.Errorf(share.Usage, "%.60q is not an ID or the beginning of one", s)
	}
	var found []share.Transfer
	for _, t := range a.node.List() {
		if strings.HasPrefix(t.ID.String(), s) {
			found = append(found, t)
		}
	}
	switch len(found) {
	case 0:
		return share.ID{}, share.Errorf(share.Failed, "%w: %s", share.ErrUnknown, s)
	case 1:
		return found[0].ID, nil
	}
	return share.ID{}, share.Errorf(share.Usage, "the IDs of %d transfers begin with %s: %s: %w", len(found), s, examples(found), errAmbiguous)
}

// examples lists a few of the transfers by just enough digits to tell them apart.
func examples(found []share.Transfer) string {
	digits := 8
	for i := range found {
		for j := range i {
			a, b := found[i].ID.String(), found[j].ID.String()
			n := 0
			for n < 40 && a[n] == b[n] {
				n++
			}
			digits = min(max(digits, n+1), 40)
		}
		if i == 50 {
			break
		}
	}
	var names []string
	for _, t := range found[:min(len(found), 4)] {
		names = append(names, t.ID.String()[:digits])
	}
	if len(found) > 4 {
		names = append(names, "…")
	}
	return strings.Join(names, ", ")
}

// Welcome is the answer of a node of any version at /api. Clients compare the
// versions in it before they send other requests.
type Welcome struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	API     int    `json:"api" doc:"newest version of the API"`
	Oldest  int    `json:"oldest" doc:"oldest version of the API that the node supports"`
}

type priorities struct {
	Priorities map[int]share.Priority `json:"priorities" doc:"by file number: -1 skip, 0 normal, 1 high"`
}

type addresses struct {
	Addresses []netip.AddrPort `json:"addresses" maxItems:"1000"`
}
