package core

import (
	"slices"

	"github.com/shoalnet/shoal/share/merkle"
)

// layerDrafts puts together the piece layers that are missing.
type layerDrafts struct {
	*content
	*trees
	inquiries *inquiries
	todo      []int32     // files whose layer is missing and not begun, one of each root
	sorted    bool        // those of which something is wanted come first
	drafts    int         // that are begun
	lacking   int         // layers that are missing
	computing *layerDraft // which the caller does
}

// layerDraft is a layer that is being put together.
type layerDraft struct {
	file  *File
	layer []merkle.Hash
	left  int // hashes
	over  bool
}

// At most so many layers are begun, and so many inquiries wait, so that a torrent of
// many files costs memory for a few.
const (
	maxLayerDrafts = 64
	fewOpen        = 256
)

// begin takes that the content is known.
func (d *layerDrafts) begin() {
	d.todo = d.layerless()
	d.lacking = len(d.todo)
}

// advance begins further layers: first of files of which something is wanted.
func (d *layerDrafts) advance() {
	for len(d.todo) > 0 && d.drafts < maxLayerDrafts && len(d.inquiries.open) < fewOpen {
		if !d.sorted {
			d.sorted = true
			wanted := make([]int32, 0, len(d.todo))
			rest := slices.DeleteFunc(d.todo, func(n int32) bool {
				is := d.wantsFile(n)
				if is {
					wanted = append(wanted, n)
				}
				return is
			})
			d.todo = append(wanted, rest...)
		}
		d.start(&d.Files[d.todo[0]])
		d.todo = d.todo[1:]
	}
}

// wantsFile tells whether pieces of a file, or of one that is equal, are wanted.
func (d *layerDrafts) wantsFile(n int32) bool {
	for _, n := range d.files[d.Files[n].Root] {
		f := &d.Files[n]
		for i := f.First; i < f.First+f.Pieces; i++ {
			if d.wants(i) {
				return true
			}
		}
	}
	return false
}

// start asks for the layer of f: spans of the most hashes, each with its proof.
func (d *layerDrafts) start(f *File) {
	draft := &layerDraft{file: f, layer: make([]merkle.Hash, f.Pieces), left: f.Pieces}
	d.drafts++
	height := merkle.Height(int64(f.Pieces))
	length := min(merkle.MaxSpan, 1<<height)
	for at := 0; at < f.Pieces; at += length {
		d.inquiries.add(&inquiry{
			root: f.Root, top: f.Root, draft: draft,
			span: merkle.Span{Layer: d.piece, Index: at, Length: length, Proofs: height - 1},
		})
	}
}

// took takes nodes of a layer. It reports whether that completes the layer.
func (d *layerDrafts) took(q *inquiry, nodes []merkle.Hash) (complete bool) {
	draft := q.draft
	if draft.over {
		return false
	}
	draft.left -= copy(draft.layer[q.span.Index:], nodes)
	return draft.left == 0 && d.end(draft) && d.Layers.Set(draft.file.Root, draft.layer) == nil
}

// end takes that a draft is over.
func (d *layerDrafts) end(draft *layerDraft) bool {
	draft.over = true
	d.drafts--
	d.lacking--
	return true
}

// compute is a file whose layer the caller is to compute, since all pieces are here
// and nobody can be asked for it; nil if there is none, or one is being computed.
func (d *layerDrafts) compute() *File {
	if !d.complete || d.computing != nil {
		return nil
	}
	for _, q := range d.inquiries.open {
		if q.draft != nil && d.inquiries.hopeless(q) {
			d.computing = q.draft
			return q.draft.file
		}
	}
	return nil
}

// computed takes that the layer was computed and put in. It returns the root; false
// if peers brought the layer before.
func (d *layerDrafts) computed() (root merkle.Hash, news bool) {
	draft := d.computing
	d.computing = nil
	if draft.over {
		return draft.file.Root, false
	}
	d.end(draft)
	d.inquiries.withdraw(func(q *inquiry) bool { return q.draft == draft })
	return draft.file.Root, true
}
