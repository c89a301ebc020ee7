package engine

import (
	"cmp"
	"slices"

	"github.com/shoalnet/shoal/share"
)

// maxFailures bounds the failed shares that Get still returns.
const maxFailures = 256

// register finds transfers by their IDs, and by IDs that they had or will have. It is owned
// by the loop.
type register struct {
	byID    map[share.ID]*transfer      // by their keys
	other   map[share.ID]*transfer      // by their names that are not their keys
	aliases map[share.ID]share.ID       // provisional IDs of this run
	making  map[share.ID]*transfer      // hashed shares by their ID, until it is theirs
	failed  map[share.ID]share.Transfer // shares of this run that could not be made
}

func newRegister() register {
	return register{
		byID:    make(map[share.ID]*transfer),
		other:   make(map[share.ID]*transfer),
		aliases: make(map[share.ID]share.ID),
		making:  make(map[share.ID]*transfer),
		failed:  make(map[share.ID]share.Transfer),
	}
}

// find returns the transfer of id, or of the ID that id stands for.
func (r *register) find(id share.ID) *transfer {
	if to, ok := r.aliases[id]; ok {
		id = to
	}
	if t := r.byID[id]; t != nil {
		return t
	}
	if t := r.other[id]; t != nil {
		return t
	}
	return r.making[id]
}

// first returns the transfer of the first of ids that finds one.
func (r *register) first(ids []share.ID) *transfer {
	for _, id := range ids {
		if t := r.find(id); t != nil {
			return t
		}
	}
	return nil
}

// named returns the transfer that has id for a name of its content. It differs from find
// where two turned out to be one content: the key of that which stopped is a name of the
// other.
func (r *register) named(id share.ID) *transfer {
	if t := r.other[id]; t != nil {
		return t
	}
	return r.byID[id]
}

// rival returns another transfer that has one of these names; nil if there is none.
func (r *register) rival(t *transfer, n names) *transfer {
	for _, id := range n.ids() {
		for _, o := range []*transfer{r.byID[id], r.other[id]} {
			if o != nil && o != t {
				return o
			}
		}
	}
	return nil
}

// name gives t the names of its content, which no other transfer but a stopped one has.
func (r *register) name(t *transfer, n names) {
	t.options.Names = &n
	if r.has(t) {
		r.add(t)
	}
}

// has tells whether t is still there.
func (r *register) has(t *transfer) bool { return r.byID[t.id] == t }

func (r *register) add(t *transfer) {
	r.byID[t.id] = t
	for _, id := range t.ids()[1:] {
		r.other[id] = t
	}
}

// hash notes the ID that t will have. It reports false if another share will have it.
func (r *register) hash(t *transfer, id share.ID) bool {
	if o := r.making[id]; o != nil && o != t {
		return false
	}
	r.making[id] = t
	return true
}

// unhash undoes hash.
func (r *register) unhash(id share.ID) { delete(r.making, id) }

// replace takes t out, and makes its provisional ID stand for id.
func (r *register) replace(t *transfer, id share.ID) {
	r.remove(t)
	r.aliases[t.id] = id
}

// remove takes out all names of t.
func (r *register) remove(t *transfer) (stopped *transfer) {
	delete(r.byID, t.id)
	for _, id := range t.ids()[1:] {
		if r.other[id] == t {
			delete(r.other, id)
			stopped = cmp.Or(stopped, r.byID[id])
		}
	}
	return stopped
}

// drop takes t out. It returns a transfer that stopped because its content was that of
// t; mostly nil.
func (r *register) drop(t *transfer) (stopped *transfer) {
	if t.making.made != nil {
		r.unhash(t.making.made.Info.ID)
	}
	return r.remove(t)
}

// fail keeps the last snapshot of a share that failed.
func (r *register) fail(s share.Transfer) {
	for id := range r.failed {
		if len(r.failed) < maxFailures {
			break
		}
		delete(r.failed, id)
	}
	r.failed[s.ID] = s
}

// sorted returns every transfer, oldest first.
func (r *register) sorted() []*transfer {
	all := make([]*transfer, 0, len(r.byID))
	for _, t := range r.byID {
		all = append(all, t)
	}
	sortByAge(all)
	return all
}

func sortByAge(all []*transfer) {
	slices.SortFunc(all, func(a, b *transfer) int {
		return cmp.Or(a.added.Compare(b.added), slices.Compare(a.id[:], b.id[:]))
	})
}
