package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/shoalnet/shoal/index"
	"github.com/shoalnet/shoal/share"
)

// Config holds what an API needs: a port for each group of requests. The methods of
// the ports are called concurrently, wait for others only if they take a context, and
// return errors with a share.Kind. The error for an unknown transfer wraps
// share.ErrUnknown.
type Config struct {
	Node      Node
	Access    Access
	Settings  Settings
	Network   Network
	Transfers Transfers
	Content   Content
	Intake    Intake
	Uploads   Uploads
	Incoming  Incoming
	Finding   Finding
	Channels  Channels
	WebLinks  WebLinks
	Receive   ReceiveLinks
	Events    Events

	Version string // of the program
	Logger  *slog.Logger
	// Collectors add metrics of other parts of the node.
	Collectors []prometheus.Collector
}

// API answers requests about one node. It neither listens nor checks who asks:
// the server of its Handler decides who may reach it.
type API struct {
	version string
	hub     *hub
	reads   slots // of those who read content
	mux     *http.ServeMux
	spec    []byte
	over    chan struct{} // closed when Run returns
}

// New makes an API. Its event stream needs Run.
func New(c Config) (*API, error) {
	a := &API{version: c.Version, hub: newHub(c), reads: make(slots, maxContent), mux: http.NewServeMux(), over: make(chan struct{})}
	config := huma.DefaultConfig("shoal", "1.0")
	config.Info.Description = "A shoal node: what it shares and fetches, and how to control it. " +
		"Within /api/v1 there are only additions."
	config.CreateHooks = nil
	config.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	config.RejectUnknownQueryParameters = true
	config.Transformers = []huma.Transformer{transformProblem}
	h := humago.New(a.mux, config)
	a.register(h, c)
	var err error
	if a.spec, err = describe(h); err != nil {
		return nil, err
	}
	metrics, err := metrics(newNodeCollector(c.Node, a.hub.count, c.Version), c.Collectors)
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

// register adds every operation, each group with the port that it needs.
func (a *API) register(h huma.API, c Config) {
	ids := ids{c.Transfers}
	registerNode(h, c.Node, ids)
	registerAccess(h, c.Access)
	registerSettings(h, c.Settings)
	registerNetwork(h, c.Network)
	registerTransfers(h, c.Transfers, ids, a.hub.logOf)
	registerBulk(h, c.Transfers, c.Content, a.reads, a.hub.gather)
	registerContent(h, &contents{ids: ids, content: c.Content, log: c.Logger, reads: a.reads})
	registerIntake(h, c.Intake, func() Info { return c.Node.Info() }, ids, a.over)
	registerUploads(h, c.Uploads)
	registerIncoming(h, c.Incoming)
	registerFinding(h, c.Finding)
	registerChannels(h, c.Channels)
	registerWebLinks(h, c.WebLinks, ids)
	registerReceiveLinks(h, c.Receive)
	registerEvents(h, a.hub, ids)
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
func (a *API) Boot() string { return a.hub.ring.boot }

// Welcome is the answer of a node of any version at /api. Clients compare the
// versions in it before they send other requests.
type Welcome struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	API     int    `json:"api" doc:"newest version of the API"`
	Oldest  int    `json:"oldest" doc:"oldest version of the API that the node supports"`
}

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
