package core

import (
	"slices"

	"github.com/shoalnet/shoal/share/merkle"
)

// disputes finds out which blocks of a wrong piece are wrong, by the hashes of its
// blocks, which peers prove (BEP 52). Until it is known the piece waits.
type disputes struct {
	*trees
	inquiries *inquiries
	all       []*dispute
}

// dispute is a piece that is wrong.
type dispute struct {
	begun  *begun
	sums   [][20]byte    // of its blocks, as they came
	leaves []merkle.Hash // as they must be
	left   int           // inquiries
	over   bool
}

// maxDisputes bounds what is asked for at once. More pieces are wrong only where
// somebody sends much that is, who is convicted by the first.
const maxDisputes = 16

// open asks for the hashes of the blocks of a wrong piece. It reports whether somebody
// is there to ask.
func (x *disputes) open(b *begun, sums [][20]byte) bool {
	if !x.known() || len(sums) != len(b.blocks) || len(x.all) >= maxDisputes {
		return false
	}
	f := x.of(b.piece)
	top, height, ok := x.top(f, b.piece)
	if !ok || height == 0 {
		return false
	}
	d := &dispute{begun: b, sums: slices.Clone(sums), leaves: make([]merkle.Hash, 1<<height)}
	length := min(merkle.MaxSpan, 1<<height)
	from := (b.piece - f.First) << height
	var asked []*inquiry
	for at := 0; at < 1<<height; at += length {
		s := merkle.Span{Index: from + at, Length: length, Proofs: height - 1}
		asked = append(asked, &inquiry{root: f.Root, span: s, top: top, dispute: d})
	}
	if x.inquiries.hopeless(asked[0]) {
		return false
	}
	d.left = len(asked)
	x.inquiries.first(asked...)
	x.all = append(x.all, d)
	return true
}

// took takes hashes of blocks. It reports whether all of the piece are known.
func (x *disputes) took(q *inquiry, nodes []merkle.Hash) (settled bool) {
	d := q.dispute
	if d.over {
		return false
	}
	copy(d.leaves[q.span.Index&(len(d.leaves)-1):], nodes)
	if d.left--; d.left > 0 {
		return false
	}
	x.end(d)
	return true
}

// end forgets a dispute.
func (x *disputes) end(d *dispute) {
	d.over = true
	x.all = slices.DeleteFunc(x.all, func(y *dispute) bool { return y == d })
	x.inquiries.withdraw(func(q *inquiry) bool { return q.dispute == d })
}

// lost is a dispute that nobody can settle, which is over then; nil if there is none.
func (x *disputes) lost() *dispute {
	for _, q := range x.inquiries.open {
		if q.dispute != nil && x.inquiries.hopeless(q) {
			x.end(q.dispute)
			return q.dispute
		}
	}
	return nil
}

// wrong tells whether block n is, once the dispute is settled. What is behind the end
// of the file has a hash of zeros.
func (d *dispute) wrong(n int) bool {
	return n >= len(d.leaves) && d.sums[n] != [20]byte{} || n < len(d.leaves) && d.sums[n] != [20]byte(d.leaves[n][:20])
}
