package engine

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"os"
	"slices"

	"github.com/shoalnet/shoal/share"
	"github.com/shoalnet/shoal/share/metainfo"
)

// names are the IDs of one content. A transfer has one key, which never changes; its
// names are what others know the content by, and the key is one of them. One name may
// become known only with the info dictionary.
type names struct {
	V1 share.ID `json:"v1,omitzero"`
	V2 share.V2 `json:"v2,omitzero"`
}

// namesOf are those of an info dictionary, all of them.
func namesOf(info *metainfo.Info) names {
	n := names{V1: info.ID, V2: info.V2}
	if !info.HasV1() {
		n.V1 = share.ID{}
	}
	return n
}

// namesIn are those that a link has. A bare ID may be that of either version.
func namesIn(l share.Link) names {
	n := names{V1: l.ID, V2: l.V2}
	if n.V1 == n.V2.ID() {
		n.V1 = share.ID{}
	}
	return n
}

func (n names) link() share.Link { return share.Link{ID: n.V1, V2: n.V2} }

// ids are the names as they go over the wire, that of v1 first.
func (n names) ids() []share.ID { return n.link().IDs() }

// has tells whether id is a name.
func (n names) has(id share.ID) bool { return !id.IsZero() && (id == n.V1 || id == n.V2.ID()) }

// all tells whether n has all names that o has.
func (n names) all(o names) bool {
	return !slices.ContainsFunc(o.ids(), func(id share.ID) bool { return !n.has(id) }) && (o.V2.IsZero() || o.V2 == n.V2)
}

// differ tells whether both cannot be of one content.
func (n names) differ(o names) bool {
	return !n.V1.IsZero() && !o.V1.IsZero() && n.V1 != o.V1 && n.V1 != o.V2.ID() && o.V1 != n.V2.ID() ||
		!n.V2.IsZero() && !o.V2.IsZero() && n.V2 != o.V2
}

// fits tells whether an info dictionary is the one that n names: by the whole SHA-256
// where that is known.
func (n names) fits(info []byte) bool {
	v1, v2 := share.ID(sha1.Sum(info)), share.V2(sha256.Sum256(info))
	if n.V2.IsZero() {
		return n.V1 == v1 || n.V1 == v2.ID()
	}
	return n.V2 == v2 && (n.V1.IsZero() || n.V1 == v1)
}

// names are the IDs that others know t by, as far as they are known.
func (t *transfer) names() names {
	if t.options.Names == nil {
		return names{V1: t.id}
	}
	return *t.options.Names
}

// ids are all that find t: its key first.
func (t *transfer) ids() []share.ID {
	ids := []share.ID{t.id}
	for _, id := range t.names().ids() {
		if id != t.id {
			ids = append(ids, id)
		}
	}
	return ids
}

// sameContent is why a transfer stops whose content another has.
func sameContent(o *transfer) error {
	return share.Errorf(share.Refused, "the content is that of %q, which is here already under its other ID %s: remove this one", o.name, o.id)
}

// name gives t all names of its content. Where another transfer has one of them, the two
// were added before it was known that they are one: that which came later, or knows
// nothing of its content yet, stops. The error says that it is t.
func (lp *loop) name(t *transfer, n names) error {
	if o := lp.transfers.rival(t, n); o != nil {
		if o.known() || !t.known() && o.added.Before(t.added) {
			return sameContent(o)
		}
		lp.fail(o, sameContent(t))
		lp.announce.hide(o)
		defer lp.reconcile(o)
	}
	lp.transfers.name(t, n)
	lp.save(t)
	return nil
}

// yields stops t if another transfer has its key for a name.
func (lp *loop) yields(t *transfer) {
	if o := lp.transfers.named(t.id); o != nil && o != t && t.failure == nil && t.removing == nil && !t.options.Paused {
		lp.fail(t, sameContent(o))
	}
}

// nameOld finds the names of transfers from versions that did not keep them, by their
// .torrent files.
func (lp *loop) nameOld() {
	var old []share.ID
	for _, t := range lp.transfers.byID {
		if t.options.Names == nil && t.known() {
			old = append(old, t.id)
		}
	}
	if len(old) == 0 {
		return
	}
	lp.box.run(func(ctx context.Context) func() {
		for _, id := range old {
			if ctx.Err() != nil {
				break
			}
			n, err := lp.torrents.names(id)
			if err != nil {
				continue // opening the transfer says so
			}
			lp.box.post(func() {
				if t := lp.transfers.byID[id]; t != nil && t.options.Names == nil && t.removing == nil && lp.name(t, n) == nil {
					lp.reconcile(t)
				}
			})
		}
		return nil
	})
}

// names reads the names of a content from its .torrent file.
func (dir torrents) names(id share.ID) (names, error) {
	b, err := os.ReadFile(dir.path(id))
	if err != nil {
		return names{}, err
	}
	if !bytes.Contains(b, []byte("12:meta versioni2e")) {
		return names{V1: id}, nil // most, and read much faster
	}
	tor, err := metainfo.Parse(b)
	if err != nil {
		return names{}, err
	}
	return namesOf(tor.Info), nil
}

// under is info for a storage that keeps the content under the key of its transfer.
func under(id share.ID, info *metainfo.Info) *metainfo.Info {
	if info.ID == id {
		return info
	}
	in := *info
	in.ID = id
	return &in
}

// differs tells whether a request names other content than t.
func (t *transfer) differs(n names) bool {
	have := t.names()
	return have.differ(n) || t.known() && t.options.Names != nil && !have.all(n)
}
