package core

import (
	"github.com/shoalnet/shoal/index/dht/internal/krpc"
	"github.com/shoalnet/shoal/index/dht/internal/lookup"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
	"github.com/shoalnet/shoal/index/dht/internal/table"
)

// How searches are done.
const (
	Alpha      = 4 // queries in flight on each path
	Paths      = 3 // disjoint paths if the answer must be trusted
	findPaths  = 2 // if a wrong answer does no harm, but a missing one would
	pathStarts = 3
	searchMax  = 64 // searches at a time; more wait their turn
	chores     = 8  // of them for upkeep
	// queriesMax bounds the queries of a search, for each path.
	queriesMax = 100
)

// Search is an iterative search for the nodes closest to a key, and for what they
// store. Its functions are called from within the Core's methods and may call the
// Core.
type Search struct {
	Method krpc.Method // FindNode, GetPeers or Get
	Target nodeid.ID
	Paths  int // 1 if 0
	Width  int // table.K if 0
	Chore  bool
	Starts []table.Contact // to begin with, besides those in the table

	Scrape, NoSeed bool // GetPeers
	HasSeq         bool // Get: a value is wanted only if it is newer than Seq
	Seq            int64

	// Reply is called with every answer until it returns false; nil for none.
	Reply func(from table.Contact, m *krpc.Message) bool
	// Done is called once when the search is over, also if Reply ended it, but not
	// after a cancellation.
	Done func(*lookup.Lookup)
}

// searches are the running and the waiting searches.
type searches struct {
	queries *queries
	active  []*search
	waiting []*search
}

type search struct {
	Search
	lookup.Lookup
	among   *searches
	active  bool
	over    bool
	queries []*query
}

// begin starts a search, at once or when there is room. The function returned
// cancels it. If no node is known, the search is over at once.
func (ss *searches) begin(s Search) (cancel func()) {
	if s.Paths == 0 {
		s.Paths = 1
	}
	if s.Width == 0 {
		s.Width = table.K
	}
	e := &search{Search: s, among: ss}
	e.Lookup = lookup.Lookup{
		Target: s.Target, Width: s.Width, Paths: s.Paths,
		Alpha: Alpha * max(s.Paths, s.Width/table.K), Max: queriesMax * s.Paths,
	}
	ss.waiting = append(ss.waiting, e)
	ss.beginWaiting()
	return e.cancel
}

// beginWaiting starts as many searches as there is room for. A search may end as
// soon as it starts, and start others, so each round reads the list again.
func (ss *searches) beginWaiting() {
	for len(ss.active) < searchMax {
		i := ss.nextWaiting()
		if i < 0 {
			return
		}
		e := ss.waiting[i]
		ss.waiting = append(ss.waiting[:i], ss.waiting[i+1:]...)
		ss.active = append(ss.active, e)
		e.start()
	}
}

func (ss *searches) nextWaiting() int {
	busy := 0
	for _, e := range ss.active {
		if e.Chore {
			busy++
		}
	}
	for i, e := range ss.waiting {
		if !e.Chore || busy < chores {
			return i
		}
	}
	return -1
}

func (e *search) start() {
	e.active = true
	qs := e.among.queries
	qs.table.Looked(qs.now, e.Search.Target)
	starts := qs.table.Closest(nil, e.Search.Target, 2*table.K, qs.identity.ID())
	if len(starts) < table.K/2 {
		starts = qs.table.Failing(starts, table.K)
	}
	for _, n := range e.Starts {
		e.Lookup.Start(n, 0)
	}
	if len(starts) < 2*table.K {
		// We know no others. Spread them over the paths, so that one bad node
		// spoils one path only.
		for i, n := range starts {
			e.Lookup.Start(n, i%e.Search.Paths)
		}
		e.pump()
		return
	}
	for _, n := range starts {
		e.Lookup.Start(n, 0)
	}
	// The closest ones we know may all be one attacker's. The other paths begin with
	// nodes chosen without regard to the target.
	for path := 1; path < e.Search.Paths; path++ {
		for range pathStarts {
			if n, ok := qs.table.Random(qs.rand); ok {
				e.Lookup.Start(n, path)
			}
		}
	}
	e.pump()
}

// pump queries the nodes that may be queried now, and ends the search if none is
// left.
func (e *search) pump() {
	qs := e.among.queries
	for !e.over {
		n := e.Next()
		if n == nil {
			if e.Over() {
				e.finish()
			}
			return
		}
		n.Silent = qs.remotes.friend(qs.now, n.Addr).silent
		q := e.query(n)
		e.queries = append(e.queries, qs.ask(n.Contact, &q, e, n))
	}
}

func (e *search) query(n *lookup.Node) krpc.Query {
	qs := e.among.queries
	if e.Method == krpc.Get && qs.remotes.friend(qs.now, n.Addr).lacksItems(qs.now) {
		// It has no items, but it names closer nodes.
		return krpc.Query{Method: krpc.FindNode, Target: e.Search.Target}
	}
	return krpc.Query{
		Method: e.Method, Target: e.Search.Target,
		Scrape: e.Scrape, NoSeed: e.NoSeed, HasSeq: e.HasSeq, Seq: e.Seq,
	}
}

func (e *search) reply(q *query, m *krpc.Message) {
	if len(m.Token) > 0 && len(m.Token) <= tokenMax {
		q.node.Token = append([]byte(nil), m.Token...)
	}
	if e.Method == krpc.Get && !q.items {
		e.Passed(q.node, m.Nodes)
	} else {
		e.Answered(q.node, m.Nodes)
	}
	if e.Reply != nil && !e.Reply(q.to, m) {
		if !e.over {
			e.finish()
		}
		return
	}
	e.pump()
}

// tokenMax is the longest token of others that we keep.
const tokenMax = 128

func (e *search) late(q *query) {
	e.Slow(q.node)
	e.pump()
}

func (e *search) fail(q *query, _ int) {
	e.Failed(q.node)
	e.pump()
}

func (e *search) finish() {
	e.stop()
	if e.Done != nil {
		e.Done(&e.Lookup)
	}
	e.among.beginWaiting()
}

// cancel ends the search without calling Done.
func (e *search) cancel() {
	if !e.over {
		e.stop()
		e.among.beginWaiting()
	}
}

func (e *search) stop() {
	e.over = true
	ss := e.among
	list := &ss.waiting
	if e.active {
		list = &ss.active
	}
	for i := range *list {
		if (*list)[i] == e {
			*list = append((*list)[:i], (*list)[i+1:]...)
			break
		}
	}
	// Queries in flight stay: their answers tell which nodes are alive.
	for _, q := range e.queries {
		ss.queries.abandon(q)
	}
	e.queries = nil
}
