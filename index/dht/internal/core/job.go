package core

import (
	"slices"
	"time"

	"github.com/shoalnet/shoal/index/dht/internal/krpc"
	"github.com/shoalnet/shoal/index/dht/internal/lookup"
	"github.com/shoalnet/shoal/index/dht/internal/nodeid"
	"github.com/shoalnet/shoal/index/dht/internal/table"
)

// job is the announcement of one key, or of all that are due in a region.
type job struct {
	a     *announcer
	first *key
	keys  []*key        // not begun yet; they are busy
	open  int           // keys begun and not settled
	next  time.Duration // until the keys are due again
	fresh bool          // the first key was not announced before
	found bool          // the nodes are known
	sent  int           // queries
	done  int           // keys settled

	region region
	nodes  []*lookup.Node // of the region, with tokens
	best   []*lookup.Node // for a key by itself
}

// gather takes the ripe keys that share prefix bits with the first one.
func (j *job) gather(prefix int) {
	a := j.a
	at, _ := a.search(j.first.id)
	take := func(i int) bool {
		if i < 0 || i >= len(a.keys) || len(j.keys) >= groupMax || a.keys[i].id.Prefix(j.first.id) < prefix {
			return false
		}
		if k := a.keys[i]; a.ripe(k) {
			k.busy = true
			j.keys = append(j.keys, k)
		}
		return true
	}
	for i := at + 1; take(i); i++ {
	}
	for i := at - 1; take(i); i-- {
	}
}

// release undoes gather.
func (j *job) release() {
	for _, k := range j.keys {
		k.busy = false
	}
	j.keys = nil
}

// search finds the nodes closest to the one key.
func (j *job) search() {
	a := j.a
	a.stats.Lookups++
	a.searches.begin(Search{
		Method: krpc.GetPeers, Target: j.first.id, Paths: Paths,
		Done: func(l *lookup.Lookup) {
			j.count(l)
			j.best = l.Best(table.K)
			j.begin()
		},
	})
}

func (j *job) count(l *lookup.Lookup) {
	j.a.stats.Datagrams += uint64(l.Sent() + l.Got())
	for range l.Sent() {
		j.spend()
	}
}

func (j *job) spend() {
	j.sent++
	j.a.spend()
}

// begin announces, now that the nodes are known.
func (j *job) begin() {
	j.found = true
	j.keys = append([]*key{j.first}, j.keys...)
	j.step()
}

// step announces as many keys as may be in progress at once.
func (j *job) step() {
	if !j.found {
		return
	}
	for j.open < groupOpen && len(j.keys) > 0 && j.a.allowed(j.fresh) {
		k := j.keys[0]
		nodes := j.nodesFor(k)
		if j.behind(nodes) {
			break
		}
		j.keys = j.keys[1:]
		j.open++
		j.place(k, nodes)
	}
	if j.open == 0 && len(j.keys) == 0 && j.done > 0 {
		j.a.learn(j.sent, j.done)
		j.done = 0
		if i := slices.Index(j.a.jobs, j); i >= 0 {
			j.a.jobs = slices.Delete(j.a.jobs, i, i+1)
			j.a.soon()
		}
	}
}

// behind reports whether many queries to one of nodes are waiting, so that the next
// one would wait long. Searches and new keys should not wait behind them.
func (j *job) behind(nodes []*lookup.Node) bool {
	qs, most := j.a.queries, behindMax
	if j.fresh {
		most = freshMax
	}
	for _, n := range nodes {
		if f := qs.remotes.friend(qs.now, n.Addr); f.pace.Behind(qs.now, f.rate()) > most {
			return true
		}
	}
	return false
}

// nodesFor are those closest to k.
func (j *job) nodesFor(k *key) []*lookup.Node {
	if j.nodes == nil {
		return j.best
	}
	nodes := slices.Clone(j.nodes)
	slices.SortFunc(nodes, func(x, y *lookup.Node) int {
		if nodeid.Closer(&k.id, &x.ID, &y.ID) {
			return -1
		}
		return 1
	})
	return lookup.Best(nodes, table.K)
}

// place announces k with nodes.
func (j *job) place(k *key, nodes []*lookup.Node) {
	p := &placing{j: j, k: k, left: len(nodes), asked: len(nodes)}
	if !k.gone {
		j.a.holdOwn(k.id, nodes)
	}
	if k.gone || p.left == 0 {
		p.left = 0
		p.settled()
		return
	}
	for _, n := range nodes {
		if _, bound := j.a.bound.Get(j.a.now, n.ID); bound && j.nodes != nil {
			p.fetchToken(n)
		} else {
			p.send(n, n.Token)
		}
	}
}

// placing is the announcement of one key.
type placing struct {
	j        *job
	k        *key
	asked    int
	left     int
	accepted int
}

func (p *placing) send(n *lookup.Node, tok []byte) {
	a := p.j.a
	q := krpc.Query{Method: krpc.AnnouncePeer, Target: p.k.id, Token: tok, Port: a.identity.port(), Seed: a.seeding(p.k.id)}
	q.ImpliedPort = q.Port == 0
	p.ask(n, &q, p)
}

func (p *placing) fetchToken(n *lookup.Node) {
	p.ask(n, &krpc.Query{Method: krpc.GetPeers, Target: p.k.id}, tokenFetch{p})
}

func (p *placing) ask(n *lookup.Node, q *krpc.Query, by asker) {
	a := p.j.a
	a.stats.Datagrams++
	p.j.spend()
	a.queries.ask(n.Contact, q, by, n)
}

func (p *placing) reply(*query, *krpc.Message) {
	p.j.a.stats.Datagrams++
	p.accepted++
	p.settle()
}

func (p *placing) late(*query) {}

func (p *placing) fail(q *query, code int) {
	a := p.j.a
	if code != 0 {
		a.stats.Datagrams++
	}
	if _, bound := a.bound.Get(a.now, q.node.ID); code == krpc.CodeProtocol && p.j.nodes != nil && !bound {
		// Its token was for another key.
		a.bound.Put(a.now, q.node.ID, struct{}{})
		p.fetchToken(q.node)
		return
	}
	p.settle()
}

func (p *placing) settle() {
	if p.left--; p.left == 0 {
		p.settled()
	}
}

func (p *placing) settled() {
	k, a := p.k, p.j.a
	k.busy = false
	switch {
	case p.accepted > 0:
		k.known, k.done, k.alone, k.tried, k.due = true, true, false, 0, a.now+p.j.next
		if p.asked >= table.K && p.accepted > table.K/2 {
			k.thin = 0
		} else if soon := young << k.thin; soon < interval {
			k.due = min(k.due, a.now+a.jitter(soon))
			k.thin++
		}
		a.stats.Announced++
	case !k.gone:
		a.stats.Refused++
		k.alone = true
		k.due = a.now + a.jitter(min(retry<<min(k.tried, 6), interval))
		k.tried++
	}
	p.j.open--
	p.j.done++
	p.j.step()
}

// tokenFetch asks a node for a token for the key at hand.
type tokenFetch struct{ p *placing }

func (t tokenFetch) reply(q *query, m *krpc.Message) {
	t.p.j.a.stats.Datagrams++
	if len(m.Token) == 0 || len(m.Token) > tokenMax {
		t.p.settle()
		return
	}
	t.p.send(q.node, slices.Clone(m.Token))
}

func (t tokenFetch) late(*query) {}

func (t tokenFetch) fail(*query, int) { t.p.settle() }
