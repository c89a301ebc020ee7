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
	byID    map[share.ID]*transfer
	aliases map[share.ID]share.ID       // provisional IDs of this run
	making  map[share.ID]*transfer      // hashed shares by their ID, until it is theirs
	failed  map[share.ID]share.Transfer // shares of this run that could not be made
}

func newRegister() register {
	return register{
		byID:    make(map[share.ID]*transfer),
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
	return r.making[id]
}

// has tells whether t is still there.
func (r *register) has(t *transfer) bool { return r.byID[t.id] == t }

func (r *register) add(t *transfer) { r.byID[t.id] = t }

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
	delete(r.byID, t.id)
	r.aliases[t.id] = id
}

// drop takes t out.
func (r *register) drop(t *transfer) {
	delete(r.byID, t.id)
	if t.making.made != nil {
		r.unhash(t.making.made.Info.ID)
	}
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
